"""A channel over the fake bus: nothing lost, nothing twice, whatever the bus does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deploy.streaming.pubsub import PubSub, PubSubError
from deploy.streaming.stream import ChannelReader, Store, ask_token
from schemas.connectors.salesforce.connector import SalesforceApi
from schemas.deliveries import Delivery
from schemas.instants import HOUR
from schemas.stream_positions import StreamPosition
from tests.deploy.streaming.payloads import CHANNEL, CONNECTOR, ORGANIZATION, won
from tests.fakes.http import Response
from tests.fakes.salesforce_events import FakeEvents, FakeTokens

CLIENT = ("client", "secret-of-the-client")
EARLIEST, CUSTOM = 1, 2


class Log(Store):
    """A log in memory."""

    def __init__(self) -> None:
        super().__init__("sf", None, "deliveries", "positions", 0, 0)  # type: ignore[arg-type]
        self.stored: list[Delivery] = []
        self.told: list[StreamPosition] = []
        self.refuses = False

    async def append(self, deliveries: Sequence[Delivery]) -> int:
        if self.refuses:
            msg = "killed"
            raise KeyboardInterrupt(msg)
        self.stored += deliveries
        return len(self.stored) - 1

    async def tell(self, channel: str, position: StreamPosition) -> None:
        self.told.append(position)

    @property
    def ids(self) -> list[str]:
        changes = [change for delivery in self.stored for change in CONNECTOR.parse(delivery).changes]
        return [
            id
            for id, before in zip([c.id for c in changes], ["", *[c.id for c in changes]], strict=False)
            if id != before
        ]


@pytest.fixture
def bus() -> FakeEvents:
    return FakeEvents(organization=ORGANIZATION, topics=(CHANNEL,), keepalive=0.2)


@pytest.fixture
def tokens(bus: FakeEvents) -> Iterator[FakeTokens]:
    fake = FakeTokens(bus, client=CLIENT)
    with fake.serving():
        yield fake


def api(tokens: FakeTokens, secret: str = CLIENT[1]) -> SalesforceApi:
    return SalesforceApi.model_validate({"url": tokens.url, "client_id": CLIENT[0], "client_secret": secret})


@asynccontextmanager
async def following(
    endpoint: str, tokens: FakeTokens, log: Log, known: StreamPosition | None = None, **more: Any
) -> AsyncIterator[ChannelReader]:
    waits: list[float] = more.pop("waits", [])

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0.01)

    settings = more.pop("settings", None) or api(tokens)
    async with PubSub(
        endpoint,
        tls=False,
        organization=ORGANIZATION,
        log_in=lambda: ask_token(settings),
        silence_seconds=more.pop("silence", 5.0),
    ) as pubsub:
        channel = ChannelReader(CHANNEL, log, pubsub, known, sleep=sleep, chance=lambda: 0.5, **more)
        task = asyncio.create_task(channel.follow())
        try:
            yield channel
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.01)


def ids_of(numbers: Sequence[int]) -> list[str]:
    return [won(number)["ChangeEventHeader"]["recordIds"][0] for number in numbers]


async def test_a_new_stream_begins_with_all_that_is_kept_and_goes_on(bus: FakeEvents, tokens: FakeTokens) -> None:
    for number in range(250):
        bus.publish(CHANNEL, won(number))
    log = Log()
    with bus.serving() as endpoint:
        async with following(endpoint, tokens, log):
            await until(lambda: len(log.ids) == 250)
            bus.publish(CHANNEL, won(250))
            await until(lambda: len(log.ids) == 251)
    assert log.ids == ids_of(range(251))
    assert bus.subscriptions == [(CHANNEL, EARLIEST, b"")]
    assert bus.most_under_way <= 100
    assert len(bus.schema_calls) == 1
    assert tokens.given == 1


async def test_it_goes_on_behind_what_it_knows(bus: FakeEvents, tokens: FakeTokens) -> None:
    marks = [bus.publish(CHANNEL, won(number)).replay_id for number in range(5)]
    log = Log()
    with bus.serving() as endpoint:
        async with following(endpoint, tokens, log, StreamPosition(marks[2], 0, 0, 0)):
            await until(lambda: len(log.ids) == 2)
    assert log.ids == ids_of([3, 4])
    assert bus.subscriptions == [(CHANNEL, CUSTOM, marks[2])]


async def test_a_stream_that_is_cut_goes_on_without_loss_or_repetition(bus: FakeEvents, tokens: FakeTokens) -> None:
    log, waits = Log(), list[float]()
    with bus.serving() as endpoint:
        async with following(endpoint, tokens, log, waits=waits):
            for number in range(60):
                bus.publish(CHANNEL, won(number))
                if number % 20 == 10:
                    await until(lambda number=number: len(log.ids) > number - 5)  # type: ignore[misc]
                    begun = len(bus.subscriptions)
                    bus.cut()
                    await until(lambda begun=begun: len(bus.subscriptions) > begun)  # type: ignore[misc]
            await until(lambda: len(log.ids) == 60)
    assert log.ids == ids_of(range(60))
    assert len(bus.subscriptions) == 4
    assert waits
    assert all(position.replay_id for position in log.told[-1:])
    assert log.told[-1].problem is None


async def test_where_nothing_happens_the_position_moves_on(bus: FakeEvents, tokens: FakeTokens) -> None:
    log = Log()
    with bus.serving() as endpoint:
        async with following(endpoint, tokens, log):
            await until(lambda: len({position.replay_id for position in log.told}) >= 3)
    assert not log.stored
    with bus.serving() as endpoint:
        bus.publish(CHANNEL, won(1))
        async with following(endpoint, tokens, log, log.told[-1]):
            await until(lambda: bool(log.ids))
    assert log.ids == ids_of([1])
    assert bus.subscriptions[-1][1] == CUSTOM


async def test_a_token_that_has_run_out_is_renewed_once(bus: FakeEvents, tokens: FakeTokens) -> None:
    log = Log()
    with bus.serving() as endpoint:
        async with following(endpoint, tokens, log):
            bus.publish(CHANNEL, won(0))
            await until(lambda: len(log.ids) == 1)
            bus.tokens.clear()
            bus.cut()
            bus.publish(CHANNEL, won(1))
            await until(lambda: len(log.ids) == 2)
    assert tokens.given == 2
    assert log.ids == ids_of([0, 1])


async def test_credentials_that_are_not_taken_are_told_and_tried_again(bus: FakeEvents, tokens: FakeTokens) -> None:
    log, waits = Log(), list[float]()
    with bus.serving() as endpoint:
        async with following(endpoint, tokens, log, settings=api(tokens, "wrong"), waits=waits):
            await until(lambda: len(waits) >= 4)
    assert log.told[-1].problem == "credentials"
    assert waits[1] > waits[0]
    assert not bus.subscriptions


async def test_a_place_that_is_not_known_any_more_is_a_gap_that_is_asked_for(
    bus: FakeEvents, tokens: FakeTokens
) -> None:
    old = bus.publish(CHANNEL, won(0)).replay_id
    bus.publish(CHANNEL, won(1))
    bus.forget()
    bus.publish(CHANNEL, won(2))
    log, heard = Log(), 1_773_800_000_000_000
    with bus.serving() as endpoint:
        async with following(endpoint, tokens, log, StreamPosition(old, 0, 0, heard)):
            await until(lambda: len(log.ids) == 1)
    assert [preset for _, preset, _ in bus.subscriptions] == [CUSTOM, EARLIEST]
    gap, events = log.stored
    lookups = CONNECTOR.parse(gap).lookups
    assert ("Opportunity", "*") in lookups
    assert b'"since":"2026-03-' in gap.body
    assert str((heard - HOUR) // 1000).encode() in gap.body
    assert CONNECTOR.parse(events).changes


async def test_a_stream_that_says_nothing_any_more_is_begun_anew(bus: FakeEvents, tokens: FakeTokens) -> None:
    log = Log()
    with bus.serving() as endpoint:
        async with following(endpoint, tokens, log, silence=0.4):
            bus.publish(CHANNEL, won(0))
            await until(lambda: len(log.ids) == 1)
            bus.is_silent = True
            bus.publish(CHANNEL, won(1))
            await until(lambda: len(bus.subscriptions) >= 2)
            bus.is_silent = False
            bus.cut()
            await until(lambda: len(log.ids) == 2)
    assert log.ids == ids_of([0, 1])


async def test_a_topic_that_is_not_there_is_told(bus: FakeEvents, tokens: FakeTokens) -> None:
    bus.topics = ()
    log, waits = Log(), list[float]()
    with bus.serving() as endpoint:
        async with following(endpoint, tokens, log, waits=waits):
            await until(lambda: len(waits) >= 2)
    assert log.told[-1].problem == "refused"


async def test_an_api_that_is_away_is_waited_for(bus: FakeEvents, tokens: FakeTokens) -> None:
    log, waits = Log(), list[float]()
    with bus.serving() as endpoint:
        pass
    async with following(endpoint, tokens, log, waits=waits):
        await until(lambda: len(waits) >= 2)
        assert log.told[-1].problem == "unreachable"
        bus.publish(CHANNEL, won(0))
        with bus.serving(int(endpoint.rpartition(":")[2])):
            await until(lambda: len(log.ids) == 1)
            await until(lambda: log.told[-1].problem is None)


async def test_an_event_that_cannot_be_read_loses_no_other(bus: FakeEvents, tokens: FakeTokens) -> None:
    bus.publish(CHANNEL, won(0))
    bus.publish(CHANNEL, won(1), avro=b"\x01\x02")
    bus.publish(CHANNEL, won(2))
    log = Log()
    with bus.serving() as endpoint:
        async with following(endpoint, tokens, log):
            await until(lambda: len(log.ids) == 2)
    problems = [problem for delivery in log.stored for problem in CONNECTOR.parse(delivery).problems]
    assert [problem.reason for problem in problems] == ["bad_shape"]


async def test_no_secret_stands_in_an_error(tokens: FakeTokens, bus: FakeEvents) -> None:
    with pytest.raises(PubSubError) as raised:
        await ask_token(api(tokens, "a-secret-that-is-wrong"))
    assert raised.value.reason == "credentials"
    assert "a-secret" not in str(raised.value)
    assert "client" not in str(raised.value).replace("client_credentials", "")


@pytest.mark.parametrize(
    ("answer", "reason", "problem"),
    [
        (Response(429), "limit", "answered 429"),
        (Response(503), "unreachable", "answered 503"),
        (Response(200, raw=b"<html>secret</html>"), "unreachable", "answered what is not JSON"),
        (Response(400, {"error": "invalid_client"}), "credentials", "answered 400: no token for api"),
        (Response(200, {"error": "invalid_client"}), "credentials", "gives no token"),
        (Response(200, {"access_token": "a\nb", "instance_url": "https://a.example"}), "credentials", "gives no token"),
        (Response(302, {}, {"Location": "/x"}), "refused", "answered 302: it lies elsewhere; is api.url right?"),
        (
            Response(200, {"access_token": "t"}),
            "refused", "instance_url: is missing or not what is documented",
        ),
        (
            Response(200, {"access_token": "t", "instance_url": "a.example"}),
            "refused", "instance_url: is missing or not what is documented",
        ),
    ],
)  # fmt: skip
async def test_what_is_no_token_is_told_as_look_ups_tell_it(
    tokens: FakeTokens, answer: Response, reason: str, problem: str
) -> None:
    tokens.faults.append(answer)

    with pytest.raises(PubSubError) as raised:
        await ask_token(api(tokens, CLIENT[1]))

    assert (raised.value.reason, str(raised.value)) == (reason, f"/services/oauth2/token: {problem}")
