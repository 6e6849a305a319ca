"""Stage notify: what channels are to be told comes in; out go the messages themselves, and rows that say what is told.

Owns when is sent, tried again and given up. Nothing waits for a receiver: a batch is done once its rows are
acknowledged, and the sending goes on beside, one lane for each channel, so that one that fails holds up no other.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import structlog

from processor.agents.channels.base import Channel, ChannelError, ChannelUnavailableError, RefusedError
from processor.agents.stage import Deployment, StageShard
from processor.core.outbox import Outbox
from processor.core.panes import Message
from processor.transport.fail_stop import FAILED, Die, die
from processor.transport.fetched import Fetched
from schemas import tasks
from schemas.alerts import Alert, WaitingTurn, decode_frame
from schemas.config.alerts import QuietHours
from schemas.instants import DAY, SECOND
from schemas.machine_clock import machine_clock
from schemas.requests import LatestByLead
from schemas.topics import FENCE, NOTIFICATIONS, OUTBOX, Topic
from schemas.tracing import Attributes

SEND_SECONDS = 30.0
"""For one message, whatever the channel's own limits are."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
"""Between tries of a receiver that is away: one message finds out, so it may be often."""
LONGEST_REFUSAL_SECONDS = 3600.0
"""Between tries of one message that a receiver refuses."""
GIVE_UP = 3 * DAY
LETTING_GO_SECONDS = 1.0
_TOLD = 20
"""Alerts of one message that its line names."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Lane:
    """One channel at work."""

    name: str
    channel: Channel
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    failures: int = 0
    """In a row."""
    blocked_until: int = 0
    sent_at: int = 0
    repeated_at: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    """Alert id -> how often it was refused."""
    refused_summaries: int = 0
    """In a row."""
    timer: asyncio.TimerHandle | None = None


class NotifyShard(StageShard):
    """One partition of `notifications`, with the channels that lie in it."""

    stage: ClassVar[str] = "notify"
    source: ClassVar[Topic] = NOTIFICATIONS
    owned: ClassVar[Sequence[Topic]] = (OUTBOX,)

    def __init__(
        self,
        partition: int,
        deployment: Deployment,
        *,
        make_channels: Callable[[], Mapping[str, Channel]],
        quiet: Mapping[str, QuietHours | None],
        clock: Callable[[], int] = machine_clock,
        die: Die = die,
    ) -> None:
        """`quiet`: every channel that lies in this partition; `make_channels` is called when it is loaded."""
        super().__init__(partition, deployment)
        self.outbox = Outbox(quiet)
        self._make_channels = make_channels
        self._clock = clock
        self._die = die
        self._lanes: dict[str, _Lane] = {}
        self._writing = asyncio.Lock()
        self._unwritten: list[Message] = []
        """Rows on their way; of what was told during a rebalance, until it is over."""
        self._is_suspended = False
        self._traces = LatestByLead()
        """Alert id -> the span within which it was handed over."""

    async def load(self) -> None:
        """Read back what is to be told, and go on."""
        published = await self.recover()
        gone: list[Message] = []

        def restore(key: bytes, row: bytes) -> None:
            if not self.outbox.restore(key, row):
                gone.append((key, None))

        damaged = await self.put_back(published, OUTBOX, restore)
        if gone:
            log.warning("outbox.dropped", rows=len(gone), reason="channel is not configured any more")
        await self.write({OUTBOX: gone + damaged})
        channels = self._make_channels()
        self._lanes = {name: _Lane(name, channels[name]) for name in self.outbox.channels}

    async def process(self, records: list[Fetched]) -> None:
        """Write down what is to be told, and begin to tell it."""
        now = self._clock()
        frames = await self.decoded([record for record in records if record.key != FENCE], decode_frame)
        if trace := self.deployment.tracing.current:
            for frame in frames:
                for alert in frame.alerts:
                    self._traces.note(alert.id, trace)
        rows = [message for frame in frames for message in self.outbox.take(frame, now)]
        # During a rebalance too: it waits for this batch, and what the batch says must not be lost.
        await self._write(rows, even_suspended=True)
        self.finish(records)
        self._pump_all()

    async def tick(self, now: int) -> None:
        """Try again what is due again."""
        self._is_suspended = False
        await self._write(self.outbox.expire(now))
        for lane in self._lanes.values():
            self._repeat(lane, now)
        self._pump_all()

    async def suspend(self) -> None:
        """Write no more; what is under way may end, and its rows are written when the partition stays."""
        self._is_suspended = True
        await self._wait_for_tasks()
        async with self._writing:
            pass
        await super().suspend()

    async def close(self) -> None:
        """Drop what is held. What was under way is sent again by the next owner."""
        self._is_suspended = True
        await self._wait_for_tasks()
        for lane in self._lanes.values():
            if lane.timer is not None:
                lane.timer.cancel()
            await tasks.end(lane.tasks)
            await lane.channel.close()
        await super().close()

    async def _wait_for_tasks(self) -> None:
        tasks = [task for lane in self._lanes.values() for task in lane.tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=LETTING_GO_SECONDS)

    async def _write(self, rows: list[Message], *, even_suspended: bool = False) -> None:
        """Write rows, in the order of the calls; what comes while others are under way travels together."""
        self._unwritten += rows
        async with self._writing:
            if self._unwritten and (even_suspended or not self._is_suspended):
                together, self._unwritten = self._unwritten, []
                await self.write({OUTBOX: together})

    def _pump_all(self) -> None:
        for lane in self._lanes.values():
            self._pump(lane)

    def _pump(self, lane: _Lane) -> None:
        """Begin to tell what may be told now."""
        now = self._clock()
        # A receiver that is away is asked with one message only.
        room = 1 if lane.failures else lane.channel.parallel
        if not self._is_suspended and now >= lane.blocked_until and len(lane.tasks) < room:
            turns, rows = self.outbox.next_summary(lane.name, now)
            if turns or rows:
                lane.sent_at = now if turns else lane.sent_at
                self._start(lane, self._deliver(lane, turns, rows, is_summary=True))
        while not self._is_suspended and now >= lane.blocked_until and len(lane.tasks) < room:
            ready_at = lane.sent_at + int(lane.channel.spacing_seconds * SECOND)
            if lane.sent_at <= now < ready_at:
                self._pump_later(lane, (ready_at - now) / SECOND)
                return
            turns, rows = self.outbox.next(lane.name, now, lane.channel.at_once)
            if not turns and not rows:
                return
            if turns:
                lane.sent_at = now
            self._start(lane, self._deliver(lane, turns, rows))

    def _pump_later(self, lane: _Lane, seconds: float) -> None:
        def pump() -> None:
            lane.timer = None
            self._pump(lane)

        if lane.timer is None:
            lane.timer = asyncio.get_running_loop().call_later(seconds, pump)

    def _repeat(self, lane: _Lane, now: int) -> None:
        every = lane.channel.repeat_seconds
        if every is None or self._is_suspended or lane.failures or abs(now - lane.repeated_at) < every * SECOND:
            return
        lane.repeated_at = now
        alerts = self.outbox.told_open(lane.name)
        if alerts:
            self._start(lane, self._remind(lane, alerts))

    def _start(self, lane: _Lane, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._guarded(lane, work))
        lane.tasks.add(task)
        task.add_done_callback(lambda done: self._ended(lane, done))

    def _ended(self, lane: _Lane, task: asyncio.Task[None]) -> None:
        lane.tasks.discard(task)
        if not task.cancelled():
            self._pump(lane)

    async def _guarded(self, lane: _Lane, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001
            # Nobody awaits this task, and a lane that stands still without a word would be worse than a restart.
            self._die(FAILED, f"channel {lane.name}: {type(error).__name__}", error=error)

    async def _deliver(
        self, lane: _Lane, turns: list[WaitingTurn], rows: list[Message], *, is_summary: bool = False
    ) -> None:  # fmt: skip
        """Tell; in a summary, in one message, what was first told too late for one of its own."""
        if turns:
            try:
                await self._send(lane, [turn.alert for turn in turns], self._clock(), is_summary=is_summary)
            except (ChannelUnavailableError, RefusedError) as error:
                rows += self._put_off(lane, turns, error, is_summary=is_summary)
            else:
                lane.failures = 0
                if is_summary:
                    lane.refused_summaries = 0
                for turn in turns:
                    lane.refusals.pop(turn.alert.id, None)
                self.progress.count(f"told.{lane.name}", len(turns))
                self.settle()
                rows += (self.outbox.summed if is_summary else self.outbox.told)(lane.name, turns)
        await self._write(rows)

    async def _remind(self, lane: _Lane, alerts: list[Alert]) -> None:
        for first in range(0, len(alerts), lane.channel.at_once):
            try:
                await self._send(lane, alerts[first : first + lane.channel.at_once], self._clock())
            except (ChannelUnavailableError, RefusedError) as error:
                log.warning("alerts.not_repeated", channel=lane.name, reason=error.reason)
                return

    async def _send(self, lane: _Lane, alerts: list[Alert], now: int, *, is_summary: bool = False) -> None:
        traces = filter(None, (self._traces.of(alert.id) for alert in alerts))
        attributes: Attributes = {"floorcast.channel": lane.name, "floorcast.alerts": len(alerts)}
        with self.deployment.tracing.span("send alerts", "client", parents=traces, attributes=attributes):
            await self._try_to_send(lane, alerts, now, is_summary=is_summary)
        log.info(
            "alerts.told", channel=lane.name, alerts=[alert.id for alert in alerts[:_TOLD]], more=len(alerts[_TOLD:]),
            requests=sorted({alert.request for alert in alerts if alert.request})[:_TOLD],
        )  # fmt: skip

    async def _try_to_send(self, lane: _Lane, alerts: list[Alert], now: int, *, is_summary: bool) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                if alerts[0].notice is not None:
                    await lane.channel.announce(alerts, now)
                else:
                    await (lane.channel.summarize if is_summary else lane.channel.send)(alerts, now)
        except TimeoutError:
            raise ChannelUnavailableError(reason=f"not taken within {SEND_SECONDS:g} s") from None
        except ChannelError:
            raise
        except Exception as error:  # noqa: BLE001 - a channel with a fault of its own must not stop the others
            raise RefusedError(reason=f"cannot be sent ({type(error).__name__})") from None

    def _block(self, lane: _Lane, error: ChannelUnavailableError) -> int:
        """Leave the receiver alone for a while; until when."""
        pause = error.retry_after
        if pause is None:
            pause = _pause(lane.failures, LONGEST_PAUSE_SECONDS)
        lane.failures += 1
        lane.blocked_until = self._clock() + int(pause * SECOND)
        return lane.blocked_until

    def _set_aside(self, lane: _Lane, turns: list[WaitingTurn]) -> int:
        """Leave these alone for a while, others may go; until when."""
        times = max(lane.refusals.get(turn.alert.id, 0) for turn in turns)
        for turn in turns:
            lane.refusals[turn.alert.id] = times + 1
        return self._clock() + int(_pause(times, LONGEST_REFUSAL_SECONDS) * SECOND)

    def _put_off(
        self, lane: _Lane, turns: list[WaitingTurn], error: ChannelUnavailableError | RefusedError, *, is_summary: bool
    ) -> list[Message]:
        """Try these again later; the rows of those that were tried for so long that they are given up."""
        now = self._clock()
        lane.refused_summaries += is_summary
        if isinstance(error, ChannelUnavailableError):
            until = self._block(lane, error)
        elif is_summary:
            until = now + int(_pause(lane.refused_summaries, LONGEST_REFUSAL_SECONDS) * SECOND)
        else:
            until = self._set_aside(lane, turns)
        hopeless = [turn for turn in turns if now - turn.since > GIVE_UP]
        left = [turn for turn in turns if now - turn.since <= GIVE_UP]
        (self.outbox.put_back_summary if is_summary else self.outbox.put_back)(lane.name, left, until)
        self.progress.count(f"not_told.{lane.name}", len(turns))
        log.warning(
            "alerts.not_told", channel=lane.name, alerts=len(turns), reason=error.reason,
            again_in=round((until - now) / SECOND, 1),
        )  # fmt: skip
        if hopeless:
            for turn in hopeless:
                lane.refusals.pop(turn.alert.id, None)
            self.progress.count(f"given_up.{lane.name}", len(hopeless))
            log.error("alerts.given_up", channel=lane.name, alerts=[turn.alert.id for turn in hopeless][:20])
        self.settle()
        return (self.outbox.summed if is_summary else self.outbox.give_up)(lane.name, hopeless)


def _pause(failures: int, longest: float) -> float:
    """Twice as long each time, and not the same for all that failed together."""
    return float(min(longest, FIRST_PAUSE_SECONDS * 2 ** min(failures, 20)) * random.uniform(0.5, 1.0))  # noqa: S311
