"""A broker that hangs is waited for less long than the group waits for a silent worker; joining may take longer."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.errors import RequestTimedOutError
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest

from schemas.kafka_patience import LEADERS, LEAST_SECONDS, REST_SECONDS, limit_waiting, patience


class HangingClient:
    """Connects, and gets no answer until `answers`."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.closed: list[Any] = []
        self._request_timeout_ms = 30_000
        self.brokers = [1]
        self.leaders: list[Any] = []
        """What was said of the cluster."""
        self.cluster = SimpleNamespace(
            brokers=lambda: [SimpleNamespace(nodeId=broker) for broker in self.brokers],
            update_metadata=self.leaders.append,
        )
        self.leaders_sought = 0
        self.is_connected = True
        self.attempts = 0
        self.is_silent: Callable[[], None] | None = None
        """Called at each attempt to connect, which then fails."""
        connection = SimpleNamespace(_request_timeout=30.0, close=self._close, connected=lambda: self.is_connected)
        self._conns: dict[Any, Any] = {
            (1, group): connection for group in (ConnectionGroup.COORDINATION, ConnectionGroup.DEFAULT)
        }

    def _close(self, *, reason: Any) -> None:
        self.closed.append(reason)
        self.is_connected = False

    async def send(self, node: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> str:
        await self.answers.wait()
        return "an answer"

    def force_metadata_update(self) -> None:
        self.leaders_sought += 1

    async def _metadata_update(self, cluster: Any, topics: Any) -> bool:
        """The library's own way."""
        self.leaders.append("the usual way")
        return True

    async def _get_conn(self, node: int, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False) -> Any:
        self.attempts += 1
        if self.is_silent is None or self._conns[node, group].connected():
            return self._conns[node, group]
        self.is_silent()
        return None


def test_it_is_shorter_than_the_session_unless_that_is_very_short() -> None:
    assert patience(10.0) < 10.0
    assert patience(0.5) == LEAST_SECONDS


async def test_a_heartbeat_without_an_answer_is_given_up_and_its_connection_closed() -> None:
    client = HangingClient()
    limit_waiting(client, 0.01)

    with pytest.raises(RequestTimedOutError):
        await client.send(1, HeartbeatRequest("g", 1, "m"), group=ConnectionGroup.COORDINATION)

    assert len(client.closed) == 1


async def test_what_a_coordinator_has_to_write_down_may_take_longer_than_what_is_read() -> None:
    client = HangingClient()
    limit_waiting(client, 0.01, coordinator_seconds=60.0)
    writing = asyncio.create_task(client.send(1, object(), group=ConnectionGroup.COORDINATION))
    with pytest.raises(RequestTimedOutError):
        await client.send(1, object())
    assert not writing.done()

    client.answers.set()

    assert await writing == "an answer"


async def test_a_slow_broker_gets_longer_each_time_until_it_has_answered() -> None:
    client = HangingClient()
    limit_waiting(client, 0.01, longest=5.0)
    for _ in range(2):
        with pytest.raises(RequestTimedOutError):
            await client.send(1, object())
    assert (await client._get_conn(1))._request_timeout == 0.04

    client.answers.set()
    assert await client.send(1, object()) == "an answer"

    assert (await client._get_conn(1))._request_timeout == 0.01


async def test_joining_waits_for_the_others() -> None:
    client = HangingClient()
    limit_waiting(client, 0.01)
    joining = asyncio.create_task(
        client.send(1, JoinGroupRequest("g", 1, 1, "m", None, "consumer", []), group=ConnectionGroup.COORDINATION)
    )
    await asyncio.sleep(0.05)
    assert not joining.done()

    client.answers.set()

    assert await joining == "an answer"
    assert client.closed == []


async def test_what_the_client_asks_by_itself_is_limited_too() -> None:
    client = HangingClient()
    limit_waiting(client, 2.0)

    assert (await client._get_conn(1))._request_timeout == 2.0


async def test_joining_may_take_as_long_as_before_on_a_connection_that_was_made_quickly() -> None:
    client = HangingClient()
    limit_waiting(client, 2.0)

    assert client._request_timeout_ms == 2_000  # for what is said at the beginning of a connection
    assert (await client._get_conn(1, group=ConnectionGroup.COORDINATION))._request_timeout == 30.0


@pytest.mark.parametrize(("brokers", "attempts"), [([1, 2], 1), ([1], 3)])
async def test_a_broker_that_lets_itself_be_connected_to_and_is_silent_is_left_alone_where_there_are_others(
    brokers: list[int], attempts: int
) -> None:
    client, now = HangingClient(), [0.0]
    client.brokers, client.is_connected, client.is_silent = brokers, False, lambda: now.__setitem__(0, now[0] + 3.0)
    limit_waiting(client, 6.0, clock=lambda: now[0])

    for group in (ConnectionGroup.COORDINATION, ConnectionGroup.DEFAULT, ConnectionGroup.COORDINATION):
        assert await client._get_conn(1, group=group) is None

    assert client.attempts == attempts
    now[0] += REST_SECONDS
    client.is_silent = None
    assert await client._get_conn(1) is not None


async def test_a_broker_that_waits_for_others_is_connected_to_again_at_once() -> None:
    client = HangingClient()
    client.brokers = [1, 2]
    limit_waiting(client, 0.01)
    with pytest.raises(RequestTimedOutError):
        await client.send(1, object())

    assert await client._get_conn(1) is not None


async def test_a_connection_that_still_lives_is_used_whatever_another_one_did() -> None:
    client, now = HangingClient(), [0.0]
    client.brokers = [1, 2]
    alive = SimpleNamespace(_request_timeout=30.0, connected=lambda: True)
    client._conns[1, ConnectionGroup.COORDINATION] = alive
    client.is_connected, client.is_silent = False, lambda: now.__setitem__(0, now[0] + 3.0)
    limit_waiting(client, 6.0, clock=lambda: now[0])

    assert await client._get_conn(1) is None
    assert await client._get_conn(1, group=ConnectionGroup.COORDINATION) is alive


class Broker:
    """Says who leads once it answers; connected to at once, or never."""

    def __init__(self, *, hangs: bool = False, connects: bool = True) -> None:
        self.hangs, self.connects = hangs, connects
        self._request_timeout = 30.0
        self.asked = 0

    def connected(self) -> bool:
        return True

    async def send(self, _request: Any) -> Any:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        return SimpleNamespace(brokers=[1, 2, 3])


class Client(HangingClient):
    """Of several brokers, some of which hang."""

    def __init__(self, brokers: dict[int, Broker]) -> None:
        super().__init__()
        self._known, self.brokers = brokers, list(brokers)
        self._conns = {}
        self.attempted: list[int] = []

    async def _get_conn(self, node: int, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False) -> Any:
        if (node, group) not in self._conns:
            self.attempted.append(node)
            if not self._known[node].connects:
                await asyncio.Event().wait()
            self._conns[node, group] = self._known[node]
        return self._known[node]


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.kafka_patience.LEADERS_SECONDS", 0.01)


async def test_connections_to_one_broker_do_not_wait_for_those_to_another() -> None:
    client = Client({1: Broker(connects=False), 2: Broker()})
    limit_waiting(client, 5.0)
    hanging = asyncio.create_task(client._get_conn(1))
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        assert await client._get_conn(2) is not None

    assert not hanging.done()
    hanging.cancel()


async def test_who_waited_for_a_connection_that_came_to_nothing_does_not_try_again() -> None:
    client, now = HangingClient(), [0.0]
    client.brokers, client.is_connected = [1, 2], False
    client.is_silent = lambda: now.__setitem__(0, now[0] + 3.0)
    limit_waiting(client, 6.0, clock=lambda: now[0])

    found = await asyncio.gather(*(client._get_conn(1) for _ in range(3)))

    assert found == [None] * 3
    assert client.attempts == 1
    assert client.leaders_sought == 2  # whoever comes in vain wants to know who leads by now


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize("hung", [Broker(hangs=True), Broker(connects=False)])
async def test_leaders_are_asked_of_a_broker_that_answers_and_of_one_that_hangs_only_once(hung: Broker) -> None:
    for _ in range(20):  # in whatever order
        hung.asked = 0
        client = Client({1: hung, 2: Broker(), 3: Broker()})
        limit_waiting(client, 5.0, clock=lambda: 0.0)
        async with asyncio.timeout(5):
            told = [await client._metadata_update(client.cluster, ["a"]) for _ in range(3)]

        assert told == [True] * 3
        assert len(client.leaders) == 3
        assert "the usual way" not in client.leaders
        assert client.attempted.count(1) <= 1
        assert hung.asked <= 1


async def test_leaders_are_not_asked_on_a_connection_on_which_something_waits() -> None:
    client = Client({1: Broker(), 2: Broker()})
    limit_waiting(client, 5.0)
    for node in (1, 2):
        await client._get_conn(node)

    await client._metadata_update(client.cluster, ["a"])

    assert {group for _, group in client._conns} == {ConnectionGroup.DEFAULT, LEADERS}


@pytest.mark.usefixtures("_hasty")
async def test_where_nobody_answers_quickly_leaders_are_asked_in_the_usual_way() -> None:
    client = Client({1: Broker(hangs=True), 2: Broker(hangs=True)})
    limit_waiting(client, 5.0)

    assert await client._metadata_update(client.cluster, ["a"])

    assert client.leaders == ["the usual way"]


async def test_a_broker_that_took_its_time_gets_longer_than_that() -> None:
    client, now = HangingClient(), [0.0]
    limit_waiting(client, 4.0, clock=lambda: now[0])
    asking = asyncio.create_task(client.send(1, object()))
    await asyncio.sleep(0)
    now[0] = 3.0
    client.answers.set()
    await asking

    assert (await client._get_conn(1))._request_timeout == 6.0
