"""Days on which somebody is away: what a record of kind `absence` says.

Owns the reading of it. Who the person is under their roster's id, the roster knows (schemas/people.py).
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from schemas.instants import parse_date
from schemas.records import Record
from schemas.windows import Day, day_from


@dataclass(frozen=True, slots=True)
class Absence:
    """Days on which somebody is away, wholly or for a share of them; both ends included."""

    first: Day
    last: Day
    share: Fraction = Fraction(1)


class Absences(tuple[Absence, ...]):
    """All absences of one person, of which there may be thousands. What follows from them is worked out once."""

    def presence(self, day: Day) -> Fraction:
        """The share of a day on which they are not away."""
        turns, presences = self._presences
        return presences[bisect_right(turns, day)]

    def away(self, first: Day, last: Day) -> Iterator[tuple[Day, Day, Fraction]]:
        """(first day, last day, presence) of each stretch between two days in which they are away, both included."""
        turns, presences = self._presences
        place = bisect_right(turns, first)
        while first <= last:
            end = turns[place] - 1 if place < len(turns) else last
            if presences[place] != 1:
                yield first, min(end, last), presences[place]
            first, place = end + 1, place + 1

    @cached_property
    def _presences(self) -> tuple[list[Day], list[Fraction]]:
        """Days on which the presence may be another one, and what it is before each of them and after the last."""
        changes: dict[Day, Fraction] = defaultdict(Fraction)
        for absence in self:
            if absence.last < absence.first:
                continue  # as somebody has written it
            changes[absence.first] += absence.share
            changes[absence.last + 1] -= absence.share
        turns = sorted(changes)
        away, presences = Fraction(0), [Fraction(1)]
        for day in turns:
            away += changes[day]
            presences.append(max(Fraction(0), 1 - away))
        return turns, presences


NEVER_AWAY = Absences()


class Away:
    """The absences of one person by the ids of their records, as these are told one after the other."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._absences: list[Absence] = []

    def put(self, id: str, absence: Absence) -> None:
        """Take one in that is not there."""
        place = bisect_left(self._ids, id)
        self._ids.insert(place, id)
        self._absences.insert(place, absence)

    def drop(self, id: str) -> None:
        """Let one go that is there."""
        place = bisect_left(self._ids, id)
        del self._ids[place], self._absences[place]

    def all(self) -> Absences:
        """As they are now, in the order of their ids."""
        return Absences(self._absences)


def absence_of(record: Record) -> tuple[str, Absence] | None:
    """Whose, as the record names them, and when; None while it does not say rep, first and last day, or is deleted."""
    rep, first, last, share = (record.get(name) for name in ("rep", "from", "to", "share"))
    if record.is_deleted or not (rep and first and last):
        return None
    away = Fraction(1) if share is None else min(Fraction(1), max(Fraction(0), Fraction(share)))
    return str(rep), Absence(day_from(parse_date(first)), day_from(parse_date(last)), away)
