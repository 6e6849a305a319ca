"""Rows and their parts by one dimension: labels of what happened, or the people who did it.

Owns which segments a row has, in which order, and the numbers of each. Numbers come from the view; pure, `now` is an
argument.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from api.read.view import Scope, ScopeValues, View, rep_scope
from schemas.catalogue.base import Exact
from schemas.catalogue.dimensions import UNKNOWN, Dimension
from schemas.catalogue.tenure import band_of, whole_months
from schemas.panes import Pane
from schemas.windows import Day, Span, date_of

TEAM = "team"
"""The dimension that is always there: the team of each day."""

NameOn = Callable[[str | None, Day], str | None]
_EMPTY: Pane = {}


class RowPart(NamedTuple):
    """What of a row is meant: all of it, or what has one label of the dimension. None is the label of nobody."""

    is_whole: bool = True
    label: str | None = None


WHOLE = RowPart()


class RowParts:
    """The numbers of rows as of one instant, whole and by one dimension; what was merged is remembered meanwhile."""

    def __init__(self, view: View, now: int, metrics: Sequence[str], by: str | None = None) -> None:
        self.view = view
        self.now = now
        self.metrics = metrics
        self.by = by
        dimension = None if by is None or by == TEAM else view.dimensions[by]
        self._is_of_person = by is not None and (dimension is None or dimension.is_of_person)
        self._by_people: dict[tuple[Scope, Span], Mapping[str | None, Pane]] = {}
        self._panes: dict[tuple[Scope, Span], Pane] = {}
        self._blank: dict[Span, ScopeValues] = {}
        self._expected: dict[str, None] = {}

    def expect(self, reps: Sequence[str]) -> None:
        """All these reps will be asked for: they are merged at once."""
        self._expected = dict.fromkeys(reps)

    def segments(self, scope: Scope, span: Span) -> list[RowPart]:
        """Its parts: all labels of a list in its order; of people those that occur, nobody's last."""
        if self.by is None:
            return []
        if not self._is_of_person:
            return [RowPart(is_whole=False, label=label) for label in self.view.labels(self.by)]
        parts = [RowPart(is_whole=False, label=label) for label in self._panes_of_people(scope, span)]
        idle = self._blank_of(span)
        occurring = [part for part in parts if _is_something(self.values(scope, span, part), idle)]
        order = segment_order(self.view, self.by)
        return sorted(occurring, key=lambda part: order(part.label))

    def values(self, scope: Scope, span: Span, part: RowPart = WHOLE) -> ScopeValues:
        """The metrics of a part, as they are shown."""
        pane, label = self._pane(scope, span, part), self._label(part)
        if label is None:
            return self.view.result_on(self._blank_of(span), pane, self.now, span)
        return self.view.segment(pane, self.now, self.metrics, label, span)

    def _blank_of(self, span: Span) -> ScopeValues:
        """The metrics of whoever has done nothing."""
        if span not in self._blank:
            self._blank[span] = self.view.result({}, self.now, self.metrics, span)
        return self._blank[span]

    def exact(self, scope: Scope, span: Span, metric: str, part: RowPart = WHOLE) -> Exact:
        """One metric of a part before it is shown; None also where not all of the span is kept."""
        if self.view.not_kept(span, self.now, metric) is not None:
            return None
        return self.view.exact(metric, self._pane(scope, span, part), self.now, self._label(part))

    def sample(self, scope: Scope, span: Span, metric: str) -> Exact:
        """How many cases a metric is made of; of counts and sums it is the value itself."""
        return self.view.sample(metric, self._pane(scope, span, WHOLE), self.now)

    def _label(self, part: RowPart) -> tuple[str, str] | None:
        if part.is_whole or self._is_of_person or self.by is None or part.label is None:
            return None
        return self.by, part.label

    def _pane(self, scope: Scope, span: Span, part: RowPart) -> Pane:
        if self._is_of_person and not part.is_whole:
            return self._panes_of_people(scope, span).get(part.label, _EMPTY)
        if (scope, span) not in self._panes and scope.kind == "rep" and scope.id in self._expected:
            merged = self.view.merged_of([*self._expected], span, self.now)
            self._panes |= {(rep_scope(rep), span): pane for rep, pane in zip(self._expected, merged, strict=True)}
        if (scope, span) not in self._panes:
            self._panes[scope, span] = self.view.merged(scope, span, self.now)
        return self._panes[scope, span]

    def _panes_of_people(self, scope: Scope, span: Span) -> Mapping[str | None, Pane]:
        if (scope, span) not in self._by_people:
            found = self.view.merged_by_people(scope, span, self.now, label_on(self.view, self.by or TEAM))
            self._by_people[scope, span] = found
        return self._by_people[scope, span]


def _is_something(values: ScopeValues, idle: ScopeValues) -> bool:
    """Whether one of them is neither null nor 0, which money writes as text, nor what it is of nothing."""
    return any(
        value and value != idle.own[name] and not (isinstance(value, str) and not value.strip("0."))
        for name, value in values.metrics.items()
    )


def segment_order(view: View, by: str) -> Callable[[str | None], tuple[int, str]]:
    """The order of the labels of people: as listed, then by name, nobody's last."""
    dimension = None if by == TEAM else view.dimensions[by]
    listed = [] if dimension is None else [*(dimension.bands or ()), *dimension.values_in_order]

    def place(label: str | None) -> tuple[int, str]:
        if label is None:
            return len(listed) + 1, ""
        return (listed.index(label), "") if label in listed else (len(listed), label)

    return place


def label_on(view: View, by: str) -> NameOn:
    """What the label of somebody is on a day: team and tenure of that day, other fields as they are now."""
    if by == TEAM:
        return view.roster.team_on
    dimension = view.dimensions[by]
    name = dimension.of.removeprefix("rep.")

    def label(rep: str | None, day: Day) -> str | None:
        held = None if rep is None else view.roster.field_of(rep, name)
        if dimension.bands is not None:
            since = None if held is None else _date(view, held)
            return UNKNOWN if since is None else band_of(dimension.bands, whole_months(since, date_of(day)))
        return _named(dimension, held)

    return label


def _date(view: View, held: object) -> date | None:
    if isinstance(held, int):
        return date_of(view.calendar.day_of(held))
    return date.fromisoformat(str(held))


def _named(dimension: Dimension, held: object) -> str | None:
    text = None if held is None else str(held)
    return text if dimension.values is None else dimension.label_of(text)
