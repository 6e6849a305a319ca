"""Stage responses: engagements in; groups, panes, lead clocks and alerts out, and engagements again along merges.

Owns the order of writing: what is handed on to other groups is acknowledged first, because no load compares it, and so
is what channels are to be told, before the alerts themselves say that it was.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec
import structlog

from processor.agents.outputs import GROUP_TOPICS, alert_rows, by_loudness, group_messages
from processor.agents.restoring import Published, Since
from processor.agents.stage import Deployment, StageShard
from processor.agents.watermark import Watermark
from processor.core.alerts import AlertBook, Turned, count_raised
from processor.core.batch import row_check
from processor.core.groups import Groups
from processor.core.outputs import GroupsOutput
from processor.core.published_panes import PublishedPanes, published_of
from processor.transport.fetched import Fetched, headers_of
from processor.transport.packing import KeyAndValue
from processor.transport.shards import Capture
from schemas.alerts import Alert, decode_quiet, encode_quiet, instants_of, quiet_key, read_quiet_key
from schemas.config.alerts import Alerts
from schemas.frames import EngagementFrame, decode_engagements, engaged_records
from schemas.instants import SECOND
from schemas.leads import LeadClock, decode_clock
from schemas.machine_clock import machine_clock
from schemas.progress import REPEATED
from schemas.requests import LatestByLead, requests_in
from schemas.topics import ALERTS, ENGAGEMENTS, GROUPS, LEAD_CLOCKS, PANES, Topic

log = structlog.get_logger(__name__)

SWEPT_AT_ONCE = 1_000
"""Groups looked at in a second in which nothing else may happen."""


RAISED_TOLD = 20
"""Lines of one look at the time."""

STOOD_STILL = 10 * SECOND
"""Before a replay was handed over: what came due then may not have been raised any more, so it is told."""


class ResponsesShard(StageShard):
    """One partition of `engagements`."""

    stage: ClassVar[str] = "responses"
    source: ClassVar[Topic] = ENGAGEMENTS
    owned: ClassVar[Sequence[Topic]] = (*GROUP_TOPICS, ALERTS)
    kept: ClassVar[Sequence[Topic]] = (PANES,)

    def __init__(
        self,
        partition: int,
        deployment: Deployment,
        *,
        alerts: Alerts,
        watermark: Watermark,
        clock: Callable[[], int] = machine_clock,
    ) -> None:
        super().__init__(partition, deployment)
        self._check = row_check()
        self.groups = Groups(self.origin, deployment.definitions, check=self._check)
        self.book = AlertBook(alerts.quiet_after)
        self._rules = alerts
        self._watermark = watermark
        self._clock = clock
        self._has_begun = False
        self._traces = LatestByLead()
        """Lead -> the span within which it was last told of."""

    async def load(self) -> None:
        """Read the groups back, derive, and publish where what was published differs."""
        name = self.deployment.topic
        published = self._published(await self.recover_since(published_of))
        no_groups = await self.put_back(published, GROUPS, self._restore)
        no_alerts = await self.put_back(published, ALERTS, lambda _key, row: self.book.restore(row))
        self.groups.cutoff.restore(self.progress.kept_from)
        rows = dict(published[name(LEAD_CLOCKS)])
        output = self.groups.rebuild(published[name(PANES)], published[name(LEAD_CLOCKS)], self.progress.log_at)
        log_at = self.progress.log_at
        await self.engage(output.engagements, newest_at=log_at, oldest_at=log_at, is_quiet=True)
        self._tell_repeated()
        replayed_at, self.progress.replayed_at = self.progress.replayed_at, 0
        is_redefined = replayed_at > 0 or self.derived_by not in {"", self.deployment.digest}
        redefined = _moved(rows, output.clocks) if is_redefined else set()
        for lead, changed in output.clocks:
            if changed is None:
                rows.pop(lead, None)
            else:
                rows[lead] = changed
        turned = self.book.begin(
            (decode_clock(row) for row in rows.values()),
            self._clock(),
            is_redefined=is_redefined,
            redefined={lead.decode() for lead in rows} if replayed_at else redefined,
            silent_until=replayed_at - STOOD_STILL if replayed_at else self._clock(),
        )
        await self.tell_channels(turned.told, self._rules)
        # First: what moved because of other definitions must not be taken for moved by a record if this is cut short.
        await self.write({ALERTS: alert_rows(turned.alerts)})
        # Also of those whose groups went before we came.
        gone, hushed = self._forget(self.book.leads)
        await self.write(
            {
                **group_messages(output),
                GROUPS: [*output.rows, *_quiet_rows(turned), *hushed, *no_groups],
                ALERTS: gone + no_alerts,
            }
        )
        self._watermark.begin()
        self._has_begun = True

    def _published(self, found: Published | Since[dict[bytes, bytes]]) -> Published:
        """The same, whether panes come from a checkpoint or from among all those of the partition."""
        if not isinstance(found, Since):
            return found
        panes = self.deployment.topic(PANES)
        return {
            topic: {
                key: value
                for key, value in ({**found.kept.state, **news} if topic == panes else news).items()
                if value is not None
            }
            for topic, news in found.news.items()
        }

    def capture(self, *, is_last: bool) -> Capture | None:
        """The panes alone: what else is here lies in topics of its own."""
        panes = self.groups.panes
        return self.take_down(lambda: PublishedPanes(self.origin, panes.held()), len(panes), is_last=is_last)

    def _restore(self, key: bytes, row: bytes) -> None:
        quiet = read_quiet_key(key)
        if quiet is None:
            self.groups.restore(key, row)
        else:
            self.book.restore_quiet(quiet, decode_quiet(row))

    async def close(self) -> None:
        """Drop what is held."""
        if self._has_begun:
            self._has_begun = False
            await self._watermark.end()
        await super().close()

    async def tick(self, now: int) -> None:
        """Raise what is due, once everything delivered by then is known; let go what is too old."""
        if self.groups.backlog:
            output = self.groups.sweep(SWEPT_AT_ONCE)
            await self._write(output, Turned(), oldest_at=None)
        turned = self.book.pass_time(self._watermark.settled_at, now)
        if not turned.alerts:
            return
        traces = (self._traces.of(alert.lead or "") for alert in turned.alerts)
        with self.deployment.tracing.span("raise alerts", parents=filter(None, traces)) as span:
            span.note({"floorcast.alerts": len(turned.alerts)})
            await self.tell_channels(turned.told, self._rules)
        for alert in turned.alerts:
            if alert.event == "raised":
                count_raised(self.progress, alert)
        _tell_raised(turned.alerts)
        # The alert goes first: it says itself how much of it is told.
        await self.write({ALERTS: alert_rows(turned.alerts)})
        await self.write({GROUPS: _quiet_rows(turned)})
        self.settle()

    async def process(self, records: list[Fetched]) -> None:
        """Fold, hand on, write, and only then call the batch done."""
        trace = self.deployment.tracing.current
        for record in records:
            for key, request in requests_in(headers_of(record), record.value or b"", engaged_records).items():
                lead = key.partition("|")[2]
                if request:
                    self.book.requests.note(lead, request)
                else:
                    self.book.requests.forget(lead)
                if trace:
                    self._traces.note(lead, trace)
        for is_new, part in self.parts(records):
            for is_quiet, alike in by_loudness(part):
                await self._fold(alike, is_new, is_quiet=is_quiet)
        self.finish(records)

    async def _fold(self, records: Sequence[Fetched], is_new: bool, *, is_quiet: bool) -> None:
        frames = await self.decoded(records, lambda frame: decode_engagements(frame, self._check))
        if not frames:
            return
        for part in self.groups.cutoff.parts(frames, lambda frame: frame.received_at):
            await self._take(part, is_new, is_quiet=is_quiet)

    async def _take(self, frames: Sequence[EngagementFrame], is_new: bool, *, is_quiet: bool) -> None:
        oldest_at = min(frame.oldest_at for frame in frames)
        newest_at = max(frame.received_at for frame in frames)
        await self.reach(newest_at, self.groups.cutoff)
        if is_new:
            self.progress.count("events", sum(len(frame.engagements) for frame in frames))
        engagements = (engagement for frame in frames for engagement in frame.engagements)
        for output in self.groups.fold_parts(engagements, self.progress.log_at):
            if is_new:
                self.progress.count("duplicates", output.duplicates)
                self.progress.count("beyond.group", output.refused)
            self._tell_repeated()
            await self.engage(output.engagements, newest_at=newest_at, oldest_at=oldest_at, is_quiet=is_quiet)
            turned = self._hear(output.clocks, oldest_at, is_quiet=is_quiet)
            await self.tell_channels(turned.told, self._rules)
            await self._write(output, turned, oldest_at=oldest_at, is_quiet=is_quiet)

    async def _write(
        self, output: GroupsOutput, turned: Turned, *, oldest_at: int | None, is_quiet: bool = False
    ) -> None:  # fmt: skip
        gone, hushed = self._forget(output.expired)
        await self.write(
            {
                **group_messages(output),
                # What was told too late stands before the rows that make the delivery a repetition.
                GROUPS: [*_quiet_rows(turned), *hushed, *output.rows],
                ALERTS: alert_rows(turned.alerts) + gone,
            },
            oldest_at=oldest_at,
            is_quiet=is_quiet,
        )

    def _tell_repeated(self) -> None:
        """How many calls count nowhere by now, of each connection: another one's do."""
        for connection in self.deployment.definitions.matches:
            self.progress.counters[f"{REPEATED}{connection}"] = self.groups.repeated[connection]

    def rep_name(self, rep: str) -> str | None:
        """As the file, else the roster calls them."""
        return self.deployment.rep_names.get(rep) or self.groups.rep_name(rep)

    def lead_name(self, lead: str) -> str | None:
        """As its newest record says."""
        return self.groups.lead_name(lead)

    def _forget(self, leads: Iterable[str]) -> tuple[list[KeyAndValue], list[tuple[bytes, bytes | None]]]:
        """The alerts of a lead go when nothing is kept of it any more: their rows, and those of its quiet instants."""
        gone = [lead for lead in leads if f"lead:{lead}" not in self.groups]
        hushed: list[tuple[bytes, bytes | None]] = [
            (quiet_key(lead), None) for lead in gone if self.book.is_quiet(lead)
        ]
        return [(id.encode(), None) for lead in gone for id in self.book.forget(lead)], hushed

    def _hear(self, clocks: Iterable[tuple[bytes, bytes | None]], told_at: int, *, is_quiet: bool) -> Turned:
        now = self._clock()
        found = Turned()
        for lead, row in clocks:
            clock: LeadClock | None = None if row is None else decode_clock(row)
            turned = self.book.hear(lead.decode(), clock, now, told_at, is_quiet=is_quiet)
            found.told += turned.told
            found.kept += turned.kept
            found.quiet |= turned.quiet
        return found


def _moved(before: Mapping[bytes, bytes], changed: Iterable[tuple[bytes, bytes | None]]) -> set[str]:
    """Leads whose levels are reached at other instants than was published."""
    found = set()
    for lead, row in changed:
        held = before.get(lead)
        with contextlib.suppress(msgspec.MsgspecError):  # of a row that is none, which is published anew
            if held and row and instants_of(decode_clock(held)) != instants_of(decode_clock(row)):
                found.add(lead.decode())
    return found


def _tell_raised(alerts: Sequence[Alert]) -> None:
    """A line for each alert, up to a few: after an outage very many are due at once."""
    raised = [alert for alert in alerts if alert.event == "raised"]
    for alert in raised[:RAISED_TOLD]:
        log.info("alert.raised", alert=alert.id, level=alert.level, request=alert.request or None)
    if len(raised) > RAISED_TOLD:
        log.info("alert.raised", more=len(raised) - RAISED_TOLD)


def _quiet_rows(turned: Turned) -> list[KeyAndValue]:
    return [(quiet_key(lead), encode_quiet(instants) if instants else None) for lead, instants in turned.quiet.items()]
