"""Where two sets of rows differ, value by value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from deploy.verification.shapes import Row, Rows, Shown


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


def differences(expected: Rows, served: Rows) -> list[ValueDifference]:
    """Each value in which two sets of rows differ. A rep or team that one side lacks has done nothing."""
    found = _row_differences("organisation", "", expected["organisation"], served["organisation"])
    for scope in ("team", "rep"):
        ours, theirs = (expected["teams"], served["teams"]) if scope == "team" else (expected["reps"], served["reps"])
        for name in sorted({*ours, *theirs}):
            found += _row_differences(scope, name, ours.get(name), theirs.get(name))
    return found


def _row_differences(scope: str, whose: str, expected: Row | None, served: Row | None) -> list[ValueDifference]:
    found = []
    has_funnels = all(row is None or "funnels" in row for row in (expected, served))
    for part in ("metrics", "bounds", *(("funnels",) if has_funnels else ())):
        ours, theirs = _values(expected, part), _values(served, part)
        for name in sorted({*ours, *theirs}):
            mine, other = ours.get(name), theirs.get(name)
            is_same = same(mine, other) if expected and served else _is_nothing(mine) and _is_nothing(other)
            if not is_same:
                label = f"bound of {name}" if part == "bounds" else name
                found.append(ValueDifference(What(scope, whose, label), mine, other))
    return found


def _values(row: Row | None, part: str) -> Mapping[str, Shown]:
    if row is None:
        return {}
    if part == "funnels":
        return row.get("funnels", {})
    return row["metrics"] if part == "metrics" else row["bounds"]


def _is_nothing(value: Shown) -> bool:
    return value is None or (_is_number(value) and Decimal(value) == 0)


def _is_number(value: float | str) -> bool:
    return not isinstance(value, str) or value.replace(".", "", 1).lstrip("-").isdigit()


def same(ours: Shown, theirs: Shown) -> bool:
    """Floats may differ in their last digits: others divide and interpolate in another order."""
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs
