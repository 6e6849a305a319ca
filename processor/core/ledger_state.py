"""What a ledger holds, in pieces: so that the next owner need neither read nor derive it again.

Owns the form of the pieces. Rows and panes lie in them as they are published; each piece is small enough that to encode
it holds nobody up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import msgspec

from processor.core.panes import HeldPanes
from schemas.windows import Window

Piece = tuple[str, int, bytes | memoryview]
"""What it is, a number that belongs to it, and msgpack."""

AT_ONCE = 4_000
LONG_AGO = -(2**40)
"""The day of what is to be looked at now."""

T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode
_decode_rows = msgspec.msgpack.Decoder(dict[bytes, bytes]).decode
_decode_keys = msgspec.msgpack.Decoder(list[bytes]).decode
_decode_people = msgspec.msgpack.Decoder(list[str | None]).decode
_decode_panes = msgspec.msgpack.Decoder(tuple[list[int], list[bytes]]).decode


@dataclass(frozen=True, slots=True)
class LedgerState:
    """A ledger between two batches."""

    rows: dict[bytes, bytes]
    filed: Mapping[int, list[bytes]]
    """UTC day -> keys of the rows to look at once it has passed."""
    spared: Sequence[bytes]
    quietly_won: Sequence[bytes]
    panes: HeldPanes

    def pieces(self) -> Iterator[Piece]:
        """All of it, once: the rows are let go as they are handed out.

        For another thread than the one that goes on with the ledger: nothing of this changes there.
        """
        left = self.rows
        for day, keys in sorted(self.filed.items()):
            for part in batched(keys):
                # One that is filed twice is looked at on the earlier day.
                rows = {key: left.pop(key) for key in part if key in left}
                if rows:
                    yield "rows", day, _encode(rows)
        for items in batched(left.items()):
            yield "unfiled", 0, _encode(dict(items))
        yield "spared", 0, _encode(self.spared)
        yield "quietly won", 0, _encode(self.quietly_won)
        places = {rep: place for place, rep in enumerate({rep for panes in self.panes.values() for rep in panes})}
        yield "people", 0, _encode(list(places))
        for window, panes in self.panes.items():
            for held in batched(panes.items()):
                yield "panes", window, _encode(([places[rep] for rep, _ in held], [pane for _, pane in held]))


@dataclass(frozen=True, slots=True)
class LedgerNews:
    """What was published since, of each topic the last value of every key; None is a tombstone."""

    rows: Mapping[bytes, bytes | None]
    panes: Mapping[bytes, bytes | None]
    roster: Mapping[bytes, bytes | None]
    deals: Mapping[bytes, bytes | None]


def state_of(pieces: Iterable[Piece]) -> LedgerState:
    """What `pieces` were made of. Raises msgspec.MsgspecError, LookupError, ValueError where they are none."""
    rows: dict[bytes, bytes] = {}
    filed: dict[int, list[bytes]] = {}
    spared: list[bytes] = []
    quietly_won: list[bytes] = []
    people: list[str | None] = []
    panes: HeldPanes = {}
    for kind, number, piece in pieces:
        match kind:
            case "rows":
                part = _decode_rows(piece)
                filed.setdefault(number, []).extend(part)
                rows |= part
            case "unfiled":
                rows |= _decode_rows(piece)
            case "spared":
                spared = _decode_keys(piece)
            case "quietly won":
                quietly_won = _decode_keys(piece)
            case "people":
                people = _decode_people(piece)
            case "panes":
                places, values = _decode_panes(piece)
                held = zip(map(people.__getitem__, places), values, strict=True)
                panes.setdefault(Window(number), {}).update(held)
            case _:
                raise LookupError(kind)
    return LedgerState(rows, filed, spared, quietly_won, panes)


def batched(items: Iterable[T], most: int = AT_ONCE) -> Iterator[list[T]]:
    """The same items in lists of at most so many: of a state, as many as are one piece."""
    left = iter(items)
    while part := list(islice(left, most)):
        yield part
