"""What is posted during a fault, and the books of it: the truth that does not come from floorcast's log.

Owns the steady flow of signed deliveries, each posted until it is acknowledged as a CRM does, every answer that came,
and the list of what was acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from deploy.simulator.floor import Mix, SimulatedFloor
from deploy.simulator.posting import DeliveryPoster, HttpSender, Post, ServerAnswer, Summary, posts
from deploy.simulator.truth import changes_of
from schemas.config import load_config
from schemas.connectors.standard_webhooks import read_key
from schemas.instants import HOUR
from schemas.records import RecordChange
from tests.faults.stack import CONNECTION

RATE = 25.0
"""Events per second."""
MIX = Mix(duplicates=0.10, late=0.10, edits=0.15, deletions=0.05)
_WAITING = 100
"""So many deliveries are tried at the same time; what comes after them during a fault waits in the CRM."""
_PATIENCE_SECONDS = 1800.0
_TURNING_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Try:
    """One try to post, and what came of it."""

    at: float
    """Monotonic seconds, of the answer."""
    seconds: float
    status: int | None
    """None: no answer."""
    retry_after: float | None


class Load:
    """Posts to one api and remembers what it said. Use as an async context manager."""

    def __init__(self, url: str, config_file: Path, *, seed: int, rate: float = RATE) -> None:
        self.tries: list[Try] = []
        self._clock_ahead = 0.0
        self._turned_at = float("-inf")
        self._config = config = load_config(config_file, os.environ)
        self._key = read_key(config.connections[CONNECTION].secrets[0].get_secret_value(), "secret")
        self._sender = HttpSender(f"{url}/webhooks/{CONNECTION}")
        self._floor = SimulatedFloor(seed, 12, MIX, ("USD", "EUR"))
        self._rate = rate
        self._summaries: list[Summary] = []
        self._steady: asyncio.Task[None] | None = None
        self._ending = False
        self._random = Random(f"load {seed}")

    async def __aenter__(self) -> Self:
        await self._sender.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._steady is not None:
            self._steady.cancel()
            await asyncio.gather(self._steady, return_exceptions=True)
        await self._sender.__aexit__(kind, error, traceback)

    @property
    def taken(self) -> dict[str, Post]:
        """What was acknowledged, by the id of the delivery."""
        return {post.id: post for summary in self._summaries for post in summary.taken}

    def begin(self) -> None:
        """Begin to post, at a steady rate."""
        start = _clock()
        flow = posts(self._floor, start=start, rate=self._rate, since=HOUR, history=300, largest=3)
        self._steady = asyncio.create_task(self._post(self._until_ending(flow), _WAITING))

    async def end(self) -> None:
        """Post nothing new, and return once everything is acknowledged."""
        assert self._steady is not None
        self._ending = True
        await self._steady

    def turn_clock(self, ahead_seconds: float) -> None:
        """From now on sign deliveries by a clock that is so much ahead."""
        self._clock_ahead, self._turned_at = ahead_seconds, time.monotonic()

    def check(self) -> None:
        """Raise what ended the flow before its time."""
        if self._steady is not None and self._steady.done() and not self._ending:
            self._steady.result()

    async def also(self, deliveries: Iterable[Post], *, at_once: int) -> None:
        """Post these beside the flow, as fast as they are taken."""
        await self._post(deliveries, at_once)

    def again(self, times: int) -> list[Post]:
        """Everything acknowledged so far, so many times more, in no order."""
        repeated = [replace(post, due=0) for post in self.taken.values()] * times
        self._random.shuffle(repeated)
        return repeated

    def answers(self, since: float, until: float) -> list[Try]:
        """The tries that ended in that time."""
        return [one for one in self.tries if since <= one.at < until]

    def changes(self) -> list[RecordChange]:
        """What the acknowledged deliveries say, as their connector reads it."""
        return changes_of(self.taken.values(), self._config, CONNECTION, _clock())

    def _until_ending(self, flow: Iterator[Post]) -> Iterator[Post]:
        for post in flow:
            if self._ending:
                return
            yield post

    async def _post(self, deliveries: Iterable[Post], at_once: int) -> None:
        summary = Summary()
        self._summaries.append(summary)
        poster = DeliveryPoster(
            self._send,
            self._key,
            patience_seconds=_PATIENCE_SECONDS,
            at_once=at_once,
            wall_clock=lambda: time.time() + self._clock_ahead,
        )
        await poster.post_all(deliveries, summary, keep=True)

    async def _send(self, headers: Mapping[str, str], body: bytes) -> ServerAnswer:
        began = time.monotonic()
        answer: ServerAnswer | None = None
        try:
            answer = await self._sender(headers, body)
            if answer.status == 401 and began - self._turned_at < _TURNING_SECONDS:
                # Not all clocks turn at the same instant: rightly refused, and posted once more.
                raise ConnectionError(answer.status)
        finally:
            now = time.monotonic()
            self.tries.append(
                Try(now, now - began, None, None)
                if answer is None
                else Try(now, now - began, answer.status, answer.retry_after)
            )
        return answer


def _clock() -> int:
    return time.time_ns() // 1000
