"""The reading half of the api: view, consumer, broadcaster and exporter, put together.

Owns their wiring and the task that tells clients what has changed. The routes only ask.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import structlog
from prometheus_client import CollectorRegistry

from api.read.broadcast import Broadcaster
from api.read.consumer import ViewConsumer
from api.read.exported_part import ExportedPart, exported_part, is_part, windows_in_whole
from api.read.exposition import (
    ExportedReps,
    Exposition,
    Picture,
    ResponseHistogram,
    WaitingLeads,
    crossed_limits,
    exported_leads,
    exported_reps,
)
from api.read.generations import follow_served
from api.read.goal_rows import Attainment, exported_goals
from api.read.latency import Latency
from api.read.leaderboards import Leaderboards
from api.read.log_check import AskingAll, LogCheck, ReadSoFar
from api.read.other_definitions import workers_differ
from api.read.piecemeal import Piecemeal, spread
from api.read.response_cache import ResponseCache
from api.read.rows import freshness_json
from api.read.snapshots import Snapshots
from api.read.view import View
from api.settings import Settings
from schemas import tasks
from schemas.config import Config, ConfigError, load_config
from schemas.definitions import definitions_digest
from schemas.generations import Served
from schemas.instants import SECOND
from schemas.json_object import Json
from schemas.pane_store import PaneStore

log = structlog.get_logger("api")

GATHER_SECONDS = 0.004
"""Changes that come within this time leave in one event. Most have been gathered before: see `_BUSY_PAUSE_SECONDS`."""
_PAUSE_AFTER_FAILURE_SECONDS = 1.0
_NAMED_AT_MOST = 10
"""Of panes that cannot be read."""
_SNAPSHOT_SECONDS = 30.0
"""Longer nobody waits for one to be written."""
_LAST_SECONDS = 1.0
"""Nor so long at the end: whoever ends an api gives it little more."""
_BETWEEN_LOOKS_SECONDS = 0.05


class _LookedAt(NamedTuple):
    """What of a scrape takes long to look at."""

    reps: ExportedReps
    leads: WaitingLeads
    part: ExportedPart | None
    """Where not every rep is exported."""
    goals: list[Attainment]


class ReadSide:
    """Everything that `GET` is answered from; runs as a service beside the requests."""

    def __init__(
        self,
        settings: Settings,
        config: Config,
        *,
        registry: CollectorRegistry,
        clock: Callable[[], int],
        instance: str,
        build: Callable[[Config], str],
        asking: AskingAll,
    ) -> None:
        """`build`: names what screens are served by a configuration. `asking`: tells what Kafka says of the topics."""
        self._settings = settings
        self._started = config
        self._clock = clock
        self._moved = asyncio.Event()
        self._snapshots = Snapshots(settings.snapshot, asking, clock)
        self._tasks: list[asyncio.Task[None]] = []
        self.view = View(config)
        self.view.advance(clock())
        self._latency = Latency(registry)
        self.consumer = ViewConsumer(
            settings,
            self.view,
            latency=self._latency,
            on_change=self._on_change,
            on_redefined=self._on_redefined,
            clock=clock,
            snapshots=self._snapshots,
        )
        self.log_check = LogCheck(
            asking,
            prefix=settings.prefix,
            reading=self._what_is_read,
            on_lost=self._read_anew,
            clock=clock,
        )
        self.broadcaster = Broadcaster(self.view, instance=instance, build=build, freshness=self.freshness)
        self.response_cache = ResponseCache()
        self.leaderboards = Leaderboards(self.view)
        self.exposition = Exposition()
        self._responses = ResponseHistogram(self.view)
        self._unreadable: set[bytes] = set()
        """Keys of panes that are known to be so."""
        self._damage_told: tuple[PaneStore, int] | None = None
        self._loaded_once = False
        self._exported = windows_in_whole(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loading: asyncio.Task[None] | None = None
        """What is to be served next."""
        self._wanted: Served | None = None
        self._wanted_by = ""
        """Digest of the definitions of what is to be served next."""
        self._told_to_differ: tuple[str, str] | None = None
        """Digests of workers and of our files that the log has named last."""

    def problems(self) -> list[str]:
        """What is missing before the numbers may be believed."""
        doubts = self.log_check.problems()
        if doubts and self._next_generation is not None:
            # A replay has mended what contradicted the old one: nobody is to begin another one meanwhile.
            doubts = [f"generation {self._next_generation} is read: Kafka's topics are not those of what is served now"]
        found = [*self.consumer.problems(), *doubts]
        return found or ([] if self.log_check.has_looked else ["Kafka's topics have not been looked at yet"])

    @property
    def is_loaded(self) -> bool:
        """Whether the view holds all that was in Kafka at the start."""
        return self.consumer.is_loaded

    def freshness(self, now: int) -> Json:
        """The answer of `/v1/freshness`."""
        return freshness_json(
            self.view,
            latency=self._latency.percentiles(now),
            behind_seconds=self.behind_seconds(now),
            applied=self.consumer.applied,
            generation=self.consumer.generation,
            now=now,
        )

    def behind_seconds(self, now: int) -> float:
        """Age of the oldest delivery that is not in the numbers, or for how long they are not to be believed."""
        since = self.log_check.doubted_since
        behind = self.consumer.behind_seconds(now)
        return behind if since is None else max(behind, (now - since) / SECOND)

    def _looking(self, clock: Callable[[], int]) -> Piecemeal[_LookedAt]:
        """Look at all that a scrape has and that takes long."""
        view = self.view
        reps = yield from exported_reps(view, clock())
        leads = yield from exported_leads(view, clock())
        part = (yield from exported_part(view, clock(), self.leaderboards)) if is_part(view.config) else None
        return _LookedAt(reps, leads, part, (yield from exported_goals(view, reps.teams, clock())))

    async def picture_in_pieces(self) -> Picture:
        """What Prometheus gets, with the event loop free between two pieces of the work."""
        await asyncio.sleep(0)
        if not self.is_loaded:
            return self._picture(self._clock())
        looked_at = await spread(self._looking(self._clock))
        return self._picture(await self.settle(), looked_at)

    def _picture(self, now: int, looked_at: _LookedAt | None = None) -> Picture:
        """As of now; nothing in it is changed later. No sales numbers while the view loads (None)."""
        view = self.view
        picture = Picture(
            catalogue=view.catalogue,
            progress=dict(view.progress),
            lag=dict(self.consumer.lag),
            behind_seconds=self.behind_seconds(now),
            verification=view.verification,
            missed={name: state.missed for name, state in view.connection_states.items()},
            connections=dict(view.connection_states),
            definitions_differ=bool(view.redefined) or self.consumer.definitions_problem is not None,
        )
        if looked_at is None:
            return picture
        self._responses.observe((), now)
        reps, leads, part, goals = looked_at
        return replace(
            picture,
            windows={window: self.broadcaster.followed_values(window) for window in self._exported}
            if part is None
            else part.windows,
            teams=reps.teams if part is None else part.reps,
            teams_exported=() if part is None else part.teams,
            reps_left_out=reps.left_out,
            waiting=leads.counts,
            oldest=leads.oldest,
            responses={team: held.copy() for team, held in self._responses.teams.items()},
            crossed=crossed_limits(view),
            goals=goals if view.goals.goals else None,
            deals_without_rate=view.deals_without_rate(),
            unreadable_panes=view.store.damage.size(),
            negative_durations=view.negative_durations(),
            is_ready=not self.problems(),
        )

    async def settle(self, *, unwatched: bool = True) -> int:
        """Bring what is told up to date, with the event loop free between two pieces of it; as of when that is.

        A single delivery may name thousands of reps that nobody has heard of. While more comes than is taken in at
        once, that goes first: what is told meanwhile may be others' in a moment.
        """
        pieces = self.broadcaster.flushing(self._clock, unwatched=unwatched)
        return await spread(pieces, are_others_pressed=lambda: self.consumer.is_pressed)

    async def start(self) -> None:
        """Begin to load, and to tell what changes."""
        self._loop = asyncio.get_running_loop()
        self.broadcaster.pin(self._exported, self._clock())
        await self.consumer.start()
        await self.log_check.start()
        self._tasks = [
            asyncio.create_task(self._tell(), name="broadcast"),
            asyncio.create_task(tasks.without_end(self._follow_generations, "generations"), name="generations"),
            asyncio.create_task(tasks.without_end(self._keep_snapshots, "snapshots"), name="snapshots"),
        ]

    async def stop(self) -> None:
        """End all of it."""
        await tasks.end(self._tasks)
        await self._keep_snapshot(_LAST_SECONDS)
        await self.log_check.stop()
        await self.consumer.stop()

    async def _keep_snapshots(self) -> None:
        while True:
            await asyncio.sleep(self._settings.snapshot_seconds)
            await self._keep_snapshot()

    async def _keep_snapshot(self, seconds: float = _SNAPSHOT_SECONDS) -> None:
        """Where nothing speaks against what is served."""
        if self._is_loading or self.problems():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.consumer.keep(self._snapshots)

    def _what_is_read(self) -> ReadSoFar:
        consumer, progress = self.consumer, dict(self.view.progress)
        return ReadSoFar(self.view, consumer.served, consumer.positions, progress, consumer.is_loaded)

    def _read_anew(self) -> None:
        """What the view was read from is not there any more: read what is, and serve that in its place."""
        if self.consumer.served is not None and not self._is_loading:
            self._begin_to_turn(self._wanted or self.consumer.served, self._config_of_now())

    def ask_reload(self) -> None:
        """Read both files again; from a signal handler or another thread. Before `start` they are read anyway."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._reload)

    def _reload(self) -> None:
        """Serve what the files define now, once the workers count it. A file with an error changes nothing."""
        try:
            config = load_config(self._settings.config, os.environ)
        except ConfigError as error:
            log.error("reload.refused", problems=error.problems)
            return
        later = [name for name in ("connections", "cors") if getattr(config, name) != getattr(self._started, name)]
        if later:
            log.warning("reload.later", settings=later, why="takes effect when the api is started again")
        is_settled = not self._is_loading and not self.consumer.stands_still
        if is_settled and config.says_the_same(self.view.config):
            log.info("reload.unchanged")
            return
        served = self._wanted or self.consumer.served
        if served is None:
            # It is still asked which generation is served: what is loaded then has these definitions.
            log.warning("reload.too_early", hint="ask again once the api is ready")
            return
        log.info("reload.loading", definitions=definitions_digest(config))
        self._begin_to_turn(served, config)

    @property
    def definitions(self) -> str:
        """By which this api serves, or is about to: what the files said when they were last read."""
        return self._wanted_by or self.view.definitions

    @property
    def _next_generation(self) -> int | None:
        """Which one is read to be served in place of another; None: no other one is."""
        served, wanted = self.consumer.served, self._wanted
        if not self._is_loading or served is None or wanted is None or wanted.generation == served.generation:
            return None
        return wanted.generation

    @property
    def _is_loading(self) -> bool:
        return self._loading is not None and not self._loading.done()

    def _on_redefined(self, by: str) -> None:
        """A worker has begun to write by definitions that are not those of what is served: it stands still from there.

        Nobody may have asked us to reload: a worker that was started again has read the files too. But what they say
        to nobody who writes would never be whole.
        """
        if self._is_loading and by == self._wanted_by:
            return
        config = self._config_of_now()
        ours = definitions_digest(config)
        if ours != by:
            # Each partition begins with its own word of it.
            if (by, ours) != self._told_to_differ:
                log.warning(
                    "definitions.differ",
                    why=f"{workers_differ(by, ours)}; until then what is served stands still",
                )
            self._told_to_differ = by, ours
        elif (served := self._wanted or self.consumer.served) is not None:
            self._begin_to_turn(served, config)

    def _begin_to_turn(self, served: Served, config: Config) -> None:
        """Load this instead of what may be loading."""
        if self._loading is not None:
            self._loading.cancel()
        self._wanted, self._wanted_by = served, definitions_digest(config)
        self._loading = asyncio.create_task(self._turn_to(served, config), name=f"generation {served.generation}")
        self._loading.add_done_callback(_told_if_failed)

    async def _follow_generations(self) -> None:
        """Serve another generation once it is named; the newest one, if several are while one loads."""
        try:
            async for served in follow_served(self._settings):
                while self.consumer.served is None:
                    await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
                wanted = self._wanted or self.consumer.served
                if served.generation != wanted.generation:
                    self._begin_to_turn(served, self._config_of_now())
        finally:
            await tasks.end([self._loading])

    async def _turn_to(self, served: Served, config: Config) -> None:
        """Load a generation beside the one that is served, and serve it once it has all that was delivered by now.

        In one step: no answer and no event mixes the two, and none shows a part of one.
        """
        log.info("generation.loading", generation=served.generation)
        view = View(config)
        view.advance(self._clock())

        def on_change() -> None:
            if self.view is view:
                self._on_change()

        def on_redefined(by: str) -> None:
            # Before it is served the one that is hears of it.
            if self.view is view:
                self._on_redefined(by)

        consumer = ViewConsumer(
            self._settings,
            view,
            latency=self._latency,
            on_change=on_change,
            on_redefined=on_redefined,
            clock=self._clock,
            served=served,
        )
        before = self.consumer
        try:
            await consumer.start()
            while consumer.problems():
                await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
            # What a client has of the old one is not the same as anything of the new one.
            view.revision += self.view.revision + 1
            self._exported = windows_in_whole(config)
            self.view, self.consumer = view, consumer
            self.leaderboards = Leaderboards(view)
            self._responses = ResponseHistogram(view)
            self._responses.observe(list(view.clocks), self._clock())
            self._loaded_once = True
            self.broadcaster.turn_to(view, self._exported, self._clock())
            self.log_check.look_soon()
        finally:
            await (before if self.consumer is consumer else consumer).stop()
        log.info("generation.served", generation=served.generation)

    def _config_of_now(self) -> Config:
        """The configuration as the file says it now: what a replay was made for is most often a change of it."""
        try:
            return load_config(self._settings.config, os.environ)
        except ConfigError as error:
            log.error("generation.configuration", problems=error.problems)
            return self.view.config

    def _on_change(self) -> None:
        if self.consumer.is_loaded:
            if self.log_check is not None and not self._loaded_once:
                self.log_check.look_at_whole()
            self._responses.observe(self._unobserved(), self._clock())
        self._moved.set()

    def _unobserved(self) -> Iterable[str]:
        if not self._loaded_once:
            self._loaded_once = True
            return list(self.view.clocks)
        return self.view.changes.leads

    def _tell_of_damage(self) -> None:
        """Log the panes that were found to be unreadable since the last time, a few of them by their keys."""
        store = self.view.store
        if self._damage_told == (store, store.damage.revision):
            return
        self._damage_told = store, store.damage.revision
        found = store.unreadable_keys()
        fresh = found - self._unreadable
        self._unreadable = found
        if fresh:
            named = sorted(key.decode() for key in fresh)[:_NAMED_AT_MOST]
            log.error("panes.unreadable", panes=len(fresh), keys=named, remedy="runbooks/PanesUnreadable.md")

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = self._clock()
            pause = (self.broadcaster.next_flush(now) - now) / SECOND if self.is_loaded else 1.0
            with contextlib.suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it forgets that it was cancelled when the event comes at that moment.
                async with asyncio.timeout(max(0.001, pause)):
                    await self._moved.wait()
            self._moved.clear()
            begun = loop.time()
            if self.is_loaded:
                try:
                    await self.settle(unwatched=False)
                    self._tell_of_damage()
                except Exception:
                    # What had changed is forgotten with it: the next time everything is looked at.
                    log.exception("broadcast.failed")
                    self.view.forget_changes()
                    await asyncio.sleep(_PAUSE_AFTER_FAILURE_SECONDS)
            # A floor so large that telling takes long is told less often: requests have their turn in between.
            await asyncio.sleep(max(GATHER_SECONDS, (loop.time() - begun) / 2))


def _told_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("generation.failed", error=type(task.exception()).__name__)
