"""`floorcast.yaml` as typed values: connections, roster, teams, SLA rules, alerts, retention.

Owns the shape, defaults and checks of the configuration: fields.py has what occurs in many places, floor.py, leads.py
and alerts.py the parts, whole.py what they say of each other, reading.py the text and its errors.
"""

from schemas.config.alerts import (
    AlertmanagerChannel,
    Alerts,
    EmailChannel,
    QuietHours,
    SlackChannel,
    TeamsChannel,
    Threshold,
    WebhookChannel,
)
from schemas.config.fields import PERIODS, WINDOW_NAMES, Currency, Duration, Name, TimeZone
from schemas.config.floor import BusinessHours, Connection
from schemas.config.leads import LeadResponse, SlaRule
from schemas.config.reading import ConfigError, load_config, parse_config
from schemas.config.whole import Config

__all__ = [
    "PERIODS",
    "WINDOW_NAMES",
    "AlertmanagerChannel",
    "Alerts",
    "BusinessHours",
    "Config",
    "ConfigError",
    "Connection",
    "Currency",
    "Duration",
    "EmailChannel",
    "LeadResponse",
    "Name",
    "QuietHours",
    "SlaRule",
    "SlackChannel",
    "TeamsChannel",
    "Threshold",
    "TimeZone",
    "WebhookChannel",
    "load_config",
    "parse_config",
]
