"""`floorcast backfill NAME`: asks a CRM's API for what was there before its webhooks came.

Owns the walk and the mark by which it goes on where it was stopped. Whole records, each with its history, go into the
log as deliveries, page by page: a page that is sent twice changes nothing, so the mark may lag behind.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from deploy.local.ports import UpError
from deploy.local.private import write_private
from deploy.local.target import reach_broker
from deploy.lookups.client import Client, CrmApiError, of_one_object
from deploy.lookups.log import Append, answer_deliveries, appending
from deploy.lookups.pacing import SharedPace
from processor.transport.writing import Writer
from schemas.config import Config
from schemas.connection_states import BackfillState as Running
from schemas.connectors import build_source, daily_limit
from schemas.connectors.asking import ApiObject, BadAnswerError, Envelope, Learned
from schemas.connectors.lists import Walk
from schemas.deliveries import BACKFILL
from schemas.exit_codes import ExitCode
from schemas.instants import MINUTE
from schemas.kafka_facts import KafkaError
from schemas.kafka_refusals import what_failed
from schemas.machine_clock import machine_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.local.target import Instance

AT_ONCE = 4
"""Requests under way: a single one would wait for the way most of the time."""

Progressed = Callable[[str, int, int | None, float | None], None]
"""Called with the object, how many are done, how many there are, where the vendor tells that, and else which part of
the time asked for is covered (0 to 1), where its lists go by time."""


class BackfillMark(msgspec.Struct, kw_only=True):
    """How far a back-fill has come."""

    since: int
    objects: Sequence[str]
    done: Sequence[str] = ()
    object: str | None = None
    """The one that is under way."""
    cursor: str | None = None
    """Within it; None: its begin."""
    records: int = 0
    """Of that object."""
    of: int | None = None
    """How many it has, where the vendor tells."""
    unseen: Sequence[str] = ()
    """Ids of it that a page named and that were not there when they were read."""
    missing: int = 0
    """How many such ids objects that are done had, without a word that they were deleted."""


_STOPPED_AFTER = 5 * MINUTE
"""A back-fill that has kept no mark for so long runs no more: no wait for a vendor's limits is longer."""


class BackfillError(Exception):
    """It cannot begin. Wrong use."""


class Backfill:
    """One back-fill. `append` stores deliveries; `keep` keeps the mark once what it covers is stored."""

    def __init__(
        self,
        name: str,
        client: Client,
        mark: BackfillMark,
        *,
        append: Append,
        keep: Callable[[BackfillMark], None],
        clock: Callable[[], int] = machine_clock,
        progressed: Progressed = lambda *_told: None,
    ) -> None:
        self._name = name
        self._client = client
        self._source = client.source
        self.mark = mark
        self._append = append
        self._keep = keep
        self._clock = clock
        self._progressed = progressed
        self._learned = Learned()
        self.refused: dict[str, CrmApiError | BadAnswerError] = {}
        """What the API does not tell of: object -> why."""

    async def run(self) -> None:
        """Ask until there is nothing more. Raises ApiError, KafkaError: the same mark goes on later.

        What the API refuses to tell of one object is told by `refused`, and the others are asked for.
        """
        with of_one_object("words", self.refused):
            self._learned = await self._client.run(self._source.words())
        with of_one_object(self._source.people, self.refused):
            asked_at = self._clock()
            await self._store(await self._client.run(self._source.everybody()), asked_at)
        for name in self.mark.objects:
            if name in self.mark.done:
                continue
            if self.mark.object != name:
                self._begin(name)
            with of_one_object(name, self.refused):
                await self._walk(self._source.objects[name])
                self._begin(None, [*self.mark.done, name], self.mark.missing + len(self.mark.unseen))
                self._keep(self.mark)

    def _begin(self, name: str | None, done: Sequence[str] | None = None, missing: int | None = None) -> None:
        mark = self.mark
        self.mark = BackfillMark(
            since=mark.since,
            objects=mark.objects,
            done=mark.done if done is None else done,
            object=name,
            missing=mark.missing if missing is None else missing,
        )

    async def _walk(self, object: ApiObject) -> None:
        counted = await self._client.run(self._source.count(object.name, self.mark.since))
        walk, goes_on, share = Walk(self.mark.cursor), True, None
        is_resumed = walk.cursor is not None
        while goes_on:
            mark, asked_at = self.mark, self._clock()
            try:
                page = await self._client.run(self._source.changed(object.name, mark.since, walk.cursor))
            except CrmApiError as error:
                if not is_resumed or error.reason != "refused":
                    raise
                # Where a list goes on is known to a vendor for a day or so: it is read from its begin then.
                self._begin(object.name)
                walk, is_resumed = Walk(), False
                continue
            is_resumed = False
            of = mark.of = counted if page.total is None else mark.records + page.total
            self._progressed(object.name, mark.records, of, share)
            ids = [] if page.records else [id for id, _ in page.found]
            if page.records:
                await self._store(Envelope(object=object.name, records=page.records), asked_at)
            size = self._source.batch
            slots = asyncio.Semaphore(AT_ONCE)
            unseen = await asyncio.gather(
                *(self._read(object, ids[start : start + size], slots) for start in range(0, len(ids), size))
            )
            mark.records += len(page.found)
            mark.unseen = [*mark.unseen, *chain.from_iterable(unseen)]
            if page.stretch is not None:
                share = max(share or 0.0, page.stretch.covered(page.found, mark.since, asked_at))
            goes_on = walk.goes_on(page)
            mark.cursor = walk.cursor
            self._progressed(object.name, mark.records, of, share if goes_on else 1.0)
            if goes_on:
                self._keep(mark)
        await self._gone(object)

    async def _read(self, object: ApiObject, ids: Sequence[str], slots: asyncio.Semaphore) -> Sequence[str]:
        async with slots:
            asked_at = self._clock()
            envelope = await self._client.run(self._source.read(object.name, ids))
            await self._store(envelope, asked_at)
            return envelope.missing

    async def _gone(self, object: ApiObject) -> None:
        walk, goes_on = Walk(), True
        while goes_on:
            asked_at = self._clock()
            page = await self._client.run(self._source.gone(object.name, self.mark.since, asked_at, walk.cursor))
            await self._store(Envelope(object=object.name, records=page.records), asked_at)
            gone = {str(record["id"]) for record in page.records}
            self.mark.unseen = [id for id in self.mark.unseen if id not in gone]
            goes_on = walk.goes_on(page)

    async def _store(self, envelope: Envelope, asked_at: int) -> None:
        envelope.words = dict(self._learned.words.get(envelope.object, {}))
        await self._append(
            answer_deliveries(
                envelope,
                connection=self._name,
                source=BACKFILL,
                asked_at=asked_at,
                received_at=self._clock(),
                more={},
            )
        )


def begin(config: Config, name: str, since: int, records: Sequence[str], found: BackfillMark | None) -> BackfillMark:
    """The mark to begin from: that of a back-fill that was stopped, if it asked for the same. Raises BackfillError."""
    connection = config.connections.get(name)
    source = None if connection is None else build_source(connection)
    if connection is None:
        msg = f"{name}: is not a connection of the configuration ({', '.join(sorted(config.connections))})"
        raise BackfillError(msg)
    if source is None:
        msg = f"connections.{name}: has no api to ask"
        raise BackfillError(msg)
    kinds = {kind for object in source.objects.values() for kind in object.kinds}
    if unknown := sorted(set(records) - kinds):
        msg = f"--records: {', '.join(unknown)}: this API has {', '.join(sorted(kinds))}"
        raise BackfillError(msg)
    objects = [
        object.name
        for object in source.objects.values()
        if (set(object.kinds) & set(records) if records else not object.is_on_demand)
    ]
    # The same command a while later means a later instant, and the same back-fill.
    if found is not None and list(found.objects) == objects and len(found.done) < len(objects) and found.since <= since:
        return found
    return BackfillMark(since=since, objects=objects)


def main(
    target: "Instance",
    config: Config,
    folder: Path,
    name: str,
    *,
    since: int,
    records: Sequence[str],
    say: Callable[[str], None],
) -> int:
    """Back-fill with a progress bar; the exit code: 0 complete, 1 something lacks, 2 wrong use, 3 out of reach."""
    path = folder / f"{name}.backfill.json"
    try:
        mark = begin(config, name, since, records, _read_mark(path))
        asyncio.run(reach_broker(target.broker))
        folder.mkdir(parents=True, exist_ok=True)
        if mark.records or mark.done:
            say(f"goes on where it was stopped: {', '.join([*mark.done, ''])}{mark.records} records of the next object")
        with ended(path):
            found = asyncio.run(_run(target, config, folder, name, mark, path))
    except BackfillError as error:
        say(str(error))
        return ExitCode.WRONG_USE
    except UpError as error:
        for problem in error.problems:
            say(problem)
        return error.exit_code
    except (KafkaError, OSError) as error:
        say(f"{asyncio.run(what_failed(target.broker, error))}: the same command goes on from here")
        return ExitCode.UNREACHABLE
    except CrmApiError as error:
        say(f"connections.{name}.api: {error}: the same command goes on from here")
        return ExitCode.UNREACHABLE if error.reason in ("unreachable", "limit") else ExitCode.DIFFERENCES
    for object, refusal in found.refused.items():
        say(f"connections.{name}.api: {object} is lacking: {refusal}")
    if found.mark.missing:
        say(
            f"{found.mark.missing} records were listed and were not there when they were read: "
            "deleted in between, or not visible to the credentials of api"
        )
    if found.refused:
        say("not complete: the same command asks for what is lacking")
        return ExitCode.DIFFERENCES
    path.unlink(missing_ok=True)
    say("not complete" if found.mark.missing else "complete")
    return ExitCode.DIFFERENCES if found.mark.missing else 0


async def _run(target: "Instance", config: Config, folder: Path, name: str, mark: BackfillMark, path: Path) -> Backfill:
    source = build_source(config.connections[name])
    if source is None:
        msg = f"connections.{name}: has no api to ask"
        raise BackfillError(msg)
    pace = SharedPace(folder / f"{name}.limits.json")
    daily = daily_limit(config.connections[name])
    async with Client(source, pace, daily=daily) as client, Writer(target.broker) as writer:
        with _bar() as progressed:
            backfill = Backfill(
                name,
                client,
                mark,
                append=appending(writer, target.prefix),
                keep=lambda kept: write_private(path, msgspec.json.encode(kept)),
                progressed=progressed,
            )
            await backfill.run()
            return backfill


@contextmanager
def ended(path: Path) -> "Iterator[None]":
    """However it ends: its mark is kept for the next one, and says no more that it runs."""
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            os.utime(path, (0, 0))


def running(folder: Path, name: str, now: int) -> Running | None:
    """How far a back-fill is that runs now: its mark is kept anew with each page. None: none does."""
    path = folder / f"{name}.backfill.json"
    mark = _read_mark(path)
    if mark is None:
        return None
    try:
        kept_at = path.stat().st_mtime_ns // 1000
    except OSError:
        return None
    return Running(mark.records, mark.of, mark.since, kept_at) if now - kept_at < _STOPPED_AFTER else None


def _read_mark(path: Path) -> BackfillMark | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=BackfillMark)
    except (OSError, msgspec.MsgspecError):
        return None


@contextmanager
def _bar() -> "Iterator[Progressed]":
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=not os.isatty(2)) as bar:
        tasks: dict[str, TaskID] = {}

        def progressed(object: str, done: int, of: int | None, share: float | None) -> None:
            told = f"{done}" if of is None else f"{done}/{of}"
            if object not in tasks:
                tasks[object] = bar.add_task(object, total=None, told=told)
            completed, total = (share or 0.0, None if share is None else 1.0) if of is None else (done, of)
            bar.update(tasks[object], completed=completed, total=total, told=told)

        yield progressed
