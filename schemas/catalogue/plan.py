"""Plans: what the measures of a catalogue put into panes, as data.

Owns the measure and its name, and the programs that a plan consists of: per fact a list of sites (an instant and whom
it counts for), per site the lines that say where which cell gets what. Evaluates nothing: processor/core/plan.py does,
and processor/native/plan.pyx on the bytes of rows.

    catalogue ──▶ measures (a cell each) ──▶ one program per fact ──▶ evaluated over a row of it ──▶ cells of panes

A cell is named by a hash of the canonical text of its measure: two metrics that mean the same share it, and to rename a
metric, or to write its condition in another order, derives nothing anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b

from schemas.catalogue.conditions import Condition, Decimals, First, Register, canonical, fields_of

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


Value = tuple[Register, ...] | Decimals
"""What a form needs: nothing, a register, instants, or decimals."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a measure counts of one fact."""

    fact: str
    when: Condition
    at: First
    credit: tuple[str, ...]
    """Fields of which the first that is set says for whom."""
    form: Form
    value: Value = ()

    @property
    def text(self) -> str:
        """Canonical."""
        return " ".join(
            (self.fact, canonical(self.when), canonical(self.at), canonical(self.credit), self.form.name,
             canonical(self.value))
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """A cell: one number, sample or whatever its form is, of one or several facts."""

    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """Canonical: measures that mean the same have the same."""
        return f"{VERSION} " + " | ".join(sorted({part.text for part in self.parts}))

    @property
    def name(self) -> int:
        """What its cell is called in panes: 64 bits of a hash of its text."""
        return int.from_bytes(blake2b(self.text.encode(), digest_size=8).digest(), "big")

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
    value: Value


@dataclass(frozen=True, slots=True)
class Site:
    """What is counted at one instant for the same person; nothing of it where the instant is not set."""

    at: First
    credit: tuple[str, ...]
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
            *(fields_of(site.at) | set(site.credit) for site in self.sites),
            *(fields_of(line.when) for site in self.sites for line in site.lines),
            *(_read_by(line.value) for site in self.sites for line in site.lines),
        )


def _read_by(value: Value) -> frozenset[str]:
    return fields_of(value) if isinstance(value, Decimals) else frozenset().union(*map(fields_of, value))


@dataclass(frozen=True, slots=True)
class Plan:
    """All programs, and what the cells hold."""

    programs: Mapping[str, Program] = field(default_factory=dict)
    forms: Mapping[int, Form] = field(default_factory=dict)
    """Of each cell, in the order of their names."""

    @property
    def pending(self) -> frozenset[int]:
        """Cells of which the clock decides what they count for."""
        return frozenset(cell for cell, form in self.forms.items() if form is Form.PENDING)


def plan_of(measures: Iterable[Measure]) -> Plan:
    """The plan that counts these. ValueError if two of them have one name."""
    by_name: dict[int, Measure] = {}
    for measure in measures:
        held = by_name.setdefault(measure.name, measure)
        if held.text != measure.text:
            msg = f"two measures have one name: {held.text} and {measure.text}"
            raise ValueError(msg)
    forms: dict[int, Form] = {}
    sites: dict[str, dict[tuple[First, tuple[str, ...]], list[Line]]] = {}
    for cell, measure in sorted(by_name.items()):
        forms[cell] = measure.form
        for part in measure.parts:
            if part.when is not False:
                lines = sites.setdefault(part.fact, {}).setdefault((part.at, part.credit), [])
                line = Line(part.when, part.form, cell, part.value)
                if line not in lines:
                    lines.append(line)
    programs = {
        fact: Program(fact, tuple(Site(at, credit, tuple(lines)) for (at, credit), lines in found.items()))
        for fact, found in sites.items()
    }
    return Plan(programs, forms)
