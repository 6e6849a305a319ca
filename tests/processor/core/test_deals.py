"""Deals: when they closed, and how long they stayed where, whatever order the changes come in."""

import itertools
import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.verification import records as recounted
from processor.core.counted import pasts_of, record_contributions
from processor.core.deals import FactRow, closed_at, deal_row, joined_stays, stays
from processor.core.definitions import definitions_of
from processor.core.ledger import Ledger
from processor.core.outputs import LedgerOutput
from processor.core.plan import Contribution
from processor.core.retention import speaks_of_the_past
from schemas.damage import DamagedError, check_row
from schemas.deals import decode_deal
from schemas.instants import DAY, HOUR
from schemas.pasts import HISTORY_LIMIT
from schemas.records import (
    FIELD_CODES,
    Record,
    RecordChange,
    decode_record,
    decode_values,
    fold_all,
    make_change,
)
from tests.builders import change, make_config
from tests.strategies import NOW, changes

MON, TUE, WED, THU = (NOW + place * DAY for place in range(4))


def deal(*said: tuple[int, dict[str, Any]]) -> Record:
    return fold_all("deal", [change("deal", "d1", at, **fields) for at, fields in said])


def row_of(record: Record) -> FactRow:
    return deal_row(record, joined_stays(record))


def path(record: Record) -> list[tuple[str, int, int | None]]:
    return [
        (stay["stage"], stay["entered_at"], stay["left_at"]) for stay in stays(row_of(record), joined_stays(record))
    ]


# --- closing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ([(MON, {"status": "won", "closed_at": MON - HOUR})], MON - HOUR),
        ([(MON, {"status": "won"})], MON),
        # What was expected before is no closing.
        ([(MON, {"status": "open", "closed_at": THU}), (TUE, {"status": "won"})], TUE),
        ([(MON, {"status": "won"}), (TUE, {"closed_at": MON - DAY})], MON - DAY),
        # To repeat it moves nothing.
        ([(MON, {"status": "won"}), (TUE, {"status": "won"})], MON),
        ([(MON, {"status": "won", "closed_at": MON - HOUR}), (TUE, {"status": "won"})], MON - HOUR),
        # Reopened and won again: the old closing is not that of now.
        ([(MON, {"status": "won", "closed_at": MON}), (TUE, {"status": "open"}), (WED, {"status": "won"})], WED),
        ([(MON, {"status": "won", "closed_at": MON}), (TUE, {"status": "lost"})], TUE),
        ([(MON, {"status": "won", "closed_at": MON - HOUR}), (TUE, {"closed_at": None})], MON),
        ([(MON, {"status": "open", "closed_at": MON})], None),
        ([(MON, {"closed_at": MON})], None),
        ([(MON, {"status": "won", "closed_at": MON}), (TUE, {"status": None})], None),
    ],
)
def test_a_deal_closed_when_its_status_became_so_unless_that_was_said(
    said: list[tuple[int, dict[str, Any]]], at: int | None
) -> None:
    for order in itertools.permutations(said):
        record = deal(*order)
        assert closed_at(record) == at
        assert (row_of(record).get("closed_at"), row_of(record).get("ended_at")) == (at, at)


@given(st.lists(changes(("deal",)), max_size=12), st.integers(0, 99))
def test_the_recount_closes_deals_alike(log: list[RecordChange], seed: int) -> None:
    log = [make_change(kind="deal", id="d", changed_at=c.changed_at, fields=c.fields, received_at=NOW) for c in log]
    shuffled = [*log, *log[:3]]
    random.Random(seed).shuffle(shuffled)

    for name, record in recounted.fold(log).get("deal", {}).items():
        assert closed_at(fold_all("deal", shuffled)) == recounted.closed_at(record), name


def test_a_deal_won_today_counts_today_however_old_its_dates_are() -> None:
    old: dict[str, Any] = {"status": "open", "created_at": NOW - 90 * DAY}

    assert not speaks_of_the_past(deal((NOW - 90 * DAY, old), (NOW, {"status": "won"})), NOW - DAY)
    assert speaks_of_the_past(deal((NOW, old | {"status": "won", "closed_at": NOW - 80 * DAY})), NOW - DAY)


# --- stages -----------------------------------------------------------------------------------------------------------


def test_a_stay_lasts_until_the_next_stage_is_entered() -> None:
    record = deal(
        (MON, {"stage": "lead", "entered_stage_at": MON - HOUR}),
        (TUE, {"stage": "offer", "entered_stage_at": TUE}),
        (WED, {"status": "won"}),
    )

    assert path(record) == [("lead", MON - HOUR, TUE), ("offer", TUE, None)]
    assert next(stays(row_of(record), joined_stays(record)))["status"] == "won"


def test_a_repeated_stage_enters_nothing() -> None:
    record = deal((MON, {"stage": "lead"}), (TUE, {"stage": "lead"}), (WED, {"stage": "offer"}))

    assert path(record) == [("lead", MON, WED), ("offer", WED, None)]


def test_what_was_entered_earlier_but_said_later_stands_in_its_place() -> None:
    record = deal((WED, {"stage": "offer"}), (THU, {"stage": "talk", "entered_stage_at": TUE}))

    assert path(record) == [("talk", TUE, WED), ("offer", WED, None)]


def test_of_one_instant_the_newest_word_counts() -> None:
    record = deal((WED, {"stage": "b", "entered_stage_at": MON}), (TUE, {"stage": "a", "entered_stage_at": MON}))

    assert path(record) == [("b", MON, None)]


def test_a_cleared_stage_ends_the_stay() -> None:
    assert path(deal((MON, {"stage": "lead"}), (TUE, {"stage": None}))) == [("lead", MON, TUE)]
    left = deal((MON, {"stage": "lead"}), (WED, {"stage": None, "entered_stage_at": TUE}))
    assert path(left) == [("lead", MON, TUE)]


def test_a_statement_that_is_repeated_with_its_instant_takes_no_place() -> None:
    said = [(NOW + place * HOUR, {"stage": "a", "entered_stage_at": MON}) for place in range(3 * HISTORY_LIMIT)]

    assert path(deal((NOW - DAY, {"stage": "z", "entered_stage_at": MON - DAY}), *said)) == [
        ("z", MON - DAY, MON),
        ("a", MON, None),
    ]


def test_the_newest_instants_are_kept() -> None:
    said = [(NOW + place, {"stage": f"s{place}", "entered_stage_at": MON + place * HOUR}) for place in range(100)]

    assert [entered for _, entered, _ in path(deal(*said))] == [MON + place * HOUR for place in range(36, 100)]


@given(st.lists(changes(("deal",)), max_size=10), st.integers(0, 99))
def test_any_order_and_repetition_gives_the_same_row(log: list[RecordChange], seed: int) -> None:
    chance = random.Random(seed)
    again = log + chance.choices(log, k=len(log) // 2) if log else []
    chance.shuffle(again)
    one, other, parts = fold_all("deal", log), fold_all("deal", again), [fold_all("deal", [c]) for c in again]
    joined = Record("deal")
    for part in parts:
        joined.merge(decode_record(part.encode()))

    row = one.encode()

    assert other.encode() == row
    assert decode_record(row).encode() == row
    assert joined.encode(is_whole=False) == one.encode(is_whole=False)
    assert decode_values(row)[2].items() >= {n: v for n, v in one.values().items() if v is not None}.items()
    check_row(row)
    joined_again = decode_record(row)
    assert not joined_again.merge(one)


def test_rows_of_earlier_builds_are_read_and_written_anew() -> None:
    stage, status, amount = (FIELD_CODES[name] for name in ("stage", "status", "amount"))
    row = msgspec.msgpack.encode(
        (
            "deal",
            [(MON, 5, {status: "open"}), (TUE, 6, {FIELD_CODES["rep"]: "r1"})],
            {stage: [(MON, 5, "lead"), (WED, 7, "offer")], amount: [(MON, 5, "100")]},
            {},
        )
    )
    record = decode_record(row)

    check_row(row)
    assert (record.get("stage"), record.get("status"), record.get("amount"), record.get("rep")) == (
        "offer", "open", "100", "r1",
    )  # fmt: skip
    assert record.history("status") == [(MON, 5, "open")]
    assert path(record) == [("lead", MON, WED), ("offer", WED, None)]
    assert decode_record(record.encode()).encode() == record.encode() != row
    record.fold(change("deal", "d1", THU, status="won"))
    assert closed_at(record) == THU


def test_entries_that_nobody_has_written_are_refused() -> None:
    row = msgspec.msgpack.encode(("deal", [], {}, {}, {FIELD_CODES["rep"]: [(MON, MON, 5, "r1")]}))

    with pytest.raises(DamagedError):
        check_row(row)


class Told:
    """A ledger that hears of one deal, and the card that was published last."""

    def __init__(self) -> None:
        self.definitions = definitions_of(make_config())
        self.ledger = Ledger("ledger.0", self.definitions)
        self.rows: dict[bytes, bytes] = {}
        self.cards: dict[bytes, bytes] = {}

    def hears(self, at: int, *, is_quiet: bool = False, **fields: Any) -> bool:
        """Whether it is won quietly then."""
        output = self.ledger.fold([change("deal", "d1", at, **fields)], NOW + DAY, is_quiet=is_quiet)
        self.take(output)
        return decode_deal(self.cards[b"deal|d1"]).is_quiet

    def take(self, output: LedgerOutput) -> None:
        self.rows |= {key: row for key, row in output.rows if row is not None}
        for key, card in output.deals:
            self.cards.pop(key, None) if card is None else self.cards.update({key: card})

    def restart(self) -> None:
        self.ledger = Ledger("ledger.0", self.definitions)
        self.ledger.restore(dict(self.rows))
        output = self.ledger.rebuild({}, {}, dict(self.cards), NOW + DAY)
        assert output.deals == [], "what was published is what is derived"


def test_who_told_first_that_it_was_won_is_remembered_over_a_restart() -> None:
    told = Told()
    assert not told.hears(NOW, is_quiet=True, status="open", amount=1, currency="USD")
    assert told.hears(NOW + 1, is_quiet=True, status="won")
    assert told.hears(NOW + 2, amount=2), "a webhook that corrects it"
    told.restart()
    assert told.hears(NOW + 3, closed_at=NOW)

    assert not told.hears(NOW + 4, status="open")
    assert not told.hears(NOW + 5, status="won"), "a webhook says that it was won again"
    told.restart()
    assert not told.hears(NOW + 6, is_quiet=True, amount=3), "and a reconciliation corrects it"
    told.restart()


@settings(max_examples=60, deadline=None)
@given(st.lists(changes(("deal",)), min_size=1, max_size=8), changes(("deal",)))
def test_of_a_past_is_counted_again_what_a_word_may_change(log: list[RecordChange], word: RecordChange) -> None:
    definitions = definitions_of(make_config())
    pasts = pasts_of(word, definitions)
    held, again = fold_all("deal", log), fold_all("deal", [*log, word])

    by_all = _differing(record_contributions(held, definitions), record_contributions(again, definitions))
    by_some = _differing(
        record_contributions(held, definitions, pasts), record_contributions(again, definitions, pasts)
    )

    assert by_some == by_all


def _differing(before: list[Contribution], after: list[Contribution]) -> Counter[str]:
    found = Counter(map(repr, after))
    found.subtract(Counter(map(repr, before)))
    return Counter({entry: times for entry, times in found.items() if times})


def test_a_word_of_which_no_stage_makes_anything_has_none_of_them_counted() -> None:
    definitions = definitions_of(make_config())

    assert not pasts_of(change("deal", "d1", TUE, name="Acme", next_step_at=WED), definitions)
    assert pasts_of(change("deal", "d1", TUE, rep="r2"), definitions) == frozenset(definitions.counting.pasts)
    assert pasts_of(change("deal", "d1", TUE, deleted=True), definitions) == frozenset(definitions.counting.pasts)
    assert pasts_of(change("deal", "d1", TUE, stage="won"), definitions) == frozenset(definitions.counting.pasts)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_it_is_in_the_stage_that_it_entered_last_since_it_entered_that(order: tuple[int, ...]) -> None:
    said: list[tuple[int, dict[str, Any]]] = [
        (MON, {"stage": "demo", "entered_stage_at": TUE}),
        (WED, {"stage": "demo", "entered_stage_at": WED}),  # it was there already
        (THU, {"stage": "first", "entered_stage_at": MON}),  # what was before is told later
    ]

    row = row_of(deal(*(said[place] for place in order)))

    assert (row["stage"], row["entered_stage_at"]) == ("demo", TUE)
