"""How long somebody has been there, in whole months, and in which band that lies.

Owns the arithmetic of months: one is over on the same day of the next, or on its last where that has no such day.
"""

import re
from collections.abc import Sequence
from datetime import date, timedelta

OLDER = "older"
_BAND = re.compile(r"([1-9][0-9]{0,3})(mo|y)")


def months_of(band: str) -> int:
    """`3mo` or `1y` in months. Raises ValueError."""
    found = _BAND.fullmatch(band)
    if found is None:
        msg = f"{band!r} is not a number of months such as 3mo"
        raise ValueError(msg)
    return int(found[1]) * (12 if found[2] == "y" else 1)


def band_of(bands: Sequence[str], months: int) -> str:
    """The first band that so many whole months are fewer than."""
    return next((band for band in bands if months < months_of(band)), OLDER)


def whole_months(since: date, day: date) -> int:
    """How many months have passed; 0 before the day."""
    months = (day.year - since.year) * 12 + day.month - since.month
    is_over = day.day >= since.day or (day + timedelta(days=1)).month != day.month
    return max(0, months if is_over else months - 1)
