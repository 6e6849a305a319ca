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

from schemas.documents.text import DocumentPath

_TRUE_OF_THE_REST = re.compile(
    r"there is no [a-z]+ '([^']*)'|(\w+) is switched off|is (?:a secret of connection|already an alias of) '([^']*)'"
)
_STAND_IN = "stand-in"
_STAND_INS = {
    "organisation": {"name": "-", "timezone": "UTC", "currency": "USD"},
    "connections": {_STAND_IN: {"kind": "file"}},
    "name": "-",
    "timezone": "UTC",
    "currency": "USD",
    "sla": "1h",
    "hours": {"mon-sun": ["00:00-24:00"]},
    "period": "month",
    "at": "00:00",
    "scenes": [{"name": "-", "tiles": [{"kind": "leads"}]}],
}
"""What has to be there, so that the rest can be looked at."""
_MOST_ATTEMPTS = 20


def misnamed(
    data: dict[str, Any], wrong: Sequence[ErrorDetails], validate: Callable[[dict[str, Any]], object]
) -> list[tuple[DocumentPath, str]]:
    """Where the rest names what is not there, and how that is told. `wrong`: what was found to be wrong in `data`."""
    rest = _Rest(deepcopy(data))
    for _ in range(_MOST_ATTEMPTS):
        # From the back, so that places within one list stay what they are.
        rest.mend(sorted(wrong, key=lambda each: [str(part).zfill(9) for part in each["loc"]], reverse=True))
        try:
            validate(rest.data)
        except ValidationError as error:
            wrong = error.errors(include_url=False)
        else:
            return []
        if wrong[0]["type"] == "references":
            found = wrong[0]["ctx"]["problems"]
            told = [(tuple(place), reason, _TRUE_OF_THE_REST.match(reason)) for place, reason in found]
            return [
                (rest.as_written(place), reason)
                for place, reason, named in told
                if named and named[named.lastindex or 0] not in rest.left_out and _STAND_IN not in reason
            ]
    return []


class _Rest:
    """A file without what is wrong in it."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.left_out: set[str] = set()
        """Names on the way to what was left out: what names one of them is not wrong for that."""
        self._gone: list[DocumentPath] = []
        """Places within lists, each as it was when it was left out."""

    def mend(self, problems: Sequence[ErrorDetails]) -> None:
        """Leave out what is wrong, as near to its place as there is something, or put in what is missing.

        What was wrong within something that is gone by now is gone with it.
        """
        gone: set[DocumentPath] = set()
        for problem in problems:
            self.left_out |= {part for part in problem["loc"] if isinstance(part, str)}
            self._mend(problem, gone)

    def _mend(self, problem: ErrorDetails, gone: set[DocumentPath]) -> None:
        path: DocumentPath = ()
        holders: list[Any] = [self.data]
        for part in problem["loc"]:  # without the marks that pydantic sets between
            holder = holders[-1]
            if (*path, part) in gone:
                return
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
            else:
                gone.add(path)

    def as_written(self, place: DocumentPath) -> DocumentPath:
        """Where something stands in the file that stands here in the rest."""
        for gone in reversed(self._gone):
            *above, number = gone
            last = place[len(above)] if len(place) >= len(gone) else None
            if list(place[: len(above)]) == above and isinstance(last, int) and last >= int(number):
                place = (*above, last + 1, *place[len(gone) :])
        return place
