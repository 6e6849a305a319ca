"""How long the group's consumer waits for a broker that says nothing: less than the group waits for the worker.

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
_OF_SESSION = 0.6
_LONG = (JoinGroupRequest, SyncGroupRequest)


def patience(session_seconds: float) -> float:
    """Seconds for an answer, where the group lets a silent member go after so many."""
    return max(LEAST_SECONDS, _OF_SESSION * session_seconds)


def limit_waiting(client: AIOKafkaClient, seconds: float) -> None:
    """Give every request of this client so long; after that its connection is closed and leaders are asked for anew."""
    send, connection = client.send, client._get_conn

    async def send_quickly(node: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        if isinstance(request, _LONG):
            return await send(node, request, group=group)
        try:
            async with asyncio.timeout(seconds):
                return await send(node, request, group=group)
        except TimeoutError:
            held = client._conns.get((node, group))
            if held is not None:
                held.close(reason=CloseReason.CONNECTION_TIMEOUT)
            raise RequestTimedOutError from None

    async def quick_connection(node: int, *, group: Any = ConnectionGroup.DEFAULT, **rest: Any) -> Any:
        found = await connection(node, group=group, **rest)
        if found is not None and group is ConnectionGroup.DEFAULT:
            found._request_timeout = seconds  # what the client asks by itself, such as for leaders
        return found

    client.send = send_quickly
    client._get_conn = quick_connection
