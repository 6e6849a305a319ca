"""Tests of the contract between the processes."""
