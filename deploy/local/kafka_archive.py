"""The archive by which Kafka starts in half of the time: its classes as a JVM has loaded and linked them once.

`python -m deploy.local.kafka_archive` makes it, of a Kafka that starts and ends for nothing else. `up` runs that in the
background after its first start on a machine; where an archive lies is `deploy.local.kafka_jvm`'s. https://openjdk.org/jeps/514
"""

from contextlib import suppress
from pathlib import Path
from shutil import rmtree

from filelock import FileLock, Timeout

from deploy.local.broker import LocalBroker
from deploy.local.kafka_jars import cache_folder
from deploy.local.kafka_jvm import RECORDED, archive_path
from deploy.local.ports import UpError
from processor.machine import give_way
from schemas.exit_codes import ExitCode
from schemas.instants import DAY
from schemas.machine_clock import machine_clock

_ASSEMBLED_SECONDS = 300.0
_NICE = 19
_AGAIN = DAY


def make_archive() -> None:
    """Make it where there is none. It appears whole or not at all.

    What was in the way may be gone at the next start (a port, a lock), or never be (no room, a Java without archives).
    So an empty file stands in its place, for a day in which it is not tried again.
    """
    archive, folder = archive_path(), cache_folder() / "archive.new"
    if not is_due(archive):
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            rmtree(folder, ignore_errors=True)  # What is left of one that was killed.
            try:
                _recorded(folder).replace(archive)
            finally:
                rmtree(folder, ignore_errors=True)
    except Timeout:  # another process makes it
        return
    except (UpError, OSError):
        with suppress(OSError):
            archive.touch()


def is_due(archive: Path) -> bool:
    """Whether it is to be made: there is none, and nobody has tried in vain within a day."""
    try:
        tried = archive.stat()
    except FileNotFoundError:
        return True
    return tried.st_size == 0 and machine_clock() - tried.st_mtime_ns // 1000 > _AGAIN


def _recorded(folder: Path) -> Path:
    """The archive of a Kafka that started and ended in that folder. Raises UpError, OSError."""
    broker = LocalBroker(folder, die_with_parent=True, short_lived=True, is_recorded=True)
    broker.start()
    broker.stop(_ASSEMBLED_SECONDS)
    if broker.wait() < 0:  # killed while it wrote: what is there may be a part
        raise UpError(["Kafka did not end in time"], ExitCode.UNREACHABLE)
    return folder / RECORDED


if __name__ == "__main__":
    give_way(_NICE)
    make_archive()
