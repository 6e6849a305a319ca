"""Panes join in any order and grouping, come back as they were written, and let one part be exchanged for another."""

import random
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.panes import MEASURES, Measure, Pane, add, decode_pane, encode_pane, exchange, merge

_instants = st.integers(-(10**6), 10**6)
_counts = st.integers(1, 1000)
_amounts = st.decimals("-1000000", "1000000", places=6).filter(bool)
_by_kind: dict[Measure, st.SearchStrategy[Any]] = {
    Measure.SUM: _counts,
    Measure.MONEY: _amounts,
    Measure.SAMPLE: st.lists(_instants, min_size=1, max_size=5).map(sorted),
    Measure.PENDING: st.lists(st.tuples(_instants, _instants), min_size=1, max_size=5).map(sorted),
}
panes = st.fixed_dictionaries({}, optional={name: _by_kind[kind] for name, kind in MEASURES.items()})


@given(parts=st.lists(panes, max_size=6), cut=st.integers(0, 6), seed=st.integers(0, 2**16))
def test_panes_join_in_any_order_and_grouping(parts: list[Pane], cut: int, seed: int) -> None:
    shuffled = random.Random(seed).sample(parts, len(parts))

    whole = merge(parts)
    assert merge([merge(shuffled[:cut]), {}, merge(shuffled[cut:])]) == whole


@given(parts=st.lists(panes, max_size=4))
def test_joining_leaves_the_parts_as_they_are(parts: list[Pane]) -> None:
    before = [encode_pane(part) for part in parts]
    merged = merge(parts)
    for value in merged.values():
        if isinstance(value, list):
            value.clear()

    assert [encode_pane(part) for part in parts] == before


@given(pane=panes)
def test_pane_comes_back_as_it_was_written(pane: Pane) -> None:
    assert decode_pane(encode_pane(pane)) == pane


@given(others=st.lists(panes, max_size=4), before=panes, after=panes)
def test_exchanged_part_leaves_no_trace(others: list[Pane], before: Pane, after: Pane) -> None:
    total = merge([*others, before])
    shown = {measure: list(value) if isinstance(value, list) else value for measure, value in total.items()}
    lists = dict(total)
    exchange(total, before, after)

    wanted = {measure: value for measure, value in merge([*others, after]).items() if value}
    assert {measure: value for measure, value in total.items() if value} == wanted
    # What was given out before stays what it was.
    assert lists == shown


@given(pane=panes, parts=st.lists(panes, max_size=4))
def test_what_is_put_in_and_taken_out_again_leaves_no_trace(pane: Pane, parts: list[Pane]) -> None:
    before = encode_pane(pane)
    cases = [
        (measure, case)
        for part in parts
        for measure, value in part.items()
        for case in (value if isinstance(value, list) else [value])
    ]
    for measure, case in cases:
        add(pane, [(measure, case)], 1)
    for measure, case in cases:
        add(pane, [(measure, case)], -1)

    assert encode_pane(pane) == before


def test_sum_of_money_is_exact_where_floats_are_not() -> None:
    pane: Pane = {}
    for _ in range(10):
        add(pane, [("revenue_won", Decimal("0.1"))], 1)

    assert pane["revenue_won"] == Decimal(1)
