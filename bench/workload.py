"""The work that every engine is given: revisions of calls and emails of a sales floor, and the numbers they must make.

Owns the stream, its truth and its three encodings (keyed JSON for other engines, frames and deliveries for ours). The
truth is a plain recount of the latest revisions; it shares no code with any contender.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from random import Random
from typing import Any

import msgspec
import orjson

from schemas.deliveries import Delivery, encode_delivery
from schemas.frames import change_frames, partition_of, record_key
from schemas.instants import format_instant
from schemas.records import RecordChange, Value, make_change

REPS = 1000
RECORDS_A_DAY = 700_000
"""So a million revisions are one working day: 1.5 records for each rep and minute."""
DAY_MS = 8 * 3600 * 1000
START_MS = 1_773_824_400_000  # 2026-03-18T09:00Z
FRAME_CHANGES = 1000
EVENTS_PER_DELIVERY = 10

Cells = dict[tuple[str, int], tuple[int, int, int]]
"""(rep, minute since the epoch) -> (calls, emails, conversations), without cells in which nothing is left."""


class Revision(msgspec.Struct, frozen=True, gc=False):
    """One record as it was at one revision. The highest revision counts, whatever the order of arrival."""

    record: str
    kind: str
    rep: str
    at: int
    """Milliseconds: when the call was dialled or the mail sent."""
    revision: int
    connected: bool
    talk_seconds: int
    deleted: bool


def revisions(seed: int = 1) -> Iterator[Revision]:
    """An endless stream: 70 % first revisions, the rest edits, owner changes, deletions, repetitions, stale ones.

    First revisions come in the order of the clock. What comes later does so some 20,000 revisions later on average (a
    fifth of it 200,000), so that it reaches back over minutes and hours. The same seed gives the same stream.
    """
    random = Random(seed)
    waiting: list[tuple[float, int, Revision]] = []
    number = count()
    for index in count():
        while waiting and waiting[0][0] <= index:
            yield heapq.heappop(waiting)[2]
        life = _life(random, index)
        yield life[0]
        when = float(index)
        for later in life[1:]:
            when += random.expovariate(1 / (200_000 if random.random() < 0.2 else 20_000))
            heapq.heappush(waiting, (when, next(number), later))


def _life(random: Random, index: int) -> list[Revision]:
    """Everything that is ever sent of one record, in the order of sending."""
    is_call = random.random() < 0.6
    connected = is_call and random.random() < 0.4
    held = Revision(
        record=f"{'c' if is_call else 'e'}-{index}",
        kind="call" if is_call else "email",
        rep=_rep(random),
        at=START_MS + index * DAY_MS // RECORDS_A_DAY,
        revision=1,
        connected=connected,
        talk_seconds=int(random.expovariate(1 / 90)) if connected else 0,
        deleted=False,
    )
    life = [held]
    if random.random() < 0.14:
        held = _edit(random, held)
        life.append(held)
    if random.random() < 0.07:
        held = msgspec.structs.replace(held, revision=held.revision + 1, rep=_rep(random))
        life.append(held)
    if random.random() < 0.04:
        held = msgspec.structs.replace(held, revision=held.revision + 1, deleted=True)
        life.append(held)
    if random.random() < 0.12:
        life.append(held)  # a repetition
    if held.revision > 1 and random.random() < 0.25:
        life.append(life[0])  # stale: overtaken on its way
    return life


def _edit(random: Random, held: Revision) -> Revision:
    changes: dict[str, Any] = {"revision": held.revision + 1}
    if random.random() < 0.3:
        changes["at"] = held.at - random.randrange(600_000)
    if held.kind == "call":
        changes |= {"connected": True, "talk_seconds": int(random.expovariate(1 / 120))}
    return msgspec.structs.replace(held, **changes)


def _rep(random: Random) -> str:
    return f"r-{random.randrange(REPS):04d}"


def take(events: int, seed: int = 1) -> list[Revision]:
    """The first so many."""
    return list(islice(revisions(seed), events))


def truth(stream: Iterable[Revision]) -> Cells:
    """What must be there after all of these."""
    latest: dict[str, Revision] = {}
    for revision in stream:
        held = latest.get(revision.record)
        if held is None or held.revision < revision.revision:
            latest[revision.record] = revision
    cells: dict[tuple[str, int], list[int]] = {}
    for revision in latest.values():
        if revision.deleted:
            continue
        cell = cells.setdefault((revision.rep, revision.at // 60_000), [0, 0, 0])
        if revision.kind == "email":
            cell[1] += 1
        else:
            cell[0] += 1
            if revision.connected and revision.talk_seconds >= 60:
                cell[2] += 1
    return {cell: (counts[0], counts[1], counts[2]) for cell, counts in cells.items()}


encode_revision = msgspec.json.Encoder().encode


def change_of(revision: Revision) -> RecordChange:
    """The same for floorcast: the whole state of the record, as the CRM set it a minute after the one before."""
    at = revision.at * 1000
    fields: dict[str, Value] = {"rep": revision.rep, "direction": "outbound"}
    if revision.kind == "call":
        fields["dialed_at"] = at
        if revision.connected:
            fields["answered_at"] = at + 8_000_000
            fields["ended_at"] = at + 8_000_000 + revision.talk_seconds * 1_000_000
        fields["outcome"] = "connected" if revision.connected else "no_answer"
    else:
        fields["sent_at"] = at
    if revision.deleted:
        fields["deleted"] = True
    return make_change(
        kind=revision.kind,
        id=revision.record,
        changed_at=_changed_at(revision),
        fields=fields,
        received_at=_changed_at(revision) + 1_000_000,
    )


def _changed_at(revision: Revision) -> int:
    # Not after the instant of the event, which an edit may move: the order of revisions is that of their instants.
    number = int(revision.record[2:])
    return (START_MS + number * DAY_MS // RECORDS_A_DAY + (revision.revision + 15) * 60_000) * 1000


def keyed_json(stream: Iterable[Revision], partitions: int) -> dict[int, list[tuple[bytes, bytes]]]:
    """Partition -> (record, JSON), in order."""
    found: dict[int, list[tuple[bytes, bytes]]] = {partition: [] for partition in range(partitions)}
    for revision in stream:
        found[partition_of(revision.record, partitions)].append((revision.record.encode(), encode_revision(revision)))
    return found


def frames(stream: Iterable[Revision], partitions: int) -> dict[int, list[bytes]]:
    """Partition -> frames of `FRAME_CHANGES` changes, in order: what the stage before the ledger writes."""
    changes: dict[int, list[RecordChange]] = {partition: [] for partition in range(partitions)}
    for revision in stream:
        change = change_of(revision)
        changes[partition_of(record_key(change.kind, change.id), partitions)].append(change)
    return {
        partition: [
            frame
            for first in range(0, len(mine), FRAME_CHANGES)
            for frame in change_frames(mine[first : first + FRAME_CHANGES])
        ]
        for partition, mine in changes.items()
    }


def deliveries(stream: Sequence[Revision], partitions: int, connection: str) -> dict[int, list[bytes]]:
    """Partition -> webhooks of the generic kind as the api stores them, `EVENTS_PER_DELIVERY` events in each."""
    found: dict[int, list[bytes]] = {partition: [] for partition in range(partitions)}
    for index, first in enumerate(range(0, len(stream), EVENTS_PER_DELIVERY)):
        part = stream[first : first + EVENTS_PER_DELIVERY]
        body = orjson.dumps([_event(revision) for revision in part])
        received_at = max(_changed_at(revision) for revision in part) + 1_000_000
        delivery = Delivery(connection, received_at, {"content-type": "application/json"}, body)
        found[index % partitions].append(encode_delivery(delivery))
    return found


def _event(revision: Revision) -> dict[str, Any]:
    change = change_of(revision)
    fields: dict[str, Any] = {
        name: format_instant(value) if name.endswith("_at") and isinstance(value, int) else value
        for name, value in change.fields.items()
        if name != "deleted"
    }
    event: dict[str, Any] = {
        "record": change.kind,
        "id": change.id,
        "changed_at": format_instant(change.changed_at),
        "fields": fields,
    }
    if revision.deleted:
        event["deleted"] = True
    return event
