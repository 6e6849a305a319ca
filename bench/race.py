"""One run of one contender: started on filled topics, watched until its output stands still, compared with the truth.

The clock starts with the first record that the contender sees and ends with the last message that it writes, so that
no start-up counts. Who ends with another number than the truth has no figure.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.contenders import PARTITIONS, ROOT, Contender, Input, Place, cells_of_panes
from bench.topics import Topics
from bench.workload import Cells
from processor.transport.administration import ensure_topics
from schemas.instants import DAY
from schemas.topics import DELIVERIES, PANES, RECORD_CHANGES

LOOK_SECONDS = 0.05
START_SECONDS = 120.0
COMMIT_SECONDS = 10.0


class NoFigureError(Exception):
    """Why this run counts for nothing."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one share of the stream is, in every form that somebody reads."""

    events: int
    truth: Cells
    revision_sum: int
    json_topic: str
    frames: dict[int, list[bytes]] = field(default_factory=dict)
    deliveries: dict[int, list[bytes]] = field(default_factory=dict)


@dataclass(slots=True)
class _Said:
    """What a contender has printed that matters."""

    first: float = 0.0
    last: float = 0.0
    sum: int | None = None
    tail: list[str] = field(default_factory=list)


async def race(topics: Topics, contender: Contender, work: Work, *, name: str, seconds: float, quiet: float) -> float:
    """Run it once; events per second. Raises NoFigureError.

    `name` is unique in the broker; `seconds` is how long the work may take; `quiet` how long the output has to stand
    still before it is compared.
    """
    with TemporaryDirectory(prefix="floorcast-bench-") as folder:
        place = await _prepare(topics, contender, work, name, Path(folder))
        try:
            return await _run(topics, contender, work, place, seconds, quiet)
        finally:
            await topics.delete(f"{name}.")


async def _prepare(topics: Topics, contender: Contender, work: Work, name: str, folder: Path) -> Place:
    source, output = work.json_topic, f"{name}.out"
    if contender.input in {Input.FRAMES, Input.DELIVERIES}:
        await ensure_topics(
            topics.bootstrap, prefix=f"{name}.", generation=1, partitions=PARTITIONS, records_kept=400 * DAY
        )
        is_frames = contender.input is Input.FRAMES
        source = (RECORD_CHANGES if is_frames else DELIVERIES).full_name(f"{name}.", 1)
        output = PANES.full_name(f"{name}.", 1)
        content = work.frames if is_frames else work.deliveries
        await topics.fill(source, {partition: ((None, value) for value in mine) for partition, mine in content.items()})
    elif contender.input is Input.FILE:
        source = str(folder / "frames")
        Path(source).write_bytes(msgspec.msgpack.encode([work.frames[partition] for partition in sorted(work.frames)]))
    elif contender.read is not None:
        await topics.create(output, PARTITIONS)
    for suffix in contender.beforehand:
        await topics.create(f"{name}{suffix}", PARTITIONS)
    return Place(topics.bootstrap, name, source, output, folder, work.events)


async def _run(topics: Topics, contender: Contender, work: Work, place: Place, seconds: float, quiet: float) -> float:
    said = _Said()
    process = await asyncio.create_subprocess_exec(
        *contender.command(place),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **contender.environment(place)},
        start_new_session=True,  # Ctrl-C is ours; we end it
        limit=1 << 20,
    )
    listener = asyncio.create_task(_listen(process, contender.started_by, said))
    try:
        await _until_first(process, said)
        if contender.read is None:
            await _until_exit(process, listener, said, seconds)
            _check_limit(contender, work, place, said)
        else:
            await _until_right(topics, contender, work, place, process, said, seconds, quiet)
        return work.events / (said.last - said.first)
    finally:
        await _end(process)
        await listener


async def _listen(process: asyncio.subprocess.Process, started_by: str, said: _Said) -> None:
    async for raw in process.stdout or _nothing():
        now, line = time.time(), raw.decode(errors="replace").rstrip()
        if line.startswith("first "):
            said.first = said.first or float(line.split()[1])
        elif started_by in line and started_by != "first ":
            said.first = now  # the last assignment counts: nothing is done before it
        elif line.startswith("last "):
            said.last = float(line.split()[1])
        elif line.startswith("sum "):
            said.sum = int(line.split()[1])
        said.tail = [*said.tail[-19:], line]


async def _nothing() -> AsyncIterator[bytes]:
    """What a process without a pipe says."""
    return
    yield


async def _until_first(process: asyncio.subprocess.Process, said: _Said) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not said.first:
        if process.returncode is not None:
            raise NoFigureError(_ended(process, said))
        if time.monotonic() > deadline:
            msg = f"saw no record within {START_SECONDS:g} s: {_reason(said)}"
            raise NoFigureError(msg)
        await asyncio.sleep(LOOK_SECONDS)


async def _until_exit(
    process: asyncio.subprocess.Process, listener: asyncio.Task[None], said: _Said, seconds: float
) -> None:
    try:
        async with asyncio.timeout(seconds):
            await asyncio.shield(listener)
            await process.wait()
    except TimeoutError:
        msg = f"did not end within {seconds:g} s"
        raise NoFigureError(msg) from None
    if process.returncode != 0 or not said.last:
        raise NoFigureError(_ended(process, said))


def _check_limit(contender: Contender, work: Work, place: Place, said: _Said) -> None:
    if contender.input is Input.FILE:
        values = msgspec.msgpack.decode((place.folder / "panes").read_bytes())[PANES.name]
        _compare(cells_of_panes(dict(values)), work.truth)
    elif said.sum != work.revision_sum:
        msg = f"decoded revisions that sum up to {said.sum}, not {work.revision_sum}"
        raise NoFigureError(msg)


async def _until_right(
    topics: Topics,
    contender: Contender,
    work: Work,
    place: Place,
    process: asyncio.subprocess.Process,
    said: _Said,
    seconds: float,
    quiet: float,
) -> None:
    """Wait until the output stands still and is right. Some pause on the way, so one that is not right may go on."""
    read = contender.read or cells_of_panes
    deadline = time.monotonic() + seconds
    ends: dict[int, int] = {}
    moved, compared = 0.0, False
    while True:
        if process.returncode is not None:
            raise NoFigureError(_ended(process, said))
        now_there, now = await topics.ends(place.output, PARTITIONS), time.time()
        if now_there != ends:
            ends, moved, compared = now_there, now, False
        elif now - moved > quiet and not compared:
            compared = True
            with suppress(ValueError):  # half of a batch is there
                if read(await topics.last_values(place.output, PARTITIONS)) == work.truth:
                    break
        if time.monotonic() > deadline:
            _compare(read(await topics.last_values(place.output, PARTITIONS)), work.truth)
            msg = f"was not done within {seconds:g} s"
            raise NoFigureError(msg)
        await asyncio.sleep(LOOK_SECONDS)
    said.last = moved
    if contender.committed:
        await _until_committed(topics, place)


async def _until_committed(topics: Topics, place: Place) -> None:
    """Ours must have committed all that it says is done."""
    deadline = time.monotonic() + COMMIT_SECONDS
    wanted = await topics.ends(place.input, PARTITIONS)
    while (found := await topics.committed(f"{place.name}.g1.processor", place.input)) != wanted:
        if time.monotonic() > deadline:
            msg = f"committed {found} of {wanted}"
            raise NoFigureError(msg)
        await asyncio.sleep(LOOK_SECONDS)


def _compare(found: Cells, truth: Cells) -> None:
    if found == truth:
        return
    wrong = sorted(cell for cell in found.keys() | truth.keys() if found.get(cell) != truth.get(cell))
    first = wrong[0]
    msg = f"{len(wrong)} of {len(truth)} cells are wrong, such as {first}: {found.get(first)}, not {truth.get(first)}"
    raise NoFigureError(msg)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _ended(process: asyncio.subprocess.Process, said: _Said) -> str:
    return f"ended with {process.returncode}: {_reason(said)}"


def _reason(said: _Said) -> str:
    """The last line that says something of an error, else the last one."""
    lines: Sequence[str] = [line for line in said.tail if line.strip()]
    errors = [line for line in lines if "rror" in line or "xception" in line]
    return (errors or list(lines) or ["it said nothing"])[-1].strip()[:300]
