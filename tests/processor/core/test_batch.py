"""A batch of frames says what its frames say, however little of them it has decoded."""

import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from processor import native
from processor.core.batch import ChangeBatch, Changes, ChangesReceived, new_batch
from processor.core.definitions import definitions_of
from processor.core.ledger import Ledger
from processor.native import batch as compiled_batch
from schemas.frames import change_frames
from schemas.records import RecordChange
from tests.builders import change, make_config
from tests.strategies import NOW, logs

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
DEFINITIONS = definitions_of(make_config())
KINDS: list[Callable[[], ChangesReceived]] = [ChangeBatch, compiled_batch.ChangeBatch]
either = pytest.mark.parametrize("make", KINDS, ids=["decoded", "compiled"])


def test_what_is_tested_is_what_is_used() -> None:
    assert native.STATE == "compiled"
    assert isinstance(new_batch(), compiled_batch.ChangeBatch)
    assert isinstance(new_batch(compiled=False), ChangeBatch)


@either
def test_of_nothing_there_is_no_receipt(make: Callable[[], ChangesReceived]) -> None:
    batch = make()
    batch.add(b"\x91\x90")  # a frame without a change
    assert (len(batch), list(batch), bool(batch)) == (0, [], False)
    with pytest.raises(ValueError, match="empty"):
        _ = batch.oldest_at
    with pytest.raises(ValueError, match="empty"):
        _ = batch.newest_at


@either
@CALM
@given(st.lists(logs(), max_size=4))
def test_all_changes_come_out_as_they_went_in(
    make: Callable[[], ChangesReceived], found: list[list[RecordChange]]
) -> None:
    batch = make()
    for log in found:
        for frame in change_frames(log):
            batch.add(frame)
    log = [change for part in found for change in part]
    assert list(batch) == log
    assert len(batch) == len(log)
    if log:
        receipts = [change.received_at for change in log]
        assert (batch.oldest_at, batch.newest_at) == (min(receipts), max(receipts))


@either
def test_of_a_frame_that_cannot_be_read_nothing_is_taken(make: Callable[[], ChangesReceived]) -> None:
    calls = [change("call", f"c{number}", NOW + number, rep="r1") for number in range(5)]
    batch = make()
    (good,) = change_frames(calls[:2])
    batch.add(good)
    (whole,) = change_frames(calls[2:])
    (lead,) = change_frames([change("lead", "l1", NOW + 50, source="web")])
    for bad in (
        whole[:-1],
        whole + b"\0",
        b"",
        b"\x91\x94" + whole[2:] + lead[2:-9] + b"\xc0",  # its last change was received at no time
    ):
        with pytest.raises(msgspec.MsgspecError):
            batch.add(bad)
    assert list(batch) == calls[:2]
    assert (batch.oldest_at, batch.newest_at) == (NOW, NOW + 1)
    batch.add(whole)
    assert list(batch) == calls
    assert batch.newest_at == NOW + 4


def outcome(make: Callable[[], ChangesReceived], frame: bytes) -> Any:
    """What it makes of a frame, and what a compiled ledger then makes of that: from the frame, or from the changes."""
    batch = make()
    try:
        batch.add(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "unreadable"
    if not batch:
        return []
    ledger = Ledger("ledger.0", DEFINITIONS, compiled=True)
    # What is plain of a frame is folded one by one, and so may break at a change that a later one takes back.
    parts: list[Changes] = [[change] for change in batch] if isinstance(batch, ChangeBatch) else [batch]
    try:
        told = [ledger.fold(part, NOW) for part in parts]
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
        return list(batch), type(error)
    rows = dict(row for output in told for row in output.rows)
    panes = {key: pane for output in told for key, pane in output.panes}
    shown = {key: pane for key, pane in panes.items() if pane is not None}
    return list(batch), rows, shown, sum(output.duplicates for output in told), sum(len(one.late) for one in told)


def agree(frame: bytes) -> Any:
    decoded, read = (outcome(make, frame) for make in KINDS)
    assert read == decoded
    return decoded


(FRAME,) = change_frames(
    [
        change("call", "c1", NOW, rep="r1", lead="l1", direction="outbound", dialed_at=NOW, talk_seconds=61_000_000),
        change("email", "e1", NOW, rep="r2", direction="outbound", sent_at=NOW, automated=False, lead=None),
        change("lead", "l1", NOW, source="web"),
        change("call", "c1", NOW + 1, rep="r2"),
    ]
)


@CALM
@given(st.integers(0, len(FRAME)), st.binary(max_size=3), st.integers(0, 3))
def test_frames_damaged_anywhere_are_read_alike(place: int, put: bytes, taken: int) -> None:
    agree(FRAME[:place] + put + FRAME[place + taken :])


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from(["", "r1", "outbound", "inbound", "é", "x" * 31, "x" * 32, "x" * 255, "x" * 256, "x" * 65_536]),
    st.floats(allow_nan=False),
    st.binary(max_size=3),
    st.just(msgspec.msgpack.Ext(5, b"12345")),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=2),
)
NAMES = st.sampled_from(["rep", "lead", "direction", "sent_at", "talk_seconds", "deleted", "stage", "é", ""])
INTEGERS = st.sampled_from([NOW, NOW - 1, 0, -1, 2**63 - 1, 2**63, 2**64 - 1]) | st.integers(0, NOW)


@CALM
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["call", "email", "meeting", "lead", "what"]) | SCALARS,
            st.sampled_from(["c1", "é"]) | SCALARS,
            INTEGERS | SCALARS,
            INTEGERS | SCALARS,
            st.dictionaries(NAMES, SCALARS, max_size=4) | SCALARS,
            INTEGERS | SCALARS,
        ).flatmap(lambda whole: st.sampled_from([whole, whole, (*whole, None), whole[:-1]])),
        max_size=3,
    )
)
@example([("call", "c1", NOW, 1, {"rep": "r1"}, NOW, "said by a later version")])
def test_whatever_else_msgpack_can_say_is_read_alike(items: list[tuple[Any, ...]]) -> None:
    agree(msgspec.msgpack.encode([items]))


def test_what_is_written_longer_than_need_be_is_read_alike() -> None:
    def text(value: bytes, width: str) -> bytes:
        return {"B": b"\xd9", ">H": b"\xda", ">I": b"\xdb"}[width] + struct.pack(width, len(value)) + value

    at, digest = b"\xcf" + struct.pack(">Q", NOW), b"\xcf" + struct.pack(">Q", 7)
    for width in ("B", ">H", ">I"):
        names = text(b"rep", width), text(b"talk_seconds", width)
        fields = b"\xdf" + struct.pack(">I", 2) + names[0] + text(b"r1", width) + names[1]
        item = b"\xdc\0\x06" + text(b"call", width) + text(b"c1", width) + at + digest + fields + b"\xd3" + bytes(7)
        found = agree(b"\x91\xdd\0\0\0\x01" + item + b"\x05" + at)
        assert found[0] == [RecordChange("call", "c1", NOW, 7, {"rep": "r1", "talk_seconds": 5}, NOW)]


def test_a_field_that_is_said_twice_is_read_alike() -> None:
    at, digest = b"\xcf" + struct.pack(">Q", NOW), b"\x07"
    fields = b"\x82\xa3rep\xa2r1\xa3rep\xa2r2"
    found = agree(b"\x91\x91\x96\xa4call\xa2c1" + at + digest + fields + at)
    assert found[0] == [RecordChange("call", "c1", NOW, 7, {"rep": "r2"}, NOW)]
