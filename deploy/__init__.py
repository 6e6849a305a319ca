"""How floorcast is run: the command line, the local Kafka, the supervisor, the demo, verify."""
