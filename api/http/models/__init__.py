"""What answers look like, for OpenAPI. The values themselves are made in api/read/rows.py."""
