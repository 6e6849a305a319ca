"""`floorcast.yaml` as typed values: connections, roster, teams, SLA rules, alerts, retention.

Owns the shape, defaults and checks of the configuration: floor.py, leads.py, conversation.py, goals.py and alerts.py
have its parts (connections: `schemas.connectors`), whole.py all of it, references.py what the parts say of each other,
reading.py the way from a file to it. What all files have in common is in `schemas.documents`.
"""

from schemas.config.reading import load_config, parse_config
from schemas.config.whole import Config
from schemas.documents.errors import ConfigError

__all__ = ["Config", "ConfigError", "load_config", "parse_config"]
