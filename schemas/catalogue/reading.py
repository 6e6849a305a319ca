"""From the text of `metrics.yaml` to what it defines, or to errors that name file, line and field.

Owns how the user's file goes on top of the shipped one: what it may replace, what it may switch off, which names are
free. Opens no file but the shipped one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import Field, ValidationError

from schemas.catalogue import Catalogue, parse_entry
from schemas.catalogue.base import Entry
from schemas.catalogue.checking import made_of, problems_of, problems_of_text, unit_problem, versions_in
from schemas.catalogue.defined import QUIET_AFTER, Defined
from schemas.catalogue.dimensions import ALWAYS, Dimension
from schemas.catalogue.dimensions import dimension_problems as problems_of_dimension
from schemas.catalogue.faults import faults_of
from schemas.catalogue.series import taken_by
from schemas.documents.errors import ConfigError, suggestion
from schemas.documents.refused import refused
from schemas.documents.text import Document, DocumentPath, DocumentProblem, read_document
from schemas.documents.values import DurationSetting, Model

SHIPPED = "metrics.yaml"
MAX_OWN = 200
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z", re.ASCII)
_OFF = "false"
_NAME_RULE = "must be a small letter, and at most 63 small letters, digits and _ behind it"


class MetricsFile(Model):
    """The whole of `metrics.yaml`."""

    dimensions: dict[str, Dimension] = Field(default_factory=dict, max_length=200)
    """By what numbers may be split."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Name -> entry; `false` switches a shipped one off."""
    cold_sources: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list, max_length=200)
    """Sources of leads whom nobody has asked to be called: bought lists and the like."""
    quiet_after: DurationSetting = QUIET_AFTER
    """A deal whose lead no human has touched for so long before it closed was not followed up."""


@dataclass(frozen=True, slots=True)
class ReadDefinitions:
    """What a text defines, as far as it can be understood, and what is wrong with it."""

    defined: Defined
    problems: list[str]
    broken: frozenset[str] = frozenset()
    """Metrics whose entries are wrong: what names one of them is not wrong for that."""
    is_readable: bool = True
    """False: nothing is known of what it defines."""
    document: Document | None = None
    """The text, for who has more to say of its lines; None where there is none."""

    def sound(self) -> Defined:
        """What of it is right, and is made of what is right."""
        held = {name: entry for name, entry in self.defined.metrics.items() if name not in self.broken}
        while lacking := [name for name, entry in held.items() if not made_of(entry) <= held.keys()]:
            for name in lacking:
                del held[name]
        metrics = Catalogue(held, self.defined.dimensions)
        return replace(self.defined, metrics=metrics, own=self.defined.own & held.keys())


@cache
def shipped() -> Defined:
    """What the product defines."""
    read = read_metrics(shipped_text(), SHIPPED, None, is_sound=True)
    if read.problems:
        raise ConfigError(read.problems)
    return read.defined


def shipped_text() -> str:
    """The text of it."""
    return files("schemas.catalogue").joinpath(SHIPPED).read_text("utf-8")


def read_metrics(text: str, source: str, under: Defined | None, *, is_sound: bool = False) -> ReadDefinitions:
    """What a text defines on top of what is `under` it; None: it is the shipped one.

    `is_sound`: nobody need look whether its entries go together. That of the shipped ones is looked at by a test, and
    not by every process at its start.
    """
    nothing = under or Defined(Catalogue())
    try:
        document = read_document(text, source, is_ours=under is None)
    except ConfigError as error:
        return ReadDefinitions(nothing, error.problems, is_readable=False)
    if not isinstance(document.value, dict):
        if document.value is None:
            return ReadDefinitions(nothing, [])
        reason = "must be a mapping with metrics, dimensions, cold_sources or quiet_after"
        return ReadDefinitions(nothing, [document.problem((), reason)], is_readable=False)
    reading = _Reading(document, nothing)
    defined = reading.read(is_users=under is not None, is_sound=is_sound)
    problems = sorted(reading.problems, key=lambda found: document.line(found[0]))
    lines = list(dict.fromkeys(document.problem(path, reason) for path, reason in problems))
    return ReadDefinitions(defined, lines, frozenset(reading.broken), document=document)


class _Reading:
    """One document on its way."""

    def __init__(self, document: Document, under: Defined) -> None:
        self.problems: list[DocumentProblem] = []
        self.broken: set[str] = set()
        self._document = document
        self._under = under
        self._off: set[str] = set()
        self._broken_dimensions: set[str] = set()

    def read(self, *, is_users: bool, is_sound: bool) -> Defined:
        head = self._head()
        own = self._entries(head.metrics if head is not None else self._raw_metrics())
        under = self._under
        said = {} if head is None else head.dimensions
        # A wrong one takes no shipped one's place, and what goes by it is not wrong for it.
        wrong = {name for name, held in said.items() if [*problems_of_dimension(held)]}
        self._broken_dimensions |= wrong
        dimensions = {**under.dimensions, **{name: held for name, held in said.items() if name not in wrong}}
        kept = {name: entry for name, entry in under.metrics.items() if name not in self._off}
        metrics = Catalogue({**kept, **own}, dimensions)
        defined = replace(
            under,
            metrics=metrics,
            dimensions=dimensions,
            cold_sources=tuple(head.cold_sources) if head is not None and head.cold_sources else under.cold_sources,
            quiet_after=head.quiet_after if self._says("quiet_after") and head is not None else under.quiet_after,
            own=frozenset(own) if is_users else frozenset(),
            switched_off=frozenset(self._off),
        )
        if not is_sound:
            self._check_dimensions(defined, said)
            self._check_entries(defined, own)
        if is_users and len(own) > MAX_OWN:
            self._refuse(("metrics",), f"holds {len(own)} metrics of your own; {MAX_OWN} are the most")
        return defined

    def _says(self, name: str) -> bool:
        return (name,) in self._document.lines

    def _refuse(self, path: DocumentPath, reason: str) -> None:
        self.problems.append((self._as_written(path), reason))
        if len(path) > 1 and path[0] == "metrics":
            self.broken.add(str(path[1]))

    def _as_written(self, path: DocumentPath) -> DocumentPath:
        """What all versions of an entry have in common stands at the entry, and is told once."""
        if len(path) > 4 and path[0] == "metrics" and path[2] == "versions" and path[:5] not in self._document.lines:
            common = (*path[:2], *path[4:])
            return common if common[:3] in self._document.lines else path
        return path

    def _head(self) -> MetricsFile | None:
        # An empty section says nothing.
        said = {name: value for name, value in self._document.value.items() if value is not None}
        try:
            return MetricsFile.model_validate(said)
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                self._refuse(*refused(problem, self._document, MetricsFile))
            return self._sound_head(said, [problem["loc"] for problem in error.errors(include_url=False)])

    def _sound_head(self, said: dict[str, Any], wrong: list[tuple[str | int, ...]]) -> MetricsFile | None:
        """The rest of the file: its other faults are told at once, and no metric is wrong for a dimension that is."""
        self._broken_dimensions = {str(place[1]) for place in wrong if place[0] == "dimensions" and len(place) > 1}
        sections = {place[0] for place in wrong if place[0] != "dimensions" or len(place) == 1}
        rest = {name: value for name, value in said.items() if name not in sections}
        if "dimensions" in rest:
            sound = {name: one for name, one in rest["dimensions"].items() if name not in self._broken_dimensions}
            rest["dimensions"] = sound
        try:
            return MetricsFile.model_validate(rest)
        except ValidationError:
            return None

    def _raw_metrics(self) -> Mapping[str, Any]:
        """The entries where something else in the file is wrong: their faults are told too."""
        found = self._document.value.get("metrics")
        return found if isinstance(found, dict) else {}

    def _entries(self, raw: Mapping[str, Any]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for name, said in raw.items():
            place: DocumentPath = ("metrics", name)
            if said == _OFF:
                self._switch_off(name, place)
                continue
            if not NAME.match(name):
                self._refuse(place, f"{name!r} is no name of a metric: it {_NAME_RULE}")
                continue
            entry = parse_entry(name, said, self._document, self._refuse)
            if entry is None and isinstance(said, dict):
                for problem in problems_of_text(said):
                    self._refuse((*place, *problem.path), problem.reason)
            elif entry is not None and self._may_replace(entry, name, place):
                found[name] = entry
        return found

    def _switch_off(self, name: str, place: DocumentPath) -> None:
        if name in self._under.metrics:
            self._off.add(name)
        else:
            self._refuse(place, f"there is no metric {name!r} to switch off{suggestion(name, self._under.metrics)}")

    def _may_replace(self, entry: Entry, name: str, place: DocumentPath) -> bool:
        held = self._under.metrics.get(name)
        before = len(self.problems)
        for field in ("type", "unit"):
            theirs, ours = getattr(held, field, None), getattr(entry, field)
            if theirs is not None and theirs != ours:
                reason = f"{ours} takes the place of the shipped {name}, which is {theirs} and has to stay so"
                self._refuse((*place, field), f"{reason}; give yours another name")
        return len(self.problems) == before

    def _check_dimensions(self, defined: Defined, own: Mapping[str, Dimension]) -> None:
        for name, dimension in own.items():
            if not NAME.match(name):
                self._refuse(("dimensions", name), f"{name!r} is no name of a dimension: it {_NAME_RULE}")
            if name == ALWAYS:
                self._refuse(("dimensions", name), "is there without being defined: give yours another name")
            for path, reason in problems_of_dimension(dimension):
                self._refuse(("dimensions", name, *path), reason)
        for name, entry in defined.metrics.items():
            for place, part in versions_in(entry):
                for index, by in enumerate(getattr(part, "by", ())):
                    if by not in {ALWAYS, *defined.dimensions, *self._broken_dimensions}:
                        reason = f"there is no dimension {by!r}{suggestion(by, defined.dimensions)}"
                        self._refuse(("metrics", name, *place, "by", index), reason)

    def _check_entries(self, defined: Defined, own: Mapping[str, Entry]) -> None:
        metrics = defined.metrics
        units = {name: entry.unit for name, entry in metrics.items()}
        for name, entry in own.items():
            place: DocumentPath = ("metrics", name)
            taken = taken_by(name, entry.unit, units)
            if taken is not None:
                self._refuse(place, f"in Prometheus this would be the series of {taken}: give it another name")
            for problem in problems_of(entry):
                self._refuse((*place, *problem.path), problem.reason)
            unlike = unit_problem(entry, metrics)
            if unlike is not None:
                self._refuse((*place, *unlike.path), unlike.reason)
        self._check_switched_off(metrics, own)
        for name, path, reason in faults_of(metrics, self.broken | self._off):
            if name in own or not own:
                self._refuse(("metrics", name, *path), reason)
            else:
                self._refuse(("metrics",), f"the shipped {name} cannot be made of what stands here: {reason}")

    def _check_switched_off(self, metrics: Mapping[str, Entry], own: Mapping[str, Entry]) -> None:
        for name in sorted(self._off):
            users = [user for user, entry in metrics.items() if user not in own and name in made_of(entry)]
            if users:
                reason = f"is switched off, but needed by {', '.join(users)}: switch these off too, or define them anew"
                self._refuse(("metrics", name), reason)
        for user in own:
            for name in sorted(made_of(own[user]) & self._off):
                line = self._document.line(("metrics", name))
                self._refuse(("metrics", user), f"is made of {name}, which is switched off in line {line}")
