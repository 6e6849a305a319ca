"""Up to which instant everything that was delivered is known to the shards: nobody is called late before that.

Owns the question, asked in rounds for the whole process. Without it a worker that was away would, on its return, raise
alerts for leads whose answers still lie before it in the log.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog

from processor.agents.stage import Deployment
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, again_and_again, take_progress
from schemas import tasks
from schemas.kafka import Address
from schemas.progress import STAGES, Progress
from schemas.topics import DELIVERIES, ENGAGEMENTS, PROGRESS, RECORD_CHANGES, Topic

BETWEEN_ROUNDS_SECONDS = 0.2
BETWEEN_LOOKS_SECONDS = 0.03
AFTER_FAILURE_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""So long is waited for stages of which none advances. Then alerts go by what is known: a late lead that nobody hears
of is worse than one called late by mistake."""

log = structlog.get_logger(__name__)


class Watermark:
    """Follows the progress of all stages, in a task of its own between `begin` and as many `end`s."""

    def __init__(
        self,
        deployment: Deployment,
        clock: Callable[[], int],
        *,
        follow: Callable[[Address, str], Follower] = Follower,
    ) -> None:
        self._deployment = deployment
        self._clock = clock
        self._follow = follow
        self._users = 0
        self._task: asyncio.Task[None] | None = None
        self._progress: dict[tuple[str, int], Progress] = {}
        self._advanced_at = 0.0
        self._settled_ends: list[Mapping[int, int]] = []
        """Of the topics that stages read, as far as the last whole round has found them done."""
        self.settled_at = 0
        """All that was delivered until then (microseconds) has been folded by every stage."""

    @property
    def is_current(self) -> bool:
        """Whether what the stages have done is done by this process's definitions: changed ones are derived anew."""
        ours = {"", self._deployment.digest}
        return all(done.definitions in ours for (stage, _), done in self._progress.items() if stage in STAGES)

    @property
    def has_deliveries(self) -> bool:
        """Whether anything was ever delivered, as far as the stages have got."""
        return any(done.offset > 0 for (stage, _), done in self._progress.items() if stage == "normalise")

    def begin(self) -> None:
        """Somebody wants to know."""
        self._users += 1
        if self._task is None:
            following = again_and_again(self._go_on, "watermark.interrupted", pause=AFTER_FAILURE_SECONDS)
            self._task = asyncio.create_task(following, name="watermark")

    async def end(self) -> None:
        """Somebody does not any more; after the last one nothing is known."""
        self._users -= 1
        if self._users > 0 or self._task is None:
            return
        task, self._task = self._task, None
        self.settled_at = 0
        await tasks.end([task])

    async def _go_on(self) -> None:
        async with self._follow(self._deployment.bootstrap, self._deployment.topic(PROGRESS)) as follower:
            while True:
                await self._round(follower)
                await asyncio.sleep(BETWEEN_ROUNDS_SECONDS)

    async def _round(self, follower: Follower) -> None:
        """Walk the way of an event: a stage writes what the next one reads, so the ends are asked stage by stage."""
        at = self._clock()
        self._advanced_at = time.monotonic()
        if await self._rests(follower):
            self.settled_at = at
            return
        found, is_done = [], True
        for stage, topic in (("normalise", DELIVERIES), ("ledger", RECORD_CHANGES)):
            found.append(await self._ends(follower, topic))
            is_done &= await self._passed(follower, stage, found[-1])
        # It also feeds itself, along merges, until nothing moves any more.
        ends = await self._ends(follower, ENGAGEMENTS)
        while is_known := await self._passed(follower, "responses", ends):
            later = await self._ends(follower, ENGAGEMENTS)
            if later == ends:
                break
            ends = later
        self._settled_ends = [*found, ends] if is_done and is_known else []
        self.settled_at = at

    async def _rests(self, follower: Follower) -> bool:
        """Whether nothing was written since a round that found all done: one question, where a round has seven."""
        if not self._settled_ends:
            return False
        topics = [self._deployment.topic(topic) for topic in (DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, PROGRESS)]
        *ends, progress = await follower.ends_of(topics)
        return ends == self._settled_ends and all(
            end <= follower.positions[partition] for partition, end in progress.items()
        )

    async def _ends(self, follower: Follower, topic: Topic) -> Mapping[int, int]:
        return await follower.ends(self._deployment.topic(topic))

    async def _passed(self, follower: Follower, stage: str, ends: Mapping[int, int]) -> bool:
        """Wait until the stage has done all below these ends. False: patience is at its end."""
        while True:
            before = {key: progress.offset for key, progress in self._progress.items()}
            await follower.read_to(await follower.ends(), self._apply)
            if {key: progress.offset for key, progress in self._progress.items()} != before:
                self._advanced_at = time.monotonic()
            behind = sum(max(0, end - self._done(stage, partition)) for partition, end in ends.items())
            if not behind:
                return True
            if time.monotonic() - self._advanced_at > PATIENCE_SECONDS:
                log.warning("watermark.forced", stage=stage, behind=behind)
                return False
            await asyncio.sleep(BETWEEN_LOOKS_SECONDS)

    def _done(self, stage: str, partition: int) -> int:
        progress = self._progress.get((stage, partition))
        return 0 if progress is None else progress.offset

    def _apply(self, _partition: int, records: list[Fetched]) -> None:
        take_progress(self._progress, records)
