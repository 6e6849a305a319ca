"""When to say again which unknown names a connection sends: once an hour, if there were more of them.

Owns the pace. The agent that counts them asks at each tick, and logs what comes back.
"""

from collections.abc import Mapping

from schemas.counted_texts import UNKNOWN, UnknownName
from schemas.instants import HOUR


class UnknownNews:
    """What was said last, of one partition."""

    def __init__(self) -> None:
        self._said_at: int | None = None
        self._said: dict[tuple[str, str, str], int] = {}

    def due(self, counters: Mapping[str, int], now: int) -> dict[str, list[UnknownName]]:
        """By connection, the names that came since they were said last, with their counts since then, or nothing yet.

        `now` is the clock of whoever asks (microseconds).
        """
        if self._said_at is not None and now < self._said_at + HOUR:
            return {}
        news: dict[str, list[UnknownName]] = {}
        for connection, names in UNKNOWN.by_connection([counters]).items():
            for each in names:
                held = (connection, each.record, each.name)
                more = each.count - self._said.get(held, 0)
                if more > 0:
                    news.setdefault(connection, []).append(UnknownName(each.record, each.name, more))
                    self._said[held] = each.count
        if news:
            self._said_at = now
        return news
