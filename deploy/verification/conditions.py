"""Facts as the recount sees them, and whether one meets the `where` of a definition."""

import json
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from deploy.verification.definitions import duration, exact_number
from deploy.verification.shapes import SECOND

Fact = Mapping[str, Any]
"""A row of what `from` names: field -> value. A field that is not set is None or not there."""
Test = Callable[[Fact], bool]

DURATIONS = frozenset({"talk", "talk_seconds", "response"})
"""Fields that are lengths of time: microseconds here, seconds wherever a definition speaks of their number."""
AMOUNTS = frozenset({"amount", "cost", "list_amount", "units", "value", "monthly_amount"})
"""Fields that are numbers: 5 and 5.00 are the same there."""
_ATTRIBUTES = "attributes"


def value_of(fact: Fact, name: str) -> Any:
    """The field's value, None where it is not set; `attributes.NAME` is one too."""
    found = fact.get(name)
    if found is None and "." in name and f"{_ATTRIBUTES}." in name:
        holder, _, key = name.partition(f"{_ATTRIBUTES}.")
        found = attribute(fact.get(f"{holder}{_ATTRIBUTES}"), key)
    return None if isinstance(found, list | tuple) and not found else found


def attribute(attributes: Any, key: str) -> Any:
    """One of a record's attributes, which come as the text of a JSON object: a text, as it is written there."""
    known = json.loads(attributes) if isinstance(attributes, str) else attributes
    found = known.get(key) if isinstance(known, Mapping) else None
    if found is True or found is False:
        return str(found).lower()
    return None if found is None or isinstance(found, list | Mapping) else str(found)


def first_set(fact: Fact, fields: Sequence[str]) -> Any:
    """The first of the fields that is set."""
    for name in fields:
        found = value_of(fact, name)
        if found is not None:
            return found
    return None


def elements(value: Any) -> list[Any]:
    """What a field counts for: each element of a list once, else the value; nothing where it is not set."""
    if value is None:
        return []
    return list(dict.fromkeys(value)) if isinstance(value, list | tuple) else [value]


def number_in(fact: Fact, name: str) -> Fraction | None:
    """A field as a number, of times their seconds; None where it is not set, or an attribute that is no number."""
    value = value_of(fact, name)
    if value is None or isinstance(value, bool):
        return None
    if name.rpartition(".")[2] in DURATIONS or name.endswith("_at"):
        return Fraction(int(value), SECOND)
    try:
        return exact_number(value)
    except (ArithmeticError, ValueError):
        return None


def condition(where: Mapping[str, Any] | None) -> Test:
    """Whether a fact meets all lines of a `where`."""
    tests = [_line(name, wanted) for name, wanted in (where or {}).items()]
    if len(tests) == 1:
        return tests[0]
    return lambda fact: all(test(fact) for test in tests)


def _line(name: str, wanted: Any) -> Test:
    if name == "not":
        unwanted = condition(wanted)
        return lambda fact: not unwanted(fact)
    if name == "any":
        tests = [condition(one) for one in wanted]
        return lambda fact: any(test(fact) for test in tests)
    if isinstance(wanted, Mapping):
        found = [_comparison(name, how, limit) for how, limit in wanted.items()]
        return lambda fact: all(test(fact) for test in found)
    allowed = [_written(one) for one in (wanted if isinstance(wanted, list | tuple) else [wanted])]
    if name.rpartition(".")[2] in AMOUNTS and _ATTRIBUTES not in name:
        numbers = [exact_number(one) for one in allowed]
        return lambda fact: number_in(fact, name) in numbers
    if _ATTRIBUTES in name:
        return lambda fact: value_of(fact, name) in allowed
    return lambda fact: _is_among(value_of(fact, name), allowed)


def _written(wanted: Any) -> str:
    return str(wanted).lower() if isinstance(wanted, bool) else str(wanted)


def _is_among(value: Any, allowed: list[str]) -> bool:
    if isinstance(value, str):
        return value in allowed
    if value is None:
        return "false" in allowed  # a flag that is not set
    if isinstance(value, list | tuple):
        return any(_written(one) in allowed for one in value)
    return _written(value) in allowed


def _comparison(name: str, how: str, limit: Any) -> Test:
    if how == "is_set":
        is_wanted = _written(limit) == "true"
        return lambda fact: (value_of(fact, name) is not None) is is_wanted
    border = _border(limit)
    if how == "at_least":
        return lambda fact: (found := number_in(fact, name)) is not None and found >= border
    if how == "below":
        return lambda fact: (found := number_in(fact, name)) is not None and found < border
    msg = f"{name}: {how} is no comparison"
    raise ValueError(msg)


def _border(limit: Any) -> Fraction:
    text = _written(limit)
    return Fraction(duration(text), SECOND) if text[-1:].isalpha() else exact_number(text)
