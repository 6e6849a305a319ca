"""How long a worker waits for a broker that says nothing: less than its group waits for the worker.

Owns that limit. Faust refuses a request timeout shorter than the session's, so a fetch from a broker that hangs (its
process stopped, its disk stuck, its connection open) was waited for longer than Kafka needs to elect another leader,
and a heartbeat longer than the group keeps a member. Only joining a group may take as long as its other members do.

A broker that hangs also lets itself be connected to, and says nothing then. aiokafka makes one connection after the
other, so every attempt keeps all others waiting: such a broker is left alone for a while where there are others.

Private names used, all in aiokafka 0.14.0: `AIOKafkaClient.send`, `._get_conn`, `._conns`, `._request_timeout_ms`,
`AIOKafkaConnection._request_timeout`.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import CloseReason
from aiokafka.errors import RequestTimedOutError
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest

LEAST_SECONDS = 3.0
LONGEST_SECONDS = 30.0
CONNECT_SECONDS = 3.0
"""For what is said at the beginning of a connection, of which nothing is large."""
REST_SECONDS = 5.0
"""So long a broker that was silent is left alone: meanwhile Kafka elects others for what it led."""
_SILENT_SECONDS = 1.0
"""A connection that fails sooner was refused: whoever refuses does not keep anybody waiting."""
_OF_SESSION = 0.6
_LONG = (JoinGroupRequest, SyncGroupRequest)


def patience(session_seconds: float) -> float:
    """Seconds for an answer, where the group lets a silent member go after so many."""
    return max(LEAST_SECONDS, _OF_SESSION * session_seconds)


def limit_waiting(
    client: AIOKafkaClient,
    seconds: float,
    *,
    longest: float = LONGEST_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Give every request of this client so long; after that its connection is closed and leaders are asked for anew.

    A broker that did not answer in time gets twice as long the next time, up to `longest`: over a slow line a large
    answer would else be begun again and again.
    """
    send, connection = client.send, client._get_conn
    usual_ms, client._request_timeout_ms = client._request_timeout_ms, int(min(seconds, CONNECT_SECONDS) * 1000)
    patience_with: dict[Any, float] = {}
    left_alone_until: dict[Any, float] = {}

    async def send_quickly(node: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        if isinstance(request, _LONG):
            return await send(node, request, group=group)
        place = node, group
        allowed = patience_with.get(place, seconds)
        try:
            async with asyncio.timeout(allowed):
                answer = await send(node, request, group=group)
        except TimeoutError:
            patience_with[place] = min(longest, 2 * allowed)
            held = client._conns.get(place)
            if held is not None:
                held.close(reason=CloseReason.CONNECTION_TIMEOUT)
            raise RequestTimedOutError from None
        patience_with.pop(place, None)
        return answer

    def is_left_alone(node: int, group: Any) -> bool:
        held = client._conns.get((node, group))
        if held is not None and held.connected():
            return False
        return clock() < left_alone_until.get(node, 0.0) and len(client.cluster.brokers()) > 1

    async def quick_connection(node: int, *, group: Any = ConnectionGroup.DEFAULT, **rest: Any) -> Any:
        if is_left_alone(node, group):
            return None
        began = clock()
        found = await connection(node, group=group, **rest)
        if found is None and clock() - began >= _SILENT_SECONDS:
            # Not for a request without an answer: whoever leads waits for its followers, and one of those hangs.
            left_alone_until[node] = clock() + REST_SECONDS
        if found is not None:
            is_default = group is ConnectionGroup.DEFAULT
            # Of that kind is what the client asks by itself, such as for leaders; joining may take as long as it does.
            found._request_timeout = patience_with.get((node, group), seconds) if is_default else usual_ms / 1000
        return found

    client.send = send_quickly
    client._get_conn = quick_connection
