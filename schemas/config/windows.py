"""The windows by name, as the configuration and the api take them.

Owns the names. What a window spans is in `schemas.windows`.
"""

from typing import Annotated

from pydantic import AfterValidator

from schemas.documents.errors import suggestion
from schemas.windows import WINDOWS

PERIODS = ("today", "week", "month", "quarter", "year")
"""Windows that begin anew; the others roll on."""


def _known(window: str) -> str:
    if window not in WINDOWS:
        msg = f"{window!r} is not a window{suggestion(window, WINDOWS)}"
        raise ValueError(msg)
    return window


WindowName = Annotated[str, AfterValidator(_known)]
"""One of `WINDOWS`."""
