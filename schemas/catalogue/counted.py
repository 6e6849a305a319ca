"""What the entries of several types say alike: from which facts, when, for whom, where, and which number.

Owns how these are written, and what is wrong with them. A list of names means the first that is set; a fact that lacks
a field counts as if it were not set there, and a field that none of the facts has is an error.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.catalogue.conditions import Condition, Decimals, First, Flag, every, opposite
from schemas.catalogue.facts import FACTS, NUMBERS, RECORD_FACTS, ROWS, expanded, fields_of_fact
from schemas.catalogue.plan import Form, Value
from schemas.catalogue.rules import Rules
from schemas.catalogue.where import EntryError, Wording
from schemas.documents.errors import suggestion
from schemas.records import FieldType

Names = str | list[str]


def facts_of(names: Names) -> tuple[str, ...]:
    """The facts of a `from`. Raises EntryError."""
    facts = tuple(listed(names))
    if not facts:
        raise EntryError(("from",), "names no fact")
    for fact in facts:
        if fact not in FACTS:
            raise EntryError(("from",), f"there is no fact {fact}{suggestion(fact, FACTS)}")
        if len(facts) > 1 and fact not in RECORD_FACTS:
            raise EntryError(("from",), f"{fact} cannot stand in a list: only kinds of records can")
    return facts


def listed(names: Names) -> list[str]:
    """One name, or several."""
    return [names] if isinstance(names, str) else names


def instant_of(fact: str, all_facts: Names, names: Names, setting: str = "at") -> First | None:
    """The instant at which something counts; None where this fact has none of them. Raises EntryError."""
    found = _fields(fact, all_facts, names, setting, FieldType.INSTANT, "an instant")
    return First(expanded(fact, found)) if found else None


def credit_of(fact: str, all_facts: Names, names: Names) -> tuple[str, ...]:
    """The fields that say for whom. Raises EntryError."""
    return _fields(fact, all_facts, names, "credit", FieldType.REFERENCE, "a person")


def _fields(fact: str, all_facts: Names, names: Names, setting: str, kind: FieldType, wanted: str) -> tuple[str, ...]:
    facts = facts_of(all_facts)
    for name in listed(names):
        types = {FACTS[each].get(name) for each in facts} - {None}
        if not types:
            known = sorted({field for each in facts for field, type in FACTS[each].items() if type is kind})
            raise EntryError((setting,), f"{' or '.join(facts)} has no field {name}{suggestion(name, known)}")
        if types != {kind}:
            raise EntryError((setting,), f"{name} is not {wanted}")
    return tuple(name for name in listed(names) if name in FACTS[fact])


def condition_of(fact: str, all_facts: Names, where: Mapping[str, Any], at: First, rules: Rules) -> Condition:
    """Where a row counts. What is internal counts only where it is asked for. Raises EntryError."""
    condition = Wording(fact, facts_of(all_facts), rules, at).condition(where)
    if fact in ROWS:
        condition = every([condition, ROWS[fact](rules)])
    if "internal" in FACTS[fact] and "internal" not in set(_named(where)):
        condition = every([condition, opposite(Flag("internal"))])
    return condition


def _named(where: Any) -> Iterable[str]:
    if isinstance(where, list):
        for part in where:
            yield from _named(part)
    elif isinstance(where, Mapping):
        for name, part in where.items():
            yield name
            yield from _named(part)


def value_of(fact: str, all_facts: Names, text: str) -> tuple[Form, Value, Condition]:
    """The number that `value` names, a field or the difference of two; and where there is one. Raises EntryError."""
    names = [name.strip() for name in text.split(" - ")]
    facts = facts_of(all_facts)
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
