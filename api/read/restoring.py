"""Is what a snapshot says still true of Kafka's log? Judged before any of it is believed.

Owns the reasons to throw one away. Whatever is in doubt counts against it: Kafka has it all.
"""

from collections.abc import Mapping

from api.read.log_check import Asking
from api.read.snapshot import Snapshot
from schemas.generations import Served
from schemas.instants import HOUR
from schemas.log_marks import UNTOLD, Ends, Facts, Mark, Place, advanced, asked_of, beyond_end, loss_at

OLDEST = 12 * HOUR
"""Kafka keeps the word that a pane is gone for a day: who was away for longer would not hear of it."""


async def doubt_of(
    snapshot: Snapshot, *, definitions: str, served: Served, now: int, topic: str, begins: Mapping[int, int],
    asking: Asking,
) -> str | None:  # fmt: skip
    """Why a snapshot is not to be believed; None: it is. `begins`: where each partition of the panes begins.

    Raises KafkaError, OSError, TimeoutError.
    """
    if snapshot.definitions != definitions:
        return "it was derived by other definitions"
    if (snapshot.served.generation, snapshot.served.partitions) != (served.generation, served.partitions):
        return "another generation is served"
    if not 0 <= now - snapshot.made_at <= OLDEST:
        return "it is too old, or the clock was set back"
    if len(snapshot.marks) != served.partitions or set(begins) != set(range(served.partitions)):
        return "there are other partitions"
    marks: dict[Place, Mark] = {(topic, number): mark for number, mark in enumerate(snapshot.marks)}
    facts = await asking.topics([topic])
    ends = await asking.ends(asked_of(marks, facts))
    held = facts.topics.get(topic)
    if held is None or len(held.epochs) != served.partitions:
        return "the topic is not there as it was"
    doubts = (_doubt_at(place, mark, begins[place[1]], facts, ends) for place, mark in marks.items())
    return next((doubt for doubt in doubts if doubt is not None), None)


def _doubt_at(place: Place, mark: Mark, begins: int, facts: Facts, ends: Ends) -> str | None:
    topic, number = place
    if not mark.topic_id or not facts.topics[topic].id or mark.epoch == UNTOLD or (place, mark.epoch) not in ends:
        return f"Kafka does not tell whether {topic}[{number}] is the one that was read"
    loss = loss_at(place, mark, facts, ends) or beyond_end(place, mark.offset, facts, ends)
    if loss is None and mark.offset < begins:
        return f"{topic}[{number}] begins after what was read"
    return None if loss is None else str(loss)


async def marks_of(topic: str, positions: Mapping[int, int], asking: Asking) -> list[Mark] | None:
    """What is to be written of panes that were read up to there; None: Kafka does not say enough, or contradicts it.

    Raises KafkaError, OSError, TimeoutError.
    """
    places: dict[Place, Mark] = {(topic, number): Mark() for number in sorted(positions)}
    facts = await asking.topics([topic])
    ends = await asking.ends(asked_of(places, facts))
    marks = [advanced(place, mark, positions[place[1]], facts, ends) for place, mark in places.items()]
    is_sure = all(
        mark.topic_id and mark.epoch != UNTOLD and mark.offset == positions[number]
        for (_, number), mark in zip(places, marks, strict=True)
    )
    return marks if is_sure else None
