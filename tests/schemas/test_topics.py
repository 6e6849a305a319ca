"""How many partitions topics have once a replay has given what is derived another number."""

import pytest

from schemas.topics import (
    ACKNOWLEDGEMENTS,
    ALERT_ACTIONS,
    DEAD_LETTERS,
    DELIVERIES,
    GENERATIONS,
    PANES,
    PROGRESS,
    TOPICS,
    Topic,
)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [(DELIVERIES, 4), (ALERT_ACTIONS, 4), (DEAD_LETTERS, 4), (PANES, 6), (ACKNOWLEDGEMENTS, 4), (GENERATIONS, 1)],
    ids=lambda value: value.name if isinstance(value, Topic) else None,
)
def test_only_what_is_derived_from_records_follows_a_replay(topic: Topic, expected: int) -> None:
    assert topic.partitions(log=4, derived=6) == expected


@pytest.mark.parametrize(("derived", "expected"), [(6, 6), (3, 4)])
def test_progress_has_a_partition_for_every_stage(derived: int, expected: int) -> None:
    assert PROGRESS.partitions(log=4, derived=derived) == expected


def test_only_derived_topics_belong_to_a_generation() -> None:
    for topic in TOPICS:
        assert (topic.full_name("p.", 1) != topic.full_name("p.", 2)) == topic.derived
