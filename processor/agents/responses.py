"""Stage responses: engagements in; groups, panes and lead clocks out, and engagements again along merges.

Owns the order of writing: what is handed on to other groups is acknowledged first, because no load compares it.
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from processor.agents.stage import Deployment, StageShard
from processor.core.groups import Groups
from processor.transport.fetched import Fetched
from schemas.dead_letters import DeadLetter
from schemas.frames import EngagementFrame, decode_engagements
from schemas.topics import ALERTS, GROUPS, LEAD_CLOCKS, PANES, Topic


class ResponsesShard(StageShard):
    """One partition of `engagements`."""

    stage: ClassVar[str] = "responses"
    owned: ClassVar[Sequence[Topic]] = (GROUPS, PANES, LEAD_CLOCKS, ALERTS)

    def __init__(self, partition: int, deployment: Deployment) -> None:
        super().__init__(partition, deployment)
        self.groups = Groups(self.origin, deployment.definitions)

    async def load(self) -> None:
        """Read the groups back, derive, and publish where what was published differs."""
        published = await self.recover()
        name = self.deployment.topic
        for key, row in published[name(GROUPS)].items():
            self.groups.restore(key, row)
        output = self.groups.rebuild(
            self.mine(published[name(PANES)]), published[name(LEAD_CLOCKS)], self.progress.log_at
        )
        await self.write({PANES: output.panes, LEAD_CLOCKS: output.clocks})

    async def process(self, records: list[Fetched]) -> None:
        """Fold, hand on, write, and only then call the batch done."""
        for is_new, part in self.parts(records):
            await self._fold(part, is_new)
        self.finish(records)

    async def _fold(self, records: Sequence[Fetched], is_new: bool) -> None:
        frames: list[EngagementFrame] = []
        letters: list[DeadLetter] = []
        for record in records:
            try:
                frames.append(decode_engagements(record.value or b""))
            except msgspec.MsgspecError:
                letters.append(self.unreadable(record))
        await self.dead_letter(letters)
        if not frames:
            return
        oldest_at = min(frame.oldest_at for frame in frames)
        newest_at = max(frame.received_at for frame in frames)
        self.progress.log_at = max(self.progress.log_at, newest_at)
        output = self.groups.fold(
            (engagement for frame in frames for engagement in frame.engagements), self.progress.log_at
        )
        if is_new:
            self.progress.count("events", sum(len(frame.engagements) for frame in frames))
            self.progress.count("duplicates", output.duplicates)
        await self.engage(output.engagements, newest_at=newest_at, oldest_at=oldest_at)
        await self.write({GROUPS: output.rows, PANES: output.panes, LEAD_CLOCKS: output.clocks}, oldest_at=oldest_at)
