"""Panes: one rep, one stored window, from one origin; a finite map from cells and keys to amounts.

Owns the pane, its key and encoding, and the merge. What a cell means stands in the plan (schemas/catalogue/plan.py):
here it is a number. Does not derive panes from records, and makes no metric.

Whatever was put in can be taken out again, in any order, and what returns to 0 is gone: panes are a commutative group.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from schemas.windows import Window, read_window, write_window

Key = int | bytes | tuple[int, ...]
"""Which value, part of a number, id or instants an amount belongs to."""

Values = Sequence[tuple[int, Key | None, int]]
"""(cell, key, amount): what is put into a pane. A cell that counts has no key."""

Pane = dict[int, Any]
"""Cell -> an amount (int), or key -> amount (dict). Nothing in it is 0 or empty."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[int | str, int | str | list[int | bytes | list[int]]]).decode


def add(pane: Pane, values: Values, sign: int) -> None:
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

    A map of cells, in their order, to the amount, or to keys and amounts by turns, in the order of the keys.
    """
    return _encode({cell: value if isinstance(value, int) else _flat(value) for cell, value in sorted(pane.items())})


def _flat(amounts: Mapping[Any, int]) -> list[Any]:
    return [part for entry in sorted(amounts.items()) for part in entry]


def decode_pane(value: bytes) -> Pane:
    """The opposite of `encode_pane`. What an earlier version called by a word is left out.

    Raises msgspec.MsgspecError.
    """
    pane: Pane = {}
    for cell, held in _decode(value).items():
        if isinstance(cell, str):
            continue
        if isinstance(held, int):
            pane[cell] = held
            continue
        keys, amounts = held[::2], held[1::2]
        if len(keys) != len(amounts) or not {*map(type, amounts)} <= {int} or len({*map(type, keys)}) > 1:
            msg = "a cell holds something else than keys of one kind and amounts"
            raise msgspec.ValidationError(msg)
        pane[cell] = dict(zip((tuple(key) if isinstance(key, list) else key for key in keys), amounts, strict=True))
    return pane


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
