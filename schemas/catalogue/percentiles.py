"""Percentiles of samples: linear between ranks (PERCENTILE_CONT), over value -> how often it occurs.

Owns the ranks. Exact: a percentile lies between two whole numbers.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import accumulate

from pydantic import AfterValidator, WithJsonSchema

from schemas.documents.errors import nearest, wrong


class Ranked:
    """The values of a sample in ascending order, each as often as it occurs."""

    def __init__(self, amounts: Mapping[int, int]) -> None:
        self.amounts = amounts
        self._values = sorted(amounts)
        self._ends = list(accumulate(amounts[value] for value in self._values))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, place: int) -> int:
        return self._values[bisect_right(self._ends, place)]

    @property
    def highest(self) -> int:
        """The last one; 0 where there is none."""
        return self._values[-1] if self._values else 0


_PERCENTILE = "p[1-9][0-9]?"


def stat_in(*words: str) -> tuple[AfterValidator, WithJsonSchema]:
    """What a `stat` may be that is a percentile or one of these words."""
    pattern = rf"^({_PERCENTILE}|{'|'.join(words)})$"

    def known(value: str) -> str:
        if not re.fullmatch(pattern, value, re.ASCII):
            reason = f"must be p1 to p99, {', '.join(words[:-1])} or {words[-1]}{_meant(value, words)}"
            raise wrong(reason)
        return value

    return AfterValidator(known), WithJsonSchema({"type": "string", "pattern": pattern})


def _meant(value: str, words: Sequence[str]) -> str:
    meant = "p50" if value == "median" else nearest(value, words)
    return f"; did you mean {meant!r}?" if meant else ""


def share_of(stat: str) -> Fraction:
    """`p90` -> nine tenths."""
    return Fraction(int(stat[1:]), 100)


def rank(size: int, share: Fraction) -> tuple[int, Fraction]:
    """The lower of the two places between which the percentile lies, and how far it is to the next."""
    place = share * (size - 1)
    lower = int(place)
    return lower, place - lower


def between(sample: Ranked, lower: int, weight: Fraction) -> int | Fraction:
    """The value at a rank."""
    low = sample[lower]
    return low + (sample[lower + 1] - low) * weight if weight else low
