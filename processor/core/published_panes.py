"""The panes that an origin has published, in pieces: so that the next owner need not look for them among all others.

Owns the form of the pieces. In a partition of `panes` lie those of every stage, and there may be far more of others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from processor.core.ledger_state import Piece, batched
from processor.core.panes import HeldPanes
from schemas.panes import pane_key

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[bytes, bytes]).decode


@dataclass(frozen=True, slots=True)
class PublishedPanes:
    """Those of one origin, between two batches."""

    origin: str
    panes: HeldPanes

    def pieces(self) -> Iterator[Piece]:
        """All of them, as they were published."""
        for window, panes in self.panes.items():
            for part in batched(panes.items()):
                yield "published", window, _encode({pane_key(self.origin, rep, window): pane for rep, pane in part})


def published_of(pieces: Iterable[Piece]) -> dict[bytes, bytes]:
    """What `pieces` were made of. Raises msgspec.MsgspecError, LookupError where they are none."""
    found: dict[bytes, bytes] = {}
    for kind, _, piece in pieces:
        if kind != "published":
            raise LookupError(kind)
        found |= _decode(piece)
    return found
