"""Goals over the whole pipeline: in any order and repeated, what is served is what counting day by day gives."""

import random
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.read.goal_rows import goals_of_row, row_json, standings_of
from api.read.view import View
from deploy.verification.books import Books
from deploy.verification.goal_days import OF_WINDOWS, Dates, Whose
from deploy.verification.goals import Actual, Goals
from deploy.verification.recount import recount
from deploy.verification.spans import Span as RecountedSpan
from schemas.floor import Scope
from schemas.instants import HOUR, MINUTE
from schemas.records import RecordChange
from schemas.windows import date_of, span_of
from tests.builders import change, instant, make_config
from tests.pipeline import Pipeline

Log = list[RecordChange]

GOALS: dict[str, Any] = {
    "quota": {
        "metric": "revenue_won", "period": "month", "ramp": {"0mo": "0.25", "1mo": "0.5", "2mo": 1},
        "amounts": [
            {"since": "2026-01-01", "each": "40"}, {"since": "2026-03-10", "team": "north", "each": "45"},
            {"since": "2026-01-01", "rep": "r1", "amount": "60"},
            {"since": "2026-03-20", "team": "north", "amount": 90},
        ],
    },
    "calls": {"metric": "calls_made", "period": "week", "join": "full", "amounts": [{"each": 7}]},
    "sent": {"metric": "calls_made", "period": "fiscal_quarter", "join": "next_period", "absence": "none",
             "amounts": [{"each": 70}, {"since": "2026-03-25", "amount": 200}]},
    "daily": {"metric": "deals_won", "period": "day", "elapsed": "calendar", "amounts": [{"each": 1}]},
    "due": {"metric": "leads_due", "period": "fiscal_year", "amounts": [{"each": 9}]},
    "rate": {"metric": "win_rate", "period": "month",
             "amounts": [{"rep": "r1", "amount": "0.5"}, {"team": "north", "amount": "0.4"},
                         {"team": "south", "amount": "0.4"}, {"since": "2026-03-20", "each": "0.7"}]},
    "lost": {"metric": "deals_lost", "period": "quarter",
             "amounts": [{"each": 2}, {"team": "north", "amount": 2}, {"team": "south", "amount": 0}]},
}  # fmt: skip
CONFIG = make_config(
    timezone="Europe/Berlin",
    week_starts="sunday",
    calendar="office",
    calendars={
        "office": {
            "timezone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-12:00", "13:00-18:30"]},
            "holidays": {"country": "DE", "subdivision": "BE", "extra": ["2026-03-30"]},
        },
        # Works through the hours at which clocks change, and past the organisation's midnight.
        "nights": {"timezone": "America/New_York", "hours": {"sat-mon": ["00:00-04:00", "17:00-24:00"]}},
    },
    fiscal={"year_starts": "02-06"},
    teams={"north": {}, "south": {"calendar": "nights"}},
    reps={"r1": {"team": "north"}, "r2": {"aliases": {"feed": ["old-2"]}}, "r3": {"since": "2026-03-12"}},
    goals=GOALS,
    currency_rates={"EUR": "2"},
)  # fmt: skip
NOW = instant("2026-03-29T12:00Z")
"""Of the day on which Berlin puts its clocks on."""
REPS = st.sampled_from(["r1", "r2", "old-2", "r3", "r4"])
DATES = st.sampled_from(["2026-02-06", "2026-02-28", "2026-03-08", "2026-03-16", "2026-03-29", "2026-04-02"])
AT = st.integers(0, 100).map(lambda step: NOW - step * 11 * HOUR)


@st.composite
def words(draw: Any) -> RecordChange:
    kind, number, at = draw(st.sampled_from(KINDS)), draw(st.integers(1, 3)), draw(AT)
    deleted = draw(st.sampled_from([None, None, None, True, False]))
    fields: dict[str, Any]
    if kind == "rep":
        fields = {"team": draw(st.sampled_from(["north", "south", None])), "since": draw(st.none() | DATES)}
        fields |= {"until": draw(st.none() | DATES), "active": draw(st.sampled_from([None, True, False]))}
        return change("rep", draw(REPS), at, deleted=deleted, **fields)
    if kind == "absence":
        fields = {"from": draw(DATES), "to": draw(DATES), "share": draw(st.sampled_from([None, "0.5", "0.3"]))}
    elif kind == "goal":
        fields = {"goal": draw(st.sampled_from(["quota", "calls", "rate"])), "since": draw(st.none() | DATES)}
        fields |= {"team": draw(st.sampled_from([None, "north"])), "amount": str(draw(st.integers(0, 90)))}
        return change(kind, f"g{number}", at, deleted=deleted, rep=draw(st.none() | REPS), **fields)
    elif kind == "deal":
        fields = {"status": draw(st.sampled_from(["won", "won", "lost"])), "closed_at": at, "amount": "10"}
        fields |= {"currency": draw(st.sampled_from(["USD", "EUR"])), "lead": f"lead{number}", "created_at": at}
    elif kind == "call":
        fields = {"direction": "outbound", "dialed_at": at}
    else:
        fields = {"received_at": at, "status": draw(st.sampled_from(["new", "customer"]))}
    return change(kind, f"{kind}{number}", at, deleted=deleted, rep=draw(REPS), **fields)


KINDS = ["rep", "rep", "absence", "absence", "goal", "deal", "deal", "call", "call", "lead"]


def actual_of(books: Books, now: int) -> Actual:
    @cache
    def actual(metric: str, whose: Whose, days: Dates) -> Any:
        asked = {} if whose.id is None else {whose.scope: whose.id}
        span = RecountedSpan(None, None, days.first, days.last, now, books.reading.people.day_of(now))
        return books.value(metric, now=now, window=span, **asked)

    return actual


def whose_are(books: Books) -> Iterator[Whose]:
    yield Whose("organisation")
    yield from (Whose("team", team) for team in books.reading.teams)
    yield from (Whose("rep", rep) for rep in books.reading.people.roster)


def check_rows(view: View, goals: Goals, books: Books, now: int, actual: Actual) -> None:
    today = view.calendar.day_of(now)
    wanted = []
    for name in view.goals.goals:
        current = view.goals.period(name, today)
        before = view.goals.period_before(name, current)
        wanted.append((name, [view.goals.period_before(name, before), before, current]))
    found = {
        (row.goal, Whose(row.scope.kind, row.scope.id), date_of(row.period.first)): row_json(view, row, standing, now)
        for row, standing in standings_of(view, view.goals.scopes(), wanted, now)
    }
    expected = {}
    for name, periods in wanted:
        for period in periods:
            days = Dates(date_of(period.first), date_of(period.last))
            assert goals.period(name, days.last) == days
            for whose in whose_are(books):
                row = goals.row(name, whose, days, now, actual)
                if row is not None:
                    expected[name, whose, days.first] = row
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert {name: found[key][name] for name in row} == row, key


def check_windows(view: View, goals: Goals, books: Books, now: int, actual: Actual) -> None:
    people = books.reading.people
    for window in ("today", "yesterday", "week", "month", "7d", "30d", "quarter"):
        span = span_of(window, now, view.calendar)
        today, kind = people.day_of(now), OF_WINDOWS.get(window)
        days = Dates(date_of(span.first), today) if kind is None else goals.period_of(kind, today)
        if window == "yesterday":
            days = Dates(days.first, days.first)
        for whose in whose_are(books):
            served = goals_of_row(view, Scope(whose.scope, whose.id), span, now, every=True)
            expected: dict[str, list[Any]] = {}
            for metric in dict.fromkeys(goal.metric for goal in goals.goals.values()):
                for name in goals.meant(metric, window, days):
                    standing = goals.standing(name, whose, days, now, actual)
                    if standing is not None:
                        shown = goals.as_shown(name, standing)
                        del shown["actual"]
                        expected.setdefault(metric, []).append({"goal": name, **shown})
            assert served == expected, (window, whose)


@settings(
    max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(
    log=st.lists(words(), min_size=4, max_size=16), seed=st.integers(0, 2**16),
    later=st.sampled_from([0, 7 * MINUTE, 9 * HOUR, 30 * HOUR, 80 * HOUR]),
)  # fmt: skip
def test_each_goal_is_what_counting_day_by_day_gives(log: Log, seed: int, later: int) -> None:
    arriving = log + random.Random(seed).choices(log, k=4)
    random.Random(seed).shuffle(arriving)
    pipeline, now = Pipeline(CONFIG), NOW + later
    for begin in range(0, len(arriving), 5):
        pipeline.take(arriving[begin : begin + 5])
    view, books = pipeline.view(), recount(log, CONFIG)
    goals = Goals(books.reading, books.records_of("goal"))

    actual = actual_of(books, now)

    check_rows(view, goals, books, now, actual)
    check_windows(view, goals, books, now, actual)
