"""Kafka in, Kafka out: the stages normalise, ledger and responses. Never imports `api`."""
