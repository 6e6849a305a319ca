"""The metric catalogue: `metrics.yaml` read, checked and bound to the rules of a configuration.

Owns the registry of types and the errors of a catalogue. Types are one file each; what they are made of is in facts.py,
conditions.py and plan.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from babel.numbers import get_currency_precision
from pydantic import ValidationError

from schemas.catalogue.base import Entry, Reader
from schemas.catalogue.derived import Derived
from schemas.catalogue.duration import Duration
from schemas.catalogue.plan import Plan, plan_of
from schemas.catalogue.ratio import Ratio
from schemas.catalogue.response import Response
from schemas.catalogue.rules import Rules
from schemas.catalogue.simple import Simple
from schemas.catalogue.where import EntryError
from schemas.documents.errors import ConfigError, suggestion
from schemas.documents.refused import refused
from schemas.documents.text import Document, Path, read_document

TYPES: Mapping[str, type[Entry]] = {
    "simple": Simple,
    "ratio": Ratio,
    "derived": Derived,
    "duration": Duration,
    "response": Response,
}

Catalogue = Mapping[str, Entry]
"""Name -> entry, in the order of the file."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric under the rules of a configuration."""

    name: str
    entry: Entry
    reader: Reader
    cells: frozenset[int]
    """What of a pane it is made of."""


@dataclass(frozen=True, slots=True)
class BoundCatalogue:
    """A catalogue under the rules of a configuration: what its metrics are, and the plan that counts for them."""

    metrics: Mapping[str, Metric]
    plan: Plan
    pending: frozenset[int]
    """Cells of which the clock decides what they count for."""


@cache
def shipped_catalogue() -> Catalogue:
    """The metrics of the product."""
    return parse_catalogue(files("schemas.catalogue").joinpath("metrics.yaml").read_text("utf-8"), "metrics.yaml")


@lru_cache(64)
def shipped_plan(rules: Rules) -> Plan:
    """The plan of the metrics of the product. The same object for the same rules."""
    return bound(shipped_catalogue(), rules).plan


def parse_catalogue(text: str, source: str) -> Catalogue:
    """The catalogue in `text`. Raises ConfigError with a line for each problem, in the order of the file."""
    document = read_document(text, source)
    entries = document.value.get("metrics") if isinstance(document.value, dict) else None
    if not isinstance(entries, dict):
        raise ConfigError([document.problem((), "must be a mapping with metrics")])
    problems: list[tuple[Path, str]] = []
    catalogue: dict[str, Entry] = {}
    for name, raw in entries.items():
        entry = parse_entry(name, raw, document, lambda path, reason: problems.append((path, reason)))
        if entry is not None:
            catalogue[name] = entry
    if not problems:
        problems = [(("metrics", name, *path), reason) for name, path, reason in binding_problems(catalogue)]
    if problems:
        problems.sort(key=lambda found: document.line(found[0]))
        raise ConfigError(list(dict.fromkeys(document.problem(path, reason) for path, reason in problems)))
    return catalogue


def parse_entry(name: str, raw: Any, document: Document, refuse: Callable[[Path, str], None]) -> Entry | None:
    """The entry that stands under a name of `metrics`; None: `refuse` was told what is wrong with it."""
    place: Path = ("metrics", name)
    if not isinstance(raw, dict):
        refuse(place, "must be an entry with type, unit and what else its type needs, or false")
        return None
    said = raw.get("type")
    kind = TYPES.get(str(said))
    if kind is None:
        hint = suggestion(said, TYPES) if isinstance(said, str) else ""
        reason = f"must be one of {', '.join(TYPES)}{hint if 'did you mean' in hint else ''}"
        refuse((*place, "type"), reason if "type" in raw else f"is missing: it {reason}")
        return None
    label = name.replace("_", " ").capitalize()
    try:
        return kind.model_validate({"label": label[:60], "description": f"{label}.", **raw})
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            refuse(*refused(problem, document, kind, place))
        return None


def binding_problems(catalogue: Catalogue) -> list[tuple[str, Path, str]]:
    """(metric, place in its entry, what is wrong) of what entries say of facts and each other, under whatever rules."""
    binding = _Binding(catalogue, Rules())
    problems: list[tuple[str, Path, str]] = []
    for name in catalogue:
        try:
            binding.reader(name, ())
        except EntryError as error:
            problems.append((name, error.path, error.reason))
    return problems


class _Binding:
    """Readers by name, each made once; what they refer to first."""

    def __init__(self, catalogue: Catalogue, rules: Rules) -> None:
        self.rules = rules
        self._catalogue = catalogue
        self._readers: dict[str, Reader] = {}
        self._open: list[str] = []

    def entry(self, name: str, path: tuple[str | int, ...]) -> Entry:
        entry = self._catalogue.get(name)
        if entry is None:
            raise EntryError(path, f"there is no metric {name}{suggestion(name, self._catalogue)}")
        return entry

    def reader(self, name: str, path: tuple[str | int, ...]) -> Reader:
        entry, found = self.entry(name, path), self._readers.get(name)
        if found is not None:
            return found
        if name in self._open:
            raise EntryError(path, f"is made of itself: {' of '.join([*self._open[self._open.index(name) :], name])}")
        self._open.append(name)
        try:
            made = self._readers[name] = entry.bind(self)
        finally:
            self._open.pop()
        return made


def bound(catalogue: Catalogue, rules: Rules) -> BoundCatalogue:
    """The metrics of a catalogue that was parsed, under these rules."""
    binding = _Binding(catalogue, rules)
    readers = {name: binding.reader(name, ()) for name in catalogue}
    plan = plan_of(measure for reader in readers.values() for measure in reader.measures)
    metrics = {
        name: Metric(name, catalogue[name], reader, frozenset(measure.name for measure in reader.measures))
        for name, reader in readers.items()
    }
    return BoundCatalogue(metrics, plan, plan.pending)


def begins_at_zero(catalogue: Catalogue, name: str) -> bool:
    """Whether a metric has a value, 0, where nothing has happened; the others have none there."""
    return _Binding(catalogue, Rules()).reader(name, ()).begins_at_zero


@cache
def money_digits(currency: str) -> int:
    """Digits after the point of a currency (ISO 4217 minor units, from CLDR)."""
    return get_currency_precision(currency)


__all__ = [
    "TYPES",
    "BoundCatalogue",
    "Catalogue",
    "Metric",
    "begins_at_zero",
    "binding_problems",
    "bound",
    "money_digits",
    "parse_catalogue",
    "parse_entry",
    "shipped_catalogue",
    "shipped_plan",
]
