"""What a number in decimal digits looks like, wherever floorcast reads one: in files, formulas and what CRMs send.

Owns the grammar. How large a number may be, and what is said of one that is none, is its reader's.
"""

import re
from decimal import Decimal, InvalidOperation

# Stricter than Decimal(), which takes "1_000", "NaN" and the digits of every script.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?\Z")


def decimal_in(text: str) -> Decimal | None:
    """The number that a text without blanks writes, exactly; None: it writes none."""
    if _NUMBER.match(text) is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond all
        return None


def has_room(number: Decimal, *, digits: int, places: int) -> bool:
    """Whether a number has at most so many digits before the point and so many behind it."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= places and number.adjusted() < digits
