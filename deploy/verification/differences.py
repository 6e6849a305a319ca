"""Where two sets of rows differ, value by value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from deploy.verification.shapes import Row, Rows, Shown


def differences(expected: Rows, served: Rows) -> list[str]:
    """One line for each value in which two sets of rows differ. A rep or team that one side lacks has done nothing."""
    found = _row_differences("organisation", expected["organisation"], served["organisation"])
    for scope in ("team", "rep"):
        ours, theirs = (expected["teams"], served["teams"]) if scope == "team" else (expected["reps"], served["reps"])
        for name in sorted({*ours, *theirs}):
            found += _row_differences(f"{scope} {name}", ours.get(name), theirs.get(name))
    return found


def _row_differences(who: str, expected: Row | None, served: Row | None) -> list[str]:
    found = []
    for part in ("metrics", "bounds"):
        ours, theirs = _values(expected, part), _values(served, part)
        for name in sorted({*ours, *theirs}):
            mine, other = ours.get(name), theirs.get(name)
            is_same = _same(mine, other) if expected and served else _is_nothing(mine) and _is_nothing(other)
            if not is_same:
                label = name if part == "metrics" else f"bound of {name}"
                found.append(f"{who}: {label}: recounted {mine!r}, served {other!r}")
    return found


def _values(row: Row | None, part: str) -> Mapping[str, Shown]:
    if row is None:
        return {}
    return row["metrics"] if part == "metrics" else row["bounds"]


def _is_nothing(value: Shown) -> bool:
    return value is None or Decimal(value) == 0


def _same(ours: Shown, theirs: Shown) -> bool:
    """Floats may differ in their last digits: others divide and interpolate in another order."""
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs
