"""Plans: the generated form, the compiled one and a plain reading agree, over random plans and random records."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processor.core.definitions import Definitions, definitions_of
from processor.core.facts import CurrentValues
from processor.core.plan import Contribution, Evaluator, digest_of_id
from processor.core.touches import attempt_at, is_connected, talk_of
from processor.native.plan import CompiledPlan
from schemas.catalogue.amounts import limbs, number_of, rate_on, total
from schemas.catalogue.conditions import (
    All,
    AtLeast,
    Condition,
    Decimals,
    Else,
    First,
    Flag,
    Gap,
    Is,
    IsSet,
    Later,
    Not,
    Rated,
    Register,
    canonical,
    every,
    opposite,
    some,
)
from schemas.catalogue.facts import FLAGS, NUMBERS
from schemas.catalogue.plan import Credit, Form, Ids, Measure, Part, plan_of
from schemas.catalogue.rules import EVER
from schemas.instants import MINUTE, SECOND
from schemas.records import FIELD_CODES, FIELDS, FieldType, fold_all
from tests.builders import make_config
from tests.strategies import NOW, changes

CALM = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
PLAIN = ("call", "email", "meeting")
ALIASES = {"r2": "r1", "ré": "r3"}

# ------------------------------------------------------------------ a plain reading


def _register(register: Register, get: Callable[[str], Any]) -> int | None:
    match register:
        case First(names):
            return next((value for name in names if (value := get(name)) is not None), None)
        case Gap(start, end, is_clipped):
            one, other = _register(start, get), _register(end, get)
            if one is None or other is None:
                return None
            return max(0, other - one) if is_clipped else other - one
        case Else(one_register, other_register):
            one = _register(one_register, get)
            return _register(other_register, get) if one is None else one
        case Later(inner, by):
            one = _register(inner, get)
            return None if one is None else one + by
        case _:
            raise AssertionError(register)


def _texts(value: Any) -> list[str]:
    """What a field holds: a text, several, or those of several fields."""
    if isinstance(value, tuple):
        return [text for one in value for text in _texts(one)]
    return [text for text in (value if isinstance(value, list) else [value]) if text]


def _first_texts(names: tuple[str | tuple[str, ...], ...], get: Callable[[str], Any]) -> list[str]:
    held = (_texts(get(name) if isinstance(name, str) else tuple(map(get, name))) for name in names)
    return next((texts for texts in held if texts), [])


def _holds(condition: Condition, get: Callable[[str], Any]) -> bool:
    match condition:
        case Is(name, text):
            holds = bool(get(name) == text)
        case Flag(name):
            holds = get(name) is True
        case IsSet(names):
            holds = any(get(name) not in (None, []) for name in names)
        case AtLeast(register, number):
            value = _register(register, get)
            holds = value is not None and value >= number
        case Rated(name, at, rates):
            instant = _register(at, get)
            holds = rate_on(dict(rates), get(name), instant) is not None
        case Not(part):
            holds = not _holds(part, get)
        case All(parts):
            holds = all(_holds(part, get) for part in parts)
        case _:
            holds = bool(condition)
    return holds


def _amounts(part: Part, at: int, get: Callable[[str], Any]) -> list[tuple[Any, int]]:
    match part.form, part.value:
        case Form.COUNT, _:
            return [(None, 1)]
        case Form.DECIMAL, Decimals() as decimals:
            number, places = number_of(get(decimals.field))
            rate = rate_on(dict(decimals.rates), get("currency"), at)
            return [] if rate is None else limbs(number * rate[0], places + rate[1])
        case Form.SAMPLE, (register,):
            value = _register(register, get)
            return [] if value is None else [(value, 1)]
        case Form.NUMBER, (register,):
            return limbs(_register(register, get) or 0)
        case Form.PENDING, (one, other):
            return [((_register(one, get), _register(other, get)), 1)]
        case Form.ID, Ids() as ids:
            held = ((_first_texts((name,), get), is_person) for name, is_person in ids.by_field)
            texts, is_person = next((one for one in held if one[0]), ([], False))
            return [(digest_of_id(text), 1) for text in {ALIASES.get(one, one) if is_person else one for one in texts}]
    raise AssertionError(part)


def plainly(plan_parts: list[Part], kind: str, get: Callable[[str], Any]) -> dict[Any, int]:
    """(person, instant, cell, key) -> amount."""
    found: dict[Any, int] = {}
    if get("deleted") is True:
        return found
    for part in set(plan_parts):
        at = None if part.at is None else _register(part.at, get)
        if part.fact != kind or (at is None and part.at is not None) or not _holds(part.when, get):
            continue
        people: set[str | None] = {ALIASES.get(one, one) for one in _first_texts(part.credit, get)}
        for who in people or {None}:
            for key, amount in _amounts(part, at or 0, get):
                place = (who, at, Measure((part,)).name, key)
                found[place] = found.get(place, 0) + amount * part.sign
    return found


def gathered(contributions: list[Contribution]) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for who, at, values in contributions:
        for cell, key, amount in values:
            found[who, at, cell, key] = found.get((who, at, cell, key), 0) + amount
    return found


# ------------------------------------------------------------------ random plans

_OF = {
    kind: {wanted: sorted(name for name, held in FIELDS[kind].items() if held is wanted) for wanted in FieldType}
    for kind in PLAIN
}
_TEXTS = ["outbound", "inbound", "connected", "held", "r1", "x" * 40, "é", ""]
_NUMBERS = st.sampled_from([-(2**63), -1, 0, 1, 60_000_000, NOW, NOW - MINUTE, 2**63 - 1])


@st.composite
def registers(draw: st.DrawFn, kind: str, depth: int = 2) -> Register:
    numbers = _OF[kind][FieldType.INSTANT] + _OF[kind][FieldType.SECONDS]
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return First(tuple(draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=3, unique=True))))
    one, other = draw(registers(kind, depth - 1)), draw(registers(kind, depth - 1))
    return Gap(one, other, draw(st.booleans())) if draw(st.booleans()) else Else(one, other)


def conditions(kind: str) -> st.SearchStrategy[Condition]:
    texts = _OF[kind][FieldType.CHOICE] + _OF[kind][FieldType.REFERENCE]
    names = st.lists(st.sampled_from(sorted(FIELDS[kind])), min_size=1, max_size=2).map(tuple)
    single: st.SearchStrategy[Condition] = st.one_of(
        st.builds(Is, st.sampled_from(texts), st.sampled_from(_TEXTS)),
        st.builds(Flag, st.sampled_from([*_OF[kind][FieldType.FLAG], "automated"])),
        st.builds(IsSet, names),
        st.builds(AtLeast, registers(kind), _NUMBERS),
    )
    return st.recursive(
        single,
        lambda inner: (
            inner.map(opposite) | st.lists(inner, max_size=4).map(every) | st.lists(inner, max_size=4).map(some)
        ),
        max_leaves=8,
    )


def _references(kind: str) -> st.SearchStrategy[Credit]:
    """Fields with an id or a list of them; several in a tuple count together."""
    names = st.sampled_from(_OF[kind][FieldType.REFERENCE] + _OF[kind][FieldType.REFERENCES])
    together = st.lists(names, min_size=2, max_size=2).map(tuple)
    return st.lists(st.one_of(names, names, together), min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    kind = draw(st.sampled_from(PLAIN))
    at = First(tuple(draw(st.lists(st.sampled_from(_OF[kind][FieldType.INSTANT]), min_size=1, max_size=2))))
    credit = draw(_references(kind))
    form = draw(st.sampled_from([Form.COUNT, Form.NUMBER, Form.SAMPLE, Form.ID]))
    value: Any = () if form is Form.COUNT else (draw(registers(kind)),)
    if form is Form.ID:
        names = draw(_references(kind))
        each = st.tuples(*[st.booleans()] * len(names))
        value = Ids(names, draw(st.booleans() | each))
    return Part(kind, draw(conditions(kind)), at, credit, form, value)


@st.composite
def further_parts(draw: st.DrawFn) -> Part:
    """Those that are Python's: what stands, what is taken out, and what waits."""
    part = draw(parts())
    one, other = draw(registers(part.fact)), draw(registers(part.fact))
    match draw(st.integers(0, 2)):
        case 0:
            return replace(part, at=None)
        case 1:
            return replace(part, sign=-1)
        case _:
            return replace(part, form=Form.PENDING, value=(one, Later(other, MINUTE)))


plans = st.lists(parts(), max_size=8)
further_plans = st.lists(parts() | further_parts(), max_size=6)


def _row(kind: str, values: Mapping[str, Any]) -> bytes:
    patch = {FIELD_CODES[name]: value for name, value in values.items()}
    return msgspec.msgpack.encode((kind, [(NOW, 7, patch)] if patch else [], {}, {}))


@CALM
@given(plans, st.lists(changes(PLAIN), min_size=1, max_size=5))
def test_all_forms_of_a_plan_say_the_same_of_a_record(found: list[Part], said: list[Any]) -> None:
    plan = plan_of(Measure((part,)) for part in found)
    generated, compiled = Evaluator(plan, ALIASES), CompiledPlan(plan, ALIASES)
    for change in said:
        row = fold_all(change.kind, [change]).encode()

        contributions = generated.of_record(change.kind, change.fields.get)

        assert gathered(contributions) == plainly(found, change.kind, change.fields.get)
        # A row that a group of numbers hears of is left to Python.
        is_left = "number" in change.fields
        assert compiled.contributions(row) == (None if is_left else contributions)


@CALM
@given(
    further_plans, st.lists(changes(PLAIN), min_size=1, max_size=5), st.lists(st.sampled_from(["r1", "r2", "x", ""]))
)
def test_what_is_left_to_python_is_what_the_plan_says(found: list[Part], said: list[Any], several: list[str]) -> None:
    plan = plan_of(Measure((part,)) for part in found)
    generated, compiled = Evaluator(plan, ALIASES), CompiledPlan(plan, ALIASES)
    for change in said:
        fields = change.fields | {"booked_by": several}  # a list, where a field may hold one

        contributions = generated.of_record(change.kind, change.fields.get)

        assert gathered(contributions) == plainly(found, change.kind, change.fields.get)
        assert compiled.contributions(fold_all(change.kind, [change]).encode()) in (None, contributions)
        # Who else is credited by it takes no list there.
        takers = [part for part in found if any(isinstance(name, tuple) for name in part.credit)]
        taking = Evaluator(plan_of(Measure((part,)) for part in takers), ALIASES)
        assert gathered(taking.of_record(change.kind, fields.get)) == plainly(takers, change.kind, fields.get)


DAMAGED = st.one_of(
    st.none(),
    st.booleans(),
    _NUMBERS,
    st.integers(2**63, 2**64 - 1),
    st.sampled_from([*_TEXTS, "r2", "ré"]),
    st.lists(st.text(max_size=2), max_size=2),
)


@CALM
@given(plans, st.sampled_from(PLAIN), st.data())
def test_of_a_damaged_record_the_compiled_form_says_the_same_or_hands_it_back(
    found: list[Part], kind: str, data: st.DataObject
) -> None:
    plan = plan_of(Measure((part,)) for part in found)
    values = data.draw(st.dictionaries(st.sampled_from([*sorted(FIELDS[kind]), "deleted"]), DAMAGED, max_size=8))
    compiled = CompiledPlan(plan, ALIASES).contributions(_row(kind, values))

    if compiled is not None:
        assert compiled == Evaluator(plan, ALIASES).of_record(kind, values.get)


@CALM
@given(plans, st.sampled_from(PLAIN), st.integers(0, 80), st.binary(max_size=3), st.integers(0, 3))
def test_no_bytes_are_read_beyond_a_row(found: list[Part], kind: str, place: int, put: bytes, taken: int) -> None:
    row = _row(kind, {"rep": "r1", "lead": "l1"} | dict.fromkeys(_OF[kind][FieldType.INSTANT], NOW))

    CompiledPlan(plan_of(Measure((part,)) for part in found), {}).contributions(
        row[:place] + put + row[place + taken :]
    )


@pytest.mark.parametrize("kind", ["call", "email"])
@pytest.mark.parametrize("number", [0, 1, 100, 2000, 2100])
def test_a_plan_that_is_too_large_or_counts_money_is_left_to_python(number: int, kind: str) -> None:
    at = First(("dialed_at" if kind == "call" else "sent_at",))
    large = every(AtLeast(Gap(at, at, is_clipped=False), limit) for limit in range(number))
    plan = plan_of([Measure((Part(kind, large, at, ("rep",), Form.COUNT),))])
    row = _row(kind, {at.fields[0]: NOW, "rep": "r1"})
    contributions = Evaluator(plan, {}).of_record(kind, {at.fields[0]: NOW, "rep": "r1"}.get)

    assert CompiledPlan(plan, {}).contributions(row) == (contributions if number < 2048 else None)


# ------------------------------------------------------------------ what the clocks of leads ask of a call


CALLS = st.fixed_dictionaries(
    {
        "dialed_at": st.just(NOW),
        "direction": st.sampled_from(["inbound", "outbound"]),
        "outcome": st.sampled_from([None, "connected", "voicemail"]),
        "answered_at": st.sampled_from([None, NOW, NOW + SECOND]),
        "ended_at": st.sampled_from([None, NOW, NOW + SECOND, NOW + MINUTE]),
        "talk_seconds": st.sampled_from([None, 0, SECOND - 1, SECOND, MINUTE]),
    },
    optional={"automated": st.sampled_from([None, False, True])},
)
"""Of some their talk is as long as the least that makes a conversation, or a little shorter."""


@settings(max_examples=200, deadline=None)
@given(CALLS, st.sampled_from(["1s", "1m"]))
def test_the_clock_of_a_lead_means_by_connected_and_talk_what_metrics_mean(call: dict[str, Any], least: str) -> None:
    definitions = _with_talk(least)
    rules, record = definitions.rules, CurrentValues(_row("call", call))
    talk = NUMBERS["call", "talk"]

    connected, talked = is_connected(record), talk_of(record)
    assert _holds(FLAGS["call", "connected"](rules), call.get) == connected
    assert (_register(talk.register, call.get) if _holds(talk.where, call.get) else 0) == (talked if connected else 0)
    is_conversation = _holds(FLAGS["call", "conversation"](rules), call.get)
    assert is_conversation == (connected and talked >= rules.min_talk and call.get("automated") is not True)
    if call.get("direction") == "inbound":
        # One in which they talked with us is what answers a lead.
        assert is_conversation == (attempt_at(record, definitions) is not None)


@cache
def _with_talk(least: str) -> Definitions:
    return definitions_of(make_config(conversation={"min_talk": least}))


# ------------------------------------------------------------------ money, which is Python's


RATES = (("EUR", ((EVER, 5, 1), (NOW, 108, 2))), ("USD", ((EVER, 1, 0),)))


@pytest.mark.parametrize(
    ("amount", "currency", "at", "expected"),
    [
        ("120.50", None, NOW, 120.5),
        ("120.50", "USD", NOW, 120.5),
        ("-0.5", "EUR", NOW - 1, -0.25),
        ("100", "EUR", NOW, 108),
        ("100", "GBP", NOW, 0),
        (None, "USD", NOW, 0),
        ("1E+20", "USD", NOW, 10**20),
        (str(2**70), "USD", NOW, 2**70),
    ],
)
def test_money_is_counted_by_the_rate_of_the_day(
    amount: str | None, currency: str | None, at: int, expected: Any
) -> None:
    where = Rated("currency", First(("closed_at",)), RATES)
    value = Decimals("amount", None, "currency", RATES)
    part = Part("deal", where, First(("closed_at",)), ("rep",), Form.DECIMAL, value)
    deal = {"amount": amount, "currency": currency, "closed_at": at, "rep": "r1"}

    found = gathered(Evaluator(plan_of([Measure((part,))]), {}).of_record("deal", deal.get))

    assert total({key: amount for (_, _, _, key), amount in found.items()}) == expected


def test_a_difference_takes_what_is_not_set_for_0() -> None:
    at = First(("closed_at",))
    part = Part("deal", True, at, ("rep",), Form.DECIMAL, Decimals("amount", "value"))
    evaluator = Evaluator(plan_of([Measure((part,))]), {})

    def counted(**deal: Any) -> Any:
        found = gathered(evaluator.of_record("deal", ({"closed_at": NOW} | deal).get))
        return total({key: amount for (_, _, _, key), amount in found.items()})

    assert counted(amount="10.005", value="4") == pytest.approx(6.005)
    assert counted(amount="10") == 10
    assert counted(value="4") == -4


def test_a_deal_that_is_deleted_or_merged_into_another_counts_for_nothing() -> None:
    evaluator = Evaluator(
        plan_of([Measure((Part("deal", True, First(("closed_at",)), ("rep",), Form.COUNT, ()),))]), {}
    )

    def counted(**deal: Any) -> int:
        return len(evaluator.of_record("deal", ({"closed_at": NOW} | deal).get))

    assert [counted(), counted(deleted=False, merged_into=None)] == [1, 1]
    assert [counted(deleted=True), counted(merged_into="d2")] == [0, 0]


# ------------------------------------------------------------------ names


@CALM
@given(conditions("call"), conditions("call"))
def test_what_means_the_same_has_the_same_text(one: Condition, other: Condition) -> None:
    assert canonical(every([one, other])) == canonical(every([other, one]))
    assert canonical(some([one, other])) == canonical(some([other, one]))
    assert canonical(opposite(opposite(one))) == canonical(one)
    assert canonical(every([one, True])) == canonical(one)


def test_what_a_cell_is_called_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An api asks for it with every number of every row."""
    measure = Measure((Part("call", Is("outcome", "busy"), None, (), Form.COUNT),))
    named = measure.name

    def again(_value: object) -> str:
        pytest.fail("its text was made again")

    monkeypatch.setattr("schemas.catalogue.plan.canonical", again)

    assert measure.name == named
