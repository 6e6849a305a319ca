"""A simulated sales floor, for the demo, for load and for tests: what happens on it, and how it is posted."""
