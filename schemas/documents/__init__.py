"""Files that people write, `floorcast.yaml` and `metrics.yaml`: their text, their kinds of values, and their errors.

Owns what all such files have in common. Lies below `schemas.config`, `schemas.catalogue` and `schemas.connectors`,
which say what stands in them, so that none of these needs another for it.
"""
