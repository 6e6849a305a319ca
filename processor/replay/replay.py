"""A replay from its beginning to the switch.

Owns the order of things: which generation is made, from where on the log is read, how often. What is served does not
change before the handover, and not at all if anything fails.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from processor.machine import processors
from processor.replay.cut import LEEWAY
from processor.replay.dead_letters import known_letters, new_letters
from processor.replay.hand import ReplayWork, WriteRefusedError
from processor.replay.handover import hand_over, pointer_owner
from processor.replay.hands import Hands, ReplayError
from processor.transport.administration import (
    add_partitions,
    delete_topics,
    ensure_topics,
    find_generations,
    make_missing,
    partitions_of,
    refuse_settings,
)
from processor.transport.following import Follower, take_progress
from processor.transport.generations import read_served
from processor.transport.owner import Owner
from processor.transport.phone_number_key import read_numbers
from schemas import tasks
from schemas.config import Config
from schemas.generations import Served
from schemas.instants import format_instant
from schemas.kafka import Address
from schemas.progress import Progress
from schemas.steps import TellStep
from schemas.topics import DELIVERIES, LEDGER, PROGRESS, RECORD_CHANGES, TOPICS, Topic

MAX_HANDS = 8
"""More would only wait for Kafka."""
SHORT_TAIL = 20_000
"""Deliveries that may be left for the time in which workers stand still."""
PASSES = 5
"""At most so many before the last: more would only show that the log grows as fast as it is read."""
BEHIND_SECONDS = 60.0
_BETWEEN_LOOKS_SECONDS = 0.2
_BETWEEN_PROOFS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay has made."""

    served: Served
    deliveries: int
    changes: int
    cut: int | None
    """What the CRM changed before (microseconds) is as it was read then; None: all was read anew."""
    seconds: float


async def replay(
    *,
    bootstrap: Address,
    prefix: str,
    config: Config,
    config_file: Path,
    folder: Path,
    since: int | None = None,
    partitions: int | None = None,
    say: TellStep = lambda _step, _done, _total: None,
) -> ReplayResult:
    """Make a new generation from the log and let it be served.

    `since` (microseconds): what the CRM changed before is taken from the generation that is served, as it was read
    then. `partitions`: of the new generation; as many as now if None. `folder` is emptied and used for what the
    processes hand to each other. `config_file` holds `config`; each process reads it.

    Raises ReplayError, WriteRefusedError, TopicsError, MissingTopicError, KafkaError.
    """
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(Follower(bootstrap, DELIVERIES.full_name(prefix)))
        served = await _as_found(bootstrap, prefix, len(log.positions), config)
        pointer = pointer_owner(bootstrap, prefix)
        stack.push_async_callback(pointer.close)
        await pointer.acquire()
        await stack.enter_async_context(_alone(pointer))
        made = await _make_room(bootstrap, prefix, served, partitions, config, len(log.positions))
        cut, starts = await _cut(log, since)
        numbers = await read_numbers(bootstrap, prefix, config)
        work = ReplayWork(bootstrap, prefix, config_file, served, made, cut, _empty(folder), _hands(made), numbers)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        known = await known_letters(bootstrap, prefix)
        hands = await stack.enter_async_context(Hands(work, say))
        if cut is not None:
            await hands.take_over(await _ledger_ends(work, starts))
        done = await _pass_all(hands, log, starts)

        async def catch_up() -> tuple[Mapping[int, int], Mapping[str, Progress]]:
            nonlocal done
            ends = await log.ends()
            await hands.pass_over(done, ends)
            done = ends
            return ends, hands.progress

        now_served = await hand_over(work, pointer, catch_up=catch_up, letters=lambda: new_letters(work, known))
        return ReplayResult(
            now_served,
            sum(done[partition] - start for partition, start in starts.items()),
            hands.changes,
            cut,
            time.monotonic() - began,
        )


@asynccontextmanager
async def _alone(pointer: Owner) -> AsyncIterator[None]:
    """End what is done here once another replay has begun: it deletes the topics of this one."""
    body = asyncio.current_task()
    overtaken = False

    async def look() -> None:
        nonlocal overtaken
        while True:
            await asyncio.sleep(_BETWEEN_PROOFS_SECONDS)
            try:
                await pointer.prove()
            except WriteRefusedError:
                overtaken = True
                if body is not None:
                    body.cancel()
                return

    looking = asyncio.create_task(look(), name="alone")
    try:
        yield
    except asyncio.CancelledError:
        if not overtaken or body is None:
            raise
        body.uncancel()
        msg = "another replay has begun"
        raise ReplayError(msg) from None
    finally:
        await tasks.end([looking])


async def _as_found(bootstrap: Address, prefix: str, log_partitions: int, config: Config) -> Served:
    """What is served, with the partitions that its topics were made with; those that are gone are made anew, empty.

    Somebody may have added partitions: nothing was read of those. Where the pointer is lost, the newest generation that
    is there was served.
    """
    said, there = await read_served(bootstrap, prefix, log_partitions), await find_generations(bootstrap, prefix=prefix)
    generation = said.generation if said.generation in there or not there else max(there)
    names = {topic.full_name(prefix, generation): topic for topic in TOPICS}
    found = await partitions_of(bootstrap, list(names))
    # Partitions are only ever added, so the fewest are those of the beginning.
    derived = [
        found[name] for name, topic in names.items() if name in found and topic.derived and topic.spread == "own"
    ]
    log = [found[name] for name, topic in names.items() if name in found and _is_spread_as_log(topic)]
    served = Served(
        generation, min(derived, default=said.partitions), min(log, default=said.log_partitions), said.switched_at
    )
    await make_missing(
        bootstrap,
        prefix=prefix,
        generation=generation,
        partitions=served.partitions,
        log_partitions=served.log_partitions,
        records_kept=config.retention.records,
    )
    return served


def _is_spread_as_log(topic: Topic) -> bool:
    return topic.spread == "log" or (not topic.derived and topic.spread == "own")


async def _spread_log(bootstrap: Address, prefix: str, partitions: int) -> None:
    """Whoever adds partitions to the log does not think of the other topics that go by its number."""
    names = [topic.full_name(prefix) for topic in TOPICS if not topic.derived and topic.spread == "own"]
    found = await partitions_of(bootstrap, names)
    await add_partitions(bootstrap, {name: partitions for name, held in found.items() if held < partitions})


async def _make_room(
    bootstrap: Address, prefix: str, served: Served, partitions: int | None, config: Config, log_partitions: int
) -> Served:
    """Delete what no one serves: earlier generations, and what replays that were killed have left. Begin a new one."""
    there = await find_generations(bootstrap, prefix=prefix)
    newest = max([served.generation, *there])
    # Before anything is changed: partitions that were added to the log cannot be taken away.
    kept = config.retention.records
    await refuse_settings(bootstrap, prefix=prefix, generation=newest + 1, records_kept=kept)
    await delete_topics(
        bootstrap, [name for number, names in there.items() if number != served.generation for name in names]
    )
    made = Served(newest + 1, partitions or served.partitions, log_partitions)
    await _spread_log(bootstrap, prefix, log_partitions)
    await ensure_topics(
        bootstrap,
        prefix=prefix,
        generation=made.generation,
        partitions=made.partitions,
        log_partitions=made.log_partitions,
        records_kept=kept,
    )
    return made


async def _cut(log: Follower, since: int | None) -> tuple[int | None, dict[int, int]]:
    """From which instant on changes are read anew (None: all), and where in the log that begins."""
    starts = dict(log.positions)
    expired = [at for partition, (_, at) in (await log.since(0)).items() if starts[partition] > 0]
    # Part of the log is gone: what it said is known to the rows of the old generation alone.
    cut = max(expired) + LEEWAY if expired else None
    if since is not None and (cut is None or since > cut):
        cut = since
        ends, found = await log.ends(), await log.since(max(0, since - LEEWAY))
        starts = {partition: found[partition][0] if partition in found else end for partition, end in ends.items()}
    return cut, starts


async def _pass_all(hands: Hands, log: Follower, starts: Mapping[int, int]) -> dict[int, int]:
    """Take in what is there, then what came meanwhile, until that is little; how far that is."""
    done = dict(starts)
    for _ in range(PASSES):
        ends = await log.ends()
        await hands.pass_over(done, ends)
        done = ends
        if sum((await log.ends()).values()) - sum(done.values()) <= SHORT_TAIL:
            break
    return done


async def _ledger_ends(work: ReplayWork, starts: Mapping[int, int]) -> dict[int, int]:
    """The ends of the old ledger, once it holds all that lies in the log before `starts`."""
    generation, progress = work.served.generation, dict[tuple[str, int], Progress]()
    async with Follower(work.bootstrap, PROGRESS.full_name(work.prefix, generation)) as follower:

        async def until_done(stage: str, ends: Mapping[int, int]) -> None:
            deadline = time.monotonic() + BEHIND_SECONDS
            while True:
                await follower.read_to(await follower.ends(), lambda _, records: take_progress(progress, records))
                if all(progress.get((stage, p), Progress()).offset >= end for p, end in ends.items()):
                    return
                if time.monotonic() > deadline:
                    msg = f"stage {stage} of generation {generation} is behind: run its workers until it is not"
                    raise ReplayError(msg)
                await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)

        await until_done("normalise", starts)
        await until_done("ledger", await follower.ends(RECORD_CHANGES.full_name(work.prefix, generation)))
        return await follower.ends(LEDGER.full_name(work.prefix, generation))


def _empty(folder: Path) -> Path:
    """The folder, without what a replay that was killed has left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _hands(made: Served) -> int:
    return max(1, min(processors(), max(made.partitions, made.log_partitions), MAX_HANDS))


def words(outcome: ReplayResult) -> str:
    """What has come of it, in a line."""
    older = "" if outcome.cut is None else f"; what the CRM changed before {format_instant(outcome.cut)} is as it was"
    return (
        f"generation {outcome.served.generation} is served: {outcome.changes} changes of {outcome.deliveries} "
        f"deliveries in {outcome.seconds:.1f} s{older}"
    )
