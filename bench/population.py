"""The records that a bench puts into a floor, and the numbers they must make.

Owns the records and their truth, a plain count that shares no code with the stream. Writes them as frames of
`record-changes`, as the normalise stage does.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from aiokafka import AIOKafkaProducer

from bench.processes import Floor
from schemas.frames import by_partition, change_frames, record_key
from schemas.instants import DAY, SECOND
from schemas.records import RecordChange, Value, make_change
from schemas.topics import MAX_MESSAGE, RECORD_CHANGES

CHANGES_PER_FRAME = 1_000
MIXED = 10_000
STEPS: Sequence[Mapping[str, Value]] = (
    {"status": "open", "stage": "qualified", "amount": "1000", "currency": "USD"},
    {"stage": "proposal"},
    {"amount": "1200"},
    {"status": "won", "stage": "closed won"},
)
"""What a deal's changes set, but for its rep and its instants."""


@dataclass
class Population:
    """Calls (six of ten) and mails of some reps, the newest at `until`, evenly over `span` before it.

    A call is outbound, connected, and lasted 200 seconds, so it is a conversation too. `late`: this share of the
    records comes at a place drawn from all of the stream instead of in the order of their instants. `revisions`: so
    many changes of each record follow one another, and each moves its end or its sending by a second. With `deals`
    there are deals instead, each with its four `STEPS`, those of ten thousand deals mixed; all of them are won.
    """

    records: int
    reps: int
    until: int
    """Microseconds."""
    span: int = DAY
    late: float = 0.0
    revisions: int = 1
    deals: bool = False
    seed: int = 1
    calls: Counter[str] = field(default_factory=Counter, init=False)
    """Rep -> calls made; filled by `changes`."""
    mails: Counter[str] = field(default_factory=Counter, init=False)
    won: Counter[str] = field(default_factory=Counter, init=False)

    @property
    def total(self) -> int:
        """Of changes."""
        return self.records * (len(STEPS) if self.deals else self.revisions)

    @property
    def truth(self) -> tuple[str, Counter[str]]:
        """A metric, and what it must be of each rep once all changes are counted."""
        return ("deals_won", self.won) if self.deals else ("calls_made", self.calls)

    def changes(self) -> Iterator[RecordChange]:
        """All changes, each once."""
        if self.deals:
            yield from self._deals()
            return
        random = Random(self.seed)
        order = list(range(self.records))
        moved = [place for place in order if random.random() < self.late]
        for place, other in zip(moved, random.sample(moved, len(moved)), strict=True):
            order[place] = other
        self.calls.clear()
        self.mails.clear()
        for number in order:
            at = self.until - self.span + (number + 1) * self.span // self.records
            rep = number if number < self.reps else _drawn(number) % self.reps
            (self.calls if number % 10 < 6 else self.mails)[f"r-{rep}"] += 1
            for left in reversed(range(self.revisions)):
                yield self._change(number, f"r-{rep}", at, left)

    def _deals(self) -> Iterator[RecordChange]:
        self.won.clear()
        for first in range(0, self.records, MIXED):
            for step in range(len(STEPS)):
                for number in range(first, min(first + MIXED, self.records)):
                    at = self.until - self.span + (number + 1) * self.span // self.records
                    fields: dict[str, Value] = {**STEPS[step]}
                    if step == 0:
                        rep = f"r-{number if number < self.reps else _drawn(number) % self.reps}"
                        self.won[rep] += 1
                        fields |= {"rep": rep, "created_at": at - DAY}
                    elif step == len(STEPS) - 1:
                        fields["closed_at"] = at
                    said_at = at - len(STEPS) + step
                    yield make_change(kind="deal", id=f"d-{number}", changed_at=said_at, fields=fields, received_at=at)

    def _change(self, number: int, rep: str, at: int, left: int) -> RecordChange:
        """With so many of this record still to come."""
        fields: dict[str, Value]
        said_at, ended_at = at - left, at - left * SECOND
        if number % 10 < 6:
            fields = {
                "rep": rep, "direction": "outbound", "outcome": "connected", "dialed_at": ended_at - 200 * SECOND,
                "answered_at": ended_at - 200 * SECOND, "ended_at": ended_at,
            }  # fmt: skip
            return make_change(kind="call", id=f"c-{number}", changed_at=said_at, fields=fields, received_at=at)
        fields = {"rep": rep, "direction": "outbound", "sent_at": ended_at}
        return make_change(kind="email", id=f"e-{number}", changed_at=said_at, fields=fields, received_at=at)


def _drawn(number: int) -> int:
    """As good as random, and always the same for a number (splitmix64): a tenth of what a `Random` of its own takes."""
    mixed = number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return mixed ^ mixed >> 31


Frames = list[tuple[int, bytes]]
"""(partition, frame) in the order of sending."""


def frames_of(changes: Iterable[RecordChange], partitions: int) -> Iterator[tuple[int, bytes]]:
    """The changes as frames, each for the partition of its records."""
    waiting: list[RecordChange] = []
    for change in changes:
        waiting.append(change)
        if len(waiting) == CHANGES_PER_FRAME * partitions:
            yield from _frames(waiting, partitions)
            waiting = []
    yield from _frames(waiting, partitions)


def _frames(changes: Sequence[RecordChange], partitions: int) -> Iterator[tuple[int, bytes]]:
    found = by_partition(((record_key(change.kind, change.id), change) for change in changes), partitions)
    for partition, mine in found.items():
        for frame in change_frames(mine):
            yield partition, frame


async def publish(floor: Floor, frames: Iterable[tuple[int, bytes]]) -> None:
    """Write frames; return when all are acknowledged."""
    name = RECORD_CHANGES.full_name(floor.prefix, 1)
    producer = AIOKafkaProducer(
        bootstrap_servers=floor.bootstrap, acks="all", max_batch_size=MAX_MESSAGE, max_request_size=MAX_MESSAGE
    )
    await producer.start()
    try:
        for partition, frame in frames:
            await producer.send(name, frame, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
