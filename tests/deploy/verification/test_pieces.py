"""A recount piece by piece is the recount of everything, and takes no more memory for a longer log."""

import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.verification import families, pieces
from deploy.verification.differences import What, differences
from deploy.verification.kept import KeptChanges
from deploy.verification.pieces import ServedWindow, recount_in_pieces
from deploy.verification.recount import recount
from deploy.verification.verify import fetch
from schemas.config import Config
from schemas.instants import DAY, SECOND
from schemas.records import RecordChange
from schemas.windows import WINDOWS
from tests.api.reading import Floor
from tests.builders import change, make_config
from tests.strategies import NOW, logs

HOSTILE = ("Field\nsales", "..", ".", "a,b", "a/b", "/", "#?%", "%2e%2e", " ", "\u202eabc", "'; DROP TABLE change", "ü")


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "AT_ONCE", 3)


def kept_of(log: list[RecordChange]) -> KeptChanges:
    kept = KeptChanges(sys.maxsize)
    for first in range(0, len(log), 4):
        kept.add(log[first : first + 4])
    return kept


def compare(log: list[RecordChange], config: Config, now: int) -> None:
    books, kept = recount(log, config), kept_of(log)
    try:
        for _ in range(2):  # as often as it is asked for
            asked = [ServedWindow(window, now, now, {}) for window in WINDOWS]
            rows, waiting, _ = recount_in_pieces(kept, config, asked, now)
            for window, found in zip(WINDOWS, rows, strict=True):
                assert differences(books.rows(now=now, window=window), found) == [], window
                assert found["organisation"].get("funnels") == books._tally(now, window, None, None).funnels()
            expected = {lead: clock for lead, clock in books.lead_clocks(now).items() if clock["waiting"]}
            assert waiting == expected
    finally:
        kept.close()


@settings(deadline=None)
@given(logs(), st.integers(NOW - 2 * DAY, NOW + 3 * DAY))
def test_any_log(log: list[RecordChange], now: int) -> None:
    compare(log, make_config(), now)


@settings(deadline=None)
@given(logs())
def test_a_log_of_which_much_is_forgotten(log: list[RecordChange]) -> None:
    compare(log, make_config(retention={"minutes": "25h", "records": "30d"}), NOW)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_every_kind(name: str) -> None:
    log = [
        change("rep", name, NOW, name=name, team=name),
        change("lead", name, NOW, rep=name, received_at=NOW, source=name),
        change("lead", f"{name}2", NOW, rep=name, received_at=NOW - SECOND, merged_into=name),
        change("call", name, NOW, rep=name, lead=f"{name}2", direction="inbound", dialed_at=NOW),
        change("email", name, NOW, rep=name, direction="outbound", sent_at=NOW, thread=name),
        change("email", f"{name}3", NOW, rep=name, direction="inbound", sent_at=NOW + SECOND, thread=name),
    ]
    compare(log, make_config(), NOW + 2 * SECOND)
    line = str(What("rep", name, "calls_made"))
    assert len(line.splitlines()) == 1
    assert line.isprintable()


async def test_the_api_answers_for_teams_of_any_name(tmp_path: Path) -> None:
    floor = Floor(tmp_path, make_config(), NOW)
    for number, name in enumerate(HOSTILE):
        floor.take(
            change("rep", f"r{number}", NOW, team=name),
            change("call", f"c{number}", NOW, rep=f"r{number}", direction="outbound", dialed_at=NOW - SECOND),
        )

    async with httpx.AsyncClient(transport=httpx.ASGITransport(floor.app), base_url="http://127.0.0.1:8080") as client:
        served = await fetch(client, {"window": "today"})

    calls = {team: row["metrics"]["calls_made"] for team, row in served.rows["teams"].items()}
    assert calls == dict.fromkeys(HOSTILE, 1)


def a_day(calls: int) -> Iterator[list[RecordChange]]:
    for number in range(0, calls, 100):
        yield [
            change("call", f"c{n}", NOW - n, rep=f"r{n % 7}", direction="outbound", dialed_at=NOW - n * SECOND)
            for n in range(number, number + 100)
        ]


def peak(calls: int) -> int:
    kept = KeptChanges(sys.maxsize)
    for some in a_day(calls):
        kept.add(some)
    tracemalloc.start()
    recount_in_pieces(kept, make_config(), [ServedWindow("today", NOW, NOW), ServedWindow("year", NOW, NOW)], NOW)
    _, found = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept.close()
    return found


def test_memory_does_not_grow_with_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "AT_ONCE", 100)
    peak(200)  # what is imported and kept once
    assert peak(3_000) < 1.5 * peak(600)


@pytest.mark.parametrize("forgotten", [0, 5])
def test_a_piece_is_looked_at_once_however_many_leads_and_threads_are_in_it(
    monkeypatch: pytest.MonkeyPatch, forgotten: int
) -> None:
    """Where something of a few was forgotten, these few are looked at by themselves."""
    monkeypatch.setattr(pieces, "AT_ONCE", 2_000)
    looks: Counter[str] = Counter()
    for module, name in ((families, "roots_of"), (pieces, "fold")):
        whole = getattr(module, name)

        def count(*given: Any, name: str = name, whole: Callable[..., Any] = whole) -> Any:
            looks[name] += 1
            return whole(*given)

        monkeypatch.setattr(module, name, count)
    log = [change("lead", f"l{n}", NOW, received_at=NOW, merged_into=f"l{n + 1}") for n in range(500)]
    log += [change("lead", f"m{n}", NOW, received_at=NOW) for n in range(500)]
    log += [change("email", f"e{n}", NOW, thread=f"t{n}", direction="outbound", sent_at=NOW) for n in range(1_000)]
    past = NOW - 900 * DAY
    log += [change("lead", f"f{n}", past, received_at=past, status="qualified") for n in range(forgotten)]
    log += [
        change("email", f"p{n}", past, thread=f"p{n}", direction="outbound", sent_at=past) for n in range(forgotten)
    ]
    kept = KeptChanges(sys.maxsize)
    kept.add(log)

    recount_in_pieces(kept, make_config(), [ServedWindow("today", NOW, NOW)], NOW)

    kept.close()
    assert 0 < looks["roots_of"] <= 2 + 4 * forgotten
    assert 0 < looks["fold"] <= 8 + 2 * forgotten
