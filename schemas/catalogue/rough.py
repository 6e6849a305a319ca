"""Approximate values of a metric for all people at once: doubles, and how wrong each may be.

Owns the type and its arithmetic. A leaderboard of very many people computes these first, and reads exactly only those
who may be among the best. Who computes none loads no numpy: a command reads the catalogue, and starts sooner without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from schemas.catalogue.amounts import LIMB

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

Doubles: TypeAlias = "NDArray[float64]"
TotalsOf: TypeAlias = "Callable[[int], Mapping[int | None, NDArray[Any]]]"
"""Cell -> key -> what everybody has of it."""

_PRECISION = 2.0**-48
"""Of a few operations on doubles, by far."""


class Rough(NamedTuple):
    """A metric of everybody, in whatever unit; NaN: it has no value."""

    values: Doubles
    error: float
    """No value is wrong by more."""


def rough_total(parts: Mapping[int | None, NDArray[Any]], size: int) -> Rough | None:
    """What `total` of amounts.py says of parts, and of a count by itself; 0 where that is exactly 0.

    None: parts cancel each other out so far that there is no saying.
    """
    import numpy as np  # noqa: PLC0415

    values, terms = np.zeros(size), np.zeros(size)
    for key, amounts in parts.items():
        term = amounts.astype(np.float64) * _weight(key)
        values += term
        terms += np.abs(term)
    errors = terms * _PRECISION
    if np.any((np.abs(values) <= errors) & (terms > 0)):
        return None
    return Rough(values, float(errors.max(initial=0.0)))


def rough_ratio(part: Rough, whole: Rough) -> Rough | None:
    """One divided by the other, NaN where that is 0. None: there is no saying how wrong it were."""
    import numpy as np  # noqa: PLC0415

    there = whole.values != 0
    least = float(np.abs(whole.values[there]).min(initial=np.inf))
    if least <= 4 * whole.error:
        return None
    values = np.full(len(whole.values), np.nan)
    values[there] = part.values[there] / whole.values[there]
    largest = float(np.abs(values[there]).max(initial=0.0))
    error = (part.error + largest * whole.error) / (least - whole.error) if there.any() else 0.0
    return Rough(values, 2 * error + largest * _PRECISION)


def _weight(key: int | None) -> float:
    if key is None:
        return 1.0
    places, limb = divmod(key, 256)
    return float(2.0 ** (LIMB * limb) / 10.0**places)
