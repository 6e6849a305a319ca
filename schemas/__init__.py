"""The contract between floorcast's processes: what travels through Kafka, the configuration, the connectors.

No Kafka, no HTTP, no clock here: `api` and `processor` never import each other and meet only in these values.
"""
