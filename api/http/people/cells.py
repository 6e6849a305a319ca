"""A number as a page shows it: with what it is compared with, its goal and its bars.

Owns what of a row of metrics is said how. Numbers come from api/read, their form from api/words.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from api.words.texts import ReaderWords
from schemas.catalogue import Catalogue
from schemas.catalogue.base import MetricValue
from schemas.formats import NOTHING, Formats
from schemas.instants import parse_instant
from schemas.json_object import Json

BARS_WIDTH, BARS_HEIGHT = 120, 28
_GAP = 0.22
_LEAST_SEEN = 0.0005


class ValueChange(NamedTuple):
    """How far a value is from what it is compared with."""

    text: str
    kind: str
    """`better`, `worse` or `same`."""
    word: str
    before: str


class GoalCell(NamedTuple):
    """A goal beside a value."""

    text: str
    state: str
    word: str
    width: float
    """Of its bar, in percent."""
    mark: float | None
    """Where it should be by now, in percent."""


class ShownCell(NamedTuple):
    """A value of a metric."""

    metric: str
    label: str
    text: str
    why: str
    """Why there is no value."""
    change: ValueChange | None
    goal: GoalCell | None
    width: float
    """Of the bar below it, in percent of the best of its column."""
    is_nothing: bool


class Bar(NamedTuple):
    """One of a row of bars, in the units of its picture."""

    x: float
    y: float
    width: float
    height: float
    is_last: bool


class CellWriter:
    """Writes the cells of one answer."""

    def __init__(self, catalogue: Catalogue, words: ReaderWords, formats: Formats, currency: str) -> None:
        self._catalogue, self._words, self._formats, self._currency = catalogue, words, formats, currency

    def label(self, metric: str) -> str:
        """What a metric is called."""
        return self._words.metric(metric, self._catalogue[metric])

    def text(self, metric: str, value: MetricValue, bound: float | None = None) -> str:
        """A value alone."""
        return self._formats.value(value, self._catalogue[metric].unit, self._currency, bound)

    def target(self, metric: str, value: MetricValue) -> str:
        """What was set for it."""
        return self._formats.exactly(value, self._catalogue[metric].unit, self._currency)

    def cell(self, row: Json, metric: str, compare: str | None = None, *, best: float = 0) -> ShownCell:
        """A value of a row. `best`: the largest one of its column, where bars are drawn."""
        value, goal = row["metrics"].get(metric), self.goal(row.get("goals", {}).get(metric), metric)
        return ShownCell(
            metric,
            self.label(metric),
            self.text(metric, value, row["bounds"].get(metric)),
            self._why(row.get("unavailable", {}).get(metric)),
            None if compare is None else self._change(row.get("compare", {}).get(compare), metric, compare),
            goal,
            # One bar is enough, and the goal's says more.
            100 * max(0.0, drawn_number(value)) / best if best and goal is None else 0,
            is_nothing(value),
        )

    def _why(self, unavailable: str | None) -> str:
        """Why there is no value: since when it is kept, a day or an instant."""
        if unavailable is None:
            return ""
        since, formats = unavailable.removeprefix("kept since "), self._formats
        if "T" in since:
            at = parse_instant(since)
            return self._words.say("floor.kept_since", time=f"{formats.day(at)} {formats.time(at)}")
        return self._words.say("floor.kept_since", time=formats.long_date(date.fromisoformat(since)))

    def _change(self, compared: Json | None, metric: str, kind: str) -> ValueChange | None:
        if compared is None:
            return None
        value = compared["metrics"].get(metric)
        if isinstance(value, Mapping):
            whole = value.get("team", value.get("organisation")) if len(value) == 1 else value.get("organisation")
            return None if whole is None else ValueChange(self._formats.share(whole), "same", "", "")
        before = "" if value is None else self.text(metric, value)
        change = compared["change"].get(metric)
        before = self._words.say("change.before", value=before)
        if change is None:
            return None if is_nothing(value) else ValueChange("", "same", "", before)
        entry = self._catalogue[metric]
        if abs(change) < _LEAST_SEEN:
            return ValueChange("", "same", self._words.say("change.same"), before)
        is_better = (change > 0) == (entry.better == "higher")
        size = self._formats.share(abs(change))
        text = self._words.say("change.points", points=size) if entry.unit == "ratio" else size
        kind = "better" if is_better else "worse"
        sign = "▲" if change > 0 else "▼"
        return ValueChange(f"{sign} {text}", kind, self._words.say(f"change.{kind}"), before)

    def state(self, state: str | None) -> str:
        """How far somebody is, in words; of a period that is not kept nothing."""
        return "" if state is None else self._words.say(f"goal.{state}")

    def goal(self, goal: Json | None, metric: str) -> GoalCell | None:
        """A goal of a row; None: there is none."""
        if goal is None or goal.get("target") is None:
            return None
        attainment = goal["attainment"]
        expected, aim = drawn_number(goal.get("expected")), drawn_number(goal["target"])
        return GoalCell(
            self._words.say(
                "goal.of_target",
                share=NOTHING if attainment is None else self._formats.share(attainment),
                target=self.target(metric, goal["target"]),
            ),
            goal["state"] or "",
            self.state(goal["state"]),
            100 * min(1.0, max(0.0, attainment or 0.0)),
            100 * min(1.0, expected / aim) if aim and goal.get("expected") is not None else None,
        )


def drawn_number(value: MetricValue) -> float:
    """A value to draw with; nothing is 0."""
    return 0.0 if value is None else float(Decimal(str(value)))


def is_nothing(value: MetricValue) -> bool:
    """Whether nothing was counted."""
    return value is None or not Decimal(str(value))


def bars(values: Sequence[MetricValue]) -> list[Bar]:
    """A row of bars, one for each value, on an axis that begins at 0."""
    drawn = [drawn_number(value) for value in values]
    top, bottom = max(0.0, *drawn) if drawn else 0.0, min(0.0, *drawn) if drawn else 0.0
    if top == bottom:
        return []
    step = BARS_WIDTH / len(drawn)
    found = []
    for place, value in enumerate(drawn):
        zero, end = (BARS_HEIGHT * (top - each) / (top - bottom) for each in (0, value))
        height = abs(end - zero)
        if values[place] is not None:
            # A day with little is not a day with nothing.
            shown = max(height, 1.0) if value else 0.5
            x, y = place * step + step * _GAP / 2, min(zero, end) if value > 0 else zero - (0 if value else 0.5)
            found.append(Bar(round(x, 2), round(min(y, BARS_HEIGHT - shown), 2), round(step * (1 - _GAP), 2),
                             round(shown, 2), place == len(drawn) - 1))  # fmt: skip
    return found
