"""Panes join in any order and grouping, come back as they were written, and let one part be exchanged for another."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.panes import Key, Pane, add, decode_pane, encode_pane, exchange, merge, written_name

_amounts = st.integers(-3, 1000).filter(bool) | st.sampled_from([1, 1, 1, 2])
_keys: list[st.SearchStrategy[Key]] = [
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-2, 2),
    st.integers(-2, 2).map(lambda number: number * 1_000_000),
    st.integers(-(10**6), 10**6).map(lambda number: number * 1000),
    st.binary(min_size=16, max_size=16),
    st.tuples(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6)),
    st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(*[st.integers(-(10**6), 10**6).map(lambda number: number * 1000)] * 2),
    st.tuples(*[st.integers(-2, 2)] * 3),
]
# A cell has one kind of keys for ever, as its form says: the number of a cell chooses it here.
panes = st.fixed_dictionaries(
    {},
    optional={2**39 + 1: _amounts, 7: _amounts}
    | {2**38 + place: st.dictionaries(keys, _amounts, min_size=1, max_size=5) for place, keys in enumerate(_keys)},
)


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
        if isinstance(value, dict):
            value.clear()

    assert [encode_pane(part) for part in parts] == before


@given(pane=panes)
def test_pane_comes_back_as_it_was_written(pane: Pane) -> None:
    assert decode_pane(encode_pane(pane)) == pane


@given(pane=panes, seed=st.integers(0, 2**16))
def test_equal_panes_are_equal_bytes(pane: Pane, seed: int) -> None:
    chance = random.Random(seed)
    shuffled: Pane = {
        cell: value if isinstance(value, int) else dict(chance.sample(sorted(value.items()), len(value)))
        for cell, value in chance.sample(sorted(pane.items(), key=lambda entry: entry[0]), len(pane))
    }

    assert encode_pane(shuffled) == encode_pane(pane)


@given(others=st.lists(panes, max_size=4), before=panes, after=panes)
def test_exchanged_part_leaves_no_trace(others: list[Pane], before: Pane, after: Pane) -> None:
    total = merge([*others, before])
    given_out, shown = dict(total), encode_pane(total)
    exchange(total, before, after)

    assert total == merge([*others, after])
    # What was given out before stays what it was.
    assert encode_pane(given_out) == shown


@given(pane=panes, parts=st.lists(panes, max_size=4))
def test_what_is_put_in_and_taken_out_again_leaves_no_trace(pane: Pane, parts: list[Pane]) -> None:
    before = encode_pane(pane)
    values = [
        (cell, key, amount)
        for part in parts
        for cell, value in part.items()
        for key, amount in ([(None, value)] if isinstance(value, int) else value.items())
    ]
    add(pane, values, 1)
    add(pane, values[::-1], -1)

    assert encode_pane(pane) == before


def test_what_one_origin_takes_out_of_another_is_gone() -> None:
    assert merge([{1: 2, 2: {5: 1, 6: 1}, 3: {7: 1}}, {1: -2, 2: {5: -1}, 3: {7: -1}}]) == {2: {6: 1}}


@pytest.mark.parametrize("size", [1, 16])
def test_what_earlier_builds_wrote_is_left_out(size: int) -> None:
    by_words = msgspec.msgpack.encode({f"calls_made_{place}": 3 for place in range(size)})
    by_longer_names = msgspec.msgpack.encode({2**63 + place: [1, 2] for place in range(size)})

    assert [decode_pane(old) for old in (by_words, by_longer_names)] == [{}, {}]


def test_what_is_there_once_takes_no_room_for_that_and_instants_are_differences_of_whole_seconds() -> None:
    ids = {bytes([place] * 16): 1 for place in range(3)}
    took = {place * 60_000_000: 1 for place in range(1, 4)}
    waiting = {(1_700_000_000_000_000 + place, 1_700_003_600_000_000 + place): 1 for place in (0, 60_000_000)}

    assert [len(encode_pane({1: held})) - len(encode_pane({1: 0})) for held in (ids, took, waiting)] == [49, 4, 14]


@pytest.mark.parametrize(
    "held", [[None], [True], [[None]], [None, 2**63 - 1, 1], [[None], 2**63 - 1, 1], [[False], 1, 2**62]]
)
def test_a_cell_that_holds_nothing_or_more_than_a_cell_can_is_refused(held: list[object]) -> None:
    with pytest.raises(msgspec.ValidationError, match="a cell holds"):
        decode_pane(msgspec.msgpack.encode([written_name(7), held]))
