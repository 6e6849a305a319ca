"""Stage ledger: frames of changes in; ledger rows, panes, roster and engagements out.

Owns the order of writing: engagements are acknowledged first, because no load compares them; then rows and panes.
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from processor.agents.stage import Deployment, StageShard
from processor.core.ledger import Ledger
from processor.transport.fetched import Fetched
from schemas.dead_letters import DeadLetter
from schemas.frames import decode_changes
from schemas.records import RecordChange
from schemas.topics import LEDGER, PANES, ROSTER, Topic


class LedgerShard(StageShard):
    """One partition of `record-changes`."""

    stage: ClassVar[str] = "ledger"
    owned: ClassVar[Sequence[Topic]] = (LEDGER, PANES, ROSTER)

    def __init__(self, partition: int, deployment: Deployment) -> None:
        super().__init__(partition, deployment)
        self.ledger = Ledger(self.origin, deployment.definitions)

    async def load(self) -> None:
        """Read the rows back, derive, and publish where what was published differs."""
        published = await self.recover()
        name = self.deployment.topic
        for key, row in published[name(LEDGER)].items():
            self.ledger.restore(key, row)
        output = self.ledger.rebuild(self.mine(published[name(PANES)]), published[name(ROSTER)], self.progress.log_at)
        await self.write({PANES: output.panes, ROSTER: output.roster})

    async def process(self, records: list[Fetched]) -> None:
        """Fold, write, and only then call the batch done."""
        for is_new, part in self.parts(records):
            await self._fold(part, is_new)
        self.finish(records)

    async def _fold(self, records: Sequence[Fetched], is_new: bool) -> None:
        changes: list[RecordChange] = []
        letters: list[DeadLetter] = []
        for record in records:
            try:
                changes += decode_changes(record.value or b"").changes
            except msgspec.MsgspecError:
                letters.append(self.unreadable(record))
        await self.dead_letter(letters)
        if not changes:
            return
        receipts = [change.received_at for change in changes]
        oldest_at, newest_at = min(receipts), max(receipts)
        self.progress.log_at = max(self.progress.log_at, newest_at)
        output = self.ledger.fold(changes, self.progress.log_at)
        if is_new:
            self.progress.count("events", len(changes))
            self.progress.count("duplicates", output.duplicates)
        await self.engage(output.engagements, newest_at=newest_at, oldest_at=oldest_at)
        await self.write({PANES: output.panes, LEDGER: output.rows, ROSTER: output.roster}, oldest_at=oldest_at)
