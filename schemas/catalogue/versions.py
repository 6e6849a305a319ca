"""An entry with `versions`: each counts what happens from the start of its day until that of the next one.

Owns when each is in force, and that they are read as one: what their measures hold is summed up, each with the one that
stands in its place in the newest version, which reads it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from schemas.catalogue.base import Entry, Exact, JsonText, MetricReader, Reading, References, Result, sample_of
from schemas.catalogue.narrowing import Narrowing
from schemas.catalogue.plan import Measure
from schemas.catalogue.ratio import RatioReader
from schemas.catalogue.where import EntryError
from schemas.panes import Pane, merge
from schemas.windows import Calendar, day_from

WITHOUT = frozenset({"derived", "level", "funnel", "response"})
"""Types that have no versions: they are given to their parts."""


class Versioned(Entry):
    """The words of an entry, and what it counts since when."""

    since: tuple[date | None, ...]
    notes: tuple[str | None, ...]
    entries: tuple[Any, ...]
    """Of the type of this one, in the order of their days."""

    def bind(self, catalogue: References) -> MetricReader:
        """Raises EntryError."""
        if self.type in WITHOUT:
            raise EntryError(("versions",), f"a {self.type} has none: give them to its parts")
        instants = [None if day is None else day_start(day, catalogue.rules.timezone) for day in self.since]
        given = [at for at in instants if at is not None]
        if None in instants[1:] or given != sorted(set(given)):
            raise EntryError(("versions",), "must be in the order of their since, which only the first may leave out")
        readers: list[MetricReader] = []
        for place, entry in enumerate(self.entries):
            if entry.unit != self.unit:
                raise EntryError(("versions", place, "unit"), "must be the same in all versions")
            until = instants[place + 1] if place + 1 < len(instants) else None
            try:
                readers.append(entry.bind(catalogue.narrowed(_within(catalogue, instants[place], until))))
            except EntryError as error:
                error.path = ("versions", place, *error.path)
                raise
        forms = {tuple((measure.form, measure.kind) for measure in reader.measures) for reader in readers}
        if len(forms) != 1:
            raise EntryError(("versions",), "do not count the same kind of thing")
        ratios = [reader for reader in readers if isinstance(reader, RatioReader)]
        if len(ratios) == len(readers):
            parts = VersionsReader(tuple(ratio.numerator for ratio in ratios))
            return RatioReader(self.unit, parts, VersionsReader(tuple(ratio.denominator for ratio in ratios)))
        return VersionsReader(tuple(readers))

    @property
    def is_additive(self) -> bool:
        """Whether the numbers of several teams may be added up, in all versions."""
        return all(entry.is_additive for entry in self.entries)

    def each(self, make: Callable[[Entry], Entry]) -> Entry:
        """What is made of each version, in the same days."""
        entries = tuple(make(entry) for entry in self.entries)
        return self.model_copy(update={"entries": entries, "type": entries[0].type, "unit": entries[0].unit})

    def versions_json(self) -> list[dict[str, JsonText]]:
        """As `/v1/metrics` shows them."""
        return [
            {"version": place, "since": None if since is None else since.isoformat(), "note": note}
            for place, (since, note) in enumerate(zip(self.since, self.notes, strict=True), start=1)
        ]

    def version_on(self, day: date) -> int:
        """The place, from 1, of the version in force on a day; before the first it is that one."""
        return max(1, sum(1 for since in self.since if since is None or since <= day))

    def versions_between(self, first: date, last: date) -> list[int]:
        """Those in force on any of these days, both included."""
        return [*range(self.version_on(first), self.version_on(last) + 1)]


def _within(catalogue: References, since: int | None, until: int | None) -> Narrowing:
    """As much of what is meant as lies in those days."""
    held = catalogue.narrowing
    if held.since is not None and (since is None or since < held.since):
        since = held.since
    if held.until is not None and (until is None or until > held.until):
        until = held.until
    return replace(held, since=since, until=until)


def day_start(day: date, timezone: str) -> int:
    """The first instant of a day of the organisation."""
    return Calendar(ZoneInfo(timezone), 0).day_start(day_from(day))


@dataclass(frozen=True, slots=True)
class VersionsReader:
    """Reads what all versions have counted as the newest one reads it."""

    readers: tuple[MetricReader, ...]

    @property
    def measures(self) -> Sequence[Measure]:
        return tuple(measure for reader in self.readers for measure in reader.measures)

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        return self.readers[-1].exact(self._joined(pane), reading)

    def sample(self, pane: Pane, reading: Reading) -> Exact:
        return sample_of(self.readers[-1], self._joined(pane), reading)

    def result(self, pane: Pane, reading: Reading) -> Result:
        return self.readers[-1].result(self._joined(pane), reading)

    def _joined(self, pane: Pane) -> Pane:
        return merge(self._parts(pane))

    def _parts(self, pane: Pane) -> Iterator[Pane]:
        newest = [measure.name for measure in self.readers[-1].measures]
        for reader in self.readers:
            # Two measures of one version may be one cell: it is read once.
            places = dict(zip((measure.name for measure in reader.measures), newest, strict=True))
            for cell, name in places.items():
                if cell in pane:
                    yield {name: pane[cell]}
