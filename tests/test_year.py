"""A year in accelerated time: what is kept stays as small as it was after the first months, and every day is exact."""

import random

from api.read.view import ORGANISATION
from schemas.instants import DAY, MINUTE
from schemas.records import RecordChange
from schemas.windows import date_of, span_between, span_of
from tests.builders import change, instant, make_config
from tests.oracle import RecountedRows, Row, differences, recount
from tests.pipeline import Pipeline, served

CONFIG = make_config(timezone="Europe/Berlin", retention={"minutes": "25h", "records": "30d"})
FIRST = instant("2025-03-01T00:00:00Z")
DAYS = 365
A_DAY = 12


def day_of_work(chance: random.Random, day: int) -> list[RecordChange]:
    """Calls, mails in threads, meetings, deals and leads of one day; most leads are called, and edits come late."""
    found: list[RecordChange] = []
    start = FIRST + day * DAY
    for number in range(A_DAY):
        at = start + number * DAY // A_DAY + chance.randrange(50 * MINUTE)
        id, rep = f"{day}-{number}", f"r{chance.randrange(4)}"
        match number % 6:
            case 0:
                found.append(change("lead", id, at, rep=rep, received_at=at, status="new", source="web"))
            case 1 if day > 3:
                # Whether somebody called or not, after three days it has ended: only what has not is kept for ever.
                ended = chance.choice(["disqualified", "converted", "customer"])
                found.append(change("lead", f"{day - 3}-{number - 1}", at + 1, status=ended))
                if chance.random() < 0.9:
                    lead = f"{day - chance.randrange(3)}-{chance.randrange(0, A_DAY, 6)}"
                    found.append(change("call", id, at, rep=rep, lead=lead, direction="outbound", dialed_at=at))
            case 2:
                found.append(change("email", id, at, rep=rep, direction="outbound", sent_at=at, thread=f"t{id}"))
                found.append(
                    change("email", f"{id}a", at + 2, rep=rep, direction="inbound", sent_at=at + 1, thread=f"t{id}")
                )
            case 3:
                found.append(change("meeting", id, at, rep=rep, booked_at=at, starts_at=at + 9 * DAY))
            case 4:
                found.append(change("deal", id, at, rep=rep, status="open", created_at=at, amount="10.5"))
                if day > 20:
                    found.append(change("deal", f"{day - 20}-{number}", at, status="won", closed_at=at))
            case _:
                # Somebody corrects a call of last week, or tells one of long ago.
                found.append(
                    change(
                        "call", id, at, rep=rep, direction="outbound", dialed_at=at - chance.choice([1, 7, 40]) * DAY
                    )
                )
    chance.shuffle(found)
    return found


def sizes(pipeline: Pipeline) -> dict[str, int]:
    """Keys in each topic, and bytes."""
    state = pipeline.state()
    return {name: len(values) for name, values in state.items()} | {
        f"{name} bytes": sum(len(key) + len(value) for (_, key), value in values.items())
        for name, values in state.items()
    }


def test_a_year_keeps_its_size_and_every_day_is_exact() -> None:
    chance, pipeline = random.Random(7), Pipeline(CONFIG)
    log: list[RecordChange] = []
    measured: dict[int, dict[str, int]] = {}
    for day in range(DAYS):
        work = day_of_work(chance, day)
        log += work
        for first in range(0, len(work), 10):
            pipeline.take(work[first : first + 10])
        if day % 30 == 29:
            pipeline.pass_time(pipeline.log_at)
            measured[day] = sizes(pipeline)
        if day % 60 == 59:
            assert_exact(pipeline, log, now=FIRST + (day + 1) * DAY - 1)
            assert pipeline.restart() == 0

    steady = [measured[day] for day in sorted(measured) if day > 80]
    for name in steady[0]:
        assert max(size[name] for size in steady) <= 1.15 * min(size[name] for size in steady), name
    assert any(late.reason == "past" for late in pipeline.late)


def assert_exact(pipeline: Pipeline, log: list[RecordChange], *, now: int) -> None:
    """Every day of the month, every window, against the recount of all that was ever said."""
    view, books = pipeline.view(), recount(log, CONFIG)
    for window in ("1h", "24h", "today", "7d", "30d", "year"):
        assert differences(books.rows(now=now, window=window), served(view, now=now, window=window)) == []
    span = span_of("30d", now, view.calendar)
    for number in range(span.first - 2, span.last + 1):
        one = date_of(number)
        expected = books.metrics(now=now, window=(one, one))
        values = view.values(ORGANISATION, span_between(one, one), now)
        found: Row = {"metrics": values.metrics, "bounds": values.bounds}
        assert _differences(expected, found) == [], one


def _differences(expected: Row, found: Row) -> list[str]:
    one: RecountedRows = {"organisation": expected, "teams": {}, "reps": {}, "idle": expected}
    return [*map(str, differences(one, {"organisation": found, "teams": {}, "reps": {}}))]
