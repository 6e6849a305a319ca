"""Is what a snapshot says still true of Kafka's log? Judged before any of it is believed.

Owns what a snapshot says of its origin, and the reasons to throw one away. Whatever is in doubt counts against it:
Kafka has it all. Asks nobody by itself: `Asking` does.
"""

from collections.abc import Mapping

import msgspec

from schemas.instants import HOUR
from schemas.log_marks import (
    UNTOLD,
    Asking,
    ClusterFacts,
    EpochEnds,
    LogMark,
    Place,
    advanced,
    asked_of,
    beyond_end,
    loss_at,
)

OLDEST = 12 * HOUR
"""Kafka keeps the word that a key is gone for a day: who was away for longer would not hear of it."""


class WantedSnapshot(msgspec.Struct, frozen=True):
    """What a snapshot has to be of."""

    definitions: str
    generation: int
    partitions: Mapping[str, int]
    """Of each topic that it was read from."""


class SnapshotSource(msgspec.Struct, frozen=True):
    """What a snapshot was made of, when, and up to where in which log."""

    of: WantedSnapshot
    made_at: int
    """When what it holds was known to be the newest (microseconds)."""
    marks: Mapping[str, Mapping[int, LogMark]]
    """Topic as Kafka knows it -> partition -> up to where it was read."""

    @property
    def places(self) -> Mapping[Place, LogMark]:
        """The same marks by place."""
        return {(topic, number): mark for topic, marks in self.marks.items() for number, mark in marks.items()}


async def doubt_of(
    source: SnapshotSource, wanted: WantedSnapshot, begins: Mapping[Place, int], now: int, asking: Asking
) -> str | None:  # fmt: skip
    """Why a snapshot is not to be believed; None: it is.

    `begins`: the places that it has to have read, and where each begins. Raises KafkaError, OSError, TimeoutError.
    """
    if source.of.definitions != wanted.definitions:
        return "it was derived by other definitions"
    if source.of != wanted:
        return "another generation is served"
    if not 0 <= now - source.made_at <= OLDEST:
        return "it is too old, or the clock was set back"
    marks = source.places
    if set(marks) != set(begins):
        return "there are other partitions"
    facts = await asking.topics(sorted(source.marks))
    ends = await asking.ends(asked_of(marks, facts))
    for topic in source.marks:
        held = facts.topics.get(topic)
        if held is None or len(held.epochs) != wanted.partitions[topic]:
            return "the topic is not there as it was"
    doubts = (_doubt_at(place, mark, begins[place], facts, ends) for place, mark in marks.items())
    return next((doubt for doubt in doubts if doubt is not None), None)


def _doubt_at(place: Place, mark: LogMark, begins: int, facts: ClusterFacts, ends: EpochEnds) -> str | None:
    topic, number = place
    if not mark.topic_id or not facts.topics[topic].id or mark.epoch == UNTOLD or (place, mark.epoch) not in ends:
        return f"Kafka does not tell whether {topic}[{number}] is the one that was read"
    loss = loss_at(place, mark, facts, ends) or beyond_end(place, mark.offset, facts, ends)
    if loss is None and mark.offset < begins:
        return f"{topic}[{number}] begins after what was read"
    return None if loss is None else str(loss)


async def marks_of(positions: Mapping[Place, int], asking: Asking) -> Mapping[str, Mapping[int, LogMark]] | None:
    """What is to be written of a log that was read up to there; None: Kafka does not say enough, or contradicts it.

    Raises KafkaError, OSError, TimeoutError.
    """
    places = {place: LogMark() for place in sorted(positions)}
    facts = await asking.topics(sorted({topic for topic, _ in places}))
    ends = await asking.ends(asked_of(places, facts))
    marks: dict[str, dict[int, LogMark]] = {}
    for place, none in places.items():
        mark = advanced(place, none, positions[place], facts, ends)
        if not mark.topic_id or mark.epoch == UNTOLD or mark.offset != positions[place]:
            return None
        marks.setdefault(place[0], {})[place[1]] = mark
    return marks
