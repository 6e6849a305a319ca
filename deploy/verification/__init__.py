"""The recount that shares no code with the stream, run once (`floorcast verify`) or all the time (`--every`)."""
