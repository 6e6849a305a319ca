"""Connections whose webhooks do not bring what their CRM changes: which alerts are to be raised or resolved.

Owns the limit and what has fired. Reads no topic, and no clock.

    raised      more than the limit of the records that changed in the last day, of enough, were brought by no webhook
    resolved    it is that much no more, or so few have changed, or there is no such connection any more
"""

from collections.abc import Collection

from processor.core.crossings import with_value
from schemas.alerts import CONNECTION, Alert, Crossing
from schemas.connection_states import ConnectionState
from schemas.instants import DAY

LIMIT = 0.01
AT_LEAST = 100
"""Records that have changed: of fewer, one that was missed says nothing."""


class MissedBook:
    """State: the alerts of connections, by their ids."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}

    def restore(self, alert: Alert) -> None:
        """Put an alert back that an earlier owner published, if it is of a connection."""
        if alert.kind == CONNECTION:
            self._alerts[alert.id] = alert

    def keep_only(self, connections: Collection[str], now: int) -> list[Alert]:
        """Resolve what is open of connections that there are no more."""
        gone = [alert for alert in self._open() if _connection_of(alert) not in connections]
        return [self._keep(alert.resolved(now)) for alert in gone]

    def forget(self, before: int) -> list[str]:
        """Forget the alerts that were resolved before that instant; their ids."""
        ids = [id for id, alert in self._alerts.items() if alert.resolved_at is not None and alert.resolved_at < before]
        for id in ids:
            del self._alerts[id]
        return ids

    def hear(self, connection: str, state: ConnectionState, now: int) -> list[Alert]:
        """What is to be raised or resolved by what is known of a connection now."""
        share = state.share_day if state.changed_day >= AT_LEAST else None
        held = [alert for alert in self._open() if _connection_of(alert) == connection]
        if share is None or share <= LIMIT:
            return [self._keep(with_value(alert.resolved(now), share)) for alert in held]
        if held:
            return []
        crossing = Crossing(
            connection, "organisation", "missed_share", "24h", "above", LIMIT, share,
            label=f"Changes that no webhook of {connection} brought", unit="ratio",
        )  # fmt: skip
        id = f"{CONNECTION}:{connection}:{state.at}"
        raised = Alert(
            id, CONNECTION, "breach", None, None, None, state.at - DAY, state.at, max(now, state.at), crossing=crossing
        )
        return [] if id in self._alerts else [self._keep(raised)]

    def _open(self) -> list[Alert]:
        return [alert for alert in self._alerts.values() if alert.is_open]

    def _keep(self, alert: Alert) -> Alert:
        self._alerts[alert.id] = alert
        return alert


def _connection_of(alert: Alert) -> str:
    return "" if alert.crossing is None else alert.crossing.threshold
