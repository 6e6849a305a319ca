"""Stage ledger: frames of changes in; ledger rows, panes, roster and engagements out, and what came too late.

Owns the order of writing: late changes and engagements are acknowledged first, because no load compares them; then rows
and panes.
"""

import time
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import structlog

from processor.agents.outputs import LEDGER_TOPICS, by_loudness, ledger_messages
from processor.agents.restoring import Since
from processor.agents.stage import Deployment, StageShard
from processor.core.batch import ChangesReceived, new_batch, row_check
from processor.core.ledger import Ledger
from processor.core.ledger_state import LedgerNews, state_of
from processor.transport.fetched import Fetched, headers_of
from processor.transport.packing import KeyAndValue
from processor.transport.shards import Capture
from schemas.frames import changed_records, record_key
from schemas.late import LateChange, encode_late
from schemas.panes import read_pane_key
from schemas.requests import requests_in
from schemas.topics import DEALS, LATE, LEDGER, PANES, RECORD_CHANGES, ROSTER, Topic

log = structlog.get_logger(__name__)

SWEPT_AT_ONCE = 2_000
"""Rows looked at in a second in which nothing else may happen."""


class LedgerShard(StageShard):
    """One partition of `record-changes`."""

    stage: ClassVar[str] = "ledger"
    source: ClassVar[Topic] = RECORD_CHANGES
    owned: ClassVar[Sequence[Topic]] = LEDGER_TOPICS
    kept: ClassVar[Sequence[Topic]] = LEDGER_TOPICS

    def __init__(self, partition: int, deployment: Deployment) -> None:
        super().__init__(partition, deployment)
        self.ledger = Ledger(self.origin, deployment.definitions)
        self._requests: dict[str, str] = {}
        """Of the batch in hand."""

    async def load(self) -> None:
        """Have the rows and panes back, derive what no checkpoint has, and publish where what was published differs."""
        found = await self.recover_since(state_of)
        name = self.deployment.topic
        self.ledger.cutoff.restore(self.progress.kept_from)
        began = time.monotonic()
        if isinstance(found, Since):
            news = LedgerNews(*(found.news[name(topic)] for topic in LEDGER_TOPICS))
            try:
                self.ledger.adopt(found.kept.state)
                output = self.ledger.catch_up(news, self.progress.log_at)
            except Exception as error:
                self.distrust(error)
                raise
        else:
            self.ledger.restore(found.pop(name(LEDGER)))
            output = self.ledger.rebuild(
                found[name(PANES)], found[name(ROSTER)], found[name(DEALS)], self.progress.log_at
            )
        seconds = round(time.monotonic() - began, 3)
        log.info("ledger.derived", partition=self.partition, records=len(self.ledger), seconds=seconds)
        await self.dead_letter([self.damaged(LEDGER, key) for key in output.damaged])
        await self.write(ledger_messages(output))

    def doubt_of(self, since: Since[Any]) -> str | None:
        """Why what was published since a checkpoint may not be taken in; None: it may."""
        check, name = row_check(), self.deployment.topic
        try:
            for topic in (LEDGER, ROSTER, DEALS):
                for key in since.news[name(topic)]:
                    key.decode()
            for row in since.news[name(LEDGER)].values():
                if row is not None:
                    check(row)
            for key in since.news[name(PANES)]:
                read_pane_key(key)
        except (msgspec.MsgspecError, ValueError):
            return "what was published since cannot be read"
        return super().doubt_of(since)

    def capture(self, *, is_last: bool) -> Capture | None:
        """All that is held."""
        return self.take_down(self.ledger.held, len(self.ledger) + len(self.ledger.panes), is_last=is_last)

    async def tick(self, now: int) -> None:
        """Let go what is too old, where there is more of it than goes along with batches."""
        if self.ledger.backlog:
            await self.write(ledger_messages(self.ledger.sweep(SWEPT_AT_ONCE)))

    async def process(self, records: list[Fetched]) -> None:
        """Fold, write, and only then call the batch done."""
        self._requests = {
            key: id
            for record in records
            for key, id in requests_in(headers_of(record), record.value or b"", changed_records).items()
        }
        for is_new, part in self.parts(records):
            for is_quiet, alike in by_loudness(part):
                await self._fold(alike, is_new, is_quiet=is_quiet)
        self.finish(records)

    async def _fold(self, records: Sequence[Fetched], is_new: bool, *, is_quiet: bool) -> None:
        batch = new_batch()
        await self.decoded(records, batch.add)
        if not batch:
            return
        # What was delivered before midnight meets what was kept till then.
        for part in batch.parts(self.ledger.cutoff.at):
            await self._take(part, is_new, is_quiet=is_quiet)

    async def _take(self, changes: ChangesReceived, is_new: bool, *, is_quiet: bool) -> None:
        oldest_at, newest_at = changes.oldest_at, changes.newest_at
        await self.reach(newest_at, self.ledger.cutoff)
        if is_new:
            self.progress.count("events", len(changes))
        # What a part has changed is written before the next is made: together they may take very much memory.
        for output in self.ledger.fold_parts(changes, self.progress.log_at, is_quiet=is_quiet):
            if is_new:
                self.progress.count("duplicates", output.duplicates)
                self.progress.count("late", len(output.late))
                self.progress.count("beyond.named", output.dropped)
            await self._refuse(output.late)
            await self.engage(
                output.engagements, newest_at=newest_at, oldest_at=oldest_at, is_quiet=is_quiet, requests=self._requests
            )
            await self.write(ledger_messages(output), oldest_at=oldest_at, is_quiet=is_quiet)

    async def _refuse(self, late: Sequence[LateChange]) -> None:
        """Keep what counts nowhere where somebody can look at it."""
        messages: list[KeyAndValue] = [
            (record_key(one.change.kind, one.change.id).encode(), encode_late(one)) for one in late
        ]
        if messages:
            place = self.deployment.topic(LATE), self.partition % self.deployment.log_partitions
            await self.owner.send_to({place: messages})
