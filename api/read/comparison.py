"""Rows compared: with an earlier window, with the rep's team, with the best of it, with what others reach.

Owns what is compared with what, and by how much it differs. Pure; all is computed exactly and rounded when it is shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from api.read.segments import WHOLE, RowPart, RowParts
from api.read.view import ORGANISATION, Scope, ScopeValues, rep_scope, team_scope
from schemas.catalogue.adding import adds_up, has_shares
from schemas.catalogue.base import Exact, MetricValue, shown
from schemas.comparing import LAST_YEAR, PREVIOUS, span_before, span_of_last_year
from schemas.windows import Span

TEAM = "team"
BEST = "best"
SHARE = "share"
BENCHMARK = "benchmark"
COMPARISONS = (PREVIOUS, LAST_YEAR, TEAM, BEST, SHARE, BENCHMARK)
OF_REPS = frozenset({TEAM, BEST})
"""Those that only rows of reps have."""
FEWEST = 3
"""Fewer people have no best one: everybody would know whose value it is."""

ShareOfEach = Mapping[str, float | None]


@dataclass(slots=True)
class Compared:
    """What a row is compared with."""

    span: Span
    metrics: dict[str, MetricValue | ShareOfEach] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)
    change: dict[str, float | None] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    """Why there is no value, of a metric by its name; of all of them under the empty one."""


class Comparisons:
    """Makes the comparisons of the rows of one answer; what rows have in common is computed once."""

    def __init__(self, parts: RowParts, span: Span, *, sees_organisation: bool = True) -> None:
        """`sees_organisation`: whether shares of the organisation, which tell its size, may be shown."""
        self._parts = parts
        self._view, self._now, self._metrics = parts.view, parts.now, parts.metrics
        self._span = span
        self._sees_organisation = sees_organisation
        self._held: dict[tuple[str | None, str, RowPart, bool], Exact] = {}

    @cached_property
    def employed(self) -> Mapping[str | None, Sequence[str]]:
        """Team of today -> who is in the roster and employed today; None: all of them."""
        today = self._view.calendar.day_of(self._now)
        found: dict[str | None, list[str]] = {None: []}
        for rep, person in sorted(self._view.roster.people.items()):
            if person.is_employed_on(today):
                found[None].append(rep)
                team = person.team_on(today)
                if team is not None:
                    found.setdefault(team, []).append(rep)
        return found

    def of(self, scope: Scope, kind: str, part: RowPart = WHOLE) -> Compared:
        """A row, or a part of one, compared in one of the ways of `COMPARISONS`."""
        if kind in {PREVIOUS, LAST_YEAR}:
            return self._earlier(scope, kind, part)
        if kind == SHARE:
            shares = {
                name: self._shares(scope, name, part)
                for name in self._metrics
                if has_shares(self._view.catalogue, name)
            }
            return Compared(self._span, dict(shares))
        team = self._view.roster.team_on(scope.id, self._view.calendar.day_of(self._now))
        found = Compared(self._span)
        theirs = (
            ScopeValues() if team is None or kind != TEAM else self._parts.values(team_scope(team), self._span, part)
        )
        compared: Callable[[str], Exact] = {
            TEAM: lambda name: self.of_team(team, name, part),
            BEST: lambda name: self._best(team, name, part),
            BENCHMARK: self._benchmark,
        }[kind]
        for name in self._metrics:
            value = compared(name)
            found.metrics[name] = self._shown(name, value)
            found.change[name] = self._change(name, self._parts.exact(scope, self._span, name, part), value)
            if value is None and name in theirs.bounds:
                found.bounds[name] = theirs.bounds[name]
        return found

    def of_team(self, team: str | None, metric: str, part: RowPart = WHOLE) -> Exact:
        """What `team` compares with: of counts, sums and levels its people's mean, of others its own value."""
        if team is None:
            return None
        key = (team, metric, part, False)
        if key not in self._held:
            self._held[key] = self._of_team(team, metric, part)
        return self._held[key]

    def _of_team(self, team: str, metric: str, part: RowPart) -> Exact:
        if not adds_up(self._view.catalogue, metric, with_levels=True):
            return self._parts.exact(team_scope(team), self._span, metric, part)
        values = self._of_people(team, metric, part)
        known = [value for value in values if value is not None]
        return Fraction(sum(known), len(values)) if values and len(known) == len(values) else None

    def _of_people(self, team: str | None, metric: str, part: RowPart) -> list[Exact]:
        people = self.employed.get(team, ())
        return [self._parts.exact(rep_scope(rep), self._span, metric, part) for rep in people]

    def _best(self, team: str | None, metric: str, part: RowPart) -> Exact:
        key = (team, metric, part, True)
        if key not in self._held:
            values = self._of_people(team, metric, part)
            known = [value for value in values if value is not None]
            best = min if self._view.catalogue[metric].better == "lower" else max
            self._held[key] = best(known) if known and len(values) >= FEWEST else None
        return self._held[key]

    def _benchmark(self, metric: str) -> Exact:
        benchmark = self._view.catalogue[metric].benchmark
        return None if benchmark is None else Fraction(benchmark.value)

    def _earlier(self, scope: Scope, kind: str, part: RowPart) -> Compared:
        earlier = span_before if kind == PREVIOUS else span_of_last_year
        span = earlier(self._span, self._now, self._view.calendar)
        values = self._parts.values(scope, span, part)
        found = Compared(span, dict(values.metrics), values.bounds)
        for name in self._metrics:
            one = self._parts.exact(scope, self._span, name, part)
            found.change[name] = self._change(name, one, self._parts.exact(scope, span, name, part))
        since = self._view.not_kept(span, self._now)
        found.unavailable = values.unavailable if since is None else {"": since}
        return found

    def _shares(self, scope: Scope, metric: str, part: RowPart) -> ShareOfEach:
        wholes: dict[str, Scope | None] = {}
        if scope.kind == "rep":
            team = self._view.roster.team_on(scope.id, self._view.calendar.day_of(self._now))
            wholes[TEAM] = None if team is None else team_scope(team)
        if self._sees_organisation:
            wholes["organisation"] = ORGANISATION
        value = self._parts.exact(scope, self._span, metric, part)
        return {name: self._share(value, whole, metric, part) for name, whole in wholes.items()}

    def _share(self, value: Exact, whole: Scope | None, metric: str, part: RowPart) -> float | None:
        size = None if whole is None else self._parts.exact(whole, self._span, metric, part)
        return float(Fraction(value) / size) if size and value is not None else None

    def _shown(self, metric: str, value: Exact) -> MetricValue:
        return shown(value, self._view.catalogue[metric].unit, self._view.reading(self._now))

    def _change(self, metric: str, value: Exact, compared: Exact) -> float | None:
        if value is None or not compared:
            return None
        if self._view.catalogue[metric].unit == "ratio":
            return float(value - compared)
        return float(Fraction(value) / compared - 1)
