"""What owners send together, on a real broker, over a line that fails as lines do: before the broker and after it."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    DuplicateSequenceNumber,
    KafkaConnectionError,
    NotLeaderForPartitionError,
    ProducerFenced,
    RequestTimedOutError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from processor.transport.fetched import Stored
from processor.transport.outgoing import ANSWER_SECONDS, MUCH, UNDER_WAY, Outgoing
from processor.transport.packing import KeyAndValue, pack
from processor.transport.reading import read_to
from schemas.log_marks import Place
from tests.processor.transport.floor import create_topics, ends_of

pytestmark = pytest.mark.kafka

LOST = "the answer is lost"
BROKEN = "the line breaks before the broker"
MOVED = "the broker says that another one leads"
KNOWN = "the broker has it already, and has forgotten where"
PARTITIONS = 3
_CODES = {MOVED: NotLeaderForPartitionError.errno, KNOWN: DuplicateSequenceNumber.errno}


class Line(AIOKafkaClient):  # type: ignore[misc]
    """A client whose produce requests fare as `fate` says; None: well."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self.requests: list[Counter[Place]] = []
        self.waits_ms: list[int] = []
        """For how long the broker may wait for its followers."""
        self.names = 0
        self.knows_brokers = False
        self.fate: Callable[[], str | None] = lambda: None
        self.held: asyncio.Event | None = None
        """While it is not set, answers do not come."""

    def get_random_node(self) -> Any:
        """None at first: so a broker answers that has just started."""
        knew, self.knows_brokers = self.knows_brokers, True
        return super().get_random_node() if knew else None

    async def send(self, node_id: Any, request: Any, **rest: Any) -> Any:
        if isinstance(request, InitProducerIdRequest):
            self.names += 1
            if self.names == 1:
                raise RequestTimedOutError
        if not isinstance(request, ProduceRequest):
            return await super().send(node_id, request, **rest)
        self.requests.append(Counter((topic, number) for topic, parts in request._topics for number, _ in parts))
        self.waits_ms.append(request._timeout)
        fate = self.fate()
        if fate == BROKEN:
            raise KafkaConnectionError(fate)
        answer = await super().send(node_id, request, **rest)
        if self.held is not None:
            await self.held.wait()
        if fate == LOST:
            raise KafkaConnectionError(fate)
        if fate in _CODES:
            # Of what the broker has taken all the same: it knows it again by its number.
            answer.topics = [
                (topic, [(number, _CODES[fate], -1, *more) for number, _, _, *more in parts])
                for topic, parts in answer.topics
            ]
        return answer


class Desk:
    """One sender with its name, numbering what it sends."""

    def __init__(self, outgoing: Outgoing, name: str) -> None:
        self.outgoing = outgoing
        self.name = name
        self.identity = (-1, -1)
        self._sequences: Counter[Place] = Counter()

    async def open(self) -> None:
        await self.outgoing.join(self)
        self.identity = await self.outgoing.next_identity(self.name)

    def send(self, messages: dict[Place, list[KeyAndValue]]) -> "asyncio.Future[dict[Place, int]]":
        stamped = []
        for place, batch in messages.items():
            packed, rest = pack(batch, 0, timestamp_ms=1_773_852_090_344, limit=900_000)
            assert rest == len(batch)
            stamped.append((place, packed.stamped(*self.identity, self._sequences[place])))
            self._sequences[place] += packed.count
        return self.outgoing.ship(self, stamped)


class Office:
    """An `Outgoing` with its line, and desks that share it."""

    def __init__(self, bootstrap: str, prefix: str, *, request_timeout_seconds: float = 30.0) -> None:
        self.bootstrap = bootstrap
        self.topic = f"{prefix}office"
        self.outgoing = Outgoing(
            bootstrap,
            request_timeout_seconds=request_timeout_seconds,
            unknown_seconds=request_timeout_seconds,
            make_client=self._make_line,
        )
        self.lines: list[Line] = []
        self.desks: list[Desk] = []

    @property
    def line(self) -> Line:
        return self.lines[-1]

    def _make_line(self, **rest: Any) -> Line:
        self.lines.append(Line(**rest))
        return self.line

    async def desk(self) -> Desk:
        desk = Desk(self.outgoing, f"{self.topic}-{len(self.desks)}")
        self.desks.append(desk)
        await desk.open()
        return desk

    async def warm(self, desk: Desk) -> None:
        """Learn who leads the partitions, and forget the requests that took."""
        await desk.send({(self.topic, number): [(b"warm", None)] for number in range(PARTITIONS)})
        self.line.requests.clear()

    async def stored(self, partition: int) -> list[KeyAndValue]:
        place, found = (self.topic, partition), list[Stored]()
        ends = await ends_of(self.bootstrap, self.topic, PARTITIONS)
        await read_to(self.bootstrap, {place: ends[place]}, lambda _topic, _partition, records: found.extend(records))
        return [(record.key, record.value) for record in found if record.key != b"warm"]


@pytest.fixture
async def office(kafka: str, prefix: str) -> AsyncIterator[Office]:
    office = Office(kafka, prefix)
    await create_topics(kafka, [office.topic], partitions=PARTITIONS, configs={})
    yield office
    for desk in office.desks:
        await desk.outgoing.leave(desk)


async def test_what_senders_hand_over_in_one_turn_of_the_loop_travels_in_one_request(office: Office) -> None:
    first, second = await office.desk(), await office.desk()
    await office.warm(first)

    ab = first.send({(office.topic, 0): [(b"a", b"1")], (office.topic, 1): [(b"b", b"2")]})
    cd = second.send({(office.topic, 2): [(b"c", b"3"), (b"d", None)]})

    assert (await ab, await cd) == ({(office.topic, 0): 1, (office.topic, 1): 1}, {(office.topic, 2): 1})
    assert [set(request) for request in office.line.requests] == [{(office.topic, number) for number in range(3)}]
    assert await office.stored(2) == [(b"c", b"3"), (b"d", None)]


async def test_a_leader_says_that_followers_are_late_before_it_is_taken_for_one_that_hangs(office: Office) -> None:
    await office.warm(await office.desk())

    assert office.line.waits_ms
    # It begins to wait for those of the second request when it has answered the first.
    assert all(0 < UNDER_WAY * wait_ms < ANSWER_SECONDS * 1000 for wait_ms in office.line.waits_ms)


async def test_what_comes_while_requests_are_under_way_gathers_for_the_next(office: Office) -> None:
    desks = [await office.desk() for _ in range(UNDER_WAY + PARTITIONS)]
    await office.warm(desks[0])
    office.line.held = asyncio.Event()
    sent = []
    for number, desk in enumerate(desks):
        sent.append(desk.send({(office.topic, number % PARTITIONS): [(b"%d" % number, None)]}))
        await asyncio.sleep(0.01)
    assert len(office.line.requests) == UNDER_WAY

    office.line.held.set()
    await asyncio.gather(*sent)

    assert [sum(request.values()) for request in office.line.requests] == [*[1] * UNDER_WAY, PARTITIONS]


async def test_two_senders_to_one_partition_go_one_after_the_other_in_requests_of_one_batch_each(
    office: Office,
) -> None:
    # Kafka takes one batch of a partition in a request.
    first, second = await office.desk(), await office.desk()
    await office.warm(first)

    await asyncio.gather(*(desk.send({(office.topic, 0): [(desk.name.encode(), b"")]}) for desk in (first, second)))

    assert [set(request.values()) for request in office.line.requests] == [{1}, {1}]
    assert {key for key, _ in await office.stored(0)} == {first.name.encode(), second.name.encode()}


async def test_much_does_not_wait_for_what_is_under_way_but_for_its_own_senders_last(office: Office) -> None:
    first, second = await office.desk(), await office.desk()
    await office.warm(first)
    office.line.held = asyncio.Event()
    sent = []
    for number in range(UNDER_WAY):
        sent.append(first.send({(office.topic, number): [(b"a", b"x")]}))
        await until(lambda number=number: len(office.line.requests) == number + 1)  # type: ignore[misc]
    sent.append(first.send({(office.topic, 0): [(b"b", b"x" * MUCH)]}))
    sent.append(second.send({(office.topic, 1): [(b"c", b"x" * MUCH)]}))
    await until(lambda: len(office.line.requests) == UNDER_WAY + 1)

    # Not the first one's next for the same partition: what is repeated would come behind it.
    assert set(office.line.requests[-1]) == {(office.topic, 1)}
    office.line.held.set()
    await asyncio.gather(*sent)
    assert [key for key, _ in await office.stored(0)] == [b"a", b"b"]


@pytest.mark.parametrize("fate", [LOST, BROKEN, MOVED])
async def test_what_was_not_acknowledged_is_sent_again_and_stored_once(office: Office, fate: str) -> None:
    desk = await office.desk()
    await office.warm(desk)
    fates = iter([fate])
    office.line.fate = lambda: next(fates, None)

    offsets = await desk.send({(office.topic, 0): [(b"a", b"1")], (office.topic, 1): [(b"b", b"2")]})

    assert offsets == {(office.topic, 0): 1, (office.topic, 1): 1}
    assert len(office.line.requests) == 2
    assert await office.stored(0) == [(b"a", b"1")]


async def test_what_kafka_has_had_before_is_acknowledged_without_a_place(office: Office) -> None:
    desk = await office.desk()
    await office.warm(desk)
    office.line.fate = lambda: KNOWN

    assert await desk.send({(office.topic, 0): [(b"a", b"1")]}) == {(office.topic, 0): -1}
    assert len(office.line.requests) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_each_senders_messages_are_stored_once_and_in_order_whatever_the_line_does(
    office: Office, seed: int
) -> None:
    chance, sends = random.Random(seed), 24
    desks = [await office.desk() for _ in range(4)]
    await office.warm(desks[0])
    office.line.fate = lambda: chance.choice([LOST, BROKEN, MOVED, *[None] * 6])

    async def work(desk: Desk) -> None:
        under_way = []
        for number in range(sends):
            batch: list[KeyAndValue] = [(desk.name.encode(), b"%d" % (2 * number + i)) for i in (0, 1)]
            under_way.append(desk.send({(office.topic, p): batch for p in range(PARTITIONS) if p < 2 or number % 2}))
            if chance.random() < 0.5:
                await under_way[-1]
        await asyncio.gather(*under_way)

    await asyncio.gather(*map(work, desks))

    for partition in range(PARTITIONS):
        found = await office.stored(partition)
        for desk in desks:
            mine = [int(value or b"") for key, value in found if key == desk.name.encode()]
            numbers = [number for number in range(sends) if partition < 2 or number % 2]
            assert mine == [2 * number + i for number in numbers for i in (0, 1)]


async def test_a_newer_epoch_refuses_the_older_one_and_nobody_else(office: Office) -> None:
    older, other = await office.desk(), await office.desk()
    newer = Desk(office.outgoing, older.name)
    office.desks.append(newer)
    await newer.open()
    await newer.send({(office.topic, 0): [(b"newer", b"")]})

    outcomes = await asyncio.gather(
        older.send({(office.topic, 0): [(b"older", b"")]}),
        other.send({(office.topic, 1): [(b"other", b"")]}),
        return_exceptions=True,
    )

    assert isinstance(outcomes[0], ProducerFenced)
    assert outcomes[1] == {(office.topic, 1): 0}
    assert await office.stored(0) == [(b"newer", b"")]


async def test_a_name_is_asked_for_again_until_kafka_says_it(office: Office) -> None:
    desk = await office.desk()

    assert office.line.knows_brokers
    assert office.line.names == 2  # the first got no answer
    assert desk.identity[0] >= 0


async def test_what_kafka_does_not_know_is_refused_after_a_while_and_all_else_goes(kafka: str, prefix: str) -> None:
    office = Office(kafka, prefix, request_timeout_seconds=1.0)
    await create_topics(kafka, [office.topic], partitions=PARTITIONS, configs={})
    desk = await office.desk()

    outcomes = await asyncio.gather(
        desk.send({(f"{office.topic}-of-nobody", 0): [(b"a", b"1")]}),
        desk.send({(office.topic, PARTITIONS): [(b"a", b"1")]}),
        desk.send({(office.topic, 0): [(b"a", b"1")]}),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes[:2]] == [UnknownTopicOrPartitionError] * 2
    assert outcomes[2] == {(office.topic, 0): 0}
    await office.outgoing.leave(desk)


async def test_who_leaves_takes_along_what_was_not_sent_and_waits_for_what_is_under_way(office: Office) -> None:
    leaver, stayer = await office.desk(), await office.desk()
    await office.warm(leaver)
    office.line.held = asyncio.Event()
    office.line.fate = iter([LOST, *[None] * 9]).__next__
    under_way = leaver.send({(office.topic, 0): [(b"under way", b"")]})
    await until(lambda: len(office.line.requests) == 1)
    unsent = leaver.send({(office.topic, 0): [(b"unsent", b"")]})
    others = stayer.send({(office.topic, 1): [(b"others", b"")]})

    leaving = asyncio.create_task(office.outgoing.leave(leaver))
    await asyncio.sleep(0.05)
    assert not leaving.done()
    office.line.held.set()
    await leaving
    await others

    # Its answer was lost, and nobody repeats it: whoever has the name now may not have it written behind his back.
    assert under_way.cancelled()
    assert unsent.cancelled()
    assert [key for key, _ in await office.stored(0)] == [b"under way"]
    assert [key for key, _ in await office.stored(1)] == [b"others"]
    assert sum(request[office.topic, 0] for request in office.line.requests) == 1


async def test_the_last_one_closes_the_line_and_the_next_one_opens_another(office: Office) -> None:
    desk = await office.desk()
    await desk.send({(office.topic, 0): [(b"a", b"")]})
    await office.outgoing.leave(desk)
    again = await office.desk()
    await again.send({(office.topic, 0): [(b"b", b"")]})

    assert len(office.lines) == 2
    assert [key for key, _ in await office.stored(0)] == [b"a", b"b"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processor.transport.outgoing.BACKOFF_SECONDS", 0.01)
