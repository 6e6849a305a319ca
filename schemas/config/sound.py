"""Names that nothing has, in a file of which other parts are wrong by themselves.

pydantic checks what the parts say of each other once all of them are right. So what is wrong is left out here until the
rest is right, and what the rest says of things that there are not is found at the same time as everything else.
"""

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.documents.text import Path

_UNKNOWN = re.compile(r"there is no [a-z]+ '([^']*)'|(\w+) is switched off")
_STAND_INS = {
    "organisation": {"name": "-", "timezone": "UTC", "currency": "USD"},
    "connections": {"-": {"kind": "file"}},
    "name": "-",
    "timezone": "UTC",
    "currency": "USD",
    "sla": "1h",
}
"""What has to be there, so that the rest can be looked at."""
_MOST_ATTEMPTS = 20


def unknown_names(
    data: dict[str, Any], wrong: Sequence[ErrorDetails], validate: Callable[[dict[str, Any]], object]
) -> list[tuple[Path, str]]:
    """Where the rest names what is not there, and how that is told. `wrong`: what was found to be wrong in `data`."""
    rest = _Rest(deepcopy(data))
    for _ in range(_MOST_ATTEMPTS):
        # From the back, so that places within one list stay what they are.
        for problem in sorted(wrong, key=lambda each: [str(part).zfill(9) for part in each["loc"]], reverse=True):
            rest.mend(problem)
        try:
            validate(rest.data)
        except ValidationError as error:
            wrong = error.errors(include_url=False)
        else:
            return []
        if wrong[0]["type"] == "references":
            told = [(tuple(place), reason, _UNKNOWN.match(reason)) for place, reason in wrong[0]["ctx"]["problems"]]
            return [
                (rest.as_written(place), reason)
                for place, reason, named in told
                if named and named[named.lastindex or 0] not in rest.left_out
            ]
    return []


class _Rest:
    """A file without what is wrong in it."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.left_out: set[str] = set()
        """Names on the way to what was left out: what names one of them is not wrong for that."""
        self._gone: list[Path] = []
        """Places within lists, each as it was when it was left out."""

    def mend(self, problem: ErrorDetails) -> None:
        """Leave out what is wrong, as near to its place as there is something, or put in what is missing."""
        self.left_out |= {part for part in problem["loc"] if isinstance(part, str)}
        path: Path = ()
        holders: list[Any] = [self.data]
        for part in problem["loc"]:  # without the marks that pydantic sets between
            holder = holders[-1]
            if part in holder if isinstance(holder, dict) else isinstance(holder, list) and part in range(len(holder)):
                path = (*path, part)
                holders.append(holder[part])
        name = problem["loc"][-1] if problem["loc"] else ""
        if problem["type"] == "missing" and name in _STAND_INS and isinstance(holders[-1], dict):
            holders[-1][name] = deepcopy(_STAND_INS[str(name)])
        elif path:
            del holders[-2][path[-1]]
            if isinstance(path[-1], int):
                self._gone.append(path)

    def as_written(self, place: Path) -> Path:
        """Where something stands in the file that stands here in the rest."""
        for gone in reversed(self._gone):
            *above, number = gone
            last = place[len(above)] if len(place) >= len(gone) else None
            if list(place[: len(above)]) == above and isinstance(last, int) and last >= int(number):
                place = (*above, last + 1, *place[len(gone) :])
        return place
