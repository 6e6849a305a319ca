"""Plans: what the measures of a catalogue put into panes, as data.

Owns the measure and its name, and the programs that a plan consists of: per fact a list of sites (an instant and whom
it counts for), per site the lines that say where which cell gets what. Evaluates nothing: processor/core/plan.py does,
and processor/native/plan.pyx on the bytes of rows.

    catalogue ──▶ measures (a cell each) ──▶ one program per fact ──▶ evaluated over a row of it ──▶ cells of panes

A cell is named by a hash of the canonical text of its measure: two metrics that mean the same share it, and to rename a
metric, or to write its condition in another order, derives nothing anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from hashlib import blake2b

from schemas.catalogue.conditions import Condition, Decimals, Register, canonical, fields_in
from schemas.panes import NAME_BYTES

VERSION = 1
"""Of the canonical text. Another one gives every measure another name, and derives all of them anew."""


class Form(Enum):
    """What a line puts into its cell, and so what its keys are."""

    COUNT = 0
    """1. No key."""
    NUMBER = 1
    """A register. Key: which part of it (amounts.py)."""
    DECIMAL = 2
    """Decimals. Key: which part of them."""
    SAMPLE = 3
    """1 for a value. Key: the value of a register."""
    PENDING = 4
    """1 for what waits for the clock. Key: instants."""
    ID = 5
    """1 for an id, or for each of a list. Key: 16 bytes of its BLAKE2b."""
    PENDING_DECIMAL = 6
    """Decimals that wait for the clock. Key: two instants, and which part of them."""


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids that the first of these fields that is set holds: one, or a list, each once."""

    fields: tuple["str | tuple[str, ...]", ...]
    """Of several in a tuple: those of all of them."""
    are_people: bool | tuple[bool, ...] = False
    """Whether they are persons, who may be called by several ids; of each field, where only some of them are."""

    @property
    def by_field(self) -> tuple[tuple[str | tuple[str, ...], bool], ...]:
        """Each field, and whether it holds persons."""
        are = self.are_people
        return tuple(zip(self.fields, [are] * len(self.fields) if isinstance(are, bool) else are, strict=True))


@dataclass(frozen=True, slots=True)
class Waiting:
    """Money that counts from one instant on, unless another one lies not after it."""

    over_at: Register
    until: Register
    money: Decimals


CellValue = tuple[Register, ...] | Decimals | Ids | Waiting
"""What a form needs: nothing, a register, instants, decimals, ids, or what waits."""

Credit = tuple[str | tuple[str, ...], ...]
"""Fields of which the first that is set says for whom; of several in a tuple: for each of them, once."""


class Kind(Enum):
    """How a cell is read over a span of time and several people."""

    SUM = 0
    """What all panes hold."""
    DAYS = 1
    """The days on which a person has a count above zero; how high it is does not matter."""
    LEVEL = 2
    """What there is at the end of the span: the standing pane less the panes after the span."""


@dataclass(frozen=True)
class Part:
    """What a measure counts of one fact."""

    fact: str
    when: Condition
    at: Register | None
    """None: it has no instant, and stands in the standing pane alone."""
    credit: Credit
    form: Form
    value: CellValue = ()
    sign: int = 1
    """-1: it is taken out there."""

    @cached_property
    def text(self) -> str:
        """Canonical."""
        return " ".join(
            (self.fact, canonical(self.when), canonical(self.at), canonical(self.credit), self.form.name,
             canonical(self.value), *(("-",) if self.sign < 0 else ()))
        )  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """A cell: one number, sample or whatever its form is, of one or several facts."""

    parts: tuple[Part, ...]
    kind: Kind = Kind.SUM
    keep: int | None = None
    """For how many days ids are kept; None: as long as records. No part of what it means."""

    @cached_property
    def text(self) -> str:
        """Canonical: measures that mean the same have the same."""
        kind = "" if self.kind is Kind.SUM else f" {self.kind.name}"
        return f"{VERSION}{kind} " + " | ".join(sorted({part.text for part in self.parts}))

    @cached_property
    def name(self) -> int:
        """What its cell is called in panes: 40 bits of a hash of its text. Asked for with every number that is made."""
        return int.from_bytes(blake2b(self.text.encode(), digest_size=NAME_BYTES).digest(), "big")

    @property
    def form(self) -> Form:
        """Of all its parts."""
        return self.parts[0].form


@dataclass(frozen=True, slots=True)
class Line:
    """Where `when` holds, `cell` gets what `form` makes of `value`."""

    when: Condition
    form: Form
    cell: int
    value: CellValue
    sign: int = 1


@dataclass(frozen=True, slots=True)
class Site:
    """What is counted at one instant for the same person; nothing of it where the instant is not set."""

    at: Register | None
    """None: in the standing pane."""
    credit: Credit
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """What a row of one fact counts for."""

    fact: str
    sites: tuple[Site, ...]

    @property
    def reads(self) -> frozenset[str]:
        """The fields that it looks at: a change of others alone changes no pane."""
        return frozenset().union(
            *(fields_in(site.at) | credit_fields(site.credit) for site in self.sites),
            *(fields_in(line.when) for site in self.sites for line in site.lines),
            *(_read_by(line.value) for site in self.sites for line in site.lines),
        )


def credit_fields(credit: Credit) -> frozenset[str]:
    """The fields of a credit, or of ids."""
    return frozenset(name for held in credit for name in ((held,) if isinstance(held, str) else held))


def _read_by(value: CellValue) -> frozenset[str]:
    if isinstance(value, Ids):
        return credit_fields(value.fields)
    if isinstance(value, Waiting):
        return fields_in(value.over_at) | fields_in(value.until) | fields_in(value.money)
    return fields_in(value) if isinstance(value, Decimals) else frozenset().union(*map(fields_in, value))


@dataclass(frozen=True, slots=True)
class Plan:
    """All programs, and what the cells hold."""

    programs: Mapping[str, Program] = field(default_factory=dict)
    forms: Mapping[int, Form] = field(default_factory=dict)
    """Of each cell, in the order of their names."""
    kinds: Mapping[int, Kind] = field(default_factory=dict)
    """Of each cell that is not simply summed up."""
    keeps: Mapping[int, int] = field(default_factory=dict)
    """For how many days a cell is kept, where that is shorter than records are."""

    def of_kind(self, kind: Kind) -> frozenset[int]:
        """The cells that are read in that way."""
        return frozenset(cell for cell, held in self.kinds.items() if held is kind)

    @property
    def pending(self) -> frozenset[int]:
        """Cells of which the clock decides what they count for."""
        return frozenset(cell for cell, form in self.forms.items() if form in {Form.PENDING, Form.PENDING_DECIMAL})


class OneNameError(ValueError):
    """Two measures that do not mean the same have one name, which one in 10^12 pairs has."""

    def __init__(self, one: Measure, other: Measure) -> None:
        self.measures = (one, other)
        super().__init__(f"two measures have one name: {one.text} and {other.text}")


def plan_of(measures: Iterable[Measure]) -> Plan:
    """The plan that counts these. Raises OneNameError."""
    by_name: dict[int, Measure] = {}
    for measure in measures:
        name = measure.name
        held = by_name.setdefault(name, measure)
        if held.keep is not None and (measure.keep is None or measure.keep > held.keep):
            by_name[name] = replace(held, keep=measure.keep)  # for who looks back furthest
        if held.text != measure.text:
            raise OneNameError(held, measure)
    forms: dict[int, Form] = {}
    sites: dict[str, dict[tuple[Register | None, Credit], list[Line]]] = {}
    for cell, measure in sorted(by_name.items()):
        forms[cell] = measure.form
        for part in measure.parts:
            if part.when is not False:
                lines = sites.setdefault(part.fact, {}).setdefault((part.at, part.credit), [])
                line = Line(part.when, part.form, cell, part.value, part.sign)
                if line not in lines:
                    lines.append(line)
    programs = {
        fact: Program(fact, tuple(Site(at, credit, tuple(lines)) for (at, credit), lines in found.items()))
        for fact, found in sites.items()
    }
    kinds = {cell: held.kind for cell, held in by_name.items() if held.kind is not Kind.SUM}
    keeps = {cell: held.keep for cell, held in by_name.items() if held.keep is not None}
    return Plan(programs, forms, kinds, keeps)
