"""The contract between floorcast's processes: what travels through Kafka, the configuration, the connectors.

`api` and `processor` never import each other and meet only in these values. No topic is read or written here and no
request answered; how Kafka is reached (`kafka_*.py`) and what time it is on this machine (`machine_clock.py`) are here
once for all processes, and time is an argument of everything else.
"""
