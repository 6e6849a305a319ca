"""The view's panes in a file, so that an api which starts again need not read them all from Kafka.

Owns what lies in the file: the blocks of days as they are, all else as it came. Its frame is schemas/snapshot_files.py.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from schemas.columns import Block
from schemas.pane_store import Contents
from schemas.snapshot_doubts import SnapshotSource
from schemas.snapshot_files import BadSnapshotError, IsStopped, PutBytes, decoded, read_file, write_file
from schemas.windows import Window

_MAGIC = b"FCVIEW\0\3"
"""The last byte changes with the form of what lies in the file."""

_encode = msgspec.msgpack.Encoder().encode
_Places = Sequence[tuple[int, str, int, int]]
"""Window, origin, where it lies and how long it is."""


class _Head(msgspec.Struct, frozen=True):
    source: SnapshotSource
    names: Sequence[str | None]
    blocks: _Places
    fresh: _Places
    """What is in no block: panes by place."""


_HEAD = msgspec.msgpack.Decoder(_Head)
_FRESH = msgspec.msgpack.Decoder(dict[int, bytes | None])


class Snapshot(NamedTuple):
    """A view's panes, and up to where they were read."""

    source: SnapshotSource
    contents: Contents


def write_snapshot(path: Path, source: SnapshotSource, is_stopped: IsStopped, *, contents: Contents) -> int:
    """Put one in the place of the one before; gives its length. Raises OSError."""

    def fill(put: PutBytes) -> _Head:
        blocks = [(window, origin, *put(block.buffer)) for window, origin, block in contents.blocks]
        # One after the other: to encode all at once would keep the interpreter from everybody else.
        fresh = [(window, origin, *put(_encode(panes))) for window, origin, panes in contents.fresh]
        return _Head(source, contents.names, blocks, fresh)

    return write_file(path, _MAGIC, fill, is_stopped)


def read_snapshot(path: Path) -> Snapshot:
    """What lies there, mapped. Raises BadSnapshotError, OSError."""
    mapped, head = read_file(path, _MAGIC, _HEAD)
    try:
        blocks = [(Window(window), origin, Block(mapped[at : at + size])) for window, origin, at, size in head.blocks]
    except ValueError as error:
        msg = "a block is shorter than it says"
        raise BadSnapshotError(msg) from error
    fresh = [
        (Window(window), origin, decoded(mapped[at : at + size], _FRESH)) for window, origin, at, size in head.fresh
    ]
    return Snapshot(head.source, Contents(head.names, blocks, fresh))
