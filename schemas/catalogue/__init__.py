"""The metric catalogue: `metrics.yaml` read, checked and made into aggregations.

Owns the registry of kinds and the errors of a catalogue. The kinds are one file each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml
from babel.numbers import get_currency_precision
from pydantic import ValidationError

from schemas.catalogue.base import Aggregation, Entry, Reading
from schemas.catalogue.counts import Count, Duration
from schemas.catalogue.money import Money, MoneyAverage
from schemas.catalogue.percentiles import Percentile
from schemas.catalogue.ratios import Ratio
from schemas.catalogue.responses import Due, DueShare, ResponsePercentile
from schemas.documents.errors import ConfigError
from schemas.panes import MEASURES

KINDS: Mapping[str, Callable[[Entry], Aggregation]] = {
    "count": Count,
    "duration": Duration,
    "ratio": Ratio,
    "money": Money,
    "money_average": MoneyAverage,
    "percentile": Percentile,
    "due": Due,
    "due_share": DueShare,
    "response_percentile": ResponsePercentile,
}

_NEEDS_DIVISOR = {"ratio", "money_average", "due_share"}
_NEEDS_PENDING = {"due", "due_share", "response_percentile"}
_NEEDS_PERCENTILE = {"percentile", "response_percentile"}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: what people are told of it, and how it is made."""

    name: str
    entry: Entry
    aggregation: Aggregation
    measures: frozenset[str]
    """What of a pane the metric is made of; those of `pending` change with the clock too."""


Catalogue = Mapping[str, Metric]


@cache
def shipped_catalogue() -> Catalogue:
    """The metrics of the product."""
    return parse_catalogue(files("schemas.catalogue").joinpath("metrics.yaml").read_text("utf-8"), "metrics.yaml")


def parse_catalogue(text: str, source: str) -> Catalogue:
    """The catalogue in `text`. Raises ConfigError naming each problem."""
    try:
        entries = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError([f"{source}: is not YAML: {error}"]) from None
    if not isinstance(entries, dict):
        raise ConfigError([f"{source}: must be a mapping of metrics"])
    problems: list[str] = []
    metrics: dict[str, Metric] = {}
    for name, raw in entries.items():
        try:
            entry = Entry.model_validate(raw)
        except ValidationError as error:
            problems += [
                f"{source}: {name}.{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
                for problem in error.errors()
            ]
            continue
        wrong = _problems(entry)
        problems += [f"{source}: {name}.{problem}" for problem in wrong]
        if not wrong:
            metrics[name] = Metric(name, entry, KINDS[entry.kind](entry), _measures_of(entry))
    if problems:
        raise ConfigError(problems)
    return metrics


def _measures_of(entry: Entry) -> frozenset[str]:
    return frozenset([*entry.of, *entry.by, *(("pending",) if entry.kind in _NEEDS_PENDING else ())])


def _problems(entry: Entry) -> list[str]:
    problems = []
    if entry.kind not in KINDS:
        problems.append(f"kind: {entry.kind!r} is not one of {', '.join(KINDS)}")
    for setting, measures in (("of", entry.of), ("by", entry.by)):
        problems += [f"{setting}: there is no measure {measure!r}" for measure in measures if measure not in MEASURES]
    if bool(entry.by) != (entry.kind in _NEEDS_DIVISOR):
        problems.append(f"by: kind {entry.kind} {'takes none' if entry.by else 'needs a divisor'}")
    if (entry.percentile is not None) != (entry.kind in _NEEDS_PERCENTILE):
        problems.append(f"percentile: kind {entry.kind} {'takes none' if entry.percentile else 'needs one'}")
    return problems


def begins_at_zero(metric: Metric) -> bool:
    """Whether it has a value, 0, where nothing has happened; the others have none there."""
    return metric.aggregation.result({}, Reading(now=0, money_digits=0)).value is not None


@cache
def money_digits(currency: str) -> int:
    """Digits after the point of a currency (ISO 4217 minor units, from CLDR)."""
    return get_currency_precision(currency)


__all__ = [
    "KINDS",
    "Catalogue",
    "Metric",
    "Reading",
    "begins_at_zero",
    "money_digits",
    "parse_catalogue",
    "shipped_catalogue",
]
