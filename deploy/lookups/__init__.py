"""Asking CRMs: look-ups, back-fill and reconciliation. What is asked stands in `schemas.connectors`; here is who asks.

client      requests: token, limits, back-off
pacing      a vendor's limit, shared by all processes on a data folder
known       what the log says already: records, and what is still to be asked
comparing   whether an answer says anything new
log         deliveries in and out of Kafka
rounds      look-ups and reconciliation of one connection
owner       the process that does it for all connections
backfill    the command that asks for the past
"""
