"""Are the topics there, and still the logs of which the numbers were made? Looked at again and again.

Owns the looks and what `/readyz` says of them. What contradicts what is schemas/log_marks.py's; that the view is read
anew where its own topics were made anew is read_side.py's. The marks of stages come with their progress, those of the
view are made here.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError

from api.read.topics import STAGE_INPUTS
from schemas import tasks
from schemas.generations import Served, wanted_of
from schemas.log_marks import (
    REPLAY,
    Asking,
    ClusterFacts,
    EpochAsked,
    EpochEnd,
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
from schemas.progress import Progress
from schemas.topic_settings import remark, unusable
from schemas.topics import (
    ALERT_ACTIONS,
    DEALS,
    DELIVERIES,
    LEAD_CLOCKS,
    NOTIFICATIONS,
    PANES,
    ROSTER,
    TOPICS,
    Topic,
)

log = structlog.get_logger("api")

LOOK_SECONDS = 2.0
_INPUTS = {**STAGE_INPUTS, "notify": NOTIFICATIONS, "acknowledge": ALERT_ACTIONS}
"""What each stage reads whose progress carries marks."""
_MADE_ANEW = frozenset(topic.name for topic in (PANES, ROSTER, DEALS, LEAD_CLOCKS))
"""What a worker publishes anew by itself where it is gone."""
_ANEW = "its worker publishes it anew"
_BY_NAME = {topic.name: topic for topic in TOPICS}


class AskingAll(Asking, Protocol):
    """The same, who asks for settings too."""

    async def settings(self, names: Collection[str]) -> Mapping[str, Mapping[str, str | None]]: ...


@dataclass(frozen=True, slots=True)
class ReadSoFar:
    """What is served, and how far it was read."""

    view: object
    """Another one once the view was read anew."""
    served: Served | None
    """None: nobody has asked yet."""
    positions: Mapping[Place, int]
    progress: Mapping[tuple[str, int], Progress]
    is_whole: bool = True
    """Whether it holds all that was there: until then stages may have said more of their topics than was read."""


class LogCheck:
    """Looks at the topics of one deployment. `reading`: what is served now, or None where nothing is read.

    `on_lost` is called at each look while topics of the view are not those any more that it was read from.
    """

    def __init__(
        self,
        asking: AskingAll,
        *,
        prefix: str,
        reading: Callable[[], ReadSoFar | None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
        clock: Callable[[], int],
    ) -> None:
        self._asking = asking
        self._prefix = prefix
        self._reading = reading
        self._on_lost = on_lost
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._shape: list[Loss] = []
        self._lasting: list[Loss] = []
        self._problems: list[str] = []
        self.has_looked = False
        """Nothing is known before the first look at a whole view, nor before the first at what took the place of what
        was doubted."""
        self._has_told = False
        """The same of any look: what one finds while the view loads is so."""
        self._view: object = None
        self._marks: dict[Place, LogMark] = {}
        self._hurry = asyncio.Event()
        self._remarks: set[str] = set()
        self._lost: tuple[object, str] | None = None
        """The view that is read anew, and why."""
        self.doubted_since: int | None = None
        """Since when (microseconds) the numbers are not to be believed."""

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="log check")

    async def stop(self) -> None:
        """End it."""
        await tasks.end([self._task])
        await self._asking.close()

    def problems(self) -> list[str]:
        """Why the numbers cannot be believed; empty where they can, and before anybody has looked."""
        return self._problems if self._has_told else []

    def ingest_problems(self) -> list[str]:
        """Why webhooks cannot be taken: their own topic is gone."""
        name = DELIVERIES.full_name(self._prefix)
        return [str(loss) for loss in self._lasting if loss.topic == name and loss.kind == "missing"]

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except (KafkaError, OSError, TimeoutError) as error:
                # Nothing is known meanwhile; what was so is taken to be so.
                log.debug("log_check.interrupted", error=type(error).__name__)
            except Exception as error:
                # A fault of ours. Without this nobody would look any more, and what was right once were right for ever.
                log.exception("log_check.failed")
                self._tell([f"Kafka's topics cannot be looked at ({type(error).__name__}); the log says why"])
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._hurry.wait()
            self._hurry.clear()

    def look_soon(self) -> None:
        """Look again without waiting: something else is served from now on, and what was doubted was of the other."""
        if self._problems:
            self.has_looked = self._has_told = False
        self._hurry.set()

    def look_at_whole(self) -> None:
        """Look again without waiting: what loaded is whole."""
        self._hurry.set()

    async def look(self) -> None:
        """Compare once. Raises KafkaError, OSError, TimeoutError."""
        # Before Kafka is asked: what is read meanwhile may lie behind the ends that it tells.
        reading = self._reading()
        positions = {} if reading is None else dict(reading.positions)
        stages = [] if reading is None else self._stage_marks(reading)
        if reading is not None and reading.view is not self._view:
            self._view, self._marks = reading.view, {}
        wanted = self._wanted(reading)
        facts = await self._asking.topics(list(wanted))
        shape = shape_losses(facts, wanted)
        self._lasting, self._shape = lasting(self._shape, shape), shape
        marks = {place: self._marks.get(place, LogMark()) for place in positions}
        asked = asked_of(marks, facts).union(*(asked_of({each.place: each.mark}, facts) for each in stages))
        ends = await self._asking.ends(asked)
        self._judge_view(reading, positions, marks, facts, ends)
        unfit = await self._look_at_settings(facts)
        if self._hurry.is_set():
            return  # something else is served by now: the next look, which follows at once, is at that
        losses = [each.loss(facts, ends) for each in stages]
        self._tell(
            [
                *loss_lines(self._lasting),
                *unfit,
                *loss_lines(
                    (loss for loss, each in zip(losses, stages, strict=True) if loss and not each.is_anew), REPLAY
                ),
                *loss_lines((loss for loss, each in zip(losses, stages, strict=True) if loss and each.is_anew), _ANEW),
                *([] if self._lost is None else [f"{self._lost[1]}: the view is read anew"]),
            ]
        )
        self.has_looked = self.has_looked or reading is None or reading.is_whole

    async def _look_at_settings(self, facts: ClusterFacts) -> list[str]:
        """By which of them numbers go wrong. What is merely not advised is told to the log, once."""
        held = await self._asking.settings(list(facts.topics))
        for name in sorted(held):
            line = remark(name, facts.topics[name].replicas, held[name], facts.brokers)
            if line is not None and line not in self._remarks:
                self._remarks.add(line)
                log.warning("topic.not_advised", why=line)
        return [line for name in sorted(held) for line in unusable(name, self._topic(name), held[name])]

    def _topic(self, name: str) -> Topic:
        """A topic of the catalogue by its name in Kafka."""
        return _BY_NAME[re.sub(r"^g[0-9]+\.", "", name.removeprefix(self._prefix))]

    def _wanted(self, reading: ReadSoFar | None) -> dict[str, int]:
        if reading is None or reading.served is None:
            # How many partitions there are to be is not known before the pointer was read.
            return {DELIVERIES.full_name(self._prefix): 0}
        return wanted_of(self._prefix, reading.served)

    def _stage_marks(self, reading: ReadSoFar) -> "list[_StageMark]":
        found: list[_StageMark] = []
        generation = 1 if reading.served is None else reading.served.generation
        for (stage, partition), progress in reading.progress.items():
            source = _INPUTS.get(stage)
            for name, mark in progress.marks.items():
                if (topic := _BY_NAME.get(name)) is not None:
                    place = topic.full_name(self._prefix, generation), partition
                    is_source = topic is source
                    found.append(_StageMark(place, mark, progress.offset if is_source else 0, name in _MADE_ANEW))
        return found

    def _judge_view(
        self,
        reading: ReadSoFar | None,
        positions: Mapping[Place, int],
        marks: Mapping[Place, LogMark],
        facts: ClusterFacts,
        ends: Mapping[EpochAsked, EpochEnd],
    ) -> None:
        if reading is None:
            return
        if self._lost is not None and self._lost[0] is reading.view:
            self._on_lost()  # a load of another one may have failed
            return
        self._lost = None
        for place, mark in marks.items():
            loss = loss_at(place, mark, facts, ends) or beyond_end(place, positions[place], facts, ends)
            if loss is not None:
                self._lost = reading.view, loss.text
                log.warning("view.contradicted", topic=loss.topic, why=loss.text)
                self._on_lost()
                return
            self._marks[place] = advanced(place, mark, positions[place], facts, ends)

    def _tell(self, problems: list[str]) -> None:
        self._has_told = True
        if problems and problems != self._problems:
            log.error("topics.contradict", problems=problems)
        elif self._problems and not problems:
            log.info("topics.right")
        self._problems = problems
        if not problems:
            self.doubted_since = None
        elif self.doubted_since is None:
            self.doubted_since = self._clock()


@dataclass(frozen=True, slots=True)
class _StageMark:
    """What a stage says of a partition."""

    place: Place
    mark: LogMark
    offset: int
    """Up to where it has read it; 0: it writes it."""
    is_anew: bool

    def loss(self, facts: ClusterFacts, ends: Mapping[EpochAsked, EpochEnd]) -> Loss | None:
        return loss_at(self.place, self.mark, facts, ends) or beyond_end(self.place, self.offset, facts, ends)
