"""Channel `webhook`: each turn of an alert as JSON to any address, signed as Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from processor.agents.channels.announcing import notices_of
from processor.agents.channels.base import idempotency_key
from processor.agents.channels.http import AlertPoster
from processor.agents.channels.wording import LISTED
from schemas.alerts import LEAD_RESPONSE, LEVELS, METRIC_THRESHOLD, Alert, crossing_fields
from schemas.config.alerts import WebhookSettings
from schemas.connectors.standard_webhooks import read_key, sign
from schemas.instants import SECOND, format_instant
from schemas.notices import Notice, notice_lines


class WebhookChannel:
    """One address. Programs listen there, so nothing is grouped."""

    at_once = 1
    parallel = 8
    spacing_seconds = 0.0
    repeat_seconds = None

    def __init__(self, name: str, settings: WebhookSettings) -> None:
        self._name = name
        self._key = None if settings.secret is None else read_key(settings.secret.get_secret_value(), "secret")
        self._poster = AlertPoster(
            settings.url.get_secret_value(), allow_private=settings.allow_private, parallel=self.parallel
        )

    async def send(self, alerts: Sequence[Alert], now: int) -> None:
        """Post each of them."""
        for alert in alerts:
            key = idempotency_key(self._name, [alert])
            await self._post(key, envelope(alert, key), now)

    async def announce(self, told: Sequence[Alert], now: int) -> None:
        """Post each of them, with the same for programs."""
        for alert, notice in zip(told, notices_of(told), strict=True):
            key = idempotency_key(self._name, [alert])
            await self._post(key, notice_envelope(alert, notice, key), now)

    async def summarize(self, alerts: Sequence[Alert], now: int) -> None:
        """Post one message that counts them."""
        key = idempotency_key(self._name, alerts)
        await self._post(key, summary(alerts, key, now), now)

    async def _post(self, key: str, message: dict[str, Any], now: int) -> None:
        body = msgspec.json.encode(message)
        timestamp = str(now // SECOND)
        headers = {"webhook-id": key, "webhook-timestamp": timestamp}
        if self._key is not None:
            headers["webhook-signature"] = sign(self._key, message_id=key, timestamp=timestamp, body=body)
        await self._poster.post(body, headers, now)

    async def close(self) -> None:
        """Let go of connections."""
        await self._poster.close()


def summary(alerts: Sequence[Alert], key: str, now: int) -> dict[str, Any]:
    """The body of a summary: how many leads and alerts, and the first of them. No lead is in `lead`: it is of many."""
    counts = Counter(alert.level for alert in alerts)
    in_order = sorted(alerts, key=lambda alert: (alert.started_at, alert.id))
    leads = list(dict.fromkeys(alert.lead for alert in in_order if alert.crossing is None))
    crossed = [
        {"rep": alert.rep if alert.called is None else alert.called.rep_id, "team": alert.team} | crossing_fields(alert)
        for alert in in_order
        if alert.crossing is not None
    ]
    return {
        "id": key,
        "type": "alert.summary",
        "timestamp": format_instant(now),
        "data": {
            "id": None,
            "kind": LEAD_RESPONSE if leads else METRIC_THRESHOLD,
            "level": max(counts, key=LEVELS.index),
            "lead": None,
            "rep": None,
            "team": None,
            "alerts": len(alerts),
            "leads": len(leads),
            "levels": {level: counts[level] for level in LEVELS if counts[level]},
            "first_due_at": format_instant(min(alert.due_at for alert in alerts)),
            "last_due_at": format_instant(max(alert.due_at for alert in alerts)),
            "listed": leads[:LISTED],
        }
        | ({"crossings": len(crossed), "crossed": crossed[:LISTED]} if crossed else {}),
    }


def notice_envelope(alert: Alert, notice: Notice, key: str) -> dict[str, Any]:
    """The body of a day or a win: in words, and as values."""
    return {
        "id": key,
        "type": notice.type,
        "timestamp": format_instant(alert.raised_at if alert.resolved_at is None else alert.resolved_at),
        "data": {
            "kind": notice.type,
            "language": notice.language,
            "title": notice.title,
            "text": "\n".join(notice_lines(notice)),
            "table": notice.table,
        }
        | msgspec.json.decode(notice.data),
    }


def envelope(alert: Alert, key: str) -> dict[str, Any]:
    """The body: what happened, when, and the alert as REST shows it."""
    at = alert.raised_at if alert.event == "raised" else alert.resolved_at
    return {
        "id": key,
        "type": f"alert.{alert.event}",
        "timestamp": format_instant(alert.raised_at if at is None else at),
        "data": {
            "id": alert.id if alert.called is None else alert.called.id,
            "kind": alert.kind,
            "level": alert.level,
            "lead": alert.lead,
            "rep": alert.rep if alert.called is None else alert.called.rep_id,
            "team": alert.team,
            "started_at": format_instant(alert.started_at),
            "due_at": format_instant(alert.due_at),
            "raised_at": format_instant(alert.raised_at),
            "resolved_at": None if alert.resolved_at is None else format_instant(alert.resolved_at),
            "late": alert.is_late,
        }
        | ({"request": alert.request or None} if alert.crossing is None else {})
        | ({} if alert.called is None else {"name": alert.called.rep, "lead_name": alert.called.lead})
        | crossing_fields(alert),
    }
