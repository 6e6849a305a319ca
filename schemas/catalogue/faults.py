"""What is wrong with entries by what they say of facts and of each other, all at once.

Binding an entry ends with the first fault. What is at fault is put out of the way here, as if nothing were said there,
and the rest is bound again, until nothing more is found. One entry's fault is no fault of those that are made of it.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from schemas.catalogue.base import Entry, LacksDimensionError
from schemas.catalogue.binding import NO_LABEL, Binding, BrokenPartError, Catalogue, CircleError
from schemas.catalogue.checking import metrics_in, versions_in
from schemas.catalogue.derived import Derived
from schemas.catalogue.dimensions import ALWAYS
from schemas.catalogue.narrowing import Narrowing
from schemas.catalogue.rules import Rules
from schemas.catalogue.simple import Inner, reader_of
from schemas.catalogue.versions import Versioned
from schemas.catalogue.where import EntryError
from schemas.documents.text import DocumentPath
from schemas.documents.values import Model

_PART = Inner.model_validate({"from": "call", "at": "dialed_at", "agg": "count"})
_COUNTED: Mapping[str, Any] = {"agg": "count", "value": None, "of": None, "unit": "number"}
_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "where": ({},), "to": ({},), "failed": (None,), "credit": ([],), "keep": (None,), "at_least": (None,),
    "steps": ([],), "pipeline": (None,), "numerator": (_PART,), "denominator": (_PART,), "expr": ("0",),
    "within": ("sla", "1d"), "stat": ("end",), "unit": ("count", "number", "ratio", "seconds"),
    "value": ("value", None), "of": (None, "rep"),
}  # fmt: skip
"""Setting -> what it may hold where nothing is asked of it."""


def faults_of(catalogue: Catalogue, broken: Collection[str] = ()) -> Iterator[tuple[str, DocumentPath, str]]:
    """(metric, place in its entry, what is wrong), under whatever rules.

    `broken`: names of which it is known already that nothing can be made of them.
    """
    rules = Rules()
    absent = {name for name in broken if name not in catalogue}
    binding = Binding(catalogue, rules, broken=absent)
    failed: dict[str, EntryError] = {}
    for name in catalogue:
        try:
            binding.reader(name, ())
        except EntryError as error:
            failed[name] = error
    binding = Binding(catalogue, rules, broken={*absent, *failed})
    circles: set[str] = set()
    for name, entry in catalogue.items():
        first = failed.get(name)
        is_told_below = isinstance(entry, Derived) and name in metrics_in(entry.expr)
        if isinstance(first, CircleError) and not is_told_below and circles.isdisjoint(first.members):
            circles |= {*first.members}
            yield name, first.path, first.reason
        rest: Entry | None = entry
        if first is not None:
            peeling = _Peeling(name, entry, binding)
            yield from ((name, fault.path, fault.reason) for fault in peeling.faults())
            rest = peeling.rest
        if rest is not None:
            found = _of_dimensions(name, rest, binding, catalogue)
            yield from ((name, fault.path, fault.reason) for fault in found)


class _Peeling:
    """An entry that loses one fault after the other."""

    def __init__(self, name: str, entry: Entry, binding: Binding) -> None:
        self.rest: Entry | None = entry
        """What is left of it, with nothing wrong; None: it cannot be had without its fault."""
        self._name = name
        self._binding = binding

    def faults(self) -> Iterator[EntryError]:
        """Those that are its own."""
        while self.rest is not None:
            error = self._fault_of(self.rest)
            if error is None:
                return
            if isinstance(self.rest, Derived):
                yield from self._of_formula(self.rest, error)
            elif not isinstance(error, BrokenPartError):
                yield error
            self.rest = self._without(self.rest, error.path)

    def _fault_of(self, entry: Entry) -> EntryError | None:
        try:
            self._binding.bound(self._name, entry)
        except EntryError as error:
            return error
        return None

    def _without(self, entry: Entry, path: DocumentPath) -> Entry | None:
        other: Entry
        for other in _without(entry, path):
            error = self._fault_of(other)
            if error is None or error.path != path:
                return other
        return None

    def _of_formula(self, entry: Derived, first: EntryError) -> Iterator[EntryError]:
        found = [first]
        for name in sorted(metrics_in(entry.expr)):
            if name == self._name:
                found.append(CircleError(first.path, [name]))
                continue
            try:
                self._binding.reader(name, first.path)
            except EntryError as error:
                found.append(error)
        yield from {error.reason: error for error in found if not isinstance(error, BrokenPartError)}.values()


def _without(entry: Model, path: DocumentPath) -> Iterator[Any]:
    """The entry with nothing said at a place, in each way that there is."""
    if isinstance(entry, Versioned):
        place = int(path[1]) if len(path) > 2 else len(entry.entries)
        for version in _without(entry.entries[place], path[2:]) if place < len(entry.entries) else ():
            entries = (*entry.entries[:place], version, *entry.entries[place + 1 :])
            yield entry.model_copy(update={"entries": entries})
        return
    setting = str(path[0]) if path else ""
    said = getattr(entry, setting, None)
    if setting in {"where", "to", "failed"} and len(path) > 1 and isinstance(said, dict):
        yield entry.model_copy(update={setting: {name: held for name, held in said.items() if name != path[1]}})
    if isinstance(said, Model):
        yield from (entry.model_copy(update={setting: part}) for part in _without(said, path[1:]))
    for nothing in _NOTHING.get(setting, ()):
        yield entry.model_copy(update={setting: nothing})
    if setting == "value":
        yield entry.model_copy(update=_COUNTED)


def _of_dimensions(name: str, entry: Entry, binding: Binding, catalogue: Catalogue) -> Iterator[EntryError]:
    """What is wrong with the dimensions that it names and that there are, in all its versions."""
    told: set[str] = set()
    for place, part in versions_in(entry):
        for by in dict.fromkeys(getattr(part, "by", ())):
            held = catalogue.dimensions.get(by)
            if held is None or held.is_of_person or by == ALWAYS:
                continue
            label = next(iter(held.labels), NO_LABEL)
            narrowed = binding.narrowed(Narrowing(name=by, dimension=held, label=label))
            try:
                if isinstance(part, Inner):
                    reader_of(part, part.unit, narrowed)
                elif by not in told:
                    told.add(by)
                    narrowed.bound(name, entry)
            except LacksDimensionError:
                continue  # of a part: it is not told apart then
            except BrokenPartError:
                continue
            except EntryError as error:
                yield EntryError((*place, *error.path), error.reason) if isinstance(part, Inner) else error
