"""Files through which the processes of a replay hand work on: frames for one partition, from one to another.

Owns their names and their form. Does not know what is in a frame.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_BUFFER = 1 << 20
_LENGTH = 4


class Spool:
    """One folder, for one replay."""

    def __init__(self, folder: Path, writer: int) -> None:
        self._folder = folder
        self._writer = writer
        self._open: dict[Path, BinaryIO] = {}

    def put(self, what: str, partition: int, frames: Iterable[bytes]) -> None:
        """Append frames for a partition: also to what was put before a flush and nobody has taken yet."""
        path = self._folder / f"{what}-{partition}-{self._writer}"
        file = self._open.get(path)
        if file is None:
            file = self._open[path] = path.open("ab", buffering=_BUFFER)
        for frame in frames:
            file.write(len(frame).to_bytes(_LENGTH, "big"))
            file.write(frame)

    def flush(self) -> None:
        """Let the others see all that was put."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def take(self, what: str, partition: int) -> Iterator[bytes]:
        """All frames for a partition, of every writer; the files are gone afterwards."""
        for path in sorted(self._folder.glob(f"{what}-{partition}-*")):
            with path.open("rb", buffering=_BUFFER) as file:
                while length := file.read(_LENGTH):
                    yield file.read(int.from_bytes(length, "big"))
            path.unlink()
