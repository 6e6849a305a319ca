"""What lies in no list of a dimension: read off what there is in all, less what all the other labels hold.

Owns which readers can be read so, and the taking away. A floor that does not use a dimension stores nothing for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.catalogue.base import Exact, MetricReader, Reading, Result, sample_of
from schemas.catalogue.dimensions import JOINED
from schemas.catalogue.funnel import FunnelReader
from schemas.catalogue.plan import Kind, Measure
from schemas.panes import Pane, exchange


@dataclass(frozen=True, slots=True)
class RemainderReader:
    """Reads what is left as `whole` reads it."""

    whole: MetricReader
    others: tuple[MetricReader, ...]
    """Of all other labels."""

    @property
    def measures(self) -> Sequence[Measure]:
        return (*self.whole.measures, *(measure for reader in self.others for measure in reader.measures))

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        return self.whole.exact(self._left(pane), reading)

    def sample(self, pane: Pane, reading: Reading) -> Exact:
        return sample_of(self.whole, self._left(pane), reading)

    def result(self, pane: Pane, reading: Reading) -> Result:
        return self.whole.result(self._left(pane), reading)

    def _left(self, pane: Pane) -> Pane:
        names = [measure.name for measure in self.whole.measures]
        left: Pane = {name: pane[name] for name in names if name in pane}
        for part in self._parts(pane, names):
            exchange(left, part, {})
        return left

    def _parts(self, pane: Pane, names: Sequence[int]) -> Iterator[Pane]:
        for reader in self.others:
            # Two measures may be one cell: it is taken away once.
            places = dict(zip(names, (measure.name for measure in reader.measures), strict=True))
            yield {name: pane[cell] for name, cell in places.items() if cell in pane}


def with_remainder(whole: MetricReader, by_label: Mapping[str, MetricReader]) -> Mapping[str, MetricReader]:
    """The readers of all labels, of which the last one is what is left, if all of them together are the whole."""
    *others, last = by_label
    shapes = {_shape(reader) for reader in (whole, *by_label.values())}
    if not others or len(shapes) > 1 or not all(map(_can_be_taken_away, (whole, *by_label.values()))):
        return by_label
    return {**by_label, last: RemainderReader(whole, tuple(by_label[label] for label in others))}


def _can_be_taken_away(reader: MetricReader) -> bool:
    """Whether its cells are sums, and one record says by itself what it counts for and under which label."""
    return not isinstance(reader, FunnelReader) and all(
        measure.kind is Kind.SUM and not any(part.fact.startswith(JOINED) for part in measure.parts)
        for measure in reader.measures
    )


def _shape(reader: MetricReader) -> tuple[tuple[object, ...], ...]:
    return tuple((measure.form, *sorted({part.fact for part in measure.parts})) for measure in reader.measures)
