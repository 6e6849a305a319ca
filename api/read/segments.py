"""The parts of a row by one dimension: labels of what happened, or the people who did it.

Owns which segments a row has, and in which order. Numbers come from the view; pure, `now` is an argument.
"""

from collections.abc import Callable, Iterable
from datetime import date

from api.read.rows import Json
from api.read.view import Scope, Values, View
from schemas.catalogue.dimensions import UNKNOWN, Dimension
from schemas.catalogue.tenure import band_of, whole_months
from schemas.windows import Day, Span, date_of

TEAM = "team"
"""The dimension that is always there: the team of each day."""

LabelOn = Callable[[str | None, Day], str | None]


def segments_of(
    view: View, scope: Scope, span: Span, now: int, metrics: Iterable[str] | None, by: str
) -> list[Json]:  # fmt: skip
    """The segments of a scope: all labels of a list in its order; of people those that occur, nobody's last."""
    names = tuple(view.catalogue if metrics is None else metrics)
    if by != TEAM and not view.dimensions[by].is_of_person:
        pane = view.merged(scope, span, now)
        found = ((label, view.segment(pane, now, names, (by, label), span)) for label in view.labels(by))
        return [_segment(by, label, values) for label, values in found]
    panes = view.merged_by_people(scope, span, now, label_on(view, by))
    values_of = {label: view.result(pane, now, names, span) for label, pane in panes.items()}
    occurring = [label for label, values in values_of.items() if any(values.metrics.values())]
    order = segment_order(view, by)
    return [_segment(by, label, values_of[label]) for label in sorted(occurring, key=order)]


def _segment(by: str, label: str | None, values: Values) -> Json:
    made: Json = {"by": {by: label}, "metrics": values.metrics, "bounds": values.bounds}
    return made | {"unavailable": values.unavailable} if values.unavailable else made


def segment_order(view: View, by: str) -> Callable[[str | None], tuple[int, str]]:
    """The order of the labels of people: as listed, then by name, nobody's last."""
    dimension = None if by == TEAM else view.dimensions[by]
    listed = [] if dimension is None else [*(dimension.bands or ()), *dimension.values_in_order]

    def place(label: str | None) -> tuple[int, str]:
        if label is None:
            return len(listed) + 1, ""
        return (listed.index(label), "") if label in listed else (len(listed), label)

    return place


def label_on(view: View, by: str) -> LabelOn:
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
