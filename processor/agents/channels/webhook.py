"""Channel `webhook`: each turn of an alert as JSON to any address, signed as Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from processor.agents.channels.base import ChannelSettingError, idempotency_key
from processor.agents.channels.http import Poster
from schemas.alerts import Alert, crossing_fields
from schemas.config import WebhookChannel as Settings
from schemas.connectors.base import SecretError
from schemas.connectors.standard_webhooks import read_key, sign
from schemas.instants import SECOND, format_instant


class WebhookChannel:
    """One address. Programs listen there, so nothing is grouped."""

    at_once = 1
    parallel = 8
    spacing_seconds = 0.0
    repeat_seconds = None

    def __init__(self, name: str, settings: Settings) -> None:
        setting = f"alerts.channels.{name}"
        self._name = name
        try:
            self._key = (
                None if settings.secret is None else read_key(settings.secret.get_secret_value(), f"{setting}.secret")
            )
        except SecretError as error:
            raise ChannelSettingError(str(error)) from None
        self._poster = Poster(
            settings.url.get_secret_value(), f"{setting}.url",
            allow_private=settings.allow_private, parallel=self.parallel,
        )  # fmt: skip

    async def send(self, alerts: Sequence[Alert], now: int) -> None:
        """Post each of them."""
        for alert in alerts:
            key = idempotency_key(self._name, [alert])
            body = msgspec.json.encode(envelope(alert, key))
            timestamp = str(now // SECOND)
            headers = {"webhook-id": key, "webhook-timestamp": timestamp}
            if self._key is not None:
                headers["webhook-signature"] = sign(self._key, message_id=key, timestamp=timestamp, body=body)
            await self._poster.post(body, headers, now)

    async def close(self) -> None:
        """Let go of connections."""
        await self._poster.close()


def envelope(alert: Alert, key: str) -> dict[str, Any]:
    """The body: what happened, when, and the alert as REST shows it."""
    at = alert.raised_at if alert.event == "raised" else alert.resolved_at
    return {
        "id": key,
        "type": f"alert.{alert.event}",
        "timestamp": format_instant(alert.raised_at if at is None else at),
        "data": {
            "id": alert.id,
            "kind": alert.kind,
            "level": alert.level,
            "lead": alert.lead,
            "rep": alert.rep,
            "team": alert.team,
            "started_at": format_instant(alert.started_at),
            "due_at": format_instant(alert.due_at),
            "raised_at": format_instant(alert.raised_at),
            "resolved_at": None if alert.resolved_at is None else format_instant(alert.resolved_at),
            "late": alert.is_late,
        }
        | crossing_fields(alert),
    }
