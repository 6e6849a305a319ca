"""How long a client waits for a broker that says nothing: less than its group, or Kafka's election, takes.

Owns that limit. A broker that hangs (its process stopped, its disk stuck, its connection open) takes connections and
requests and answers none. aiokafka waits for it as long as for any answer, makes one connection after the other so that
it keeps all others waiting, and asks brokers in no order, each as long, who leads by now. So here each request has its
limit, each broker is connected to for itself and, once silent, left alone for a while where there are others, and who
leads is asked on connections of its own, of those first that answer: a produce request that waits for a follower holds
back all that comes after it on its connection.

Faust refuses a request timeout shorter than the session's, so a fetch from such a broker was waited for longer than
Kafka needs to elect another leader, and a heartbeat longer than the group keeps a member. Only joining a group may take
as long as its other members do.

Private names used, all in aiokafka 0.14.0: `AIOKafkaClient.send`, `._get_conn`, `._get_conn_lock_value`, `._conns`,
`._metadata_update`, `._request_timeout_ms`, `AIOKafkaConnection._request_timeout`.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaError, RequestTimedOutError
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest
from aiokafka.protocol.metadata import MetadataRequest

LEAST_SECONDS = 3.0
LONGEST_SECONDS = 30.0
CONNECT_SECONDS = 3.0
"""For what is said at the beginning of a connection, of which nothing is large."""
REST_SECONDS = 5.0
"""So long a broker that was silent is left alone: meanwhile Kafka elects others for what it led."""
LEADERS_SECONDS = 1.0
"""For an answer to who leads, before another broker is asked."""
LEADERS = "leaders"
"""The connections on which that is asked."""
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
    coordinator_seconds: float | None = None,
    longest: float = LONGEST_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Give every request of this client so long; after that its connection is closed and leaders are asked for anew.

    `coordinator_seconds`: what goes to the coordinator of a group has so long; None: as all.

    A broker that did not answer in time gets twice as long the next time, and one that took its time twice as long as
    that, up to `longest`: over a slow line a large answer would else be begun again and again.
    """
    of_group = {} if coordinator_seconds is None else {ConnectionGroup.COORDINATION: coordinator_seconds}
    _Patience(client, seconds, of_group, longest, clock)


class _Patience:
    """What stands in the place of three methods of a client."""

    def __init__(
        self,
        client: AIOKafkaClient,
        seconds: float,
        of_group: Mapping[Any, float],
        longest: float,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._seconds, self._of_group, self._longest, self._clock = seconds, of_group, longest, clock
        self._send, self._connection, self._update = client.send, client._get_conn, client._metadata_update
        self._usual_ms = client._request_timeout_ms
        self._allowed: dict[Any, float] = {}
        """(broker, kind of connection) -> seconds, where it is not the usual."""
        self._left_alone_until: dict[int, float] = {}
        self._doubted_until: dict[int, float] = {}
        """So long a broker that did not say who leads is asked last."""
        self._leaders_seconds = LEADERS_SECONDS
        self._connecting: defaultdict[Any, asyncio.Lock] = defaultdict(asyncio.Lock)
        client._request_timeout_ms = int(min(seconds, CONNECT_SECONDS) * 1000)
        # One lock for the connections to all brokers; here each broker has its own.
        client._get_conn_lock_value = nullcontext()
        client.send, client._get_conn, client._metadata_update = self.send, self.connection, self.ask_for_leaders

    async def send(self, node: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        """As the client's, within the limit. RequestTimedOutError: there was no answer."""
        if isinstance(request, _LONG):
            return await self._send(node, request, group=group)
        place, began = (node, group), self._clock()
        usual = self._of_group.get(group, self._seconds)
        allowed = self._allowed.get(place, usual)
        try:
            async with asyncio.timeout(allowed):
                answer = await self._send(node, request, group=group)
        except TimeoutError:
            self._allowed[place] = min(self._longest, 2 * allowed)
            held = self._client._conns.get(place)
            if held is not None:
                held.close(reason=CloseReason.CONNECTION_TIMEOUT)
            raise RequestTimedOutError from None
        took = self._clock() - began
        if 2 * took > usual:
            self._allowed[place] = min(self._longest, 2 * took)
        else:
            self._allowed.pop(place, None)
        return answer

    async def connection(self, node: int, *, group: Any = ConnectionGroup.DEFAULT, **rest: Any) -> Any:
        """As the client's; None too for a broker that is left alone."""
        place = node, group
        if self._is_connected(place):
            found = await self._connection(node, group=group, **rest)
        else:
            async with self._connecting[node]:
                found = await self._connect(place, **rest)
        if found is not None:
            is_joining = group is ConnectionGroup.COORDINATION
            # What the client asks by itself has the limit too; joining may take as long as it does.
            found._request_timeout = self._usual_ms / 1000 if is_joining else self._allowed.get(place, self._seconds)
        return found

    async def ask_for_leaders(self, cluster: ClusterMetadata, topics: Iterable[str]) -> bool:
        """As the client's: whether somebody has said what the cluster is now."""
        request = MetadataRequest(list(topics) if topics else None)
        nodes = [broker.nodeId for broker in self._client.cluster.brokers()]
        if len(nodes) > 1:
            random.shuffle(nodes)
            nodes.sort(key=lambda node: (self._is_doubted(node), not self._is_connected((node, LEADERS))))
            for node in nodes:
                answer = await self._ask(node, request)
                if answer is not None and answer.brokers:
                    cluster.update_metadata(answer)
                    return True
            # Over a slow line nobody is as quick as that.
            self._leaders_seconds = min(CONNECT_SECONDS, 2 * self._leaders_seconds)
        return bool(await self._update(cluster, topics))

    async def _ask(self, node: int, request: MetadataRequest) -> Any:
        try:
            async with asyncio.timeout(self._leaders_seconds):
                connection = await self._client._get_conn(node, group=LEADERS)
                return None if connection is None else await connection.send(request)
        except KafkaError:
            return None
        except TimeoutError:
            self._doubted_until[node] = self._clock() + REST_SECONDS
            return None

    async def _connect(self, place: tuple[int, Any], **rest: Any) -> Any:
        node, group = place
        # Looked at once it is our turn: whoever was before us may have found out.
        is_alone = len(self._client.cluster.brokers()) <= 1
        if self._clock() < self._left_alone_until.get(node, 0.0) and not (is_alone or self._is_connected(place)):
            self._client.force_metadata_update()
            return None
        began = self._clock()
        found = await self._connection(node, group=group, **rest)
        if found is None and self._clock() - began >= _SILENT_SECONDS:
            # Not for a request without an answer: whoever leads waits for its followers, and one of those hangs.
            self._left_alone_until[node] = self._clock() + REST_SECONDS
        return found

    def _is_connected(self, place: tuple[int, Any]) -> bool:
        held = self._client._conns.get(place)
        return held is not None and held.connected()

    def _is_doubted(self, node: int) -> bool:
        until = max(self._left_alone_until.get(node, 0.0), self._doubted_until.get(node, 0.0))
        return self._clock() < until
