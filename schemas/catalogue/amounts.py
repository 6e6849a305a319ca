"""Numbers of any size in panes: cut into parts that add up by themselves, and put together again exactly.

Owns the parts. A pane adds 64-bit integers and needs no others: a number is cut into limbs of 40 bits, a decimal is
first written with an even number of places (two at least, so that most sums have one key). The key of a part is the
number of places times 256, and which limb it is.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from schemas.decimals import decimal_in, has_room

LIMB = 40
_PART = (1 << LIMB) - 1


def limbs(number: int, places: int = 0) -> list[tuple[int, int]]:
    """(key, part) of a number; nothing of 0."""
    key = places * 256
    if 0 < number <= _PART:
        return [(key, number)]
    found, sign, rest = [], (-1 if number < 0 else 1), abs(number)
    while rest:
        part = rest & _PART
        if part:
            found.append((key, part * sign))
        rest >>= LIMB
        key += 1
    return found


def total(parts: Mapping[int, int]) -> int | Fraction:
    """The number that these parts are the sum of."""
    whole: int | Fraction = 0
    for key, part in parts.items():
        places, limb = divmod(key, 256)
        number = part << LIMB * limb
        whole += Fraction(number, 10**places) if places else number
    return whole


_MOST_DIGITS = 30


def decimal_text(text: str) -> Decimal:
    """A number that a file says. Raises ValueError: it is none, or far longer than any that is counted."""
    number = decimal_in(text.strip())
    if number is None:
        raise ValueError("must be a number")
    if not has_room(number, digits=_MOST_DIGITS, places=_MOST_DIGITS):
        msg = f"has more than {_MOST_DIGITS} digits before or behind the point"
        raise ValueError(msg)
    return number


def number_of(text: str | None) -> tuple[int, int]:
    """(number, places) of a decimal; no text is 0. Raises decimal.InvalidOperation, or ValueError: it is no number."""
    if text is None:
        return 0, 2
    whole, _, part = text.partition(".")
    part = part.rstrip("0")
    places = max(2, len(part) + len(part) % 2)
    try:
        return int(whole + part.ljust(places, "0")), places
    except ValueError:
        written = format(Decimal(text), "f")  # with an exponent, say
        if not written.lstrip("-").replace(".", "", 1).isdigit():
            raise
        return number_of(written)


RateTable = Mapping[str, Sequence[tuple[int, int, int]]]
"""Currency -> (since when, number, decimal places of it)."""


_FIRST = -(2**62)


def rate_on(rates: RateTable, currency: str | None, at: int | None) -> tuple[int, int] | None:
    """(number, places) of the rate of a currency on an instant; no currency is the organisation's. None: no rate.

    What has no instant was always there: the first rate holds.
    """
    if currency is None:
        return 1, 0
    found: tuple[int, int] | None = None
    for since, number, places in rates.get(currency, ()):
        if since <= (_FIRST if at is None else at):
            found = (number, places)
    return found


def difference(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """One (number, places) less another."""
    wide = max(one[1], other[1])
    return one[0] * 10 ** (wide - one[1]) - other[0] * 10 ** (wide - other[1]), wide
