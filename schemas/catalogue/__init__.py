"""The metric catalogue: entries of `metrics.yaml` parsed, checked and bound to the rules of a configuration.

Owns the registry of types and the errors of a catalogue. Types are one file each; what they are made of is in facts.py,
conditions.py and plan.py.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from babel.numbers import get_currency_precision
from pydantic import ValidationError

from schemas.catalogue.base import Entry, LacksDimensionError, MetricReader, value_of_nothing
from schemas.catalogue.binding import NO_LABEL, Binding, Catalogue
from schemas.catalogue.conversion import Conversion
from schemas.catalogue.derived import Derived
from schemas.catalogue.dimensions import Dimension, Dimensions, with_stages
from schemas.catalogue.duration import Duration
from schemas.catalogue.funnel import Funnel
from schemas.catalogue.level import Level
from schemas.catalogue.narrowing import Narrowing
from schemas.catalogue.plan import Measure, OneNameError, Plan, plan_of
from schemas.catalogue.ratio import Ratio
from schemas.catalogue.remainder import with_remainder
from schemas.catalogue.response import Response
from schemas.catalogue.rules import Rules
from schemas.catalogue.simple import Simple
from schemas.catalogue.versions import Versioned
from schemas.documents.errors import suggestion
from schemas.documents.refused import refused
from schemas.documents.text import Document, DocumentPath
from schemas.instants import parse_date

TYPES: Mapping[str, type[Entry]] = {
    "simple": Simple,
    "ratio": Ratio,
    "derived": Derived,
    "duration": Duration,
    "conversion": Conversion,
    "funnel": Funnel,
    "level": Level,
    "response": Response,
}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric under the rules of a configuration."""

    name: str
    entry: Entry
    reader: MetricReader
    cells: frozenset[int]
    """What of a pane it is made of."""
    keep: int | None = None
    """For how many days back it can be made; None: as long as records are kept."""
    segments: Mapping[str, Mapping[str, MetricReader]] = field(default_factory=dict)
    """Dimension -> label -> what reads that part of it. Those of persons are made from rows."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Dimension that it cannot be told apart by -> the metric that is not counted by it: itself, or a part of it."""

    @property
    def measures(self) -> Iterator[Measure]:
        """All that is counted for it, apart by dimensions too."""
        for reader in (self.reader, *(held for part in self.segments.values() for held in part.values())):
            yield from reader.measures

    def reader_of(self, label: tuple[str, str] | None) -> MetricReader:
        """What reads the part of it that has a label of a dimension; None: all of it."""
        return self.reader if label is None else self.segments[label[0]][label[1]]


@dataclass(frozen=True, slots=True)
class BoundCatalogue:
    """A catalogue under the rules of a configuration: what its metrics are, and the plan that counts for them."""

    metrics: Mapping[str, Metric]
    plan: Plan
    pending: frozenset[int]
    """Cells of which the clock decides what they count for."""
    dimensions: Dimensions = field(default_factory=dict)


def _type_of(raw: Mapping[str, Any]) -> Any:
    """What stands at the entry, or at the first of its versions."""
    versions = raw.get("versions")
    first = versions[0] if isinstance(versions, list) and versions and isinstance(versions[0], dict) else {}
    return raw.get("type", first.get("type"))


def parse_entry(name: str, raw: Any, document: Document, refuse: Callable[[DocumentPath, str], None]) -> Entry | None:
    """The entry that stands under a name of `metrics`, of one version or several.

    None: `refuse` was told what is wrong with it.
    """
    place: DocumentPath = ("metrics", name)
    if not isinstance(raw, dict):
        refuse(place, "must be an entry with type, unit and what else its type needs, or false")
        return None
    said = _type_of(raw)
    kind = TYPES.get(str(said))
    if kind is None:
        hint = suggestion(said, TYPES) if isinstance(said, str) else ""
        reason = f"must be one of {', '.join(TYPES)}{hint if 'did you mean' in hint else ''}"
        refuse((*place, "type"), reason if said is not None else f"is missing: it {reason}")
        return None
    label = name.replace("_", " ").capitalize()
    whole = {"label": label[:60], "description": f"{label}.", **raw}
    if "versions" in raw:
        return _versioned(whole, kind, place, document, refuse)
    return _validated(kind, whole, document, place, refuse)


def _validated(
    kind: type[Entry],
    raw: Mapping[str, Any],
    document: Document,
    place: DocumentPath,
    refuse: Callable[[DocumentPath, str], None],
) -> Entry | None:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            refuse(*refused(problem, document, kind, place))
        return None


def _versioned(
    raw: Mapping[str, Any],
    kind: type[Entry],
    place: DocumentPath,
    document: Document,
    refuse: Callable[[DocumentPath, str], None],
) -> Entry | None:
    versions = raw["versions"]
    if not isinstance(versions, list) or not versions or not all(isinstance(held, dict) for held in versions):
        refuse((*place, "versions"), "must be a list of versions")
        return None
    common = {setting: held for setting, held in raw.items() if setting != "versions"}
    since: list[date | None] = []
    entries: list[Entry | None] = []
    for index, one in enumerate(versions):
        own: DocumentPath = (*place, "versions", index)
        said = {name: held for name, held in one.items() if name not in _OF_VERSIONS}
        if said.get("type", _type_of(raw)) != _type_of(raw):
            refuse((*own, "type"), "must be the same in all versions")
            return None
        found = _validated(kind, {**common, "type": _type_of(raw), **said}, document, own, refuse)
        try:
            since.append(None if one.get("since") is None else parse_date(str(one["since"])))
        except ValueError as error:
            refuse((*own, "since"), str(error))
            found = None
        entries.append(found)
    sound = [entry for entry in entries if entry is not None]
    if len(sound) < len(entries):
        return None
    words = {name: held for name, held in common.items() if name in Entry.model_fields}
    notes = [one.get("note") for one in versions]
    whole = {**words, "type": _type_of(raw), "unit": sound[0].unit, "entries": sound, "since": since, "notes": notes}
    return _validated(Versioned, whole, document, place, refuse)


_OF_VERSIONS = frozenset({"since", "note"})


class CollisionError(ValueError):
    """Two metrics that count something else would be counted under one name."""

    def __init__(self, one: str, other: str) -> None:
        self.metrics = (one, other)
        super().__init__(f"{other} would be counted under the name of {one}")


def bound(catalogue: Mapping[str, Entry], rules: Rules) -> BoundCatalogue:
    """The metrics of a catalogue that was parsed, under these rules. Raises CollisionError."""
    given = catalogue.dimensions if isinstance(catalogue, Catalogue) else {}
    whole = Catalogue(catalogue, with_stages(given, rules.pipelines))
    binding = Binding(whole, rules)
    metrics = {name: _metric(name, binding, whole) for name in whole}
    try:
        plan = plan_of(measure for metric in metrics.values() for measure in metric.measures)
    except OneNameError as error:
        raise CollisionError(
            *(next(name for name, held in metrics.items() if measure in held.measures) for measure in error.measures)
        ) from error
    return BoundCatalogue(metrics, plan, plan.pending, whole.dimensions)


def _metric(name: str, binding: Binding, catalogue: Catalogue) -> Metric:
    reader = binding.reader(name, ())
    segments: dict[str, Mapping[str, MetricReader]] = {}
    lacking: dict[str, str] = {}
    for dimension, held in catalogue.dimensions.items():
        if held.is_of_person:
            continue
        try:
            by_label = {
                label: binding.narrowed(Narrowing(name=dimension, dimension=held, label=label)).reader(name, ())
                for label in held.labels or (NO_LABEL,)
            }
            # The last of bands is what is unknown, and of what a record says by itself nothing is.
            segments[dimension] = by_label if held.bands is not None else with_remainder(reader, by_label)
        except LacksDimensionError as error:
            lacking[dimension] = error.metric
        if not held.labels:
            segments.pop(dimension, None)
    cells = frozenset(measure.name for measure in reader.measures)
    return Metric(name, catalogue[name], reader, cells, _kept(reader), segments, lacking)


def begins_at_zero(catalogue: Catalogue, name: str) -> bool:
    """Whether a metric is 0 where nothing has happened; others have no value there, or that of their formula."""
    return value_of_nothing(Binding(catalogue, Rules()).reader(name, ())) == 0


def kept_days(catalogue: Catalogue, name: str) -> int | None:
    """For how many days back a metric can be made; None: as long as records are kept."""
    return _kept(Binding(catalogue, Rules()).reader(name, ()))


def _kept(reader: MetricReader) -> int | None:
    return min((measure.keep for measure in reader.measures if measure.keep is not None), default=None)


@cache
def money_digits(currency: str) -> int:
    """Digits after the point of a currency (ISO 4217 minor units, from CLDR)."""
    return get_currency_precision(currency)


__all__ = [
    "TYPES",
    "BoundCatalogue",
    "Catalogue",
    "Dimension",
    "Metric",
    "begins_at_zero",
    "bound",
    "kept_days",
    "money_digits",
    "parse_entry",
]
