"""Creates the topics of the catalogue, and refuses to run on topics that differ from it.

Owns the comparison with what the broker has. Changes nothing that exists: a wrong cleanup policy may already have
deleted something, and somebody has to look.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from schemas.topics import TOPICS

SETTLING_TRIES = 100
SETTLING_SECONDS = 0.1
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
    bootstrap: str,
    *,
    prefix: str,
    generation: int,
    partitions: int,
    records_kept: int,
    create: bool = True,
    log_partitions: int | None = None,
) -> list[str]:
    """Create what is missing and return its names.

    Raises TopicsError naming each difference, KafkaError if Kafka cannot be reached.

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
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        missing = sorted(set(wanted) - set(await admin.list_topics()))
        if missing and not create:
            raise TopicsError([f"topic {name}: is missing (floorcast topics creates it)" for name in missing])
        if missing:
            brokers = len((await admin.describe_cluster())["brokers"])
            await _create(admin, {name: wanted[name] for name in missing}, min(REPLICAS, brokers))
        problems = await _differences(admin, wanted)
        if problems:
            raise TopicsError(problems)
        return missing
    finally:
        await admin.close()


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
            raise TopicsError([f"topic {name}: cannot be created: {message[0] if message else error.__name__}"])


async def _described(admin: AIOKafkaAdminClient, names: list[str]) -> list[dict[str, Any]]:
    """Descriptions of topics that exist. A broker answers for one that was just made only after a moment."""
    for _ in range(SETTLING_TRIES):
        descriptions: list[dict[str, Any]] = await admin.describe_topics(names)
        if all(for_code(found["error_code"]) is not UnknownTopicOrPartitionError for found in descriptions):
            break
        await asyncio.sleep(SETTLING_SECONDS)
    return descriptions


async def _differences(admin: AIOKafkaAdminClient, wanted: Mapping[str, _Wanted]) -> list[str]:
    problems = []
    for description in await _described(admin, list(wanted)):
        found, partitions = len(description["partitions"]), wanted[description["topic"]].partitions
        if description["error_code"]:
            problems.append(f"topic {description['topic']}: {for_code(description['error_code']).__name__}")
        elif found != partitions:
            problems.append(
                f"topic {description['topic']}: has {found} partitions, wanted {partitions} (FLOORCAST_PARTITIONS)"
            )
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted])
    for answer in answers:
        for code, message, _type, name, entries in answer.resources:
            if code:
                problems.append(f"topic {name}: its settings cannot be read: {message or for_code(code).__name__}")
                continue
            held = {entry[0]: entry[1] for entry in entries}
            problems += [
                f"topic {name}: {setting} is {held.get(setting)}, wanted {value}"
                for setting, value in wanted[name].settings.items()
                if held.get(setting) != value
            ]
    return sorted(problems)


__all__ = ["KafkaError", "TopicsError", "ensure_topics"]
