"""Everything that is wrong with an entry, all at once; binding one ends with the first.

Owns what cannot be seen by one entry alone: who is made of whom, units that do not add up. What a field, a fact or a
condition may be is for the files of those to say: their checks are called here one by one.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from schemas.catalogue.base import UNIT_SIZES, Entry
from schemas.catalogue.conditions import First
from schemas.catalogue.counted import counted_instant, credit_of, facts_named, listed
from schemas.catalogue.derived import Derived
from schemas.catalogue.duration import Duration
from schemas.catalogue.facts import FACTS, NUMBERS, type_of
from schemas.catalogue.ratio import Narrowed, Ratio
from schemas.catalogue.rules import Rules
from schemas.catalogue.simple import Inner
from schemas.catalogue.versions import Versioned
from schemas.catalogue.where import EntryError, FactConditions
from schemas.documents.text import DocumentPath
from schemas.records import FieldType

_INSTANTS = ("at", "start", "end", "at_to")
_SOMEWHEN = First(("at",))
"""Conditions are checked one by one here; at which instant a rate is asked for is all the same then."""


def problems_of(entry: Entry) -> Iterator[EntryError]:
    """What is wrong with what an entry says of facts and fields, each with its place in the entry."""
    for place, part in versions_in(entry):
        yield from _counting(part, place)


def versions_in(entry: Entry) -> Iterator[tuple[DocumentPath, Entry | Inner]]:
    """Each version and what stands in place there, with its place in the entry."""
    for place, version in _versions(entry):
        yield place, version
        for setting in ("numerator", "denominator", "base"):
            part = getattr(version, setting, None)
            if isinstance(part, Inner):
                yield (*place, setting), part


def _versions(entry: Entry) -> Iterator[tuple[DocumentPath, Entry]]:
    """Each version with its place in the entry; one that has none is its own."""
    if not isinstance(entry, Versioned):
        yield (), entry
        return
    yield from ((("versions", number), version) for number, version in enumerate(entry.entries))


def problems_of_text(raw: Mapping[str, Any]) -> Iterator[EntryError]:
    """What is wrong with the facts and fields of an entry that cannot be taken as it stands: its other faults."""
    versions = raw.get("versions")
    if not isinstance(versions, list):
        yield from _of_text(raw, ())
        return
    for number, version in enumerate(versions):
        if isinstance(version, dict):
            yield from _of_text({**raw, **version}, ("versions", number))


def _of_text(raw: Mapping[str, Any], place: DocumentPath) -> Iterator[EntryError]:
    said = SimpleNamespace()
    for setting in ("from", *_INSTANTS, "credit"):
        value = raw.get(setting)
        is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if isinstance(value, str) or is_list:
            setattr(said, "from_" if setting == "from" else setting, value)
    where = raw.get("where")
    said.where = where if isinstance(where, dict) else {}
    yield from _counting(said, place)


def _counting(entry: Any, place: DocumentPath) -> Iterator[EntryError]:
    names = getattr(entry, "from_", None)
    if names is None:
        return
    try:
        facts = facts_named(names)
    except EntryError as error:
        yield EntryError((*place, *error.path), error.reason)
        return
    for fact in facts:
        for setting in _INSTANTS:
            said = getattr(entry, setting, None)
            if said:  # whether it may be left out, its type says
                yield from _error_of(partial(counted_instant, fact, names, said, setting), place)
        credit = getattr(entry, "credit", None)
        if credit is not None:
            yield from _error_of(partial(credit_of, fact, names, credit), place)
        wording = FactConditions(fact, facts, Rules(), _SOMEWHEN)
        for name, wanted in (getattr(entry, "where", None) or {}).items():
            yield from _error_of(partial(wording.condition, {name: wanted}), place)


def _error_of(check: Callable[[], object], place: DocumentPath) -> Iterator[EntryError]:
    try:
        check()
    except EntryError as error:
        yield EntryError((*place, *error.path), error.reason)


def made_of(entry: Entry) -> set[str]:
    """The metrics that an entry names."""
    return {name for _, version in _versions(entry) for name in _made_of(version)}


def _made_of(entry: Entry) -> set[str]:
    found: set[str] = set()
    if isinstance(entry, Derived):
        for formula in (entry.expr, entry.without_meetings or ""):
            found |= metrics_in(formula)
        return found
    for setting in ("numerator", "denominator", "base"):
        part = getattr(entry, setting, None)
        if isinstance(part, str):
            found.add(part)
        elif isinstance(part, Narrowed):
            found.add(part.metric)
    return found


def business_durations(metrics: Mapping[str, Entry]) -> list[str]:
    """The metrics that go by business hours, in one of their versions at least."""
    return [
        name
        for name, entry in metrics.items()
        if any(isinstance(held, Duration) and held.clock == "business" for _, held in _versions(entry))
    ]


def splits_of(metrics: Mapping[str, Entry], name: str) -> list[str]:
    """The dimensions that a metric can be split by: its own, or those that all its parts have."""
    return _common([_splits_of(metrics, version) for _, version in _versions(metrics[name])])


def _splits_of(metrics: Mapping[str, Entry], entry: Entry) -> list[str]:
    own = getattr(entry, "by", None)
    if own is not None:
        return list(own)
    parts = [splits_of(metrics, part) for part in sorted(_made_of(entry)) if part in metrics]
    inner = (getattr(entry, setting, None) for setting in ("numerator", "denominator"))
    parts += [list(part.by) for part in inner if isinstance(part, Inner)]
    return _common(parts)


def _common(lists: list[list[str]]) -> list[str]:
    """What all of them hold, in the order of the first."""
    return [each for each in lists[0] if all(each in others for others in lists)] if lists else []


def metrics_in(formula: str) -> set[str]:
    """The metrics that a formula names."""
    try:
        tree = ast.parse(formula.strip() or "0", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


# --- units

Powers = Mapping[str, int]
"""Kind of thing (money, seconds, days) -> its power: money per second is {money: 1, seconds: -1}."""
_DIMENSIONS = frozenset({"money", "seconds", "days"})
_ANY: Powers = {"any": 1}
"""Of a number that is written in the formula: it may be anything."""


def unit_problem(entry: Entry, metrics: Mapping[str, Entry]) -> EntryError | None:
    """Where an entry adds what cannot be added, or calls something a share that is none."""
    for place, version in _versions(entry):
        found = _unit_problem(version, metrics)
        if found is not None:
            return EntryError((*place, *found.path), found.reason)
    return None


def _unit_problem(entry: Entry, metrics: Mapping[str, Entry]) -> EntryError | None:
    if isinstance(entry, Derived):
        try:
            powers = _powers(ast.parse(entry.expr.strip(), mode="eval").body, metrics)
        except (EntryError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return error if isinstance(error, EntryError) else None
        if entry.unit == "ratio" and powers not in ({}, _ANY):
            return EntryError(("unit",), f"is ratio, but the formula gives {_words(powers)}: a share has no unit")
    if isinstance(entry, Ratio):
        one, other = (_part_unit(getattr(entry, setting), metrics) for setting in ("numerator", "denominator"))
        if one is None or other is None:
            return None
        if entry.unit == "ratio" and _base(one) != _base(other):
            reason = f"is ratio, but {one} divided by {other} is no share; use number, seconds, days or money"
            return EntryError(("unit",), reason)
        if one in _DIMENSIONS and other not in _DIMENSIONS and entry.unit in _DIMENSIONS - {one}:
            return EntryError(("unit",), f"is {entry.unit}, but {one} divided by {other} is {one}")
    return None


def _part_unit(part: Any, metrics: Mapping[str, Entry]) -> str | None:
    if isinstance(part, Inner):
        return "seconds" if part.unit not in UNIT_SIZES and _is_duration(part) else part.unit
    entry = metrics.get(part if isinstance(part, str) else part.metric)
    return None if entry is None else entry.unit


def _is_duration(part: Inner) -> bool:
    """Whether what a part adds up is a length of time: one that does not say its unit is in seconds."""
    return part.agg == "sum" and any(
        (fact, part.value) in NUMBERS or type_of(fact, part.value or "") is FieldType.SECONDS
        for fact in listed(part.from_)
        if fact in FACTS
    )


def _base(unit: str) -> Powers:
    return {unit: 1} if unit in _DIMENSIONS else {}


def _powers(node: ast.expr, metrics: Mapping[str, Entry]) -> Powers:
    if isinstance(node, ast.Name) and node.id in metrics:
        return _base(metrics[node.id].unit)
    if isinstance(node, ast.UnaryOp):
        return _powers(node.operand, metrics)
    if not isinstance(node, ast.BinOp):
        return _ANY
    one, other = _powers(node.left, metrics), _powers(node.right, metrics)
    if isinstance(node.op, ast.Add | ast.Sub):
        if one != other and one is not _ANY and other is not _ANY:
            word = "adds" if isinstance(node.op, ast.Add) else "subtracts"
            raise EntryError(("expr",), f"{word} {_words(one)} and {_words(other)}, which is neither")
        return other if one is _ANY else one
    if one is _ANY and other is _ANY:
        return _ANY
    sign = -1 if isinstance(node.op, ast.Div) else 1
    made = {kind: one.get(kind, 0) + sign * other.get(kind, 0) for kind in _DIMENSIONS}
    return {kind: power for kind, power in made.items() if power}


def _words(powers: Powers) -> str:
    above = " times ".join(kind for kind, power in sorted(powers.items()) if power > 0 and kind in _DIMENSIONS)
    below = " and ".join(kind for kind, power in sorted(powers.items()) if power < 0)
    return (above or "a plain number") + (f" per {below}" if below else "")
