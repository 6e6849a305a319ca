"""The fact `rep.days`: people and the days on which they are here, made when somebody asks for a window."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from functools import cache

from deploy.verification.conditions import Fact
from deploy.verification.definitions import exact_number
from deploy.verification.records import Record
from deploy.verification.terms import Terms

_ONE_DAY = timedelta(days=1)


class RepDays:
    """Who is here on which day, and who is to work then."""

    def __init__(self, terms: Terms, absences: Iterable[Record]) -> None:
        self._terms = terms
        self._away: dict[str, list[tuple[date, date, Fraction]]] = defaultdict(list)
        self._has_work = cache(self._has_work_on)
        people = terms.people
        for record in absences:
            rep, first, last = people.rep(record.get("rep")), *map(people.as_day, map(record.get, ("from", "to")))
            if rep is not None and first is not None and last is not None:
                share = Fraction(1) if record.get("share") is None else exact_number(record.get("share"))
                self._away[rep].append((first, last, min(Fraction(1), max(Fraction(0), share))))

    def between(self, first: date, last: date) -> Iterator[Fact]:
        """A row for each person and day, both ends included."""
        day = first
        while day <= last:
            for rep in self._terms.people.roster:
                if self._terms.people.is_employed(rep, day):
                    yield {"rep": rep, "day": day, "scheduled": self._is_scheduled(rep, day)}
            day += _ONE_DAY

    def presence(self, rep: str, day: date) -> Fraction:
        """The share of a day on which somebody is not away."""
        away = [share for first, last, share in self._away.get(rep, ()) if first <= day <= last]
        return max(Fraction(0), 1 - sum(away, Fraction(0))) if away else Fraction(1)

    def _is_scheduled(self, rep: str, day: date) -> bool:
        return self.presence(rep, day) > 0 and self._has_work(
            self._terms.calendar_of(self._terms.people.team_of(rep, day)), day
        )

    def _has_work_on(self, calendar: str | None, day: date) -> bool:
        start, end = (self._terms.people.start_of(one) for one in (day, day + _ONE_DAY))
        return calendar is None or self._terms.offices[calendar].between(start, end) > 0
