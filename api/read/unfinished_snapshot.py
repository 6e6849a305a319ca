"""A snapshot that is made in pieces, while what it tells of goes on changing.

Owns which of its rows are still to be made. What they say, and when the next piece is made, is for others to know
(broadcast.py, and whoever asks it).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import orjson

from api.read.view import Scope

AT_ONCE = 50
"""Scopes whose values or rows are made before the event loop turns again."""

RowPlace = tuple[str, Scope]
"""A window, and of whom a row in it is."""


@dataclass(slots=True, eq=False)
class UnfinishedSnapshot:
    """One snapshot, for all who ask for the same at that time."""

    rows: dict[RowPlace, orjson.Fragment] = field(default_factory=dict)
    left: dict[RowPlace, None] = field(default_factory=dict)
    """Rows to be made."""
    askers: int = 0

    def begin(self, places: Iterable[RowPlace]) -> None:
        """Nothing is made; there are these rows."""
        self.rows, self.left = {}, dict.fromkeys(places)

    def take(self, most: int) -> list[RowPlace]:
        """Some of those that are left: they are made now."""
        places = [*islice(self.left, most)]
        for place in places:
            del self.left[place]
        return places

    def drop(self, places: Iterable[RowPlace]) -> None:
        """There are no such rows any more."""
        for place in places:
            self.rows.pop(place, None)
            self.left.pop(place, None)
