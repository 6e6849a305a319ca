"""The channels by kind. A new one is a file here and a line in `_KINDS`."""

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from processor.agents.channels.alertmanager import AlertmanagerChannel
from processor.agents.channels.base import Channel
from processor.agents.channels.email import EmailChannel
from processor.agents.channels.slack import SlackChannel
from processor.agents.channels.teams import TeamsChannel
from processor.agents.channels.webhook import WebhookChannel
from schemas.config import Config

_Make = Callable[[str, Any, ZoneInfo], Channel]

_KINDS: Mapping[str, _Make] = {
    "alertmanager": lambda name, settings, _zone: AlertmanagerChannel(name, settings),
    "email": EmailChannel,
    "slack": SlackChannel,
    "teams": TeamsChannel,
    "webhook": lambda name, settings, _zone: WebhookChannel(name, settings),
}


def build_channels(config: Config) -> dict[str, Channel]:
    """Every channel of the configuration; nothing is connected yet."""
    return {
        name: _KINDS[settings.kind](name, settings, config.organisation.zone)
        for name, settings in config.alerts.channels.items()
    }
