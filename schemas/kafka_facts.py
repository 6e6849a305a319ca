"""What Kafka says of topics: their ids, leader epochs and copies, and up to where leaders have what an epoch wrote.

Owns a connection and two requests that aiokafka 0.14.0 does not offer: Metadata in a version that tells topic ids, and
OffsetForLeaderEpoch. Judges nothing (schemas/log_marks.py). Private names used: `AIOKafkaAdminClient._client`,
`AIOKafkaClient.send`, `.get_random_node`, `aiokafka.protocol`.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    ReplicaNotAvailableError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.types import (
    AbstractType,
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

from schemas.kafka import Address, kafka_options
from schemas.log_marks import UNTOLD, ClusterFacts, EpochAsked, EpochEnd, Place, TopicFacts
from schemas.topic_settings import LOOKED_AT

__all__ = ["KafkaError", "KafkaFacts"]

ASK_SECONDS = 5.0
_NO_ID = bytes(16)
_NOBODY = -1, UNTOLD


class KafkaFacts:
    """Asks one Kafka. Connects at the first question; after an error the next one connects anew."""

    def __init__(self, kafka: Address) -> None:
        self._kafka = kafka
        self._admin: AIOKafkaAdminClient | None = None
        self._connecting = asyncio.Lock()
        self._leaders: dict[Place, tuple[int, int]] = {}
        """Partition -> its leader and that one's epoch, as of the last question."""

    async def topics(self, names: Collection[str]) -> ClusterFacts:
        """What there is of these topics, without creating any. Raises KafkaError, OSError, TimeoutError."""
        answer = await self._metadata(sorted(names))
        is_plain = answer.API_VERSION < _MetadataResponseV7.API_VERSION
        found: dict[str, TopicFacts] = {}
        for topic in answer.topics:
            code, name, topic_id, partitions = _topic_of(topic)
            if is_plain:
                partitions = [(error, number, leader, UNTOLD, *rest) for error, number, leader, *rest in partitions]
            if for_code(code) is UnknownTopicOrPartitionError:
                continue
            if code and for_code(code) is not LeaderNotAvailableError:
                raise for_code(code)(name)
            epochs: dict[int, int] = {}
            for error, partition, leader, epoch, *_ in partitions:
                is_led = not error or for_code(error) is ReplicaNotAvailableError
                epochs[partition] = epoch if is_led else UNTOLD
                self._leaders[name, partition] = (leader, epoch) if is_led else _NOBODY
            copies = min((len(replicas) for _, _, _, _, replicas, *_ in partitions), default=0)
            found[name] = TopicFacts(topic_id, epochs, copies)
        return ClusterFacts(found, len(answer.brokers))

    async def _metadata(self, names: list[str]) -> Any:
        try:
            return await self._ask(_MetadataRequest(names))
        except IncompatibleBrokerVersion:
            # A Kafka that is none, and tells neither ids nor epochs: whether topics are there can be seen all the same.
            return await self._ask(MetadataRequest(names, False))

    async def ends(self, asked: Iterable[EpochAsked]) -> dict[EpochAsked, EpochEnd]:
        """Leaders' answers; what is not answered is left out. Of topics that `topics` was asked for before.

        Where another leader has been elected since, the one that is asked says so and is left out: its word on an epoch
        that has ended meanwhile would be taken for the end of the log.

        Raises KafkaError, OSError, TimeoutError.
        """
        rounds: list[dict[Place, int]] = []
        for place, epoch in sorted(set(asked)):
            # A request names each partition once.
            for one in rounds:
                if place not in one:
                    one[place] = epoch
                    break
            else:
                rounds.append({place: epoch})
        found: dict[EpochAsked, EpochEnd] = {}
        for one in rounds:
            led = {place: self._leaders.get(place, _NOBODY) for place in one}
            for leader in sorted({leader for leader, _ in led.values()} - {-1}):
                mine = {place: epoch for place, epoch in one.items() if led[place][0] == leader}
                epochs = {place: (led[place][1], epoch) for place, epoch in mine.items()}
                try:
                    answer = await self._ask(_EpochRequest(epochs), leader)
                except IncompatibleBrokerVersion:
                    return found  # a Kafka that is none: its offsets are all there is to go by
                except NodeNotReadyError:
                    continue
                for name, partitions in answer.topics:
                    for code, partition, epoch, end in partitions:
                        if not code:
                            found[(name, partition), mine[name, partition]] = EpochEnd(epoch, end)
        return found

    async def settings(self, names: Collection[str]) -> dict[str, Mapping[str, str | None]]:
        """How these topics are set, as far as it is judged; those that may not be looked at are left out.

        Raises KafkaError, OSError, TimeoutError.
        """
        resources = [(ConfigResourceType.TOPIC, name, LOOKED_AT) for name in sorted(names)]
        answer = await self._ask(DescribeConfigsRequest(resources))
        return {
            name: {entry[0]: entry[1] for entry in entries}
            for code, _message, _type, name, entries in answer.resources
            if not code
        }

    async def close(self) -> None:
        """Let go of the connection."""
        admin, self._admin = self._admin, None
        if admin is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                await admin.close()

    async def _ask(self, request: "Request[Any]", node: int | None = None) -> Any:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                client = await self._connected()
                place = client.get_random_node() if node is None else node
                if place is None:
                    raise NodeNotReadyError
                return await client.send(place, request)
        except NotImplementedError as error:  # what aiokafka says of a version that the broker has not
            raise IncompatibleBrokerVersion(str(error)) from None
        except IncompatibleBrokerVersion:
            raise
        except (KafkaError, OSError, TimeoutError):
            await self.close()
            raise

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._admin is None:
                admin = AIOKafkaAdminClient(
                    **kafka_options(self._kafka),
                    client_id="floorcast-facts",
                    request_timeout_ms=int(ASK_SECONDS * 1000),
                )
                try:
                    await admin.start()
                except BaseException:
                    await admin.close()
                    raise
                self._admin = admin
            return self._admin._client


def _topic_of(topic: tuple[Any, ...]) -> tuple[int, str, bytes, list[tuple[Any, ...]]]:
    """Error, name, id and partitions, of either version of the answer."""
    if len(topic) > 4:
        code, name, topic_id, _internal, partitions, *_ = topic
        return code, name, b"" if topic_id == _NO_ID else topic_id, partitions
    code, name, _internal, partitions = topic
    return code, name, b"", partitions


class _Uuid(AbstractType[bytes]):  # type: ignore[misc]  # aiokafka is untyped
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class _MetadataResponseV7(Response):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 3
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8")))),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("name", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline", Array(Int32)),
                    ),
                ),
            ),
        ),
    )


class _MetadataRequestV7(RequestStruct):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 3
    API_VERSION = 7
    RESPONSE_TYPE = _MetadataResponseV7
    SCHEMA = Schema(("topics", Array(String("utf-8"))), ("allow_auto_topic_creation", Boolean))


class _MetadataResponseV10(Response):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataRequestV10(RequestStruct):  # type: ignore[misc]  # aiokafka is untyped
    """The first version that tells topic ids: https://kafka.apache.org/42/design/protocol/#The_Messages_Metadata."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponseV10
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestV7 | _MetadataRequestV10]):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: Any) -> Any:
        if request_struct_class is _MetadataRequestV7:
            return request_struct_class(self._names, False)
        return request_struct_class([(_NO_ID, name, {}) for name in self._names], False, False, False, {})


class _EpochResponseV2(Response):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 23
    API_VERSION = 2
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(("error_code", Int16), ("partition", Int32), ("leader_epoch", Int32), ("end_offset", Int64)),
                ),
            ),
        ),
    )


class _EpochRequestV2(RequestStruct):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 23
    API_VERSION = 2
    RESPONSE_TYPE = _EpochResponseV2
    SCHEMA = Schema(
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(("partition", Int32), ("current_leader_epoch", Int32), ("leader_epoch", Int32)),
                ),
            ),
        ),
    )


class _EpochResponseV3(_EpochResponseV2):
    API_VERSION = 3


class _EpochRequestV3(RequestStruct):  # type: ignore[misc]  # aiokafka is untyped
    """OffsetForLeaderEpoch, which a consumer may ask with the right to describe the topic (KIP-320)."""

    API_KEY = 23
    API_VERSION = 3
    RESPONSE_TYPE = _EpochResponseV3
    SCHEMA = Schema(
        ("replica_id", Int32), *zip(_EpochRequestV2.SCHEMA.names, _EpochRequestV2.SCHEMA.fields, strict=True)
    )


class _EpochRequest(Request[_EpochRequestV2 | _EpochRequestV3]):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 23

    def __init__(self, epochs: dict[Place, tuple[int, int]]) -> None:
        """By partition its leader's epoch, and the epoch that is asked for."""
        by_topic: dict[str, list[tuple[int, int, int]]] = {}
        for (topic, partition), (current, epoch) in epochs.items():
            by_topic.setdefault(topic, []).append((partition, current, epoch))
        self._topics = list(by_topic.items())

    def build(self, request_struct_class: Any) -> Any:
        if request_struct_class is _EpochRequestV2:
            return request_struct_class(self._topics)
        return request_struct_class(-1, self._topics)
