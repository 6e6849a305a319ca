"""How much there is in a topic of a floor, and when a stage has done it."""

import asyncio
from collections.abc import Mapping

from bench.processes import BenchError, Floor
from processor.transport.fetched import Fetched
from processor.transport.following import Follower
from schemas.progress import decode_progress, read_progress_key
from schemas.topics import FENCE, PROGRESS, Topic

_BETWEEN_LOOKS_SECONDS = 0.05


def ends(floor: Floor, topic: Topic) -> int:
    """Records ever written to a topic, of all partitions."""

    async def ask() -> int:
        name = topic.full_name(floor.prefix, 1)
        async with Follower(floor.bootstrap, name) as follower:
            return sum((await follower.ends()).values())

    return asyncio.run(ask())


async def until_done(floor: Floor, stage: str, source: Topic, *, seconds: float) -> None:
    """Wait until a stage says that it has done all that its source holds now. BenchError if it does not."""
    done: dict[tuple[str, int], int] = {}

    def apply(_partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.key is not None and record.key != FENCE and record.value is not None:
                done[read_progress_key(record.key)] = decode_progress(record.value).offset

    def is_done(wanted: Mapping[int, int]) -> bool:
        return all(done.get((stage, partition), 0) >= end for partition, end in wanted.items())

    async with Follower(floor.bootstrap, PROGRESS.full_name(floor.prefix, 1)) as follower:
        wanted = await follower.ends(source.full_name(floor.prefix, 1))
        try:
            async with asyncio.timeout(seconds):
                while not is_done(wanted):
                    await follower.read_to(await follower.ends(), apply)
                    await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
        except TimeoutError:
            msg = f"stage {stage} has not done what there is after {seconds:g} s"
            raise BenchError(msg) from None
