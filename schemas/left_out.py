"""How often something was left out of a metric: a deal without a rate, a duration that ends before it starts.

Owns the count of all days, kept beside the panes: who asks for it has no need to read them all.
"""

from collections.abc import Mapping

import numpy as np

from schemas.catalogue import Metric
from schemas.catalogue.duration import DurationReader
from schemas.catalogue.simple import SimpleReader
from schemas.catalogue.versions import VersionsReader
from schemas.pane_store import PaneStore, pane_or_nothing
from schemas.panes import written_name
from schemas.windows import Window, is_day


class LeftOut:
    """By the cell that counts it."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._held: dict[int, dict[tuple[Window, str | None, str], int]] = {cell: {} for cell in _noted_cells(metrics)}
        self._named = [(written_name(cell), cell, held) for cell, held in self._held.items()]

    def note(self, origin: str, rep: str | None, window: Window, value: bytes | None) -> None:
        """A pane has come (None: is gone); only one that says something of this is decoded."""
        if is_day(window):
            for name, cell, held in self._named:
                if value is not None and name in value:
                    held[window, rep, origin] = pane_or_nothing(value).get(cell, 0)
                elif held:
                    held.pop((window, rep, origin), None)

    def restore(self, store: PaneStore) -> None:
        """All that a store holds, and nothing else."""
        for held in self._held.values():
            held.clear()
        cells = np.array([*self._held], np.uint64)
        for window in store.windows():
            for origin, block in store.blocks(window).items():
                over = store.fresh(window).get(origin, {})
                for number in block.numbers(cells):
                    held = self._held[block.name(number).cell]
                    for place, amount in zip(*(each.tolist() for each in block.column(number)), strict=True):
                        if amount and place not in over:
                            held[window, store.names[place], origin] = amount
            for origin, panes in store.fresh(window).items():
                for place, value in panes.items():
                    self.note(origin, store.names[place], window, value)

    def times(self, cell: int) -> int:
        """On all days that are kept."""
        return sum(self._held.get(cell, {}).values())


def without_rate(metric: Metric | None) -> int | None:
    """The cell that counts for how many rows of a metric there was no rate."""
    reader = None if metric is None else metric.reader
    return reader.left_out.name if isinstance(reader, SimpleReader) and reader.left_out is not None else None


def negative_durations(metric: Metric) -> list[int]:
    """The cells that count what a metric leaves out because it ends before it starts."""
    readers = metric.reader.readers if isinstance(metric.reader, VersionsReader) else (metric.reader,)
    return [reader.negative.name for reader in readers if isinstance(reader, DurationReader)]


def _noted_cells(metrics: Mapping[str, Metric]) -> set[int]:
    won = without_rate(metrics.get("revenue_won"))
    negative = {cell for metric in metrics.values() for cell in negative_durations(metric)}
    return negative if won is None else negative | {won}
