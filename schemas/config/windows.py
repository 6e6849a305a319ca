"""The windows by name, as the configuration and the api take them.

Owns the names. What a window spans is in `schemas.windows`.
"""

from typing import Annotated

from pydantic import AfterValidator

from schemas.documents.errors import suggestion

WINDOW_NAMES = (
    "5m", "15m", "1h", "4h", "24h", "today", "yesterday", "week", "month", "quarter", "year", "7d", "30d",
)  # fmt: skip
PERIODS = ("today", "week", "month", "quarter", "year")
"""Windows that begin anew; the others roll on."""


def _known(window: str) -> str:
    if window not in WINDOW_NAMES:
        msg = f"{window!r} is not a window{suggestion(window, WINDOW_NAMES)}"
        raise ValueError(msg)
    return window


WindowName = Annotated[str, AfterValidator(_known)]
"""One of `WINDOW_NAMES`."""
