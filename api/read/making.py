"""A snapshot that is made in pieces, while what it tells of goes on changing.

Owns which of its rows are still to be made. What they say, and when the next piece is made, is for others to know
(broadcast.py, and whoever asks it).
"""

import asyncio
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import orjson

from api.read.view import Scope

AT_ONCE = 50
"""Scopes whose values or rows are made before the event loop turns again."""

T = TypeVar("T")
Pieces = Generator[None, None, T]
"""Something that is made piece by piece, with time for others after each."""
Clock = Callable[[], int]
Place = tuple[str, Scope]
"""A window, and of whom a row in it is."""


SHARE = 3
"""Times as long as a piece took, others have it to themselves where they are pressed."""


async def spread(pieces: Pieces[T], *, are_others_pressed: Callable[[], bool] = lambda: False) -> T:
    """Make it with the event loop free between two pieces; for longer, where others have very much to do."""
    clock = asyncio.get_running_loop().time
    try:
        while True:
            begun = clock()
            try:
                next(pieces)
            except StopIteration as end:
                made: T = end.value
                return made
            await asyncio.sleep(SHARE * (clock() - begun) if are_others_pressed() else 0)
    finally:
        pieces.close()


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
    """One snapshot, for all who ask for the same at that time."""

    rows: dict[Place, orjson.Fragment] = field(default_factory=dict)
    left: dict[Place, None] = field(default_factory=dict)
    """Rows to be made."""
    askers: int = 0

    def begin(self, places: Iterable[Place]) -> None:
        """Nothing is made; there are these rows."""
        self.rows, self.left = {}, dict.fromkeys(places)

    def take(self, most: int) -> list[Place]:
        """Some of those that are left: they are made now."""
        places = [*islice(self.left, most)]
        for place in places:
            del self.left[place]
        return places

    def drop(self, places: Iterable[Place]) -> None:
        """There are no such rows any more."""
        for place in places:
            self.rows.pop(place, None)
            self.left.pop(place, None)
