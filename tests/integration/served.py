"""Everything that a floorcast serves, compared with the batch recount of the changes that a test posted.

Owns which answers are asked for and how they are compared; the expected values are the oracle's. Each answer is
compared as of the instant it names, so nothing has to stand still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import aiohttp

from api.read.catch_up import CatchUp
from processor.transport.following import Follower
from schemas.catalogue.reading import shipped
from schemas.config import Config
from schemas.instants import SECOND, format_instant, parse_instant, to_datetime
from schemas.kafka import Address
from schemas.topics import DELIVERIES, ENGAGEMENTS, RECORD_CHANGES, VIEW_TOPICS, Topic
from schemas.windows import WINDOWS
from tests.integration.waiting import pauses
from tests.oracle import METRICS, Books, LeadClock, RecountedRows, Row, Rows, differences

Json = dict[str, Any]

SETTLE_SECONDS = 90.0
_AT_ONCE = 8
_LOWER_IS_BETTER = frozenset(name for name, entry in shipped().metrics.items() if entry.better == "lower")


class Reader:
    """Asks one api. An async context manager."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self._url = url
        self._headers = None if key is None else {"authorization": f"Bearer {key}"}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Reader:
        self._session = aiohttp.ClientSession(headers=self._headers)
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def ask(self, path: str, **parameters: str) -> tuple[int, Json]:
        """Status and body of one answer."""
        assert self._session is not None
        async with self._room, self._session.get(f"{self._url}{path}", params=parameters) as answer:
            body: Json = await answer.json(content_type=None)
            return answer.status, body

    async def get(self, path: str, **parameters: str) -> Json:
        """The body of an answer that has to be a 200."""
        status, body = await self.ask(path, **parameters)
        assert status == 200, (path, parameters, status, body)
        return body

    async def text(self, path: str) -> str:
        """The text of an answer that has to be a 200."""
        assert self._session is not None
        async with self._room, self._session.get(f"{self._url}{path}") as answer:
            assert answer.status == 200, (path, answer.status)
            return await answer.text()

    async def pages(self, path: str) -> list[tuple[str, Json]]:
        """All entries of a list, over its pages, each with the instant of its page."""
        found: list[tuple[str, Json]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, limit="500", **cursor)
            found += [(page["as_of"], entry) for entry in page["rows"]]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}


async def settle(reader: Reader, broker: Address, prefix: str, seconds: float = SETTLE_SECONDS) -> None:
    """Wait until all that was acknowledged has passed every stage and is in the view."""
    state: Json = {}
    pause = pauses()

    async with asyncio.timeout(seconds), Follower(broker, DELIVERIES.full_name(prefix)) as follower:

        async def look() -> None:
            state.update(await reader.get("/v1/freshness"))

        async def ends(topics: Sequence[Topic]) -> Sequence[Mapping[int, int]]:
            await look()
            return [await follower.ends(topic.full_name(prefix, state["generation"])) for topic in topics]

        def done(stage: str) -> Mapping[int, int]:
            return {int(partition): offset for partition, offset in state["progress"].get(stage, {}).items()}

        def applied(topic: Topic) -> Mapping[int, int]:
            return {int(partition): offset for partition, offset in state["applied"].get(topic.name, {}).items()}

        async for _ in CatchUp(ends, done, applied).wait(DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, VIEW_TOPICS):
            await asyncio.sleep(next(pause))
            await look()


async def all_differences(reader: Reader, books: Books, config: Config, windows: Sequence[str] = WINDOWS) -> list[str]:
    """One line for each served number, waiting lead or lead clock that is not what the recount says."""
    found: list[str] = []
    for window in windows:
        found += await row_differences(reader, books, window)
    found += await _waiting_differences(reader, books, config)
    found += await _clock_differences(reader, books)
    return found


async def row_differences(reader: Reader, books: Books, window: str) -> list[str]:
    """Compare the rows of all reps, of each team and of the organisation in one window."""
    reps = await reader.get("/v1/reps/metrics", window=window)
    organisation = await reader.get("/v1/organisation/metrics", window=window)
    teams = {
        team["team"]: await reader.get(f"/v1/teams/{team['team']}/metrics", window=window)
        for team in (await reader.get("/v1/teams"))["rows"]
    }
    missing = sorted(set(books.reading.teams) - teams.keys())
    served: Rows = {
        "organisation": _row(organisation),
        "teams": {name: _row(row) for name, row in teams.items()},
        "reps": {row["rep"]: _row(row) for row in reps["rows"]},
    }
    rows = books.rows(now=parse_instant(reps["as_of"]), window=window)
    lines = [*map(str, differences(rows, served))]
    if lines:
        # Each of these answers is as of an instant of its own, a moment later: seldom is anything else true by then.
        expected: RecountedRows = {
            **rows,
            "organisation": books.metrics(now=parse_instant(organisation["as_of"]), window=window),
            "teams": {
                name: books.metrics(now=parse_instant(row["as_of"]), window=window, team=name)
                for name, row in teams.items()
            },
        }
        lines = [*map(str, differences(expected, served))]
    lines += [f"team {name} is not served" for name in missing]
    return [f"{window}: {line}" for line in lines]


def _row(row: Json) -> Row:
    return {"metrics": row["metrics"], "bounds": row["bounds"]}


async def leaderboard_differences(reader: Reader, books: Books, window: str) -> list[str]:
    """Compare the values and ranks of every metric's leaderboard in one window."""
    boards = await asyncio.gather(
        *(reader.get(f"/v1/leaderboards/{metric}", window=window, limit="10000") for metric in METRICS)
    )
    instants = sorted(parse_instant(board["as_of"]) for board in boards)
    first, last = (books.rows(now=instant, window=window) for instant in (instants[0], instants[-1]))
    found: list[str] = []
    for metric, board in zip(METRICS, boards, strict=True):
        now = parse_instant(board["as_of"])
        moved = any(
            row["metrics"][metric] != last["reps"][rep]["metrics"][metric] for rep, row in first["reps"].items()
        )
        rows = books.rows(now=now, window=window) if moved else first
        found += [f"{window}: leaderboard {metric}: {line}" for line in _board_differences(metric, rows, board)]
    return found


def _board_differences(metric: str, recounted: RecountedRows, board: Json) -> list[str]:
    reps = recounted["reps"]
    served = {entry["rep"]: entry["value"] for entry in board["entries"]}
    # Somebody whom the board leaves out has to have done nothing.
    rows: Rows = {"organisation": _only(metric, None), "teams": {}, "reps": {}}
    expected: RecountedRows = {
        "organisation": _only(metric, None), "teams": {}, "reps": {},
        "idle": _only(metric, recounted["idle"]["metrics"][metric]),
    }  # fmt: skip
    for rep in sorted({*served, *reps}):
        if rep in served:
            rows["reps"][rep] = _only(metric, served[rep])
        if rep in reps:
            expected["reps"][rep] = _only(metric, reps[rep]["metrics"][metric])
    found = [*map(str, differences(expected, rows))]
    valued = [value for value in served.values() if value is not None]
    for place, entry in enumerate(board["entries"]):
        value = entry["value"]
        rank = None if value is None else 1 + sum(_is_better(metric, other, value) for other in valued)
        if entry["rank"] != rank:
            found.append(f"rep {entry['rep']}: rank {entry['rank']} instead of {rank}")
        if (value is None) != (place >= len(valued)):
            found.append(f"rep {entry['rep']}: at place {place} with {value}")
    return found


def _only(metric: str, value: Any) -> Row:
    return {"metrics": {metric: value}, "bounds": {}}


def _is_better(metric: str, one: Any, other: Any) -> bool:
    return Decimal(one) < Decimal(other) if metric in _LOWER_IS_BETTER else Decimal(one) > Decimal(other)


async def _waiting_differences(reader: Reader, books: Books, config: Config) -> list[str]:
    entries = await reader.pages("/v1/leads/waiting")
    found: list[str] = []
    starts = [entry["started_at"] for _, entry in entries]
    if starts != sorted(starts):
        found.append("waiting leads: not the longest first")
    seen = {entry["lead"] for _, entry in entries}
    clocks: dict[str, LeadClock] = {}
    as_of_clocks = ""
    zone = ZoneInfo(config.organisation.timezone)
    for as_of, entry in entries:
        now = parse_instant(as_of)
        if as_of != as_of_clocks:
            clocks, as_of_clocks = books.lead_clocks(now), as_of
        clock = clocks.get(entry["lead"])
        if clock is None or not clock["waiting"]:
            found.append(f"waiting leads: {entry['lead']} is served and does not wait")
            continue
        expected = {
            "rep": clock["rep"],
            "team": books.reading.people.team_of(clock["rep"], to_datetime(now).astimezone(zone).date()),
            "source": clock["source"],
            "started_at": format_instant(clock["started_at"]),
            "due_at": format_instant(clock["due_at"]),
            "waiting_seconds": max(0, (now - clock["started_at"]) // SECOND),
            "state": clock["state"],
        }
        found += _member_differences(f"waiting lead {entry['lead']}", expected, entry)
    unseen = {lead for lead, clock in clocks.items() if clock["waiting"]} - seen
    return found + [f"waiting leads: {lead} waits and is not served" for lead in sorted(unseen)]


async def _clock_differences(reader: Reader, books: Books) -> list[str]:
    leads = sorted(books.lead_clocks(0))
    answers = await asyncio.gather(*(reader.ask(f"/v1/leads/{quote(lead, safe=':')}") for lead in leads))
    found = [f"lead {lead}: {status}" for lead, (status, _) in zip(leads, answers, strict=True) if status != 200]
    there = {lead: served for lead, (status, served) in zip(leads, answers, strict=True) if status == 200}
    instants = sorted(parse_instant(served["as_of"]) for served in there.values()) or [0]
    first, last = (books.lead_clocks(instant) for instant in (instants[0], instants[-1]))
    for lead, served in there.items():
        is_steady = first[lead] == last[lead]
        clock = first[lead] if is_steady else books.lead_clocks(parse_instant(served["as_of"]))[lead]
        touch = clock["touch"]
        expected = {
            "rep": clock["rep"],
            "source": clock["source"],
            "started_at": format_instant(clock["started_at"]),
            "due_at": format_instant(clock["due_at"]),
            "answered_at": None if clock["answered_at"] is None else format_instant(clock["answered_at"]),
            "response_seconds": None if clock["response"] is None else clock["response"] / SECOND,
            "state": clock["state"] or ("closed" if touch is None else "answered"),
        }
        found += _member_differences(f"lead {lead}", expected, served)
        if touch is not None:
            touched = {"record": touch[0], "id": touch[1], "rep": clock["counts_for"]}
            found += _member_differences(f"touch of lead {lead}", touched, served["touch"] or {})
    return found


def _member_differences(what: str, expected: Mapping[str, Any], served: Mapping[str, Any]) -> list[str]:
    return [
        f"{what}: {name}: recounted {value!r}, served {served.get(name)!r}"
        for name, value in expected.items()
        if served.get(name) != value
    ]
