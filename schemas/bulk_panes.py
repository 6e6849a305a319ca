"""Panes of many people at once, from columns: each as if their own panes had been merged one by one.

Owns the way from totals back to panes. What is in no column (samples, ids, what waits) is decoded and merged as ever.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.columns import Column
from schemas.pane_store import PaneStore, panes_of
from schemas.panes import Pane, decode_pane, merge, written_name
from schemas.sums import ColumnTotals, Sums
from schemas.windows import Day, Span, Window

_SAFE = 2**62
_MANY_DAYS = 7
"""A series asks for one day after the other: their totals are not to drive out those of longer spans."""


class BulkPanes:
    """Merges what is in a store. `days`: cells of which only matters on which days somebody has something."""

    def __init__(
        self, store: PaneStore, sums: Sums, counts: frozenset[int], days: frozenset[int], levels: frozenset[int]
    ) -> None:
        """`counts`: cells without keys. `levels`: those of which the panes of a span are not what is read."""
        self._store = store
        self._sums = sums
        self._days = days
        self._in_columns = (counts | store.parts) - days
        self._levels = levels

    def totals(
        self, places: NDArray[np.int64], first: Window, last: Window, cells: frozenset[int]
    ) -> dict[Column, NDArray[Any]] | None:  # fmt: skip
        """What these people have of these cells; None where not all of that is in columns, or adds up."""
        if not cells <= self._in_columns - self._levels:
            return None
        return {column: _at(total, places) for column, total in self._sums.totals(first, last, cells).items()}

    def ahead(self, first: Window, last: Window, cells: frozenset[int]) -> Iterator[None]:
        """Make the totals that these cells are read from, with time for others after each step."""
        return self._sums.ahead(first, last, cells & self._in_columns)

    def of_rep(self, rep: str | None, span: Span, cells: frozenset[int] | None) -> Pane | None:
        """Somebody's pane of some cells over days, from totals that others will ask for too.

        None: not all is in columns, or so little that it is found sooner where it lies. In the block of each day it
        would have to be searched for.
        """
        place = self._store.places.get(rep)
        if place is None or cells is None or not span.days or not self._store.is_packed:
            return None
        if not cells <= self._in_columns - self._levels:
            return None
        windows = span.windows()
        if len(windows) < _MANY_DAYS:
            return None
        first, last = Window(windows[0]), Window(windows[-1])
        found: Pane = {}
        for (cell, key), total in self._sums.totals(first, last, cells).items():
            amount = int(total[place]) if place < len(total) else 0
            if amount and key is None:
                found[cell] = amount
            elif amount:
                found.setdefault(cell, {})[key] = amount
        return found

    def of_people(
        self, places: Sequence[int], first: Window, last: Window, cells: frozenset[int] | None,
        day_of: Callable[[Window], Day],
    ) -> list[Pane]:  # fmt: skip
        """The pane of each of them over a stretch of windows; of these cells (None: of all) at least."""
        group_of = {place: number for number, place in enumerate(places)}
        in_columns = None if cells is None else cells & self._in_columns
        totals = {} if in_columns == frozenset() else self._sums.totals(first, last, in_columns)
        return self._panes(totals, first, last, group_of, len(places), cells, day_of)

    def levels_of(
        self, places: Sequence[int], first: Window, last: Window, day_of: Callable[[Window], Day]
    ) -> list[Pane]:  # fmt: skip
        """The same of what is part of levels, in stretches of which nobody else will ask."""
        group_of = {place: number for number, place in enumerate(places)}
        totals = self._sums.of(first, last, self._levels, group_of.keys())
        return self._panes(totals, first, last, group_of, len(places), self._levels, day_of)

    def of_groups(
        self, first: Window, last: Window, group_of: Mapping[int, int], number: int, day_of: Callable[[Window], Day]
    ) -> list[Pane]:  # fmt: skip
        """The panes of so many groups over a stretch of windows. `group_of`: the group of each place that is in one."""
        totals = self._sums.of(first, last, None, group_of.keys())
        return self._panes(totals, first, last, group_of, number, None, day_of)

    def _panes(
        self, totals: ColumnTotals, first: Window, last: Window, group_of: Mapping[int, int], number: int,
        cells: frozenset[int] | None, day_of: Callable[[Window], Day],
    ) -> list[Pane]:  # fmt: skip
        found: list[Pane] = [{} for _ in range(number)]
        if not group_of:
            return found
        places, groups = np.array([*group_of], np.int64), np.array([*group_of.values()], np.int64)
        order = np.argsort(groups, kind="stable")
        some, starts = np.unique(groups[order], return_index=True)
        for (cell, key), total in totals.items():
            for group, amount in _by_group(_at(total, places[order]), some, starts):
                if key is None:
                    found[group][cell] = amount
                else:
                    found[group].setdefault(cell, {})[key] = amount
        if cells is not None and cells <= self._in_columns:
            return found
        parts: list[list[Pane]] = [[] for _ in range(number)]
        wanted = np.sort(places)
        for window in self._store.windows_between(first, last):
            for place, rest in self._rests(window, group_of.keys(), wanted, cells):
                parts[group_of[place]].append(rest)
            for cell in self._days if cells is None else self._days & cells:
                for place in self._present(window, cell, group_of.keys(), wanted):
                    # What nobody did is done on no person's day.
                    if place:
                        parts[group_of[place]].append({cell: {(self._store.names[place], day_of(window)): 1}})
        return [pane | merge(rests) if rests else pane for pane, rests in zip(found, parts, strict=True)]

    def _rests(
        self, window: Window, places: AbstractSet[int], wanted: NDArray[np.int64], cells: frozenset[int] | None
    ) -> Iterator[tuple[int, Pane]]:  # fmt: skip
        """What of these people's panes is in no column, by origin. `wanted`: they as a block is asked for them."""
        fresh = self._store.fresh(window)
        names = None if cells is None else sorted(map(written_name, cells - self._in_columns - self._days))
        for origin, block in self._store.blocks(window).items():
            over = fresh.get(origin, {})
            for place, rest in block.rests(wanted, names):
                if place not in over:
                    yield place, decode_pane(rest)
        for origin, place, value in panes_of(fresh, places, names):
            pane = self._store.read(window, origin, place, value)
            parts = self._store.parts
            found = {cell: part for cell, part in pane.items() if type(part) is not int and cell not in parts}
            if found:
                yield place, found

    def _present(
        self, window: Window, cell: int, places: AbstractSet[int], wanted: NDArray[np.int64]
    ) -> Iterator[int]:  # fmt: skip
        """Who of them has more than nothing in a cell, of all origins together."""
        amounts: dict[int, int] = {}
        fresh, cells = self._store.fresh(window), np.array([cell], np.uint64)
        for origin, block in self._store.blocks(window).items():
            over = fresh.get(origin, {})
            for number in block.numbers(cells):
                theirs = (part.tolist() for part in block.column(number, wanted))
                for place, amount in zip(*theirs, strict=True):
                    if place not in over:
                        amounts[place] = amounts.get(place, 0) + amount
        for origin, place, value in panes_of(fresh, places, [written_name(cell)]):
            pane = self._store.read(window, origin, place, value)
            amounts[place] = amounts.get(place, 0) + int(pane.get(cell, 0))
        return (place for place, amount in amounts.items() if amount > 0)


def _at(total: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """Of those places; 0 of who came after the total was made."""
    if len(index) and int(index.max()) >= len(total):
        total = np.append(total, np.zeros(int(index.max()) + 1 - len(total), total.dtype))
    return total[index]


def _by_group(amounts: NDArray[Any], some: NDArray[Any], starts: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """(group, sum of its amounts), of those whose sum is not 0."""
    if amounts.dtype != object and len(amounts) * max(-int(amounts.min()), int(amounts.max())) >= _SAFE:
        amounts = amounts.astype(object)
    # Groups follow one another: each goes up to the beginning of the next.
    sums = np.add.reduceat(amounts, starts)
    hits = np.flatnonzero(sums)
    return zip(some[hits].tolist(), sums[hits].tolist(), strict=True)
