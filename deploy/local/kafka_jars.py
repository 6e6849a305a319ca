"""The jars of Apache Kafka: the committed list with their SHA-256 sums, the cache folder, and the first download.

It owns nothing that runs: `deploy.local.broker` starts Kafka. At run time only the committed list counts, so a
start with a full cache needs no network. `python -m deploy.local.kafka_jars` resolves the dependencies anew and prints
such a list.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Event

import platformdirs
from filelock import FileLock, Timeout

from deploy.local.ports import UpError
from schemas.exit_codes import ExitCode

KAFKA_VERSION = "4.3.0"
JAR_LIST = Path(__file__).parents[1] / "kafka" / "jars.sha256"

_KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Kafka's published dependencies name no SLF4J binding, and without one the broker is mute. It is taken alone: resolved
# together with Kafka, its managed versions would override Kafka's own (kafka-clients would become an older one).
_LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"

_DOWNLOADS_AT_ONCE = 4
_TRIES = 3
_REQUEST_SECONDS = 8  # Of silence. A stop in the middle waits that long at worst.
_OTHER_DOWNLOAD_SECONDS = 600.0
_LARGEST_JAR_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the list: where the jar lies below a Maven repository, and the sum its bytes must have."""

    path: PurePosixPath
    sha256: str

    @property
    def coordinate(self) -> str:
        """`group:artifact:version`, as the path spells it."""
        *group, artifact, version, _ = self.path.parts
        return f"{'.'.join(group)}:{artifact}:{version}"


# Fetches a jar into a folder, where its sum is not checked yet. Gives up when the event is set.
Download = Callable[[Jar, Path, Event], Path]


def cache_folder() -> Path:
    """Return the user's cache folder, or what FLOORCAST_CACHE names instead."""
    named = os.environ.get("FLOORCAST_CACHE")
    # Kafka runs in its data folder: what is named from here on is named from there.
    return Path(named).expanduser().absolute() if named else platformdirs.user_cache_path("floorcast")


def read_list(path: Path = JAR_LIST) -> tuple[Jar, ...]:
    """Read the committed list, which is in the format of `sha256sum`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(Jar(PurePosixPath(name), sha256) for sha256, name in (line.split(maxsplit=1) for line in lines))


def ensure(
    jars: tuple[Jar, ...],
    cache: Path,
    download: Download,
    cancelled: Event,
    what: str = f"Apache Kafka {KAFKA_VERSION}",
) -> list[Path]:
    """Return where the jars lie, each with the right sum; what is missing is downloaded first.

    A jar of the cache with a wrong sum is removed and named in a `UpError`, so that the next call fetches it again.
    """
    repository = cache / "jars"
    if os.pathsep in str(repository):
        msg = f"the cache folder {cache} holds a {os.pathsep!r}, which separates the jars in Java's class path"
        raise UpError([msg], ExitCode.WRONG_USE)
    try:
        if _check(jars, repository):
            repository.mkdir(parents=True, exist_ok=True)
            # Two first starts at once would fetch everything twice; the second one waits and then looks again.
            with _only_download(cache, cancelled):
                _fetch(_check(jars, repository), repository, download, cancelled, what)
    except OSError as error:
        msg = f"the cache folder {cache} cannot be used: {error.strerror or error}"
        raise UpError([msg], ExitCode.WRONG_USE) from None
    return [repository / jar.path for jar in jars]


def download_with_jgo(jar: Jar, folder: Path, cancelled: Event) -> Path:
    """Fetch one jar by its Maven coordinates; the sum is compared by the caller."""
    # Imported late: half a second that a start with a full cache need not pay.
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    resolver = PythonResolver(progress_callback=lambda _name, _size: nullcontext(_Guard(cancelled)))
    context = MavenContext(resolver=resolver, repo_cache=folder, timeout=_REQUEST_SECONDS)
    return context.create_dependency(jar.coordinate).artifact.resolve()


def resolve_list() -> tuple[Jar, ...]:
    """Kafka's dependencies as published, with the sums of what is downloaded now. For making a new list only."""
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = MavenContext(resolver=PythonResolver(), repo_cache=folder, timeout=_REQUEST_SECONDS)
        inputs, transitive = context.resolver.resolve([context.create_dependency(_KAFKA)])
        wanted = [*inputs, *transitive, context.create_dependency(_LOG_BINDING)]
        paths = sorted(dependency.artifact.resolve() for dependency in wanted)
        return tuple(Jar(PurePosixPath(path.relative_to(folder)), _sha256(path)) for path in paths)


def _check(jars: tuple[Jar, ...], repository: Path) -> tuple[Jar, ...]:
    """Return the jars that are not there. One that is there with a wrong sum is removed and raised for."""
    missing = []
    for jar in jars:
        path = repository / jar.path
        if not path.is_file():
            missing.append(jar)
        elif _sha256(path) != jar.sha256:
            path.unlink(missing_ok=True)
            msg = f"{path.name} in the cache does not have its committed SHA-256 sum; removed, start again to fetch it"
            raise UpError([msg], ExitCode.UNREACHABLE)
    return tuple(missing)


@contextmanager
def _only_download(cache: Path, cancelled: Event) -> Iterator[None]:
    lock = FileLock(cache / "jars.lock")
    deadline = time.monotonic() + _OTHER_DOWNLOAD_SECONDS
    while not lock.is_locked:
        if cancelled.is_set() or time.monotonic() > deadline:
            msg = f"another process is still downloading Kafka's jars into {cache}"
            raise UpError([msg], ExitCode.UNREACHABLE)
        with suppress(Timeout):
            lock.acquire(timeout=1.0)
    try:
        yield
    finally:
        lock.release()


def _fetch(jars: tuple[Jar, ...], repository: Path, download: Download, cancelled: Event, what: str) -> None:
    if not jars:
        return
    # Downloaded beside the repository and moved in when the sum is right: an interrupted download leaves nothing behind
    # that looks like a jar.
    staging = Path(tempfile.mkdtemp(dir=repository.parent, prefix="download-"))
    pool = ThreadPoolExecutor(_DOWNLOADS_AT_ONCE, thread_name_prefix="kafka-jar")
    try:
        with _announced(what, len(jars)) as advance:
            for _ in pool.map(lambda jar: _fetch_one(jar, staging, repository, download, cancelled), jars):
                advance()
    except BaseException:
        cancelled.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(staging, ignore_errors=True)


def _fetch_one(jar: Jar, staging: Path, repository: Path, download: Download, cancelled: Event) -> None:
    import requests  # noqa: PLC0415 - as jgo is

    for tries_left in reversed(range(_TRIES)):
        try:
            path = download(jar, staging, cancelled)
            break
        except (requests.RequestException, RuntimeError) as error:
            (staging / jar.path).unlink(missing_ok=True)  # What came of it would be taken for the whole.
            if cancelled.is_set() or not tries_left:
                msg = f"cannot download Kafka's {jar.path.name} ({_reason(error)}); the first start needs a network"
                raise UpError([msg], ExitCode.UNREACHABLE) from None
    if _sha256(path) != jar.sha256:
        msg = f"{jar.path.name} as downloaded does not have its committed SHA-256 sum; it was not kept"
        raise UpError([msg], ExitCode.UNREACHABLE)
    target = repository / jar.path
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)


class _CancelledError(RuntimeError):
    pass


class _JarTooLargeError(RuntimeError):
    pass


class _Guard:
    """Is told of the bytes as they come, and ends a download that nobody wants any more or that does not end."""

    def __init__(self, cancelled: Event) -> None:
        self._cancelled = cancelled
        self._left = _LARGEST_JAR_BYTES

    def __call__(self, count: int) -> None:
        if self._cancelled.is_set():
            raise _CancelledError
        self._left -= count
        if self._left < 0:
            raise _JarTooLargeError


def _reason(error: Exception) -> str:
    from requests import exceptions  # noqa: PLC0415 - as jgo is

    # The first that fits. The messages of the HTTP library are long and hold addresses.
    reasons: tuple[tuple[type[Exception], str], ...] = (
        (exceptions.SSLError, "the server's certificate is not trusted"),
        (exceptions.Timeout, "the server did not answer in time"),
        (exceptions.ConnectionError, "no connection"),
        (_CancelledError, "stopped"),
        (_JarTooLargeError, "it is larger than any of Kafka's jars"),
        (RuntimeError, "the server does not have it"),
    )
    return next((reason for kind, reason in reasons if isinstance(error, kind)), type(error).__name__)


@contextmanager
def _announced(what: str, count: int) -> Iterator[Callable[[], None]]:
    """Say that a download begins: a bar where someone looks at a terminal, one plain line otherwise."""
    from rich.console import Console  # noqa: PLC0415 - as jgo is
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    console = Console(stderr=True)
    title = f"downloading {what}"
    if not console.is_terminal:
        print(f"{title} ({count} jars)", file=sys.stderr, flush=True)  # noqa: T201 - a line for the person who waits
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("jars"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=count)
        yield lambda: progress.advance(task)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    for jar in resolve_list():
        print(f"{jar.sha256}  {jar.path}")  # noqa: T201 - a command's output
