"""An api serves for months: hours of a floor whose clock runs ahead, and no memory that grows with them.

`make soak` takes eight hours; the suite takes minutes of it. The same calls are made again and again, ever later,
so that what an api has to hold is bounded: what grows is what it forgets to let go.
"""

import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from schemas.instants import MINUTE, format_instant
from tests.api.http.routes.test_stream import LiveFloor
from tests.api.reading import floor_config
from tests.builders import change

HOURS = float(os.environ.get("SOAK_HOURS", "0.2"))
REPS = 40
GROWTH = 0.05
"""Of all blocks that Python has handed out: what is under way at one mark and not at another."""
ASKED = (
    "/floor?window=month&by=team", "/v1/leaderboards/calls_made?window=today", "/v1/reps/metrics?window=1h",
    "/v1/series/calls_made?from=2026-03-18&to=2026-03-18&step=1m", "/v1/leads/waiting", "/v1/goals", "/board/floor",
    "/metrics",
)  # fmt: skip
WINDOWS = ("today", "1h", "month")


def config() -> object:
    reps = {f"r{number}": {"name": f"Rep {number}", "team": ["north", "south"][number % 2]} for number in range(REPS)}
    goals = {"calls": {"metric": "calls_made", "period": "day", "amounts": [{"each": 40}]}}
    return floor_config(reps=reps, goals=goals)


def minute_of(floor: LiveFloor, number: int) -> Iterator[object]:
    """What happens in a minute: everybody calls, some win and lose again, a lead comes and is answered."""
    at = format_instant(floor.now - 1)
    for rep in range(REPS):
        yield change("call", f"c{rep}-{number % 5}", floor.now, rep=f"r{rep}", direction="outbound", dialed_at=at)
    won = "won" if number % 2 else "open"
    yield change(
        "deal", f"d{number % 5}", floor.now, rep=f"r{number % REPS}", status=won, amount=number, currency="USD"
    )
    yield change(
        "lead", f"l{number % 5}", floor.now, rep=f"r{number % REPS}", received_at=at, status="new", source="web"
    )
    answered = f"r{(number + 7) % REPS}"
    yield change("call", f"a{number % 5}", floor.now, rep=answered, lead=f"l{(number - 3) % 5}", direction="outbound",
                 dialed_at=at)  # fmt: skip


@contextmanager
def listening(url: str) -> Iterator[None]:
    """A screen that follows, and another that goes and comes back."""
    ends = threading.Event()

    def follow(address: str, lines: int | None) -> None:
        while not ends.is_set():
            try:
                with httpx.stream("GET", url + address, timeout=60) as response:
                    for number, _ in enumerate(response.iter_lines()):
                        if ends.is_set() or number == lines:
                            break
            except httpx.HTTPError:
                continue

    followers = [
        threading.Thread(target=follow, args=(f"/v1/stream?windows={windows}", lines), daemon=True)
        for windows, lines in ((",".join(WINDOWS), None), ("today", 200))
    ]
    for each in followers:
        each.start()
    yield
    ends.set()
    for each in followers:
        each.join(15)  # it hears something every five seconds


def held() -> tuple[int, int]:
    """Blocks that Python has handed out, without garbage; and bytes that the process has."""
    gc.collect()
    return sys.getallocatedblocks(), psutil.Process().memory_info().rss


def test_hours_leave_nothing_behind_in_an_api(tmp_path: Path) -> None:
    floor = LiveFloor(tmp_path, config(), "2026-03-18T00:30Z")  # type: ignore[arg-type]
    minutes = max(12, round(60 * HOURS))
    settled = min(180, minutes // 2)
    marks: list[tuple[int, int, int]] = []
    with floor.served() as url, listening(url), httpx.Client(base_url=url, timeout=60) as client:
        for number in range(minutes):
            floor.now += MINUTE
            floor.tell(*minute_of(floor, number))
            if number % 5 == 0:
                for address in ASKED:
                    assert client.get(address).status_code == 200, address
            if number in {settled, minutes - 1} or number % 60 == 59:
                marks.append((number, *held()))
    for number, blocks, rss in marks:
        print(f"\nafter {number + 1} min: {blocks:,} blocks, RSS {rss >> 20} MiB", end="")  # noqa: T201

    before = next(blocks for number, blocks, _ in marks if number >= settled)
    assert marks[-1][1] - before < GROWTH * before
