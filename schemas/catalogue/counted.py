"""What the entries of several types say alike: from which facts, when, for whom, where, and which number.

Owns how these are written, and what is wrong with them. A list of names means the first that is set; a fact that lacks
a field counts as if it were not set there, and a field that none of the facts has is an error.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.catalogue.conditions import Condition, Decimals, First, Flag, Register, every, opposite
from schemas.catalogue.facts import (
    FACTS,
    NUMBERS,
    PEOPLE,
    RECORD_FACTS,
    REP_DAYS,
    ROWS,
    UNIONS,
    UNWRITTEN_FACTS,
    WRITTEN,
    expanded,
    fields_of_fact,
)
from schemas.catalogue.narrowing import Narrowing
from schemas.catalogue.plan import CellValue, Credit, Form, Ids
from schemas.catalogue.rules import Rules
from schemas.catalogue.where import EntryError, FactConditions
from schemas.documents.errors import suggestion
from schemas.records import FieldType

NameOrNames = str | list[str]
_INSTANTS = frozenset({FieldType.INSTANT})


def facts_named(names: NameOrNames) -> tuple[str, ...]:
    """The facts of a `from`. Raises EntryError."""
    facts = tuple(listed(names))
    if not facts:
        raise EntryError(("from",), "names no fact")
    for fact in facts:
        if fact not in FACTS or fact in UNWRITTEN_FACTS:
            known = [each for each in FACTS if each not in UNWRITTEN_FACTS]
            raise EntryError(("from",), f"there is no fact {fact}{suggestion(fact, known)}")
        if len(facts) > 1 and fact not in RECORD_FACTS:
            raise EntryError(("from",), f"{fact} cannot stand in a list: only kinds of records can")
    return facts


def stored_facts(names: NameOrNames) -> tuple[str, ...]:
    """The same, of what lies in panes. Raises EntryError."""
    facts = facts_named(names)
    if REP_DAYS in facts:
        raise EntryError(("from",), f"{REP_DAYS} is made when it is read: only type simple counts it")
    return facts


def listed(names: NameOrNames) -> list[str]:
    """One name, or several."""
    return [names] if isinstance(names, str) else names


def counted_instant(fact: str, all_facts: NameOrNames, names: NameOrNames, setting: str = "at") -> First | None:
    """The instant at which something counts; None where this fact has none of them. Raises EntryError."""
    if not listed(names):
        raise EntryError((setting,), "names no instant")
    found = _fields(fact, all_facts, names, setting, _INSTANTS, "an instant")
    return First(expanded(fact, found)) if found else None


def credit_of(fact: str, all_facts: NameOrNames, names: NameOrNames) -> Credit:
    """The fields that say for whom. Raises EntryError."""
    return _people_fields(fact, all_facts, names, "credit", frozenset({FieldType.REFERENCE, FieldType.REFERENCES}))


def ids_of(fact: str, all_facts: NameOrNames, names: NameOrNames) -> Ids | None:
    """The ids that `of` names; None where this fact has none of them. Raises EntryError."""
    found = _people_fields(fact, all_facts, names, "of", _IDS)
    are_people = tuple(not isinstance(name, str) or name.rpartition(".")[2] in PEOPLE for name in found)
    return Ids(found, are_people[0] if len({*are_people}) == 1 else are_people) if found else None


_IDS = frozenset(
    {FieldType.REFERENCE, FieldType.REFERENCES, FieldType.TEXT, FieldType.CHOICE, FieldType.CURRENCY}
)  # fmt: skip


def _people_fields(
    fact: str, all_facts: NameOrNames, names: NameOrNames, setting: str, kinds: frozenset[FieldType]
) -> Credit:
    base = fact.removeprefix("lead/")
    found: list[str | tuple[str, ...]] = []
    for name in listed(names):
        if any((each, name) in UNIONS for each in listed(all_facts)):
            if (base, name) in UNIONS:
                found.append(UNIONS[base, name])
            continue
        wanted = "a person" if setting == "credit" else "an id"
        found += _fields(fact, all_facts, name, setting, kinds, wanted)
    return tuple(found)


def _fields(
    fact: str, all_facts: NameOrNames, names: NameOrNames, setting: str, kinds: frozenset[FieldType], wanted: str
) -> tuple[str, ...]:
    facts = facts_named(all_facts)
    for name in listed(names):
        types = {WRITTEN[each].get(name) for each in facts} - {None}
        if not types:
            fields = sorted({field for each in facts for field, kind in WRITTEN[each].items() if kind in kinds})
            raise EntryError((setting,), f"{' or '.join(facts)} has no field {name}{suggestion(name, fields)}")
        if not types <= kinds:
            raise EntryError((setting,), f"{name} is not {wanted}")
    return tuple(name for name in listed(names) if name in FACTS[fact])


def condition_of(
    fact: str, all_facts: NameOrNames, where: Mapping[str, Any], at: Register, rules: Rules, narrowing: Narrowing
) -> Condition:
    """Where a row counts that is meant. What is internal counts only where it is asked for. Raises EntryError."""
    meant = narrowing.condition(fact, at, facts_named(all_facts))
    if meant is None:
        raise EntryError(("by",), f"{fact} does not say {narrowing.name}")
    condition = FactConditions(fact, facts_named(all_facts), rules, at).condition(where)
    if fact in ROWS:
        condition = every([condition, ROWS[fact](rules)])
    if "internal" in FACTS[fact] and "internal" not in set(_named(where)):
        condition = every([condition, opposite(Flag("internal"))])
    return every([condition, meant])


def _named(where: Any) -> Iterable[str]:
    if isinstance(where, list):
        for part in where:
            yield from _named(part)
    elif isinstance(where, Mapping):
        for name, part in where.items():
            yield name
            yield from _named(part)


def counted_value(fact: str, all_facts: NameOrNames, text: str) -> tuple[Form, CellValue, Condition]:
    """The number that `value` names, a field or the difference of two; and where there is one. Raises EntryError."""
    names = [name.strip() for name in text.split(" - ")]
    facts = facts_named(all_facts)
    for name in names:
        if not any(name in fields_of_fact(each) for each in facts):
            known = {field for each in facts for field in fields_of_fact(each)}
            reason = f"{' or '.join(facts)} has no field {name}{suggestion(name, sorted(known))}"
            raise EntryError(("value",), reason)
    derived = NUMBERS.get((fact, text))
    if derived is not None:
        return Form.NUMBER, (derived.register,), derived.where
    kinds = {FACTS[fact].get(name) for name in names} - {None}
    if not kinds:
        return Form.DECIMAL, (), False
    if kinds == {FieldType.DECIMAL} and len(names) <= 2:
        return Form.DECIMAL, Decimals(names[0], names[1] if len(names) > 1 else None), True
    if kinds == {FieldType.SECONDS} and len(names) == 1:
        return Form.NUMBER, (First((text,)),), True
    raise EntryError(("value",), f"{text} is neither a number nor the difference of two")
