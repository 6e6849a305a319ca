"""Days on which somebody is away: what a record of kind `absence` says.

Owns the reading of it. Who the person is under their roster's id, the roster knows (schemas/people.py).
"""

from dataclasses import dataclass
from fractions import Fraction

from schemas.instants import parse_date
from schemas.records import Record
from schemas.windows import Day, day_from


@dataclass(frozen=True, slots=True)
class Absence:
    """Days on which somebody is away, wholly or for a share of them; both ends included."""

    first: Day
    last: Day
    share: Fraction = Fraction(1)


def absence_of(record: Record) -> tuple[str, Absence] | None:
    """Whose, as the record names them, and when; None while it does not say rep, first and last day, or is deleted."""
    rep, first, last, share = (record.get(name) for name in ("rep", "from", "to", "share"))
    if record.is_deleted or not (rep and first and last):
        return None
    away = Fraction(1) if share is None else min(Fraction(1), max(Fraction(0), Fraction(share)))
    return str(rep), Absence(day_from(parse_date(first)), day_from(parse_date(last)), away)
