"""Settings of topics that are brought in line, on a real broker; and what is never altered."""

from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError

from processor.transport.administration import TopicsError, ensure_topics
from processor.transport.alteration import SettingDifference, alter
from schemas.instants import DAY
from schemas.topics import DELIVERIES, PANES, Topic
from tests.processor.transport.floor import create_topics, eventually

OPERATORS = {"min.insync.replicas": "1", "flush.messages": "1000"}
"""What somebody has set that is none of floorcast's business."""
_SET_ON_TOPIC = 1
_DAY_MS = 24 * 3600 * 1000


async def settings_of(bootstrap: str, name: str) -> dict[str, tuple[str | None, bool]]:
    """Every setting of a topic: its value, and whether it is set on the topic itself."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()

    async def described() -> Any:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        return answer.resources[0]

    try:
        # For a moment after Kafka has made a topic it does not know it.
        code, *_, entries = await eventually(described, lambda found: found[0] != UnknownTopicOrPartitionError.errno)
    finally:
        await admin.close()
    assert code == 0
    return {entry[0]: (entry[1], entry[3] == _SET_ON_TOPIC) for entry in entries}


async def made_earlier(
    bootstrap: str, topic: Topic, prefix: str, partitions: int = 1, **other: str
) -> tuple[str, Mapping[str, tuple[str | None, bool]]]:
    """A topic as an earlier build has made it, without the setting that came later."""
    name = topic.full_name(prefix)
    held = dict(topic.settings(400 * DAY)) | OPERATORS | {key.replace("_", "."): value for key, value in other.items()}
    del held["message.timestamp.after.max.ms"]
    await create_topics(bootstrap, [name], partitions=partitions, configs=held)
    return name, await settings_of(bootstrap, name)


async def ensured(bootstrap: str, prefix: str, *, kept: int = 400 * DAY, alters: bool) -> list[str]:
    """What `ensure_topics` says that it has altered."""
    said: list[str] = []
    await ensure_topics(
        bootstrap, prefix=prefix, generation=1, partitions=1, records_kept=kept,
        on_altered=said.append if alters else None,
    )  # fmt: skip
    return said


@pytest.mark.kafka
async def test_what_differs_is_altered_where_it_is_asked_for_and_nothing_else(kafka: str, prefix: str) -> None:
    log, log_before = await made_earlier(kafka, DELIVERIES, prefix)
    panes, panes_before = await made_earlier(kafka, PANES, prefix)
    ahead = "message.timestamp.after.max.ms"

    with pytest.raises(TopicsError) as refusal:
        await ensured(kafka, prefix, kept=100 * DAY, alters=False)
    assert refusal.value.problems == sorted(
        [
            f"topic {log}: retention.ms is {400 * _DAY_MS}, wanted {100 * _DAY_MS} (floorcast topics --alter sets it)",
            f"topic {log}: {ahead} is 3600000, wanted {2**63 - 1} (floorcast topics --alter sets it)",
            f"topic {panes}: {ahead} is 3600000, wanted {2**63 - 1} (floorcast topics --alter sets it)",
        ]
    )
    assert await settings_of(kafka, log) == log_before

    said = await ensured(kafka, prefix, kept=100 * DAY, alters=True)
    assert said == [
        f"topic {log}: {ahead} is now {2**63 - 1}, was 3600000",
        f"topic {log}: retention.ms is now {100 * _DAY_MS}, was {400 * _DAY_MS}"
        " - Kafka deletes what is older than 100 days",
        f"topic {panes}: {ahead} is now {2**63 - 1}, was 3600000",
    ]
    changed = {ahead: (str(2**63 - 1), True)}
    assert await settings_of(kafka, log) == {**log_before, **changed, "retention.ms": (str(100 * _DAY_MS), True)}
    assert await settings_of(kafka, panes) == {**panes_before, **changed}
    assert all(log_before[setting] == (value, True) for setting, value in OPERATORS.items())  # they were there to lose

    assert await ensured(kafka, prefix, kept=100 * DAY, alters=True) == []
    assert len(await ensured(kafka, prefix, kept=400 * DAY, alters=True)) == 4  # all topics that are kept so long


@pytest.mark.kafka
async def test_a_wrong_cleanup_policy_is_never_altered_nor_is_any_setting_beside_it(kafka: str, prefix: str) -> None:
    log, log_before = await made_earlier(kafka, DELIVERIES, prefix)
    panes, panes_before = await made_earlier(kafka, PANES, prefix, cleanup_policy="delete")

    with pytest.raises(TopicsError) as refusal:
        await ensured(kafka, prefix, alters=True)

    assert f"topic {panes}: cleanup.policy is delete, wanted compact" in refusal.value.problems
    assert not any("--alter" in problem for problem in refusal.value.problems)  # it would alter nothing
    assert await settings_of(kafka, log) == log_before
    assert await settings_of(kafka, panes) == panes_before


@pytest.mark.kafka
async def test_beside_other_partitions_settings_are_altered_as_a_replay_wants_them_right(
    kafka: str, prefix: str
) -> None:
    log, _ = await made_earlier(kafka, DELIVERIES, prefix, partitions=2)
    said: list[str] = []

    with pytest.raises(TopicsError) as refusal:
        await ensure_topics(
            kafka, prefix=prefix, generation=1, partitions=1, records_kept=400 * DAY, on_altered=said.append
        )

    assert said == [f"topic {log}: message.timestamp.after.max.ms is now {2**63 - 1}, was 3600000"]
    assert refusal.value.problems == [
        f"topic {log}: has 2 partitions, wanted 1 (FLOORCAST_PARTITIONS) - floorcast replay --partitions 2 takes the "
        "new ones in"
    ]


@pytest.mark.kafka
async def test_what_kafka_refuses_is_named_and_the_other_topics_are_altered(kafka: str, prefix: str) -> None:
    log, log_before = await made_earlier(kafka, DELIVERIES, prefix)
    panes, _ = await made_earlier(kafka, PANES, prefix)
    right = SettingDifference(panes, "segment.ms", "21600000", "3600000")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        altered, problems = await alter(
            admin,
            [
                SettingDifference(log, "retention.ms", "34560000000", "for ever"),
                right,
                SettingDifference(log, "retention.bytes", "-1", "1000"),
            ],
        )
    finally:
        await admin.close()

    assert altered == [right]
    (problem,) = problems
    assert problem.startswith(f"topic {log}: cannot be altered: ")
    assert "retention.ms" in problem
    assert await settings_of(kafka, log) == log_before


@pytest.mark.parametrize(
    ("setting", "held", "wanted", "effect"),
    [
        ("retention.ms", "-1", str(7 * _DAY_MS), "Kafka deletes what is older than 7 days"),
        ("retention.ms", str(7 * _DAY_MS), str(5 * _DAY_MS // 2), "Kafka deletes what is older than 2.5 days"),
        (
            "retention.ms", str(7 * _DAY_MS), str(400 * _DAY_MS),
            "Kafka keeps 400 days from now on; what it has deleted does not come back",
        ),
        (
            "retention.bytes", "1000", "-1",
            "Kafka deletes nothing for its size any more; what it has deleted does not come back",
        ),
    ],
)  # fmt: skip
def test_a_line_says_what_an_alteration_deletes_or_does_not_bring_back(
    setting: str, held: str, wanted: str, effect: str
) -> None:
    line = SettingDifference("deliveries", setting, held, wanted).altered()

    assert line == f"topic deliveries: {setting} is now {wanted}, was {held} - {effect}"
