"""Deliveries to names that there are not, told of: a CRM does not repeat a 404, and nobody sees it there."""

import structlog

from schemas.instants import MINUTE

log = structlog.get_logger("api")

_NAMES_A_MINUTE = 20


class LostDeliveries:
    """Says once a minute to which names there is no connection.

    Nothing but the first part of the path: what stands behind it may be a secret.
    """

    def __init__(self) -> None:
        self._minute: int | None = None
        self._names: dict[str, int] = {}

    def note(self, name: str, now: int) -> None:
        """One more to a name; the first of a minute is logged, with how many there were in the one before."""
        minute = now // MINUTE
        if minute != self._minute:
            before, self._names, self._minute = self._names, {}, minute
        else:
            before = {}
        shown = name[:64]
        if shown in self._names:
            self._names[shown] += 1
        elif len(self._names) < _NAMES_A_MINUTE:
            self._names[shown] = 1
            log.warning("webhooks.no_such_connection", connection=shown, minute_before=before.get(shown, 0))
