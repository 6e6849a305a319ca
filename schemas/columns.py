"""Panes of one origin in one window, laid out by what they count: a column for each number, everybody's in a row.

Owns the layout of a block. A block is never changed: it is made of panes, and read, from memory or from a file. Numbers
lie in columns, each with the people who have one and the amounts, of the narrowest integers that hold them; where most
people have one, everybody between the first and the last does, some of them 0. What is no plain number (samples, ids,
what waits for the clock) lies beside them as it stands in panes.

    head · bits of who has a pane · cells · keys · starts · places · amounts of 1, 2, 4 and 8 bytes · rest
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from msgspec import ValidationError
from numpy.typing import NDArray

from schemas.catalogue.plan import Form, Plan
from schemas.panes import NAME_BYTES, Pane, cells_of, decode_pane, encode_pane, split_pane, unpacked

Buffer = bytes | memoryview
Integers = NDArray[np.signedinteger[Any]]
Places = NDArray[np.unsignedinteger[Any]]
Entries = tuple[NDArray[Any], NDArray[Any]]
"""(people, amounts)."""


class Column(NamedTuple):
    """A number of a pane: of a cell that counts, or one part of an amount."""

    cell: int
    key: int | None


_WIDTHS = (1, 2, 4, 8)
_SCANNED = 10_000
"""Of so many people in a column all are compared in the time in which one is found by search."""
_NOBODY = np.empty(0, np.int64)
_NO_KEY = -(2**63)
_MOST = 2**63 - 1
_BYTES = np.array([256**place for place in reversed(range(NAME_BYTES))], np.uint64)
"""What each byte of a name is worth."""
_Written = tuple[list[int], list[int]]
_HEAD = 8
"""Integers: who is the last one, columns, bytes of a place, entries of each width, people with a rest."""


def parts_in(plan: Plan) -> frozenset[int]:
    """The cells of which each part is a column; the others with keys are not."""
    return frozenset(cell for cell, form in plan.forms.items() if form in {Form.NUMBER, Form.DECIMAL})


def packed_block(panes: Mapping[int, bytes | None], parts: frozenset[int], before: "Block | None" = None) -> bytes:
    """A block of these panes, by place, and of all others of `before`; None takes one away.

    Raises msgspec.MsgspecError where one cannot be read.
    """
    names: list[bytes] = []
    amounts: list[int] = []
    people: list[int] = []
    keyed: dict[int, dict[Any, _Written]] = {}
    rests: dict[int, bytes] = {}
    for place, value in panes.items():
        if value is None:
            continue
        # A pane has some tens of numbers, and a floor millions of panes: those without keys are taken apart at once.
        named, values = split_pane(value)
        rest: Pane = {}
        for number, held in enumerate(values):
            if type(held) is not int:
                cell = cells_of(named)[number]
                content, values[number] = unpacked(held), 0
                if cell not in parts:
                    rest[cell] = content
                    continue
                columns_of = keyed.setdefault(cell, {})
                for key, amount in content.items():
                    column = columns_of.get(key)
                    if column is None:
                        column = columns_of[key] = [], []
                    column[0].append(place)
                    column[1].append(amount)
        names.append(named)
        amounts += values
        people += [place] * len(values)
        if rest:
            rests[place] = encode_pane(rest)
    columns = {Column(cell, key): _entries(held, key) for cell, by_key in keyed.items() for key, held in by_key.items()}
    columns |= _counts(b"".join(names), _entries((people, amounts)))
    here = {place for place, value in panes.items() if value is not None}
    if before is not None:
        # Looked up once for all columns, of which there may be very many.
        stays = before.without(np.array([*panes], np.int64))
        here.update(np.flatnonzero(stays).tolist())
        rests |= {place: rest for place, rest in before.rests() if place not in panes}
        _put_back(columns, before, stays)
    return _laid_out(sorted(here), columns, dict(sorted(rests.items())))


def _counts(names: bytes, written: Entries) -> dict[Column, Entries]:
    """The columns of cells without keys, of what stands one behind the other."""
    cells = np.frombuffer(names, np.uint8).reshape(-1, NAME_BYTES).astype(np.uint64) @ _BYTES
    some = np.flatnonzero(written[1])
    some = some[np.argsort(cells[some], kind="stable")]
    found, starts = np.unique(cells[some], return_index=True)
    each = zip(found.tolist(), np.split(some, starts[1:]), strict=False)
    return {Column(cell, None): (written[0][at], written[1][at]) for cell, at in each}


def _entries(written: _Written, key: Any = 0) -> Entries:
    """Raises msgspec.ValidationError."""
    try:
        if not isinstance(key, int) or not 0 <= key <= _MOST:
            raise OverflowError
        amounts = np.array(written[1], np.int64)
    except OverflowError:
        amounts = np.array([_NO_KEY])
    if len(amounts) and amounts.min() == _NO_KEY:
        msg = "a cell holds an amount of more than 64 bits, or of a part that there is not"
        raise ValidationError(msg)
    return np.array(written[0], np.int64), amounts


def _put_back(columns: dict[Column, Entries], before: "Block", stays: NDArray[np.bool_]) -> None:
    """Join to the columns what a block has of those who stay, by place."""
    for number, name in enumerate(before.names()):
        places, amounts = before.column(number)
        kept = (amounts != 0) & stays[places]
        if kept.any():
            held = columns.get(name, (_NOBODY, _NOBODY))
            columns[name] = np.append(held[0], places[kept]), np.append(held[1], amounts[kept])


def _laid_out(here: Sequence[int], found: Mapping[Column, Entries], rests: Mapping[int, bytes]) -> bytes:
    last = here[-1] if here else -1
    kind = np.dtype(np.uint16 if last < 2**16 else np.uint32)
    bits = np.zeros(last + 1, np.uint8)
    bits[here] = 1
    columns = [(column, *_dense(places, amounts)) for column, (places, amounts) in found.items()]
    columns.sort(key=lambda each: (each[2].itemsize, each[0].cell, _NO_KEY if each[0].key is None else each[0].key))
    sizes = [sum(len(amounts) for _, _, amounts in columns if amounts.itemsize == width) for width in _WIDTHS]
    starts = np.cumsum([0, *(len(places) for _, places, _ in columns)], dtype=np.int64)
    ends = np.cumsum([0, *map(len, rests.values())], dtype=np.int64)
    pieces: list[NDArray[Any]] = [
        np.array([last, len(columns), kind.itemsize, *sizes, len(rests)], np.int64),
        np.packbits(bits, bitorder="little"),
        np.array([column.cell for column, _, _ in columns], np.uint64),
        np.array([_NO_KEY if column.key is None else column.key for column, _, _ in columns], np.int64),
        starts,
        _joined([places.astype(kind) for _, places, _ in columns], kind),
        *(_joined([amounts for _, _, amounts in columns], np.dtype(f"i{width}")) for width in _WIDTHS),
        np.array([*rests], kind),
        ends,
        np.frombuffer(b"".join(rests.values()), np.uint8),
    ]
    return b"".join(piece.tobytes() + bytes(-piece.nbytes % 8) for piece in pieces)


def _joined(arrays: Sequence[NDArray[Any]], kind: np.dtype[Any]) -> NDArray[Any]:
    same = [array for array in arrays if array.dtype == kind]
    return np.concatenate(same) if same else np.empty(0, kind)


def _dense(places: NDArray[Any], amounts: NDArray[Any]) -> Entries:
    """In order; of everybody between the first and the last, where most of them have one."""
    lowest, highest = int(amounts.min()), int(amounts.max())
    kind = np.promote_types(np.min_scalar_type(min(lowest, -1)), np.min_scalar_type(min(-highest - 1, -1)))
    first, last = int(places.min()), int(places.max())
    span = last - first + 1
    if 2 * len(places) <= span:
        order = np.argsort(places)
        return places[order], amounts[order].astype(kind)
    dense = np.zeros(span, kind)
    dense[places - first] = amounts
    return np.arange(first, last + 1), dense


class Block:
    """The panes of one origin in one window."""

    __slots__ = (
        "_bits", "_cells", "_ends", "_groups", "_holding", "_keys", "_last", "_place_of", "_rest", "_rests", "_starts",
        "buffer",
    )  # fmt: skip

    def __init__(self, buffer: Buffer) -> None:
        """Of what `packed_block` made. Raises ValueError where it is shorter than it says."""
        self.buffer = buffer
        at = 0

        def section(kind: Any, number: int) -> NDArray[Any]:
            nonlocal at
            found = np.frombuffer(buffer, kind, number, at)
            at += found.nbytes + -found.nbytes % 8
            return found

        last, columns, width, *sizes, rests = section(np.int64, _HEAD).tolist()
        self._last = last
        self._bits = section(np.uint8, (last + 8) // 8)
        self._cells, self._keys = section(np.uint64, columns), section(np.int64, columns)
        self._starts = section(np.int64, columns + 1)
        kind = np.dtype(f"u{width}")
        self._place_of = section(kind, sum(sizes))
        self._groups = [section(np.dtype(f"i{each}"), size) for each, size in zip(_WIDTHS, sizes, strict=True)]
        self._rests = section(kind, rests)
        self._ends = section(np.int64, rests + 1)
        self._rest = section(np.uint8, int(self._ends[-1]))
        self._holding: tuple[Sequence[bytes], NDArray[np.bool_]] | None = None
        """Which rests may have one of some cells: of those that were asked for last."""

    def __len__(self) -> int:
        return int(np.bitwise_count(self._bits).sum())

    def has(self, place: int) -> bool:
        """Whether somebody has a pane here."""
        return 0 <= place <= self._last and bool(self._bits[place >> 3] >> (place & 7) & 1)

    def places(self) -> list[int]:
        """Who has one, in order."""
        found: list[int] = np.flatnonzero(np.unpackbits(self._bits, bitorder="little")).tolist()
        return found

    def without(self, gone: NDArray[np.int64]) -> NDArray[np.bool_]:
        """By place: whether somebody has one and is none of these."""
        stays = np.unpackbits(self._bits, bitorder="little").astype(bool)
        stays[gone[gone < len(stays)]] = False
        return stays

    def names(self) -> list[Column]:
        """The columns, in their order."""
        keys = (None if key == _NO_KEY else key for key in self._keys.tolist())
        return [Column(cell, key) for cell, key in zip(self._cells.tolist(), keys, strict=True)]

    def numbers(self, cells: NDArray[np.uint64] | None) -> list[int]:
        """The numbers of the columns of these cells; None: of all."""
        if cells is None:
            return [*range(len(self._cells))]
        found: list[int] = np.flatnonzero(np.isin(self._cells, cells)).tolist()
        return found

    def name(self, number: int) -> Column:
        """Of which number the column is."""
        key = int(self._keys[number])
        return Column(int(self._cells[number]), None if key == _NO_KEY else key)

    def column(self, number: int, wanted: NDArray[np.int64] | None = None) -> tuple[Places, Integers]:
        """Who has how much of the column of that number, each once, in order; some have 0.

        `wanted`: of these places alone, which are in order.
        """
        places, amounts = self._column(number)
        if wanted is None:
            return places, amounts
        at = self._found(places, wanted)
        return places[at], amounts[at]

    def _found(self, places: Places, wanted: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where in a part of the block, which is in order, stands what is wanted of it."""
        reached = wanted[: np.searchsorted(wanted, self._last, "right")].astype(places.dtype)
        at = np.searchsorted(places, reached)
        reached, at = reached[at < len(places)], at[at < len(places)]
        found: NDArray[np.intp] = at[places[at] == reached]
        return found

    def _column(self, number: int) -> tuple[Places, Integers]:
        first, end = int(self._starts[number]), int(self._starts[number + 1])
        base = 0
        for group in self._groups:
            if first < base + len(group):
                return self._place_of[first:end], group[first - base : end - base]
            base += len(group)
        return self._place_of[:0], self._groups[0][:0]

    def pane(self, place: int) -> Pane | None:
        """Somebody's pane as it was packed; None: they have none."""
        if not self.has(place):
            return None
        found: Pane = {}
        hits = self._hits(place)
        numbers = np.searchsorted(self._starts, hits, "right") - 1
        amounts: list[int] = []
        base = 0
        for group in self._groups:
            if len(group):
                first, end = np.searchsorted(hits, (base, base + len(group)))
                amounts += group[hits[first:end] - base].tolist()
                base += len(group)
        columns = zip(self._cells[numbers].tolist(), self._keys[numbers].tolist(), amounts, strict=True)
        for cell, key, amount in columns:
            if not amount:
                continue
            if key == _NO_KEY:
                found[cell] = amount
            else:
                found.setdefault(cell, {})[key] = amount
        return found | self.rest(place)

    def _hits(self, place: int) -> NDArray[np.intp]:
        """Where somebody stands in the columns."""
        starts = self._starts.tolist()
        if len(self._place_of) < _SCANNED * len(starts):
            return np.flatnonzero(self._place_of == place)
        # Of so many people a day's block is not looked through for each.
        wanted, found = self._place_of.dtype.type(place), []
        for first, end in pairwise(starts):
            at = first + int(np.searchsorted(self._place_of[first:end], wanted))
            if at < end and self._place_of[at] == wanted:
                found.append(at)
        return np.array(found, np.intp)

    def rest(self, place: int) -> Pane:
        """What of somebody's pane is in no column."""
        at = int(np.searchsorted(self._rests, place))
        if at == len(self._rests) or self._rests[at] != place:
            return {}
        return decode_pane(self._rest[self._ends[at] : self._ends[at + 1]].tobytes())

    def rests(
        self, wanted: NDArray[np.int64] | None = None, names: Sequence[bytes] | None = None
    ) -> Iterator[tuple[int, bytes]]:  # fmt: skip
        """(place, pane of what is in no column), in order; of these places, in order, if somebody asks for some.

        `names`: only those that may have one of the cells of these written names.
        """
        holding = None if names is None else self._that_hold(names)
        if holding is not None and not holding.any():
            return
        numbers = np.arange(len(self._rests)) if wanted is None else self._found(self._rests, wanted)
        for number in (numbers if holding is None else numbers[holding[numbers]]).tolist():
            yield int(self._rests[number]), self._rest[self._ends[number] : self._ends[number + 1]].tobytes()

    def _that_hold(self, names: Sequence[bytes]) -> NDArray[np.bool_]:
        if self._holding is None or self._holding[0] != names:
            text, found = self._rest.tobytes(), np.zeros(len(self._rests), np.bool_)
            for name in names:
                at = [match.start() for match in re.finditer(re.escape(name), text)]
                found[np.searchsorted(self._ends, at, "right") - 1] = True
            self._holding = names, found
        return self._holding[1]
