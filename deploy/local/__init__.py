"""Everything on one machine: `floorcast up`, what keeps its children alive, and the local Kafka."""
