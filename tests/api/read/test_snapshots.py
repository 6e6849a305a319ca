"""What an api finds in its folder is taken only where nothing speaks against it, and then makes no difference."""

import asyncio
import contextlib
import os
import random
import stat
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from api.read.log_check import AskingAll
from api.read.snapshot import read_snapshot, write_snapshot
from api.read.snapshots import Snapshots
from api.read.view import ORGANISATION, View, rep_scope, team_scope
from schemas.generations import Served, first_generation
from schemas.instants import DAY, HOUR, MINUTE
from schemas.log_marks import UNTOLD, ClusterFacts, EpochAsked, EpochEnd, LogMark, TopicFacts
from schemas.snapshot_doubts import SnapshotSource, WantedSnapshot
from schemas.snapshot_files import BadSnapshotError, IsStopped, PutBytes, write_file
from schemas.snapshots import SnapshotFile
from schemas.windows import is_day, span_of
from tests.api.reading import ToldPipeline, floor_config
from tests.builders import change, instant

NOW = instant("2026-03-18T12:00Z")
TOPIC = "floorcast.g1.panes"
SERVED = first_generation(2)
POSITIONS = {0: 40, 1: 7}
BEGINS = {0: 0, 1: 7}
SOURCE = SnapshotSource(WantedSnapshot("ours", 1, {TOPIC: 2}), NOW, {TOPIC: {0: LogMark(b"id", UNTOLD, 1)}})
METRICS = ["calls_made", "connect_rate", "talk_seconds", "deals_won", "revenue_won", "contacts_touched", "crm_days"]


class Cluster:
    """Two partitions of panes, which end at 50."""

    def __init__(self) -> None:
        self.id = b"the one that was read"
        self.partitions = 2
        self.end = 50
        self.epoch = 3
        self.tells = True

    async def topics(self, names: Collection[str]) -> ClusterFacts:
        return ClusterFacts(
            {name: TopicFacts(self.id, dict.fromkeys(range(self.partitions), self.epoch)) for name in names}
        )

    async def ends(self, asked: Collection[EpochAsked]) -> Mapping[EpochAsked, EpochEnd]:
        return {each: EpochEnd(min(each[1], self.epoch), self.end) for each in asked} if self.tells else {}

    async def settings(self, names: Collection[str]) -> Mapping[str, Mapping[str, str | None]]:
        return {name: {} for name in names}

    async def close(self) -> None:
        """Nothing is open."""


def some_view(seed: int = 0) -> View:
    """Of some days, some of them packed, with a correction after that."""
    chance, view = random.Random(seed), View(floor_config())
    pipeline = ToldPipeline(view.config, view)
    for part in range(4):
        at = [NOW - chance.randrange(4 * DAY) for _ in range(30)]
        pipeline.take([
            change("call", f"c{chance.randrange(60)}", NOW - DAY + part, rep=chance.choice(["r1", "r2", "r3", None]),
                   direction="outbound", dialed_at=each, answered_at=each + 5, ended_at=each + chance.randrange(10**8),
                   lead=f"l{each % 7}")
            for each in at
        ])  # fmt: skip
        pipeline.take([
            change("deal", f"d{part}", NOW - DAY, rep="r1", status="won", created_at=NOW - 2 * DAY,
                   closed_at=NOW - HOUR, amount=f"{part}.5", currency=chance.choice(["USD", "XXX"]))
        ])  # fmt: skip
        for window in [*view.store.windows()]:
            if part < 3 and is_day(window) and chance.random() < 0.6:
                view.store.pack(window)
    return view


def shown(view: View) -> object:
    spans = [span_of(name, NOW, view.calendar) for name in ("today", "7d", "month", "1h", "24h")]
    scopes = [ORGANISATION, *map(rep_scope, ("r1", "r2", "r3", "r9")), team_scope("north"), team_scope("south")]
    return (
        view.deals_without_rate(),
        view.negative_durations(),
        {*view.reps()},
        [view.values(scope, span, NOW, METRICS) for scope in scopes for span in spans],
    )


class Folder:
    """The file of an api, before a start of another one."""

    def __init__(self, path: Path) -> None:
        self.path = path / "data" / "view.snapshot"
        self.cluster = Cluster()
        self.now = NOW
        self.snapshots = self._snapshots()

    def _snapshots(self) -> Snapshots:
        asking: AskingAll = self.cluster
        return Snapshots(self.path, asking, lambda: self.now)

    async def keep(self, view: View, positions: Mapping[int, int] = POSITIONS) -> None:
        await self.snapshots.keep(view, SERVED, TOPIC, positions, self.now)

    async def restored(
        self, view: View, served: Served = SERVED, begins: Mapping[int, int] = BEGINS
    ) -> Mapping[int, int] | None:  # fmt: skip
        return await self._snapshots().restore(view, served, TOPIC, begins)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize("seed", range(4))
async def test_a_view_from_a_snapshot_is_the_view(folder: Folder, seed: int) -> None:
    view = some_view(seed)
    await folder.keep(view)
    found = View(floor_config())

    assert await folder.restored(found) == POSITIONS
    assert shown(found) == shown(view)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o600
    assert os.listdir(folder.path.parent) == ["view.snapshot"]
    # What comes after it, and what comes again, is taken in as ever.
    for each in (found, view):
        ToldPipeline(each.config, each).take(
            [change("call", "more", NOW, rep="r1", direction="outbound", dialed_at=NOW - MINUTE)]
        )
        for window in [*each.store.windows()]:
            if is_day(window):
                each.store.pack(window)
    assert shown(found) == shown(view)


async def test_where_nothing_lies_nothing_is_taken(folder: Folder) -> None:
    assert await folder.restored(View(floor_config())) is None


async def test_a_file_that_is_not_whole_is_thrown_away(folder: Folder) -> None:
    await folder.keep(some_view())
    whole = folder.path.read_bytes()
    chance = random.Random(0)
    places = [0, 7, 8, 20, 31, 32, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(40))]
    for damaged in (
        [whole[:place] for place in places]
        + [whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :] for place in places]
        + [whole + b"x", b""]
    ):
        folder.path.write_bytes(damaged)
        with pytest.raises(BadSnapshotError):
            read_snapshot(folder.path)
    view = View(floor_config())
    assert await folder.restored(view) is None
    assert not folder.path.exists()
    assert [*view.store.windows()] == []


@pytest.mark.parametrize(
    "doubt",
    ["definitions", "generation", "partitions", "old", "ahead", "other topic", "no id", "shorter", "older epoch",
     "silent", "begins later", "more partitions"],
)  # fmt: skip
async def test_whatever_speaks_against_it_throws_it_away(folder: Folder, doubt: str) -> None:
    await folder.keep(some_view())
    view, served, begins = View(floor_config()), SERVED, dict(BEGINS)
    match doubt:
        case "definitions":
            view.definitions = "others"
        case "generation":
            served = Served(2, 2, 2)
        case "partitions":
            served = Served(1, 3, 3)
            begins[2] = 0
        case "old":
            folder.now += 13 * HOUR
        case "ahead":
            folder.now -= MINUTE
        case "other topic":
            folder.cluster.id = b"another one of that name"
        case "no id":
            folder.cluster.id = b""
        case "shorter":
            folder.cluster.end = 39
        case "older epoch":
            folder.cluster.epoch, folder.cluster.end = 2, 20
        case "silent":
            folder.cluster.tells = False
        case "begins later":
            begins[1] = 8
        case "more partitions":
            folder.cluster.partitions = 3

    assert await folder.restored(view, served, begins) is None
    assert not folder.path.exists()
    assert [*view.store.windows()] == []


async def test_nothing_is_written_of_a_log_that_is_not_the_one_that_was_read(folder: Folder) -> None:
    folder.cluster.end = 39
    await folder.keep(some_view())
    assert not folder.path.exists()
    folder.cluster.end, folder.cluster.tells = 50, False
    await folder.keep(some_view())
    assert not folder.path.exists()


async def test_the_same_is_not_written_twice_before_it_grows_old(folder: Folder) -> None:
    view = some_view()
    await folder.keep(view)
    first = folder.path.stat().st_ino
    folder.now += MINUTE
    await folder.keep(view)
    assert folder.path.stat().st_ino == first
    folder.now += HOUR
    await folder.keep(view)
    assert read_snapshot(folder.path).source.made_at == folder.now
    folder.cluster.end = 1_000
    await folder.keep(view, {0: 1_000, 1: 7})
    assert read_snapshot(folder.path).source.marks[TOPIC][0] == LogMark(folder.cluster.id, 3, 1_000)


async def test_a_folder_that_cannot_be_written_stops_nobody(folder: Folder) -> None:
    folder.path.parent.write_text("a file")
    with capture_logs() as said:
        await folder.keep(some_view())
    assert folder.path.parent.read_text() == "a file"
    assert [line["error"] for line in said if line["event"] == "snapshot.not_written"] == ["File exists"]


def test_one_that_could_not_be_written_leaves_the_one_before(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = some_view().store.contents()
    write_snapshot(folder.path, SOURCE, lambda: False, contents=contents)
    before = folder.path.read_bytes()
    writes = 0
    write = os.write

    def full(file: int, piece: bytes) -> int:
        nonlocal writes
        writes += 1
        if writes == 3:
            raise OSError(28, "No space left on device")
        return write(file, piece)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        write_snapshot(folder.path, SOURCE, lambda: False, contents=contents)
    assert folder.path.read_bytes() == before
    assert os.listdir(folder.path.parent) == ["view.snapshot"]


def test_so_much_of_the_disk_is_left_to_others(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka's log may lie there, and Kafka ends where it cannot write."""
    contents, size = some_view().store.contents(), 1 << 30
    disk = os.statvfs(folder.path.parents[1])
    for blocks, free, fits in ((100 * size, 1 << 28, False), (100 * size, 1 << 29, True), (size, size // 20, False),
                               (size, size // 10, True)):  # fmt: skip
        found = os.statvfs_result((*disk[:1], 1, blocks, free, free, *disk[5:]))
        monkeypatch.setattr(os, "fstatvfs", lambda _file, found=found: found)
        folder.path.unlink(missing_ok=True)
        with contextlib.nullcontext() if fits else pytest.raises(OSError, match="No space left"):
            write_snapshot(folder.path, SOURCE, lambda: False, contents=contents)
        assert os.listdir(folder.path.parent) == (["view.snapshot"] if fits else [])


async def test_who_does_not_wait_any_more_stops_the_writing(folder: Folder) -> None:
    begun, ended = threading.Event(), threading.Event()

    def write(path: Path, source: SnapshotSource, is_stopped: IsStopped) -> int:
        def fill(put: PutBytes) -> SnapshotSource:
            begun.set()
            while True:
                put(b"more and more")

        try:
            return write_file(path, b"12345678", fill, is_stopped)
        finally:
            ended.set()

    file = SnapshotFile(folder.path, folder.cluster, lambda: NOW)
    keeping = asyncio.create_task(file.keep(SOURCE.of, {(TOPIC, 0): 40}, NOW, write))
    await asyncio.to_thread(begun.wait)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    await asyncio.to_thread(ended.wait)
    assert os.listdir(folder.path.parent) == []


async def test_what_cannot_be_taken_in_is_not_met_again(folder: Folder) -> None:
    await folder.keep(some_view())
    view = some_view(1)  # in which others have the places
    with pytest.raises(ValueError, match="somebody has a place already"):
        await folder.restored(view)
    assert not folder.path.exists()


async def test_what_fails_to_be_read_is_not_met_again(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    await folder.keep(some_view())
    monkeypatch.setattr("api.read.snapshot.Block", lambda _buffer: 1 // 0)
    assert await folder.restored(View(floor_config())) is None
    assert not folder.path.exists()


async def test_of_many_panes_few_changes_are_not_written(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    view = some_view()
    await folder.keep(view)
    monkeypatch.setattr("schemas.pane_store.PaneStore.__len__", lambda _self: 60)
    for offset, written in ((43, 40), (44, 44), (47, 44), (48, 48)):
        await folder.keep(view, {0: offset, 1: 7})
        assert read_snapshot(folder.path).source.marks[TOPIC][0].offset == written


async def test_two_are_not_written_at_once(folder: Folder) -> None:
    view, folder.cluster.end = some_view(), 3_000
    await asyncio.gather(*(folder.keep(view, {0: 1_000 * number, 1: 7}) for number in range(1, 4)))
    assert read_snapshot(folder.path).source.marks[TOPIC][0].offset == 3_000


async def test_nor_the_same_one_after_the_other(folder: Folder) -> None:
    view = some_view()
    with capture_logs() as said:
        await asyncio.gather(folder.keep(view), folder.keep(view))
    assert [line["event"] for line in said] == ["snapshot.written"]
