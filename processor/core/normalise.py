"""From deliveries to changes by partition: the first stage, pure.

Owns the reading of a batch of deliveries: changes for their partitions, dead letters, counters. The connectors own what
a vendor means.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Protocol

import msgspec

from processor.native import COMPILED
from schemas.connectors.base import Connector, Parsed, Problem
from schemas.connectors.generic import Generic
from schemas.dead_letters import DeadLetter
from schemas.deliveries import Delivery, decode_delivery
from schemas.frames import by_partition, change_frames, decode_changes, record_key
from schemas.progress import Progress
from schemas.records import RecordChange, in_order

Heard = tuple[str, int, int, int, int]
"""Of one connection: its name, deliveries, changes, newest receipt, newest `changed_at`."""

NEVER = 2**62


class Changes(Protocol):
    """The changes of a batch in the order of their deliveries: see `ReadChanges`."""

    @property
    def oldest_at(self) -> int: ...

    def __len__(self) -> int: ...

    def read(self, raw: bytes, is_counted: bool) -> bool: ...

    def put(self, change: RecordChange) -> None: ...

    def heard(self) -> list[Heard]: ...

    def frames(self, partitions: int) -> dict[int, list[bytes]]: ...


class ReadChanges:
    """Changes that were read here. It takes no delivery by itself: the compiled ones do, of kind `generic`."""

    oldest_at = NEVER

    def __init__(self) -> None:
        self._changes: list[RecordChange] = []

    def __len__(self) -> int:
        return len(self._changes)

    def read(self, raw: bytes, is_counted: bool) -> bool:
        """Take the changes of a stored delivery in. False: they are to be read and put."""
        return False

    def put(self, change: RecordChange) -> None:
        """Take in a change that was read elsewhere."""
        self._changes.append(change)

    def heard(self) -> list[Heard]:
        """What is to be counted of the deliveries that `read` has taken."""
        return []

    def frames(self, partitions: int) -> dict[int, list[bytes]]:
        """The changes as frames for the partitions where their records live."""
        keyed = ((record_key(change.kind, change.id), change) for change in self._changes)
        return {
            partition: list(change_frames(changes)) for partition, changes in by_partition(keyed, partitions).items()
        }


@dataclass(slots=True)
class NormaliseOutput:
    """What a batch of deliveries says."""

    encoded: Changes
    dead_letters: list[DeadLetter] = field(default_factory=list)
    oldest_at: int = NEVER
    """The oldest receipt among the deliveries (microseconds)."""

    @property
    def changes(self) -> list[RecordChange]:
        """All of them, decoded: for whoever hands no frames on."""
        return [
            change
            for frames in self.encoded.frames(1).values()
            for frame in frames
            for change in decode_changes(frame).changes
        ]

    def frames(self, partitions: int) -> dict[int, list[bytes]]:
        """The changes as frames for the partitions where their records live."""
        return self.encoded.frames(partitions)


def normalise(
    deliveries: Iterable[tuple[int, bytes]],
    *,
    partition: int,
    connectors: Mapping[str, Connector],
    progress: Progress,
    compiled: bool = COMPILED,
) -> NormaliseOutput:
    """Read (offset, raw delivery) pairs. Counters go into `progress`, once per offset.

    `compiled`: whether plain deliveries are left to `processor.native`, which reads them alike: one takes 2 µs
    to its frame instead of 14.
    """
    encoded = _compiled_changes(connectors) if compiled else ReadChanges()
    output = NormaliseOutput(encoded)
    counts, done, read, put = _Counts(), progress.offset, encoded.read, encoded.put
    for offset, raw in deliveries:
        if read(raw, offset >= done):
            continue
        try:
            delivery = decode_delivery(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # the latter for a text that is not UTF-8
            delivery = Delivery("", 0, {}, b"")
            parsed = Parsed(problems=[Problem("unreadable", "the stored delivery is not a Delivery")])
        else:
            parsed = _parse(delivery, connectors)
            output.oldest_at = min(output.oldest_at, delivery.received_at)
        for change in parsed.changes:
            put(change)
        if parsed.problems:
            output.dead_letters += [
                DeadLetter(
                    delivery.connection, problem.reason, problem.detail, partition, offset, problem.index,
                    delivery.received_at,
                )
                for problem in parsed.problems
            ]  # fmt: skip
        if offset >= done:
            counts.add(delivery, parsed)
    output.oldest_at = min(output.oldest_at, encoded.oldest_at)
    counts.put_into(progress, encoded.heard())
    return output


def _compiled_changes(connectors: Mapping[str, Connector]) -> Changes:
    from processor.native.events import Events  # noqa: PLC0415 - it may not be there

    # A connector made of it may read otherwise.
    return Events({name: one.namespace for name, one in connectors.items() if type(one) is Generic})


def _parse(delivery: Delivery, connectors: Mapping[str, Connector]) -> Parsed:
    connector = connectors.get(delivery.connection)
    if connector is None:
        return Parsed(problems=[Problem("unknown_connection", "connection: is not in floorcast.yaml any more")])
    try:
        parsed = connector.parse(delivery)
        parsed.changes = in_order(parsed.changes)
        return parsed
    except Exception as error:  # noqa: BLE001 - a fault in one connector must not stop the partition
        return Parsed(problems=[Problem("unreadable", f"the connector failed with {type(error).__name__}")])


class _Counts:
    """What a batch adds to the counters. Most deliveries add to the same few: those are summed up at the end."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[list[int], list[RecordChange]]] = {}
        """Connection -> receipts and changes."""
        self._others: Counter[str] = Counter()

    def add(self, delivery: Delivery, parsed: Parsed) -> None:
        heard = self._heard.get(delivery.connection)
        if heard is None:
            heard = self._heard[delivery.connection] = ([], [])
        heard[0].append(delivery.received_at)
        heard[1].extend(parsed.changes)
        for reason, amount in parsed.ignored.items():
            self._others[f"ignored.{reason}"] += amount
        for problem in parsed.problems:
            self._others[f"dead.{delivery.connection}.{problem.reason}"] += 1

    def put_into(self, progress: Progress, heard: Iterable[Heard]) -> None:
        """`heard`: what was read and is not counted here."""
        for connection, deliveries, events, received_at, changed_at in (*self._all_heard(), *heard):
            progress.count("events", events)
            progress.count("deliveries", deliveries)
            progress.log_at = max(progress.log_at, received_at)
            if connection:
                progress.saw(connection, received_at, changed_at)
        for name, amount in self._others.items():
            progress.count(name, amount)

    def _all_heard(self) -> Iterator[Heard]:
        for connection, (receipts, changes) in self._heard.items():
            newest = max(map(_CHANGED_AT, changes), default=0)
            yield connection, len(receipts), len(changes), max(receipts), newest


_CHANGED_AT = attrgetter("changed_at")
