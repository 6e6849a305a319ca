"""A leaderboard that only looks at who has changed is the one that looks at everybody."""

import random
from decimal import Decimal
from itertools import zip_longest

import pytest

from api.read.leaderboards import LeaderboardAsked, Leaderboards
from api.read.view import View, rep_scope
from schemas.instants import DAY, HOUR, MINUTE
from schemas.records import RecordChange
from schemas.windows import is_day, span_of
from tests.api.reading import ToldPipeline
from tests.builders import change, instant, make_config

NOW = instant("2026-03-18T12:00Z")
GOALS = {"calls": {"metric": "calls_made", "period": "month", "amounts": [{"each": 3}]}}


def some_change(chance: random.Random, number: int) -> RecordChange:
    rep, at = f"r{chance.randrange(6)}", NOW - chance.randrange(3) * DAY + number
    match chance.randrange(5):
        case 0:
            return change("rep", rep, at, name=chance.choice("abc"), team=chance.choice(["north", "south"]))
        case 1:
            return change("rep", rep, at, active=chance.random() < 0.5)
        case 2:
            return change("goal", f"g{rep}", at, goal="calls", rep=rep, since="2026-03-01", amount=chance.randrange(4))
        case _:
            deleted = chance.random() < 0.3
            return change("call", f"c{chance.randrange(9)}", at, rep=rep, direction="outbound", dialed_at=at,
                          deleted=deleted)  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("by_goal", [False, True])
@pytest.mark.parametrize("team", [None, "north"])
def test_it_is_the_same_after_any_changes(seed: int, by_goal: bool, team: str | None) -> None:
    config = make_config(teams={"north": {}, "south": {}}, reps={"r0": {"team": "north"}}, goals=GOALS)
    view = View(config)
    pipeline, held, chance = ToldPipeline(config, view), Leaderboards(view), random.Random(seed)
    span = span_of("month", NOW, view.calendar)
    asked = LeaderboardAsked("calls_made", span, team, by_goal=by_goal, today=view.calendar.day_of(NOW))

    for number in range(40):
        pipeline.take([some_change(chance, number)])
        assert held.top(asked, 5, NOW) == Leaderboards(view).top(asked, 5, NOW)


def test_of_two_who_look_by_different_clocks_neither_gets_what_the_other_has_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.read.leaderboards._AT_ONCE", 1)
    config = make_config()
    view = View(config)
    pipeline, boards = ToldPipeline(config, view), Leaderboards(view)
    for number in range(9):
        at = NOW - 30 * MINUTE
        pipeline.take([change("lead", f"l{number}", at, rep=f"r{number}", received_at=at)])
    asked = LeaderboardAsked("leads_due", span_of("today", NOW, view.calendar), None, by_goal=False,
                  today=view.calendar.day_of(NOW))  # fmt: skip

    first, second = boards.ahead(asked, NOW), boards.ahead(asked, NOW + HOUR)
    for _ in zip_longest(first, second):
        pass

    found = boards.top(asked, 9, NOW + HOUR)
    assert [entry["value"] for entry in found] == [1] * 9
    assert [entry["value"] for entry in boards.top(asked, 9, NOW)] == [0] * 9


METRICS = (
    "calls_made", "connect_rate", "talk_seconds", "revenue_won", "average_deal_size", "deals_lost", "win_rate",
    "sales_cycle_days_p50", "leads_due", "crm_days", "pipeline_value",
)  # fmt: skip


def some_record(chance: random.Random, number: int) -> RecordChange:
    rep, at = f"r{chance.randrange(9)}", NOW - chance.randrange(3) * DAY + number
    match chance.randrange(4):
        case 0:
            amount = chance.choice(["10.00", "10.004", "10.006", "3", "-4", "0.001", "99999999999999.99"])
            return change("deal", f"d{chance.randrange(20)}", at, rep=rep, status=chance.choice(["won", "lost"]),
                          created_at=at - DAY, closed_at=at, amount=amount, currency="USD",
                          deleted=chance.random() < 0.1)  # fmt: skip
        case 1 if chance.random() < 0.3:
            return change("rep", rep, at, active=chance.random() < 0.5, team=chance.choice(["north", "south"]))
        case _:
            answered = at + 1000 if chance.random() < 0.5 else None
            return change("call", f"c{chance.randrange(30)}", at, rep=rep, direction="outbound", dialed_at=at,
                          answered_at=answered, ended_at=at + chance.randrange(2000, 9_000_000),
                          deleted=chance.random() < 0.2)  # fmt: skip


def plainly(view: View, asked: LeaderboardAsked, limit: int) -> list[tuple[int | None, str, object]]:
    """Everybody looked at, ranked and cut off."""
    is_lower = view.catalogue[asked.metric].better == "lower"
    idle = view.result({}, NOW, [asked.metric], asked.span).metrics[asked.metric]
    found = []
    for rep in view.reps():
        value = view.values(rep_scope(rep), asked.span, NOW, [asked.metric]).metrics[asked.metric]
        person = view.roster.people.get(rep)
        is_there = person is None or person.active or value not in (None, idle)
        if is_there and asked.team in (None, view.roster.team_on(rep, asked.today)):
            number = None if value is None else Decimal(str(value))
            found.append((number, view.roster.name_of(rep), rep, value))
    ranked: list[tuple[int | None, str, object]] = []
    for number, _, rep, value in sorted(
        found, key=lambda each: (each[0] is None, (each[0] or 0) * (1 if is_lower else -1), each[1], each[2])
    )[:limit]:
        better = [other for other, *_ in found if other is not None and number is not None
                  and (other < number if is_lower else other > number)]  # fmt: skip
        ranked.append((None if number is None else len(better) + 1, rep, value))
    return ranked


@pytest.mark.parametrize("seed", range(4))
def test_the_first_of_everybody_are_those_that_looking_at_everybody_finds(seed: int) -> None:
    config = make_config(teams={"north": {}, "south": {}}, reps={"r0": {"team": "north"}})
    view = View(config)
    pipeline, held, chance = ToldPipeline(config, view), Leaderboards(view), random.Random(seed)
    metrics = [metric for metric in METRICS if metric in view.catalogue]
    spans = [span_of(name, NOW, view.calendar) for name in ("month", "today", "7d", "1h")]

    for number in range(0, 120, 6):
        pipeline.take([some_record(chance, number + each) for each in range(6)])
        if chance.random() < 0.5:
            for window in [*view.store.windows()]:
                if is_day(window) and chance.random() < 0.5:
                    view.store.pack(window)
        for metric in metrics:
            team = chance.choice([None, "north"])
            asked = LeaderboardAsked(metric, chance.choice(spans), team, by_goal=False, today=view.calendar.day_of(NOW))
            limit = chance.choice([1, 2, 4, 100])
            found = held.top(asked, limit, NOW)
            assert [(each["rank"], each["rep"], each["value"]) for each in found] == plainly(view, asked, limit)
