"""A file of what a process had in memory, so that one that starts again need not read it all from Kafka.

Owns the frame of such a file: written beside the old one and put in its place whole, readable for its owner alone, and
summed. What lies in it is its writer's. It is never mended: whoever reads one learns what it says, or that it is none.
Whether that is still true of Kafka's log is judged in snapshot_doubts.py.

    magic, length of the whole, place of the head, sum of all that follows · pieces · head (msgpack)
"""

import os
import struct
import tempfile
from collections.abc import Callable
from errno import ENOSPC
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TypeVar
from zlib import crc32

import msgspec
from msgspec.msgpack import Decoder

_START = struct.Struct("<8sQQQ")
_ALIGNED = 64
_PIECE = 16 << 20
_ROOM = 256 << 20
"""So much of a disk is left to others, or a twentieth where that is less: Kafka's log may lie on it."""
_LEFT_OVER_SECONDS = 3600.0
"""Nobody writes one for so long: whoever began it was killed."""

T = TypeVar("T")
PutBytes = Callable[[bytes | memoryview], tuple[int, int]]
"""Appends a piece; gives where it lies and how long it is."""
IsStopped = Callable[[], bool]
"""Whether nobody waits for the file any more; asked between two pieces."""


class BadSnapshotError(Exception):
    """A file that is no whole snapshot; says why."""


def in_words(error: Exception) -> str:
    """Why a file could not be written, read or removed, for a log: as the system says it where it says anything."""
    if isinstance(error, BadSnapshotError):
        return str(error)
    return getattr(error, "strerror", None) or type(error).__name__


def write_file(path: Path, magic: bytes, fill: Callable[[PutBytes], object], is_stopped: IsStopped) -> int:
    """Put a file in the place of the one before; gives its length. Raises OSError, of which one is that it is stopped.

    `magic`: 8 bytes that name the form of the file and of what lies in it. `fill` puts the pieces and gives the head.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            _remove_left_over(path, os.fstat(handle).st_mtime - _LEFT_OVER_SECONDS)
            length = _write(file.fileno(), magic, fill, is_stopped)
            os.fsync(file.fileno())
        _go_on(is_stopped)
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


def _remove_left_over(path: Path, before: float) -> None:
    for left in path.parent.glob(f".{path.name}.*"):
        try:
            if left.stat().st_mtime < before:
                left.unlink()
        except FileNotFoundError:  # another process has done so
            continue


def _go_on(is_stopped: IsStopped) -> None:
    if is_stopped():
        raise TimeoutError


def _leave_room(file: int, size: int) -> None:
    disk = os.fstatvfs(file)
    if disk.f_bavail * disk.f_frsize < size + min(_ROOM, disk.f_blocks * disk.f_frsize // 20):
        raise OSError(ENOSPC, os.strerror(ENOSPC))


def _write(file: int, magic: bytes, fill: Callable[[PutBytes], object], is_stopped: IsStopped) -> int:
    at, total = _START.size, 0

    def append(piece: bytes | memoryview) -> None:
        nonlocal at, total
        for first in range(0, len(piece), _PIECE):
            _go_on(is_stopped)
            part = piece[first : first + _PIECE]
            _leave_room(file, len(part))
            total = crc32(part, total)
            written = 0
            while written < len(part):
                written += os.write(file, part[written:])
        at += len(piece)

    def put(piece: bytes | memoryview) -> tuple[int, int]:
        append(bytes(-at % _ALIGNED))
        place = at, len(piece)
        append(piece)
        return place

    os.lseek(file, at, os.SEEK_SET)
    head = msgspec.msgpack.encode(fill(put))
    head_at = at
    append(head)
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, _START.pack(magic, at, head_at, total))
    return at


def read_file(path: Path, magic: bytes, head: Decoder[T]) -> tuple[memoryview, T]:
    """What lies there, mapped, and its head: what nobody asks for stays on the disk.

    All of it is read once, and summed. `head` is made before threads are that read several at once: msgspec looks at a
    type when it is used first, and a thread that comes by meanwhile goes by half of it. Raises BadSnapshotError,
    OSError.
    """
    with path.open("rb") as file:
        start = file.read(_START.size)
        if len(start) < _START.size:
            raise BadSnapshotError("it is cut off")
        found_magic, length, head_at, total = _START.unpack(start)
        if found_magic != magic:
            raise BadSnapshotError("it is of another form")
        if length != os.fstat(file.fileno()).st_size or not _START.size <= head_at <= length:
            raise BadSnapshotError("it has another length than it says")
        found = 0
        while piece := file.read(_PIECE):
            found = crc32(piece, found)
        if found != total:
            raise BadSnapshotError("its sum is wrong")
        mapped = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
    return mapped, decoded(mapped[head_at:], head)


def decoded(piece: memoryview, form: Decoder[T]) -> T:
    """A piece that is msgpack. Raises BadSnapshotError."""
    try:
        return form.decode(piece)
    except (msgspec.MsgspecError, ValueError) as error:
        msg = f"it cannot be read: {type(error).__name__}"
        raise BadSnapshotError(msg) from error
