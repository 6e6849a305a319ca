"""What a row of a fact counts for, by the plan: the truth, in Python.

Owns the evaluation. `Evaluator` is asked by the ledger for each record and by groups for each row of their facts; what
it gives goes into panes as it is. For each program a function is generated once: to interpret the same data takes many
times as long. `processor/native/plan.pyx` does the same on the bytes of rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, assert_never

import msgspec

from schemas.calendars import BusinessCalendar
from schemas.catalogue.amounts import LIMB, RateTable, difference, limbs, number_of, rate_on
from schemas.catalogue.conditions import (
    All,
    AmountAtLeast,
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
    Worked,
    canonical,
)
from schemas.catalogue.dimensions import JOINED
from schemas.catalogue.facts import CLOCK_NAMES, FACTS, JOINED_FACTS, RECORD_FACTS, is_list
from schemas.catalogue.paths import path_named
from schemas.catalogue.plan import Credit, Form, Ids, Line, Plan, Program, Site, Waiting
from schemas.config.floor import BusinessHours
from schemas.panes import PaneValues
from schemas.records import DELETED, MERGED, attribute_text

Contribution = tuple[str | None, int | None, PaneValues]
"""(person, instant in microseconds, values): counted in the minute and in the day that hold the instant; without an
instant in the standing pane."""

_OF_ANY_PAST = frozenset(
    {"stage", "entered_stage_at", "status", "closed_at", "created_at", "pipeline", MERGED}
)  # fmt: skip
"""Fields of a deal that decide which stages count, when they ended, and on which way."""

Get = Callable[[str], Any]
"""The value of a field by name; None where it was never set or was cleared."""


class Evaluator:
    """A plan, and who is who."""

    def __init__(self, plan: Plan, aliases: Mapping[str, str]) -> None:
        """`aliases`: ids of persons -> the one that is served."""
        self.plan = plan
        self.aliases = dict(aliases)
        self.has_levels = any(site.at is None for program in plan.programs.values() for site in program.sites)
        paths = {fact: path for fact in plan.programs if (path := path_named(fact)) is not None}
        self.deal_paths = [path for fact, path in paths.items() if fact.startswith("deal")]
        """The ways of funnels on which the ledger counts deals,"""
        self.lead_paths = [path for fact, path in paths.items() if fact.startswith("lead.")]
        """groups leads,"""
        self.joined_paths = [path for fact, path in paths.items() if fact.startswith(JOINED)]
        """and groups deals by what their lead is."""
        self.clocks = {fact: CLOCK_NAMES[fact] for fact in plan.programs if fact in CLOCK_NAMES}
        """Which other clocks of leads are counted: the fact -> what starts and what stops them."""
        self.pasts = {
            fact: frozenset("attributes" if name.startswith("attributes.") else name for name in program.reads)
            | _OF_ANY_PAST
            for fact, program in plan.programs.items()
            if fact == "deal.stays" or fact in {path.fact for path in self.deal_paths}
        }
        """What a deal's past makes a row of for each stage, and by which of its fields that goes: a word on others
        changes nothing of it."""
        functions = {fact: _compiled(program) for fact, program in plan.programs.items()}
        self._records = {fact: function for fact, function in functions.items() if fact in RECORD_FACTS}
        self._rows = {fact: function for fact, function in functions.items() if fact not in RECORD_FACTS}

    def of_record(self, kind: str, get: Get) -> list[Contribution]:
        """What a record counts for by itself, in the order of the plan; a deleted or merged one for nothing.

        A lead counts for nothing: its group has a row for it.
        """
        function = self._records.get(kind)
        return [] if function is None else function(get, self.aliases)

    def of_row(self, fact: str, get: Get) -> list[Contribution]:
        """What a row counts for that a group has made, with its people as they are served."""
        function = self._rows.get(fact)
        return [] if function is None else function(get, self.aliases)


Function = Callable[[Get, Mapping[str, str]], list[Contribution]]


@lru_cache(256)  # Configurations have most of their programs in common.
def _compiled(program: Program) -> Function:
    source = _Source()
    body: list[str] = []
    is_record = program.fact in RECORD_FACTS or program.fact in JOINED_FACTS
    if is_record:
        body = [f"if get({DELETED!r}) is True:", "    return []"]
        if MERGED in FACTS[program.fact]:
            body += [f"if get({MERGED!r}) is not None:", "    return []"]
    inside: list[str] = []
    for site in program.sites:
        # Groups know their people by the ids that are served.
        has_lists = any(not isinstance(name, str) or is_list(program.fact, name) for name in site.credit)
        inside += source.site(site, has_aliases=is_record, has_lists=has_lists)
    made: Function = source.function("get, aliases", [*body, *source.lines, "out = []", *inside, "return out"])
    return made


class _Source:
    """The text of a function: each field, number and condition is made once, whoever asks."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[Any, str] = {}
        self._known: dict[str, Any] = {
            "limbs": limbs, "decimals": _decimals, "rate_on": rate_on, "waiting": _waiting, "people": _people,
            "ids": _ids,
            "is_enough": _is_enough, "worked": _calendar, "attribute": _attribute,
        }  # fmt: skip

    def function(self, arguments: str, body: Iterable[str]) -> Any:
        """Compile it. All that stands in it are names of ours, and texts and numbers as Python writes them."""
        text = "\n".join([f"def made({arguments}):", *(f"    {line}" for line in body)])
        exec(compile(text, "<plan>", "exec"), self._known)  # noqa: S102 - our own text, see above
        return self._known["made"]

    def _new(self, what: Any, lines: Sequence[str]) -> str:
        """A variable for it; in `lines` it is called `$`."""
        name = self._names[what] = f"v{len(self._names)}"
        self.lines += [line.replace("$", name) for line in lines]
        return name

    def constant(self, value: Any) -> str:
        """A name for a value that the function is given."""
        name = f"k{len(self._known)}"
        self._known[name] = value
        return name

    def field(self, name: str) -> str:
        """The variable that holds a field."""
        what = ("field", name)
        found = self._names.get(what)
        if found is not None:
            return found
        head, is_attribute, inner = name.rpartition("attributes.")
        if is_attribute:
            return self._new(what, [f"$ = attribute({self.field(f'{head}attributes')}, {inner!r})"])
        return self._new(what, [f"$ = get({name!r})"])

    def register(self, register: Register) -> str:
        """The variable that holds a number, or None."""
        found = self._names.get(register)
        if found is not None:
            return found
        match register:
            case First((name,)):
                return self.field(name)
            case First(names):
                one, *others = map(self.field, names)
                lines = [f"$ = {one}", *(f"if $ is None: $ = {other}" for other in others)]
            case Gap(start, end, is_clipped):
                one, other = self.register(start), self.register(end)
                gap = f"max(0, {other} - {one})" if is_clipped else f"{other} - {one}"
                lines = [f"$ = None if {one} is None or {other} is None else {gap}"]
            case Else(one_register, other_register):
                one, other = self.register(one_register), self.register(other_register)
                lines = [f"$ = {other} if {one} is None else {one}"]
            case Worked(start, end, calendar):
                one, other = self.register(start), self.register(end)
                is_none = f"{one} is None or {other} is None or {other} < {one}"
                lines = [f"$ = None if {is_none} else worked({calendar!r}).between({one}, {other})"]
            case Later(inner, by):
                held = self.register(inner)
                lines = [f"$ = None if {held} is None else {held} + {by}"]
            case _:
                assert_never(register)
        return self._new(register, lines)

    def choices(self, held: Credit) -> str:
        """A tuple of what fields hold that may be lists; of several that count together, a tuple of them."""
        return "".join(
            f"{self.field(name)}, " if isinstance(name, str) else f"({self.choices(name)}), " for name in held
        )

    def condition(self, condition: Condition) -> str:
        """An expression that is true where it holds."""
        match condition:
            case bool():
                return repr(condition)
            case Not(part):
                return f"not {self.condition(part)}"
            case _:
                return self._names.get(condition) or self._new(condition, [f"$ = {self._expression(condition)}"])

    def _expression(self, condition: All | Is | Flag | IsSet | AtLeast | AmountAtLeast | Rated) -> str:
        match condition:
            case All(parts):
                text = " and ".join(self.condition(part) for part in sorted(parts, key=canonical))
            case Is(name, wanted):
                text = f"{self.field(name)} == {wanted!r}"
            case Flag(name):
                text = f"{self.field(name)} is True"
            case IsSet(names):
                text = " or ".join(f"({held} is not None and {held} != [])" for held in map(self.field, names))
            case AtLeast(register, number):
                held = self.register(register)
                text = f"{held} is not None and {held} >= {number}"
            case AmountAtLeast(name, number, places):
                text = f"is_enough({self.field(name)}, {number}, {places})"
            case Rated(name, at, rates):
                at_name = self.register(at)
                rate = f"rate_on({self.constant(dict(rates))}, {self.field(name)}, {at_name})"
                text = f"{rate} is not None"
            case _:
                assert_never(condition)
        return text

    def site(self, site: Site, *, has_aliases: bool, has_lists: bool) -> list[str]:
        """The lines that put into `out` what is counted at one instant."""
        at = "None" if site.at is None else self.register(site.at)
        inside = ["found = []"]
        for line in site.lines:
            holds = self.condition(line.when)
            lines = self._line(line, at)
            inside += lines if holds == "True" else [f"if {holds}:", *(f"    {each}" for each in lines)]
        inside.append("if found:")
        if has_lists:
            people = f"people(({self.choices(site.credit)}), aliases)"
            inside += [f"    for who in {people}:", f"        out.append((who, {at}, found))"]
        else:
            person = " or ".join([*(self.field(name) for name in site.credit if isinstance(name, str)), "None"])
            resolved = ["    who = aliases.get(who, who)"] if has_aliases else []
            inside += [f"    who = {person}", *resolved, f"    out.append((who, {at}, found))"]
        return inside if site.at is None else [f"if {at} is not None:", *(f"    {line}" for line in inside)]

    def _line(self, line: Line, at: str) -> list[str]:  # noqa: PLR0911 - a table
        cell, sign = line.cell, line.sign
        match line.form, line.value:
            case Form.COUNT, _:
                return [f"found.append({self.constant((cell, None, sign))})"]
            case Form.DECIMAL, Decimals() as decimals:
                names = (decimals.field, decimals.less, decimals.currency)
                held = ", ".join("None" if name is None else self.field(name) for name in names)
                rates = "None" if decimals.currency is None else self.constant(dict(decimals.rates))
                rated_at = at if decimals.rated_at is None else self.register(decimals.rated_at)
                return [f"found += decimals({cell}, {sign}, {rates}, {held}, {rated_at})"]
            case Form.NUMBER, (register,):
                held = self.register(register)
                whole = f"found.append(({cell}, 0, {'-' if sign < 0 else ''}{held}))"
                parts = f"found += [({cell}, key, {sign} * part) for key, part in limbs({held} or 0)]"
                return [f"if {held} is not None and 0 < {held} < {1 << LIMB}: {whole}", f"else: {parts}"]
            case Form.SAMPLE, (register,):
                held = self.register(register)
                return [f"if {held} is not None: found.append(({cell}, {held}, {sign}))"]
            case Form.PENDING, tuple(registers):
                held = ", ".join(self.register(register) for register in registers)
                return [f"found.append(({cell}, ({held},), {sign}))"]
            case Form.PENDING_DECIMAL, Waiting(over_at, until, money):
                names = (money.field, money.less, money.currency)
                held = ", ".join("None" if name is None else self.field(name) for name in names)
                rates = "None" if money.currency is None else self.constant(dict(money.rates))
                instants = f"{self.register(over_at)}, {self.register(until)}"
                return [f"found += waiting({cell}, {sign}, {rates}, {held}, {at}, {instants})"]
            case Form.ID, Ids() as wanted:
                held = "".join(
                    f"people(({self.choices((name,))}), aliases, ()), " if is_person else self.choices((name,))
                    for name, is_person in wanted.by_field
                )
                return [f"found += ids({cell}, {sign}, ({held}))"]
        msg = f"there is no value for {line}"
        raise ValueError(msg)


def _decimals(
    cell: int, sign: int, rates: RateTable | None, one: str | None, less: str | None, currency: str | None,
    at: int | None,
) -> list[tuple[int, int, int]]:  # fmt: skip
    """The parts of a decimal, or of the difference of two; with rates, in the organisation's currency."""
    number, places = number_of(one)
    if less is not None:
        number, places = difference((number, places), number_of(less))
    if rates is not None and currency is not None:
        rate = rate_on(rates, currency, at)
        if rate is None:
            return []
        number, places = number * rate[0], places + rate[1]
    return [(cell, key, sign * part) for key, part in limbs(number, places)]


def _waiting(
    cell: int, sign: int, rates: RateTable | None, one: str | None, less: str | None, currency: str | None,
    at: int | None, over_at: int | None, until: int | None,
) -> list[tuple[int, tuple[int, int, int], int]]:  # fmt: skip
    """The parts of a decimal, with the two instants that decide whether it counts."""
    if over_at is None:
        return []
    parts = _decimals(cell, sign, rates, one, less, currency, at)
    return [(cell, (over_at, EVER if until is None else until, key), part) for cell, key, part in parts]


EVER = 2**62
"""The instant of what never comes."""


def _is_enough(held: str | int | None, number: int, places: int) -> bool:
    """Whether a decimal is as much as another one."""
    return held is not None and difference(number_of(str(held)), (number, places))[0] >= 0


def _attribute(held: str | None, name: str) -> str | None:
    """One of the organisation's own fields, as a text."""
    return None if held is None else attribute_text(_attributes(held).get(name))


@lru_cache(16)
def _calendar(text: str) -> BusinessCalendar:
    """It remembers what it has worked out."""
    return BusinessHours.model_validate_json(text).calendar()


@lru_cache(4096)
def _attributes(text: str) -> Mapping[str, Any]:
    found = msgspec.json.decode(text)
    return found if isinstance(found, dict) else {}


def _chosen(held: Iterable[Any]) -> list[str]:
    """The texts of the first of these that is set: a text, a list, or what several of those hold together."""
    for value in held:
        if isinstance(value, str):
            if value:
                return [value]
        elif isinstance(value, tuple):
            found = [text for one in value for text in _chosen((one,))]
            if found:
                return found
        elif isinstance(value, list):
            found = [text for text in value if isinstance(text, str) and text]
            if found:
                return found
    return []


def _people(
    held: Iterable[Any], aliases: Mapping[str, str], nobody: tuple[str | None, ...] = (None,)
) -> Sequence[str | None]:
    """Each of them once, as they are served; nobody in particular where there is none."""
    return tuple(dict.fromkeys(aliases.get(who, who) for who in _chosen(held))) or nobody


def _ids(cell: int, sign: int, held: Iterable[Any]) -> list[tuple[int, bytes, int]]:
    """Each id once."""
    return [(cell, digest_of_id(text), sign) for text in dict.fromkeys(_chosen(held))]


@lru_cache(1 << 16)
def digest_of_id(text: str) -> bytes:
    """What a pane holds of an id. Two of them agree by chance never."""
    return blake2b(text.encode(), digest_size=16).digest()
