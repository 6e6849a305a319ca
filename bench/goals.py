"""How long goals of 20,000 people take: `/v1/goals`, and a leaderboard by attainment.

    python -m bench.goals

In one process: roster and panes are put into the view, and the application is asked. Warm is an answer while nothing
changes; then one rep makes a call before each answer. The run is right if the organisation's target, the sum of all
people's, and the first rank are those that were put in.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import orjson
import uvloop
from prometheus_client import CollectorRegistry

from api.app import build_read_side, create_app
from api.settings import Settings
from bench.cells import count_cell
from bench.measuring import main_of
from bench.processes import CONFIG, BenchError
from bench.results import Bar, Result, Section
from schemas.config import load_config
from schemas.panes import encode_pane, pane_key
from schemas.records import fold_all, make_change
from schemas.topics import PANES, ROSTER
from schemas.windows import Calendar, day_window

COMMAND = "python -m bench.goals"
PEOPLE = 20_000
TEAMS = 100
ANSWERS = 30
DAYS = 5
EACH = 220
GOALS: Mapping[str, object] = {
    "organisation": {"name": "Bench", "timezone": "Asia/Kuala_Lumpur", "currency": "USD", "calendar": "office"},
    "calendars": {"office": {"timezone": "Asia/Kuala_Lumpur", "hours": {"mon-fri": ["09:00-18:00"]}}},
    "goals": {"calls": {"metric": "calls_made", "period": "month", "amounts": [{"each": EACH}]}},
}
PATHS = {
    "goals": "/v1/goals?limit=100",
    "leaderboard": "/v1/leaderboards/calls_made?window=month&rank=attainment&limit=100",
}


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Ask for both, first, warm, and after each change."""
    people, answers = (400, 3) if short else (PEOPLE, ANSWERS)
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(runs):
        for key, seconds in uvloop.run(_measure(people, answers)).items():
            found.setdefault(key, []).append(seconds * 1000)
    results = []
    for name, path in PATHS.items():
        warm, changed, first = (found[name, when] for when in ("warm", "changed", "first"))
        results += [
            Result(f"{name}, warm", f"`{path}`, median", COMMAND, "ms", warm, bars=[Bar(at_most=50.0)]),
            Result(f"{name}, one pane changed before each", "median", COMMAND, "ms", changed),
            Result(f"{name}, first", "nothing is remembered yet", COMMAND, "ms", first),
        ]
    title = f"Goals of {people:,} people in {TEAMS} teams, {DAYS} days of numbers each; in one process."
    return Section("goals", "Goals", title, results, short=short)


async def _measure(people: int, answers: int) -> dict[tuple[str, str], float]:
    """(path, when) -> seconds."""
    with tempfile.TemporaryDirectory(prefix="floorcast-bench-") as name:
        folder = Path(name)
        (folder / "floorcast.yaml").write_bytes(orjson.dumps({**CONFIG, **GOALS}))
        settings = Settings(config=folder / "floorcast.yaml", data=folder)
        config, registry = load_config(settings.config, {}), CollectorRegistry()
        now = time.time_ns() // 1000
        read_side = build_read_side(settings, config, registry, clock=lambda: now)
        read_side.consumer.is_loaded = True
        view = read_side.view
        today = Calendar(config.organisation.zone, config.organisation.first_weekday).day_of(now)
        for rep in range(people):
            fields = {"name": f"Rep {rep}", "team": f"team-{rep % TEAMS}"}
            record = fold_all(
                "rep", [make_change(kind="rep", id=f"r-{rep}", changed_at=0, fields=fields, received_at=0)]
            )
            view.apply(ROSTER.name, f"rep|r-{rep}".encode(), record.encode())
        calls = 0

        def call(rep: int, day: int) -> None:
            nonlocal calls
            calls += 1
            pane = encode_pane({count_cell("calls_made"): people + calls if rep == 0 and day == today else 1})
            view.apply(PANES.name, pane_key("ledger.0", f"r-{rep}", day_window(day)), pane)

        for rep in range(people):
            for day in range(today - DAYS + 1, today + 1):
                call(rep, day)
        app = create_app(settings, config, state={"read_side": read_side}, registry=registry, clock=lambda: now)
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        found: dict[tuple[str, str], float] = {}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for which, path in PATHS.items():

                async def ask(path: str = path, before: Callable[[], None] = lambda: None) -> float:
                    before()
                    await asyncio.sleep(0)
                    begun = time.perf_counter()
                    answer = await client.get(path)
                    took = time.perf_counter() - begun
                    _check(answer.json(), people)
                    return took

                found[which, "first"] = await ask()
                found[which, "warm"] = median([await ask() for _ in range(answers)])
                found[which, "changed"] = median([await ask(before=lambda: call(0, today)) for _ in range(answers)])
        return found


def _check(answer: Any, people: int) -> None:
    if "entries" in answer:
        first = answer["entries"][0]
        is_right = first["rep"] == "r-0" and first["target"] == EACH and len(answer["entries"]) == 100
    else:
        first = answer["rows"][0]
        is_right = first["scope"] == "organisation" and first["target"] == EACH * people and answer["next"] is not None
    if not is_right:
        msg = f"the answer begins with {first}"
        raise BenchError(msg)


if __name__ == "__main__":
    main_of(run)
