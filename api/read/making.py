"""A snapshot that is made in pieces, while what it tells of goes on changing.

Owns which of its rows are still to be made. What they say, and when the next piece is made, is for others to know
(broadcast.py, and whoever asks it).
"""

import asyncio
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from api.read.encoding import needs_snapshot
from api.read.events import Event
from api.read.subscriptions import Filter
from api.read.view import Scope

AT_ONCE = 50
"""Scopes whose values or rows are made before the event loop turns again."""

T = TypeVar("T")
Pieces = Generator[None, None, T]
"""Something that is made piece by piece, with time for others after each."""
Clock = Callable[[], int]
Place = tuple[str, Scope]
"""A window, and of whom a row in it is."""


async def spread(pieces: Pieces[T]) -> T:
    """Make it with the event loop free between two pieces."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            made: T = end.value
            return made
        await asyncio.sleep(0)


def at_once(pieces: Pieces[T]) -> T:
    """Make it without a pause."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            made: T = end.value
            return made


@dataclass(slots=True, eq=False)
class Making:
    """One snapshot."""

    wanted: Filter
    rows: dict[Place, orjson.Fragment] = field(default_factory=dict)
    left: dict[Place, None] = field(default_factory=dict)
    """Rows to be made, or to be made anew."""
    is_void: bool = True
    """Whether to begin anew: something has gone of what it shows."""

    def begin(self, places: Iterable[Place]) -> None:
        """Nothing is made; there are these rows."""
        self.rows, self.left, self.is_void = {}, dict.fromkeys(places), False

    def take(self, most: int) -> dict[str, list[Scope]]:
        """Some of those that are left, by window: they are made now."""
        found: dict[str, list[Scope]] = {}
        for place in [place for place, _ in zip(self.left, range(most), strict=False)]:
            del self.left[place]
            found.setdefault(place[0], []).append(place[1])
        return found

    def note(self, event: Event) -> None:
        """Whoever has their snapshot already is told this."""
        if needs_snapshot(self.wanted, event):
            self.is_void = True
        elif event.kind == "metrics" and event.window in self.wanted.windows:
            wants = self.wanted.wants
            self.left |= {(event.window, scope): None for scope, row in event.payload if wants(scope, row.get("team"))}
