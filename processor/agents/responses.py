"""Stage responses: engagements in; groups, panes, lead clocks and alerts out, and engagements again along merges.

Owns the order of writing: what is handed on to other groups is acknowledged first, because no load compares it, and so
is what channels are to be told, before the alerts themselves say that it was.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Protocol

import msgspec

from processor.agents.stage import Deployment, StageShard
from processor.core.alerts import AlertBook
from processor.core.batch import row_check
from processor.core.groups import Groups, GroupsOutput
from processor.transport.fetched import Fetched
from processor.transport.packing import Message
from schemas.alerts import Alert, encode_alert
from schemas.config import Alerts
from schemas.dead_letters import DeadLetter
from schemas.frames import EngagementFrame, decode_engagements
from schemas.leads import LeadClock, decode_clock
from schemas.topics import ALERTS, GROUPS, LEAD_CLOCKS, PANES, Topic

SWEPT_AT_ONCE = 1_000
"""Groups looked at in a second in which nothing else may happen."""


class Horizon(Protocol):
    """Up to which instant all that was delivered is known: see horizon.py."""

    @property
    def settled_at(self) -> int: ...

    def begin(self) -> None: ...

    async def end(self) -> None: ...


class ResponsesShard(StageShard):
    """One partition of `engagements`."""

    stage: ClassVar[str] = "responses"
    owned: ClassVar[Sequence[Topic]] = (GROUPS, PANES, LEAD_CLOCKS, ALERTS)

    def __init__(
        self,
        partition: int,
        deployment: Deployment,
        *,
        alerts: Alerts,
        horizon: Horizon,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        super().__init__(partition, deployment)
        self._check = row_check()
        self.groups = Groups(self.origin, deployment.definitions, check=self._check)
        self.book = AlertBook()
        self._rules = alerts
        self._horizon = horizon
        self._clock = clock
        self._has_begun = False

    async def load(self) -> None:
        """Read the groups back, derive, and publish where what was published differs."""
        published = await self.recover()
        name = self.deployment.topic
        damaged: list[tuple[Topic, bytes]] = []
        for key, row in published[name(GROUPS)].items():
            try:
                self.groups.restore(key, row)
            except msgspec.MsgspecError:
                damaged.append((GROUPS, key))
        for key, row in published[name(ALERTS)].items():
            try:
                self.book.restore(row)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                damaged.append((ALERTS, key))
        await self.dead_letter([self.damaged(topic, key, index) for index, (topic, key) in enumerate(damaged)])
        self.groups.horizon.restore(self.progress.kept_from)
        rows = dict(published[name(LEAD_CLOCKS)])
        output = self.groups.rebuild(published[name(PANES)], published[name(LEAD_CLOCKS)], self.progress.log_at)
        for lead, changed in output.clocks:
            if changed is None:
                rows.pop(lead, None)
            else:
                rows[lead] = changed
        turned = self.book.begin((decode_clock(row) for row in rows.values()), self._clock())
        await self.tell_channels(turned, self._rules)
        # Also of those whose groups went before we came.
        gone = self._forget(self.book.leads)
        await self.write(
            {
                GROUPS: output.rows + [(key, None) for topic, key in damaged if topic is GROUPS],
                PANES: output.panes,
                LEAD_CLOCKS: output.clocks,
                ALERTS: _rows(turned) + gone + [(key, None) for topic, key in damaged if topic is ALERTS],
            }
        )
        self._horizon.begin()
        self._has_begun = True

    async def close(self) -> None:
        """Drop what is held."""
        if self._has_begun:
            self._has_begun = False
            await self._horizon.end()
        await super().close()

    async def tick(self, now: int) -> None:
        """Raise what is due, once everything delivered by then is known; let go what is too old."""
        if self.groups.backlog:
            output = self.groups.sweep(SWEPT_AT_ONCE)
            await self._write(output, [], oldest_at=None)
        turned = self.book.pass_time(self._horizon.settled_at, now)
        if not turned:
            return
        await self.tell_channels(turned, self._rules)
        for alert in turned:
            if alert.event == "raised":
                self.count_raised(alert)
        await self.write({ALERTS: _rows(turned)})
        self.tell_counters()

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
                frames.append(decode_engagements(record.value or b"", self._check))
            except msgspec.MsgspecError:
                letters.append(self.unreadable(record))
        await self.dead_letter(letters)
        if not frames:
            return
        for part in self.groups.horizon.parts(frames, lambda frame: frame.received_at):
            await self._take(part, is_new)

    async def _take(self, frames: Sequence[EngagementFrame], is_new: bool) -> None:
        oldest_at = min(frame.oldest_at for frame in frames)
        newest_at = max(frame.received_at for frame in frames)
        await self.reach(newest_at, self.groups.horizon)
        output = self.groups.fold(
            (engagement for frame in frames for engagement in frame.engagements), self.progress.log_at
        )
        if is_new:
            self.progress.count("events", sum(len(frame.engagements) for frame in frames))
            self.progress.count("duplicates", output.duplicates)
            self.progress.count("beyond.group", output.refused)
        await self.engage(output.engagements, newest_at=newest_at, oldest_at=oldest_at)
        turned = self._hear(output.clocks)
        await self.tell_channels(turned, self._rules)
        await self._write(output, turned, oldest_at=oldest_at)

    async def _write(self, output: GroupsOutput, turned: Sequence[Alert], *, oldest_at: int | None) -> None:
        alerts = _rows(turned) + self._forget(output.expired)
        await self.write(
            {GROUPS: output.rows, PANES: output.panes, LEAD_CLOCKS: output.clocks, ALERTS: alerts}, oldest_at=oldest_at
        )

    def _forget(self, leads: Iterable[str]) -> list[Message]:
        """The alerts of a lead go when nothing is kept of it any more."""
        gone = [lead for lead in leads if f"lead:{lead}" not in self.groups]
        return [(id.encode(), None) for lead in gone for id in self.book.forget(lead)]

    def _hear(self, clocks: Iterable[tuple[bytes, bytes | None]]) -> list[Alert]:
        now = self._clock()
        turned: list[Alert] = []
        for lead, row in clocks:
            clock: LeadClock | None = None if row is None else decode_clock(row)
            turned += self.book.hear(lead.decode(), clock, now)
        return turned


def _rows(alerts: Iterable[Alert]) -> list[Message]:
    return [(alert.id.encode(), encode_alert(alert)) for alert in alerts]
