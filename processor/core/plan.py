"""What a row of a fact counts for, by the plan: the truth, in Python.

Owns the evaluation. `Evaluator` is asked by the ledger for each record and by groups for each row of their facts; what
it gives goes into panes as it is. For each program a function is generated once: to interpret the same data takes many
times as long. `processor/native/plan.pyx` does the same on the bytes of rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, assert_never

from schemas.catalogue.amounts import LIMB, RateTable, difference, limbs, number_of, rate_on
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
    Not,
    Rated,
    Register,
    canonical,
)
from schemas.catalogue.facts import RECORD_FACTS
from schemas.catalogue.plan import Form, Line, Plan, Program, Site
from schemas.panes import Values
from schemas.records import DELETED, FIELDS, MERGED

Contribution = tuple[str | None, int, Values]
"""(person, instant in microseconds, values): counted in the minute and in the day that hold the instant."""

Get = Callable[[str], Any]
"""The value of a field by name; None where it was never set or was cleared."""


class Evaluator:
    """A plan, and who is who."""

    def __init__(self, plan: Plan, aliases: Mapping[str, str]) -> None:
        """`aliases`: ids of persons -> the one that is served."""
        self.plan = plan
        self.aliases = dict(aliases)
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


def condition_function(condition: Condition) -> Callable[[Get], bool]:
    """Whether a condition holds for a row, as a plan would say it."""
    source = _Source()
    holds = source.condition(condition)
    made: Callable[[Get], bool] = source.function("get", [*source.lines, f"return {holds}"])
    return made


def register_function(register: Register) -> Callable[[Get], int | None]:
    """The number that a register holds for a row."""
    source = _Source()
    name = source.register(register)
    made: Callable[[Get], int | None] = source.function("get", [*source.lines, f"return {name}"])
    return made


def _compiled(program: Program) -> Function:
    source = _Source()
    body: list[str] = []
    if program.fact in RECORD_FACTS:
        body = [f"if get({DELETED!r}) is True:", "    return []"]
        if MERGED in FIELDS[program.fact]:
            body += [f"if get({MERGED!r}) is not None:", "    return []"]
    inside: list[str] = []
    for site in program.sites:
        # Groups know their people by the ids that are served.
        inside += source.site(site, has_aliases=program.fact in RECORD_FACTS)
    made: Function = source.function("get, aliases", [*body, *source.lines, "out = []", *inside, "return out"])
    return made


class _Source:
    """The text of a function: each field, number and condition is made once, whoever asks."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[Any, str] = {}
        self._known: dict[str, Any] = {"limbs": limbs, "decimals": _decimals, "rate_on": rate_on}

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
        return self._names.get(what) or self._new(what, [f"$ = get({name!r})"])

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
            case _:
                assert_never(register)
        return self._new(register, lines)

    def condition(self, condition: Condition) -> str:
        """An expression that is true where it holds."""
        match condition:
            case bool():
                return repr(condition)
            case Not(part):
                return f"not {self.condition(part)}"
            case _:
                return self._names.get(condition) or self._new(condition, [f"$ = {self._expression(condition)}"])

    def _expression(self, condition: All | Is | Flag | IsSet | AtLeast | Rated) -> str:
        match condition:
            case All(parts):
                return " and ".join(self.condition(part) for part in sorted(parts, key=canonical))
            case Is(name, text):
                return f"{self.field(name)} == {text!r}"
            case Flag(name):
                return f"{self.field(name)} is True"
            case IsSet(names):
                return " or ".join(f"({held} is not None and {held} != [])" for held in map(self.field, names))
            case AtLeast(register, number):
                held = self.register(register)
                return f"{held} is not None and {held} >= {number}"
            case Rated(name, at, rates):
                at_name = self.register(at)
                rate = f"rate_on({self.constant(dict(rates))}, {self.field(name)}, {at_name})"
                return f"{at_name} is not None and {rate} is not None"
        assert_never(condition)

    def site(self, site: Site, *, has_aliases: bool) -> list[str]:
        """The lines that put into `out` what is counted at one instant."""
        at = self.register(site.at)
        inside = ["found = []"]
        for line in site.lines:
            holds = self.condition(line.when)
            lines = self._line(line, at)
            inside += lines if holds == "True" else [f"if {holds}:", *(f"    {each}" for each in lines)]
        person = " or ".join([*map(self.field, site.credit), "None"])
        resolved = ["    who = aliases.get(who, who)"] if has_aliases else []
        inside += ["if found:", f"    who = {person}", *resolved, f"    out.append((who, {at}, found))"]
        return [f"if {at} is not None:", *(f"    {line}" for line in inside)]

    def _line(self, line: Line, at: str) -> list[str]:
        cell = line.cell
        match line.form, line.value:
            case Form.COUNT, _:
                return [f"found.append({self.constant((cell, None, 1))})"]
            case Form.DECIMAL, Decimals() as decimals:
                names = (decimals.field, decimals.less, decimals.currency)
                held = ", ".join("None" if name is None else self.field(name) for name in names)
                rates = "None" if decimals.currency is None else self.constant(dict(decimals.rates))
                return [f"found += decimals({cell}, {rates}, {held}, {at})"]
            case Form.NUMBER, (register,):
                held = self.register(register)
                whole = f"found.append(({cell}, 0, {held}))"
                parts = f"found += [({cell}, key, part) for key, part in limbs({held} or 0)]"
                return [f"if {held} is not None and 0 < {held} < {1 << LIMB}: {whole}", f"else: {parts}"]
            case Form.SAMPLE, (register,):
                held = self.register(register)
                return [f"if {held} is not None: found.append(({cell}, {held}, 1))"]
            case Form.PENDING, tuple(registers):
                held = ", ".join(self.register(register) for register in registers)
                return [f"found.append(({cell}, ({held},), 1))"]
        msg = f"there is no value for {line}"
        raise ValueError(msg)


def _decimals(
    cell: int, rates: RateTable | None, one: str | None, less: str | None, currency: str | None, at: int
) -> list[tuple[int, int, int]]:
    """The parts of a decimal, or of the difference of two; with rates, in the organisation's currency."""
    number, places = number_of(one)
    if less is not None:
        number, places = difference((number, places), number_of(less))
    if rates is not None and currency is not None:
        rate = rate_on(rates, currency, at)
        if rate is None:
            return []
        number, places = number * rate[0], places + rate[1]
    return [(cell, key, part) for key, part in limbs(number, places)]
