"""What a floor of 20,000 people costs the api: memory, start, leaderboards, lists, streams and a scrape.

    python -m bench.views

In one process, without Kafka: a roster and encoded panes of days are put into the view as its consumer does, then the
application is asked; all times are of the processor. The panes are those that the plan makes of calls, mails, meetings
and deals of a working day; a rep's day is one of a few hundred of them. Warm is an answer while panes of today change,
at so many a second as 1,000 events make. The run is right if a leaderboard says what a plain sum of the panes that were
put in does.
"""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import httpx
import orjson
import psutil
import uvloop
from prometheus_client import CollectorRegistry

from api.app import build_read_side, create_app
from api.read.piecemeal import at_once
from api.read.read_side import ReadSide
from api.read.snapshot import read_snapshot, write_snapshot
from api.read.subscriptions import Filter
from api.settings import Settings
from bench.cells import count_cell
from bench.measuring import main_of
from bench.processes import CONFIG, BenchError
from bench.results import Bar, Result, Section
from processor.core.panes import PaneTable
from processor.core.plan import Evaluator
from processor.core.retention import RetentionCutoff
from schemas.catalogue.defined import bound_under
from schemas.config import Config, load_config
from schemas.config.rules import rules_of
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.panes import decode_pane, pane_key, read_pane_key
from schemas.records import fold_all, make_change
from schemas.snapshot_doubts import SnapshotSource, WantedSnapshot
from schemas.topics import PANES, ROSTER
from schemas.windows import Calendar, date_of, day_window, is_day

COMMAND = "python -m bench.views"
PEOPLE = 20_000
TEAMS = 200
DAYS = 365
KINDS_OF_DAY = 300
CHANGES = 50
"""Panes that change between two answers: two for each event, at 1,000 events a second and 40 answers a second."""
ANSWERS = 20
_PERCENTILE_WARM = "leaderboard by a percentile, a quarter, warm"
_BOARDS = {"sum": "calls_made", "money": "revenue_won", "ratio": "connect_rate", "mean": "average_deal_size"}


def run(*, short: bool = False, runs: int = 1) -> Section:
    """Fill a view and ask it. One run: what differs from one to the next is the machine's."""
    del runs
    people, days = (400, 20) if short else (PEOPLE, DAYS)
    found = uvloop.run(_measure(people, days))
    title = f"{people:,} people in {TEAMS} teams, {days} days of numbers, {found['panes']:,.0f} panes; in one process."
    bars = {"memory of the view": Bar(at_most=2048.0), "a team's snapshot, quarter": Bar(at_most=250.0)}
    bars[_PERCENTILE_WARM] = Bar(at_most=50.0)
    for board in _BOARDS:
        bars[f"leaderboard by {board}, cold"] = Bar(at_most=50.0)
        bars[f"leaderboard by {board}, warm"] = Bar(at_most=5.0)
    results = [
        Result(name, "", COMMAND, _unit_of(name), [value], bars=[bars[name]] if name in bars else [])
        for name, value in found.items()
    ]
    return Section("views", "A large floor in an api", title, results, short=short)


def _unit_of(name: str) -> str:
    units = {
        "panes": "panes",
        "bytes": "bytes",
        "memory": "MiB",
        "loading": "s",
        "written": "s",
        "restored": "s",
        "size": "kB",
    }
    return next((unit for word, unit in units.items() if word in name), "ms")


async def _measure(people: int, days: int) -> dict[str, float]:
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="floorcast-bench-") as name:
        folder = Path(name)
        (folder / "floorcast.yaml").write_bytes(orjson.dumps(CONFIG))
        settings = Settings(config=folder / "floorcast.yaml", data=folder, access_log="none")
        config, registry = load_config(settings.config, {}), CollectorRegistry()
        now = time.time_ns() // 1000
        read_side = build_read_side(settings, config, registry, clock=lambda: now)
        view = read_side.view
        before = memory_of()
        put_people(read_side, people)
        kinds = kinds_of_day(config, now)
        today = view.calendar.day_of(now)
        chosen = Random(2)
        found["panes"] = float(people * days)
        found["bytes of a pane"] = sum(map(len, kinds)) / len(kinds)
        begun, told = time.process_time(), [0] * people
        cell = count_cell("calls_made")
        calls = [decode_pane(kind).get(cell, 0) for kind in kinds]
        for day in range(today - days + 1, today + 1):
            window = day_window(day)
            for rep in range(people):
                place = chosen.randrange(len(kinds))
                told[rep] += calls[place] if day > today - 90 else 0
                # Each is a text of its own, as what comes from Kafka is.
                view.load(PANES.name, pane_key("ledger.0", f"r-{rep}", window), bytes(bytearray(kinds[place])))
            view.forget_changes()
        view.settle()
        found["loading, CPU"] = time.process_time() - begun
        gc.collect()
        found["memory of the view"] = (memory_of() - before) / 2**20
        _keep_and_restore(folder, read_side, build_read_side(settings, config, CollectorRegistry()), now, found)
        read_side.consumer.is_loaded = True
        app = create_app(settings, config, state={"read_side": read_side}, registry=registry, clock=lambda: now)
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            span = f"from={_date(today - 89)}&to={_date(today)}"
            everybody = (await client.get(f"/v1/leaderboards/calls_made?{span}&limit=10")).json()["entries"]
            if [entry["value"] for entry in everybody] != sorted(told, reverse=True)[:10]:
                msg = f"the leaderboard begins with {everybody[0]}, and should with {max(told)}"
                raise BenchError(msg)
            await _ask(client, read_side, people, today, span, kinds, found)
        found["memory afterwards"] = (memory_of() - before) / 2**20
    return found


def _keep_and_restore(
    folder: Path, read_side: ReadSide, other: ReadSide, now: int, found: dict[str, float]
) -> None:  # fmt: skip
    """Write what a view holds, and let another one begin with it."""
    view, path = read_side.view, folder / "view.snapshot"
    begun = time.process_time()
    source = SnapshotSource(WantedSnapshot(view.definitions, 1, {}), now, {})
    size = write_snapshot(path, source, lambda: False, contents=view.store.contents())
    found["snapshot written, CPU"] = time.process_time() - begun
    found["size of the snapshot"] = size / 1000
    before, begun = memory_of(), time.process_time()
    other.view.restore(read_snapshot(path).contents)
    found["snapshot restored, CPU"] = time.process_time() - begun
    found["memory of a view from its snapshot"] = (memory_of() - before) / 2**20


async def _ask(
    client: httpx.AsyncClient, read_side: ReadSide, people: int, today: int, span: str, kinds: list[bytes],
    found: dict[str, float],
) -> None:  # fmt: skip
    chosen, window = Random(3), day_window(today)

    def change() -> None:
        for _ in range(CHANGES):
            rep = chosen.randrange(people)
            read_side.view.apply(PANES.name, pane_key("ledger.0", f"r-{rep}", window), chosen.choice(kinds))

    async def ask(path: str, before: Callable[[], None] = lambda: None) -> float:
        before()
        begun = time.process_time()
        answer = await client.get(path)
        took = time.process_time() - begun
        if answer.status_code != 200:
            raise BenchError(answer.text)
        found[f"size of {path.partition('?')[0]}"] = len(answer.content) / 1000
        return took * 1000

    year = f"from={_date(today - 364)}&to={_date(today)}"
    for name, metric in _BOARDS.items():
        path = f"/v1/leaderboards/{metric}?{year}"
        found[f"leaderboard by {name}, cold"] = await ask(path)
        found[f"leaderboard by {name}, warm"] = median([await ask(path, change) for _ in range(ANSWERS)])
    # Of cases that are kept one by one: they are read for everybody once, in steps, and of who has changed afterwards.
    path = f"/v1/leaderboards/sales_cycle_days_p50?{span}"
    found["leaderboard by a percentile, a quarter, cold"] = await ask(path)
    found[_PERCENTILE_WARM] = median([await ask(path, change) for _ in range(ANSWERS)])
    found["a page of 100 rows, a quarter"] = await ask(f"/v1/reps/metrics?{span}&limit=100")
    found["all rows, today"] = await ask("/v1/reps/metrics?window=today")
    now = read_side._clock()
    # As an api does right after its load, and in steps.
    begun = time.process_time()
    at_once(
        read_side.broadcaster.subscribing(Filter(windows=("today",), teams=frozenset({"team-6"})), None, lambda: now)
    )
    found["the first snapshot of a team, today"] = (time.process_time() - begun) * 1000
    team = Filter(windows=("quarter",), teams=frozenset({"team-7"}))
    begun = time.process_time()
    at_once(read_side.broadcaster.subscribing(team, None, lambda: now))
    found["a team's snapshot, quarter"] = (time.process_time() - begun) * 1000
    begun = time.process_time()
    at_once(
        read_side.broadcaster.subscribing(Filter(windows=("week",), teams=frozenset({"team-8"})), None, lambda: now)
    )
    found["a team's snapshot, week"] = (time.process_time() - begun) * 1000
    found["a scrape, first"] = await ask("/metrics")
    found["a scrape, changed"] = await ask("/metrics", change)


def memory_of() -> int:
    """Bytes that this process alone has."""
    return int(psutil.Process().memory_full_info().uss)


def put_people(read_side: ReadSide, people: int) -> None:
    """The roster, in teams of the same size."""
    for rep in range(people):
        fields = {"name": f"Rep {rep}", "team": f"team-{rep % TEAMS}"}
        record = fold_all("rep", [make_change(kind="rep", id=f"r-{rep}", changed_at=0, fields=fields, received_at=0)])
        read_side.view.apply(ROSTER.name, f"rep|r-{rep}".encode(), record.encode())


def kinds_of_day(config: Config, now: int) -> list[bytes]:
    """Panes of a day as the plan makes them of what people do."""
    bound = bound_under(config.defined, rules_of(config))
    evaluator, chosen = Evaluator(bound.plan, {}), Random(1)
    calendar = _calendar(config)
    found: list[bytes] = []
    for _ in range(KINDS_OF_DAY):
        cutoff = RetentionCutoff(calendar, config.retention.records)
        table = PaneTable("ledger.0", calendar, config.retention.minutes, cutoff, bound.plan.keeps)
        for kind, fields in _records_of_day(chosen, now - 3 * HOUR):
            table.count(evaluator.of_record(kind, fields.get))
        for key, value in table.take_changes():
            if value is not None and is_day(read_pane_key(key)[2]) and "." not in key.decode().rpartition("|")[2]:
                found.append(value)
    return found


def _calendar(config: Config) -> Calendar:
    return Calendar(config.organisation.zone, config.organisation.first_weekday)


def _records_of_day(chosen: Random, at: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for _ in range(chosen.randrange(8, 40)):
        dialed = at - chosen.randrange(HOUR)
        yield "call", {
            "rep": "r", "lead": f"l{chosen.random()}", "direction": chosen.choice(("outbound", "outbound", "inbound")),
            "outcome": chosen.choice(("connected", "no_answer", "voicemail")), "dialed_at": dialed,
            "answered_at": dialed + 9 * SECOND, "ended_at": dialed + chosen.randrange(10, 900) * SECOND,
        }  # fmt: skip
    for _ in range(chosen.randrange(20)):
        yield "email", {"rep": "r", "direction": "outbound", "sent_at": at - chosen.randrange(HOUR)}
    for _ in range(chosen.randrange(4)):
        yield "meeting", {
            "rep": "r", "kind": "demo", "booked_at": at, "starts_at": at + MINUTE,
            "outcome": chosen.choice(("held", "no_show")),
        }  # fmt: skip
    if chosen.random() < 0.3:
        yield "deal", {
            "rep": "r", "status": "won", "created_at": at - chosen.randrange(90) * DAY, "closed_at": at,
            "amount": str(chosen.randrange(500, 90_000)), "currency": "USD",
        }  # fmt: skip


def _date(day: int) -> str:
    return date_of(day).isoformat()


if __name__ == "__main__":
    main_of(run)
