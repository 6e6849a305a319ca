"""Whole answers of the brokers that lead partitions: what lies in them from given offsets on.

Owns the requests: one to each leader at a time, again when one fails, and where a partition begins. Does not unpack,
and does not know how far anybody wants to read. aiokafka's consumer would, and gives nobody the batches themselves.

Inner modules of aiokafka 0.14.0 used: `client.AIOKafkaClient` with `bootstrap`, `set_topics`, `send`,
`force_metadata_update` and `cluster.leader_for_partition`; `protocol.fetch.FetchRequest`,
`protocol.offset.OffsetRequest`.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, TopicAuthorizationFailedError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest

from processor.transport.rights import TopicRightError
from schemas import tasks
from schemas.kafka import Address, kafka_options
from schemas.kafka_clients import ends_quietly
from schemas.log_marks import Place

T = TypeVar("T")

PARTITION_BYTES = 8 * 1024 * 1024
ANSWER_BYTES = 4 * PARTITION_BYTES
"""At most of one answer; a batch that is larger comes alone."""

WAIT_MS = 100
"""How long a broker keeps a question to which it has no answer yet."""

RETRY_SECONDS = 0.1

_EARLIEST = -2
_NO_LEADER = -1


@dataclass(frozen=True, slots=True)
class PartitionAnswer:
    """What came of a partition."""

    place: Place
    asked: int
    """From which offset on."""
    offset: int
    """The same; where nothing is as old as that, the first there is."""
    data: bytes
    """Batches, of which the first may begin before `offset` and the last may be cut off."""


class Fetching:
    """Requests under way."""

    def __init__(self, bootstrap: Address) -> None:
        self.error: BaseException | None = None
        """Why a request was last made again."""
        self._client = AIOKafkaClient(**kafka_options(bootstrap))
        self._under_way: dict[int, asyncio.Task[list[PartitionAnswer]]] = {}
        """By leader; without one, the search for it."""

    async def start(self, topics: Iterable[str]) -> None:
        """Connect. KafkaConnectionError if there is no broker."""
        await self._client.bootstrap()
        await self._client.set_topics(list(topics))

    async def close(self) -> None:
        """End what is under way, and the connections."""
        await tasks.end(self._under_way.values())
        await ends_quietly(self._client.close())

    def ask(self, offsets: Mapping[Place, int]) -> None:
        """Ask each leader that has nothing else to answer for what lies from these offsets on.

        Partitions that are named first come first where an answer would be too large.
        """
        by_leader: dict[int, dict[Place, int]] = {}
        for place, offset in offsets.items():
            leader = self._client.cluster.leader_for_partition(TopicPartition(*place))
            by_leader.setdefault(_NO_LEADER if leader is None else leader, {})[place] = offset
        for leader, asked in by_leader.items():
            if leader not in self._under_way:
                request = self._find_leaders() if leader == _NO_LEADER else self._fetch(leader, asked)
                self._under_way[leader] = asyncio.create_task(request)

    async def answers(self, seconds: float) -> list[PartitionAnswer]:
        """What has come; nothing after so many seconds. A partition that changes its leader may come twice.

        TopicAuthorizationFailedError if the brokers do not let us read.
        """
        if not self._under_way:
            return []
        done, _ = await asyncio.wait(self._under_way.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        self._under_way = {leader: task for leader, task in self._under_way.items() if task not in done}
        # A cancellation can only be aiokafka's own.
        return [answer for task in done if not task.cancelled() for answer in task.result()]

    async def _find_leaders(self) -> list[PartitionAnswer]:
        await self._client.force_metadata_update()
        await asyncio.sleep(RETRY_SECONDS)
        return []

    async def _fetch(self, leader: int, offsets: Mapping[Place, int]) -> list[PartitionAnswer]:
        request = FetchRequest(
            max_wait_time=WAIT_MS,
            min_bytes=1,
            max_bytes=ANSWER_BYTES,
            isolation_level=0,
            topics=_by_topic((place, (place[1], offset, PARTITION_BYTES)) for place, offset in offsets.items()),
        )
        found: list[PartitionAnswer] = []
        gone: dict[Place, int] = {}
        refused: KafkaError | None = None
        try:
            response = await self._client.send(leader, request)
            for topic, partitions in response.topics:
                for partition, code, _, *_, data in partitions:
                    place = topic, partition
                    kind = for_code(code)
                    if code == 0:
                        found.append(PartitionAnswer(place, offsets[place], offsets[place], data or b""))
                    elif kind is OffsetOutOfRangeError:
                        gone[place] = offsets[place]
                    elif kind is TopicAuthorizationFailedError:
                        refused = TopicRightError(topic, "Read")
                    else:
                        refused = kind(f"{topic}[{partition}]")
            if gone:
                found += await self._begin(leader, gone)
            if refused is not None:
                raise refused
        except TopicAuthorizationFailedError:
            raise
        except (KafkaError, OSError, TimeoutError) as error:
            self.error = error
            self._client.force_metadata_update()
            await asyncio.sleep(RETRY_SECONDS)
        return found

    async def _begin(self, leader: int, offsets: Mapping[Place, int]) -> list[PartitionAnswer]:
        """Where there is something again after these offsets, which are not there any more.

        OffsetOutOfRangeError where they are not there yet: a log that has lost its end.
        """
        request = OffsetRequest(-1, 0, _by_topic((place, (place[1], _EARLIEST)) for place in offsets))
        response = await self._client.send(leader, request)
        found = []
        for topic, partitions in response.topics:
            for partition, code, _, first in partitions:
                asked = offsets[topic, partition]
                if code != 0 or first <= asked:
                    msg = (
                        f"{topic}[{partition}] has no offset {asked} and begins at {first} ({for_code(code).__name__})"
                    )
                    raise OffsetOutOfRangeError(msg)
                found.append(PartitionAnswer((topic, partition), asked, first, b""))
        return found


def _by_topic(asked: Iterable[tuple[Place, T]]) -> list[tuple[str, list[T]]]:
    topics: dict[str, list[T]] = {}
    for (topic, _), partition in asked:
        topics.setdefault(topic, []).append(partition)
    return list(topics.items())
