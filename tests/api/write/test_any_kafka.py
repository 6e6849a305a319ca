"""Whatever Kafka does with its answers: each delivery has one answer, in its time, and nothing is kept or lost.

Kafka is a model, which the test's own clock runs.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber
from hypothesis import example, given
from hypothesis import strategies as st

from api.write.ingest import Ingest
from api.write.refusals import UnacknowledgedError
from schemas.deliveries import decode_delivery
from tests.api.live import make_settings
from tests.api.write.clock import Clock
from tests.api.write.producers import FakeBatch, FakeProducer, make_delivery

_TIMEOUT_SECONDS = 10.0
_LATENCY_SECONDS = 0.05
_LARGEST = 4_000
"""Bytes of a batch that the topic takes: some tens of small deliveries."""
_LEADERS = 3
_COUNT, _BYTES = 10_000, 1 << 30


class _Kafka:
    """What it stores, and which of its brokers hang."""

    def __init__(self) -> None:
        self.made: list[_Producer] = []
        self.stored: dict[str, bytes] = {}
        self.hung: set[int] = set()
        self.at_hung: set[bytes] = set()
        """Bodies that were with a broker while it hung."""
        self.is_all_hung = False
        self.refuses: list[KafkaError] = []
        """What the next ones that connect get."""
        self._open: list[tuple[int, int, list[bytes], asyncio.Future[SimpleNamespace]]] = []
        self._offsets = dict.fromkeys(range(2 * _LEADERS), 0)

    def make(self) -> Any:
        producer = _Producer(self, self.refuses.pop(0) if self.refuses else None)
        self.made.append(producer)
        return producer

    def take(self, partition: int, values: list[bytes]) -> "asyncio.Future[SimpleNamespace]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[SimpleNamespace] = loop.create_future()
        self._open.append((partition % _LEADERS, partition, values, answer))
        self._note_hung()
        loop.call_later(_LATENCY_SECONDS, self.work)
        return answer

    def hang(self, leader: int) -> None:
        self.hung.add(leader)
        self.is_all_hung |= len(self.hung) == _LEADERS
        self._note_hung()

    def free(self, leader: int) -> None:
        self.hung.discard(leader)
        self.work()

    def work(self) -> None:
        """Answer all that lies with brokers that do not hang."""
        open, self._open = self._open, []
        for leader, partition, values, answer in open:
            if leader in self.hung:
                self._open.append((leader, partition, values, answer))
                continue
            if sum(map(len, values)) > _LARGEST:
                if not answer.done():
                    answer.set_exception(MessageSizeTooLargeError())
                continue
            first = self._offsets[partition]
            for value in values:
                self.stored[f"{partition}-{self._offsets[partition]}"] = decode_delivery(value).body
                self._offsets[partition] += 1
            if not answer.done():
                answer.set_result(SimpleNamespace(partition=partition, offset=first))

    def break_one(self) -> None:
        """Refuse for good the last batch that has no answer yet."""
        if self._open:
            *_, answer = self._open.pop()
            if not answer.done():
                answer.set_exception(OutOfOrderSequenceNumber())

    def _note_hung(self) -> None:
        for leader, _, values, _ in self._open:
            if leader in self.hung:
                self.at_hung.update(decode_delivery(value).body for value in values)


class _Producer(FakeProducer):
    """One of the model's."""

    def __init__(self, kafka: _Kafka, failure: Exception | None) -> None:
        super().__init__(partitions=2 * _LEADERS, leaders=_LEADERS, failure=failure)
        self._kafka = kafka

    async def start(self) -> None:
        await asyncio.sleep(_LATENCY_SECONDS)
        await super().start()

    async def send_batch(self, batch: FakeBatch, _topic: str, *, partition: int) -> asyncio.Future[SimpleNamespace]:
        assert not self.is_closed
        return self._kafka.take(partition, batch.values)


class _Outcome:
    """Of one delivery."""

    def __init__(self, body: bytes, now: float) -> None:
        self.body = body
        self.arrived = now
        self.took = -1.0
        self.answer: str | UnacknowledgedError | None = None


async def _accept(ingest: Ingest, outcome: _Outcome) -> None:
    try:
        outcome.answer = await ingest.accept(make_delivery(outcome.body))
    except UnacknowledgedError as refusal:
        outcome.answer = refusal
    outcome.took = asyncio.get_running_loop().time() - outcome.arrived


async def _not_at_all(_error: str) -> None:
    """Nobody is asked why Kafka is away."""


Step = tuple[str, int]

_CALM = [
    st.tuples(st.just("small"), st.integers(1, 60)),
    st.tuples(st.just("large"), st.just(1)),
    st.tuples(st.just("wait"), st.sampled_from([0, 10, 100, 1_000])),
]
_LATE = [
    st.tuples(st.just("wait"), st.sampled_from([2_500, 6_000, 9_500])),
    st.tuples(st.sampled_from(["hang", "free"]), st.integers(0, _LEADERS - 1)),
]
_BROKEN = [
    st.tuples(st.just("break"), st.just(1)),
    st.tuples(st.just("away"), st.integers(1, 3)),
    st.tuples(st.just("wait"), st.just(45_000)),
]


async def _play(steps: list[Step], folder: Path) -> tuple[_Kafka, list[_Outcome], Ingest]:
    kafka, outcomes, tasks = _Kafka(), list[_Outcome](), list[asyncio.Task[None]]()
    loop = asyncio.get_running_loop()
    settings = make_settings(
        folder,
        produce_timeout_seconds=_TIMEOUT_SECONDS,
        max_in_flight_deliveries=_COUNT,
        max_in_flight_bytes=_BYTES,
    )
    ingest = Ingest(settings, kafka.make, explain=_not_at_all)
    await ingest.start()
    await asyncio.sleep(10 * _LATENCY_SECONDS)

    def post(count: int, size: int) -> None:
        for _ in range(count):
            outcomes.append(_Outcome(b"%d" % len(outcomes) + b" " * size, loop.time()))
            tasks.append(asyncio.create_task(_accept(ingest, outcomes[-1])))

    does: dict[str, Callable[[int], object]] = {
        "small": lambda count: post(count, 10),
        "large": lambda count: post(count, 2 * _LARGEST),
        "hang": kafka.hang,
        "free": kafka.free,
        "break": lambda _: kafka.break_one(),
        "away": lambda count: kafka.refuses.extend([KafkaConnectionError("away")] * count),
    }
    for step, value in steps:
        if step == "wait":
            await asyncio.sleep(value / 1000)
        else:
            does[step](value)
    if len(steps) % 2:  # else the api ends in the midst of it
        await asyncio.sleep(2 * _TIMEOUT_SECONDS)
    await ingest.stop()
    await asyncio.gather(*tasks)
    return kafka, outcomes, ingest


def _run(playing: Coroutine[Any, Any, tuple[_Kafka, list[_Outcome], Ingest]]) -> tuple[_Kafka, list[_Outcome], Ingest]:
    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(playing)


def _check(kafka: _Kafka, outcomes: list[_Outcome], ingest: Ingest) -> None:
    for outcome in outcomes:
        assert outcome.took <= _TIMEOUT_SECONDS + _LATENCY_SECONDS
        if isinstance(outcome.answer, str):
            assert kafka.stored[outcome.answer] == outcome.body
    assert (ingest._budget._count, ingest._budget._size) == (_COUNT, _BYTES)
    assert all(producer.is_closed for producer in kafka.made)


def _refused(outcomes: list[_Outcome]) -> set[bytes]:
    """Who was refused without being too large; but not those refused at once because Kafka was silent."""
    return {
        each.body
        for each in outcomes
        if not isinstance(each.answer, str) and len(each.body) < _LARGEST and each.took > _LATENCY_SECONDS
    }


@given(st.lists(st.one_of(*_CALM), max_size=12))
@example([("large", 1), *[("small", 60)] * 4])  # one by one they would wait for too long
def test_who_is_not_too_large_is_stored(tmp_path_factory: Any, steps: list[Step]) -> None:
    kafka, outcomes, ingest = _run(_play([*steps, ("wait", 60_000)], tmp_path_factory.getbasetemp()))

    _check(kafka, outcomes, ingest)
    assert not _refused(outcomes)


@given(st.lists(st.one_of(*_CALM, *_LATE), max_size=20))
def test_who_was_with_no_broker_that_hung_is_stored(tmp_path_factory: Any, steps: list[Step]) -> None:
    kafka, outcomes, ingest = _run(_play([*steps, ("wait", 60_000)], tmp_path_factory.getbasetemp()))

    _check(kafka, outcomes, ingest)
    assert kafka.is_all_hung or _refused(outcomes) <= kafka.at_hung


@given(st.lists(st.one_of(*_CALM, *_LATE, *_BROKEN), max_size=20))
def test_whatever_comes_each_has_one_answer_and_nothing_is_kept(tmp_path_factory: Any, steps: list[Step]) -> None:
    _check(*_run(_play(steps, tmp_path_factory.getbasetemp())))


def test_what_is_too_large_is_taken_apart_also_when_somebody_else_has_waited_in_vain(tmp_path: Path) -> None:
    steps = [
        *(("hang", leader) for leader in range(_LEADERS)),
        ("small", 1),
        ("wait", 100),
        ("large", 1),
        ("wait", 1_800),
        ("small", 1),  # goes with the large one, once the first is late
        ("wait", 7_600),
        ("small", 1),
        ("wait", 300),
        ("free", 1),  # just before the first has waited in vain
        ("wait", 60_000),
    ]
    kafka, outcomes, ingest = _run(_play([*steps, ("wait", 0)], tmp_path))

    _check(kafka, outcomes, ingest)
    assert [isinstance(outcome.answer, str) for outcome in outcomes] == [False, False, True, False]
