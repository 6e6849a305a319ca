"""A leaderboard that only looks at who has changed is the one that looks at everybody."""

import random

import pytest

from api.read.leaderboards import Asked, Leaderboards
from api.read.view import View
from schemas.instants import DAY
from schemas.records import RecordChange
from schemas.windows import span_of
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
    asked = Asked("calls_made", span, team, by_goal=by_goal, today=view.calendar.day_of(NOW))

    for number in range(40):
        pipeline.take([some_change(chance, number)])
        assert held.top(asked, 5, NOW) == Leaderboards(view).top(asked, 5, NOW)
