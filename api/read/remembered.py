"""The newest events, kept for clients that come back. Bounded in age, in events and in the rows of them."""

from collections import deque

from api.read.events import StreamEvent
from schemas.instants import SECOND

REMEMBERED_FOR = 300 * SECOND
"""A client that was away for longer is given a snapshot; so a quiet floor does not pile up the events of hours."""
REMEMBERED = 2_000
"""Events."""
REMEMBERED_ROWS = 25_000
"""Rows in those events."""


class RememberedEvents:
    """In the order of their numbers."""

    def __init__(self) -> None:
        self._events: deque[tuple[int, StreamEvent]] = deque()
        """Each with the instant at which it was told."""
        self._rows = 0
        self._forgotten = 0
        """Number of the newest event that is not remembered any more."""

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: StreamEvent, now: int) -> None:
        """The newest one; the oldest ones make room."""
        self._events.append((now, event))
        self._rows += event.weight
        while self._events and (
            len(self._events) > REMEMBERED or self._rows > REMEMBERED_ROWS or now - self._events[0][0] > REMEMBERED_FOR
        ):
            _, forgotten = self._events.popleft()
            self._rows -= forgotten.weight
            self._forgotten = forgotten.number

    def after(self, last: int) -> list[StreamEvent] | None:
        """All since the event of that number; None if some of them are gone."""
        if last < self._forgotten:
            return None
        return [event for _, event in self._events if event.number > last]

    def forget(self, number: int) -> None:
        """Nothing up to that number is worth coming back for."""
        self._events.clear()
        self._rows, self._forgotten = 0, number
