"""Checkpoints: what shards held, in a folder of their worker, so that a start need not read and derive it all again.

Owns the files, one for each stage and partition, and what each has to be of. What lies in one is the core's. When one
is believed is judged as for every snapshot (schemas/snapshots.py).
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec
import structlog

from schemas.instants import DAY
from schemas.snapshot_doubts import Asking, Source
from schemas.snapshot_files import BadSnapshotError, Put, read_file, write_file
from schemas.snapshots import SnapshotFile

_MAGIC = b"FCWORK\0\1"
"""The last byte changes with the form of what lies in the file."""
_ENDING = ".checkpoint"
_CODE = ("processor", "schemas")
_RULES_OF_TIME = ("tzdata", "holidays")
"""Packages by which days begin and offices close."""
DERIVED_AT_MOST = 7 * DAY
"""From time to time all is derived from the log, whatever lies there: so a fault of ours or of a disk does not last."""

log = structlog.get_logger(__name__)

Piece = tuple[str, int, bytes | memoryview]
T = TypeVar("T")


class _Head(msgspec.Struct, frozen=True):
    source: Source
    derived_at: int
    progress: bytes
    pieces: Sequence[tuple[str, int, int, int]]
    """What each is, the number that belongs to it, where it lies and how long it is."""


class Held(Protocol):
    """What a shard holds, as of one moment."""

    def pieces(self) -> Iterable[Piece]: ...


@dataclass(frozen=True, slots=True)
class Checkpoint(Generic[T]):
    """What was read from a file."""

    source: Source
    derived_at: int
    """When all of it was last derived from the log (microseconds)."""
    progress: bytes
    """That of the stage."""
    state: T


class Checkpoints:
    """Those of one worker. `code`: see `digest_of_code`."""

    def __init__(self, folder: Path, asking: Asking, clock: Callable[[], int], code: str) -> None:
        self.code = code
        self.clock = clock
        self._folder = folder
        self._asking = asking

    def file(self, name: str) -> SnapshotFile:
        """That of a shard, by the name of its owner."""
        return SnapshotFile(self._folder / f"{name}{_ENDING}", self._asking, self.clock)

    def let_go(self, prefix: str, generation: int) -> None:
        """Remove those of other generations: nobody reads them again."""
        for path in self._folder.glob(f"{prefix}g*{_ENDING}"):
            if not path.name.startswith(f"{prefix}g{generation}."):
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    log.warning("snapshot.not_removed", file=path.name, error=type(error).__name__)


def write_checkpoint(path: Path, source: Source, *, held: Held, progress: bytes, derived_at: int) -> int:
    """Put one in the place of the one before; gives its length. Raises OSError."""

    def fill(put: Put) -> _Head:
        return _Head(
            source, derived_at, progress, [(kind, number, *put(piece)) for kind, number, piece in held.pieces()]
        )

    return write_file(path, _MAGIC, fill)


def read_checkpoint(path: Path, state_of: Callable[[Iterator[Piece]], T]) -> Checkpoint[T]:
    """What lies there. `state_of` raises msgspec.MsgspecError, LookupError or ValueError of pieces that are none.

    Raises BadSnapshotError, OSError.
    """
    mapped, head = read_file(path, _MAGIC, _Head)
    pieces: Iterator[Piece] = ((kind, number, mapped[at : at + size]) for kind, number, at, size in head.pieces)
    try:
        return Checkpoint(head.source, head.derived_at, head.progress, state_of(pieces))
    except (msgspec.MsgspecError, LookupError, ValueError) as error:
        msg = f"what lies in it cannot be read: {type(error).__name__}"
        raise BadSnapshotError(msg) from error


def digest_of_code() -> str:
    """Of all by which records become numbers, beside the definitions: another one may derive something else."""
    digest = blake2b(sys.version.encode(), digest_size=8)
    for package in _RULES_OF_TIME:
        try:
            digest.update(f"{package} {version(package)}\n".encode())
        except PackageNotFoundError:  # the system's own is used
            continue
    root = Path(__file__).parents[2]
    for folder in _CODE:
        for path in sorted(_files(root / folder)):
            digest.update(f"{path.relative_to(root)}\n".encode() + blake2b(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix in {".py", ".so", ".pyd", ".yaml"}:
            yield path
