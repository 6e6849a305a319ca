"""How long a worker waits for a broker that says nothing: less than its group waits for the worker.

Owns that limit. Faust refuses a request timeout shorter than the session's, so a fetch from a broker that hangs (its
process stopped, its disk stuck, its connection open) was waited for longer than Kafka needs to elect another leader,
and a heartbeat longer than the group keeps a member. Only joining a group may take as long as its other members do.

Private names used, all in aiokafka 0.14.0: `AIOKafkaClient.send`, `._get_conn`, `._conns`,
`AIOKafkaConnection._request_timeout`.
"""

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import CloseReason
from aiokafka.errors import RequestTimedOutError
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest

LEAST_SECONDS = 3.0
LONGEST_SECONDS = 30.0
_OF_SESSION = 0.6
_LONG = (JoinGroupRequest, SyncGroupRequest)


def patience(session_seconds: float) -> float:
    """Seconds for an answer, where the group lets a silent member go after so many."""
    return max(LEAST_SECONDS, _OF_SESSION * session_seconds)


def limit_waiting(client: AIOKafkaClient, seconds: float, *, longest: float = LONGEST_SECONDS) -> None:
    """Give every request of this client so long; after that its connection is closed and leaders are asked for anew.

    A broker that did not answer in time gets twice as long the next time, up to `longest`: over a slow line a large
    answer would else be begun again and again.
    """
    send, connection = client.send, client._get_conn
    patience_with: dict[Any, float] = {}

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

    async def quick_connection(node: int, *, group: Any = ConnectionGroup.DEFAULT, **rest: Any) -> Any:
        found = await connection(node, group=group, **rest)
        if found is not None and group is ConnectionGroup.DEFAULT:
            # What the client asks by itself, such as for leaders.
            found._request_timeout = patience_with.get((node, group), seconds)
        return found

    client.send = send_quickly
    client._get_conn = quick_connection
