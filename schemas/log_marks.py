"""Is a log still the one that was read? What is remembered of each partition, and how it contradicts what Kafka says.

Owns the mark, the comparison and the words for it. Asks nobody: schemas/kafka_facts.py does. Pure.

    mark (topic id, leader epoch e, offset o)   all below o was written in e or earlier
    the leader's answer for e: (e', end)        all that it has of e or earlier ends there

A log only grows, so `end` is never less than `o`. Where it is less, a tail was cut off, whatever was written since.
Where the topic has another id, it was deleted and made anew. Offsets alone would tell neither: what comes after the cut
takes the same numbers.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

UNTOLD = -1
"""Epoch that a broker did not tell."""

Place = tuple[str, int]
"""A topic as Kafka knows it, and a partition of it."""

EpochAsked = tuple[Place, int]
"""A partition and the leader epoch that is asked for."""

REPLAY = "floorcast replay makes all numbers anew"


class LogMark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a partition was read or written, in words that a broken log contradicts."""

    topic_id: bytes = b""
    """Empty: the broker tells none."""
    epoch: int = UNTOLD
    offset: int = 0
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as Kafka describes it."""

    id: bytes = b""
    epochs: Mapping[int, int] = field(default_factory=dict)
    """Partition -> its leader's epoch."""
    replicas: int = 1
    """Copies of the partition that has fewest."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What Kafka says of the topics that it was asked for; those that are not there are left out."""

    topics: Mapping[str, TopicFacts]
    brokers: int = 1


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """A leader's answer: up to where it has what was written in an epoch or earlier."""

    epoch: int
    end: int


EpochEnds = Mapping[EpochAsked, EpochEnd]
"""A partition that did not answer is left out: nothing is known of it then."""


class Asking(Protocol):
    """Who asks Kafka: see schemas/kafka_facts.py."""

    async def topics(self, names: Collection[str]) -> ClusterFacts: ...

    async def ends(self, asked: Collection[EpochAsked]) -> EpochEnds: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Loss:
    """A contradiction, in words."""

    topic: str
    kind: Literal["missing", "partitions", "made anew", "shorter"]
    text: str

    def __str__(self) -> str:
        return self.text


def asked_of(marks: Mapping[Place, LogMark], facts: ClusterFacts) -> set[EpochAsked]:
    """What leaders have to be asked to judge these marks, and to make newer ones."""
    asked: set[EpochAsked] = set()
    for (topic, partition), mark in marks.items():
        epoch = facts.topics[topic].epochs.get(partition, UNTOLD) if topic in facts.topics else UNTOLD
        asked |= {((topic, partition), each) for each in (mark.epoch, epoch) if each != UNTOLD}
    return asked


def shape_losses(facts: ClusterFacts, wanted: Mapping[str, int]) -> list[Loss]:
    """Topics that are not there or have another number of partitions than `wanted` says (0: any number)."""
    found: list[Loss] = []
    for topic, partitions in sorted(wanted.items()):
        held = facts.topics.get(topic)
        if held is None:
            found.append(Loss(topic, "missing", f"topic {topic} is missing: floorcast topics creates it"))
        elif partitions and len(held.epochs) != partitions:
            there, is_log = len(held.epochs), topic.endswith("deliveries")
            mends = f"floorcast replay --partitions {there} takes them in" if is_log else REPLAY
            text = f"topic {topic} has {there} partitions and not {partitions}: {mends}"
            found.append(Loss(topic, "partitions", text))
    return found


def loss_at(place: Place, mark: LogMark, facts: ClusterFacts, ends: EpochEnds) -> Loss | None:
    """How what Kafka says of a partition contradicts its mark; None: it does not, or nothing is known."""
    topic, partition = place
    held = facts.topics.get(topic)
    if held is None:
        return None  # shape_losses says so
    if mark.topic_id and held.id and mark.topic_id != held.id:
        return Loss(topic, "made anew", f"topic {topic} was deleted and made anew since it was read")
    answer = None if mark.epoch == UNTOLD else ends.get((place, mark.epoch))
    if answer is not None and answer.epoch == UNTOLD:
        text = f"{topic}[{partition}] has gone back to before leader epoch {mark.epoch}, which was read"
        return Loss(topic, "shorter", text)
    if answer is not None and answer.end < mark.offset:
        text = f"{topic}[{partition}] was read up to offset {mark.offset} and has lost its tail from {answer.end} on"
        return Loss(topic, "shorter", text)
    return None


def beyond_end(place: Place, offset: int, facts: ClusterFacts, ends: EpochEnds) -> Loss | None:
    """A contradiction where `offset`, which was read up to before Kafka was asked, lies behind the end."""
    topic, partition = place
    held = facts.topics.get(topic)
    answer = ends.get((place, held.epochs.get(partition, UNTOLD))) if held is not None else None
    if answer is None or answer.epoch == UNTOLD or offset <= answer.end:
        return None
    return Loss(topic, "shorter", f"{topic}[{partition}] was read up to offset {offset} and ends at {answer.end}")


def advanced(place: Place, mark: LogMark, offset: int, facts: ClusterFacts, ends: EpochEnds) -> LogMark:
    """The newest mark that is sure, for a partition that was read or written up to `offset` before Kafka was asked.

    The epoch is the leader's own word: what a broker says of other brokers' partitions may be old, and a mark with too
    old an epoch would accuse a log that is whole.
    """
    topic, partition = place
    held = facts.topics.get(topic)
    if held is None:
        return mark
    answer = ends.get((place, held.epochs.get(partition, UNTOLD)))
    if answer is None or answer.epoch == UNTOLD:
        return mark if mark.topic_id else LogMark(held.id)
    return LogMark(held.id, answer.epoch, min(answer.end, max(offset, 0)))


def loss_lines(losses: Iterable[Loss], advice: str = REPLAY) -> list[str]:
    """A line for each, with what mends it; a topic that is gone as a whole is told once."""
    lines = dict.fromkeys(
        loss.text if loss.kind in ("missing", "partitions") else f"{loss.text}: {advice}" for loss in losses
    )
    return list(lines)


def lasting(before: Collection[Loss], now: Iterable[Loss]) -> list[Loss]:
    """Those that were so at the last look too. A broker that has just started does not know every topic yet."""
    known = {(loss.topic, loss.kind) for loss in before}
    return [loss for loss in now if (loss.topic, loss.kind) in known]
