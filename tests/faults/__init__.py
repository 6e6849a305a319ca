"""floorcast under faults: real processes, a steady load, one fault after the other, and the recount afterwards."""
