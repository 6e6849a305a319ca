"""From deliveries to changes by partition: the first stage, pure.

Owns the reading of a batch of deliveries: changes for their partitions, dead letters, counters. The connectors own what
a vendor means.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

import msgspec

from schemas.connectors.base import Connector, Parsed, Problem
from schemas.connectors.currency import in_currency
from schemas.connectors.file_events import read_file_events
from schemas.counted_texts import UNKNOWN, UNMAPPED
from schemas.dead_letters import DeadLetter
from schemas.deliveries import ASKED, BROUGHT_BY, FILE, QUIET, REQUEST, Delivery, decode_delivery
from schemas.frames import change_frames, changes_by_partition, record_key
from schemas.numbers import NONE_KEPT, PhoneNumbers
from schemas.progress import Progress
from schemas.records import RecordChange, with_places

NEVER = 2**62
LEAD = "lead"


@dataclass(slots=True)
class NormaliseOutput:
    """What a batch of deliveries says."""

    changes: list[RecordChange] = field(default_factory=list)
    """In the order of their deliveries."""
    quiet: set[int] = field(default_factory=set)
    """The places, among the changes, of those that no webhook brought."""
    dead_letters: list[DeadLetter] = field(default_factory=list)
    requests: dict[str, str] = field(default_factory=dict)
    """Record of a lead -> the request that told of it last."""
    oldest_at: int = NEVER
    """The oldest receipt among the deliveries (microseconds)."""

    def frames(self, partitions: int, *, quiet: bool | None = None) -> dict[int, list[bytes]]:
        """The changes as frames for the partitions where their records live; of `quiet` ones, of others, or of all."""
        changes: Iterable[RecordChange] = self.changes
        if quiet and not self.quiet:
            return {}
        if quiet is not None and self.quiet:
            changes = (change for place, change in enumerate(self.changes) if (place in self.quiet) is quiet)
        return {
            partition: list(change_frames(changes))
            for partition, changes in changes_by_partition(changes, partitions).items()
        }


def normalise(
    deliveries: Iterable[tuple[int, bytes]],
    *,
    partition: int,
    connectors: Mapping[str, Connector],
    progress: Progress,
    numbers: PhoneNumbers = NONE_KEPT,
) -> NormaliseOutput:
    """Read (offset, raw delivery) pairs. Counters go into `progress`, once per offset.

    `numbers`: what is kept of telephone numbers.
    """
    output = NormaliseOutput()
    counts, done = _Counts(), progress.offset
    for offset, raw in deliveries:
        try:
            delivery = decode_delivery(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # the latter for a text that is not UTF-8
            delivery = Delivery("", 0, {}, b"")
            parsed = Parsed(problems=[Problem("unreadable", "the stored delivery is not a Delivery")])
        else:
            parsed = parse_delivery(delivery, connectors)
            parsed.changes = numbers.hidden(delivery.connection, parsed.changes)
            output.oldest_at = min(output.oldest_at, delivery.received_at)
        brought_by = delivery.headers.get(BROUGHT_BY)
        if brought_by is None:
            for change in parsed.changes:
                if change.kind == LEAD:
                    output.requests[record_key(LEAD, change.id)] = delivery.headers.get(REQUEST, "")
        elif brought_by in QUIET:
            output.quiet.update(range(len(output.changes), len(output.changes) + len(parsed.changes)))
        output.changes += parsed.changes
        if parsed.problems:
            output.dead_letters += [
                DeadLetter(
                    delivery.connection, problem.reason, problem.detail, partition, offset, problem.index,
                    delivery.received_at, request=delivery.headers.get(REQUEST, ""),
                )
                for problem in parsed.problems
            ]  # fmt: skip
        if offset >= done:
            counts.add(delivery, parsed)
    counts.put_into(progress)
    return output


def parse_delivery(delivery: Delivery, connectors: Mapping[str, Connector]) -> Parsed:
    """What a delivery says, with the places of its changes; whatever comes is changes or problems."""
    connector = connectors.get(delivery.connection)
    if connector is None:
        return Parsed(problems=[Problem("unknown_connection", "connection: is not in floorcast.yaml any more")])
    try:
        is_of_file = delivery.headers.get(BROUGHT_BY) == FILE
        parsed = read_file_events(delivery, connector.namespace) if is_of_file else connector.parse(delivery)
        if connector.currency is not None:
            parsed.changes = in_currency(parsed.changes, connector.currency)
        if len(parsed.changes) > 1:  # one has nothing to come after
            parsed.changes = with_places(parsed.changes)
        return parsed
    except Exception as error:  # noqa: BLE001 - a fault in one connector must not stop the partition
        parsed = Parsed()
        parsed.fail(error)
        return parsed


class _Counts:
    """What a batch adds to the counters. Most deliveries add to the same few: those are summed up at the end."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[list[int], list[RecordChange]]] = {}
        """Connection -> receipts and changes."""
        self._others: Counter[str] = Counter()
        self._unknown: dict[str, Counter[tuple[str, str]]] = {}
        self._unmapped: dict[str, Counter[tuple[str, str, str]]] = {}

    def add(self, delivery: Delivery, parsed: Parsed) -> None:
        # What was asked for says nothing of whether the CRM still tells anything by itself.
        name = "" if delivery.headers.get(BROUGHT_BY) in ASKED else delivery.connection
        heard = self._heard.get(name)
        if heard is None:
            heard = self._heard[name] = ([], [])
        heard[0].append(delivery.received_at)
        heard[1].extend(parsed.changes)
        for reason, amount in parsed.ignored.items():
            self._others[f"ignored.{reason}"] += amount
        if parsed.unknown:
            self._unknown.setdefault(delivery.connection, Counter()).update(parsed.unknown)
        if parsed.unmapped:
            self._unmapped.setdefault(delivery.connection, Counter()).update(parsed.unmapped)
        for problem in parsed.problems:
            self._others[f"dead.{delivery.connection}.{problem.reason}"] += 1

    def put_into(self, progress: Progress) -> None:
        for connection, (receipts, changes) in self._heard.items():
            progress.count("events", len(changes))
            progress.count("deliveries", len(receipts))
            progress.log_at = max(progress.log_at, *receipts)
            if connection:
                progress.saw(connection, max(receipts), max(map(_CHANGED_AT, changes), default=0))
        for name, amount in self._others.items():
            progress.count(name, amount)
        for connection, names in self._unknown.items():
            UNKNOWN.count(progress.counters, connection, names.items())
        for connection, words in self._unmapped.items():
            UNMAPPED.count(progress.counters, connection, words.items())


_CHANGED_AT = attrgetter("changed_at")
