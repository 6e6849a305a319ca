"""What can be seen of a floorcast from outside while it suffers: progress, answers, health.

Owns the looking, five times a second, and the figures made of it: for how long something stood still, how long it took
until all was well again, and whether what the processes said of their own health was true.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from api.read.topics import STAGE_INPUTS
from processor.transport.ends import LogEnds
from tests.faults.load import Load
from tests.faults.stack import PARTITIONS, Member, Stack, until

Place = tuple[str, int]
"""A stage and a partition of what it reads."""

WELL_SECONDS = 3.0
"""All is well again once it was so for as long; the figure is the beginning of it."""
FRESH_SECONDS = 2.0
MOVING_SECONDS = 3.0
RECOVERY_SECONDS = 120.0
LIE_SECONDS = 4.0
"""What is said may lag behind what is so, but not for as long."""
AWAY_SECONDS = 30.0
"""A worker may say for as long that it is ready, counted from when it was Kafka that answered nobody any more: it asks
every five seconds, and waits ten for an answer and ten more."""

_LOOK_SECONDS = 0.2
_HEALTH_SECONDS = 1.0
_BLIND_SECONDS = 3.0
"""Kafka has not said for so long where the topics end: then nothing moves."""
_ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """What the processes said at one look; None where nobody answered."""

    at: float
    api_lives: int | None
    api_ready: int | None
    ingest_ready: int | None
    workers_live: dict[str, int | None]
    workers_ready: dict[str, int | None]
    accepted: int
    """Deliveries taken since the look before."""
    refused: int
    silent: float
    """Seconds for which Kafka has answered nobody."""


class Watch:
    """Looks at one stack under one load. Use as an async context manager.

    `slowness`: how many times as slow as a quiet machine this one is; on a busy one nothing else would be seen.
    """

    def __init__(self, stack: Stack, load: Load, *, slowness: float = 1.0) -> None:
        self.slowness = slowness
        self.health: list[Health] = []
        self._stack = stack
        self._load = load
        self._session: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []
        now = time.monotonic()
        self._sources = {
            (stack.topic(topic), partition): (stage, partition)
            for stage, topic in STAGE_INPUTS.items()
            for partition in range(PARTITIONS)
        }
        self._ends: dict[Place, int] = {}
        self._ends_at = now
        self._done: dict[Place, int] = {}
        self._moved_at = dict.fromkeys(self._sources.values(), now)
        """When each partition of a stage made its last step, or had nothing to do."""
        self._longest = 0.0
        self._slowest: Place | None = None
        self._behind = float("inf")
        self._well_since: float | None = None
        self._missing = ""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS * self.slowness))
        self._tasks = [asyncio.create_task(watch()) for watch in (self._follow, self._follow_ends, self._ask_health)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self._session is not None
        await self._session.close()

    def begin(self) -> None:
        """From now on count."""
        self._longest, self._slowest = 0.0, None
        self.health.clear()

    @property
    def stall(self) -> tuple[float, str]:
        """The longest time since `begin` that one partition of a stage stood still with work before it, and which."""
        place = "" if self._slowest is None else f"{self._slowest[0]}[{self._slowest[1]}]"
        return self._longest, place

    async def until_taken(self) -> None:
        """Wait until the api takes deliveries."""
        seconds = RECOVERY_SECONDS * self.slowness
        await until(lambda: bool(self.health) and self.health[-1].ingest_ready == 200, "deliveries are taken", seconds)

    async def until_ready(self) -> None:
        """Wait until the api and all workers say that they are ready."""

        def is_ready() -> bool:
            last = self.health[-1] if self.health else None
            return last is not None and last.api_ready == 200 and set(last.workers_ready.values()) == {200}

        await until(is_ready, "ready", RECOVERY_SECONDS * self.slowness)

    async def well(self, since: float) -> float:
        """Wait until all has been well for a while; how long after `since` that began."""
        while True:
            self._load.check()
            for task in self._tasks:
                if task.done():
                    task.result()
            began = self._well_since
            if began is not None and time.monotonic() - max(began, since) >= WELL_SECONDS:
                return max(0.0, began - since)
            waited = time.monotonic() - since
            assert waited < RECOVERY_SECONDS * self.slowness, f"after {waited:.0f} s: {self.complaint()}"
            await asyncio.sleep(_LOOK_SECONDS)

    async def caught_up(self) -> None:
        """Wait until each stage has done what lies before it by now, one after the other: what one makes is the next's.

        Sooner than `well`, which asks for some seconds of health beside that. Not for what comes meanwhile.
        """
        deadline = time.monotonic() + RECOVERY_SECONDS * self.slowness
        for stage in STAGE_INPUTS:
            asked_at = time.monotonic()
            wanted: dict[Place, int] | None = None
            while wanted is None or any(self._done.get(place, 0) < end for place, end in wanted.items()):
                self._load.check()
                assert time.monotonic() < deadline, f"{stage} has not caught up: {self.complaint()}"
                await asyncio.sleep(_LOOK_SECONDS / 2)
                if wanted is None and self._ends_at > asked_at:
                    wanted = {place: end for place, end in self._ends.items() if place[0] == stage}

    def complaint(self) -> str:
        """What is not well now; empty if all is."""
        now = time.monotonic()
        last = self.health[-1] if self.health else None
        if last is None or now - last.at > _ANSWER_SECONDS * self.slowness + _HEALTH_SECONDS:
            return "nobody was asked for their health lately"
        return _sickness(last, self._missing) or self._lateness(now)

    def _lateness(self, now: float) -> str:
        if self._behind > FRESH_SECONDS * self.slowness:
            return f"the numbers are {self._behind:.1f} s behind the log"
        still = [place for place, at in self._moved_at.items() if now - at > MOVING_SECONDS * self.slowness]
        return f"standing still: {', '.join(f'{stage}[{partition}]' for stage, partition in still)}" if still else ""

    async def ask(self, url: str) -> Any:
        """The body of an answer with status 200; None if there is none."""
        assert self._session is not None
        try:
            async with self._session.get(url) as answer:
                return await answer.json(content_type=None) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
            return None

    def lies(self, *, may_stand_still: Iterable[str] = ()) -> list[str]:
        """Where what a process said of its health was not so, since `begin`."""
        seconds = LIE_SECONDS * self.slowness
        return [
            *_runs(
                self.health, seconds, "the api says it does not live", lambda look: look.api_lives not in (None, 200)
            ),
            *_runs(
                self.health,
                seconds,
                "ingest says ready and takes nothing",
                lambda look: look.ingest_ready == 200 and look.refused > 0 and not look.accepted,
            ),
            *_runs(
                self.health,
                seconds,
                "ingest says not ready and takes everything",
                lambda look: look.ingest_ready == 503 and look.accepted > 0 and not look.refused,
            ),
            *(
                f"{name} says it is ready, and Kafka has answered nobody for {look.silent:.0f} s"
                for look in self.health
                for name, status in look.workers_ready.items()
                if status == 200 and look.silent > AWAY_SECONDS * self.slowness
            ),
            *(
                f"{name} says it does not live, at {look.at - self.health[0].at:.1f} s"
                for look in self.health
                for name, status in look.workers_live.items()
                if status not in (None, 200) and name not in may_stand_still
            ),
        ]

    async def _follow(self) -> None:
        while True:
            answer = await self.ask(f"{self._stack.api.url}/v1/freshness")
            now = time.monotonic()
            self._behind = float("inf") if answer is None else answer["behind_seconds"]
            progress = {} if answer is None else answer["progress"]
            sees = answer is not None and now - self._ends_at < _BLIND_SECONDS * self.slowness
            for place, moved_at in self._moved_at.items():
                done = progress.get(place[0], {}).get(str(place[1]), 0)
                # Also for a while that has not ended yet.
                if now - moved_at > self._longest:
                    self._longest, self._slowest = now - moved_at, place
                if sees and (done != self._done.get(place) or done >= self._ends.get(place, 0)):
                    self._done[place], self._moved_at[place] = done, now
            if self.complaint():
                self._well_since = None
            elif self._well_since is None:
                self._well_since = now
            await asyncio.sleep(_LOOK_SECONDS)

    async def _follow_ends(self) -> None:
        ends = LogEnds(self._stack.kafka.address)
        try:
            while True:
                asked_at = time.monotonic()
                found = await ends.ask(self._sources)
                if found is not None:
                    self._ends = {self._sources[place]: end for place, end in found.items()}
                    self._ends_at = asked_at
                await asyncio.sleep(_HEALTH_SECONDS / 2)
        finally:
            await ends.close()

    async def _ask_health(self) -> None:
        counted = len(self._load.tries)
        while True:
            api, workers = self._stack.api, list(self._stack.workers)
            answers = await asyncio.gather(
                self._status(api, "/livez"),
                self._status(api, "/readyz"),
                self._status(api, "/readyz?role=ingest"),
                *(self._status(worker, path) for worker in workers for path in ("/livez", "/readyz")),
            )
            new, counted = self._load.tries[counted:], len(self._load.tries)
            accepted = sum(one.status in (200, 202) for one in new)
            names = [worker.name for worker in workers]
            self.health.append(
                Health(
                    at=time.monotonic(),
                    api_lives=answers[0],
                    api_ready=answers[1],
                    ingest_ready=answers[2],
                    workers_live=dict(zip(names, answers[3::2], strict=True)),
                    workers_ready=dict(zip(names, answers[4::2], strict=True)),
                    accepted=accepted,
                    refused=len(new) - accepted,
                    silent=time.monotonic() - self._ends_at,
                )
            )
            await asyncio.sleep(_HEALTH_SECONDS)

    async def _status(self, member: Member, path: str) -> int | None:
        assert self._session is not None
        try:
            async with self._session.get(f"{member.url}{path}") as answer:
                if answer.status != 200 and path == "/readyz":
                    self._missing = f"{member.name}: {(await answer.text())[:300]}"
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


def _sickness(last: Health, missing: str) -> str:
    if last.api_ready != 200:
        return f"the api is not ready ({last.api_ready}): {missing}"
    if last.ingest_ready != 200 or not last.accepted:
        return f"deliveries are not taken (ready: {last.ingest_ready}, {last.accepted} since the last look)"
    sick = [name for name, status in last.workers_ready.items() if status != 200]
    return f"not ready: {', '.join(sick)}" if sick else ""


def _runs(looks: list[Health], seconds: float, what: str, is_lie: Callable[[Health], bool]) -> Iterator[str]:
    """One line for each unbroken run of lies that is too long to be a delay."""
    began: float | None = None
    for look in looks:
        if not is_lie(look):
            began = None
        elif began is None:
            began = look.at
        elif look.at - began > seconds:
            yield f"{what}, for more than {seconds:g} s"
            began = look.at
