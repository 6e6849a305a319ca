"""Benchmarks: run by `make bench`, never by the tests. Figures are ratios or distributions of one run on one machine."""
