"""The channels by kind.

A new one is a file here, a line in `_KINDS`, and in schemas/config/alerts.py its settings with their place in
`ChannelSettings`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from processor.agents.channels.alertmanager import AlertmanagerChannel
from processor.agents.channels.base import Channel
from processor.agents.channels.email import EmailChannel
from processor.agents.channels.slack import SlackChannel
from processor.agents.channels.teams import TeamsChannel
from processor.agents.channels.webhook import WebhookChannel
from processor.agents.channels.wording import Wording
from schemas.config import Config

_Make = Callable[[str, Any, Wording], Channel]

_KINDS: Mapping[str, _Make] = {
    "alertmanager": AlertmanagerChannel,
    "email": EmailChannel,
    "slack": SlackChannel,
    "teams": TeamsChannel,
    "webhook": lambda name, settings, _wording: WebhookChannel(name, settings),
}


def build_channels(config: Config) -> dict[str, Channel]:
    """Every channel of the configuration; nothing is connected yet."""
    wording = Wording(config)
    return {name: _KINDS[settings.kind](name, settings, wording) for name, settings in config.alerts.channels.items()}
