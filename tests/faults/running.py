"""One round of the suite: a floorcast of its own under steady load, a fault, the recovery, and the judgment.

Owns the order of a round and the figures that come of it. What is done to floorcast is in `rounds`.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from schemas.windows import WINDOWS
from tests.faults.cluster import Cluster
from tests.faults.judge import Judgment, judge
from tests.faults.load import RATE, Load
from tests.faults.result import Result
from tests.faults.stack import Kafka, Member, Stack
from tests.faults.watch import Watch

_OURS = str(Path(__file__).parents[1])
_WARM_SECONDS = 2.0
_COOL_SECONDS = 1.0


class Skipped(Exception):  # noqa: N818 - no error: this machine lacks what the round needs
    """The round cannot be run here; the message says what is missing."""


@dataclass
class Scene:
    """What a round works with, and what it finds."""

    stack: Stack
    load: Load
    watch: Watch
    brokers: Kafka | Cluster
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What else is worth a line in the table."""
    healed_at: float = 0.0
    """When the fault was over (monotonic): recovery counts from here."""

    @property
    def kafka(self) -> Kafka:
        """The one node."""
        assert isinstance(self.brokers, Kafka)
        return self.brokers

    @property
    def cluster(self) -> Cluster:
        """The three nodes."""
        assert isinstance(self.brokers, Cluster)
        return self.brokers

    def heal(self) -> None:
        """From now on nothing is wrong with the world any more."""
        self.healed_at = time.monotonic()

    def expect(self, holds: bool, what: str) -> None:
        """Note a failure if it does not hold, and go on."""
        if not holds:
            self.failures.append(what)

    def note(self, words: str) -> None:
        """Say something in the table."""
        self.notes.append(words)

    def worker(self, number: int) -> Member:
        return self.stack.workers[number - 1]


@dataclass(frozen=True, slots=True)
class Round:
    """A fault, by name."""

    name: str
    fault: str
    """For the table."""
    apply: Callable[[Scene], Awaitable[None]] | None = None
    workers: int = 2
    kafka: Callable[[Path], Kafka | Cluster] = Kafka
    linked: bool = False
    """The api and the first worker reach Kafka over links, which run in this process and cost time."""
    rate: float = RATE
    prepare: Callable[[Path], AbstractContextManager[Path]] | None = None
    """Makes the folder that Kafka's log lies in; without it a plain one is used. May raise Skipped."""
    environment: Callable[[Path], Mapping[str, str]] | None = None
    """More variables for workers and api. May raise Skipped."""
    compacts: bool = True
    """False where messages are stamped ahead of Kafka's clock: it cleans them only once that time has come."""
    may_stand_still: tuple[str, ...] = ()
    """Workers that may truthfully say that they do not live."""
    windows: Sequence[str] = WINDOWS
    """In which the numbers that are served are compared: of very many people one is enough."""
    seconds: float = 300.0
    """A round that takes longer has failed."""
    alone: Callable[[Path, Kafka, Result], Awaitable[None]] | None = None
    """Runs the round in place of the usual order: it has its own workload and its own judgment."""


async def run_round(one: Round, folder: Path, *, seed: int, slowness: float = 1.0) -> Result:
    """Run a round with everything in `folder`. What goes wrong is in the result.

    On a machine that is `slowness` times as slow as a quiet one, it has so many times as long, and less load.
    """
    result = Result(one.name, one.fault, taken_on=time.strftime("%Y-%m-%d", time.gmtime()), slowness=slowness)
    began = time.monotonic()
    try:
        async with asyncio.timeout(one.seconds * slowness), AsyncExitStack() as exits:
            place = folder / "kafka" if one.prepare is None else exits.enter_context(one.prepare(folder))
            made = Kafka(place, linked=True) if one.linked else one.kafka(place)
            kafka: Kafka | Cluster = await exits.enter_async_context(made)
            if one.alone is not None and isinstance(kafka, Kafka):
                await one.alone(folder, kafka, result)
            else:
                environment = {} if one.environment is None else one.environment(folder)
                await _run(one, folder, kafka, environment, seed, slowness, result)
    except Skipped as reason:
        result.skipped = str(reason)
    except Exception as error:  # noqa: BLE001 - the other rounds are still to be run
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if _OURS in frame.filename]
        way = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(ours[-3:]))
        result.problems.append(f"{type(error).__name__}: {error} ({way})")
    result.seconds = round(time.monotonic() - began, 1)
    return result


async def _run(
    one: Round,
    folder: Path,
    kafka: Kafka | Cluster,
    environment: Mapping[str, str],
    seed: int,
    slowness: float,
    result: Result,
) -> None:
    async with (
        Stack(folder, kafka, workers=one.workers, environment=environment) as stack,
        Load(stack.api.url, stack.config_file, seed=seed, rate=one.rate / slowness) as load,
        Watch(stack, load, slowness=slowness) as watch,
    ):
        await watch.until_taken()
        load.begin()
        await watch.well(time.monotonic())
        await asyncio.sleep(_WARM_SECONDS)
        scene = Scene(stack, load, watch, kafka)
        try:
            watch.begin()
            if one.apply is not None:
                await one.apply(scene)
            if not scene.healed_at:
                scene.heal()
            result.recovery_seconds = round(await watch.well(scene.healed_at), 1)
            await asyncio.sleep(_COOL_SECONDS)
            stall, result.stalled = watch.stall
            result.stall_seconds = round(stall, 1)
            scene.failures += watch.lies(may_stand_still=one.may_stand_still)
            await load.end()
            found = await judge(stack, load, windows=one.windows, patience=slowness)
            if one.compacts:
                scene.note(await stack.compact())
            await stack.stop()
            await stack.start()
            watch.begin()
            await watch.until_ready()
            found.add(await judge(stack, load, windows=one.windows, verify=False))
            _count(found, result)
        finally:
            result.notes += scene.notes
            result.problems += scene.failures


def _count(found: Judgment, result: Result) -> None:
    result.differences, result.missing = len(found.differences), len(found.missing)
    result.deliveries, result.changes = found.deliveries, found.changes
    result.problems += found.differences[:10]
    result.problems += [f"acknowledged and not in the log: {name}" for name in found.missing[:10]]
