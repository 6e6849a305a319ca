"""What a plan is made of: conditions on the fields of a fact, and numbers made of them.

Owns their algebra and their canonical text: what means the same has the same text, in whatever order it was written.
Knows no fact and no metric; evaluates nothing (processor/core/plan.py does, and processor/native/plan.pyx on bytes).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from dataclasses import field as part_of
from functools import cache
from typing import Any

ADDED = {"added": True}
"""Of a part that came after measures had their names: where it says nothing it has no text."""


@dataclass(frozen=True, slots=True)
class First:
    """The first of these fields that is set."""

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """From one number to another; not set unless both are."""

    start: "Register"
    end: "Register"
    is_clipped: bool
    """Whether it is never below 0."""


@dataclass(frozen=True, slots=True)
class Else:
    """A number, or where that is not set another one."""

    one: "Register"
    other: "Register"


@dataclass(frozen=True, slots=True)
class Later:
    """So much more than a number."""

    register: "Register"
    by: int


@dataclass(frozen=True, slots=True)
class Worked:
    """The business time from one instant to another, by a calendar; not set unless both are, nor if it ends before."""

    start: "Register"
    end: "Register"
    calendar: str
    """Its definition: an entry of `calendars`, as JSON, which is part of what is meant."""


Register = First | Gap | Else | Later | Worked
"""A whole number made of fields: an instant, a duration (microseconds) or a plain number. It may not be set."""


@dataclass(frozen=True, slots=True)
class Is:
    """A field holds exactly this text."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag is true; one that is not set is not."""

    field: str


@dataclass(frozen=True, slots=True)
class IsSet:
    """One of these fields is set. An empty list is not."""

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A number is set and not below this one."""

    register: Register
    number: int


@dataclass(frozen=True, slots=True)
class AmountAtLeast:
    """A decimal is set and not below this one: a number, and how many of its digits stand behind the point."""

    field: str
    number: int
    places: int


@dataclass(frozen=True, slots=True)
class Rated:
    """There is a rate for the currency that a field names, on the instant; no currency is the organisation's.

    Without an instant it is the first rate that is asked for.
    """

    field: str
    at: Register
    rates: "Rates"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class All:
    """All of these, two at least."""

    parts: "frozenset[Condition]"


Condition = bool | Is | Flag | IsSet | AtLeast | AmountAtLeast | Rated | Not | All

Rates = tuple[tuple[str, tuple[tuple[int, int, int], ...]], ...]
"""(currency, ((since when in microseconds, number, decimal places of it), ...)), both in ascending order."""


@dataclass(frozen=True, slots=True)
class Decimals:
    """A decimal field, or the difference of two; in the organisation's currency where there are rates."""

    field: str
    less: str | None = None
    currency: str | None = None
    """The field that names it; None: the number is taken as it stands."""
    rates: Rates = ()
    rated_at: "Register | None" = part_of(default=None, metadata=ADDED)
    """The instant whose rate holds; None: that at which it counts."""


def every(parts: Iterable[Condition]) -> Condition:
    """All of these hold."""
    found: set[Condition] = set()
    for part in parts:
        if part is False:
            return False
        if isinstance(part, All):
            found |= part.parts
        elif part is not True:
            found.add(part)
    if any(opposite(part) in found for part in found):
        return False
    if len(found) > 1:
        return All(frozenset(found))
    return found.pop() if found else True


def opposite(part: Condition) -> Condition:
    """It does not hold."""
    if isinstance(part, bool):
        return not part
    return part.part if isinstance(part, Not) else Not(part)


def some(parts: Iterable[Condition]) -> Condition:
    """One of these holds at least."""
    return opposite(every(opposite(part) for part in parts))


def canonical(part: Any) -> str:
    """The text of a condition, a number, or a tuple of such; sets in one order."""
    if isinstance(part, frozenset):
        return "{" + " ".join(sorted(map(canonical, part))) + "}"
    if isinstance(part, tuple):
        return "(" + " ".join(map(canonical, part)) + ")"
    kind: Any = type(part)
    if hasattr(kind, "__dataclass_fields__"):
        said = ((is_added, getattr(part, name)) for name, is_added in _parts_of(kind))
        return str(kind.__name__) + canonical(
            tuple(held for is_added, held in said if held is not None or not is_added)
        )
    return repr(part)


@cache
def _parts_of(kind: type[Any]) -> tuple[tuple[str, bool], ...]:
    """Its fields, each with whether it was added later: then nothing is said of it where it is None."""
    return tuple((one.name, bool(one.metadata)) for one in fields(kind))


def fields_in(part: Any) -> frozenset[str]:
    """The fields that somebody looks at who evaluates this."""
    found: frozenset[str] = frozenset()
    match part:
        case First(names) | IsSet(names):
            found = frozenset(names)
        case Is(name) | Flag(name) | AmountAtLeast(name):
            found = frozenset({name})
        case Rated(name, at, _):
            found = fields_in(at) | {name}
        case Decimals():
            found = frozenset(name for name in (part.field, part.less, part.currency) if name is not None)
            found |= fields_in(part.rated_at)
        case Gap(one, other, _) | Worked(one, other, _) | Else(one, other):
            found = fields_in(one) | fields_in(other)
        case AtLeast(inner, _) | Later(inner, _) | Not(inner):
            found = fields_in(inner)
        case All(parts):
            found = found.union(*map(fields_in, parts))
    return found
