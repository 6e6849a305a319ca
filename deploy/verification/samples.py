"""Percentiles and means of samples, exactly."""

import math
from collections.abc import Sequence
from fractions import Fraction


def share_of(stat: str) -> Fraction | None:
    """`p50` is a half; None of what is no percentile."""
    return Fraction(int(stat[1:]), 100) if stat[:1] == "p" and stat[1:].isdigit() else None


def percentile(ascending: Sequence[int | Fraction], share: Fraction) -> Fraction:
    """PERCENTILE_CONT: linear between the two ranks around share · (n - 1), counted from 0."""
    rank = share * (len(ascending) - 1)
    low, high = ascending[math.floor(rank)], ascending[math.ceil(rank)]
    return low + (rank - math.floor(rank)) * (high - low)
