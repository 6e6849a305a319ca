"""`floorcast.yaml` as typed values: connections, roster, teams, SLA rules, alerts, retention.

Owns the shape, defaults and checks of the configuration: floor.py, leads.py, conversation.py, goals.py and alerts.py
have its parts (connections: `schemas.connectors`), whole.py all of it, references.py what the parts say of each other,
reading.py the way from a file to it. What all files have in common is in `schemas.documents`.
"""

from schemas.config.alerts import (
    AlertmanagerSettings,
    Alerts,
    EmailSettings,
    QuietHours,
    SlackSettings,
    TeamsSettings,
    Threshold,
    WebhookSettings,
)
from schemas.config.floor import BusinessHours
from schemas.config.goals import Fiscal, Goal, GoalAmount
from schemas.config.leads import LeadResponse, SlaRule
from schemas.config.reading import load_config, parse_config
from schemas.config.whole import Config
from schemas.config.windows import PERIODS
from schemas.connectors import Connection
from schemas.documents.errors import ConfigError
from schemas.documents.values import Currency, DurationSetting, Name, TimeZone

__all__ = [
    "PERIODS",
    "AlertmanagerSettings",
    "Alerts",
    "BusinessHours",
    "Config",
    "ConfigError",
    "Connection",
    "Currency",
    "DurationSetting",
    "EmailSettings",
    "Fiscal",
    "Goal",
    "GoalAmount",
    "LeadResponse",
    "Name",
    "QuietHours",
    "SlaRule",
    "SlackSettings",
    "TeamsSettings",
    "Threshold",
    "TimeZone",
    "WebhookSettings",
    "load_config",
    "parse_config",
]
