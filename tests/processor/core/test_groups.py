"""Groups: what is heard at once is what is heard bit by bit, however stale and often it comes."""

import random
from collections import defaultdict
from itertools import islice
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processor.core.bounds import SEPARATOR
from processor.core.deals import deal_row, joined_stays
from processor.core.definitions import definitions_of
from processor.core.engaging import engagements_of
from processor.core.facts import CurrentValues, GroupFacts
from processor.core.groups import PART, Groups
from processor.core.joining import is_news
from processor.core.outputs import GroupsOutput
from processor.core.retention import first_version, last_instant, marked
from schemas.catalogue.base import Reading
from schemas.damage import check_row
from schemas.frames import Engagement, record_key
from schemas.instants import DAY, HOUR
from schemas.panes import decode_pane, pane_key
from schemas.records import FIELDS, Record, RecordChange, decode_record, encode_elsewhere, fold_all, is_elsewhere
from schemas.windows import minute_window
from tests.builders import change, make_config
from tests.panes import shipped
from tests.strategies import NOW, logs

CONFIG = make_config(timezone="Asia/Kuala_Lumpur")
WINDOW = minute_window(NOW - HOUR)
Told = dict[bytes, bytes | None]


NOTHING_COUNTED = {"leads_due": 0, "leads_answered": 0, "lead_response_seconds_p50": None}


def read(told: Told, rep: str, now: int) -> dict[str, object]:
    """What the clocks of a rep come to in the window, for a reader at `now`."""
    row = left(told).get(pane_key("responses.0", rep, WINDOW))
    pane = decode_pane(row) if row is not None else {}
    return {name: shipped().metrics[name].reader.result(pane, Reading(now, 2)).value for name in NOTHING_COUNTED}


def states(log: list[RecordChange]) -> dict[str, list[Record]]:
    """Of each record all states that it went through."""
    found: dict[str, list[Record]] = defaultdict(list)
    for said in log:
        key = record_key(said.kind, said.id)
        record = decode_record(found[key][-1].encode()) if key in found else Record(said.kind)
        record.fold(said)
        found[key].append(record)
    return found


def heard(log: list[RecordChange]) -> list[Engagement]:
    return [
        engagement
        for key, records in states(log).items()
        for record in records
        for engagement in engagements_of(key, record, record.encode())
    ]


def make_groups(**rest: Any) -> Groups:
    return Groups("responses.0", definitions_of(CONFIG), **rest)


def fold(groups: Groups, engagements: list[Engagement], told: Told) -> GroupsOutput:
    output = groups.fold(engagements, NOW)
    told.update(output.rows + output.clocks + output.panes)
    return output


def left(told: Told) -> Told:
    """What a reader of the topics sees in the end."""
    return {key: value for key, value in told.items() if value is not None}


@given(log=logs(("rep", "lead", "call", "email", "meeting"), most=20), seed=st.integers(0, 2**16))
def test_heard_at_once_or_one_by_one_a_group_is_the_same(log: list[RecordChange], seed: int) -> None:
    engagements = heard(log)
    at_once, one_by_one = make_groups(), make_groups()
    whole: Told = {}
    parts: Told = {}
    fold(at_once, engagements, whole)
    again = engagements * 2
    random.Random(seed).shuffle(again)

    duplicates = sum(fold(one_by_one, [each], parts).duplicates for each in again)

    assert left(parts) == left(whole)
    assert duplicates >= len(engagements)
    assert fold(at_once, again, whole).duplicates == len(again)


@given(log=logs(("rep", "lead", "call"), most=20), before=st.integers(0, 8), written=st.integers(0, 12))
def test_a_batch_that_was_written_in_part_is_made_good_by_its_repetition(
    log: list[RecordChange], before: int, written: int
) -> None:
    engagements = heard(log)
    at_once, killed = make_groups(), make_groups()
    whole: Told = {}
    told: Told = {}
    fold(at_once, engagements[:before], whole)
    output = fold(at_once, engagements[before:], whole)
    fold(killed, engagements[:before], told)
    handed_on: set[Engagement] = set()
    for part in islice(killed.fold_parts(engagements[before:], NOW, most=1), written):
        handed_on |= {*part.engagements}
        told.update(part.rows + part.clocks + part.panes)

    begun = make_groups()
    for key, row in left(told).items():
        if SEPARATOR.encode() in key and row is not None:
            begun.restore(key, row)
    panes = {key: pane for key, pane in left(told).items() if key.startswith(b"responses.0|") and pane is not None}
    clocks = {
        key: clock
        for key, clock in left(told).items()
        if clock is not None and key not in panes and SEPARATOR.encode() not in key
    }
    repaired = begun.rebuild(panes, clocks, NOW)
    told.update(repaired.rows + repaired.clocks + repaired.panes)
    handed_on |= {*fold(begun, engagements[before:], told).engagements}

    assert left(told) == left(whole)
    assert handed_on >= {*output.engagements}


def test_of_a_batch_that_is_told_at_once_each_pane_is_told_once() -> None:
    log = [change("lead", f"l{number}", NOW, rep="r1", received_at=NOW) for number in range(2 * PART + 1)]
    told = [key for key, _ in make_groups().fold(heard(log), NOW).panes]
    assert len(told) == len(set(told))


def test_somebody_with_many_leads_moves_in_parts() -> None:
    def engagements(*log: RecordChange) -> list[Engagement]:
        return heard([*log])

    at = NOW - HOUR
    leads = [change("lead", f"l{number}", at, rep="r", received_at=at) for number in range(5)]
    groups, told = make_groups(), Told()
    fold(groups, engagements(*leads, change("rep", "r", at, team="a")), told)

    parts = [*groups.fold_parts(engagements(change("rep", "r", at + 1, team="b")), NOW, most=2)]

    assert [len(part.clocks) for part in parts] == [2, 2, 1]
    assert [len(part.rows) for part in parts] == [0, 0, 1]


@given(log=logs(tuple(FIELDS)))
def test_what_a_group_reads_of_a_row_is_what_the_record_says(log: list[RecordChange]) -> None:
    for records in states(log).values():
        for record in records:
            known, written = CurrentValues(record.encode()), decode_record(record.encode())

            assert known.kind == record.kind
            assert known.is_deleted == record.is_deleted
            assert known.set_at == first_version(written)
            is_deal = record.kind == "deal" and record.fields
            said = deal_row(record, joined_stays(record)) if is_deal else record.values()
            assert {name: known.get(name) for name in FIELDS[record.kind]} == {
                name: said.get(name) for name in FIELDS[record.kind]
            }


@given(log=logs(tuple(FIELDS)), kept_from=st.integers(NOW - 90 * DAY, NOW))
def test_what_is_too_old_when_it_is_heard_is_kept_for_the_day(log: list[RecordChange], kept_from: int) -> None:
    for engagement in heard(log):
        record = decode_record(engagement.row)

        row = marked(decode_record(engagement.row), kept_from)

        check_row(row)
        assert last_instant(decode_record(row)) == max(last_instant(record), kept_from)
        assert is_elsewhere(row) == is_elsewhere(engagement.row) == (not record.fields and bool(record.named))
        assert not is_news(row, engagement.row, kept_from)
        assert marked(decode_record(row), kept_from + DAY) == marked(record, kept_from + DAY)
        assert decode_record(row).encode(is_whole=False) == decode_record(engagement.row).encode(is_whole=False)


def test_what_was_said_so_long_ago_that_its_ledger_has_forgotten_it_gives_way_to_what_the_ledger_says_now() -> None:
    def row(changed_at: int, **fields: Any) -> bytes:
        return fold_all("call", [change("call", "c1", changed_at, **fields)]).encode()

    known, kept_from = row(NOW - 40 * DAY, lead="l1", direction="outbound"), NOW - 30 * DAY
    left_before = encode_elsewhere("call", "lead", "l1", (NOW - 41 * DAY, 7))

    assert is_news(known, row(NOW - 41 * DAY, lead="l1", outcome="busy"), kept_from)
    assert is_news(known, left_before, kept_from)
    assert not is_news(known, known, kept_from)
    # Of what it cannot have forgotten, that is stale.
    assert not is_news(known, row(NOW - 41 * DAY, lead="l1", direction="inbound"), kept_from - 20 * DAY)
    assert not is_news(known, left_before, kept_from - 20 * DAY)


@given(log=logs(("lead", "call", "email"), most=10))
def test_a_group_knows_since_when_something_was_said_in_it_and_whether_nothing_was(log: list[RecordChange]) -> None:
    rows = {key: records[-1].encode() for key, records in states(log).items()}
    records = {key: decode_record(row) for key, row in rows.items()}

    facts = GroupFacts(rows)

    assert {f"lead|{id}": lead.encode() for id, lead in facts.leads.items()} == {
        key: row for key, row in rows.items() if key.startswith("lead|")
    }
    assert facts.others.keys() == {
        key for key, record in records.items() if record.fields and not key.startswith("lead|")
    }
    assert facts.first_set_at == min(map(first_version, records.values()), default=2**62)
    assert facts.is_any_empty == any(not record.fields for record in records.values())


def test_a_lead_hands_on_all_it_knows_to_a_new_root_and_then_only_what_is_new() -> None:
    groups, told = make_groups(), dict[bytes, bytes | None]()
    call = states([change("call", "c1", lead="l1", dialed_at="2026-03-18T10:00Z", direction="outbound")])["call|c1"][-1]
    lead = states([change("lead", "l1", received_at="2026-03-18T09:00Z", status="new")])["lead|l1"][-1]
    first_heard = call.encode()
    for key, record in (("call|c1", call), ("lead|l1", lead)):
        assert fold(groups, engagements_of(key, record, record.encode()), told).engagements == []

    lead.fold(change("lead", "l1", "2026-03-18T11:00Z", merged_into="l2"))
    merged = fold(groups, engagements_of("lead|l1", lead, lead.encode()), told)
    call.fold(change("call", "c1", "2026-03-18T12:00Z", direction="inbound"))
    corrected = fold(groups, engagements_of("call|c1", call, call.encode()), told)

    assert merged.engagements == [
        Engagement("lead:l2", "call|c1", first_heard, "l1"),
        Engagement("lead:l2", "lead|l1", lead.encode(), "l1"),
    ]
    assert corrected.engagements == [Engagement("lead:l2", "call|c1", call.encode(), "l1")]


def test_a_touch_to_come_counts_plainly_once_the_log_has_passed_it() -> None:
    groups, told = make_groups(), Told()
    coming = NOW + HOUR
    log = [
        change("lead", "l1", NOW, rep="r1", received_at=NOW - HOUR),
        change("call", "c1", NOW, rep="r2", lead="l1", direction="outbound", dialed_at=coming),
    ]
    fold(groups, heard(log), told)

    assert read(told, "r1", coming - 1) == {"leads_due": 1, "leads_answered": 0, "lead_response_seconds_p50": None}
    assert read(told, "r1", coming) == read(told, "r2", coming - 1) == NOTHING_COUNTED
    answered = {"leads_due": 1, "leads_answered": 1, "lead_response_seconds_p50": 7200.0}
    assert read(told, "r2", coming) == answered

    told.update(groups.fold([], coming).panes)
    assert read(told, "r2", coming - 1) == answered  # it depends on no clock any more
    assert groups.backlog == 0
    again = make_groups()
    for key, row in left(told).items():
        if b"\0" in key:
            again.restore(key, row or b"")
    panes = {key: row for key, row in left(told).items() if key.startswith(b"responses.0|") and row is not None}
    assert again.rebuild(panes, {}, coming).panes == []
