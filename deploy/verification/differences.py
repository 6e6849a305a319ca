"""Where two sets of rows differ, value by value."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from deploy.verification.shapes import RecountedRows, Row, Rows, ServedValue


class What(NamedTuple):
    """Which value: of whom, and which metric. What two differences are the same by, whatever the values are."""

    scope: str
    """`organisation`, `team`, `rep`, `lead` or `deal`."""
    name: str
    """Of the team, rep or lead; empty for the organisation."""
    value: str
    """A metric, `bound of` one, or the `clock` of a lead."""

    def __str__(self) -> str:
        """In one line, whatever the name holds."""
        whose = self.name if self.name.isprintable() else repr(self.name)
        return f"{self.scope} {whose}: {self.value}" if self.scope != "organisation" else f"{self.scope}: {self.value}"


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """A value that is not what was recounted."""

    what: What
    recounted: object
    served: object

    def __str__(self) -> str:
        return f"{self.what}: recounted {self.recounted!r}, served {self.served!r}"


def differences(expected: RecountedRows, served: Rows) -> list[ValueDifference]:
    """Each value in which two sets of rows differ. A rep or team that one side lacks has done nothing.

    That is not 0 of everything: of a formula it is what its numbers come to.
    """
    found = _row_differences("organisation", "", expected["organisation"], served["organisation"])
    idle = expected["idle"]
    for scope in ("team", "rep"):
        ours, theirs = (expected["teams"], served["teams"]) if scope == "team" else (expected["reps"], served["reps"])
        for name in sorted({*ours, *theirs}):
            found += _row_differences(scope, name, ours.get(name, idle), theirs.get(name, idle))
    return found


def _row_differences(scope: str, whose: str, expected: Row, served: Row) -> list[ValueDifference]:
    found = []
    has_funnels = "funnels" in expected and "funnels" in served
    for part in ("metrics", "bounds", *(("funnels",) if has_funnels else ())):
        ours, theirs = _values(expected, part), _values(served, part)
        for name in sorted({*ours, *theirs}):
            mine, other = ours.get(name), theirs.get(name)
            if not same(mine, other):
                label = f"bound of {name}" if part == "bounds" else name
                found.append(ValueDifference(What(scope, whose, label), mine, other))
    return found


def _values(row: Row, part: str) -> Mapping[str, ServedValue]:
    if part == "funnels":
        return row.get("funnels", {})
    return row["metrics"] if part == "metrics" else row["bounds"]


def same(ours: ServedValue, theirs: ServedValue) -> bool:
    """Floats may differ in their last digits: others divide and interpolate in another order."""
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs
