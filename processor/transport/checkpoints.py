"""Checkpoints: what shards held, in a folder of their worker, so that a start need not read and derive it all again.

Owns the files, one for each stage and partition, and what each has to be of. What lies in one is the core's. When one
is believed is judged as for every snapshot (schemas/snapshots.py).
"""

import sys
import threading
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec
import structlog

from processor.core.ledger_state import Piece
from schemas.instants import DAY, SECOND
from schemas.log_marks import Asking
from schemas.snapshot_doubts import OLDEST, SnapshotSource
from schemas.snapshot_files import BadSnapshotError, IsStopped, PutBytes, in_words, read_file, write_file
from schemas.snapshots import SnapshotFile

_MAGIC = b"FCWORK\0\2"
"""The last byte changes with the form of what lies in the file."""
_ENDING = ".checkpoint"
_CODE = ("processor", "schemas")
_RULES_OF_TIME = ("tzdata", "holidays")
"""Packages by which offices close, and days begin where the system has no zones of its own."""
_ROOT = Path(__file__).parents[2]
DERIVED_AT_MOST = 7 * DAY
"""From time to time all is derived from the log, whatever lies there: so a fault of ours or of a disk does not last."""

log = structlog.get_logger(__name__)

T = TypeVar("T")


class _Head(msgspec.Struct, frozen=True):
    source: SnapshotSource
    derived_at: int
    progress: bytes
    pieces: Sequence[tuple[str, int, int, int]]
    """What each is, the number that belongs to it, where it lies and how long it is."""


_HEAD = msgspec.msgpack.Decoder(_Head)


class HeldState(Protocol):
    """What a shard holds, as of one moment."""

    def pieces(self) -> Iterable[Piece]: ...


@dataclass(frozen=True, slots=True)
class Checkpoint(Generic[T]):
    """What was read from a file."""

    source: SnapshotSource
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
        self._making = threading.Lock()

    def file(self, name: str) -> SnapshotFile:
        """That of a shard, by the name of its owner."""
        return SnapshotFile(self._folder / f"{name}{_ENDING}", self._asking, self.clock)

    def read(self, path: Path, state_of: Callable[[Iterator[Piece]], T]) -> Checkpoint[T]:
        """As `read_checkpoint`; several are summed at a time, and one is made of its pieces.

        Threads that do that together only take the interpreter from each other; a sum leaves it to others.
        """

        def alone(pieces: Iterator[Piece]) -> T:
            with self._making:
                return state_of(pieces)

        return read_checkpoint(path, alone)

    def let_go(self, prefix: str, generation: int) -> None:
        """At the start, remove what nobody reads again: those of other generations, and what was left half written."""
        theirs = set(self._folder.glob(f"{prefix}g*{_ENDING}")) - set(self._folder.glob(f"{prefix}g{generation}.*"))
        _remove("of another generation", theirs)
        _remove("half written", self._folder.glob(f".*{_ENDING}.*"))
        self.let_go_of_old()

    def let_go_of_all(self) -> None:
        """Remove every one, as what lies in Kafka contradicts what was read: the next start reads the log alone."""
        _remove("the log contradicts what was read", self._folder.glob(f"*{_ENDING}"))

    def let_go_of_old(self) -> None:
        """Remove what is too old to be believed by anybody: of partitions that went to another worker.

        Until then it lies there for the case that they come back.
        """
        before = (self.clock() - OLDEST) / SECOND
        _remove("too old", (path for path in self._folder.glob(f"*{_ENDING}") if path.stat().st_mtime < before))


def write_checkpoint(
    path: Path, source: SnapshotSource, is_stopped: IsStopped, *, held: HeldState, progress: bytes, derived_at: int
) -> int:  # fmt: skip
    """Put one in the place of the one before; gives its length. Raises OSError."""

    def fill(put: PutBytes) -> _Head:
        return _Head(
            source, derived_at, progress, [(kind, number, *put(piece)) for kind, number, piece in held.pieces()]
        )

    return write_file(path, _MAGIC, fill, is_stopped)


def read_checkpoint(path: Path, state_of: Callable[[Iterator[Piece]], T]) -> Checkpoint[T]:
    """What lies there. `state_of` raises msgspec.MsgspecError, LookupError or ValueError of pieces that are none.

    Raises BadSnapshotError, OSError.
    """
    mapped, head = read_file(path, _MAGIC, _HEAD)
    pieces: Iterator[Piece] = ((kind, number, mapped[at : at + size]) for kind, number, at, size in head.pieces)
    try:
        return Checkpoint(head.source, head.derived_at, head.progress, state_of(pieces))
    except (msgspec.MsgspecError, LookupError, ValueError) as error:
        msg = f"what lies in it cannot be read: {type(error).__name__}"
        raise BadSnapshotError(msg) from error


def _remove(why: str, paths: Iterable[Path]) -> None:
    try:
        for path in paths:
            path.unlink()
            log.info("snapshot.let_go", file=path.name, why=why)
    except OSError as error:
        log.warning("snapshot.not_removed", error=in_words(error))


def digest_of_code(zone: str, root: Path = _ROOT) -> str:
    """Of all by which records become numbers, beside the definitions: another one may derive something else.

    `zone`: in which days begin. `root`: where the folders of the code lie.
    """
    digest = blake2b(sys.version.encode(), digest_size=8)
    digest.update(_rules_of(zone))
    for package in _RULES_OF_TIME:
        try:
            digest.update(f"{package} {version(package)}\n".encode())
        except PackageNotFoundError:  # the system's own is used
            continue
    for folder in _CODE:
        for path in sorted(_files(root / folder)):
            digest.update(f"{path.relative_to(root)}\n".encode() + blake2b(path.read_bytes()).digest())
    return digest.hexdigest()


def _rules_of(zone: str) -> bytes:
    """When its offset changes: read as `ZoneInfo` does, which is the system's file before a package's."""
    for folder in zoneinfo.TZPATH:
        if (path := Path(folder, zone)).is_file():
            return path.read_bytes()
    return resources.files("tzdata").joinpath("zoneinfo", zone).read_bytes()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.suffix in {".py", ".so", ".pyd", ".yaml"}:
            yield path
