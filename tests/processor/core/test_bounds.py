"""The worst legal deliveries: what they cost is linear in what they say, and what is too much is let go by a rule."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.verification import bounds as recounted
from deploy.verification.definitions import with_own
from processor.core import bounds, facts, groups
from processor.core.definitions import definitions_of
from processor.core.engaging import engagements_of
from processor.core.groups import SLICE, Groups
from processor.core.ledger import Ledger
from processor.core.merges import Merges
from schemas import records
from schemas.documents.text import read_document
from schemas.frames import MERGES_GROUP, Engagement, by_group
from schemas.instants import DAY, HOUR, MINUTE
from schemas.leads import decode_clock
from schemas.records import NAMED_LIMIT, Record, RecordChange, decode_record, fold_all, make_change
from schemas.windows import WINDOWS
from tests.builders import change, make_config
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served
from tests.strategies import LEADS, NOW, logs
from tests.test_laws import CONFIGS, SLOW, batches, served_clock, shuffled

CONFIG = CONFIGS["kuala lumpur"]


@contextmanager
def limited(monkeypatch: pytest.MonkeyPatch, *, group: int | None = None, named: int | None = None) -> Iterator[None]:
    """Bounds so small that few records reach them."""
    with monkeypatch.context() as patch:
        if group is not None:
            patch.setattr(bounds, "GROUP_LIMIT", group)
            patch.setattr(recounted, "GROUP_LIMIT", group)
        if named is not None:
            patch.setattr(records, "NAMED_LIMIT", named)
        yield


# --- The laws hold where bounds are reached ---------------------------------------------------------------------------


@SLOW
@given(log=logs(("lead", "call", "email", "meeting"), most=40), seed=st.integers(0, 2**16), limit=st.integers(1, 3))
def test_full_groups_and_forgotten_names_give_the_recount_in_any_order(
    log: list[RecordChange], seed: int, limit: int
) -> None:
    # No lead that ends elsewhere: how many a root takes of what was handed on is looked at below.
    log = [said for said in log if said.fields.get("merged_into") is None]
    with pytest.MonkeyPatch.context() as patch, limited(patch, group=limit, named=limit):
        one, other = Pipeline(CONFIG), Pipeline(CONFIG)
        one.take(log)
        for batch in batches(shuffled(log, seed), seed):
            other.take(batch)
        one.take(log)
        other.take(log)
        assert one.state() == other.state()
        view, books = other.view(), recount(log, CONFIG)
        for window in WINDOWS:
            assert differences(books.rows(now=NOW, window=window), served(view, now=NOW, window=window)) == []
        calendars = CONFIG.business_calendars()
        clocks = {
            lead: served_clock(clock, CONFIG, calendars)
            for lead, clock in view.clocks.items()
            if clock.started_at is not None
        }
        assert clocks == books.lead_clocks(NOW)
        assert other.restart() == 0


@SLOW
@given(
    log=logs(("lead", "call", "email", "meeting"), most=40),
    seed=st.integers(0, 2**16),
    limit=st.integers(1, 3),
    is_chain=st.booleans(),
)
def test_a_root_counts_as_many_of_what_merged_leads_hand_on_as_the_recount(
    log: list[RecordChange], seed: int, limit: int, is_chain: bool
) -> None:
    # Each lead is merged into the same one for good, all of them by themselves or one through the other.
    into = {lead: LEADS[number if is_chain else 0] for number, lead in enumerate(LEADS[1:])}
    log = [
        said
        if said.kind != "lead"
        else make_change(
            kind="lead", id=said.id, changed_at=said.changed_at, received_at=said.received_at,
            fields={**said.fields, "merged_into": into.get(said.id)},
        )
        for said in log
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch, limited(patch, group=limit):
        pipeline = Pipeline(CONFIG)
        for batch in batches(shuffled(log, seed), seed):
            pipeline.take(batch)
        view, books = pipeline.view(), recount(log, CONFIG)
        for window in WINDOWS:
            assert differences(books.rows(now=NOW, window=window), served(view, now=NOW, window=window)) == []
        calendars = CONFIG.business_calendars()
        clocks = {
            lead: served_clock(clock, CONFIG, calendars)
            for lead, clock in view.clocks.items()
            if clock.started_at is not None
        }
        assert clocks == books.lead_clocks(NOW)


ENDS = """
metrics:
  ended: {unit: count, type: simple, from: customer.ends, at: ends_at, credit: rep, agg: count}
  renewed: {unit: count, type: simple, from: customer.ends, where: {renewed: true}, at: ends_at, agg: count}
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_full_customer_has_the_subscriptions_that_the_recount_has(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    config, definitions = make_config(defines=ENDS), with_own(read_document(ENDS, "metrics.yaml").value)
    log = [
        make_change(
            kind="subscription", id=f"s{number}", changed_at=NOW - HOUR, received_at=NOW,
            fields={
                "customer": "c1", "rep": "r1", "starts_at": NOW - (9 - number) * DAY, "ends_at": NOW - number * HOUR,
            },
        )
        for number in range(8)
    ]  # fmt: skip
    with limited(monkeypatch, group=3):
        pipeline = Pipeline(config)
        for batch in batches(shuffled(log, seed), seed):
            pipeline.take(batch)
        rows, view = recount(log, config, definitions).rows(now=NOW, window="7d"), pipeline.view()

        assert rows["organisation"]["metrics"]["ended"] == 3
        assert differences(rows, served(view, now=NOW, window="7d")) == []


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([f"l{n}" for n in range(9)]) | st.none())), st.randoms())
def test_a_record_remembers_the_newest_names_in_any_order(
    said: list[tuple[int, str | None]], chance: random.Random
) -> None:
    log = [
        make_change(kind="call", id="c", changed_at=NOW + at, fields={"lead": lead}, received_at=NOW)
        for at, lead in said
    ]
    again = log * 2
    chance.shuffle(again)
    with pytest.MonkeyPatch.context() as patch, limited(patch, named=4):
        one, other = fold_all("call", log), fold_all("call", again)
        halves = fold_all("call", again[::2])
        halves.merge(fold_all("call", log))

    newest: dict[str, tuple[int, int]] = {}
    for each in sorted(log, key=lambda each: each.version):
        if (lead := each.fields["lead"]) is not None:
            newest[str(lead)] = each.version
    kept = dict(sorted(newest.items(), key=lambda entry: entry[1])[-4:])
    kept.pop(str(one.get("lead")), None)
    assert one.named.get("lead", {}) == kept
    assert one.encode() == other.encode() == halves.encode() == decode_record(one.encode()).encode()


# --- Work and memory: linear in the change ----------------------------------------------------------------------------


def told_by(log: Sequence[RecordChange], ledger: Ledger) -> list[Engagement]:
    return ledger.fold(log, NOW).engagements


def calls_of(work: Callable[[], Any], *watched: tuple[Any, str]) -> Counter[str]:
    """How often these functions are called meanwhile."""
    counted: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        for module, name in watched:
            whole = getattr(module, name)

            def count(*args: Any, name: str = name, whole: Callable[..., Any] = whole, **named: Any) -> Any:
                counted[name] += 1
                return whole(*args, **named)

            patch.setattr(module, name, count)
        work()
    return counted


@pytest.mark.parametrize("compiled", [False, True])
def test_a_call_that_names_a_lead_in_each_of_3000_events_is_told_each_once_and_then_only_its_own(
    compiled: bool,
) -> None:
    ledger = Ledger("ledger.0", definitions_of(CONFIG), compiled=compiled)
    log = [change("call", "c", NOW - DAY + number, lead=f"l-{number}") for number in range(2_911)]

    flood = ledger.fold(log, NOW)
    edit = ledger.fold([change("call", "c", NOW, outcome="failed")], NOW)

    # The one that it names first may have heard so before the rest was looked at.
    assert len(flood.engagements) - len({each.group for each in flood.engagements}) <= 1
    assert len({each.group for each in flood.engagements}) == 2_911
    assert flood.dropped == 2_911 - NAMED_LIMIT
    assert sum(len(each.row) for each in flood.engagements) < 100 * len(log)
    assert [each.group for each in edit.engagements] == ["lead:l-2910"]
    assert len(edit.rows[0][1] or b"") < 40 * NAMED_LIMIT


@pytest.mark.parametrize("order", ["as it grows", "backwards", "mixed"])
def test_a_chain_of_3000_merges_costs_its_length(order: str) -> None:
    def run(length: int) -> tuple[Groups, int, Counter[str]]:
        chain = [
            change(
                "lead", f"l{number}", NOW - DAY, received_at=NOW - 100 * MINUTE + number, merged_into=f"l{number + 1}"
            )
            for number in range(length)
        ]
        chain.append(change("lead", f"l{length}", NOW - DAY, received_at=NOW, rep="r1"))
        if order != "as it grows":
            chain.reverse()
        if order == "mixed":
            random.Random(1).shuffle(chain)
        folded, amount = Groups("responses.0", definitions_of(CONFIG)), 0
        engagements = told_by(chain, Ledger("ledger.0", definitions_of(CONFIG)))

        def fold() -> None:
            nonlocal amount
            waiting = engagements
            while waiting:
                amount += len(waiting)
                waiting = folded.fold(waiting, NOW).engagements

        work = calls_of(fold, (facts, "decode_record"))
        return folded, amount, work

    (_, _, few), (chain, handed, many) = run(750), run(3_000)

    assert handed == 2 * 3_000 + 1 + 3_000  # to their own groups and to everybody, and on to the root
    assert many["decode_record"] < 5 * few["decode_record"]
    clock = decode_clock(chain._clocks["l3000"])
    assert clock.started_at == NOW - 100 * MINUTE


def test_a_full_group_looks_at_no_more_than_the_new_record(monkeypatch: pytest.MonkeyPatch) -> None:
    with limited(monkeypatch, group=300):
        folded = Groups("responses.0", definitions_of(CONFIG))
        ledger = Ledger("ledger.0", definitions_of(CONFIG))
        first = folded.fold(told_by([change("email", f"m{n}", NOW, thread="t") for n in range(1_000)], ledger), NOW)
        more = told_by([change("email", f"m{1_000 + n}", NOW, thread="t") for n in range(50)], ledger)
        work = calls_of(lambda: folded.fold(more, NOW), (bounds, "rank_of"))

    assert len(folded) == 300
    assert first.refused == 700
    assert work["rank_of"] == 50


@pytest.mark.parametrize("how", ["retention", "deletion"])
def test_4000_groups_dropped_at_once_of_4000_reps_cost_each_its_own(how: str) -> None:
    """Nobody looks at all groups for each of them, and by retention no batch looks at more than its slice."""
    config = make_config(retention={"minutes": "25h", "records": "30d"})

    def run(amount: int) -> tuple[Groups, Counter[str], list[int]]:
        ledger, folded = Ledger("ledger.0", definitions_of(config)), Groups("responses.0", definitions_of(config))
        log = [change("lead", f"l{n}", NOW, rep=f"r{n}", received_at=NOW, status="disqualified") for n in range(amount)]
        folded.fold(told_by(log, ledger), NOW)
        assert len(folded) == len(folded._dependents._reps_of) == amount
        steps: list[int] = []

        def drop() -> None:
            if how == "deletion":
                gone = [change("lead", f"l{n}", NOW + MINUTE, deleted=True) for n in range(amount)]
                folded.fold(told_by(gone, ledger), NOW + MINUTE)
                return
            output = folded.fold([], NOW + 32 * DAY)
            while output.rows or folded.backlog:
                steps.append(len(output.expired))
                output = folded.sweep(SLICE)

        watched = (
            (facts, "decode_record"),
            (groups, "decode_record"),
            (groups, "lead_result"),
            (groups, "decode_clock"),
        )
        return folded, calls_of(drop, *watched), steps

    (_, few, _), (folded, many, steps) = run(400), run(4_000)

    assert many.total() > 0
    assert all(many[name] <= 10 * few[name] for name in many)
    assert many.total() <= 4 * 4_000
    assert not any((folded._dependents._reps_of, folded._dependents._groups_of, folded._clocks, folded._counted))
    if how == "retention":
        assert len(folded) == 0
        assert max(steps) <= SLICE
        assert sum(steps) == 4_000


def test_a_thread_of_40000_mails_keeps_the_16384_of_the_smallest_hashes() -> None:
    folded = Groups("responses.0", definitions_of(CONFIG))
    row = Record("email", {"thread": (NOW, 1, "t"), "sent_at": (NOW, 1, NOW)}).encode()
    refused = sum(
        folded.fold((Engagement("thread:t", f"email|{first + n}", row) for n in range(10_000)), NOW).refused
        for first in range(0, 40_000, 10_000)
    )

    assert len(folded) == bounds.GROUP_LIMIT
    assert refused == 40_000 - bounds.GROUP_LIMIT
    assert set(folded._rows["thread:t"]) == bounds.smallest((f"email|{n}" for n in range(40_000)), bounds.GROUP_LIMIT)


def test_a_group_that_goes_costs_its_own_reps_only() -> None:
    config = make_config(retention={"records": "30d"})
    folded = Groups("responses.0", definitions_of(config))
    ledger = Ledger("ledger.0", definitions_of(config))
    log = [change("lead", f"l{n}", NOW, received_at=NOW, rep=f"r{n}", status="disqualified") for n in range(200)]
    folded.fold(told_by(log, ledger), NOW)

    class Looked(dict[str, set[str]]):
        def values(self) -> Any:
            pytest.fail("all reps were looked at")

    folded._dependents._groups_of = Looked(folded._dependents._groups_of)
    while folded.fold([], NOW + 60 * DAY).rows:
        pass

    assert len(folded) == 0
    assert not folded._dependents._groups_of
    assert not folded._dependents._reps_of


# --- Merges -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7) | st.none()), max_size=30), st.integers(1, 6))
def test_roots_are_the_ends_of_chains_and_the_smallest_of_cycles(said: list[tuple[int, int | None]], size: int) -> None:
    merges, pointers = Merges(), dict[str, str | None]()
    for first in range(0, len(said), size):
        news = {}
        for number, (lead, target) in enumerate(said[first : first + size], first):
            to = None if target is None else f"l{target}"
            pointers[f"l{lead}"] = to
            news[f"lead|l{lead}"] = Record("lead", {"merged_into": (NOW + number, 0, to)}).encode()
        before = {f"l{n}": merges.root_of(f"l{n}") for n in range(8)}
        moves = merges.apply(news)
        after = {f"l{n}": merges.root_of(f"l{n}") for n in range(8)}

        assert moves == {lead: (before[lead], after[lead]) for lead in after if before[lead] != after[lead]}
        for start, root in after.items():
            path = [start]
            while (to := pointers.get(path[-1])) is not None and to not in path:
                path.append(to)
            assert root == (path[-1] if to is None else min(path[path.index(to) :]))


def test_what_a_lead_knew_lives_on_in_a_root_that_nobody_has_spoken_of() -> None:
    """Case 04 of the field: HubSpot merges into a new record, and sends a deletion for the one that is gone."""
    log = [
        change("lead", "101", NOW - 70 * MINUTE, received_at=NOW - 70 * MINUTE, rep="r1", source="PAID_SEARCH"),
        change("lead", "102", NOW - 90 * MINUTE, received_at=NOW - 90 * MINUTE),
        change("lead", "101", NOW - 30 * MINUTE, merged_into="103"),
        change("lead", "102", NOW - 30 * MINUTE, merged_into="103"),
        change("lead", "102", NOW - 30 * MINUTE, deleted=True),
        change("call", "c", NOW - 20 * MINUTE, lead="102", direction="inbound", dialed_at=NOW - 20 * MINUTE),
    ]
    for seed in range(5):
        pipeline = Pipeline(CONFIG)
        for batch in batches(shuffled(log, seed), seed):
            pipeline.take(batch)
        clock = pipeline.view().clocks["103"]

        assert (clock.rep, clock.source, clock.started_at) == ("r1", "PAID_SEARCH", NOW - 90 * MINUTE)
        assert clock.state(NOW, 0.75) == "breached"
        assert recount(log, CONFIG).lead_clocks(NOW)["103"]["started_at"] == clock.started_at
        metrics = served(pipeline.view(), now=NOW, window="today")["organisation"]["metrics"]
        assert (metrics["leads_assigned"], metrics["leads_due"]) == (1, 1)


def test_where_a_lead_was_merged_to_is_told_to_every_partition() -> None:
    record = fold_all("lead", [change("lead", "l1", NOW, merged_into="l2", rep="r1")])

    told = engagements_of("lead|l1", record, record.encode())

    assert [each.group for each in told] == ["lead:l1", MERGES_GROUP]
    assert {partition for partition, mine in by_group(told, 5).items() if told[1] in mine} == set(range(5))
    assert decode_record(told[1].row).fields.keys() == {"merged_into"}


def test_a_pointer_that_nobody_needs_any_more_goes() -> None:
    merges = Merges()
    merges.apply({f"lead|l{n}": Record("lead", {"merged_into": (n, 0, f"l{n + 1}")}).encode() for n in range(6)})

    assert set(merges.expire(3, lambda lead: False)) == {"lead|l0", "lead|l1", "lead|l2"}
    assert merges.expire(3, lambda lead: lead == "l6") == []
    assert merges.expire(3, lambda lead: lead == "l1") == ["lead|l0"]
    assert merges.expire(0, lambda lead: False) == []


@pytest.mark.parametrize("compiled", [False, True])
def test_what_counts_for_very_many_people_is_handed_out_in_parts_that_are_together_the_whole(
    monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    people = [f"p-{number}" for number in range(30)]
    said = [
        *(change("meeting", f"m-{n}", NOW + n, starts_at=NOW, outcome="held", attendees=people) for n in range(9)),
        # A short word about each of them opens as many panes again.
        *(change("meeting", f"m-{n}", NOW + 100 + n, starts_at=NOW - DAY) for n in range(9)),
        change("call", "c", NOW, rep="p-1", direction="outbound", dialed_at=NOW),
    ]
    whole, parted = (Ledger("ledger.0", definitions_of(CONFIG), compiled=compiled) for _ in range(2))
    at_once = list(whole.fold_parts(said, NOW))

    monkeypatch.setattr("processor.core.ledger.PART", 100)
    parts = list(parted.fold_parts(said, NOW))

    assert len(at_once) == 1
    assert len(parts) >= 5
    # A key is told again where a later part changes it: the last word of each is the same.
    for told in ("rows", "panes", "roster", "deals"):
        one, other = (dict(message for part in of for message in getattr(part, told)) for of in (at_once, parts))
        assert {key: value for key, value in other.items() if value is not None} == {
            key: value for key, value in one.items() if value is not None
        }
    assert sum(part.duplicates for part in parts) == 0
