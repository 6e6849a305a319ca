"""The floor's numbers: what the metrics make of the merged panes of a rep, a team or the organisation.

Whoever has read all of `panes` and `roster` asks here for the metrics of a scope over a span. Pure: messages and `now`
come in as arguments. Merging is in merged_panes.py.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.catalogue import Metric, money_digits
from schemas.catalogue.base import Exact, MetricValue, Reading, RoughReader, sample_of
from schemas.catalogue.dimensions import Dimensions
from schemas.catalogue.funnel import FunnelReader
from schemas.catalogue.rough import Rough
from schemas.catalogue.versions import Versioned
from schemas.columns import Column
from schemas.config import Config
from schemas.instants import MINUTE, format_instant
from schemas.left_out import negative_durations, without_rate
from schemas.merged_panes import DECODED_WINDOWS, MergedPanes
from schemas.panes import IN_SPAN, UNREADABLE, Pane, opening_of
from schemas.scopes import ORGANISATION, Scope, rep_scope, team_scope
from schemas.windows import Span, Window, date_of, first_minute_kept

PARTLY_KNOWN = "a part of it cannot be read"
CHANGES_REMEMBERED = 4096
"""Sets of cells that differed together, of which it is known what metrics that means: there are few, unless somebody
sees to it that there are many."""


@dataclass(slots=True, eq=False)
class ScopeValues:
    """The metrics of one scope in one window, at one clock."""

    own: dict[str, MetricValue] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    """Why a metric has no value: since when it is kept."""
    shared: Mapping[str, MetricValue] = field(default_factory=dict)
    """What holds where `own` does not say otherwise: very many people of whom little is known have one of it."""

    @property
    def metrics(self) -> dict[str, MetricValue]:
        """By name. Made for who asks, unless all of it is its own."""
        return {**self.shared, **self.own} if self.shared else self.own

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScopeValues):
            return NotImplemented
        said = (self.metrics, self.bounds, self.unavailable)
        return said == (other.metrics, other.bounds, other.unavailable)

    __hash__ = None  # type: ignore[assignment]

    def since(self, before: "ScopeValues") -> "ScopeValues":
        """What differs from `before`. A bound belongs to its value: when it is another one, both are named."""
        known = before.metrics
        changed = {
            name: value
            for name, value in self.metrics.items()
            if known.get(name, self) != value or before.bounds.get(name) != self.bounds.get(name)
        }
        return ScopeValues(
            changed,
            {name: bound for name, bound in self.bounds.items() if name in changed},
            {name: since for name, since in self.unavailable.items() if name in changed},
        )

    def replaced_by(self, changed: "ScopeValues") -> "ScopeValues":
        """These, where `changed` does not say otherwise. What both share with others stays shared."""
        said = changed.metrics
        kept = {name: bound for name, bound in self.bounds.items() if name not in said}
        lacking = {name: since for name, since in self.unavailable.items() if name not in said}
        own, shared = (self.own | said, self.shared) if self.shared else (said, self.own)
        return ScopeValues(own, kept | changed.bounds, lacking | changed.unavailable, shared)


class Floor(MergedPanes):
    """All panes and everybody's teams, and what they mean."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        catalogue = self.catalogue
        self.money = frozenset(name for name, entry in catalogue.items() if entry.unit == "money")
        """Metrics that are amounts of money."""
        self._versioned = {name: entry for name, entry in catalogue.items() if isinstance(entry, Versioned)}
        self.money_digits = money_digits(config.organisation.currency)
        self._metrics_of: dict[frozenset[int], tuple[str, ...]] = {}

    def values(self, scope: Scope, span: Span, now: int, metrics: Iterable[str] | None = None) -> ScopeValues:
        """The metrics of a scope over a span, for a reader whose clock says `now`."""
        metrics = None if metrics is None else [*metrics]
        pane = self.merged(scope, span, now, None if metrics is None else self.cells_of(metrics))
        return self.result(pane, now, metrics, span)

    def merged_by_scope(self, scopes: Sequence[Scope], span: Span, now: int) -> Iterator[tuple[Scope, Pane]]:
        """Each of them with its merged pane; those of people are made at once."""
        reps = [scope.id for scope in scopes if scope.kind == "rep" and scope.id is not None]
        panes = iter(self.merged_of(reps, span, now))
        for scope in scopes:
            yield scope, next(panes) if scope.kind == "rep" else self.merged(scope, span, now)

    def cells_of(self, metrics: Iterable[str]) -> frozenset[int]:
        """The cells that these metrics are read from."""
        return frozenset().union(*(self._bound.metrics[name].cells for name in metrics))

    def metrics_of(self, before: Pane, after: Pane) -> tuple[str, ...]:
        """The metrics that may differ between two panes, at whatever clocks: all others are equal."""
        cells = frozenset(cell for cell in before.keys() | after.keys() if before.get(cell) != after.get(cell))
        # What these leads count for depends on the clock.
        cells |= self._bound.pending & (before.keys() | after.keys())
        if UNREADABLE in cells:
            return tuple(self._bound.metrics)
        found = self._metrics_of.get(cells)
        if found is None:
            if len(self._metrics_of) >= CHANGES_REMEMBERED:
                self._metrics_of.clear()
            found = self._metrics_of[cells] = tuple(
                name
                for name, metric in self._bound.metrics.items()
                if not cells.isdisjoint(metric.cells) or not cells.isdisjoint(map(opening_of, metric.cells))
            )
        return found

    def totals_of(self, metric: str, places: NDArray[np.int64], span: Span) -> dict[Column, NDArray[Any]] | None:
        """What a metric is read from, by column, of everybody at these places; None: it is not plain numbers alone."""
        held = self._bound.metrics[metric]
        if not isinstance(held.reader, RoughReader) or not held.cells.isdisjoint(self._rep_days.cells):
            return None
        windows = span.windows()
        return self._bulk.totals(places, Window(windows[0]), Window(windows[-1]), held.cells)

    def total_ahead(self, metric: str, span: Span) -> Iterator[None]:
        """Make ahead what a metric of everybody is read from, with time for others after each step."""
        windows = span.windows()
        return self._bulk.ahead(Window(windows[0]), Window(windows[-1]), self._bound.metrics[metric].cells)

    def rough(self, metric: str, totals: Mapping[Column, NDArray[Any]], size: int) -> Rough | None:
        """About how large a metric of so many people is, of whom these are the totals; None: there is no saying."""
        reader = self._bound.metrics[metric].reader
        if not isinstance(reader, RoughReader):
            return None
        return reader.rough(
            lambda cell: {key: amounts for (held, key), amounts in totals.items() if held == cell}, size
        )

    def is_of_levels(self, metric: str) -> bool:
        """Whether it is made of levels: of what stands, less all that lies after an instant."""
        return not self._bound.metrics[metric].cells.isdisjoint(self._levels.cells)

    def moves_by_the_clock(self, metric: str, pane: Pane | None = None) -> bool:
        """Whether a metric (of this pane) changes though nothing happens: a level, and where leads wait for answers."""
        cells = self._bound.metrics[metric].cells
        pending = cells & self._bound.pending
        return bool(pending if pane is None else pending & pane.keys()) or self.is_of_levels(metric)

    def result(
        self, pane: Pane, now: int, metrics: Iterable[str] | None = None, span: Span | None = None
    ) -> ScopeValues:  # fmt: skip
        """The metrics of a merged pane; of a span that reaches further back than ids are kept, none of those."""
        return self._result(pane, now, self._bound.metrics if metrics is None else metrics, None, span)

    def result_on(self, blank: ScopeValues, pane: Pane, now: int, span: Span) -> ScopeValues:
        """As `result`, where `blank` is that of an empty pane: most metrics of most people are what they are of it."""
        names = [name for name in self.metrics_of({}, pane) if name in blank.own]
        return blank.replaced_by(self.result(pane, now, names, span))

    def segment(self, pane: Pane, now: int, metrics: Iterable[str], label: tuple[str, str], span: Span) -> ScopeValues:
        """The part of these metrics that has a label of a dimension."""
        return self._result(pane, now, metrics, label, span)

    def _result(
        self, pane: Pane, now: int, metrics: Iterable[str], label: tuple[str, str] | None, span: Span | None
    ) -> ScopeValues:
        reading = self.reading(now)
        values = ScopeValues()
        found = values.own
        since = None if span is None else self._kept_since(span, now)
        for name in metrics:
            metric = self._bound.metrics[name]
            lacking = since if since is not None or span is None else self._ids_kept_since(metric, span, now)
            if lacking is None and self._is_partly_known(name, pane):
                lacking = PARTLY_KNOWN
            if lacking is not None:
                found[name] = None
                values.unavailable[name] = lacking
                continue
            result = metric.reader_of(label).result(pane, reading)
            found[name] = result.value
            if result.bound is not None:
                values.bounds[name] = result.bound
        return values

    def _is_partly_known(self, metric: str, pane: Pane) -> bool:
        """Whether something that could not be read belongs to it: nobody knows what it would be with that."""
        reach = pane.get(UNREADABLE)
        return reach is not None and (reach == IN_SPAN or self.is_of_levels(metric))

    def not_kept(self, span: Span, now: int, metric: str | None = None) -> str | None:
        """Since when there is something of a span (or of this metric) that begins earlier; None: it is all there."""
        since = self._kept_since(span, now)
        if since is not None or metric is None:
            return since
        return self._ids_kept_since(self._bound.metrics[metric], span, now)

    def _kept_since(self, span: Span, now: int) -> str | None:
        kept = self.config.retention
        if span.days:
            first_day = self.calendar.day_of(now - kept.records)
            return f"kept since {date_of(first_day).isoformat()}" if span.first < first_day else None
        first_minute = first_minute_kept(now, kept.minutes)
        return f"kept since {format_instant(first_minute * MINUTE)}" if span.first < first_minute else None

    def _ids_kept_since(self, metric: Metric, span: Span, now: int) -> str | None:
        if metric.keep is None:
            return None
        first_day = self.calendar.day_of(now) - metric.keep
        begins = span.first if span.days else self.calendar.day_of(span.first * MINUTE)
        return f"kept since {date_of(first_day).isoformat()}" if begins < first_day else None

    def versions_in(self, span: Span) -> Mapping[str, list[int]]:
        """Metric -> its versions of which a span has days, where it has days of several."""
        first, last = (
            date_of(each if span.days else self.calendar.day_of(each * MINUTE)) for each in (span.first, span.last)
        )
        found = {name: entry.versions_between(first, last) for name, entry in self._versioned.items()}
        return {name: places for name, places in found.items() if len(places) > 1}

    def reading(self, now: int) -> Reading:
        """What metrics may look at, for a reader whose clock says `now`."""
        return Reading(now=now, money_digits=self.money_digits)

    @property
    def dimensions(self) -> Dimensions:
        """By name, those of the catalogue."""
        return self._bound.dimensions

    def lacking(self, metric: str, dimension: str) -> str | None:
        """The metric, or the part of it, that is not counted by a dimension; None: it can be told apart."""
        if self._bound.dimensions[dimension].is_of_person:
            return None
        # In rows a funnel is one number; /v1/funnels tells its parts.
        return metric if self.funnel(metric) is not None else self._bound.metrics[metric].lacking.get(dimension)

    def funnel(self, metric: str) -> FunnelReader | None:
        """What reads the steps of a metric; None: it is no funnel."""
        reader = self._bound.metrics[metric].reader
        return reader if isinstance(reader, FunnelReader) else None

    def funnel_parts(self, metric: str, dimension: str) -> Mapping[str, FunnelReader] | None:
        """The same by the labels of a dimension, in their order; None: it is not counted by that."""
        parts = self._bound.metrics[metric].segments.get(dimension)
        if parts is None:
            return None
        return {label: reader for label, reader in parts.items() if isinstance(reader, FunnelReader)}

    def labels(self, dimension: str) -> tuple[str, ...]:
        """All labels of a dimension, in their order."""
        return self._bound.dimensions[dimension].labels

    def exact(self, metric: str, pane: Pane, now: int, label: tuple[str, str] | None = None) -> Exact:
        """A metric (or the part of it that has a label of a dimension) of a merged pane, before it is shown."""
        if self._is_partly_known(metric, pane):
            return None
        return self._bound.metrics[metric].reader_of(label).exact(pane, self.reading(now))

    def sample(self, metric: str, pane: Pane, now: int) -> Exact:
        """How many cases a metric of a merged pane is made of; of counts and sums it is the value itself."""
        if self._is_partly_known(metric, pane):
            return None
        return sample_of(self._bound.metrics[metric].reader, pane, self.reading(now))

    def deals_without_rate(self) -> int:
        """Won deals in a currency that has no rate: they are left out of money metrics."""
        won = without_rate(self._bound.metrics.get("revenue_won"))
        return 0 if won is None else self.left_out.times(won)

    def negative_durations(self) -> Mapping[str, int]:
        """Metric -> how many it leaves out because they end before they start, of every duration."""
        found = {name: negative_durations(metric) for name, metric in self._bound.metrics.items()}
        return {name: sum(map(self.left_out.times, cells)) for name, cells in found.items() if cells}

    def comes_due(self, pane: Pane, since: int, now: int) -> bool:
        """Whether something waits in a merged pane whose time is over by now, and was not before."""
        return any(
            since < part <= now for cell in self._bound.pending & pane.keys() for key in pane[cell] for part in key
        )


__all__ = ["DECODED_WINDOWS", "ORGANISATION", "Floor", "Scope", "ScopeValues", "rep_scope", "team_scope"]
