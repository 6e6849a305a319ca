"""What lies in Kafka: frames, rows, panes, keys, and the record batches around them.

None of it comes from outside, but a worker that ends by it ends by it at every start. So: what is no frame is refused
by the one exception for which there is a dead letter, both forms of each reader say the same, and nothing else happens.
"""

import struct
from collections.abc import Callable
from typing import Any

import msgspec
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from processor.core.batch import ChangeBatch, Changes, ChangesReceived, new_batch
from processor.core.definitions import definitions_of
from processor.core.ledger import Ledger
from processor.transport.unpacking import Unpack, parse, unpack
from schemas.deliveries import Delivery, decode_delivery, encode_delivery
from schemas.frames import Engagement, change_frames, decode_engagements, engagement_frames
from schemas.panes import decode_pane, encode_pane, pane_key, read_pane_key
from schemas.records import Record, decode_record
from tests.builders import change, make_config
from tests.fuzz.target import Target
from tests.panes import pane_of
from tests.strategies import NOW

_DEFINITIONS = definitions_of(make_config())
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_CHANGES = [
    change("call", "c1", NOW, rep="r1", lead="l1", direction="outbound", dialed_at=NOW, talk_seconds=61),
    change("call", "c1", NOW + 1, rep=None, talk_seconds=0, deleted=True),
    change("email", "e1", NOW, rep="r2", direction="inbound", sent_at=NOW, automated=False, thread="t1"),
    change("meeting", "m1", NOW, rep="r1", booked_at=NOW, starts_at=NOW, kind="demo"),
    change("lead", "l1", NOW, rep="r1", source="web", received_at=NOW, status="new", merged_into="l2"),
    change("deal", "d1", NOW, rep="r1", amount="48500.125", currency="EUR", status="won", closed_at=NOW),
    change("rep", "r1", NOW, name="Ana", team="north", active=True),
]


def _outcome(data: bytes, make: Callable[[], ChangesReceived]) -> Any:
    batch = make()
    try:
        batch.add(data)
    except msgspec.MsgspecError:
        return "unreadable"
    if not batch:
        return "empty"
    ledger = Ledger("ledger.0", _DEFINITIONS, compiled=True)
    # What is plain of a frame is folded one by one, and so may break at a change that a later one takes back.
    parts: list[Changes] = [[change] for change in batch] if isinstance(batch, ChangeBatch) else [batch]
    told = [ledger.fold(part, NOW) for part in parts]
    rows = dict(row for output in told for row in output.rows)
    panes = {key: pane for output in told for key, pane in output.panes}
    shown = {key: pane for key, pane in panes.items() if pane is not None}
    return list(batch), rows, shown, sum(output.duplicates for output in told), sum(len(one.late) for one in told)


def changes_are_read_alike(data: bytes) -> None:
    """Decoded, or taken from the frame by what is compiled: the same, down to the rows that come of it."""
    decoded = _outcome(data, lambda: new_batch(compiled=False))
    compiled = _outcome(data, lambda: new_batch(compiled=True))
    assert compiled == decoded


def engagements_are_read_or_refused(data: bytes) -> None:
    try:
        frame = decode_engagements(data)
    except msgspec.MsgspecError:
        return
    assert engagement_frames(frame.engagements, frame.received_at, frame.oldest_at)


def a_row_is_read_or_refused(data: bytes) -> None:
    """What was read of a row says, written and read again, the same."""
    try:
        record = decode_record(data)
    except (*_UNREADABLE, LookupError):
        return
    again = decode_record(record.encode())
    assert again.fields == record.fields
    assert again.encode() == record.encode()


def a_pane_is_read_or_refused(data: bytes) -> None:
    # A pane has no type of its own: what is wrong about a value is said by whoever takes it up.
    try:
        pane = decode_pane(data)
    except (*_UNREADABLE, ArithmeticError, ValueError, TypeError):
        return
    again = encode_pane(pane)
    assert encode_pane(decode_pane(again)) == again


def a_key_of_a_pane_is_read_or_refused(data: bytes) -> None:
    try:
        origin, rep, window = read_pane_key(data)
    except ValueError:
        return
    assert read_pane_key(pane_key(origin, rep, window)) == (origin, rep, window)


def a_delivery_is_read_or_refused(data: bytes) -> None:
    try:
        delivery = decode_delivery(data)
    except _UNREADABLE:
        return
    assert decode_delivery(encode_delivery(delivery)) == delivery


# --- Record batches ---------------------------------------------------------------------------------------------------


def _batch(*records: tuple[bytes | None, bytes | None], codec: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=0, producer_id=7, producer_epoch=1, base_sequence=0,
        batch_size=2**20,
    )  # fmt: skip
    for number, (key, value) in enumerate(records):
        builder.append(number, NOW // 1000, key, value, [("h", b"v")])
    return bytes(builder.build())


def _rows(unpacks: Unpack, data: bytes) -> Any:
    found, at = [], 0
    try:
        while True:
            records, after = unpacks(data, at, start=0, end=2**62, most=100)
            found += [(row.offset, row.key, row.value) for row in records or ()]
            if after == at:
                return found
            at = after
    except CorruptRecordException:
        return "corrupt"


def batches_are_unpacked_alike(data: bytes) -> None:
    """As aiokafka parses them, or refused. Half of them have a checksum that fits: it is not all that is tried."""
    if len(data) > 61 and data[-1] & 1:
        sealed = bytearray(data)
        struct.pack_into(">i", sealed, 8, len(sealed) - 12)
        struct.pack_into(">I", sealed, 17, calc_crc32c(bytes(sealed[21:])))
        data = bytes(sealed)
    found = _rows(unpack, data)
    if found == "corrupt":
        return
    assert _rows(parse, data) in (found, "corrupt")


_ROWS = [
    Record(one.kind, {name: (one.changed_at, one.digest, value) for name, value in one.fields.items()}).encode()
    for one in _CHANGES
]
TARGETS = (
    Target("changes", [next(iter(change_frames(_CHANGES[:count]))) for count in (1, 2, 4, 7)], changes_are_read_alike),
    Target(
        "engagements",
        list(
            engagement_frames([Engagement("lead:l1", "call|c1", _ROWS[0])] * 2, NOW, NOW)
        ),
        engagements_are_read_or_refused,
    ),
    Target("rows", _ROWS, a_row_is_read_or_refused),
    Target(
        "panes",
        [
            encode_pane(pane_of(calls_made=3, talk_seconds=61_000_000, revenue_won="48500.125")),
            encode_pane(pane_of(sales_cycle_days_p50=[-5, 7, 7], pending=[(NOW, NOW + 5)])),
            encode_pane({1: {b"sixteen bytes id": 2}}),
            encode_pane({}),
            msgspec.msgpack.encode({"revenue_won": "48500.125", "calls_made": 1}),
        ],
        a_pane_is_read_or_refused,
    ),
    Target(
        "pane-keys", [b"ledger.0|r1|d20530", b"responses.3||m29563200", b"ledger.0|a|b|c|d1"],
        a_key_of_a_pane_is_read_or_refused,
    ),
    Target(
        "deliveries", [encode_delivery(Delivery("feed", NOW, {"content-type": "application/json"}, b"{}"))],
        a_delivery_is_read_or_refused,
    ),
    Target(
        "record-batches",
        [
            _batch((b"k", b"v")),
            _batch((None, b"v"), (b"k", None), (b"key" * 50, b"x" * 300)),
            _batch((b"k", b"v"), codec=1),
        ],
        batches_are_unpacked_alike,
    ),
)  # fmt: skip
