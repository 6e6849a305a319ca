"""Stage normalise: deliveries in, frames of changes out, to the partitions where the records live.

Holds no state but its progress. A repetition sends the same changes again, which the fold does not mind.
"""

from collections.abc import Sequence
from typing import ClassVar

from processor.agents.stage import StageShard
from processor.core.normalise import normalise
from processor.transport.fetched import Fetched
from processor.transport.packing import Message
from schemas.topics import RECORD_CHANGES, Topic


class NormaliseShard(StageShard):
    """One partition of `deliveries`."""

    stage: ClassVar[str] = "normalise"
    owned: ClassVar[Sequence[Topic]] = ()

    async def load(self) -> None:
        """Become the owner of this partition's progress."""
        await self.recover()

    async def process(self, records: list[Fetched]) -> None:
        """Parse, keep what cannot be read, hand the changes on."""
        output = normalise(
            ((record.offset, record.value or b"") for record in records),
            partition=self.partition,
            connectors=self.deployment.connectors,
            progress=self.progress,
        )
        await self.dead_letter(output.dead_letters)
        topic = self.deployment.topic(RECORD_CHANGES)
        frames: dict[tuple[str, int], list[Message]] = {
            (topic, partition): [(None, frame) for frame in frames]
            for partition, frames in output.frames(self.deployment.partitions).items()
        }
        await self.hand_on(frames)
        self.finish(records)
