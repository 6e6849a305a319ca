"""A plan in numbers: the tables that `processor.native.plan` reads. What does not fit there is Python's.

Owns the numbers of operations; fields have those of `schemas.records`, cells those of the plan's forms.

    registers    the first set of some fields, a gap, one else another
    conditions   a field is this text, a flag, one of these is set, a register is at least this, all of these
    sites        an instant and whom it counts for, with lines: where this holds, that cell gets so much
"""

from collections.abc import Mapping, Sequence

import msgspec

from schemas.catalogue.conditions import (
    All,
    AtLeast,
    Condition,
    Else,
    First,
    Flag,
    Gap,
    Is,
    IsSet,
    Not,
    Register,
    canonical,
)
from schemas.catalogue.plan import Credit, Form, Ids, Plan, Program
from schemas.records import DELETED, FIELD_CODES

FIRST, GAP, OTHERWISE, IS, FLAG, IS_SET, AT_LEAST, ALL = range(8)
REGISTERS, CONDITIONS = 256, 2048
"""Of one program, at most."""
MOST_CHOICES = 31
"""Fields of which the first that is set says an id: a bit each."""
ALWAYS = 0x7FFFFFFF
"""The condition of a line that has none."""
NUMBERED = (FIRST, GAP, OTHERWISE, IS, FLAG, IS_SET, AT_LEAST, ALL, REGISTERS, CONDITIONS, ALWAYS)
"""Compared with C's, where that is imported."""

_WAITING = 3
"""Two instants, and which part of a decimal."""

Op = tuple[int, int, int, int]
"""How a register or a condition is made: the operation, and what it is made of."""


PackedLine = tuple[int, int, int, int, int, int]
"""Condition, form, cell, register or the first field of ids, how many numbers, a bit for each field that has people."""

PackedSite = tuple[int, int, int, int, int]
"""Register, where the fields of the credit begin among the numbers, how many numbers those are, the first line, how
many lines."""


class TooMuchError(Exception):
    """The program is Python's."""


def numbers_in_keys(plan: Plan) -> dict[int, int]:
    """Of the cells that wait for the clock: of how many numbers their keys are."""
    found = dict.fromkeys(plan.pending, _WAITING)
    for program in plan.programs.values():
        for line in (line for site in program.sites for line in site.lines):
            if line.form is Form.PENDING and isinstance(line.value, tuple):
                found[line.cell] = len(line.value)
    return found


class Tables:
    """The tables of all programs, being made."""

    def __init__(self, cell_of: Mapping[int, int]) -> None:
        self.ops: list[Op] = []
        self.numbers: list[int] = []
        self.texts: list[bytes] = []
        self.lines: list[PackedLine] = []
        self.sites: list[PackedSite] = []
        self._cell_of = cell_of
        self._registers: dict[Register, int] = {}
        self._conditions: dict[Condition, int] = {}
        self._register_ops: list[Op] = []
        self._condition_ops: list[Op] = []

    def program(self, program: Program) -> list[int]:
        """(register, registers, condition, conditions, site, sites, reads) of one. Raises TooMuchError."""
        self._registers, self._conditions = {}, {}
        self._register_ops, self._condition_ops = [], []
        sites: list[PackedSite] = []
        lines: list[PackedLine] = []
        for site in program.sites:
            if site.at is None:
                raise TooMuchError
            at = self._register(site.at)
            people = _codes(site.credit)
            credit = self._pooled(people)
            first = len(self.lines) + len(lines)
            for line in site.lines:
                register, ids, people_in = -1, 0, 0
                if line.sign != 1:
                    raise TooMuchError
                if isinstance(line.value, Ids):
                    codes = _codes(line.value.fields)
                    if len(line.value.fields) > MOST_CHOICES:
                        raise TooMuchError
                    register, ids = self._pooled(codes), len(codes)
                    people_in = sum(is_person << place for place, (_, is_person) in enumerate(line.value.by_field))
                elif line.form in {Form.NUMBER, Form.SAMPLE} and isinstance(line.value, tuple):
                    register = self._register(line.value[0])
                elif line.form is not Form.COUNT:
                    raise TooMuchError
                when = ALWAYS if line.when is True else self._reference(line.when)
                lines.append((when, line.form.value, self._cell_of[line.cell], register, ids, people_in))
            sites.append((at, credit, len(people), first, len(site.lines)))
        if len(self._register_ops) > REGISTERS or len(self._condition_ops) > CONDITIONS:
            raise TooMuchError
        made = [len(self.ops), len(self._register_ops)]
        self.ops += self._register_ops
        made += [len(self.ops), len(self._condition_ops), len(self.sites), len(sites)]
        self.ops += self._condition_ops
        self.sites += sites
        self.lines += lines
        made.append(sum(1 << FIELD_CODES[name] for name in program.reads | {DELETED}))
        return made

    def _pooled(self, numbers: Sequence[int]) -> int:
        place = len(self.numbers)
        self.numbers += numbers
        return place

    def _register(self, register: Register) -> int:
        place = self._registers.get(register)
        if place is None:
            if isinstance(register, First):
                op = (FIRST, self._pooled([FIELD_CODES[name] for name in register.fields]), len(register.fields), 0)
            elif isinstance(register, Gap):
                op = (GAP, self._register(register.start), self._register(register.end), int(register.is_clipped))
            elif isinstance(register, Else):
                op = (OTHERWISE, self._register(register.one), self._register(register.other), 0)
            else:
                raise TooMuchError
            place = self._registers[register] = len(self._register_ops)
            self._register_ops.append(op)
        return place

    def _reference(self, condition: Condition) -> int:
        """The place of a condition; of one that must not hold, that number's complement."""
        if isinstance(condition, Not):
            return ~self._condition(condition.part)
        return self._condition(condition)

    def _condition(self, condition: Condition) -> int:
        place = self._conditions.get(condition)
        if place is None:
            if isinstance(condition, Is):
                self.texts.append(msgspec.msgpack.encode(condition.text))
                op = (IS, FIELD_CODES[condition.field], len(self.texts) - 1, 0)
            elif isinstance(condition, Flag):
                op = (FLAG, FIELD_CODES[condition.field], 0, 0)
            elif isinstance(condition, IsSet):
                op = (IS_SET, self._pooled([FIELD_CODES[name] for name in condition.fields]), len(condition.fields), 0)
            elif isinstance(condition, AtLeast):
                if not -(1 << 63) <= condition.number < 1 << 63:
                    raise TooMuchError
                op = (AT_LEAST, self._register(condition.register), 0, condition.number)
            elif isinstance(condition, All):
                parts = [self._reference(part) for part in sorted(condition.parts, key=canonical)]
                op = (ALL, self._pooled(parts), len(parts), 0)
            else:
                raise TooMuchError
            place = self._conditions[condition] = len(self._condition_ops)
            self._condition_ops.append(op)
        return place


def _codes(names: Credit) -> list[int]:
    """Of fields of which the first that is set counts. Before several that count together stands how many, below 0."""
    codes: list[int] = []
    for held in names:
        if isinstance(held, str):
            codes.append(FIELD_CODES[held])
        else:
            codes += [-len(held), *(FIELD_CODES[name] for name in held)]
    return codes
