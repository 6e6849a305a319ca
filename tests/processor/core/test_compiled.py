"""The compiled inner loops do what the core does in Python: the same rows, panes and messages, byte for byte."""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processor import native
from processor.core.batch import ChangeBatch, ChangesReceived, new_batch
from processor.core.definitions import definitions_of
from processor.core.ledger import Ledger
from processor.core.outputs import LedgerOutput
from processor.core.panes import Panes, PaneTable
from processor.core.plan import Contribution, digest_of_id
from processor.core.retention import Expiry, RetentionCutoff
from processor.native import panes as compiled_panes
from processor.native.batch import ChangeBatch as FramedBatch
from processor.native.plan import CompiledPlan
from schemas.catalogue.conditions import Decimals, First
from schemas.catalogue.plan import Form, Ids, Measure, Part, Waiting, plan_of
from schemas.damage import LONGEST
from schemas.frames import change_frames
from schemas.instants import DAY, HOUR, MINUTE
from schemas.late import LateChange
from schemas.panes import pane_key
from schemas.records import RecordChange, make_change
from tests.builders import change, make_config
from tests.panes import shipped
from tests.strategies import NOW, changes, logs, long_log

CONFIG = make_config(
    timezone="Asia/Kuala_Lumpur",
    retention={"minutes": "25h", "records": "30d"},
    reps={"r2": {"aliases": {"feed": ["old-2"]}}},
)
DEFINITIONS = definitions_of(CONFIG)
PLAIN = ("call", "email", "meeting")
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Told:
    """One ledger, and what it has told: the last value of every key, as its topics hold it."""

    def __init__(self, *, compiled: bool) -> None:
        """`compiled`: its batches come as frames, of which what is plain is never decoded."""
        self.compiled = compiled
        self.ledger = Ledger("ledger.0", DEFINITIONS, compiled=compiled)
        self.rows: dict[bytes, bytes | None] = {}
        self.panes: dict[bytes, bytes | None] = {}
        self.roster: dict[bytes, bytes | None] = {}
        self.engaged: dict[tuple[str, str], bytes] = {}
        self.late: list[LateChange] = []
        self.duplicates = 0
        self.log_at = 0

    def fold(self, changes: Sequence[RecordChange]) -> None:
        self.log_at = max(self.log_at, *(change.received_at for change in changes))
        self.take(self.ledger.fold(in_frames(changes) if self.compiled else changes, self.log_at))

    def take(self, output: LedgerOutput) -> None:
        self.rows.update(output.rows)
        self.panes.update(output.panes)
        self.roster.update(output.roster)
        self.engaged |= {(one.group, one.record): one.row for one in output.engagements}
        self.late += output.late
        self.duplicates += output.duplicates

    def state(self) -> dict[str, Any]:
        return {
            "rows": {key: row for key, row in self.rows.items() if row is not None},
            "panes": {key: pane for key, pane in self.panes.items() if pane is not None},
            "roster": self.roster,
            "engaged": self.engaged,
            "duplicates": self.duplicates,
            "size": (len(self.ledger), len(self.ledger.panes)),
            "backlog": self.ledger.backlog,
        }

    def refused(self) -> list[tuple[str, int]]:
        return sorted((late.reason, late.change.digest) for late in self.late)

    def load_again(self) -> LedgerOutput:
        """As a worker that starts: from the rows alone, compared with what was published."""
        state = self.state()
        loaded = Ledger("ledger.0", DEFINITIONS, compiled=self.compiled)
        loaded.restore(dict(state["rows"]))
        roster = {key: row for key, row in self.roster.items() if row is not None}
        return loaded.rebuild(dict(state["panes"]), roster, {}, self.log_at)


def in_frames(changes: Sequence[RecordChange]) -> ChangesReceived:
    batch = new_batch(compiled=True)
    for first in range(0, len(changes), 3):
        for frame in change_frames(changes[first : first + 3]):
            batch.add(frame)
    return batch


def both(batches: Iterable[Sequence[RecordChange]]) -> tuple[Told, Told]:
    """Both after the same batches; after each of them they must be the same.

    Of several changes of one record in one batch, Python judges the last alone: there it may call all of them late,
    where one by one, as they may have come too, only that is late which brought it behind the cutoff.
    """
    plain, fast = Told(compiled=False), Told(compiled=True)
    is_late_alike = True
    for batch in batches:
        if batch:
            plain.fold(batch)
            fast.fold(batch)
            is_late_alike &= len({(change.kind, change.id) for change in batch}) == len(batch)
            assert fast.state() == plain.state()
            if is_late_alike:
                assert fast.refused() == plain.refused()
    return plain, fast


def in_batches(log: Sequence[RecordChange], sizes: Sequence[int]) -> Iterable[Sequence[RecordChange]]:
    start = 0
    for size in sizes:
        yield log[start : start + size]
        start += size
    yield log[start:]


def test_it_is_compiled_here() -> None:
    """Otherwise nothing below says anything."""
    assert native.STATE == "compiled"


@CALM
@given(logs(), st.lists(st.integers(1, 9), max_size=9))
def test_any_log_gives_the_same(log: list[RecordChange], sizes: list[int]) -> None:
    both(in_batches(log, sizes))


def test_what_is_plain_is_taken_whatever_it_says() -> None:
    """Otherwise it would be folded by the core in Python, rightly, and at a fifth of the speed."""
    plain = [
        change("call", "c", NOW, direction="outbound", internal=False, talk_seconds=0, answered_at=None, lead="l1"),
        change("email", "e", NOW, automated=True, sent_at=NOW, rep=None),
        change("meeting", "m", NOW, booked_at=NOW, rep="ré", deleted=True),
        change("meeting", "people", NOW, starts_at=NOW, outcome="held", rep="r1", attendees=["r2", "r3"]),
        change("email", "many", NOW, sent_at=NOW, direction="outbound", rep="r1", contacts=["p1", "p2"], lead="p1"),
        change("email", "many", NOW + 1, contacts=["p2", "p3", "p1"]),
        change("email", "many", NOW - 1, contacts=["p1"], thread=None),
    ]
    # An id that was taken off is to be remembered, and its group told: that is left to the core in Python.
    moved = [
        change("email", "many", NOW + 2, contacts=["p2", "p3"]),
        change("email", "many", NOW - 2, contacts=["p4"]),
    ]
    ledger = Ledger("ledger.0", DEFINITIONS, compiled=True)
    rows: dict[bytes, bytes] = {}
    batch = in_frames([*plain, *moved])
    assert ledger._plain is not None
    assert ledger._plain.takes(batch)
    left = ledger._plain.fold(batch, rows, 0, Expiry(), lambda key, output: None, LedgerOutput())
    assert list(left) == moved
    assert sorted(rows) == [b"call|c", b"email|e", b"email|many", b"meeting|m", b"meeting|people"]


def test_each_contact_is_a_lead_that_is_told_once() -> None:
    said = [
        change("email", "e", NOW, sent_at=NOW, contacts=["p1", "l1"], lead="l1", thread="t"),
        change("email", "e", NOW + 1, contacts=["l2", "p1", "l1"]),
        change("email", "e", NOW + 2, contacts=["l2"], lead=None),
        change("email", "e", NOW - 1, contacts=["l3"]),
    ]
    for log in (said, said[::-1], said[1:] + said[:1]):
        _, fast = both([one] for one in log)
        groups = {f"lead:{lead}" for lead in ("l1", "l2", "l3", "p1")} | {"thread:t"}
        assert {group for group, _ in fast.engaged} == groups


@CALM
@given(logs())
def test_one_by_one_any_log_gives_the_same_and_the_same_is_late(log: list[RecordChange]) -> None:
    both([change] for change in log)


@CALM
@given(logs(PLAIN), st.lists(st.integers(1, 9), max_size=9), st.randoms(use_true_random=False))
def test_in_any_order_and_repeated_the_plain_kinds_give_the_same(
    log: list[RecordChange], sizes: list[int], chance: Any
) -> None:
    repeated = log + log[::2]
    chance.shuffle(repeated)
    both(in_batches(repeated, sizes))


@CALM
@given(st.integers(0, 10**6))
def test_what_expires_expires_alike(seed: int) -> None:
    log = long_log(seed)
    plain, fast = both([change] for change in log)
    for told in (plain, fast):
        while told.ledger.backlog:
            told.take(told.ledger.sweep(3))
    assert fast.state() == plain.state()


@settings(CALM, max_examples=50)
@given(logs())
def test_what_came_over_days_is_cut_alike_and_stays_in_its_frames(log: list[RecordChange]) -> None:
    cutoff = RetentionCutoff(DEFINITIONS.calendar, DEFINITIONS.records_kept)
    decoded = [list(part) for part in ChangeBatch(log).parts(cutoff.at)]
    parts = in_frames(log).parts(cutoff.at)
    assert [list(part) for part in parts] == decoded
    plain, fast = Told(compiled=False), Told(compiled=True)
    for part in parts:
        assert isinstance(part, FramedBatch)
        plain.fold(list(part))
        fast.log_at = plain.log_at
        fast.take(fast.ledger.fold(part, fast.log_at))
        assert fast.state() == plain.state()


def test_a_batch_is_cut_where_the_cutoff_moves_and_nowhere_else() -> None:
    cutoff, kinds = RetentionCutoff(DEFINITIONS.calendar, DEFINITIONS.records_kept), ("call", "deal")
    days = [change(kind, f"{kind}{day}", NOW + day * DAY, rep="r1") for day in (2, 0, 1) for kind in kinds]

    def cut(batch: ChangesReceived) -> list[list[str]]:
        return [[said.id for said in part] for part in batch.parts(cutoff.at)]

    by_day = [["call0", "deal0"], ["call1", "deal1"], ["call2", "deal2"]]
    assert cut(ChangeBatch(days)) == cut(in_frames(days)) == by_day
    cutoff.advance(NOW + DAY)
    assert cut(ChangeBatch(days)) == cut(in_frames(days)) == [by_day[0] + by_day[1], by_day[2]]


@CALM
@given(logs(), st.lists(st.integers(1, 9), max_size=9))
def test_a_load_derives_what_was_told(log: list[RecordChange], sizes: list[int]) -> None:
    for told in both(in_batches(log, sizes)):
        if log:
            output = told.load_again()
            assert (output.panes, output.rows, output.roster) == ([], [], [])


@CALM
@given(st.integers(0, 10**6))
def test_a_load_lets_go_what_is_too_old_alike(seed: int) -> None:
    log = long_log(seed)
    plain, fast = both([log])
    plain.log_at = fast.log_at = NOW + 20 * DAY
    one, other = plain.load_again(), fast.load_again()
    assert sorted(other.rows) == sorted(one.rows)
    assert sorted(other.panes) == sorted(one.panes)


# What `str.isprintable` takes: made so, not sifted, of which Hypothesis has enough now and then.
SHOWN = st.characters(exclude_categories=("C", "Z")) | st.just(" ")
LONG = st.sampled_from([1, 31, 32, 255, 256, 65_535, 65_536]).map("x".__mul__) | st.text(SHOWN, min_size=1, max_size=40)
TALKS = st.sampled_from([0, 1, 31, 32, 127, 128, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, LONGEST])
INTEGERS = st.sampled_from(
    [0, 1, 31, 32, 127, 128, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**50]
).flatmap(lambda value: st.sampled_from([value, -value, -value - 1]))


@CALM
@given(st.lists(st.tuples(changes(PLAIN), LONG, LONG, TALKS, INTEGERS), max_size=6))
def test_texts_and_numbers_of_any_size_are_written_alike(found: list[tuple[RecordChange, str, str, int, int]]) -> None:
    """What no connector lets through, but a row could hold."""
    log = [
        make_change(
            kind=one.kind,
            id=one.id,
            changed_at=one.changed_at,
            fields={**one.fields, "rep": rep, "lead": lead, **({"talk_seconds": talk} if one.kind == "call" else {})},
            received_at=one.received_at,
        )
        for one, rep, lead, talk, _ in found
    ]
    log += [
        make_change(kind=one.kind, id=one.id, changed_at=at, fields={"rep": rep}, received_at=one.received_at)
        for one, rep, _, _, at in found
        if at >= NOW - 29 * DAY
    ]
    both([log])


def test_more_names_than_there_is_room_for_are_all_remembered() -> None:
    log = [change("call", "c", NOW - 100 * MINUTE + number, lead=f"l-{number:02}") for number in range(70)]
    _, fast = both([log[:20], log[20:40], log[40:]])
    assert len(fast.engaged) == 70


def test_a_record_without_a_field_is_a_record() -> None:
    _, fast = both([[change("call", "c", NOW)], [change("call", "c", NOW + 1, rep="r1")]])
    assert len(fast.ledger) == 1


def test_a_row_that_is_none_is_an_error_as_ever() -> None:
    told = Told(compiled=True)
    told.ledger.restore({b"call|c": b"\x94\xa4call\xff"})
    with pytest.raises(msgspec.ValidationError):
        told.fold([change("call", "c", NOW, rep="r1")])


@CALM
@given(st.binary(max_size=80), st.integers(0, 80), st.integers(0, 255))
def test_no_bytes_are_read_beyond_a_row(junk: bytes, place: int, byte: int) -> None:
    """Of rows that are cut off, or changed anywhere, what is one in Python gives the same; none ends the process."""
    told = Told(compiled=True)
    told.fold([change("call", "c", NOW, rep="r1", lead="l1", direction="outbound", dialed_at=NOW)])
    row = told.state()["rows"][b"call|c"]
    changed = row[:place] + bytes([byte]) + row[place + 1 :]
    for damaged in (junk, row[:place], changed, row + junk):
        results: list[Any] = []
        for is_compiled in (False, True):
            ledger = Ledger("ledger.0", DEFINITIONS, compiled=is_compiled)
            ledger.restore({b"call|c": damaged})
            said = [change("call", "c", NOW - HOUR, rep="r3")]
            try:
                output = ledger.fold(in_frames(said) if is_compiled else said, NOW)
                results.append((output.rows, sorted(output.panes), output.duplicates))
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
                results.append(type(error))
        assert results[1] == results[0] or isinstance(results[0], type)


_AT = First(("dialed_at",))
FURTHER = [
    Measure((Part("call", True, _AT, ("rep",), Form.ID, Ids(("lead",))),), keep=7),
    Measure((Part("call", True, _AT, ("rep",), Form.ID, Ids(("deal",))),)),
    Measure((Part("call", True, _AT, ("rep",), Form.PENDING, (_AT, _AT)),)),
    Measure((Part("call", True, _AT, ("rep",), Form.DECIMAL, Decimals("amount")),)),
    Measure((Part("call", True, _AT, ("rep",), Form.PENDING, (_AT, _AT, _AT)),)),
    Measure((Part("call", True, _AT, ("rep",), Form.PENDING_DECIMAL, Waiting(_AT, _AT, Decimals("amount"))),)),
]
PLAN = plan_of(
    [*(measure for metric in shipped().metrics.values() for measure in metric.reader.measures), *FURTHER]
)  # fmt: skip
"""The shipped one, and what it has no use for."""


def tables() -> tuple[Panes, Panes]:
    cutoff = RetentionCutoff(DEFINITIONS.calendar, DEFINITIONS.records_kept)
    cutoff.advance(NOW)
    kept = (DEFINITIONS.calendar, DEFINITIONS.minutes_kept, cutoff)
    plan = CompiledPlan(PLAN, {})
    found: tuple[Panes, Panes] = (
        PaneTable("ledger.0", *kept, PLAN.keeps),
        compiled_panes.PaneTable("ledger.0", *kept, plan),
    )
    for table in found:
        table.advance(NOW)
    return found


CELLS = {form: [cell for cell, held in PLAN.forms.items() if held is form] for form in Form}
AMOUNTS = st.sampled_from([1, 2, -1, 60_000_000, 2**40 - 1])
VALUES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(CELLS[Form.COUNT]), st.none(), AMOUNTS),
        st.tuples(st.sampled_from(CELLS[Form.NUMBER]), st.sampled_from([0, 1]), AMOUNTS),
        st.tuples(st.sampled_from(CELLS[Form.DECIMAL]), st.sampled_from([512, 513, 1024]), AMOUNTS),
        st.tuples(st.sampled_from(CELLS[Form.SAMPLE]), st.integers(-DAY, 90 * DAY), st.just(1)),
        st.tuples(st.sampled_from(CELLS[Form.ID]), st.sampled_from("abc").map(digest_of_id), st.sampled_from([1, -1])),
        st.tuples(st.just(FURTHER[2].name), st.tuples(INTEGERS, INTEGERS), st.sampled_from([1, 1, -1])),
        st.tuples(st.just(FURTHER[4].name), st.tuples(INTEGERS, INTEGERS, INTEGERS), st.sampled_from([1, -1])),
        st.tuples(
            st.just(FURTHER[5].name),
            st.tuples(st.sampled_from([NOW, NOW + DAY]), st.just(2**62), st.sampled_from([512, 513])),
            AMOUNTS,
        ),
    ),
    min_size=1,
    max_size=6,
)
CONTRIBUTIONS = st.lists(
    st.tuples(
        st.sampled_from(["r-1", "r|é", None]),
        st.integers(0, 90).map(lambda step: NOW - step * 11 * HOUR) | st.none(),
        VALUES,
    ),
    max_size=12,
)


@CALM
@given(st.lists(st.tuples(CONTRIBUTIONS, st.booleans(), st.integers(0, 30)), max_size=8))
def test_tables_of_panes_tell_the_same(steps: list[tuple[list[Contribution], bool, int]]) -> None:
    plain, fast = tables()
    held: list[Contribution] = []
    told: dict[bytes, bytes | None] = {}
    log_at = NOW
    for new, taking_out, hours in steps:
        old = held[::2] if taking_out else []
        if taking_out:
            held = held[1::2]
        held += new
        log_at += hours * HOUR
        for table in (plain, fast):
            table.replace(old, new)
            # What has expired cannot be taken out of anything; both leave it alone.
            table.advance(log_at)
        changed = fast.take_changes()
        assert sorted(changed, key=str) == sorted(plain.take_changes(), key=str)
        assert len(fast) == len(plain)
        told |= changed
        # By the key that everybody else reads and writes.
        lying = plain.held()
        assert {key: value for key, value in told.items() if value is not None} == {
            pane_key("ledger.0", rep, window): value for window, panes in lying.items() for rep, value in panes.items()
        }


@CALM
@given(CONTRIBUTIONS, st.integers(0, 5))
def test_only_what_differs_from_what_was_published_is_told(contributions: list[Contribution], kept: int) -> None:
    told = []
    for table in tables():
        table.count(contributions)
        published = dict(table.take_changes()[:kept])
        again = tables()[int(isinstance(table, compiled_panes.PaneTable))]
        again.count(contributions)
        known = {key: value for key, value in sorted(published.items()) if value is not None}
        known |= {b"ledger.0|gone|d1": b"\x81\x07\x01"}
        told.append((sorted(published), sorted(again.repair(known), key=str), known))
    assert told[1][2] == {} == told[0][2]


def test_a_table_of_many_panes_forgets_none() -> None:
    plain, fast = tables()
    many: list[Contribution] = [
        (f"r-{number % 900}", NOW - number * MINUTE // 3, ((CELLS[Form.COUNT][0], None, 1),)) for number in range(6000)
    ]
    for table in (plain, fast):
        table.replace((), many)
    assert sorted(fast.take_changes(), key=str) == sorted(plain.take_changes(), key=str)
    for table in (plain, fast):
        table.replace(many[1000:], ())
    assert sorted(fast.take_changes(), key=str) == sorted(plain.take_changes(), key=str)
    assert len(fast) == len(plain) > 0


def state_of(folder: Path) -> str:
    """What a copy of the package in this folder says of itself."""
    module = ModuleType("copied")
    module.__dict__.update(__name__="copied", __file__=str(folder / "__init__.py"))
    source = Path(native.__file__).read_text()
    exec(compile(source, str(folder / "__init__.py"), "exec"), module.__dict__)  # noqa: S102 - our own file
    return str(module.__dict__["STATE"])


def test_what_was_not_compiled_or_is_older_than_its_source_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "compiled"
    shutil.copytree(Path(native.__file__).parent, folder)
    assert state_of(folder) == "compiled"

    newer = max(path.stat().st_mtime for path in folder.iterdir()) + 10
    os.utime(folder / "rows.pyx", (newer, newer))
    assert state_of(folder) == "older than its source"
    # That one alone is made again, and the others are what they were.
    for library in folder.glob("rows.*.so"):
        os.utime(library, (newer, newer))
    assert state_of(folder) == "compiled"

    os.utime(folder / "rows.pxd", (newer + 10, newer + 10))
    assert state_of(folder) == "older than its source"

    for library in folder.glob("ledger.*.so"):
        library.unlink()
    assert state_of(folder) == "not compiled"
