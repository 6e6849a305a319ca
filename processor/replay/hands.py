"""The processes of a replay, and a pass of theirs over a part of the log.

Owns their life and the order of steps; each step begins when all hands have ended the one before. Knows neither Kafka
nor what becomes of what was made.
"""

import asyncio
import multiprocessing
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Self, cast

from processor.machine import survives_fork
from processor.replay.hand import (
    Did,
    Done,
    End,
    Failed,
    Fold,
    Group,
    Older,
    Order,
    Parse,
    ReplayWork,
    WriteAll,
    decode_word,
    encode,
    main,
)
from schemas.progress import Progress
from schemas.steps import TellStep

_END_SECONDS = 5.0


class ReplayError(Exception):
    """The replay cannot go on. What is served has not changed."""


class Hands:
    """All hands of one replay. Use as an async context manager."""

    def __init__(self, work: ReplayWork, say: TellStep) -> None:
        self._work = work
        self._say = say
        self._processes: list[BaseProcess] = []
        self._pipes: list[Connection] = []
        self.progress: dict[str, Progress] = {}
        """Key as in `progress` -> what was done in all passes."""
        self.changes = 0

    async def __aenter__(self) -> Self:
        # Not forks of this process, which has threads and an event loop, but of one that has only imported what they
        # need: most of what a replay of a short log takes would be that of each.
        context: ForkServerContext | SpawnContext
        context = multiprocessing.get_context("forkserver") if survives_fork() else multiprocessing.get_context("spawn")
        context.set_forkserver_preload([main.__module__])
        for number in range(self._work.hands):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=main, args=(self._work, number, theirs), name=f"replay {number}", daemon=True
            )
            process.start()
            theirs.close()  # so that its end is seen
            self._processes.append(process)
            self._pipes.append(ours)
        return self

    async def __aexit__(self, kind: object, *_error: object) -> None:
        if kind is None:
            for pipe in self._pipes:
                pipe.send_bytes(encode(End()))
            for process in self._processes:
                await asyncio.to_thread(process.join, _END_SECONDS)
        for process in self._processes:
            process.kill()
            process.join()
        for pipe in self._pipes:
            pipe.close()

    async def take_over(self, ends: Mapping[int, int]) -> None:
        """Take the older part of the old generation's rows over, up to these offsets of its ledger."""
        await self._step("taking over", Older(dict(ends)), sum(ends.values()))

    async def pass_over(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> None:
        """Parse, fold and write what lies in the log from `starts` to `ends`."""
        amount = sum(end - starts[partition] for partition, end in ends.items())
        parsed = await self._step("reading", Parse(dict(starts), dict(ends)), amount)
        changes, log_at = sum(done.amount for done in parsed), max(done.log_at for done in parsed)
        folded = await self._step("folding", Fold(log_at), changes)
        handed_on, round = sum(done.amount for done in folded), 0
        while True:
            grouped = await self._step("grouping", Group(log_at, round), handed_on)
            handed_on, round = sum(done.amount for done in grouped), round + 1
            if not handed_on:
                break
        await self._step("writing", WriteAll(), sum(done.rows for done in grouped))
        self.changes += changes

    async def _step(self, name: str, order: Order, amount: int) -> list[Done]:
        self._say(name, 0, amount)
        for pipe in self._pipes:
            pipe.send_bytes(encode(order))
        found = await asyncio.to_thread(self._listen, name, amount)
        for done in found:
            self.progress |= done.progress
        self._say(name, amount, amount)
        return found

    def _listen(self, name: str, amount: int) -> list[Done]:
        """Until all have done the step. In a thread: pipes block."""
        found: list[Done] = []
        left, so_far = list(self._pipes), 0
        while left:
            for ready in cast("list[Connection]", wait(left)):
                try:
                    word = decode_word(ready.recv_bytes())
                except (EOFError, OSError):
                    msg = f"a process of the replay ended while {name}"
                    raise ReplayError(msg) from None
                match word:
                    case Did():
                        so_far += word.amount
                        self._say(name, so_far, amount)
                    case Done():
                        found.append(word)
                        left.remove(ready)
                    case Failed():
                        raise ReplayError(word.problem)
        return found
