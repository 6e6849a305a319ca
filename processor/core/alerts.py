"""The alerts of one partition: which are to be raised, reopened or resolved, given its lead clocks and the time.

Owns what has fired. An alert is raised once for each level and start of a lead's clock, whatever happens to process,
partition or machine clock, because what has fired is kept and read back. Does no I/O.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from schemas.alerts import LATE_AFTER, LEAD_RESPONSE, Alert, alert_id, decode_alert, instants_of
from schemas.leads import LeadClock


class AlertBook:
    """State: the clocks that wait, and every alert that was raised for a lead that is kept."""

    def __init__(self) -> None:
        self._waiting: dict[str, LeadClock] = {}
        self._alerts: dict[str, dict[str, Alert]] = {}
        """Lead -> id -> alert."""
        self._upcoming: list[tuple[int, str]] = []
        """Heap of (instant, lead): when to look at a lead. It may hold instants that mean nothing any more."""

    @property
    def waiting(self) -> int:
        """How many leads wait."""
        return len(self._waiting)

    def restore(self, row: bytes) -> None:
        """Put an alert back that an earlier owner published."""
        alert = decode_alert(row)
        self._alerts.setdefault(alert.subject, {})[alert.id] = alert

    def begin(self, clocks: Iterable[LeadClock], now: int) -> list[Alert]:
        """Take in all clocks after a recovery, when all alerts are restored; the alerts that are over."""
        for clock in clocks:
            if clock.is_waiting:
                self._waiting[clock.lead] = clock
                self._upcoming += [(max(at, now), clock.lead) for _, at in instants_of(clock)]
        heapify(self._upcoming)
        return [alert for lead in self._alerts for alert in self._resolve(lead, now)]

    def hear(self, lead: str, clock: LeadClock | None, now: int) -> list[Alert]:
        """A lead's clock has changed (None: it is gone); the alerts that are over by it."""
        before = self._waiting.get(lead)
        if clock is None or not clock.is_waiting:
            self._waiting.pop(lead, None)
        else:
            self._waiting[lead] = clock
            instants = instants_of(clock)
            # A lead that is edited a thousand times is in the heap once.
            if before is None or instants != instants_of(before) or before.started_at != clock.started_at:
                for _, at in instants:
                    # Never before all that was delivered by now is known: the answer may be among it.
                    heappush(self._upcoming, (max(at, now), lead))
        return self._resolve(lead, now)

    @property
    def leads(self) -> list[str]:
        """All of which there are alerts."""
        return list(self._alerts)

    def forget(self, lead: str) -> list[str]:
        """Nothing is kept of this lead any more; the ids of its alerts."""
        self._waiting.pop(lead, None)
        return list(self._alerts.pop(lead, ()))

    def pass_time(self, settled_at: int, now: int) -> list[Alert]:
        """The alerts that are due.

        `settled_at`: all that was delivered until then is known. What is due later may have been answered by then.
        """
        found: list[Alert] = []
        while self._upcoming and self._upcoming[0][0] <= settled_at:
            _, lead = heappop(self._upcoming)
            clock = self._waiting.get(lead)
            if clock is not None:
                found += self._raise(clock, settled_at, now)
        return found

    def _raise(self, clock: LeadClock, settled_at: int, now: int) -> list[Alert]:
        start = clock.started_at
        if start is None:
            return []
        found: list[Alert] = []
        held = self._alerts.setdefault(clock.lead, {})
        for level, at in instants_of(clock):
            if at > settled_at:
                continue
            id = alert_id(clock.lead, level, start)
            alert = held.get(id)
            if alert is None:
                alert = Alert(
                    id, LEAD_RESPONSE, level, clock.lead, clock.rep, clock.team, start, at, now,
                    is_late=now - at > LATE_AFTER,
                )  # fmt: skip
            elif not alert.is_open:
                alert = alert.reopened()
            else:
                continue
            held[id] = alert
            found.append(alert)
        return found

    def _resolve(self, lead: str, now: int) -> list[Alert]:
        held = self._alerts.get(lead)
        if not held:
            return []
        clock = self._waiting.get(lead)
        start = None if clock is None else clock.started_at
        found = [alert.resolved(now) for alert in held.values() if alert.is_open and alert.started_at != start]
        held |= {alert.id: alert for alert in found}
        return found
