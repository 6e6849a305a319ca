"""Two questions of Kafka's administration that aiokafka has no words for: who leads the quorum, and other replicas.

Owns their layouts: https://kafka.apache.org/43/design/protocol/, `DescribeQuorum` and `AlterPartitionReassignments`.
Each is put to any broker, which passes it on to the controller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

_METADATA = "__cluster_metadata"
_TIMEOUT_MS = 10_000


class _QuorumAnswer(Response):  # type: ignore[misc]
    """As far as it is needed: who votes, and how far each has come, stands behind it and is not read."""

    API_KEY = 55
    API_VERSION = 0
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("partitions", CompactArray(("index", Int32), ("error_code", Int16), ("leader", Int32))),
            ),
        ),
    )


class _QuorumQuestion(RequestStruct):  # type: ignore[misc]
    API_KEY = 55
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _QuorumAnswer
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("partitions", CompactArray(("index", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _ReplicasAnswer(Response):  # type: ignore[misc]
    API_KEY = 45
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", CompactString("utf-8")),
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("index", Int32),
                        ("error_code", Int16),
                        ("error_message", CompactString("utf-8")),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _ReplicasOrder(RequestStruct):  # type: ignore[misc]
    API_KEY = 45
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _ReplicasAnswer
    SCHEMA = Schema(
        ("timeout_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(("index", Int32), ("replicas", CompactArray(Int32)), ("tags", TaggedFields)),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AskQuorum(Request[_QuorumQuestion]):  # type: ignore[misc]
    API_KEY = 55

    def build(self, request_struct_class: type[_QuorumQuestion]) -> _QuorumQuestion:
        return request_struct_class([(_METADATA, [(0, {})], {})], {})


class _OrderReplicas(Request[_ReplicasOrder]):  # type: ignore[misc]
    API_KEY = 45

    def __init__(self, wanted: Mapping[str, Mapping[int, Sequence[int]]]) -> None:
        self._wanted = wanted

    def build(self, request_struct_class: type[_ReplicasOrder]) -> _ReplicasOrder:
        topics: list[object] = [
            (name, [(partition, list(nodes), {}) for partition, nodes in partitions.items()], {})
            for name, partitions in self._wanted.items()
        ]
        return request_struct_class(_TIMEOUT_MS, topics, {})


async def leader_of_quorum(client: AIOKafkaClient, broker: int) -> int:
    """The node that is the active controller, as this broker knows it."""
    answer = await client.send(broker, _AskQuorum())
    assert answer.error_code == 0, f"no leader of the quorum: error {answer.error_code}"
    ((_, ((_, _, leader),)),) = answer.topics
    return int(leader)


async def order_replicas(
    client: AIOKafkaClient, broker: int, wanted: Mapping[str, Mapping[int, Sequence[int]]]
) -> None:
    """Let each partition of these topics have its copies on other nodes; the first one is to lead. Kafka begins."""
    answer = await client.send(broker, _OrderReplicas(wanted))
    wrong = [
        (topic, index, code, words)
        for topic, partitions, _ in answer.topics
        for index, code, words, _ in partitions
        if code
    ]
    assert answer.error_code == 0, f"Kafka moves no partitions: {wrong or answer.error_message}"
    assert not wrong, f"Kafka moves no partitions: {wrong}"
