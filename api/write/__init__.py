"""Deliveries into Kafka: the producer behind webhooks and actions."""
