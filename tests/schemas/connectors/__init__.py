"""Tests of the connectors: signatures, events, fields."""
