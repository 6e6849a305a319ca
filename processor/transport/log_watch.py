"""The worker's watch over its topics: that they are there, and still the logs that its shards have read and written.

Owns the looks, the marks of the places that shards follow, and the end of a worker whose topics contradict them. What
contradicts what is schemas/log_marks.py's; the marks of what cannot be made anew travel in `progress`, so that the next
owner is not taken in by what happened while nobody lived.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import structlog
from aiokafka.errors import KafkaError

from processor.transport.fail_stop import FAILED, Die, die
from schemas.log_marks import (
    REPLAY,
    Asking,
    LogMark,
    Loss,
    Place,
    advanced,
    asked_of,
    beyond_end,
    lasting,
    loss_at,
    loss_lines,
    shape_losses,
)

LOOK_SECONDS = 2.0
_BETWEEN_TRIES_SECONDS = 0.5
PUBLISHED_ANEW = "this worker publishes it anew at its next start"

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class WatchedPartition:
    """A partition that a shard reads or writes."""

    place: Place
    offset: Callable[[], int]
    """Up to where it has, exclusive."""
    can_be_made_anew: bool
    """All that lies in it follows from something else that the shard has."""
    on_new_mark: Callable[[], None]
    """Called once after each look that has moved marks."""
    mark: LogMark = field(default_factory=LogMark)
    """The last that is sure."""


class LogWatch:
    """Watches the topics of one worker. `wanted`: topic as Kafka knows it -> its partitions.

    `doubt`: called before the end, with nothing that was kept of these topics to be believed by the next start: where
    a log was put back from a copy and has grown since, a checkpoint may be what contradicts it.
    """

    def __init__(
        self, asking: Asking, wanted: Mapping[str, int], *, doubt: Callable[[], None] = lambda: None, die: Die = die
    ) -> None:
        self._asking = asking
        self._doubt = doubt
        self._wanted = dict(wanted)
        self._die = die
        self._shape: list[Loss] = []
        self._followed: set[WatchedPartition] = set()

    def leave(self, followed: WatchedPartition) -> None:
        """Watch it no more."""
        self._followed.discard(followed)

    async def run(self) -> None:
        """Look again and again; while Kafka does not answer, nothing is known and nothing is done."""
        while True:
            try:
                await self.look()
            except (KafkaError, OSError, TimeoutError) as error:
                log.debug("log_watch.interrupted", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._asking.close()

    async def look(self) -> None:
        """Compare once; end the process where something contradicts. Raises KafkaError, OSError, TimeoutError."""
        # Before Kafka is asked: what is read meanwhile may lie behind the ends that it tells.
        looked_at = [(followed, followed.mark, followed.offset()) for followed in self._followed]
        facts = await self._asking.topics(list(self._wanted))
        shape = shape_losses(facts, self._wanted)
        if lost := lasting(self._shape, shape):
            self._end(loss_lines(lost))
        self._shape = shape
        asked = {each for followed, mark, _ in looked_at for each in asked_of({followed.place: mark}, facts)}
        ends = await self._asking.ends(asked)
        moved: dict[Callable[[], None], None] = {}
        for followed, mark, offset in looked_at:
            if followed not in self._followed:
                continue  # given up meanwhile
            place = followed.place
            loss = loss_at(place, mark, facts, ends) or beyond_end(place, offset, facts, ends)
            if loss is not None:
                self._end(loss_lines([loss], PUBLISHED_ANEW if followed.can_be_made_anew else REPLAY))
            followed.mark = advanced(place, mark, offset, facts, ends)
            if followed.mark != mark:
                moved[followed.on_new_mark] = None
        for tell in moved:
            tell()

    async def begin(self, followed: Collection[WatchedPartition], left: Mapping[Place, LogMark]) -> None:
        """Follow these from now on, unless Kafka contradicts what an earlier owner left: its marks, or how far it was.

        Each has a mark afterwards: what happens before the next look is seen. Waits for as long as Kafka does not
        answer: a worker that gets nowhere is ended by who watches its progress (`FLOORCAST_STALL`).
        """
        marks = {each.place: left.get(each.place, LogMark()) for each in followed}
        while True:
            try:
                offsets = {each.place: each.offset() for each in followed}
                facts = await self._asking.topics(sorted({topic for topic, _ in marks}))
                ends = await self._asking.ends(asked_of(marks, facts))
                break
            except (KafkaError, OSError, TimeoutError) as error:
                log.info("log_watch.waiting", error=type(error).__name__)
            await asyncio.sleep(_BETWEEN_TRIES_SECONDS)
        found = [loss_at(place, mark, facts, ends) for place, mark in marks.items()]
        found += [beyond_end(place, offset, facts, ends) for place, offset in offsets.items()]
        if lost := [loss for loss in found if loss is not None]:
            self._end(loss_lines(lost))
        for each in followed:
            each.mark = advanced(each.place, LogMark(), offsets[each.place], facts, ends)
            self._followed.add(each)

    def refuse(self, why: str) -> NoReturn:
        """End the process: what lies in Kafka does not fit together."""
        self._doubt()
        self._die(FAILED, why)

    def _end(self, lines: Sequence[str]) -> NoReturn:
        self.refuse("; ".join(lines))
