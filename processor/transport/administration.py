"""Creates the topics of the catalogue, and refuses to run on topics that differ from it; deletes those of generations.

Owns the comparison with what the broker has. Alters settings only where it is told to (alteration.py), and none as
long as there is one that is never altered: a wrong cleanup policy may already have deleted something, and somebody has
to look. Which generations are deleted is a replay's business, and where a group goes on.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from processor.transport.alteration import SettingDifference, alter
from processor.transport.rights import doing, raise_missing_right
from schemas.kafka import Address, kafka_options
from schemas.topic_settings import MIN_INSYNC, SEVERAL, remark
from schemas.topics import DELIVERIES, PROGRESS, TOPICS

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
    log_partitions: int | None = None,
    on_altered: Callable[[str], None] | None = None,
    on_remark: Callable[[str], None] = lambda _line: None,
    keep_log: bool = False,
) -> list[str]:
    """Create what is missing and return its names.

    Raises TopicsError naming each difference, KafkaError if Kafka cannot be reached.

    `on_altered`: settings that differ are altered, and it is called with a line for each; None: they are refused. With
    one that is never altered none is.

    `records_kept` in microseconds: how long `deliveries` are kept, by `retention.records` of the configuration.
    `log_partitions`: of topics that are not derived, where those have another number than `partitions`.
    `on_remark`: called with a line for each topic that a cluster of several could keep more safely.
    `keep_log`: a log that is gone while what was made of it is there is named, not made anew: nobody would miss what
    was in it.
    """
    wanted = _wanted(prefix, generation, records_kept, derived=partitions, log=log_partitions)
    async with administration(bootstrap) as admin:
        missing = sorted(set(wanted) - await _names(admin))
        lost = DELIVERIES.full_name(prefix, generation)
        if keep_log and lost in missing and PROGRESS.full_name(prefix, generation) not in missing:
            raise TopicsError([f"topic {lost}: is missing, with what was delivered: floorcast topics creates it"])
        await _create(admin, {name: wanted[name] for name in missing})
        problems, differences = await _compared(admin, wanted, made=frozenset(missing))
        for remark in await _remarks(admin, wanted):
            on_remark(remark)
        can_be_altered = all(each.can_be_altered for each in differences)
        if differences and can_be_altered and on_altered is not None:
            # Also beside other partitions: a replay, which takes those in, wants the settings right first.
            problems, differences = await _alter(admin, wanted, differences, on_altered), []
        if problems or differences:
            raise TopicsError(_lines(problems, differences))
        return missing


async def _names(admin: AIOKafkaAdminClient) -> set[str]:
    """Of all topics. A broker that has just started answers for a moment that there is none, itself included."""
    for _ in range(SETTLING_TRIES):
        with suppress(NodeNotReadyError):
            return set(await admin.list_topics())
        await asyncio.sleep(SETTLING_SECONDS)
    return set(await admin.list_topics())


async def make_missing(
    bootstrap: Address, *, prefix: str, generation: int, partitions: int, records_kept: int, log_partitions: int
) -> list[str]:
    """Create what is missing, look at nothing that is there, and return its names. Raises TopicsError, KafkaError."""
    wanted = _wanted(prefix, generation, records_kept, derived=partitions, log=log_partitions)
    async with administration(bootstrap) as admin:
        missing = sorted(set(wanted) - await _names(admin))
        await _create(admin, {name: wanted[name] for name in missing})
        return missing


async def refuse_settings(bootstrap: Address, *, prefix: str, generation: int, records_kept: int) -> None:
    """Raise TopicsError where a topic that is there is not set as it has to be. Its partitions are not looked at."""
    wanted = _wanted(prefix, generation, records_kept, derived=0, log=0)
    async with administration(bootstrap) as admin:
        there = await _names(admin)
        problems, differences = await _settings_compared(admin, {n: each for n, each in wanted.items() if n in there})
    if problems or differences:
        raise TopicsError(_lines(problems, differences))


def _lines(problems: Sequence[str], differences: Sequence[SettingDifference]) -> list[str]:
    can_be_altered = all(each.can_be_altered for each in differences)
    advice = " (floorcast topics --alter sets it)" if can_be_altered else ""
    return sorted([*problems, *(f"{each}{advice}" for each in differences)])


def _wanted(prefix: str, generation: int, records_kept: int, *, derived: int, log: int | None) -> dict[str, _Wanted]:
    """Every topic of the catalogue as it has to be. `log`: None: as many partitions as what is derived."""
    return {
        topic.full_name(prefix, generation): _Wanted(
            topic.settings(records_kept), topic.partitions(log=derived if log is None else log, derived=derived)
        )
        for topic in TOPICS
    }


async def _create(admin: AIOKafkaAdminClient, topics: Mapping[str, _Wanted]) -> None:
    if not topics:
        return
    replicas = min(REPLICAS, len((await admin.describe_cluster())["brokers"]))
    settings = {MIN_INSYNC: str(max(1, replicas - 1))}
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
            raise_missing_right(name, code, "Create")
            raise TopicsError([f"topic {name}: cannot be created: {message[0] if message else error.__name__}"])


async def _described(admin: AIOKafkaAdminClient, names: list[str]) -> list[dict[str, Any]]:
    """Descriptions of topics that exist. A broker answers for one that was just made only after a moment."""
    for _ in range(SETTLING_TRIES):
        descriptions: list[dict[str, Any]] = await admin.describe_topics(names)
        if all(for_code(found["error_code"]) is not UnknownTopicOrPartitionError for found in descriptions):
            break
        await asyncio.sleep(SETTLING_SECONDS)
    return descriptions


async def _compared(
    admin: AIOKafkaAdminClient, wanted: Mapping[str, _Wanted], made: frozenset[str]
) -> tuple[list[str], list[SettingDifference]]:
    """As `_compare`, once what was made a moment ago is known to whichever broker answers.

    Until then one may not know such a topic, or tell of it what topics are by default.
    """
    for _ in range(SETTLING_TRIES):
        problems, differences = await _compare(admin, wanted)
        if not made or not (problems or any(each.topic in made for each in differences)):
            break
        await asyncio.sleep(SETTLING_SECONDS)
    return problems, differences


async def _remarks(admin: AIOKafkaAdminClient, wanted: Mapping[str, _Wanted]) -> list[str]:
    """What a cluster of several brokers could do better, by topic."""
    brokers = len((await admin.describe_cluster())["brokers"])
    if brokers < SEVERAL:
        return []
    copies = {
        each["topic"]: min((len(partition["replicas"]) for partition in each["partitions"]), default=brokers)
        for each in await _described(admin, list(wanted))
    }
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted])
    held = {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for _code, _message, _type, name, entries in answer.resources
    }
    found = (remark(name, copies.get(name, brokers), held.get(name, {}), brokers) for name in sorted(wanted))
    return [each for each in found if each is not None]


_TAKEN_IN = " - floorcast replay --partitions {found} takes the new ones in"


async def _compare(
    admin: AIOKafkaAdminClient, wanted: Mapping[str, _Wanted]
) -> tuple[list[str], list[SettingDifference]]:
    """What is wrong with the topics themselves, and with their settings."""
    problems = []
    for description in await _described(admin, list(wanted)):
        found, partitions = len(description["partitions"]), wanted[description["topic"]].partitions
        if description["error_code"]:
            raise_missing_right(description["topic"], description["error_code"], "Read")
            problems.append(f"topic {description['topic']}: {for_code(description['error_code']).__name__}")
        elif found != partitions:
            problems.append(
                f"topic {description['topic']}: has {found} partitions, wanted {partitions} (FLOORCAST_PARTITIONS)"
                + (
                    _TAKEN_IN.format(found=found)
                    if found > partitions and description["topic"].endswith(DELIVERIES.name)
                    else ""
                )
            )
    unread, differences = await _settings_compared(admin, wanted)
    return [*problems, *unread], differences


async def _settings_compared(
    admin: AIOKafkaAdminClient, wanted: Mapping[str, _Wanted]
) -> tuple[list[str], list[SettingDifference]]:
    """What hinders to read their settings, and which differ."""
    problems, differences = list[str](), list[SettingDifference]()
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted])
    for answer in answers:
        for code, message, _type, name, entries in answer.resources:
            if code:
                raise_missing_right(name, code, "DescribeConfigs")
                problems.append(f"topic {name}: its settings cannot be read: {message or for_code(code).__name__}")
                continue
            held = {entry[0]: entry[1] for entry in entries}
            differences += [
                SettingDifference(name, setting, held.get(setting), value)
                for setting, value in wanted[name].settings.items()
                if held.get(setting) != value
            ]
    return problems, sorted(differences)


async def _alter(
    admin: AIOKafkaAdminClient,
    wanted: Mapping[str, _Wanted],
    differences: Sequence[SettingDifference],
    on_altered: Callable[[str], None],
) -> list[str]:
    """Set them, and return what is wrong besides. Raises TopicsError."""
    altered, refused = await alter(admin, differences)
    for each in altered:
        on_altered(each.altered())
    if refused:
        raise TopicsError(refused)
    # A broker answers with the new settings only after a moment, and the worker that starts next asks for them.
    for _ in range(SETTLING_TRIES):
        problems, left = await _compare(admin, wanted)
        if not left:
            return problems
        await asyncio.sleep(SETTLING_SECONDS)
    raise TopicsError(sorted([*problems, *map(str, left)]))


async def find_generations(bootstrap: Address, *, prefix: str) -> dict[int, list[str]]:
    """Number -> names of the topics there are of every generation. Raises KafkaError."""
    derived = {topic.name for topic in TOPICS if topic.derived}
    pattern = re.compile(rf"{re.escape(prefix)}g([1-9][0-9]*)\.(.+)")
    found: dict[int, list[str]] = {}
    async with administration(bootstrap) as admin:
        for name in await admin.list_topics():
            match = pattern.fullmatch(name)
            if match is not None and match[2] in derived:
                found.setdefault(int(match[1]), []).append(name)
    return found


async def partitions_of(bootstrap: Address, names: Sequence[str]) -> dict[str, int]:
    """How many partitions each of these topics has; those that are not there are left out. Raises KafkaError."""
    async with administration(bootstrap) as admin:
        there = await _names(admin)
        wanted = [name for name in names if name in there]
        return {each["topic"]: len(each["partitions"]) for each in await _described(admin, wanted)} if wanted else {}


async def add_partitions(bootstrap: Address, topics: Mapping[str, int]) -> None:
    """Let these topics have so many partitions, which is more than they have. Raises KafkaError."""
    if not topics:
        return
    async with administration(bootstrap) as admin:
        with doing("Alter", ", ".join(topics)):
            await admin.create_partitions({name: NewPartitions(number) for name, number in topics.items()})


async def delete_topics(bootstrap: Address, names: Sequence[str]) -> None:
    """Delete these topics. Raises KafkaError, TopicsError."""
    if not names:
        return
    async with administration(bootstrap) as admin:
        answer = await admin.delete_topics(list(names), timeout_ms=_DELETION_MS)
    for name, code, *_ in answer.topic_error_codes:
        error = for_code(code)
        if code and error is not UnknownTopicOrPartitionError:
            raise_missing_right(name, code, "Delete")
            raise TopicsError([f"topic {name}: cannot be deleted: {error.__name__}"])


async def has_members(bootstrap: Address, group: str) -> bool:
    """Whether anybody is, or may be, in a consumer group. Raises KafkaError."""
    async with administration(bootstrap) as admin:
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
async def administration(bootstrap: Address) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that asks for topics and groups, and makes them. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**kafka_options(bootstrap))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


__all__ = [
    "KafkaError",
    "TopicsError",
    "add_partitions",
    "administration",
    "commit_offsets",
    "delete_topics",
    "ensure_topics",
    "find_generations",
    "has_members",
    "make_missing",
    "partitions_of",
    "refuse_settings",
]
