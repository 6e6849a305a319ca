"""Benchmarks: run by `make bench`, never by the tests. Figures hold for one run on one machine."""
