"""Frames and rows that nobody of ours has written are refused whole, the same in Python and compiled."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processor.core.batch import new_batch, row_check
from processor.core.definitions import definitions_of
from processor.core.groups import Groups
from processor.core.ledger import Ledger
from schemas.frames import ChangeFrame, Engagement, change_frames, decode_changes, decode_engagements, engagement_frames
from schemas.instants import DAY
from schemas.records import DELETED, FIELDS, Record, RecordChange, encode_elsewhere, fold_all
from tests.builders import change, make_config
from tests.strategies import NOW, logs

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
pack = msgspec.msgpack.Encoder().encode
DEFINITIONS = definitions_of(make_config())
GOOD = change("call", "c", NOW, lead="l1", dialed_at=NOW, talk_seconds=3, internal=False)
AMISS: dict[str, Any] = {
    "a kind": {"kind": "calls"},
    "an unknown field": {"fields": {"led": "l1"}},
    "a field of another kind": {"fields": {"sent_at": NOW}},
    "a number for a text": {"fields": {"lead": 5}},
    "a text for an instant": {"fields": {"dialed_at": "2026-03-18T10:00:00Z"}},
    "a claim for an instant": {"fields": {"dialed_at": True}},
    "a number for a claim": {"fields": {"internal": 1}},
    "a fraction": {"fields": {"talk_seconds": 1.5}},
    "a list": {"fields": {"lead": ["l1"]}},
    "more than 64 bits": {"fields": {"dialed_at": 2**64 - 1}},
    "an instant of no year": {"fields": {"dialed_at": 2**62}},
    "a talk of centuries": {"fields": {"talk_seconds": 2**60}},
    "a talk before it began": {"fields": {"talk_seconds": -1}},
    "a group that is none": {"fields": {"lead": ""}},
    "a separator": {"fields": {"lead": "a\0b"}},
    "no id": {"id": ""},
    "a separator in the id": {"id": "a\0b"},
    "an id that turns text around": {"id": "a\u202eb"},
    "a group that cannot be shown": {"fields": {"lead": "a\u2028b"}},
    "a sign that is none": {"fields": {"rep": "\ud7ff"}},
    "a change of no year": {"changed_at": 2**62},
    "a receipt of no year": {"received_at": -(2**62)},
    "a digest below 0": {"digest": -1},
    "a claim that is none": {"fields": {"deleted": "yes"}},
}


def refused(frame: bytes) -> list[bool]:
    """By Python, and by what is compiled."""
    found = []
    for compiled in (False, True):
        batch = new_batch(compiled=compiled)
        try:
            batch.add(frame)
        except msgspec.MsgspecError:
            assert len(batch) == 0
            found.append(True)
        else:
            found.append(False)
    return found


@pytest.mark.parametrize("what", AMISS)
def test_a_change_that_no_connector_can_write_is_refused_with_its_frame(what: str) -> None:
    damaged = msgspec.structs.replace(GOOD, **AMISS[what])
    for frame in (pack(ChangeFrame([damaged])), pack(ChangeFrame([GOOD, damaged, GOOD]))):
        assert refused(frame) == [True, True]


def test_a_decimal_that_is_none_is_refused() -> None:
    for amount in ("a lot", "NaN", "1e5", "", "1_000"):
        deal = change("deal", "d", NOW)
        assert refused(pack(ChangeFrame([msgspec.structs.replace(deal, fields={"amount": amount})]))) == [True, True]


_JUNK: tuple[Any, ...] = (
    True, 0, -1, 1.5, 2**63 - 1, 2**64 - 1, -(2**63), float("inf"), "", "x", "a\0b", "2026-03-18", "9999-99-99", "-1e5",
    "1" * 30, [], ["a", "a"], [1], ["x"] * 300, {}, {"a": 1}, b"\xff",
)  # fmt: skip
EVERY_FIELD = [(kind, name) for kind, fields in FIELDS.items() for name in (*fields, DELETED)]


@pytest.mark.parametrize(("kind", "name"), EVERY_FIELD, ids=lambda said: said)
def test_whatever_a_field_holds_is_taken_or_refused_alike_as_change_and_as_row(kind: str, name: str) -> None:
    """Of every kind of record; what is taken, a connector may have written, so it goes through the ledger."""
    refusals = 0
    for value in _JUNK:
        said = msgspec.structs.replace(change(kind, "x", NOW), fields={name: value})
        (python, compiled) = refused(pack(ChangeFrame([said, GOOD])))
        assert python == compiled
        refusals += python
        row = Record(kind, {name: (NOW, 1, value)}).encode()
        assert [_is_refused(row_check(compiled=compiled), row) for compiled in (False, True)] == [python] * 2
        if not python:
            for is_compiled in (False, True):
                ledger = Ledger("ledger.0", DEFINITIONS, compiled=is_compiled)
                output = ledger.fold(decode_changes(pack(ChangeFrame([said]))).changes, NOW)
                groups = Groups("responses.0", DEFINITIONS, check=row_check(compiled=is_compiled))
                groups.fold(output.engagements, NOW)
    assert refusals > len(_JUNK) // 2


def _is_refused(check: Callable[[bytes], None], row: bytes) -> bool:
    try:
        check(row)
    except msgspec.MsgspecError:
        return True
    return False


@pytest.mark.parametrize("kind", FIELDS)
def test_a_field_that_no_such_record_has_is_refused(kind: str) -> None:
    foreign = next(name for name in ("dialed_at", "goal", "monthly_amount") if name not in FIELDS[kind])
    for name in (foreign, "nobody"):
        said = msgspec.structs.replace(change(kind, "x", NOW), fields={name: None})
        assert refused(pack(ChangeFrame([said]))) == [True, True]


def test_a_text_that_is_not_utf_8_is_refused() -> None:
    (frame,) = change_frames([change("call", "c-1", NOW, lead="lead-1", outcome="busy")])
    for text in (b"c-1", b"lead-1", b"busy"):
        assert text in frame
        assert refused(frame.replace(text, b"\xff" * len(text))) == [True, True]


@CALM
@given(logs(most=4), st.integers(0, 600), st.integers(0, 255))
def test_a_byte_that_fell_over_is_refused_or_read_alike(log: list[RecordChange], place: int, byte: int) -> None:
    for frame in change_frames(log) if log else ():
        place %= len(frame)
        damaged = frame[:place] + bytes([byte]) + frame[place + 1 :]
        python, compiled = refused(damaged)
        assert python == compiled
        if not python:
            ledgers = [
                Ledger("ledger.0", definitions_of(make_config()), compiled=compiled) for compiled in (False, True)
            ]
            changes = decode_changes(damaged).changes
            one, other = (ledger.fold(changes, NOW) for ledger in ledgers)
            assert sorted(one.panes) == sorted(other.panes)


@CALM
@given(logs(("call", "email", "meeting", "lead"), most=3), st.integers(0, 200), st.integers(0, 255))
def test_a_row_with_a_byte_that_fell_over_ends_nobody(log: list[RecordChange], place: int, byte: int) -> None:
    definitions = definitions_of(make_config())
    for said in log:
        row = fold_all(said.kind, [said]).encode()
        damaged = row[: place % len(row)] + bytes([byte]) + row[place % len(row) + 1 :]
        results = []
        for compiled in (False, True):
            try:
                row_check(compiled=compiled)(damaged)
            except msgspec.MsgspecError:
                results.append(True)
            else:
                results.append(False)
            ledger = Ledger("ledger.0", definitions, compiled=compiled)
            ledger.restore(
                {f"{said.kind}|{said.id}".encode(): damaged, b"call|sound": fold_all("call", [GOOD]).encode()}
            )
            output = ledger.rebuild({}, {}, {}, NOW)
            assert len(output.damaged) == results[-1]
            ledger.fold([change("call", "sound", NOW + 1, lead="l2")], NOW)
            if not results[-1]:
                groups = Groups("responses.0", definitions, check=row_check(compiled=compiled))
                groups.restore(f"lead:l1\0{said.kind}|{said.id}".encode(), damaged)
                groups.rebuild({}, {}, NOW)
        assert results[0] == results[1]


def test_a_frame_of_engagements_with_a_row_that_is_none_is_refused() -> None:
    sound = [
        Engagement("lead:l1", "call|c", fold_all("call", [GOOD]).encode()),
        Engagement("lead:l1", "call|c", encode_elsewhere("call", "lead", "l1", (NOW, 1))),
        Engagement("lead:l2", "lead|l1", fold_all("lead", [change("lead", "l1", NOW, rep="r")]).encode(), "l1"),
    ]
    for check in (row_check(compiled=False), row_check(compiled=True)):
        (frame,) = engagement_frames(sound, NOW, NOW)
        assert decode_engagements(frame, check).engagements == sound
        for row in (
            b"",
            b"junk",
            pack(("call", [(NOW, 1, {200: 1})], {}, {})),
            pack(("call", [(NOW, 1, {2: 7})], {}, {})),
        ):
            (frame,) = engagement_frames([*sound, Engagement("lead:l1", "call|c", row)], NOW, NOW)
            with pytest.raises(msgspec.MsgspecError):
                decode_engagements(frame, check)
        for odd in (Engagement("", "call|c", sound[0].row), Engagement("lead:a\0b", "call|c", sound[0].row)):
            (frame,) = engagement_frames([odd], NOW, NOW)
            with pytest.raises(msgspec.MsgspecError):
                decode_engagements(frame, check)
        (frame,) = engagement_frames(sound, 2**62, NOW - DAY)
        with pytest.raises(msgspec.MsgspecError):
            decode_engagements(frame, check)
