"""The view's panes in a file, so that an api which starts again need not read them all from Kafka.

Owns the form of the file: written beside the old one and put in its place whole, readable for its owner alone. It is
never mended: whoever reads one learns what it says, or that it is none. Whether that is still true of Kafka's log is
judged in restoring.py.

    magic, length of the whole, place of the head, sum of all that follows · blocks · head (msgpack)
"""

import os
import struct
import tempfile
from collections.abc import Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from schemas.columns import Block
from schemas.generations import Served
from schemas.log_marks import Mark
from schemas.pane_store import Contents
from schemas.windows import Window

FORM = 1
"""Of the file and of what lies in it; another one is none of ours."""
_START = struct.Struct("<8sQQQ")
_MAGIC = b"FCVIEW\0" + bytes([FORM])
_CUT = "it is cut off"
_OTHER = "it is of another form"
_LENGTH = "it has another length than it says"
_SUM = "its sum is wrong"
_ALIGNED = 64
_PIECE = 16 << 20


_encode = msgspec.msgpack.Encoder().encode
_decode_fresh = msgspec.msgpack.Decoder(dict[int, bytes | None]).decode


class Head(msgspec.Struct, frozen=True):
    """What a snapshot is of."""

    definitions: str
    served: Served
    made_at: int
    """Microseconds."""
    marks: Sequence[Mark]
    """Of each partition of the panes: up to where they are in it."""
    names: Sequence[str | None]
    blocks: Sequence[tuple[int, str, int, int]]
    """Window, origin, where it lies and how long it is."""
    fresh: Sequence[tuple[int, str, int, int]]
    """The same of what is in no block: panes by place."""


class Snapshot(NamedTuple):
    """A view's panes, and up to where they were read."""

    definitions: str
    served: Served
    made_at: int
    marks: Sequence[Mark]
    contents: Contents


class BadSnapshotError(Exception):
    """A file that is no whole snapshot; says why."""


def write_snapshot(path: Path, snapshot: Snapshot) -> int:
    """Put it in the place of the one before; gives its length. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            length = _write(file.fileno(), snapshot)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return length


def _write(file: int, snapshot: Snapshot) -> int:
    at, total = _START.size, 0

    def put(piece: bytes | memoryview) -> None:
        nonlocal at, total
        for first in range(0, len(piece), _PIECE):
            part = piece[first : first + _PIECE]
            total = crc32(part, total)
            written = 0
            while written < len(part):
                written += os.write(file, part[written:])
        at += len(piece)

    os.lseek(file, at, os.SEEK_SET)
    places: list[tuple[int, str, int, int]] = []
    for window, origin, block in snapshot.contents.blocks:
        put(bytes(-at % _ALIGNED))
        places.append((window, origin, at, len(block.buffer)))
        put(block.buffer)
    fresh: list[tuple[int, str, int, int]] = []
    for window, origin, panes in snapshot.contents.fresh:
        # One after the other: to write all at once would keep the interpreter from everybody else.
        piece = _encode(panes)
        fresh.append((window, origin, at, len(piece)))
        put(piece)
    head_at = at
    said = Head(
        snapshot.definitions, snapshot.served, snapshot.made_at, snapshot.marks, snapshot.contents.names, places, fresh
    )
    put(_encode(said))
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, _START.pack(_MAGIC, at, head_at, total))
    return at


def read_snapshot(path: Path) -> Snapshot:
    """What lies there, mapped: what nobody asks for stays on the disk.

    All of it is read once, and summed. Raises BadSnapshotError, OSError.
    """
    with path.open("rb") as file:
        start = file.read(_START.size)
        if len(start) < _START.size:
            raise BadSnapshotError(_CUT)
        magic, length, head_at, total = _START.unpack(start)
        if magic != _MAGIC:
            raise BadSnapshotError(_OTHER)
        if length != os.fstat(file.fileno()).st_size or not _START.size <= head_at <= length:
            raise BadSnapshotError(_LENGTH)
        found = 0
        while piece := file.read(_PIECE):
            found = crc32(piece, found)
        if found != total:
            raise BadSnapshotError(_SUM)
        mapped = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
    try:
        head = msgspec.msgpack.decode(mapped[head_at:], type=Head)
        blocks = [(Window(window), origin, Block(mapped[at : at + size])) for window, origin, at, size in head.blocks]
        fresh = [
            (Window(window), origin, _decode_fresh(mapped[at : at + size])) for window, origin, at, size in head.fresh
        ]
    except (msgspec.MsgspecError, ValueError) as error:
        msg = f"it cannot be read: {type(error).__name__}"
        raise BadSnapshotError(msg) from error
    return Snapshot(head.definitions, head.served, head.made_at, head.marks, Contents(head.names, blocks, fresh))
