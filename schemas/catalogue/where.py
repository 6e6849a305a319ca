"""The `where` of an entry, as a condition: field by field, in the words of the file.

Owns how a condition is written and what is wrong with one. What the fields mean is for facts.py to say.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from schemas.catalogue.amounts import decimal_text, number_of
from schemas.catalogue.conditions import (
    AmountAtLeast,
    AtLeast,
    Condition,
    First,
    Is,
    IsSet,
    Register,
    every,
    opposite,
    some,
)
from schemas.catalogue.facts import (
    FACTS,
    NUMBERS,
    PEOPLE,
    choices_of,
    expanded,
    fields_of_fact,
    flag_of,
    has_field,
    type_of,
)
from schemas.catalogue.rules import Rules
from schemas.documents.errors import suggestion
from schemas.instants import parse_duration
from schemas.records import FieldType

_TEXTS = frozenset({FieldType.TEXT, FieldType.CHOICE, FieldType.CURRENCY, FieldType.REFERENCE})
_NUMBERS = frozenset({FieldType.SECONDS, FieldType.NUMBER})
_A_DURATION = "is a duration: of it can be asked at_least, below or is_set"
_NO_TEXT: Mapping[FieldType | None, str] = {
    FieldType.REFERENCES: "is a list of ids: of it can be asked is_set",
    FieldType.INSTANT: "is an instant: of it can be asked is_set",
    FieldType.SECONDS: _A_DURATION,
    None: _A_DURATION,
}
_COMPARISONS = ("at_least", "below", "is_set")
_COUNTED = frozenset({FieldType.NUMBER, FieldType.DECIMAL})
_LEAST = Decimal("0.000001")
"""No number of a record has more digits behind the point."""


class EntryError(ValueError):
    """Something in an entry is wrong; `path` leads to it from the entry."""

    def __init__(self, path: tuple[str | int, ...], reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(reason)


Where = tuple[str | int, ...]
"""Where in the entry something stands."""


class FactConditions:
    """The conditions of one fact, or of one of several that are counted together."""

    def __init__(self, fact: str, facts: tuple[str, ...], rules: Rules, at: Register) -> None:
        """`facts`: all that the entry counts; a field that one of them lacks is not set there. `at`: its instant."""
        self._fact = fact
        self._facts = facts
        self._rules = rules
        self._at = at

    def condition(self, where: Mapping[str, Any], path: Where = ("where",)) -> Condition:
        """All lines of a `where` hold. Raises EntryError."""
        return every(self._line(name, wanted, (*path, name)) for name, wanted in where.items())

    def _line(self, name: str, wanted: Any, path: Where) -> Condition:
        if name == "not":
            return opposite(self.condition(_mapping(wanted, path), path))
        if name == "any":
            if not isinstance(wanted, list) or not wanted:
                raise EntryError(path, "must be a list of conditions")
            return some(
                self.condition(_mapping(part, (*path, index)), (*path, index)) for index, part in enumerate(wanted)
            )
        if not any(has_field(fact, name) for fact in self._facts):
            known = sorted({field for fact in self._facts for field in fields_of_fact(fact)})
            raise EntryError(path, f"{' or '.join(self._facts)} has no field {name}{suggestion(name, known)}")
        if isinstance(wanted, Mapping):
            return self._compared(name, wanted, path)
        flags = [flag_of(fact, name, self._rules, self._at) for fact in self._facts]
        if any(flag is not None for flag in flags):
            holds = flag_of(self._fact, name, self._rules, self._at) or False
            return holds if _claim(wanted, path) else opposite(holds)
        return self._text(name, wanted, path)

    def _text(self, name: str, wanted: Any, path: Where) -> Condition:
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values or not all(isinstance(value, str) for value in values):
            raise EntryError(path, "must be a text, a list of texts, or one of at_least, below, is_set")
        if not has_field(self._fact, name):
            return False
        kind = type_of(self._fact, name)
        if kind in _COUNTED:
            return some(self._equal(name, value, path) for value in values)
        if kind not in _TEXTS:
            raise EntryError(path, _NO_TEXT.get(kind, "is no text: of it can be asked is_set"))
        if name.rpartition(".")[2] in PEOPLE:
            values = [id for value in values for id in self._rules.ids_of(value)]
        choices = choices_of(self._fact, name)
        for value in values if choices else ():
            if value not in choices:
                raise EntryError(path, f"is never {value}{suggestion(value, sorted(choices))}")
        return some(Is(name, value) for value in values)

    def _equal(self, name: str, value: str, path: Where) -> Condition:
        """A number is exactly this one: so much at least, and no more."""
        if type_of(self._fact, name) is FieldType.DECIMAL:
            number, places = _amount(value, path)
            more = AmountAtLeast(name, *number_of(format(Decimal(value) + _LEAST, "f")))
            return every([AmountAtLeast(name, number, places), opposite(more)])
        register, number = First(expanded(self._fact, [name])), _whole(value, path)
        return every([AtLeast(register, number), opposite(AtLeast(register, number + 1))])

    def _compared(self, name: str, wanted: Mapping[str, Any], path: Where) -> Condition:
        unknown = next((str(how) for how in wanted if how not in _COMPARISONS), None)
        if not wanted or unknown is not None:
            hint = suggestion(unknown or "", _COMPARISONS)
            reason = "must be one of at_least, below, is_set"
            raise EntryError(path, f"{reason}{hint if 'did you mean' in hint else ''}")
        return every(self._comparison(name, how, limit, path) for how, limit in wanted.items())

    def _comparison(self, name: str, how: str, limit: Any, path: Where) -> Condition:
        if how == "is_set":
            names = expanded(self._fact, [name])
            holds = IsSet(names) if type_of(self._fact, name) is not None else has_field(self._fact, name)
            return holds if _claim(limit, (*path, how)) else opposite(holds)
        kinds = {type_of(fact, name) for fact in self._facts if has_field(fact, name)}
        if kinds <= _TEXTS:
            raise EntryError(path, "is a text: of it can be asked which it is, or is_set")
        if FieldType.DECIMAL in kinds:
            if type_of(self._fact, name) is not FieldType.DECIMAL:
                return False
            enough = AmountAtLeast(name, *_amount(limit, (*path, how)))
            return enough if how == "at_least" else every([IsSet((name,)), opposite(enough)])
        number = (_whole if FieldType.NUMBER in kinds else _number)(limit, (*path, how))
        derived = NUMBERS.get((self._fact, name))
        if derived is not None:
            # It is never below 0, and 0 where nothing else is said.
            least = True if number <= 0 else every([derived.where, AtLeast(derived.register, number)])
            return least if how == "at_least" else opposite(least)
        if not has_field(self._fact, name):
            return False
        if FACTS[self._fact].get(name) not in _NUMBERS:
            is_instant = FACTS[self._fact].get(name) is FieldType.INSTANT
            raise EntryError(
                path, "is an instant: of it can be asked is_set" if is_instant else "is not a duration, nor a number"
            )
        register = First(expanded(self._fact, [name]))
        least = AtLeast(register, number)
        return least if how == "at_least" else every([IsSet(register.fields), opposite(least)])


def _mapping(value: Any, path: Where) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not value:
        raise EntryError(path, "must be a condition")
    return value


def _claim(value: Any, path: Where) -> bool:
    """Files are read without guessing: `true` is a text there."""
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    raise EntryError(path, "must be true or false")


def _number(limit: Any, path: Where) -> int:
    if isinstance(limit, str):
        try:
            return parse_duration(limit)
        except ValueError as error:
            raise EntryError(path, str(error)) from None
    raise EntryError(path, "must be a duration such as 30s, 5m, 1h or 2d")


def _amount(limit: Any, path: Where) -> tuple[int, int]:
    try:
        return number_of(format(decimal_text(str(limit)), "f"))
    except ValueError as error:
        raise EntryError(path, str(error)) from None


def _whole(limit: Any, path: Where) -> int:
    """A whole number; files that are read without guessing write it as text."""
    text = str(limit)
    if isinstance(limit, bool) or not text.isascii() or not text.isdigit() or len(text) > 9:
        raise EntryError(path, "must be a whole number such as 2")
    return int(text)
