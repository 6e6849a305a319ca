"""How a shard gets back what an owner before it held: all that was published, or a checkpoint and what came since.

Owns what is read of its topics and whether a checkpoint is used, and the writing of one. What it makes of it is the
stage's.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import structlog

from processor.core.ledger_state import Piece
from processor.transport.checkpoints import (
    DERIVED_AT_MOST,
    Checkpoint,
    Checkpoints,
    HeldState,
    write_checkpoint,
)
from processor.transport.fetched import StoredRecords
from processor.transport.reading import Apply, GapError, read_to
from processor.transport.shards import Capture
from schemas.instants import MINUTE
from schemas.kafka import Address
from schemas.kafka_facts import KafkaError
from schemas.log_marks import Place
from schemas.snapshot_doubts import WantedSnapshot
from schemas.topics import FENCE

KEPT_EVERY = 5 * MINUTE
"""Between two checkpoints of a shard, at least; the last one before the end need not wait."""

log = structlog.get_logger(__name__)

T = TypeVar("T")

Published = dict[str, dict[bytes, bytes]]
"""Topic -> key -> last value, of one partition."""

TopicNews = dict[str, dict[bytes, bytes | None]]
"""The same of what was published since; None is a tombstone."""


@dataclass(frozen=True, slots=True)
class Since(Generic[T]):
    """What an earlier owner held once, and what was published since; of what it did not hold, all there is."""

    kept: Checkpoint[T]
    news: TopicNews


class Restoring:
    """That of one shard."""

    def __init__(
        self, name: str, bootstrap: Address, *, beginnings: Mapping[str, bytes], wanted: WantedSnapshot,
        kept: Collection[str], checkpoints: Checkpoints | None,
    ) -> None:  # fmt: skip
        """`name`: its owner's. `beginnings`: of the keys that are its own in topics that it shares.

        `kept`: the topics of which a checkpoint holds what was published; the others are read as a whole.
        """
        self.read = 0
        """Records that were read back so far."""
        self._bootstrap = bootstrap
        self._beginnings = beginnings
        self._kept = kept
        self._checkpoints = checkpoints
        self._reading: asyncio.Task[Checkpoint[Any] | None] | None = None
        """What lies in the folder, from `begin` until `since` has judged it."""
        self._derived_at = 0
        """When all that is held was last derived from the log (microseconds)."""
        self._wanted = wanted
        if checkpoints is not None:
            self._file = checkpoints.file(name)
            self._wanted = WantedSnapshot(
                f"{wanted.definitions} {checkpoints.code}", wanted.generation, wanted.partitions
            )

    async def from_log(self, fences: Mapping[Place, int]) -> Published:
        """All that was published below the fences."""
        if self._checkpoints is not None:
            self._derived_at = self._checkpoints.clock()
        published: Published = {topic: {} for topic, _ in fences}

        def apply(topic: str, _partition: int, records: StoredRecords) -> None:
            self.read += len(records)
            records.fold_into(published[topic], self._beginnings.get(topic, b""))

        await self._read(fences, apply)
        return published

    def begin(self, state_of: Callable[[Iterator[Piece]], Any]) -> None:
        """Read what lies in the folder, in a thread, while Kafka is asked for the name and takes the fence.

        What it says is as true or false after the fence as before: nothing of it is believed until `since`.
        """
        if self._checkpoints is not None:
            read = partial(self._checkpoints.read, state_of=state_of)
            self._reading = asyncio.create_task(self._file.read(read), name="checkpoint")

    async def since(
        self, fences: Mapping[Place, int], doubt_of: Callable[[Since[Any]], str | None]
    ) -> Since[Any] | None:  # fmt: skip
        """What `begin` has read, proved against the log, with what was published since; None: begin with the log."""
        reading, self._reading = self._reading, None
        found = None if reading is None else await reading
        if found is None:
            return None
        try:
            begins = {place: 0 for place in fences if place[0] in self._kept}
            kept = await self._file.judged(found, self._wanted, begins)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("snapshot.not_proved", error=type(error).__name__)
            return None
        if kept is None or self._checkpoints is None:
            return None
        doubt: str | None = "all was derived from the log more than a week ago"
        if self._checkpoints.clock() - kept.derived_at <= DERIVED_AT_MOST:
            try:
                since = Since(kept, await self._news(kept, fences))
                doubt = doubt_of(since)
            except GapError as error:
                doubt = str(error)
        if doubt is not None:
            self._file.throw_away(doubt)
            return None
        self._derived_at = kept.derived_at
        return since

    async def _news(self, kept: Checkpoint[T], fences: Mapping[Place, int]) -> TopicNews:
        news: TopicNews = {topic: {} for topic, _ in fences}

        def apply(topic: str, _partition: int, records: StoredRecords) -> None:
            self.read += len(records)
            beginning = self._beginnings.get(topic, b"")
            news[topic] |= {
                record.key: record.value
                for record in records
                if record.key is not None and record.key != FENCE and record.key.startswith(beginning)
            }

        await self._read(fences, apply, {place: mark.offset for place, mark in kept.source.places.items()})
        return news

    async def _read(self, fences: Mapping[Place, int], apply: Apply, starts: Mapping[Place, int] | None = None) -> None:
        def wanted(topic: str, key: bytes) -> bool:
            return key.startswith(self._beginnings.get(topic, b""))

        await read_to(self._bootstrap, fences, apply, wanted=wanted, starts=starts, is_whole=starts is not None)

    def distrust(self, error: Exception) -> None:
        """Throw away what `since` gave, of which a load has failed."""
        self._file.throw_away(f"it cannot be taken in: {type(error).__name__}")

    def capture(
        self, positions: Mapping[Place, int], as_of: int, progress: bytes, held: Callable[[], HeldState], size: int,
        *, is_last: bool,
    ) -> Capture | None:  # fmt: skip
        """What writes a checkpoint of what `held` gives, so many rows and panes, as of now, if it is time for one.

        `positions`: up to where all was published. `as_of`: when they were known to be the newest. `is_last`: nothing
        comes after it.
        """
        every = 0 if is_last else KEPT_EVERY
        if self._checkpoints is None or not self._file.is_due(positions, as_of, held=size, every=every):
            return None
        checkpoints = self._checkpoints
        write = partial(write_checkpoint, held=held(), progress=progress, derived_at=self._derived_at)

        async def keep() -> None:
            await self._file.keep(self._wanted, positions, as_of, write, held=size)
            checkpoints.let_go_of_old()

        return keep
