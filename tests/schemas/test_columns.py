"""Panes in columns are the panes that came: whatever was packed, when, and what was asked for before."""

import random
from collections.abc import Iterable
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalogue.plan import Form, Kind
from schemas.columns import Block, Column, packed_block, parts_in
from schemas.floor import ORGANISATION, Floor, Scope, rep_scope, team_scope
from schemas.instants import DAY, MINUTE
from schemas.pane_store import PaneStore
from schemas.panes import Pane, decode_pane, encode_pane, merge, pane_key, written_name
from schemas.records import fold_all
from schemas.sums import Sums
from schemas.windows import STANDING, Span, Window, day_window, is_day, minute_window
from tests.builders import change, instant, make_config
from tests.panes import shipped

NOW = instant("2026-03-18T10:00Z")
TODAY = NOW // DAY
REPS: tuple[str | None, ...] = ("r1", "r2", "r3", None)
ORIGINS = ("ledger.0", "ledger.1", "responses.0")
CONFIG = make_config(
    reps={"r1": {"team": "north"}, "r2": {"team": "south"}, "r3": {}}, teams={"north": {}, "south": {}}
)
PLAN = shipped().plan
BY_FORM = {form: [cell for cell, held in PLAN.forms.items() if held is form][:2] for form in Form}
DAYS = sorted(PLAN.of_kind(Kind.DAYS))[:1]
# Of any width, and so large that a few of them are more than 64 bits.
amounts = st.one_of(st.integers(-3, 3), st.integers(-(2**62) + 1, 2**62 - 1)).filter(bool)
KEYS: dict[Form, Any] = {
    Form.NUMBER: st.integers(0, 1),
    Form.DECIMAL: st.sampled_from([512, 513, 1024]),
    Form.SAMPLE: st.integers(-5, 5),
    Form.PENDING: st.tuples(st.integers(0, 9), st.integers(0, 9)),
    Form.ID: st.binary(min_size=16, max_size=16).map(lambda drawn: bytes([drawn[0] & 3]) * 16),
}


@st.composite
def panes(draw: st.DrawFn) -> Pane:
    found: Pane = {cell: draw(amounts) for cell in [*BY_FORM[Form.COUNT], *DAYS] if draw(st.booleans())}
    for form, keys in KEYS.items():
        for cell in BY_FORM[form]:
            if draw(st.integers(0, 3)) == 0:
                found[cell] = draw(st.dictionaries(keys, amounts, min_size=1, max_size=3))
    return found


places = st.sampled_from([0, 1, 2, 3, 9, 300, 70_000])
tables = st.dictionaries(places, panes(), max_size=5)


@settings(max_examples=30, deadline=None)
@given(tables, st.dictionaries(places, st.none() | panes(), max_size=5))
def test_a_block_holds_the_panes_and_those_that_came_over_them(first: dict[int, Pane], then: dict[int, Any]) -> None:
    parts = parts_in(PLAN)
    block = Block(packed_block({place: encode_pane(pane) for place, pane in first.items()}, parts))
    over = {place: None if pane is None else encode_pane(pane) for place, pane in then.items()}
    both = Block(memoryview(packed_block(over, parts, block)))

    for held, meant in ((block, first), (both, {**first, **then})):
        there = sorted(place for place, pane in meant.items() if pane is not None)
        assert held.places() == there
        assert len(held) == len(there)
        for place in (-1, 0, 1, 2, 3, 4, 9, 300, 301, 70_000, 70_001):
            assert held.has(place) == (place in there)
            assert held.pane(place) == meant.get(place)
        numbers = [held.column(number) for number in held.numbers(None)]
        assert all(len({*places.tolist()}) == len(places) == len(amounts) for places, amounts in numbers)
        for wanted in ([], [0], [1, 3, 300], [2, 9, 301, 65_536, 70_000, 70_001], [4_000_000_000]):
            for number, (places, amounts) in enumerate(numbers):
                some = (part.tolist() for part in held.column(number, np.array(wanted, np.int64)))
                everybody = dict(zip(places.tolist(), amounts.tolist(), strict=True))
                assert dict(zip(*some, strict=True)) == {
                    place: everybody[place] for place in wanted if place in everybody
                }
            rests = dict(held.rests())
            assert dict(held.rests(np.array(wanted, np.int64))) == {
                place: rests[place] for place in wanted if place in rests
            }
        for names in ([written_name(cell)] for rest in [*rests.values()] for cell in decode_pane(rest)):
            # By bytes: some may be given that only look as if they had it.
            some_rests = dict(held.rests(None, names))
            assert {place: rest for place, rest in rests.items() if names[0] in rest}.items() <= some_rests.items()
            assert some_rests.items() <= rests.items()


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 1000])
def test_a_column_that_most_people_have_is_one_of_everybody(size: int) -> None:
    cell = BY_FORM[Form.COUNT][0]
    value = {place: encode_pane({cell: place - 500 or 1}) for place in range(size) if place % 3}
    block = Block(packed_block(value, frozenset()))

    assert {place: block.pane(place) for place in block.places()} == {
        place: decode_pane(held) for place, held in value.items()
    }


@pytest.mark.parametrize("amount", [2**63, -(2**63), {bytes(16): 1}])
def test_what_is_no_pane_of_ours_is_not_packed(amount: Any) -> None:
    cell = BY_FORM[Form.DECIMAL][0] if isinstance(amount, dict) else BY_FORM[Form.COUNT][0]
    with pytest.raises(ValueError, match="64 bits"):
        packed_block({1: encode_pane({cell: amount})}, parts_in(PLAN))


Step = tuple[str, str | None, Window, Pane]


def windows() -> st.SearchStrategy[Window]:
    days = st.integers(TODAY - 3, TODAY + 1).map(day_window)
    return st.one_of(days, days, st.integers(NOW // MINUTE - 3, NOW // MINUTE).map(lambda minute: Window(minute * 2)))


steps = st.lists(st.tuples(st.sampled_from(ORIGINS), st.sampled_from(REPS), windows(), panes()), max_size=14)
SPANS = (
    Span("days", days=True, first=TODAY - 3, last=TODAY),
    Span("day", days=True, first=TODAY, last=TODAY),
    Span("next", days=True, first=TODAY - 2, last=TODAY + 1),
    Span("weeks", days=True, first=TODAY - 9, last=TODAY),
    Span("minutes", days=False, first=NOW // MINUTE - 2, last=NOW // MINUTE),
)


def plain(said: dict[tuple[str, str | None, Window], Pane], rep: str | None, span: Span) -> Pane:
    """Merged one by one, without any store. What is counted by days is left out."""
    found = [pane for (_, who, window), pane in said.items() if who == rep and window in span.windows()]
    return {cell: value for cell, value in merge(found).items() if cell not in PLAN.of_kind(Kind.DAYS)}


def without(pane: Pane, cells: Iterable[int]) -> Pane:
    return {cell: value for cell, value in pane.items() if cell not in cells}


@patch("schemas.merged_panes._TOGETHER", 2)
@settings(max_examples=30, deadline=None)
@given(steps, st.randoms(use_true_random=False))
def test_whatever_is_packed_and_asked_for_the_numbers_are_those_of_the_panes(
    given_steps: list[Step], chance: random.Random
) -> None:
    floor = Floor(CONFIG)
    said: dict[tuple[str, str | None, Window], Pane] = {}
    left_out = {*PLAN.of_kind(Kind.LEVEL), *PLAN.of_kind(Kind.DAYS), *floor._rep_days.cells}
    cells = frozenset([*BY_FORM[Form.COUNT], *BY_FORM[Form.DECIMAL], *BY_FORM[Form.SAMPLE][:1]])
    people = ["r1", "r2", "r3", "nobody"]
    for origin, rep, window, pane in given_steps:
        key = pane_key(origin, rep, window)
        if not pane:
            said.pop((origin, rep, window), None)
        else:
            said[origin, rep, window] = pane
        floor.take_pane(key, encode_pane(pane) if pane else None)
        if chance.random() < 0.3 and is_day(window):
            floor.store.pack(window)
        if chance.random() < 0.5:
            span = chance.choice(SPANS)
            wanted = chance.choice([None, cells])
            for who, found in zip(people, floor.merged_of(people, span, NOW, wanted), strict=True):
                expected = plain(said, who, span)
                unasked = set() if wanted is None else (found.keys() | expected.keys()) - wanted
                assert without(found, left_out | unasked) == without(expected, left_out | unasked)
    for span in SPANS:
        everybody = [floor.merged(rep_scope(who), span, NOW) for who in people]
        assert floor.merged_of(people, span, NOW) == everybody
        counted = frozenset([*BY_FORM[Form.COUNT], *BY_FORM[Form.DECIMAL]]) - left_out
        for who, pane in zip(people, everybody, strict=True):
            some = floor.merged(rep_scope(who), span, NOW, counted)
            assert {c: some[c] for c in counted & some.keys()} == {c: pane[c] for c in counted & pane.keys()}
        for scope, theirs in ((ORGANISATION, REPS), (team_scope("north"), ("r1",)), (team_scope("south"), ("r2",))):
            merged = merge(plain(said, who, span) for who in theirs)
            assert without(floor.merged(scope, span, NOW), left_out) == without(merged, left_out)


@patch("schemas.columns._SCANNED", 0)
@patch("schemas.group_panes._FEW", 2)
@settings(max_examples=30, deadline=None)
@given(steps, st.randoms(use_true_random=False))
def test_a_floor_that_packs_serves_what_one_that_does_not_serves(steps: list[Step], chance: random.Random) -> None:
    packed, other = Floor(CONFIG), Floor(CONFIG)
    metrics = ["calls_made", "crm_days", "talk_seconds", "contacts_touched", "open_deals", "revenue_won"]
    scopes = [ORGANISATION, rep_scope("r1"), rep_scope("r3"), team_scope("north"), team_scope("east")]
    for number, (origin, rep, window, pane) in enumerate(steps):
        for floor in (packed, other):
            floor.take_pane(pane_key(origin, rep, window), encode_pane(pane) if pane else None)
        if number == len(steps) // 2:
            moved = b"rep|r3", fold_all("rep", [change("rep", "r3", NOW - DAY, team="east")]).encode()
            for floor in (packed, other):
                floor.take_rep(*moved)
        if is_day(window) and chance.random() < 0.4:
            packed.store.pack(window)
        if chance.random() < 0.4:
            packed.merge_ahead([ORGANISATION, team_scope("north")], chance.choice(SPANS), 2)
            packed.merged(chance.choice(scopes), chance.choice(SPANS), NOW)
    for span in SPANS:
        for scope in scopes:
            assert packed.merged(scope, span, NOW) == other.merged(scope, span, NOW)
            assert packed.values(scope, span, NOW, metrics) == other.values(scope, span, NOW, metrics)
    assert packed.reps() == other.reps()
    assert packed.deals_without_rate() == other.deals_without_rate()
    for window in [*packed.store.windows()]:
        assert sorted(packed.reps_in(window), key=str) == sorted(other.reps_in(window), key=str)


MOVES = st.dictionaries(
    st.sampled_from(["r1", "r2", "r3"]),
    st.lists(st.tuples(st.integers(-4, 2), st.sampled_from(["north", "south", "east", None])), max_size=3),
)
LONG = Span("long", days=True, first=TODAY - 70, last=TODAY + 70)


@patch("schemas.group_panes._FEW", 2)
@settings(max_examples=50, deadline=None)
@given(steps, MOVES, st.randoms(use_true_random=False))
def test_a_team_alone_has_the_numbers_that_it_has_among_all(
    steps: list[Step], moves: dict[str, list[tuple[int, str | None]]], chance: random.Random
) -> None:
    """Asked for first or last, while panes come; of people who go from one team to another within a span."""
    alone, among = (Floor(make_config(teams={"north": {}, "south": {}})) for _ in range(2))
    teams = [team_scope(team) for team in ("north", "south", "east", "nobody's")]
    for who, found in moves.items():
        told = [change("rep", who, NOW + day * DAY, team=team) for day, team in found]
        for floor in (alone, among):
            floor.take_rep(f"rep|{who}".encode(), fold_all("rep", told or [change("rep", who, NOW)]).encode())
    said: dict[tuple[str, str | None, Window], Pane] = {}
    for origin, rep, drawn, pane in steps:
        # What many people did in one window is not made anew when one of them changes.
        window = chance.choice([drawn, day_window(TODAY)])
        said[origin, rep, window] = pane
        for floor in (alone, among):
            floor.take_pane(pane_key(origin, rep, window), encode_pane(pane) if pane else None)
        if is_day(window) and chance.random() < 0.4:
            alone.store.pack(window)
        if chance.random() < 0.8:
            alone.merged(chance.choice(teams), chance.choice([*SPANS, LONG]), NOW)
        if chance.random() < 0.4:
            ahead = chance.sample([*teams, ORGANISATION], 2)
            alone.merge_ahead(ahead, chance.choice([*SPANS, LONG]), chance.randint(1, 3))
    left_out = {*PLAN.of_kind(Kind.LEVEL), *PLAN.of_kind(Kind.DAYS), *alone._rep_days.cells}
    for span in (*SPANS, LONG):
        among.merged(ORGANISATION, span, NOW)  # which makes all teams
        for team in chance.sample(teams, len(teams)):
            merged = alone.merged(team, span, NOW)
            assert merged == among.merged(team, span, NOW)
            theirs = merge(
                pane
                for (_, rep, window), pane in said.items()
                if window in span.windows() and alone.roster.team_on(rep, alone._day_of(window)) == team.id
            )
            assert without(merged, left_out) == without(theirs, left_out)
        assert alone.merged(ORGANISATION, span, NOW) == among.merged(ORGANISATION, span, NOW)


told = st.lists(
    st.tuples(st.sampled_from(ORIGINS), st.sampled_from(REPS), windows(), st.none() | panes()), max_size=24
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(told, told, st.lists(st.integers(0, 3), min_size=12, max_size=12), st.booleans())
def test_what_is_loaded_is_what_came_one_by_one(
    before: list[Any], then: list[Any], meanwhile: list[int], is_loaded_again: bool
) -> None:
    """Also what comes while it is counted; and a view that was served, and is read anew."""
    one_by_one, loaded = Floor(CONFIG), Floor(CONFIG)
    messages = [
        (pane_key(origin, rep, window), None if pane is None else encode_pane(pane))
        for origin, rep, window, pane in [*before, *then]
    ]
    first, rest = messages[: len(before)], messages[len(before) :]
    for key, value in messages:
        one_by_one.take_pane(key, value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("schemas.pane_store.FRESH_AT_MOST", 3)
        for number, message in enumerate(first):
            if is_loaded_again and number == len(first) // 2:
                loaded.settle()
                so_far = Floor(CONFIG)
                for each in first[:number]:
                    so_far.take_pane(*each)
                assert asked_of(loaded) == asked_of(so_far)
                assert loaded.reps() == so_far.reps()
            loaded.load_pane(*message)
        for _, number in zip(loaded.store.settling(), meanwhile, strict=False):
            for message in rest[:number]:
                loaded.load_pane(*message)
            del rest[:number]
        loaded.settle()
    asked_of(loaded)
    for message in rest:
        loaded.take_pane(*message)

    assert asked_of(loaded) == asked_of(one_by_one)
    assert {*loaded.store.windows()} == {*one_by_one.store.windows()}
    assert all(loaded.store.size(window) == one_by_one.store.size(window) for window in loaded.store.windows())
    assert all(
        sorted(loaded.store.all_in(window)) == in_places_of(loaded, one_by_one, window)
        for window in loaded.store.windows()
    )
    assert loaded.reps() == one_by_one.reps()
    assert all(loaded.is_known_rep(rep) == one_by_one.is_known_rep(rep) for rep in ("r1", "r2", "r3", "r4"))
    assert {cell: loaded.left_out.times(cell) for cell in loaded.left_out._held} == {
        cell: one_by_one.left_out.times(cell) for cell in one_by_one.left_out._held
    }


def in_places_of(floor: Floor, other: Floor, window: Window) -> list[tuple[str, int]]:
    """Whose panes another floor has in a window, by the places that they have in this one."""
    return sorted(
        (origin, floor.store.places[other.store.names[place]]) for origin, place in other.store.all_in(window)
    )


def asked_of(floor: Floor) -> list[Pane]:
    """What a floor says of all scopes and spans."""
    scopes = [ORGANISATION, team_scope("north"), team_scope("south"), *(rep_scope(rep) for rep in ("r1", "r2", "r3"))]
    return [floor.merged(scope, span, NOW) for scope in scopes for span in SPANS]


def test_a_total_that_is_more_than_64_bits_is_exact() -> None:
    cell, number = BY_FORM[Form.COUNT][0], 2**62 - 1
    store = PaneStore(parts_in(PLAN))
    sums = Sums(store, frozenset())
    place = store.place("r1")
    for day in range(10):
        sums.note(day_window(day), "a", place, store.put(day_window(day), "a", place, encode_pane({cell: number})))
        if day % 2:
            store.pack(day_window(day))
        if day in {3, 7}:
            assert sums.totals(day_window(0), day_window(9), None)[Column(cell, None)][place] == number * (day + 1)

    assert sums.totals(day_window(0), day_window(9), None)[Column(cell, None)][place] == number * 10
    assert sums.totals(day_window(1), day_window(9), None)[Column(cell, None)][place] == number * 9


@pytest.mark.parametrize("seed", range(40))
def test_totals_made_ahead_hold_what_changes_meanwhile(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.sums._MANY", 3)
    monkeypatch.setattr("schemas.sums._AT_ONCE", 2)
    chance, are_some_cells = random.Random(seed), bool(seed % 2)
    store = PaneStore(parts_in(PLAN))
    sums = Sums(store, frozenset(DAYS))
    cells = frozenset(BY_FORM[Form.COUNT][:1]) if are_some_cells else None

    def change() -> None:
        window, origin, place = (
            day_window(chance.randrange(4)),
            chance.choice(ORIGINS),
            store.place(f"r{chance.randrange(6)}"),
        )
        number = chance.choice([1, 2, 2**62 - 1])
        before = store.put(window, origin, place, encode_pane(dict.fromkeys(BY_FORM[Form.COUNT], number)))
        sums.note(window, origin, place, before)
        if chance.randrange(4) == 0:
            store.pack(window)

    def same() -> bool:
        found, meant = (
            sums.totals(day_window(0), day_window(3), cells),
            Sums(store, frozenset(DAYS)).of(day_window(0), day_window(3), cells),
        )
        return all(
            found.get(column, [0] * 6)[place] == total[place]
            for column, total in meant.items()
            for place in range(1, len(total))
        )

    for _ in range(chance.randrange(30)):
        change()
    sums.totals(day_window(1), day_window(1), None)
    for _ in sums.ahead(day_window(0), day_window(3), cells):
        change()
        if chance.randrange(5) == 0:
            sums.totals(day_window(1), day_window(3), None)

    assert not store.windows_between(day_window(0), day_window(3)) or (day_window(0), day_window(3)) in sums._kept
    assert same()
    change()
    assert same()


def test_a_stretch_that_moves_on_is_that_of_its_own_days() -> None:
    cell = BY_FORM[Form.COUNT][0]
    store = PaneStore(frozenset())
    sums = Sums(store, frozenset())
    place = store.place("r1")
    for day in range(100):
        store.put(day_window(day), "a", place, encode_pane({cell: 2**day % 1009 + 1}))
        if day % 3:
            store.pack(day_window(day))
    for first, last in ((0, 80), (1, 81), (4, 81), (4, 90), (2, 88), (3, 99)):
        found = sums.totals(day_window(first), day_window(last), frozenset({cell}))
        assert found[Column(cell, None)][place] == sum(2**day % 1009 + 1 for day in range(first, last + 1))


def test_a_day_is_packed_once_there_are_many_and_gone_with_its_last_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.pane_store.FRESH_AT_MOST", 10)
    store = PaneStore(frozenset())
    cell = BY_FORM[Form.COUNT][0]
    where = [(day_window(day), "a", store.place(f"r{rep}")) for day in range(4) for rep in range(8)]
    for window, origin, place in where:
        assert store.put(window, origin, place, encode_pane({cell: 1})) is None
    packed = [window for window in store.windows() if store.blocks(window)]
    assert packed
    assert day_window(3) not in packed
    assert [*store.pack_all()]
    assert all(store.blocks(window) and not store.fresh(window) for window in store.windows())

    for window, origin, place in where:
        assert store.take_out(window, origin, place) is not None
        assert store.take_out(window, origin, place) is None
        assert not store.has(window, place)
    assert [*store.windows()] == []
    assert [*store.people()] == []
    assert store._fresh_days == store._packed == 0


@pytest.mark.parametrize("others", [0, 3])
def test_a_pane_that_cannot_be_read_holds_up_none_of_its_day(others: int) -> None:
    """It lies where it came, and is noted."""
    store = PaneStore(frozenset())
    cell, day = BY_FORM[Form.COUNT][0], day_window(1)
    bad = store.place("bad")
    store.put(day, "a", bad, b"\x92\xc4\x05abcde\x91\xc0")
    good = [store.place(f"r{number}") for number in range(others)]
    for place in good:
        store.put(day, "a", place, encode_pane({cell: place}))

    for _ in range(2):
        store.pack(day)
        assert [store.panes(day, place) for place in good] == [[{cell: place}] for place in good]
        assert store.panes(day, bad) == [{}]
        assert [*store.damage] == [(day, "a", bad)]
    assert (store._packed, store._fresh_days) == (others, 1)

    store.put(day, "a", bad, encode_pane({cell: 7}))
    store.pack(day)
    assert store.panes(day, bad) == [{cell: 7}]
    assert (store._packed, store._fresh_days) == (others + 1, 0)


@pytest.mark.parametrize("are_packed", [False, True])
@pytest.mark.parametrize("first", [team_scope("north"), rep_scope("r1")])
def test_once_all_is_merged_ahead_nothing_is_left_for_who_asks(
    first: Scope, are_packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor, cell = Floor(make_config(teams={"north": {}})), BY_FORM[Form.COUNT][0]
    floor.take_rep(b"rep|r1", fold_all("rep", [change("rep", "r1", NOW - DAY, team="north")]).encode())
    for rep in range(9):
        for day in range(TODAY - 40, TODAY + 1):
            floor.take_pane(pane_key("ledger.0", f"r{rep}", day_window(day)), encode_pane({cell: 1}))
    if are_packed:
        floor.settle()
    month = Span("", days=True, first=TODAY - 30, last=TODAY)
    floor.merged(first, month, NOW)
    floor.merged(first, Span("", days=True, first=TODAY - 9, last=TODAY), NOW)
    asked: list[Window] = []
    while True:
        done = floor.merge_ahead([ORGANISATION, team_scope("north")], month, 5)
        assert are_packed or done <= 5
        if done < 5:
            break

    monkeypatch.setattr(floor._groups._bulk, "of_groups", lambda window, *_: asked.append(window))
    assert floor.merged(ORGANISATION, month, NOW)[cell] == 9 * 31
    assert floor.merged(team_scope("north"), month, NOW)[cell] == 31
    assert not asked


def looks_at(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Whose panes are read from now on, in turn."""
    read: list[str | None] = []
    rep_pane = floor._groups._rep_pane

    def reading(window: Window, rep: str | None) -> Pane:
        read.append(rep)
        return rep_pane(window, rep)

    monkeypatch.setattr(floor._groups, "_rep_pane", reading)
    return read


def test_a_minute_in_which_few_did_anything_is_made_of_those_few(monkeypatch: pytest.MonkeyPatch) -> None:
    floor, cell, now = Floor(CONFIG), BY_FORM[Form.COUNT][0], NOW // MINUTE * MINUTE
    for rep in range(900):
        floor.take_pane(
            pane_key("ledger.0", f"r{rep}", minute_window(now + rep % 300 * MINUTE)), encode_pane({cell: 1})
        )
    read = looks_at(floor, monkeypatch)
    hours = Span("", days=False, first=now // MINUTE, last=now // MINUTE + 299)
    while floor.merge_ahead([ORGANISATION], hours, 50):
        pass

    assert floor.merged(ORGANISATION, hours, now)[cell] == len(read) == 900


def test_of_a_minute_in_which_few_did_anything_one_team_after_the_other_costs_no_look_at_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teams, cell, now = [f"t{number}" for number in range(40)], BY_FORM[Form.COUNT][0], NOW // MINUTE * MINUTE
    floor = Floor(
        make_config(
            teams={team: {} for team in teams}, reps={f"r{rep}": {"team": teams[rep % 40]} for rep in range(400)}
        )
    )
    for rep in range(400):
        floor.take_pane(pane_key("ledger.0", f"r{rep}", day_window(TODAY)), encode_pane({cell: 1}))
    for rep in range(40):
        floor.take_pane(pane_key("ledger.0", f"r{rep}", minute_window(now)), encode_pane({cell: rep + 1}))
    read = looks_at(floor, monkeypatch)
    minute = Span("", days=False, first=now // MINUTE, last=now // MINUTE)

    assert [floor.merged(team_scope(team), minute, now)[cell] for team in teams] == [*range(1, 41)]
    assert len(read) < 2 * len(teams)


def test_a_day_of_which_many_panes_cannot_be_read_is_not_packed_again_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.pane_store.FRESH_AT_MOST", 50)
    floor, day = Floor(CONFIG), day_window(TODAY)
    cell = min(floor.cells_of(["calls_made"]))
    for rep in range(300):
        floor.take_pane(pane_key("ledger.0", f"r{rep}", day), b"none")
    floor.settle()
    tried = 0

    def counting(*given: Any) -> bytes:
        nonlocal tried
        tried += 1
        return packed_block(*given)

    monkeypatch.setattr("schemas.pane_store.packed_block", counting)
    for rep in range(40):
        floor.take_pane(pane_key("ledger.0", f"s{rep}", day_window(TODAY - rep)), encode_pane({cell: 1}))
    assert tried == 0
    assert floor.store.damage.size() == floor.store.damage.of_days == 300

    looked_at = 0
    reach = floor._reach

    def reaching(*given: Any) -> int:
        nonlocal looked_at
        looked_at += 1
        return reach(*given)

    monkeypatch.setattr(floor, "_reach", reaching)
    span = Span("", days=True, first=TODAY, last=TODAY)
    marked = [rep for rep in floor.reps() if floor.values(rep_scope(rep), span, NOW).metrics["calls_made"] is None]
    assert len(marked) == 300
    assert looked_at == 300
    for mended in marked[:299]:
        floor.take_pane(pane_key("ledger.0", mended, day), None)
    assert [*floor.store.damage] == [(day, "ledger.0", floor.store.places[marked[299]])]


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("metrics", [None, ["calls_made"]])
def test_what_a_pane_belongs_to_that_cannot_be_read_has_no_value_and_all_else_has(
    metrics: list[str] | None, is_packed: bool
) -> None:
    floor, day = Floor(CONFIG), day_window(TODAY)
    cell = min(floor.cells_of(["calls_made"]))
    for rep in ("r1", "r2"):
        floor.take_pane(pane_key("ledger.0", rep, day), encode_pane({cell: 3}))
    floor.take_pane(pane_key("ledger.1", "r1", day), b"none")
    if is_packed:
        assert [*floor.store.pack_all()]
    today, tomorrow = (Span("", days=True, first=TODAY + each, last=TODAY + each) for each in (0, 1))

    def said(scope: Scope, span: Span = today) -> tuple[object, str | None]:
        values = floor.values(scope, span, NOW, metrics)
        return values.metrics["calls_made"], values.unavailable.get("calls_made")

    for scope in (rep_scope("r1"), team_scope("north"), ORGANISATION):
        assert said(scope) == (None, "a part of it cannot be read")
        assert said(scope, tomorrow) == (0, None)
    assert said(rep_scope("r2")) == said(team_scope("south")) == (3, None)
    of_two = floor.merged_of(["r1", "r2"], today, NOW, floor.cells_of(["calls_made"]))
    assert [floor.exact("calls_made", pane, NOW) for pane in of_two] == [None, 3]
    assert floor.store.unreadable_keys() == {pane_key("ledger.1", "r1", day)}

    floor.take_pane(pane_key("ledger.1", "r1", day), encode_pane({cell: 2}))

    assert (said(rep_scope("r1")), said(team_scope("north")), said(ORGANISATION)) == ((5, None), (5, None), (8, None))
    assert not floor.store.unreadable_keys()


def test_of_a_standing_pane_that_cannot_be_read_the_levels_alone_have_no_value() -> None:
    floor = Floor(CONFIG)
    floor.take_pane(pane_key("ledger.0", "r1", STANDING), b"none")
    span = Span("", days=True, first=TODAY, last=TODAY)

    levels = {name: floor.is_of_levels(name) for name in floor.catalogue}
    values = floor.values(rep_scope("r1"), span, NOW)

    assert {levels[name] for name in values.unavailable} == {True}
    assert {name for name, is_level in levels.items() if is_level} == values.unavailable.keys()


@pytest.mark.parametrize("is_packed", [False, True])
def test_whoever_asks_for_a_few_of_very_many_has_no_look_at_all_of_them(
    is_packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor, day = Floor(CONFIG), day_window(TODAY)
    reps = [f"x{number}" for number in range(60)]
    for rep in reps:
        pane = {DAYS[0]: 1, BY_FORM[Form.SAMPLE][0]: {5: 1}}
        floor.take_pane(pane_key("ledger.0", rep, day), encode_pane(pane))
    if is_packed:
        assert [*floor.store.pack_all()]
    span = Span("", days=True, first=TODAY, last=TODAY)
    everybody = dict(zip(reps, floor.merged_of(reps, span, NOW), strict=True))
    read = 0

    def counting(value: bytes) -> Pane:
        nonlocal read
        read += 1
        return decode_pane(value)

    for module in ("pane_store", "bulk_panes", "columns"):
        monkeypatch.setattr(f"schemas.{module}.decode_pane", counting)

    assert floor.merged_of(reps[:2], span, NOW) == [everybody[rep] for rep in reps[:2]]
    assert 0 < read <= 8
