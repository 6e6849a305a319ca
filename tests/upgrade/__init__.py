"""`make upgrade FROM=<commit>`: another version and this one side by side on one Kafka, under load, there and back."""
