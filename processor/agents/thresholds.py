"""Metrics against their limits, and goals against their milestones: all of `panes` and `roster` in, alerts out.

Days and wins that channels are to be told of are looked at along with them (announcements.py).

Owns when is looked, and the order of writing: channels are told before an alert is written, because what is written is
known as told. What a crossing is, is processor/core/thresholds.py. A number of a team or of the organisation is merged
from all partitions, so exactly one shard looks: that of partition 0 of `alert-actions`, the quietest topic.

    look     not before all that was delivered is in the numbers (watermark.py), and up to that instant only
    reload   not while a partition is written by other definitions than ours: its numbers are not those that are meant
    restart  alerts are read back from `threshold-alerts`, numbers from the beginning of `panes`, beside everything else
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import structlog

from processor.agents.acknowledge import AcknowledgeShard
from processor.agents.announcements import Announcements, kept
from processor.agents.connections import watch_connections
from processor.agents.outputs import alert_rows
from processor.agents.stage import Deployment
from processor.agents.watermark import Watermark
from processor.core.alerts import count_raised
from processor.core.milestones import MilestoneBook
from processor.core.missed import MissedBook
from processor.core.thresholds import ThresholdBook, is_told
from processor.transport.fail_stop import Die, die, or_die
from processor.transport.fetched import Fetched, headers_of
from processor.transport.following import Follower, again_and_again
from schemas import tasks
from schemas.alerts import Alert, decode_alert
from schemas.config import Config
from schemas.fences import definitions_in
from schemas.floor import Floor
from schemas.frames import QUIETLY
from schemas.instants import DAY, HOUR, MINUTE
from schemas.machine_clock import machine_clock
from schemas.topics import ACKNOWLEDGEMENTS, CONNECTION_STATES, FENCE, PANES, ROSTER, THRESHOLD_ALERTS, Topic
from schemas.windows import STANDING, Window, index_of, is_day, read_window, whole_day

BETWEEN_LOOKS_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 1.0
"""Between looks at a floor so large that one takes long: they shall not take more than a tenth of a core."""
BETWEEN_QUESTIONS_SECONDS = 0.1
AFTER_FAILURE_SECONDS = 1.0
BETWEEN_WARNINGS_SECONDS = 60.0
"""While workers derive by different definitions, and nobody looks at limits, the log says so as often as this."""
FETCH_WAIT_MS = 100
RECORDS_AT_ONCE = 1_000
"""Panes taken in before the event loop turns: some milliseconds."""
MINUTES_AT_ONCE = 10
"""Panes of minutes are let go when so many are out of sight."""
SET_BACK = MINUTE
"""When the machine's clock is set back by more than this, all is read anew: what was let go may be needed again."""
FORGET_AFTER = 400 * DAY
"""After it was resolved; longer than any period, so that nobody is told of one twice."""

log = structlog.get_logger(__name__)


class ThresholdsShard(AcknowledgeShard):
    """Partition 0 of `alert-actions`, and beside it the one who looks at metrics."""

    owned: ClassVar[Sequence[Topic]] = (ACKNOWLEDGEMENTS, THRESHOLD_ALERTS)

    def __init__(
        self,
        partition: int,
        deployment: Deployment,
        *,
        config: Config,
        watermark: Watermark,
        clock: Callable[[], int] = machine_clock,
        die: Die = die,
    ) -> None:
        super().__init__(partition, deployment, channels=config.alerts.channels)
        self._rules = config.alerts
        self._clock = clock
        floor = Floor(config)
        self._book = ThresholdBook(config, floor)
        self._milestones = MilestoneBook(floor)
        self._announcements = Announcements(floor)
        self._missed = MissedBook()
        self._asked = frozenset(
            name for name, each in config.connections.items() if getattr(each, "api", None) is not None
        )
        self._die = die
        self._connections: asyncio.Task[None] | None = None
        self._watch = _Watch(self, floor, (self._book, self._milestones), self._announcements, watermark, clock, die)
        self._writing = asyncio.Lock()
        self._found: list[Alert] = []
        """What has turned and is not written yet; during a rebalance, until it is over."""
        self._to_tell: list[tuple[str, Alert]] = []
        """What channels are to be told beside alerts, likewise."""
        self._is_suspended = False

    async def load(self) -> None:
        """Read back what was done and what has fired, and begin to look, if there is anything to look at."""
        published = await self.recover()
        await self.restore(published)
        await self.write({THRESHOLD_ALERTS: await self.put_back(published, THRESHOLD_ALERTS, self._restore_alert)})
        now = self._clock()
        await self.turn([*self._book.begin(now), *self._missed.keep_only(self._asked, now)])
        begun = self._announcements.begin(now)
        if begun:
            await self.write({THRESHOLD_ALERTS: alert_rows(begun)})
        for book in (self._book, self._milestones, self._announcements, self._missed):
            await self.forget(book.forget(now - FORGET_AFTER))
        if self._rules.thresholds or self._milestones.is_needed or self._announcements.is_needed:
            self._watch.begin()
        if self._asked:
            topic = self.deployment.topic(CONNECTION_STATES)
            watching = watch_connections(
                self.deployment.bootstrap, topic, self._missed, self._asked, turn=self.turn, clock=self._clock
            )
            self._connections = asyncio.create_task(or_die(watching, "connections", self._die), name="connections")

    def _restore_alert(self, _key: bytes, row: bytes) -> None:
        alert = decode_alert(row)
        for book in (self._book, self._milestones, self._announcements, self._missed):
            book.restore(alert)

    async def tick(self, now: int) -> None:
        """Write what was found during a rebalance."""
        self._is_suspended = False
        if self._found or self._to_tell:
            await self.turn([])

    async def suspend(self) -> None:
        """Write no more until the next tick."""
        self._is_suspended = True
        async with self._writing:
            pass
        await super().suspend()

    async def close(self) -> None:
        """Drop what is held."""
        self._is_suspended = True
        await self._watch.end()
        await tasks.end([self._connections])
        await super().close()

    async def turn(self, turned: Sequence[Alert], told: Sequence[tuple[str, Alert]] = ()) -> None:
        """Tell and write what has turned; `told`: what channels are told beside alerts, by channel."""
        async with self._writing:
            self._found += turned
            self._to_tell += told
            if not (self._found or self._to_tell) or self._is_suspended:
                return
            found, self._found = self._found, []
            to_tell, self._to_tell = self._to_tell, []
            await self.tell_channels([alert for alert in found if is_told(alert)], self._rules)
            by_channel: dict[str, list[Alert]] = {}
            for channel, alert in to_tell:
                by_channel.setdefault(channel, []).append(alert)
            await self.hand_to_channels(by_channel)
            for alert in found:
                if alert.event == "raised":
                    count_raised(self.progress, alert)
            await self.write({THRESHOLD_ALERTS: alert_rows([*found, *(kept(alert) for _, alert in to_tell)])})
            self.settle()

    def rep_name(self, rep: str) -> str | None:
        """As the roster calls them."""
        return self._watch.floor.roster.name_of(rep)

    def team_name(self, team: str) -> str | None:
        """As the roster calls it."""
        return self._watch.floor.roster.team_names.get(team)

    async def forget(self, ids: Sequence[str]) -> None:
        """Take out what is long over. During a rebalance the rows stay, for whoever loads them next."""
        async with self._writing:
            if ids and not self._is_suspended:
                await self.write({THRESHOLD_ALERTS: [(id.encode(), None) for id in ids]})


class _Watch:
    """Follows panes and roster in a task of its own, and looks again and again.

    Nobody else touches floor and book meanwhile, so looks are made in a thread: the first merges whole quarters, and
    the event loop with all batches must turn.
    """

    def __init__(
        self,
        shard: ThresholdsShard,
        floor: Floor,
        books: Sequence[ThresholdBook | MilestoneBook],
        announcements: Announcements,
        watermark: Watermark,
        clock: Callable[[], int],
        die: Die,
    ) -> None:
        self._shard = shard
        self.floor = floor
        self._books = books
        self._announcements = announcements
        self._watermark = watermark
        self._clock = clock
        self._die = die
        self._task: asyncio.Task[None] | None = None
        self._as_of = 0
        self._tidied_at = clock()
        self._oldest: dict[bool, Window] = {}
        self._written_by: dict[int, str] = {}
        """Partition of panes -> by which definitions its owner writes, as its fence says."""
        self._warned_at = time.monotonic()

    def begin(self) -> None:
        """Look from now on."""
        self._watermark.begin()
        # Limits that nobody looks at would be worse than a restart.
        self._task = asyncio.create_task(or_die(self._run(), "thresholds", self._die), name="thresholds")

    async def end(self) -> None:
        """Look no more."""
        task, self._task = self._task, None
        if task is not None:
            await tasks.end([task])
            await self._watermark.end()

    async def _run(self) -> None:
        await self._wait_for_all()
        await again_and_again(self._follow, "thresholds.interrupted", pause=AFTER_FAILURE_SECONDS)

    async def _wait_for_all(self) -> None:
        """Read no panes before everybody has caught up: a start has other things to do, and they may be others then.

        Nor before the first delivery: where nobody has said anything yet, nobody has done too little by eleven.
        """
        while not (self._watermark.settled_at and self._is_current() and self._watermark.has_deliveries):
            await asyncio.sleep(BETWEEN_QUESTIONS_SECONDS)

    def _is_current(self) -> bool:
        """Whether all stages have said to be done by our definitions; else the log has it from time to time."""
        if self._watermark.is_current:
            return True
        self._warn()
        return False

    def _warn(self) -> None:
        if time.monotonic() - self._warned_at >= BETWEEN_WARNINGS_SECONDS:
            self._warned_at = time.monotonic()
            log.warning("thresholds.held", reason="workers derive by other definitions than this one")

    async def _follow(self) -> None:
        """Read all anew and follow it, until the machine's clock is set back."""
        topic, bootstrap = self._shard.deployment.topic, self._shard.deployment.bootstrap
        self.floor = Floor(self.floor.config)
        for book in (*self._books, self._announcements):
            book.rebase(self.floor)
        self._as_of, self._oldest, self._written_by = 0, {}, {}
        takers = {ROSTER: self._take_reps, PANES: self._take_panes}
        takers |= {each: partial(self._take_others, each) for each in self._announcements.topics}
        async with contextlib.AsyncExitStack() as stack:
            followers = [
                (
                    await stack.enter_async_context(
                        Follower(bootstrap, topic(each), wait_ms=FETCH_WAIT_MS, at_once=RECORDS_AT_ONCE)
                    ),
                    take,
                )
                for each, take in takers.items()
            ]
            while True:
                began = time.monotonic()
                settled_at = self._watermark.settled_at
                if settled_at and self._as_of - settled_at > SET_BACK:
                    log.warning("thresholds.clock_set_back", seconds=(self._as_of - settled_at) / 1e6)
                    return
                # Asked before panes are read: what was derived before a stage said so is among them.
                if settled_at > self._as_of and self._is_current():
                    self._let_go(settled_at)
                    for follower, take in followers:
                        await follower.read_to(await follower.ends(), take)
                    if {*self._written_by.values()} <= {self._shard.deployment.digest}:
                        await self._look(settled_at)
                    else:
                        self._warn()
                spent = time.monotonic() - began
                await asyncio.sleep(max(BETWEEN_LOOKS_SECONDS, min(LONGEST_PAUSE_SECONDS, 10 * spent)))

    async def _look(self, as_of: int) -> None:
        self._as_of = as_of
        is_time_to_tidy = as_of - self._tidied_at >= HOUR
        for book in self._books:
            while True:
                turned = await asyncio.to_thread(book.look, as_of, self._clock())
                if turned:
                    self._announcements.note(turned)
                    await self._shard.turn(turned)
                if not book.is_behind:
                    break
        told = await asyncio.to_thread(self._announcements.look, as_of, self._clock())
        if told:
            await self._shard.turn([], told)
        if is_time_to_tidy:
            self._tidied_at = as_of
            for each in (*self._books, self._announcements):
                await self._shard.forget(each.forget(as_of - FORGET_AFTER))

    def _let_go(self, as_of: int) -> None:
        """Keep the panes that mean something to a threshold or a goal, of now or later."""
        oldest: dict[bool, Window] = {}
        for book in (*self._books, self._announcements):
            for are_days, first in book.oldest(as_of).items():
                oldest[are_days] = min(first, oldest.get(are_days, first))
        for are_days, first in oldest.items():
            held = self._oldest.get(are_days)
            # Some minutes at a time: each is a walk over all.
            if held is None or index_of(first) - index_of(held) >= (1 if are_days else MINUTES_AT_ONCE):
                self.floor.forget_before(first)
                self._oldest[are_days] = first

    def _take_reps(self, _partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.key is not None and record.key != FENCE:
                self.floor.take_rep(record.key, record.value)
                for book in self._books:
                    book.note_roster()

    def _take_others(self, topic: Topic, _partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.key is not None and record.key != FENCE:
                self._announcements.take(topic, record.key, record.value)

    def _take_panes(self, partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.key == FENCE and (by := definitions_in(record.value)):
                self._written_by[partition] = by
            if record.key is None or record.key == FENCE:
                continue
            window = whole_day(read_window(record.key.rpartition(b"|")[2].decode()))
            first = self._oldest.get(is_day(window))
            if window == STANDING or (first is not None and window >= first):
                changed = self.floor.take_pane(record.key, record.value)
                if changed is not None:
                    is_quiet = QUIETLY in headers_of(record)
                    for book in self._books:
                        book.note_pane(changed, is_quiet=is_quiet)
