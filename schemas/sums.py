"""Totals of everybody over stretches of windows: added up once, then moved by what comes in.

Owns which totals are kept. A total is an array with a number for each place; what has changed since it was asked for
last is told by `note`, and put into it when somebody asks again. Numbers are never rounded and never wrap.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.columns import Block, Column
from schemas.pane_store import HeldPane, PaneStore, pane_or_nothing, panes_of
from schemas.panes import Pane, written_name
from schemas.windows import Window, is_day

TotalArray = NDArray[Any]
ColumnTotals = Mapping[Column, TotalArray]
WindowStretch = tuple[Window, Window]
"""The first and the last one: both days, or both minutes."""

KEPT = 24
"""Stretches whose totals are kept."""
_MANY = 500
"""Panes of a window that are in no block, from which on its own totals are kept too."""
_NOTED = 2_000
"""Panes that may change before totals are moved by them, though nobody asks: of many it would take long at once."""
_AT_ONCE = 100
"""Panes that are read in one step of what is made ahead; so long takes about a millisecond."""
_FEW = 8
"""One of so many people: theirs is looked for in a column, instead of adding all of it."""
_SAFE = 2**62


@dataclass(slots=True)
class _Kept:
    cells: frozenset[int] | None
    """Of which cells they are; None: of all."""
    totals: dict[Column, TotalArray] = field(default_factory=dict)


class Sums:
    """Totals of what is in a store. `apart`: cells that do not add up from one window to the next."""

    def __init__(self, store: PaneStore, apart: frozenset[int]) -> None:
        self._store = store
        self._apart = apart
        self._kept: OrderedDict[WindowStretch, _Kept] = OrderedDict()
        self._making: dict[WindowStretch, _Kept] = {}
        """Of totals that are made ahead, what has changed since that was begun."""
        self._noted: dict[tuple[Window, str, int], HeldPane] = {}
        """What has changed since -> how it was before."""

    def note(self, window: Window, origin: str, place: int, before: HeldPane) -> None:
        """A pane has changed that was like this before."""
        if self._kept or self._making:
            self._noted.setdefault((window, origin, place), before)
            if len(self._noted) > _NOTED:
                self._settle()

    def forget(self) -> None:
        """Keep nothing."""
        self._kept.clear()
        self._making.clear()
        self._noted.clear()

    def totals(self, first: Window, last: Window, cells: frozenset[int] | None) -> ColumnTotals:
        """By column, of these cells (None: of all); where nobody has anything there may be none."""
        self._settle()
        kept = self._kept.get((first, last))
        if kept is None:
            kept = self._kept[first, last] = _Kept(frozenset())
        self._kept.move_to_end((first, last))
        if kept.cells is not None and cells is None:
            kept.totals, kept.cells = self._rolled(first, last, None) or self.of(first, last, None), None
        elif kept.cells is not None and cells is not None and not cells <= kept.cells:
            lacking = cells - kept.cells
            kept.totals |= self._rolled(first, last, lacking) or self.of(first, last, lacking)
            kept.cells |= lacking
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        if cells is None:
            return kept.totals
        return {column: total for column, total in kept.totals.items() if column.cell in cells}

    def ahead(self, first: Window, last: Window, cells: frozenset[int] | None) -> Iterator[None]:
        """Make what `totals` then gives at once, with time for others after each step.

        What is there at the beginning is added up, and what changes meanwhile is added to that in the end.
        """
        kept = self._kept.get((first, last), _Kept(frozenset()))
        if kept.cells is None or (cells is not None and cells <= kept.cells) or (first, last) in self._making:
            return
        lacking = None if cells is None else cells - kept.cells
        windows = self._store.windows_between(first, last)
        for window in windows:
            if self._has_totals(window, first, last):
                yield from self.ahead(window, window, None)
        self._settle()
        adding, changed, stock = _Adding(len(self._store.names), self._apart), _Kept(lacking), []
        self._making[first, last] = changed
        try:
            for window in windows:
                if self._has_totals(window, first, last):
                    self._add_totals(adding, window, lacking, 1)
                else:
                    fresh = {origin: dict(panes) for origin, panes in self._store.fresh(window).items()}
                    stock.append((window, dict(self._store.blocks(window)), fresh))
            for each in stock:
                yield from self._adding(adding, *each, lacking, 1, None)
            self._settle()
            if self._making.get((first, last)) is changed:
                self._keep(first, last, lacking, adding.totals, changed.totals)
        finally:
            if self._making.get((first, last)) is changed:
                del self._making[first, last]

    def _keep(self, first: Window, last: Window, cells: frozenset[int] | None, *parts: ColumnTotals) -> None:
        """What was made ahead, of these parts."""
        adding = _Adding(len(self._store.names), self._apart)
        for part in parts:
            for column, total in part.items():
                adding.add_total(column, total)
        kept = self._kept.setdefault((first, last), _Kept(frozenset()))
        if kept.cells is not None:
            kept.totals |= adding.totals
            kept.cells = None if cells is None else kept.cells | cells

    def of(
        self, first: Window, last: Window, cells: frozenset[int] | None, places: AbstractSet[int] | None = None
    ) -> dict[Column, TotalArray]:  # fmt: skip
        """The same, made anew and not kept. `places`: what it says of others than these means nothing."""
        adding = _Adding(len(self._store.names), self._apart)
        self._add(adding, first, last, cells, 1, places)
        return adding.totals

    def _rolled(self, first: Window, last: Window, cells: frozenset[int] | None) -> dict[Column, TotalArray] | None:
        """The same, made of what is kept of a stretch that is nearly the same one, if there is any."""
        for (begin, end), kept in self._kept.items():
            gap = abs(first - begin) + abs(last - end)
            if (first - begin) % 2 or not gap or 4 * gap > last - first:
                continue
            if kept.cells is None or (cells is not None and cells <= kept.cells):
                adding = _Adding(len(self._store.names), self._apart)
                for column, total in kept.totals.items():
                    if cells is None or column.cell in cells:
                        adding.add_total(column, total)
                self._add(adding, begin, Window(first - 2), cells, -1)
                self._add(adding, first, Window(begin - 2), cells, 1)
                self._add(adding, Window(last + 2), end, cells, -1)
                self._add(adding, Window(end + 2), last, cells, 1)
                return adding.totals
        return None

    def _add(
        self, adding: "_Adding", first: Window, last: Window, cells: frozenset[int] | None, sign: int,
        places: AbstractSet[int] | None = None,
    ) -> None:  # fmt: skip
        for window in self._store.windows_between(first, last):
            if places is None and self._has_totals(window, first, last):
                self._add_totals(adding, window, cells, sign)
                continue
            blocks, fresh = self._store.blocks(window), self._store.fresh(window)
            for _ in self._adding(adding, window, blocks, fresh, cells, sign, places):
                pass

    def _add_totals(self, adding: "_Adding", window: Window, cells: frozenset[int] | None, sign: int) -> None:
        for column, total in self.totals(window, window, None).items():
            if cells is None or column.cell in cells:
                adding.add_total(column, total, sign)

    def _has_totals(self, window: Window, first: Window, last: Window) -> bool:
        """Whether the totals of a window of that stretch are kept too."""
        return is_day(window) and first != last and sum(map(len, self._store.fresh(window).values())) > _MANY

    def _adding(
        self, adding: "_Adding", window: Window, blocks: Mapping[str, Block],
        fresh: Mapping[str, Mapping[int, bytes | None]], cells: frozenset[int] | None, sign: int,
        places: AbstractSet[int] | None,
    ) -> Iterator[None]:  # fmt: skip
        """Add what lies in a window, by steps."""
        wanted = None if cells is None else np.array([*cells], np.uint64)
        names = None if cells is None else [*map(written_name, cells)]
        theirs = in_block_order(places) if places is not None and _FEW * len(places) < len(self._store.names) else None
        for origin, block in blocks.items():
            adding.add_block(block, wanted, fresh.get(origin, {}), sign, theirs)
            yield
        for number, (origin, place, value) in enumerate(panes_of(fresh, places, names), 1):
            # What is not there any more says nothing of what is.
            is_there = self._store.held(window, origin, place) is value
            pane = self._store.read(window, origin, place, value) if is_there else pane_or_nothing(value)
            adding.add_pane(self._entries(pane), place, cells, sign)
            if not number % _AT_ONCE:
                yield

    def _settle(self) -> None:
        """Move what is kept by what has changed."""
        noted, self._noted = self._noted, {}
        kept = {window: self._kept_with(window) for window in {window for window, _, _ in noted}}
        packed: dict[tuple[Window, Block], list[int]] = {}
        moved: dict[Window, dict[Column, dict[int, int]]] = {}
        for (window, origin, place), before in noted.items():
            if not kept[window]:
                continue
            deltas = moved.setdefault(window, {})
            now = self._store.held(window, origin, place)
            pane = self._store.read(window, origin, place, now) if isinstance(now, bytes) else _pane_of(now, place)
            self._note_deltas(deltas, pane, place, 1)
            if isinstance(before, Block):
                packed.setdefault((window, before), []).append(place)
            else:
                self._note_deltas(deltas, _pane_of(before, place), place, -1)
        for window, columns in moved.items():
            for column, by_place in columns.items():
                places = np.fromiter(by_place, np.int64, len(by_place))
                self._move(kept[window], column, places, _array_of([*by_place.values()]), 1)
        for (window, block), there in packed.items():
            self._take_out(block, there, kept[window])

    def _note_deltas(self, deltas: dict[Column, dict[int, int]], pane: Pane, place: int, sign: int) -> None:
        for column, amount in self._entries(pane):
            by_place = deltas.setdefault(column, {})
            by_place[place] = by_place.get(place, 0) + amount * sign

    def _kept_with(self, window: Window) -> list[_Kept]:
        """What is kept, or being made, of stretches that a window lies in."""
        return [
            held
            for (first, last), held in (*self._kept.items(), *self._making.items())
            if first <= window <= last and (window - first) % 2 == 0
        ]

    def _take_out(self, block: Block, places: Collection[int], kept: Sequence[_Kept]) -> None:
        """Take what these people have in a block out of what is kept: column by column, of all of them at once."""
        wanted = in_block_order(places)
        for number in block.numbers(None):
            column = block.name(number)
            there, amounts = block.column(number, wanted)
            if len(there):
                self._move(kept, column, there, amounts, -1)

    def _move(
        self, kept: Sequence[_Kept], column: Column, places: NDArray[Any], amounts: NDArray[Any], sign: int
    ) -> None:  # fmt: skip
        """Add what these people have of a column to what is kept, or take it out. Each of them stands there once."""
        if column.cell not in self._apart:
            for held in kept:
                if held.cells is None or column.cell in held.cells:
                    held.totals[column] = self._moved(held.totals.get(column), places, amounts, sign)

    def _moved(self, total: TotalArray | None, places: NDArray[Any], amounts: NDArray[Any], sign: int) -> TotalArray:
        """Both are less than what may not be added in 64 bits, or one is of Python's numbers."""
        total = self._sized(total)
        if np.object_ in {total.dtype.type, amounts.dtype.type} or _bound(amounts) >= _SAFE:
            total = total.astype(object)
            total[places] += amounts.astype(object) * sign
            return total
        after = total[places] + amounts if sign > 0 else total[places] - amounts
        if max(-int(after.min()), int(after.max())) >= _SAFE:
            total = total.astype(object)
        total[places] = after
        return total

    def _entries(self, pane: Pane) -> Iterator[tuple[Column, int]]:
        """What of a pane is in columns."""
        for cell, held in pane.items():
            if type(held) is int:
                yield Column(cell, None), held
            elif cell in self._store.parts:
                for key, amount in held.items():
                    yield Column(cell, key), amount

    def _sized(self, total: TotalArray | None) -> TotalArray:
        """With a number for everybody."""
        size = len(self._store.names)
        if total is None:
            return np.zeros(size, np.int64)
        return total if len(total) == size else np.append(total, np.zeros(size - len(total), total.dtype))


def _array_of(numbers: Sequence[int]) -> NDArray[Any]:
    """Of 64 bits, or of Python's numbers where one of them is larger than may be added in those."""
    return np.array(numbers, np.int64 if max(map(abs, numbers)) < _SAFE else object)


def _pane_of(held: HeldPane, place: int) -> Pane:
    if isinstance(held, Block):
        return held.pane(place) or {}
    return {} if held is None else pane_or_nothing(held)


class _Adding:
    """Totals while they are made."""

    def __init__(self, size: int, apart: frozenset[int]) -> None:
        self.totals: dict[Column, TotalArray] = {}
        self._size = size
        self._apart = apart
        self._bounds: dict[Column, int] = {}
        """No number of a total is larger."""

    def add_block(
        self, block: Block, cells: NDArray[np.uint64] | None, over: Mapping[int, bytes | None], sign: int,
        theirs: NDArray[np.int64] | None,
    ) -> None:  # fmt: skip
        """The columns of these cells, of these people; not of those of whom there is something else."""
        is_gone = None
        if over:
            is_gone = np.zeros(self._size, np.bool_)
            is_gone[[*over]] = True
        for number in block.numbers(cells):
            name = block.name(number)
            if name.cell in self._apart:
                continue
            places, amounts = block.column(number, theirs)
            if is_gone is not None:
                stays = ~is_gone[places]
                places, amounts = places[stays], amounts[stays]
            if not len(places):
                continue
            total = self._total(name, _bound(amounts))
            first, last = int(places[0]), int(places[-1])
            _put(total, slice(first, last + 1) if last - first + 1 == len(places) else places, amounts, sign)

    def add_total(self, column: Column, other: TotalArray, sign: int = 1) -> None:
        """A total of a part of the stretch."""
        total = self._total(column, _SAFE if other.dtype == object else _bound(other))
        _put(total, slice(len(other)), other, sign)

    def add_pane(
        self, entries: Iterable[tuple[Column, int]], place: int, cells: frozenset[int] | None, sign: int = 1
    ) -> None:
        """What of a single pane is in columns."""
        for column, amount in entries:
            if (cells is None or column.cell in cells) and column.cell not in self._apart:
                self._total(column, abs(amount))[place] += amount * sign

    def _total(self, column: Column, bound: int) -> TotalArray:
        held = self.totals.get(column)
        if held is None:
            held = self.totals[column] = np.zeros(self._size, np.int64)
        bound = self._bounds[column] = self._bounds.get(column, 0) + bound
        if bound >= _SAFE and held.dtype != object:
            held = self.totals[column] = held.astype(object)
        return held


def _put(total: TotalArray, places: slice | NDArray[Any], amounts: NDArray[Any], sign: int) -> None:
    amounts = amounts.astype(object) if total.dtype == object else amounts
    if sign > 0:
        total[places] += amounts
    else:
        total[places] -= amounts


def _bound(amounts: NDArray[Any]) -> int:
    if amounts.itemsize < 8:
        return 1 << 8 * amounts.itemsize - 1
    return max(-int(amounts.min()), int(amounts.max()))


def in_block_order(places: Collection[int]) -> NDArray[np.int64]:
    """As a block is asked for them."""
    return np.sort(np.fromiter(places, np.int64, len(places)))
