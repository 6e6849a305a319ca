"""A data folder that is its owner's alone: other users of the machine neither list nor read it.

Called by every command that keeps something in the folder, before it does. What is made later is private by `UMASK`,
which the command line sets for itself and every child is started with.
"""

import os
import stat
from pathlib import Path

FOLDER = 0o700
FILE = 0o600
UMASK = 0o077
_OURS = ("kafka", "logs", "verify", "lookups", "worker", "replay", "demo", "up.", "keys.", ".keys-")
"""What the names of our own entries begin with."""


class SharedFolderError(OSError):
    """The folder belongs to everybody, and must not be taken from them."""


def make_private(folder: Path) -> None:
    """Make the folder, or take the rights of others to it away. Raises OSError if that cannot be had.

    Somebody may have named a folder in which other things lie as well: those stay what they are for their owner.
    """
    folder.mkdir(FOLDER, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_mode & stat.S_ISVTX:
        raise SharedFolderError(None, "it is shared with other users", str(folder))
    if stat.S_IMODE(found.st_mode) != FOLDER:
        folder.chmod(FOLDER)
    for entry in folder.iterdir():
        _tighten(entry, entry.name.startswith(_OURS))


def private_opener(path: str, flags: int) -> int:
    """For `open`: a file that is made by it is its owner's alone."""
    return os.open(path, flags, FILE)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file so that a reader sees the old or the new one, and nobody else any."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE), "wb") as file:
        file.write(content)
    new.replace(path)


def _tighten(path: Path, is_ours: bool) -> None:
    """Also of what lies below. A file that goes meanwhile is gone: Kafka of an earlier `up` may still be ending."""
    try:
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            wanted = FOLDER if is_ours else stat.S_IMODE(found.st_mode) & FOLDER
        elif stat.S_ISREG(found.st_mode):
            wanted = stat.S_IMODE(found.st_mode) & (FILE if is_ours else FOLDER)
        else:
            return
        if wanted != stat.S_IMODE(found.st_mode):
            path.chmod(wanted)
        if stat.S_ISDIR(found.st_mode) and is_ours:
            for entry in path.iterdir():
                _tighten(entry, is_ours)
    except FileNotFoundError:
        return
