"""Contract tests of the seams over Faust and aiokafka, most of them on a real broker."""
