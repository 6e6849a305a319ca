"""Fills the view from Kafka and says when it has caught up.

Owns the consumer without a group, the positions read, and the latency that messages show. Everything it applies goes
through `View.apply`; what it wakes is the broadcaster.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from api.read.catch_up import CatchUp
from api.read.generations import read_served
from api.read.latency import Latency
from api.read.other_definitions import OtherDefinitions
from api.read.snapshots import Snapshots
from api.read.topics import BUSY, STAGE_INPUTS, VIEW
from api.read.view import View
from api.settings import Settings
from schemas import tasks
from schemas.generations import Served, first_generation
from schemas.instants import SECOND
from schemas.kafka_clients import FetchPace, begun_whole, is_cancelled, stop_quietly
from schemas.kafka_patience import LEAST_SECONDS, limit_waiting
from schemas.kafka_refusals import what_refuses
from schemas.progress import STAGES
from schemas.topics import DELIVERIES, ENGAGEMENTS, PANES, RECORD_CHANGES, Topic

log = structlog.get_logger("api")

AT_ONCE = 1_000
"""Messages applied before the event loop turns again: webhooks are taken while the view loads."""
PRESSED_FOR = SECOND // 10
"""After so many at once there are likely to be more."""

_BUSY_PAUSE_SECONDS = 0.006
"""Between taking what came and asking for more. Asked at once, Kafka answers with each batch, more often than screens
are told; the numbers are on them sooner where it is left the time to do something else."""

# One fetch is under way on a connection: a long one would hold back the ends of topics, which are asked for there too.
# While nothing comes that may be so (`FetchPace`).
_BUSY_WAIT_MS = 50
_QUIET_WAIT_MS = 1000

_NOT_DERIVED = "the stages have not derived everything by these definitions yet"
_SHORTEST_DELAY = 0.2
_REQUEST_MS = 15_000
"""Longer than for what is small: a fetch may bring many megabytes over a slow line."""
# So long a fetch waits for what the last one brought to be applied. aiokafka leaves partitions out of a fetch that are
# not drained: sent at once, it left out just those that were busy, and held their next messages back until it returned.
_DRAIN_SECONDS = 0.02

BLIND = 5 * SECOND
"""The ends of the log were not seen for so long: what is served may be as old as that."""


class Behind:
    """How far the numbers are behind the log: the ends of what the stages read, looked at every second."""

    def __init__(self) -> None:
        self.lag: dict[tuple[str, int], int] = {}
        """(source topic, partition) -> messages that its stage has not done."""
        self._marks: dict[str, deque[tuple[int, Mapping[int, int]]]] = {}
        self._looked_at: int | None = None

    def look(
        self,
        now: int,
        stage: str,
        topic: str,
        ends: Mapping[int, int],
        done: Mapping[int, int],
        reached: Mapping[int, int] | None = None,
    ) -> None:
        """Note the ends of a stage's source at `now`, and forget earlier ones that it has passed.

        `done` as of before the ends were asked for: where it lies behind one of them even so, the log is shorter than
        what was read, and the lag is negative and told as that. `reached`: what the stage has done by whatever
        definitions, where that is more; the lag is its own, and not the view's.
        """
        reached = done if reached is None else reached
        self._looked_at = now
        marks = self._marks.setdefault(stage, deque(maxlen=7200))
        marks.append((now, ends))
        for partition, end in ends.items():
            self.lag[topic, partition] = end - reached.get(partition, 0)
        self.passed(stage, done)

    def passed(self, stage: str, done: Mapping[int, int]) -> None:
        """Forget the ends that the stage has passed."""
        marks = self._marks.get(stage)
        while marks and all(done.get(partition, 0) >= end for partition, end in marks[0][1].items()):
            marks.popleft()

    def seconds(self, now: int) -> float:
        """Age of the oldest end that a stage has not passed yet; 0 when all is done."""
        oldest = min((marks[0][0] for marks in self._marks.values() if marks), default=now)
        if self._looked_at is not None and now - self._looked_at > BLIND:
            # Kafka has not answered since: nobody knows what has come in.
            oldest = min(oldest, self._looked_at)
        return max(0.0, (now - oldest) / SECOND)


class ViewConsumer:
    """Reads the view's topics from their beginning, for ever."""

    def __init__(
        self,
        settings: Settings,
        view: View,
        *,
        latency: Latency,
        on_change: Callable[[], None],
        on_redefined: Callable[[str], None],
        clock: Callable[[], int],
        served: Served | None = None,
        snapshots: Snapshots | None = None,
    ) -> None:
        """`snapshots`: where panes may lie that need not be read; None: nowhere.

        `served`: which generation to read; None: the one that `generations` names when Kafka is reached.

        `on_redefined`: told the digest by which a worker has begun to write that is not what the view holds.
        """
        self._settings = settings
        self._view = view
        self._latency = latency
        self._on_change = on_change
        self._on_redefined = on_redefined
        self._other_definitions = OtherDefinitions(view.definitions)
        self._taking = "Kafka"
        """What was taken in last."""
        self._clock = clock
        self.served = served
        self._snapshots = snapshots
        self._names: dict[str, str] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._problem: str | None = "the view has not begun to load"
        self.is_loaded = False
        """The view has all that was in its topics at the start, by its definitions: it is whole, though as old as the
        stages are."""
        self._behind = Behind()
        self._has_read = False
        """What comes now is news."""
        self._pressed_at = -PRESSED_FOR
        """When more had come than is taken in at once."""
        self._newest_at = 0
        """When Kafka last had no panes that are not read by now (microseconds)."""

    def problems(self) -> list[str]:
        """What is missing before the numbers may be believed; empty when they may."""
        if self._task is not None and self._task.done():
            return ["the view is not read any more"]
        return [] if self._problem is None else [self._problem]

    @property
    def is_pressed(self) -> bool:
        """Whether more has come a moment ago than is taken in at once."""
        return 0 <= self._clock() - self._pressed_at < PRESSED_FOR

    @property
    def definitions_problem(self) -> str | None:
        """By which other definitions workers write, in words; None: by none that we know of."""
        return self._other_definitions.why_not_ours

    @property
    def stands_still(self) -> bool:
        """Whether workers derive by other definitions than the view's, so that it stays as it was before."""
        return self._other_definitions.is_any_held

    @property
    def applied(self) -> dict[str, dict[str, int]]:
        """Topic of the catalogue -> partition -> the next offset to come into the view."""
        found: dict[str, dict[str, int]] = {}
        for tp, offset in sorted(self._positions.items()):
            found.setdefault(self._names[tp.topic], {})[str(tp.partition)] = offset
        return found

    @property
    def positions(self) -> dict[tuple[str, int], int]:
        """Topic as Kafka knows it and partition -> the next offset to come into the view."""
        return {(tp.topic, tp.partition): offset for tp, offset in self._positions.items()}

    @property
    def lag(self) -> dict[tuple[str, int], int]:
        """(source topic, partition) -> messages that its stage has not done, as of the last second."""
        return self._behind.lag

    def behind_seconds(self, now: int) -> float:
        """Age of the oldest delivery that is not in the numbers yet; 0 when all is."""
        for stage in STAGE_INPUTS:
            self._behind.passed(stage, self._done(stage))
        return self._behind.seconds(now)

    async def start(self) -> None:
        """Begin to read, in a task of its own."""
        self._task = asyncio.create_task(self._run(), name="view")

    async def stop(self) -> None:
        """End reading."""
        await tasks.end([self._task])

    async def _run(self) -> None:
        delay = _SHORTEST_DELAY
        while True:
            applied = dict(self._positions)
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and is_cancelled():
                    raise
                log.warning("view.interrupted", error=type(error).__name__, again_in=delay)
                if self._problem is not None:
                    refusal = await what_refuses(self._settings.kafka, error)
                    self._problem = (
                        refusal or f"Kafka at {self._settings.broker} cannot be read: {type(error).__name__}"
                    )
            except Exception as error:
                # A message that nobody can read: from here on the numbers would be wrong, so none are served.
                log.exception("view.failed", again_in=delay)
                self.is_loaded = False
                self._problem = f"the view cannot take in what {self._taking} holds: {type(error).__name__}"
            if self._positions != applied:
                delay = _SHORTEST_DELAY
            await asyncio.sleep(delay)
            delay = min(5.0, delay * 2)

    async def _read(self) -> None:
        if self.served is None:
            self.served = await read_served(self._settings)
        self._names = {self._full(topic): topic.name for topic in VIEW}
        async with contextlib.AsyncExitStack() as stack:
            busy = await self._begin(stack, BUSY, wait_ms=_BUSY_WAIT_MS)
            quiet = [topic for topic in VIEW if topic not in BUSY]
            calm = await self._begin(stack, quiet, wait_ms=_QUIET_WAIT_MS)
            await _until_one_fails(
                self._follow(busy, FetchPace(busy, _BUSY_WAIT_MS), pause_seconds=_BUSY_PAUSE_SECONDS),
                self._follow(calm),
                self._catch_up(busy),
                self._look_at_sources(busy),
            )

    async def _begin(
        self, stack: contextlib.AsyncExitStack, topics: Iterable[Topic], *, wait_ms: int
    ) -> AIOKafkaConsumer:
        """A consumer of these topics, at the beginning, or after an interruption where the view was."""
        consumer = AIOKafkaConsumer(
            **self._settings.kafka.options(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=wait_ms,
            request_timeout_ms=_REQUEST_MS,
            max_partition_fetch_bytes=4 << 20,
            fetch_max_bytes=32 << 20,
        )
        # A broker that went silent is given up after so long, and the leaders are asked for anew.
        limit_waiting(consumer._client, LEAST_SECONDS)
        stack.push_async_callback(stop_quietly, consumer)
        await begun_whole(consumer.start())
        consumer._fetcher._prefetch_backoff = _DRAIN_SECONDS
        partitions = [place for topic in topics for place in self._places(topic)]
        consumer.assign(partitions)
        begins = await consumer.beginning_offsets(partitions)
        if PANES in topics:
            await self._restore(begins)
        for tp, offset in begins.items():
            position = max(offset, self._positions.get(tp, 0))
            consumer.seek(tp, position)
            self._positions[tp] = position
        return consumer

    async def _restore(self, begins: Mapping[TopicPartition, int]) -> None:
        """Take what lies in a snapshot, once, where nothing was read yet."""
        name = self._full(PANES)
        if self._snapshots is None or self.served is None or self._positions:
            return
        there = {tp.partition: offset for tp, offset in begins.items() if tp.topic == name}
        found = await self._snapshots.restore(self._view, self.served, name, there)
        self._positions = {TopicPartition(name, partition): offset for partition, offset in (found or {}).items()}

    async def keep(self, snapshots: Snapshots) -> None:
        """Write a snapshot, where all of the view is to be believed."""
        if self.served is not None and self.is_loaded and not self.problems() and self._is_ours():
            name, positions = self._full(PANES), self._applied_of(PANES)
            await snapshots.keep(self._view, self.served, name, positions, self._newest_at)

    async def _follow(
        self, consumer: AIOKafkaConsumer, pace: FetchPace | None = None, *, pause_seconds: float = 0.0
    ) -> None:
        partitions = consumer.assignment()
        while True:
            fetched = await consumer.getmany(timeout_ms=1000, max_records=AT_ONCE)
            if pace is not None:  # who waits for this api to be ready waits for the ends of topics
                pace.note(has_come=bool(fetched) or self._problem is not None)
            if not fetched:
                continue
            is_all = sum(map(len, fetched.values())) < AT_ONCE
            if not is_all:
                self._pressed_at = self._clock()
            pause = pause_seconds if is_all and self.is_loaded else 0.0
            if pause:
                consumer.pause(*partitions)  # before aiokafka's own task asks again
            self._apply(fetched)
            # Webhooks and readers have their turn while millions of messages come in.
            await asyncio.sleep(pause)
            if pause:
                consumer.resume(*partitions)

    def _apply(self, fetched: Mapping[TopicPartition, list[ConsumerRecord[bytes, bytes]]]) -> None:
        now = self._clock()
        for tp, records in fetched.items():
            name, self._taking = self._names[tp.topic], f"{tp.topic}[{tp.partition}]"
            apply = self._view.apply if self.is_loaded else self._view.load
            passed = self._other_definitions.pass_on(name, tp.partition, records, is_served=self.is_loaded)
            for record in passed:
                apply(name, record.key, record.value)
            if name == PANES.name and self.is_loaded:
                self._note_latency(now, passed)
            self._positions[tp] = records[-1].offset + 1
        if not self.is_loaded:
            # All of it is news: a list of it would be as large as the view.
            self._view.forget_changes()
        self._on_change()
        if self._has_read:
            for by in self._other_definitions.take_news():
                self._on_redefined(by)

    def _note_latency(self, now: int, panes: Iterable[ConsumerRecord[bytes, bytes]]) -> None:
        """What comes of one batch of deliveries says when the oldest of them was received, and is counted at once."""
        for received_ms, values in Counter(pane.timestamp for pane in panes if pane.value is not None).items():
            self._latency.observe(now, received_ms * 1000, values)

    async def _catch_up(self, consumer: AIOKafkaConsumer) -> None:
        """Ready, once every stage and the view have passed what was in Kafka at the start."""
        if self._problem is None:
            return
        self._problem = "the view is loading"
        began_at = self._clock()

        async def ends(topics: Sequence[Topic]) -> Sequence[Mapping[int, int]]:
            return await self._ends(consumer, topics)

        steps = CatchUp(ends, self._done, self._applied_of)
        await self._read_all(steps)
        self._has_read = True
        self._other_definitions.take_news()  # by whatever was written once; what is now follows
        for by in self._other_definitions.others:
            self._on_redefined(by)
        is_steady = False
        while not (is_steady and self._is_ours()):
            # What was derived before a stage said so lies below the ends that are asked after it.
            is_steady = self._is_ours()
            if not is_steady:
                self._problem = self.definitions_problem or _NOT_DERIVED
                await asyncio.sleep(0.02)
            await self._read_all(steps)
        for _ in self._view.store.settling():
            await asyncio.sleep(0)
        self._view.settle()
        self.is_loaded, self._newest_at = True, began_at
        self._on_change()
        async for missing in steps.wait(DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, VIEW):
            self._problem = missing
            await asyncio.sleep(0.05)
        self._problem = None
        log.info("view.ready")

    async def _read_all(self, steps: CatchUp) -> None:
        async for missing in steps.wait_for_view(VIEW):
            self._problem = missing
            await asyncio.sleep(0.02)

    def _is_ours(self) -> bool:
        """Whether all that was read is by the view's definitions, of each partition as its stages last said."""
        return not self._other_definitions.others and not any(stage in STAGES for stage, _ in self._view.redefined)

    async def _look_at_sources(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            looked_at = self._clock()
            told = [(stage, topic, self._done(stage), self._reached(stage)) for stage, topic in STAGE_INPUTS.items()]
            panes, *inputs = await self._ends(consumer, [PANES, *STAGE_INPUTS.values()])
            for (stage, topic, done, reached), ends in zip(told, inputs, strict=True):
                self._behind.look(self._clock(), stage, topic.name, ends, done, reached)
            await asyncio.sleep(1)
            applied = self._applied_of(PANES)
            if self.is_loaded and all(applied.get(partition, 0) >= end for partition, end in panes.items()):
                self._newest_at = looked_at

    async def _ends(self, consumer: AIOKafkaConsumer, topics: Sequence[Topic]) -> Sequence[Mapping[int, int]]:
        places = [self._places(topic) for topic in topics]
        found = await consumer.end_offsets([tp for of_topic in places for tp in of_topic])
        return [{tp.partition: found[tp] for tp in of_topic} for of_topic in places]

    def _done(self, stage: str) -> Mapping[int, int]:
        return {
            partition: progress.offset
            for (of_stage, partition), progress in self._view.progress.items()
            if of_stage == stage
        }

    def _reached(self, stage: str) -> Mapping[int, int]:
        """As `_done`, by whatever definitions: while a changed configuration is rolled out nothing lags for that."""
        told = self._view.progress | self._view.redefined
        return {partition: progress.offset for (of_stage, partition), progress in told.items() if of_stage == stage}

    def _applied_of(self, topic: Topic) -> Mapping[int, int]:
        name = self._full(topic)
        return {tp.partition: offset for tp, offset in self._positions.items() if tp.topic == name}

    def _places(self, topic: Topic) -> list[TopicPartition]:
        served = self.served or first_generation(self._settings.partitions)
        partitions = topic.partitions(log=served.log_partitions, derived=served.partitions)
        return [TopicPartition(self._full(topic), partition) for partition in range(partitions)]

    def _full(self, topic: Topic) -> str:
        return topic.full_name(self._settings.prefix, self.generation)

    @property
    def generation(self) -> int:
        """Which is read."""
        return 1 if self.served is None else self.served.generation


async def _until_one_fails(*works: Coroutine[Any, Any, None]) -> None:
    """All of them at the same time; ends them with the first error, or when all are done."""
    begun = pending = {asyncio.create_task(work) for work in works}
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        await tasks.end(begun)
