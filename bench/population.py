"""The records that a bench puts into a floor, and the numbers they must make.

Owns the records and their truth, a plain count that shares no code with the stream. Writes them as frames of
`record-changes`, as the normalise stage does.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from aiokafka import AIOKafkaProducer

from bench.processes import Floor
from schemas.frames import by_partition, change_frames, record_key
from schemas.instants import DAY, SECOND
from schemas.records import RecordChange, make_change
from schemas.topics import MAX_MESSAGE, RECORD_CHANGES

CHANGES_PER_FRAME = 1_000


@dataclass
class Population:
    """Calls (six of ten) and mails of some reps, the newest at `until`, evenly over `span` before it.

    A call is outbound, connected, and lasted 200 seconds, so it is a conversation too. `late`: this share of the
    records comes at a place drawn from all of the stream instead of in the order of their instants.
    """

    records: int
    reps: int
    until: int
    """Microseconds."""
    span: int = DAY
    late: float = 0.0
    seed: int = 1
    calls: Counter[str] = field(default_factory=Counter)
    """Rep -> calls made; filled by `changes`."""
    mails: Counter[str] = field(default_factory=Counter)

    def changes(self) -> Iterator[RecordChange]:
        """All changes, each once."""
        random = Random(self.seed)
        order = list(range(self.records))
        moved = [place for place in order if random.random() < self.late]
        for place, other in zip(moved, random.sample(moved, len(moved)), strict=True):
            order[place] = other
        self.calls.clear()
        self.mails.clear()
        for number in order:
            at = self.until - self.span + (number + 1) * self.span // self.records
            rep = f"r-{Random(number).randrange(self.reps)}" if number >= self.reps else f"r-{number}"
            yield self._change(number, rep, at)

    def _change(self, number: int, rep: str, at: int) -> RecordChange:
        if number % 10 < 6:
            self.calls[rep] += 1
            fields = {
                "rep": rep, "direction": "outbound", "outcome": "connected", "dialed_at": at - 200 * SECOND,
                "answered_at": at - 200 * SECOND, "ended_at": at,
            }  # fmt: skip
            return make_change(kind="call", id=f"c-{number}", changed_at=at, fields=fields, received_at=at)
        self.mails[rep] += 1
        fields = {"rep": rep, "direction": "outbound", "sent_at": at}
        return make_change(kind="email", id=f"e-{number}", changed_at=at, fields=fields, received_at=at)


async def publish(floor: Floor, changes: Iterator[RecordChange]) -> int:
    """Write the changes as frames, each to its partition; how many there were."""
    name, count = RECORD_CHANGES.full_name(floor.prefix, 1), 0
    producer = AIOKafkaProducer(
        bootstrap_servers=floor.bootstrap, acks="all", max_batch_size=MAX_MESSAGE, max_request_size=MAX_MESSAGE
    )
    await producer.start()
    try:
        waiting: list[RecordChange] = []
        for change in changes:
            waiting.append(change)
            if len(waiting) == CHANGES_PER_FRAME * floor.partitions:
                count += await _send(producer, name, floor.partitions, waiting)
                waiting = []
        count += await _send(producer, name, floor.partitions, waiting)
        await producer.flush()
    finally:
        await producer.stop()
    return count


async def _send(producer: AIOKafkaProducer, name: str, partitions: int, changes: Sequence[RecordChange]) -> int:
    found = by_partition(((record_key(change.kind, change.id), change) for change in changes), partitions)
    for partition, mine in found.items():
        for frame in change_frames(mine):
            await producer.send(name, frame, partition=partition)
    return len(changes)
