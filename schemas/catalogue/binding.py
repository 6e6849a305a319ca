"""Entries bound to each other: the readers of a catalogue, each made once, what they are made of first.

Owns what one entry may ask of the others, and what is wrong where a name leads nowhere or back to itself.
"""

from collections.abc import Collection, Mapping

from schemas.catalogue.base import Entry, LacksDimensionError, MetricReader
from schemas.catalogue.dimensions import Dimensions
from schemas.catalogue.narrowing import WHOLE, Narrowing
from schemas.catalogue.rules import Rules
from schemas.catalogue.where import EntryError
from schemas.documents.errors import suggestion
from schemas.documents.text import DocumentPath

NO_LABEL = ""
"""Of a dimension without a list."""


class Catalogue(dict[str, Entry]):
    """Name -> entry, in the order of the file; and the dimensions by name."""

    def __init__(self, entries: Mapping[str, Entry] | None = None, dimensions: Dimensions | None = None) -> None:
        super().__init__(entries or {})
        self.dimensions: Dimensions = dimensions or {}


class BrokenPartError(EntryError):
    """Something is wrong with what an entry is made of, which is told where that stands."""


class CircleError(EntryError):
    """An entry is made of itself."""

    def __init__(self, path: DocumentPath, members: list[str]) -> None:
        self.members = members
        super().__init__(path, f"is made of itself: {' of '.join([*members, members[0]])}")


class Binding:
    """Readers by name, each made once; what they refer to first."""

    def __init__(
        self, catalogue: Catalogue, rules: Rules, narrowing: Narrowing = WHOLE, broken: Collection[str] = ()
    ) -> None:
        """`broken`: metrics that are wrong or taken away, which is told as their own fault."""
        self.rules = rules
        self.narrowing = narrowing
        self._catalogue = catalogue
        self._broken = broken
        self._readers: dict[str, MetricReader] = {}
        self._open: list[str] = []
        self._others: dict[Narrowing, Binding] = {narrowing: self}

    def entry(self, name: str, path: DocumentPath) -> Entry:
        entry = self._catalogue.get(name)
        if name in self._broken and name not in self._open:
            raise BrokenPartError(path, f"{name} is wrong itself")
        if entry is None:
            raise EntryError(path, f"there is no metric {name}{suggestion(name, self._catalogue)}")
        return entry

    def narrowed(self, narrowing: Narrowing) -> "Binding":
        found = self._others.get(narrowing)
        if found is None:
            found = self._others[narrowing] = Binding(self._catalogue, self.rules, narrowing, self._broken)
            found._others, found._open = self._others, self._open
        return found

    def reader(self, name: str, path: DocumentPath) -> MetricReader:
        found = self._readers.get(name)
        if found is not None:
            return found
        if name in self._open:
            raise CircleError(path, self._open[self._open.index(name) :])
        found = self._readers[name] = self.bound(name, self.entry(name, path))
        return found

    def bound(self, name: str, entry: Entry) -> MetricReader:
        """What reads an entry that stands under a name. Raises EntryError."""
        self._open.append(name)
        try:
            return entry.bind(self)
        except LacksDimensionError as error:
            raise (error if error.is_named else LacksDimensionError(name, error.dimension, is_named=True)) from None
        except EntryError as error:
            is_own = len(self._open) == 1 or (isinstance(error, CircleError) and self._open[-2] in error.members)
            if is_own or isinstance(error, BrokenPartError):
                raise
            raise BrokenPartError(error.path, f"{name} is wrong itself: {error.reason}") from None
        finally:
            self._open.pop()
