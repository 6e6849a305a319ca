"""Stage normalise: deliveries in, frames of changes out, to the partitions where the records live.

Holds no state but its progress. A repetition sends the same changes again, which the fold does not mind.
"""

from collections.abc import Sequence
from typing import ClassVar

import structlog

from processor.agents.stage import Deployment, StageShard
from processor.core.normalise import normalise
from processor.core.unknown_news import UnknownNews
from processor.transport.fetched import Fetched, headers_of
from processor.transport.packing import KeyAndValue
from schemas.frames import QUIET
from schemas.spoken_definitions import definitions_said, words_of_difference
from schemas.topics import DELIVERIES, RECORD_CHANGES, Topic

log = structlog.get_logger(__name__)

_NAMES_TOLD = 10


class NormaliseShard(StageShard):
    """One partition of `deliveries`."""

    stage: ClassVar[str] = "normalise"
    source: ClassVar[Topic] = DELIVERIES
    owned: ClassVar[Sequence[Topic]] = ()

    def __init__(self, partition: int, deployment: Deployment) -> None:
        super().__init__(partition, deployment)
        self._unknown = UnknownNews()

    async def load(self) -> None:
        """Become the owner of this partition's progress."""
        await self.recover()

    async def tick(self, now: int) -> None:
        """Say which names of fields and records nobody here knows, once an hour, and which apis go by other files."""
        ours = self.deployment.digest
        for by in self.deployment.apis.news(ours, now):
            log.warning("definitions.differ", why=words_of_difference("apis go", by, "worker", ours))
        for connection, names in self._unknown.due(self.progress.counters, now).items():
            told = [f"{each.record}.{each.name}" if each.name != each.record else each.name for each in names]
            log.warning(
                "connection.unknown_names",
                connection=connection,
                names=told[:_NAMES_TOLD],
                events=sum(each.count for each in names),
                more=max(0, len(told) - _NAMES_TOLD),
            )

    async def process(self, records: list[Fetched]) -> None:
        """Parse, keep what cannot be read, hand the changes on."""
        for record in records:
            if (headers := headers_of(record)) and (said := definitions_said(headers)):
                self.deployment.apis.hear(said, record.timestamp * 1000)
        output = normalise(
            ((record.offset, record.value or b"") for record in records),
            partition=self.partition,
            connectors=self.deployment.connectors,
            progress=self.progress,
            numbers=self.deployment.numbers,
        )
        await self.dead_letter(output.dead_letters)
        topic = self.deployment.topic(RECORD_CHANGES)
        frames: dict[tuple[str, int], list[KeyAndValue]] = {}
        for key, is_quiet in ((None, False), (QUIET, True)):
            for partition, found in output.frames(self.deployment.partitions, quiet=is_quiet).items():
                frames.setdefault((topic, partition), []).extend((key, frame) for frame in found)
        await self.hand_on(frames, output.requests)
        self.finish(records)
