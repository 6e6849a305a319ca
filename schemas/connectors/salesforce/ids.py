"""Ids of Salesforce: 15 characters whose case counts, or 18 whose last three say the case.

Owns the completion, and what kind of object an id is of.
"""

import re
from typing import Any

from schemas.connectors.base import PlacedError

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?\Z")
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
NONE = "000000000000000AAA"
"""Stands where there is no id."""


def whole_id(value: Any) -> str | None:
    """An id in 18 characters; None: there is none. Raises ValueError."""
    if value is None or value == "":
        return None
    text = value.strip() if isinstance(value, str) else ""
    if not _ID.match(text):
        raise ValueError("must be an id of 15 or 18 letters and digits")
    completed = text if len(text) == 18 else text + _suffix(text)
    return None if completed == NONE else completed


def id_in(value: Any, name: str, error: type[PlacedError]) -> str:
    """An id that must be there, in 18 characters. Raises the error, which names the member."""
    try:
        found = whole_id(value)
    except ValueError as wrong:
        raise error(name, str(wrong)) from None
    if found is None:
        raise error(name, "is missing")
    return found


def _suffix(text: str) -> str:
    """One sign for each five characters: which of them are capitals."""
    return "".join(
        _CHECK[sum(1 << place for place, sign in enumerate(text[start : start + 5]) if "A" <= sign <= "Z")]
        for start in (0, 5, 10)
    )


def id_of_kind(value: Any, prefix: str) -> str | None:
    """An id, if it is of objects whose ids begin so."""
    found = whole_id(value)
    return found if found is not None and found.startswith(prefix) else None
