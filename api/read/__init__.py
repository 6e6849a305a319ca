"""What Kafka says, served: consumer, view, and what is made of them."""
