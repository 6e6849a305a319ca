"""The archive by which Kafka starts in half of the time: its classes as a JVM has loaded and linked them once.

`python -m deploy.local.kafka_archive` makes it, of a Kafka that starts and ends for nothing else. `up` runs that in the
background after its first start on a machine; where an archive lies is `deploy.local.kafka_jvm`'s. https://openjdk.org/jeps/514
"""

from shutil import rmtree

from filelock import FileLock, Timeout

from deploy.local.broker import LocalBroker
from deploy.local.kafka_jars import cache_folder
from deploy.local.kafka_jvm import RECORDED, archive_path
from deploy.local.ports import UpError
from processor.machine import give_way

_ASSEMBLED_SECONDS = 300.0
_NICE = 19


def make_archive() -> None:
    """Make it where there is none. Where that fails an empty one takes its place: it is not tried at every start."""
    archive, folder = archive_path(), cache_folder() / "archive.new"
    if archive.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            rmtree(folder, ignore_errors=True)  # What is left of one that was killed.
            broker = LocalBroker(folder, die_with_parent=True, short_lived=True, is_recorded=True)
            broker.start()
            broker.stop(_ASSEMBLED_SECONDS)
            (folder / RECORDED).replace(archive)
            rmtree(folder, ignore_errors=True)
    except Timeout:  # another process makes it
        return
    except (UpError, OSError):
        archive.touch()


if __name__ == "__main__":
    give_way(_NICE)
    make_archive()
