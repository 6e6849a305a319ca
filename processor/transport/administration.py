"""Creates the topics of the catalogue, and refuses to run on topics that differ from it; deletes those of generations.

Owns the comparison with what the broker has. Alters settings only where it is told to (alteration.py), and nothing as
long as there is a difference that is never altered: a wrong cleanup policy may already have deleted something, and
somebody has to look. Which generations are deleted is a replay's business, and where a group goes on.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from processor.transport.alteration import Difference, alter
from schemas.kafka import Address, kafka_options
from schemas.topics import TOPICS

SETTLING_TRIES = 100
SETTLING_SECONDS = 0.1
_DELETION_MS = 30_000
REPLICAS = 3
"""Copies of each partition, where there are as many brokers."""


class TopicsError(Exception):
    """The topics cannot be used. One line per problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a topic has to be like."""

    settings: Mapping[str, str]
    partitions: int


async def ensure_topics(
    bootstrap: Address,
    *,
    prefix: str,
    generation: int,
    partitions: int,
    records_kept: int,
    create: bool = True,
    log_partitions: int | None = None,
    on_altered: Callable[[str], None] | None = None,
) -> list[str]:
    """Create what is missing and return its names.

    Raises TopicsError naming each difference, KafkaError if Kafka cannot be reached.

    `on_altered`: settings that differ are altered, and it is called with a line for each; None: they are refused. With
    a difference that is never altered nothing is.

    `records_kept` in microseconds: how long `deliveries` are kept, by `retention.records` of the configuration.
    `log_partitions`: of topics that are not derived, where those have another number than `partitions`.
    """
    log_partitions = partitions if log_partitions is None else log_partitions
    wanted = {
        topic.full_name(prefix, generation): _Wanted(
            topic.settings(records_kept), topic.partitions(log=log_partitions, derived=partitions)
        )
        for topic in TOPICS
    }
    admin = AIOKafkaAdminClient(**kafka_options(bootstrap))
    try:
        await admin.start()
        missing = sorted(set(wanted) - await _names(admin))
        if missing and not create:
            raise TopicsError([f"topic {name}: is missing (floorcast topics creates it)" for name in missing])
        if missing:
            brokers = len((await admin.describe_cluster())["brokers"])
            await _create(admin, {name: wanted[name] for name in missing}, min(REPLICAS, brokers))
        problems, differences = await _compare(admin, wanted)
        for_good = problems or not all(each.can_be_altered for each in differences)
        if differences and not for_good and on_altered is not None:
            await _alter(admin, wanted, differences, on_altered)
        elif problems or differences:
            advice = "" if for_good else " (floorcast topics --alter sets it)"
            raise TopicsError(sorted([*problems, *(f"{each}{advice}" for each in differences)]))
        return missing
    finally:
        await admin.close()


async def _names(admin: AIOKafkaAdminClient) -> set[str]:
    """Of all topics. A broker that has just started answers for a moment that there is none, itself included."""
    for _ in range(SETTLING_TRIES):
        with suppress(NodeNotReadyError):
            return set(await admin.list_topics())
        await asyncio.sleep(SETTLING_SECONDS)
    return set(await admin.list_topics())


async def _create(admin: AIOKafkaAdminClient, topics: Mapping[str, _Wanted], replicas: int) -> None:
    settings = {"min.insync.replicas": str(max(1, replicas - 1))}
    answer = await admin.create_topics(
        [
            NewTopic(name, wanted.partitions, replicas, topic_configs=dict(wanted.settings) | settings)
            for name, wanted in topics.items()
        ]
    )
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        # Two processes may start at once; what the other made is compared like everything else.
        if code and error is not TopicAlreadyExistsError:
            _raise_missing_right(name, code)
            raise TopicsError([f"topic {name}: cannot be created: {message[0] if message else error.__name__}"])


def _raise_missing_right(name: str, code: int) -> None:
    """Raise what says that we may not: no topic differs then, and none is missing."""
    error = for_code(code)
    if error in (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
        raise error(name)


async def _described(admin: AIOKafkaAdminClient, names: list[str]) -> list[dict[str, Any]]:
    """Descriptions of topics that exist. A broker answers for one that was just made only after a moment."""
    for _ in range(SETTLING_TRIES):
        descriptions: list[dict[str, Any]] = await admin.describe_topics(names)
        if all(for_code(found["error_code"]) is not UnknownTopicOrPartitionError for found in descriptions):
            break
        await asyncio.sleep(SETTLING_SECONDS)
    return descriptions


async def _compare(admin: AIOKafkaAdminClient, wanted: Mapping[str, _Wanted]) -> tuple[list[str], list[Difference]]:
    """What is wrong with the topics themselves, and with their settings."""
    problems = []
    for description in await _described(admin, list(wanted)):
        found, partitions = len(description["partitions"]), wanted[description["topic"]].partitions
        if description["error_code"]:
            _raise_missing_right(description["topic"], description["error_code"])
            problems.append(f"topic {description['topic']}: {for_code(description['error_code']).__name__}")
        elif found != partitions:
            problems.append(
                f"topic {description['topic']}: has {found} partitions, wanted {partitions} (FLOORCAST_PARTITIONS)"
            )
    differences = []
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted])
    for answer in answers:
        for code, message, _type, name, entries in answer.resources:
            if code:
                _raise_missing_right(name, code)
                problems.append(f"topic {name}: its settings cannot be read: {message or for_code(code).__name__}")
                continue
            held = {entry[0]: entry[1] for entry in entries}
            differences += [
                Difference(name, setting, held.get(setting), value)
                for setting, value in wanted[name].settings.items()
                if held.get(setting) != value
            ]
    return problems, sorted(differences)


async def _alter(
    admin: AIOKafkaAdminClient,
    wanted: Mapping[str, _Wanted],
    differences: Sequence[Difference],
    on_altered: Callable[[str], None],
) -> None:
    altered, refused = await alter(admin, differences)
    for each in altered:
        on_altered(each.altered())
    if refused:
        raise TopicsError(refused)
    # A broker answers with the new settings only after a moment, and the worker that starts next asks for them.
    for _ in range(SETTLING_TRIES):
        problems, left = await _compare(admin, wanted)
        if not problems and not left:
            return
        await asyncio.sleep(SETTLING_SECONDS)
    raise TopicsError(sorted([*problems, *map(str, left)]))


async def find_generations(bootstrap: Address, *, prefix: str) -> dict[int, list[str]]:
    """Number -> names of the topics there are of every generation. Raises KafkaError."""
    derived = {topic.name for topic in TOPICS if topic.derived}
    pattern = re.compile(rf"{re.escape(prefix)}g([1-9][0-9]*)\.(.+)")
    found: dict[int, list[str]] = {}
    async with _administration(bootstrap) as admin:
        for name in await admin.list_topics():
            match = pattern.fullmatch(name)
            if match is not None and match[2] in derived:
                found.setdefault(int(match[1]), []).append(name)
    return found


async def delete_topics(bootstrap: Address, names: Sequence[str]) -> None:
    """Delete these topics. Raises KafkaError, TopicsError."""
    if not names:
        return
    async with _administration(bootstrap) as admin:
        answer = await admin.delete_topics(list(names), timeout_ms=_DELETION_MS)
    for name, code, *_ in answer.topic_error_codes:
        error = for_code(code)
        if code and error is not UnknownTopicOrPartitionError:
            _raise_missing_right(name, code)
            raise TopicsError([f"topic {name}: cannot be deleted: {error.__name__}"])


async def has_members(bootstrap: Address, group: str) -> bool:
    """Whether anybody is, or may be, in a consumer group. Raises KafkaError."""
    async with _administration(bootstrap) as admin:
        try:
            answers = await admin.describe_consumer_groups([group])
        except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError):
            return True  # nobody knows; on a new Kafka the topic of groups is made only now
    # (error, group, state, …), in every version of the answer
    return any(found[2] not in {"Empty", "Dead"} for answer in answers for found in answer.groups)


async def commit_offsets(bootstrap: Address, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
    """Let a group in which nobody is go on at these offsets. Raises KafkaError."""
    consumer = AIOKafkaConsumer(**kafka_options(bootstrap), group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        committed = {TopicPartition(*place): offset for place, offset in offsets.items()}
        consumer.assign(list(committed))
        await consumer.commit(committed)
    finally:
        await consumer.stop()


@asynccontextmanager
async def _administration(bootstrap: Address) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**kafka_options(bootstrap))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


__all__ = [
    "KafkaError",
    "TopicsError",
    "commit_offsets",
    "delete_topics",
    "ensure_topics",
    "find_generations",
    "has_members",
]
