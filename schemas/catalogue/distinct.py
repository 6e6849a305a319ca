"""What `agg: distinct` and `agg: days` read of merged panes: how many ids, or pairs of person and day, there are.

Owns how long ids are kept, and that people are not kept as ids where they are those for whom it counts. An id counts
that stands in the panes of a window more often than 0, or as often as is asked for, over all panes and origins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.catalogue.base import Reading, ShownReader
from schemas.catalogue.plan import Measure
from schemas.catalogue.where import EntryError
from schemas.instants import DAY, parse_duration
from schemas.panes import Pane

DISTINCT_KEYS = ("of", "at_least", "keep")
"""What only `agg: distinct` has."""
AMOUNT = 1
KEPT_DAYS = 35
MOST_KEPT_DAYS = 1100
_NONE: Mapping[Any, int] = {}


def keep_of(text: str | None) -> int:
    """For how many days ids are kept. Raises EntryError."""
    if text is None:
        return KEPT_DAYS
    try:
        days, rest = divmod(parse_duration(text), DAY)
    except ValueError as error:
        raise EntryError(("keep",), str(error)) from None
    if rest or not 0 < days <= MOST_KEPT_DAYS:
        raise EntryError(("keep",), f"must be whole days, at most {MOST_KEPT_DAYS}d")
    return days


def number_of_ids(held: Mapping[Any, int], at_least: int) -> int:
    """How many of them occur so often."""
    return sum(1 for amount in held.values() if amount >= at_least)


@dataclass(frozen=True, slots=True)
class _OneCellReader(ShownReader):
    """Counts what one cell holds."""

    measure: Measure

    @property
    def measures(self) -> Sequence[Measure]:
        return (self.measure,)


@dataclass(frozen=True, slots=True)
class DistinctReader(_OneCellReader):
    """Counts its keys."""

    at_least: int

    def exact(self, pane: Pane, reading: Reading) -> int:
        return number_of_ids(pane.get(self.measure.name, _NONE), self.at_least)


@dataclass(frozen=True, slots=True)
class PeopleReader(_OneCellReader):
    """Counts the people for whom something counts at all: what tells on which days they did something says that too."""

    def exact(self, pane: Pane, reading: Reading) -> int:
        return len({rep for rep, _day in pane.get(self.measure.name, ())})
