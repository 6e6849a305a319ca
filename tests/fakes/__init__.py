"""CRMs on loopback: real HTTP servers that speak a vendor's documented API, with its limits and its faults.

Written from the vendors' documents, not from the connectors: what stands here must not be imported by what is tested.
"""
