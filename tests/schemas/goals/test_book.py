"""What is remembered of goals is what a book would find that remembers nothing, after any changes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.floor import ORGANISATION, Floor
from schemas.goals.book import GoalBook
from schemas.instants import DAY, HOUR
from schemas.records import RecordChange
from schemas.topics import PANES, ROSTER
from schemas.windows import span_of
from tests.builders import change, instant, make_config
from tests.pipeline import Pipeline

CONFIG = make_config(
    timezone="Europe/Berlin",
    calendar="office",
    calendars={
        "office": {"timezone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-18:00"]}},
        "half": {"timezone": "Europe/London", "hours": {"mon-thu": ["08:00-12:00"]}},
    },
    teams={"north": {}, "south": {"calendar": "half"}},
    reps={"r1": {"team": "north"}, "r2": {"aliases": {"feed": ["old-2"]}}, "r3": {"since": "2026-03-10"}},
    goals={
        "quota": {
            "metric": "deals_won", "period": "month", "amounts": [{"each": 3}, {"team": "north", "each": 2}],
            "ramp": {"0mo": "0.5", "1mo": 1}, "join": "full",
        },
        "calls": {"metric": "calls_made", "period": "week", "amounts": [{"each": 2}, {"team": "north", "amount": 5}]},
        "due": {"metric": "leads_due", "period": "day", "amounts": [{"each": 1}]},
        "rate": {"metric": "win_rate", "period": "month", "amounts": [{"rep": "r1", "amount": "0.5"}]},
    },
)  # fmt: skip
NOW = instant("2026-03-27T22:00Z")
REPS = st.sampled_from(["r1", "r2", "old-2", "r3", "r4"])
DATES = st.sampled_from(["2026-03-02", "2026-03-16", "2026-03-27", "2026-03-31", "2026-04-02"])


@st.composite
def words(draw: st.DrawFn) -> RecordChange:
    kind, number = draw(st.sampled_from(["rep", "absence", "goal", "deal", "call", "lead"])), draw(st.integers(1, 3))
    at, deleted = NOW - draw(st.integers(0, 40)) * 12 * HOUR, draw(st.sampled_from([None, None, None, True, False]))
    fields: dict[str, Any] = {}
    if kind == "rep":
        since, until = draw(st.none() | DATES), draw(st.none() | DATES)
        fields = {"team": draw(st.sampled_from(["north", "south", None])), "since": since, "until": until}
        return change(
            "rep", draw(REPS), at, deleted=deleted, active=draw(st.sampled_from([None, True, False])), **fields
        )
    if kind == "absence":
        fields = {"from": draw(DATES), "to": draw(DATES), "share": draw(st.sampled_from([None, "0.5"]))}
    elif kind == "goal":
        fields = {"goal": draw(st.sampled_from(["quota", "calls", "rate"])), "since": draw(st.none() | DATES)}
        fields |= {"team": draw(st.sampled_from([None, "north"])), "amount": str(draw(st.integers(0, 4)))}
        return change(kind, f"g{number}", at, deleted=deleted, rep=draw(st.none() | REPS), **fields)
    elif kind == "deal":
        fields = {"status": draw(st.sampled_from(["won", "lost"])), "closed_at": at, "amount": "10", "currency": "USD"}
    elif kind == "call":
        fields = {"direction": "outbound", "dialed_at": at}
    else:
        fields = {"received_at": at}
    return change(kind, f"{kind}{number}", at, deleted=deleted, rep=draw(REPS), **fields)


class Told:
    """A floor, told by a pipeline as it goes, with a book that was there all the time."""

    def __init__(self) -> None:
        self.floor = Floor(CONFIG)
        self.book = GoalBook(self.floor)
        told = self

        class Telling(Pipeline):
            def _publish(self, topic: str, p: int, messages: Any) -> None:
                messages = list(messages)
                super()._publish(topic, p, messages)
                for key, value in messages:
                    if topic == PANES.name:
                        told.floor.take_pane(key, value)
                    elif topic == ROSTER.name:
                        told.floor.take_rep(key, value)

        self.pipeline = Telling(CONFIG)


def everything(book: GoalBook, floor: Floor, now: int) -> dict[Any, Any]:
    today = floor.calendar.day_of(now)
    found: dict[Any, Any] = {}
    for name in book.goals:
        current = book.period(name, today)
        for period in (book.period_before(name, current), current, book.period(name, current.last + 1)):
            for scope in floor.scopes():
                standing = book.standing(name, scope, period, now)
                found[name, period, scope] = standing, book.people(name, scope, period, now)
                if scope.kind == "rep" and scope.id is not None:
                    attained = book.attained(name, scope.id, period, now)
                    assert (attained is None) == (standing is None)
                    if attained is not None and standing is not None:
                        assert (attained.target, attained.attainment, attained.is_reached) == (
                            standing.target, standing.attainment, standing.is_reached,
                        )  # fmt: skip
    return found


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(words(), max_size=6) | st.sampled_from([HOUR, 12 * HOUR, 3 * DAY]), max_size=8))
def test_what_is_remembered_is_what_is_found_anew(steps: list[list[RecordChange] | int]) -> None:
    told, now = Told(), NOW
    for step in steps:
        if isinstance(step, int):
            now += step
        else:
            told.pipeline.take(step)
        assert everything(told.book, told.floor, now) == everything(GoalBook(told.floor), told.floor, now)


def test_a_past_period_is_looked_at_once_while_nothing_of_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    told.pipeline.take([change("deal", "d", NOW, rep="r1", status="won", closed_at=NOW, amount="1", currency="USD")])
    before = told.book.period_before("quota", told.book.period("quota", told.floor.calendar.day_of(NOW)))
    first = told.book.people("quota", ORGANISATION, before, NOW)
    told.pipeline.take([change("call", "c", NOW, rep="r2", direction="outbound", dialed_at=NOW)])

    monkeypatch.setattr(told.floor, "merged", None)
    assert told.book.people("quota", ORGANISATION, before, NOW) == first


@settings(max_examples=10, deadline=None)
@given(st.lists(words(), max_size=12), st.sampled_from(["month", "today", "30d", "1h"]))
def test_metrics_asked_alone_are_what_they_are_among_all(said: list[RecordChange], window: str) -> None:
    told = Told()
    told.pipeline.take(said)
    span = span_of(window, NOW, told.floor.calendar)
    for scope in told.floor.scopes():
        whole = told.floor.values(scope, span, NOW)
        for metric, value in whole.metrics.items():
            assert told.floor.values(scope, span, NOW, [metric]).metrics == {metric: value}
