"""Whom a cell of a file names: somebody by an id, or exactly one person of the roster.

Owns the rule that no rep is made of a name. Pure.
"""

from collections.abc import Collection, Iterable

from deploy.files.cells import name_key
from deploy.files.problems import CellError
from schemas.connectors.file_events import SERVED
from schemas.people import Person

FIELDS = frozenset({"rep", "creator", "booked_by", "logged_by", "attendees"})
"""Those that name people."""


class ConnectionRoster:
    """The roster, as one connection names it."""

    def __init__(self, rep_by: str, people: Iterable[Person], *, aliases: Collection[str], namespace: str) -> None:
        """`aliases`: the ids that floorcast.yaml says people have in this connection."""
        self._rep_by = rep_by
        self._before = f"{namespace}:" if namespace else ""
        self._aliases = {name_key(alias): alias for alias in aliases}
        self._by_name: dict[str, list[str]] = {}
        self._ids: set[str] = set()
        for person in people:
            self._ids.add(person.rep)
            name = person.email if rep_by == "email" else person.name
            if name:
                self._by_name.setdefault(name_key(name), []).append(person.rep)
        self.unknown: dict[str, None] = {}
        """Ids that are not in the roster, as they were named."""

    def find(self, text: str) -> str | dict[str, str]:
        """An id in the connection, or one of the roster. Raises CellError where it is nobody's, or more than one's."""
        if self._rep_by == "id":
            if self._before + text not in self._ids and name_key(text) not in self._aliases:
                self.unknown.setdefault(text)
            return text
        alias = self._aliases.get(name_key(text))
        if alias is not None:
            return alias
        found = self._by_name.get(name_key(text), [])
        if len(found) != 1:
            msg = "more than one in the roster" if found else "nobody in the roster"
            raise CellError(msg, repair="rep", text=text)
        (rep,) = found
        return rep.removeprefix(self._before) if rep.startswith(self._before) else {SERVED: rep}
