"""Channel `alertmanager`: Prometheus Alertmanager, which then groups, inhibits and notifies by its own rules.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from processor.agents.channels.announcing import notices_of
from processor.agents.channels.base import idempotency_key
from processor.agents.channels.http import AlertPoster
from processor.agents.channels.wording import Wording, one_line
from schemas.alerts import CONNECTION, DIGEST, GOAL, LEVELS, Alert
from schemas.config.alerts import AlertmanagerSettings
from schemas.instants import HOUR, SECOND, format_instant
from schemas.notices import Notice, notice_lines

_ENDS_AFTER = 4
"""Repetitions that may fail before Alertmanager takes an alert for resolved, as Prometheus does it."""
_NAMES = {GOAL: "GoalMilestone", CONNECTION: "ConnectionMissesChanges"}
_SEVERITIES = {"warn": "info", "breach": "warning", "escalate": "critical"}
"""`area` and `severity` are what deploy/alertmanager routes and words by, whoever raised an alert."""


class AlertmanagerChannel:
    """One Alertmanager. It forgets what it is not told again."""

    at_once = 500
    parallel = 1
    spacing_seconds = 0.5
    repeat_seconds = 60.0

    def __init__(self, name: str, settings: AlertmanagerSettings, wording: Wording) -> None:
        self._wording = wording
        self._headers = (
            {} if settings.secret is None else {"authorization": f"Bearer {settings.secret.get_secret_value()}"}
        )
        url = settings.url.get_secret_value().rstrip("/")
        self._poster = AlertPoster(f"{url}/api/v2/alerts", allow_private=settings.allow_private, parallel=self.parallel)

    async def send(self, alerts: Sequence[Alert], now: int) -> None:
        """Post them as they are now."""
        ends_at = now + int(_ENDS_AFTER * self.repeat_seconds) * SECOND
        posted = [_posted(alert, self._wording.told([alert]).headline, ends_at) for alert in alerts]
        await self._poster.post(msgspec.json.encode(posted), self._headers, now)

    async def announce(self, told: Sequence[Alert], now: int) -> None:
        """Post them as alerts that end by themselves; what is taken back ends now."""
        posted = [_announced(alert, notice, now) for alert, notice in zip(told, notices_of(told), strict=True)]
        await self._poster.post(msgspec.json.encode(posted), self._headers, now)

    async def summarize(self, alerts: Sequence[Alert], now: int) -> None:
        """Post one alert that counts them; it ends by itself."""
        summary = self._wording.summary(alerts).headline
        await self._poster.post(msgspec.json.encode([_summary(alerts, summary, now)]), self._headers, now)

    async def close(self) -> None:
        """Let go of connections."""
        await self._poster.close()


def _summary(alerts: Sequence[Alert], summary: str, now: int) -> dict[str, Any]:
    level = max((alert.level for alert in alerts), key=LEVELS.index)
    first, last = (format_instant(pick(alert.due_at for alert in alerts)) for pick in (min, max))
    is_of_leads = any(alert.crossing is None for alert in alerts)
    return {
        "labels": {
            "service": "floorcast",
            "alertname": "LeadsToldLate" if is_of_leads else "MetricsToldLate",
            "area": "leads" if is_of_leads else "metrics",
            "severity": _SEVERITIES[level],
            "level": level,
            "team": "",
        },
        "annotations": {
            "summary": summary,
            "description": f"First heard of long after they were due, between {first} and {last}.",
        },
        "startsAt": format_instant(now),
        "endsAt": format_instant(now + HOUR),
    }


def _announced(alert: Alert, notice: Notice, now: int) -> dict[str, Any]:
    return {
        "labels": {
            "service": "floorcast",
            "alertname": "Digest" if alert.kind == DIGEST else "Win",
            "area": "news",
            "severity": "info",
            "level": alert.level,
            "news": idempotency_key("", [replace(alert, turn=1)]),
        },
        "annotations": {"summary": notice.title, "description": "\n".join(notice_lines(notice)[1:]).strip()},
        "startsAt": format_instant(alert.raised_at),
        "endsAt": format_instant(now + HOUR if alert.is_open else max(now, alert.raised_at)),
    }


def _posted(alert: Alert, summary: str, ends_at: int) -> dict[str, Any]:
    # What the labels say makes the alert's identity, so nothing in them may change between raised and resolved.
    labels = {
        "service": "floorcast",
        "severity": _SEVERITIES[alert.level],
        "level": alert.level,
        "rep": one_line(alert.rep if alert.called is None else alert.called.rep_id),
        "team": one_line(alert.team),
        "alert": one_line(alert.id if alert.called is None else alert.called.id),
    }
    crossing = alert.crossing
    if crossing is None:
        labels |= {"alertname": "LeadResponse", "area": "leads", "lead": one_line(alert.lead)}
        due_at, waiting_since = format_instant(alert.due_at), format_instant(alert.started_at)
        annotations = {
            "due_at": due_at,
            "waiting_since": waiting_since,
            "description": f"Since {due_at}, waiting since {waiting_since}.",
        }
    else:
        labels |= {
            "alertname": _NAMES.get(alert.kind, "MetricThreshold"),
            "area": "metrics",
            "threshold": crossing.threshold,
            "metric": crossing.metric,
            "window": crossing.window,
        }
        annotations = {
            "crossed_at": format_instant(alert.due_at),
            "limit": str(crossing.limit),
            "description": f"Since {format_instant(alert.due_at)}.",
            "value": "" if crossing.value is None else str(crossing.value),
        }
    return {
        "labels": labels,
        "annotations": {"summary": summary} | annotations,
        # Alertmanager wants the end after the start.
        "startsAt": format_instant(alert.raised_at),
        "endsAt": format_instant(ends_at if alert.resolved_at is None else max(alert.resolved_at, alert.raised_at)),
    }
