"""Panes: one rep, one stored window, from one origin; a finite map from cells and keys to amounts.

Owns the pane, its key and encoding, and the merge. What a cell means stands in the plan (schemas/catalogue/plan.py):
here it is a number. Does not derive panes from records, and makes no metric.

Whatever was put in can be taken out again, in any order, and what returns to 0 is gone: panes are a commutative group.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import msgspec

from schemas.windows import Window, read_window, write_window

Key = int | bytes | tuple[int, ...]
"""Which value, part of a number, id or instants an amount belongs to."""

PaneValues = Sequence[tuple[int, Key | None, int]]
"""(cell, key, amount): what is put into a pane. A cell that counts has no key."""

Pane = dict[int, Any]
"""Cell -> an amount (int), or key -> amount (dict). Nothing in it is 0 or empty."""

UNREADABLE = 0
"""No cell of any: in a merged pane it says that something belongs to it that could not be read: `IN_SPAN`, or only
something that levels are made of."""
IN_LEVELS, IN_SPAN = 1, 2

NAME_BYTES = 5
"""Of what a cell is called."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[int | bytes | list[int | bytes | bool | list[int | bool | None] | None]]).decode
_NAMES = struct.Struct(">BI")
_UNITS: tuple[tuple[bool | None, int], ...] = ((True, 10**6), (False, 1000), (None, 1))
"""What keys are multiples of, and how that is written: most instants are whole seconds or milliseconds."""
_SIZES = dict(_UNITS)
_ID = 16
_EARLIER = 0x80, 0xDE
"""How panes of earlier builds begin: they were maps."""


def add(pane: Pane, values: PaneValues, sign: int) -> None:
    """Put these in (`sign` 1), or take them out again (-1)."""
    for cell, key, amount in values:
        if key is None:
            total = pane.get(cell, 0) + amount * sign
            if total:
                pane[cell] = total
            else:
                pane.pop(cell, None)
            continue
        held = pane.get(cell)
        if held is None:
            held = pane[cell] = {}
        total = held.get(key, 0) + amount * sign
        if total:
            held[key] = total
        else:
            held.pop(key, None)
            if not held:
                del pane[cell]


def merge(panes: Iterable[Pane]) -> Pane:
    """The join of panes of other windows, reps or origins: associative, commutative, the empty pane neutral."""
    merged: Pane = {}
    for pane in panes:
        for cell, value in pane.items():
            held = merged.get(cell)
            if held is None:
                merged[cell] = value if isinstance(value, int) else dict(value)
            elif isinstance(value, int):
                merged[cell] = held + value
            else:
                for key, amount in value.items():
                    held[key] = held.get(key, 0) + amount
    # Of what one origin takes out of what another has put in nothing is left.
    for cell in [cell for cell, value in merged.items() if _has_zero(value)]:
        _settle(merged, cell, merged[cell])
    return merged


def exchange(total: Pane, before: Pane, after: Pane) -> None:
    """Make `total`, which `before` was merged into, what it would be with `after` instead. Maps are made anew."""
    for cell in before.keys() | after.keys():
        was, now = before.get(cell), after.get(cell)
        if was == now:
            continue
        if isinstance(was if now is None else now, int):
            value: Any = total.get(cell, 0) + (now or 0) - (was or 0)
        else:
            value = dict(total.get(cell, ()))
            for key in (was or {}).keys() | (now or {}).keys():
                value[key] = value.get(key, 0) + (now or {}).get(key, 0) - (was or {}).get(key, 0)
        _settle(total, cell, value)


def _has_zero(value: Any) -> bool:
    return not value or (not isinstance(value, int) and 0 in value.values())


def _settle(pane: Pane, cell: int, value: Any) -> None:
    """Let the cell hold this, without what has become 0."""
    if not isinstance(value, int):
        value = {key: amount for key, amount in value.items() if amount}
    if value:
        pane[cell] = value
    else:
        pane.pop(cell, None)


def encode_pane(pane: Pane) -> bytes:
    """The same pane always gives the same bytes, so that what is published can be compared.

    A list: the names of the cells, in their order and one behind the other, then what each of them holds.

    - An amount, where there are no keys.
    - Keys and amounts by turns, in the order of the keys. Of keys that are there once or twice: a unit (`_UNITS`), the
      first key in it, and by how much the next one is larger, as often as its amount says.
    - Ids one behind the other, and where not all are there once a list of that and of their amounts.
    - Of pairs that are there once: the unit in a list of its own, then by turns the first of the pair, as keys are, and
      by how much the second one is larger than that.
    """
    cells = sorted(pane)
    values = (pane[cell] for cell in cells)
    return _encode([
        b"".join(map(written_name, cells)),
        *(value if isinstance(value, int) else _packed(value) for value in values),
    ])  # fmt: skip


def written_name(cell: int) -> bytes:
    """The name of a cell as it stands in the bytes of a pane: a pane without it has no such cell."""
    return cell.to_bytes(NAME_BYTES, "big")


def _packed(held: Mapping[Any, int]) -> Any:
    keys = sorted(held)
    amounts = [held[key] for key in keys]
    first, size = keys[0], len(keys)
    if isinstance(first, bytes):
        ids = b"".join(keys)
        return ids if amounts == [1] * size else [ids, *amounts]
    if isinstance(first, tuple):
        if len(first) == 2 and amounts == [1] * size and all(-_WIDE <= end - at < _WIDE for at, end in keys):
            return _pairs(keys)
    elif min(amounts) > 0 and sum(amounts) <= 2 * size:
        mark, unit = _unit_of(keys)
        steps = [mark, first // unit, *[0] * (amounts[0] - 1)]
        for place in range(1, size):
            steps += [(keys[place] - keys[place - 1]) // unit, *[0] * (amounts[place] - 1)]
        return steps
    return [part for entry in zip(keys, amounts, strict=True) for part in entry]


_WIDE = 2**63


def _pairs(keys: Sequence[tuple[int, int]]) -> list[Any]:
    mark, unit = _unit_of([part for key in keys for part in key])
    found: list[Any] = [[mark]]
    last = 0
    for at, end in keys:
        found += [(at - last) // unit, (end - at) // unit]
        last = at
    return found


def _unit_of(numbers: Sequence[int]) -> tuple[bool | None, int]:
    return next((mark, unit) for mark, unit in _UNITS if not any(number % unit for number in numbers))


def decode_pane(value: bytes) -> Pane:
    """The opposite of `encode_pane`. Raises msgspec.MsgspecError."""
    names, values = split_pane(value)
    return {
        cell: held if isinstance(held, int) else unpacked(held)
        for cell, held in zip(cells_of(names), values, strict=True)
    }


def split_pane(value: bytes) -> tuple[bytes, list[Any]]:
    """The names in a pane, and what each of these cells holds: an amount, or what `unpacked` reads.

    A pane of an earlier build is empty: its cells have other names by now. Raises msgspec.MsgspecError.
    """
    if value and (value[0] & 0xF0 == _EARLIER[0] or value[0] in (_EARLIER[1], _EARLIER[1] + 1)):
        return b"", []
    names, *values = _decode(value) or [b""]
    if not isinstance(names, bytes) or len(names) != NAME_BYTES * len(values):
        raise msgspec.ValidationError("a pane has other names than values")
    return names, values


@lru_cache(4096)
def cells_of(names: bytes) -> tuple[int, ...]:
    """The cells whose names stand there one behind the other."""
    return tuple(high << 32 | low for high, low in _NAMES.iter_unpack(names))


def unpacked(held: Any) -> dict[Any, int]:
    """What is held by key, of what stands in a pane. Raises msgspec.ValidationError."""
    found = _read(held)
    if not found:
        raise msgspec.ValidationError("a cell holds nothing")
    return found


def _read(held: Any) -> dict[Any, int]:
    try:
        if isinstance(held, bytes):
            return dict.fromkeys(_ids(held), 1)
        first = held[0]
        if isinstance(first, bytes):
            return dict(zip(_ids(first), _whole(held[1:]), strict=True))
        if first is None or isinstance(first, bool):
            unit = _SIZES[first]
            keys = _within([key * unit for key in accumulate(_whole(held[1:]))])
            found = dict.fromkeys(keys, 1)
            return found if len(found) == len(keys) else dict(Counter(keys))
        if isinstance(first, list):
            return _tuples(held)
        return dict(zip(_whole(held[::2]), _whole(held[1::2]), strict=True))
    except (IndexError, KeyError, ValueError, TypeError):
        msg = "a cell holds something else than keys of one kind and amounts"
        raise msgspec.ValidationError(msg) from None


def _ids(held: bytes) -> list[bytes]:
    if len(held) % _ID or not held:
        raise ValueError(held)
    return [held[place : place + _ID] for place in range(0, len(held), _ID)]


def _tuples(held: Sequence[Any]) -> dict[Any, int]:
    if len(held[0]) > 1:
        return dict(zip((tuple(_whole(key)) for key in held[::2]), _whole(held[1::2]), strict=True))
    unit = _SIZES[held[0][0]]
    starts = _within([at * unit for at in accumulate(_whole(held[1::2]))])
    gaps = _whole(held[2::2])
    ends = _within([at + gap * unit for at, gap in zip(starts, gaps, strict=True)])
    return dict.fromkeys(zip(starts, ends, strict=True), 1)


def _within(keys: list[int]) -> list[int]:
    """Differences may add up to what no pane can hold."""
    if keys and not -_WIDE <= min(keys) <= max(keys) < _WIDE:
        raise ValueError(keys)
    return keys


def _whole(numbers: Sequence[Any]) -> Sequence[int]:
    if not {*map(type, numbers)} <= {int}:
        raise ValueError(numbers)
    return numbers


def pane_key(origin: str, rep: str | None, window: Window) -> bytes:
    """`origin|rep|window` (see `write_window`): a rep's id may hold any character, the others no bar.

    No rep: the empty text. Tables of panes write the same for all reps of a window at once (`processor/core/panes.py`,
    `processor/native/panes.pyx`).
    """
    return f"{origin}|{rep or ''}|{write_window(window)}".encode()


def read_pane_key(key: bytes) -> tuple[str, str | None, Window]:
    """(origin, rep, window). Raises ValueError."""
    origin, rest = key.decode().split("|", 1)
    rep, window = rest.rsplit("|", 1)
    return origin, rep or None, read_window(window)


def opening_of(cell: int) -> int:
    """Where in a merged pane stands what a level was before the span began. No pane that is stored has it."""
    return cell ^ 1
