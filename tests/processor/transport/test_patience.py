"""A broker that hangs is waited for less long than the group waits for a silent worker; joining may take longer."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.errors import RequestTimedOutError
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest

from processor.transport.patience import LEAST_SECONDS, REST_SECONDS, limit_waiting, patience


class HangingClient:
    """Connects, and gets no answer until `answers`."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.closed: list[Any] = []
        self._request_timeout_ms = 30_000
        self.cluster = SimpleNamespace(brokers=lambda: self.brokers)
        self.brokers = [1]
        self.is_connected = True
        self.attempts = 0
        connection = SimpleNamespace(_request_timeout=30.0, close=self._close, connected=lambda: self.is_connected)
        self._conns = {(1, group): connection for group in (ConnectionGroup.COORDINATION, ConnectionGroup.DEFAULT)}

    def _close(self, *, reason: Any) -> None:
        self.closed.append(reason)
        self.is_connected = False

    async def send(self, node: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> str:
        await self.answers.wait()
        return "an answer"

    async def _get_conn(self, node: int, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False) -> Any:
        self.attempts += 1
        return self._conns[node, group]


def test_it_is_shorter_than_the_session_unless_that_is_very_short() -> None:
    assert patience(10.0) < 10.0
    assert patience(0.5) == LEAST_SECONDS


async def test_a_heartbeat_without_an_answer_is_given_up_and_its_connection_closed() -> None:
    client = HangingClient()
    limit_waiting(client, 0.01)

    with pytest.raises(RequestTimedOutError):
        await client.send(1, HeartbeatRequest("g", 1, "m"), group=ConnectionGroup.COORDINATION)

    assert len(client.closed) == 1


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


@pytest.mark.parametrize(("brokers", "is_left_alone"), [([1, 2], True), ([1], False)])
async def test_a_silent_broker_is_left_alone_for_a_while_where_there_are_others(
    brokers: list[int], is_left_alone: bool
) -> None:
    client, now = HangingClient(), [0.0]
    client.brokers = brokers
    limit_waiting(client, 0.01, clock=lambda: now[0])
    with pytest.raises(RequestTimedOutError):
        await client.send(1, object())

    assert (await client._get_conn(1) is None) == is_left_alone
    assert (await client._get_conn(1, group=ConnectionGroup.COORDINATION) is None) == is_left_alone
    now[0] += REST_SECONDS
    assert await client._get_conn(1) is not None


async def test_a_connection_that_still_lives_is_used_whatever_another_one_did() -> None:
    client = HangingClient()
    client.brokers = [1, 2]
    alive = SimpleNamespace(_request_timeout=30.0, connected=lambda: True)
    client._conns[1, ConnectionGroup.COORDINATION] = alive
    limit_waiting(client, 0.01)
    with pytest.raises(RequestTimedOutError):
        await client.send(1, object())

    assert await client._get_conn(1) is None
    assert await client._get_conn(1, group=ConnectionGroup.COORDINATION) is alive
