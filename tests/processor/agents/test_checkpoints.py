"""A shard that begins from a checkpoint, or throws it away: it publishes what it would from the log alone."""

import asyncio
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest
from structlog.testing import capture_logs

from processor.agents import restoring
from processor.agents.ledger import LedgerShard
from processor.agents.responses import ResponsesShard
from processor.agents.stage import Deployment
from processor.agents.watermark import Watermark
from processor.core.definitions import definitions_of
from processor.transport.checkpoints import Checkpoints, digest_of_code
from processor.transport.log_watch import LogWatch
from processor.transport.outgoing import Outgoing
from processor.transport.reading import Apply, GapError
from schemas.frames import Engagement, change_frames, engagement_frames
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.log_marks import ClusterFacts, EpochAsked, EpochEnd, Place, TopicFacts
from schemas.panes import encode_pane
from schemas.progress import decode_progress, encode_progress, progress_key
from schemas.records import RecordChange, fold_all
from schemas.topics import DEALS, FENCE, LEDGER, PANES, PROGRESS, RECORD_CHANGES, ROSTER
from tests.builders import change, instant, make_config

START = instant("2026-03-18T12:00:00Z")
CONFIG = make_config(retention={"minutes": "25h", "records": "30d"})
PLACE = Deployment("nowhere:1", "test.", 1, 2, 3, definitions_of(CONFIG), "digest", {}, Outgoing("nowhere:1"))
FILE = "test.g1.ledger-0.checkpoint"


@dataclass
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    topic: str = "record-changes"
    partition: int = 0
    headers: Sequence[tuple[str, bytes]] = ()


class Records:
    """Of one partition, as they are read back."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def fold_into(self, values: dict[bytes, bytes], prefix: bytes = b"") -> None:
        for record in self._records:
            assert record.key is not None
            if record.key != FENCE and record.key.startswith(prefix):
                if record.value is None:
                    values.pop(record.key, None)
                else:
                    values[record.key] = record.value


@dataclass
class Kafka:
    """The topics of a shard, and what is said of them."""

    log: dict[str, list[Record]] = field(default_factory=dict)
    begins: dict[str, int] = field(default_factory=dict)
    id: bytes = b"the one that was read"
    epoch: int = 3
    partitions: int = 2
    """Of each topic; of progress there is one for each of the log's as well."""
    read: int = 0
    """Records that were read back since the last start."""

    async def close(self) -> None: ...

    def append(self, topic: str, messages: Sequence[tuple[bytes | None, bytes | None]]) -> int:
        """Where the last one begins."""
        log = self.log.setdefault(topic, [])
        log += [Record(len(log) + number, key, value) for number, (key, value) in enumerate(messages)]
        return len(log) - 1

    async def topics(self, names: Collection[str]) -> ClusterFacts:
        numbers = {name: self.partitions + name.endswith(PROGRESS.name) for name in names}
        return ClusterFacts(
            {name: TopicFacts(self.id, dict.fromkeys(range(numbers[name]), self.epoch)) for name in names}
        )

    async def ends(self, asked: Collection[EpochAsked]) -> Mapping[EpochAsked, EpochEnd]:
        return {each: EpochEnd(min(each[1], self.epoch), len(self.log[each[0][0]])) for each in asked}

    async def read_to(
        self, _bootstrap: object, ends: Mapping[Place, int], apply: Apply, *, wanted: object = None,
        starts: Mapping[Place, int] | None = None, is_whole: bool = False,
    ) -> None:  # fmt: skip
        for place, end in ends.items():
            start, begins = (starts or {}).get(place, 0), self.begins.get(place[0], 0)
            if is_whole and start < begins:
                raise GapError(place, start, begins)
            if records := self.log[place[0]][max(start, begins) : end]:
                self.read += len(records)
                apply(place[0], place[1], Records(records))

    def table(self, topic: str) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        Records(self.log.get(topic, [])).fold_into(found)
        return found


class Owner:
    """In place of the fenced producer."""

    def __init__(self, kafka: Kafka, topics: Sequence[str], name: str, clock: Callable[[], int]) -> None:
        self.kafka = kafka
        self.topics = topics
        self.name = name
        self.written: dict[str, int] = {}
        self.proved_at = 0
        self.clock = clock

    async def acquire(self) -> dict[str, int]:
        return {topic: self._write(topic, [(FENCE, b"")]) for topic in self.topics}

    async def send(self, messages: Mapping[str, Sequence[Any]], **_more: object) -> None:
        for topic, some in messages.items():
            self._write(topic, some)

    async def send_to(self, messages: Mapping[Place, Sequence[Any]], **_headers: object) -> None:
        """What goes to others is of no interest here."""
        await self.send({topic: some for (topic, _), some in messages.items() if topic in self.topics})

    def _write(self, topic: str, messages: Sequence[Any]) -> int:
        offset = self.kafka.append(topic, messages)
        self.written[topic], self.proved_at = offset + 1, self.clock()
        return offset

    async def close(self) -> None:
        """Nothing is open."""


class Settled(Watermark):
    """Nothing is due."""

    def __init__(self) -> None:
        self.settled_at = 0

    def begin(self) -> None:
        """Nobody is told."""

    async def end(self) -> None:
        """Nobody is told."""


S = TypeVar("S", LedgerShard, ResponsesShard)


@dataclass
class Floor:
    """One worker's life after the other, on one folder."""

    folder: Path
    kafka: Kafka = field(default_factory=Kafka)
    now: int = START
    code: str = "code"
    deployment: Deployment = PLACE
    offset: int = 0

    def shard(self, *, with_folder: bool = True) -> LedgerShard:
        return self._owned(LedgerShard(0, self._deployment(with_folder=with_folder)))

    def responses(self, *, with_folder: bool = True) -> ResponsesShard:
        deployment = self._deployment(with_folder=with_folder)
        return self._owned(ResponsesShard(0, deployment, alerts=CONFIG.alerts, watermark=Settled()))

    def _deployment(self, *, with_folder: bool) -> Deployment:
        kept = Checkpoints(self.folder, self.kafka, lambda: self.now, self.code) if with_folder else None
        return replace(self.deployment, checkpoints=kept)

    def _owned(self, shard: S) -> S:
        owner: Any = Owner(self.kafka, shard.owner.topics, shard.owner.name, lambda: self.now)
        shard.owner = owner
        self.kafka.read = 0
        return shard

    async def live(self, shard: LedgerShard, *days: int) -> None:
        """Calls of these days, one by one, with what was kept for some time written afterwards."""
        await shard.load()
        shard.resume(self.offset)
        await self.live_on(shard, *days)

    async def live_on(self, shard: LedgerShard, *days: int) -> None:
        """More of it."""
        for day in days:
            at = START + day * DAY
            call = change("call", f"c{day % 5}", at + self.offset, rep="ana", direction="outbound", dialed_at=at)
            deal = change("deal", f"d{day % 3}", at + self.offset, rep="ana", status="won", closed_at=at, amount=day)
            rep = change("rep", f"r{day % 3}", at + self.offset, name=f"Ana {day}")
            await self.take(shard, [call, deal, rep])

    async def take(self, shard: LedgerShard, changes: Sequence[RecordChange]) -> None:
        """One batch."""
        frames = change_frames(changes)
        records: list[Any] = [Record(self.offset + number, None, frame) for number, frame in enumerate(frames)]
        await shard.process(records)
        self.offset += len(records)

    async def engage(self, shard: ResponsesShard, *leads: int) -> None:
        """Leads, each with a touch an hour later."""
        for lead in leads:
            at = START + lead * DAY
            records = [
                change("lead", f"l{lead}", at, rep="ana", received_at=at, status="new"),
                change("call", f"c{lead}", at, rep="ana", lead=f"l{lead}", direction="outbound", dialed_at=at + HOUR),
            ]
            engaged = [
                Engagement(f"lead:l{lead}", f"{each.kind}|{each.id}", fold_all(each.kind, [each]).encode())
                for each in records
            ]
            (frame,) = engagement_frames(engaged, at + HOUR, at)
            held: Any = [Record(self.offset, None, frame, topic="engagements")]
            await shard.process(held)
            self.offset += 1

    async def write(self, shard: LedgerShard | ResponsesShard) -> None:
        capture = shard.capture(is_last=True)
        assert capture is not None
        await capture()

    def published(self) -> dict[str, dict[bytes, bytes]]:
        return {topic: self.kafka.table(topic) for topic in self.kafka.log if not topic.endswith(PROGRESS.name)}


@pytest.fixture
def floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Floor:
    floor = Floor(tmp_path / "state")
    monkeypatch.setattr(restoring, "read_to", floor.kafka.read_to)
    return floor


async def kept_and_killed(floor: Floor) -> None:
    """A worker that has written a checkpoint, has gone on and was killed."""
    shard = floor.shard()
    await floor.live(shard, *range(12))
    await floor.write(shard)
    for day in range(12, 15):
        at = START + day * DAY
        await floor.take(shard, [change("call", f"c{day}", at, rep="bob", direction="outbound", dialed_at=at)])
    await shard.suspend()
    await shard.close()


async def same_from_the_log(floor: Floor, shard: LedgerShard) -> None:
    """What the shard holds is what one without a folder makes of the same topics, and both have nothing to publish."""
    before = floor.published()
    held = shard.ledger.held()
    from_log = floor.shard(with_folder=False)
    await from_log.load()
    assert floor.published() == before
    other = from_log.ledger.held()
    assert (held.rows, held.panes, set(held.quietly_won)) == (other.rows, other.panes, set(other.quietly_won))
    assert shard.progress.counters == from_log.progress.counters
    assert shard.progress.log_at == from_log.progress.log_at
    await shard.close()
    await from_log.close()


async def test_a_shard_that_rests_writes_nothing(floor: Floor) -> None:
    """What is told of the topics is told in one of them: that one has moved must be no news to be told again."""
    source, progress = PLACE.topic(RECORD_CHANGES), PLACE.topic(PROGRESS)
    watch = LogWatch(floor.kafka, {PLACE.topic(topic): 0 for topic in (RECORD_CHANGES, *LedgerShard.owned, PROGRESS)})
    floor.kafka.append(source, [(None, b"")])
    floor.deployment = replace(PLACE, watch=watch)
    shard = floor.shard(with_folder=False)
    await floor.live(shard, 1)
    for _ in range(2):
        await watch.look()
        await shard.suspend()
    told = floor.kafka.table(progress)[progress_key("ledger", 0)]
    written = len(floor.kafka.log[progress])

    for _ in range(3):
        await watch.look()
        await shard.suspend()

    assert decode_progress(told).marks[RECORD_CHANGES.name].offset == floor.offset == 1
    assert len(floor.kafka.log[progress]) == written
    await shard.close()


async def test_only_what_was_written_since_is_read(floor: Floor) -> None:
    await kept_and_killed(floor)
    shard = floor.shard()
    with capture_logs() as said:
        await shard.load()

    assert [line["event"] for line in said if line["log_level"] == "warning"] == []
    assert "snapshot.restored" in [line["event"] for line in said]
    assert shard.read < sum(map(len, floor.kafka.log.values())) / 2
    assert [each.name for each in floor.folder.iterdir()] == [FILE]
    await same_from_the_log(floor, shard)


async def test_it_is_read_while_the_fence_is_taken(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept_and_killed(floor)
    shard, is_read, acquire = floor.shard(), threading.Event(), Owner.acquire
    read = Checkpoints.read

    def reading(*what: Any, **more: Any) -> Any:
        is_read.set()
        return read(*what, **more)

    async def acquire_late(owner: Owner) -> dict[str, int]:
        assert await asyncio.to_thread(is_read.wait, 10)
        # What an owner before us still writes below our fence is news all the same.
        at = START + 20 * DAY
        late = fold_all("call", [change("call", "late", at, rep="bob", direction="outbound", dialed_at=at)])
        owner.kafka.append(PLACE.topic(LEDGER), [(b"call|late", late.encode())])
        return await acquire(owner)

    monkeypatch.setattr(Checkpoints, "read", reading)
    monkeypatch.setattr(Owner, "acquire", acquire_late)
    await shard.load()
    monkeypatch.setattr(Owner, "acquire", acquire)

    assert b"call|late" in shard.ledger.held().rows
    await same_from_the_log(floor, shard)


async def test_what_was_left_half_written_is_published(floor: Floor) -> None:
    """The row is there, and the pane that counts it is not."""
    await kept_and_killed(floor)
    panes = floor.kafka.log[PLACE.topic(PANES)]
    while panes[-1].key != b"ledger.0|bob|d20544":
        panes.pop()
    lost = panes.pop()
    shard = floor.shard()
    await shard.load()

    assert floor.kafka.table(PLACE.topic(PANES))[lost.key or b""] == lost.value
    await same_from_the_log(floor, shard)


@pytest.mark.parametrize(
    "doubt",
    ["definitions", "code", "generation", "partitions of ours", "partitions", "old", "ahead", "other topic",
     "older epoch", "shorter", "begins later", "cut", "flipped", "empty", "other words since", "no row", "no pane",
     "no progress", "no key of a row", "no key of a person", "no key of a deal", "long ago"],
)  # fmt: skip
async def test_whatever_speaks_against_it_throws_it_away(floor: Floor, doubt: str) -> None:  # noqa: PLR0912, PLR0915 - a table
    await kept_and_killed(floor)
    path, rows, progress = floor.folder / FILE, PLACE.topic(LEDGER), PLACE.topic(PROGRESS)
    whole = path.read_bytes()
    key = progress_key("ledger", 0)
    match doubt:
        case "definitions":
            floor.deployment = replace(PLACE, digest="others")
        case "code":
            floor.code = "newer"
        case "generation":  # whoever copies files about
            floor.deployment = replace(PLACE, generation=2)
            path = path.rename(floor.folder / FILE.replace("g1", "g2"))
        case "partitions of ours":
            floor.deployment = replace(PLACE, partitions=3)
        case "partitions":
            floor.kafka.partitions = 3
        case "old":
            floor.now += 13 * HOUR
        case "ahead":
            floor.now -= 1
        case "other topic":
            floor.kafka.id = b"another of that name"
        case "older epoch":
            floor.kafka.epoch = 2
            del floor.kafka.log[rows][5:]
        case "shorter":
            del floor.kafka.log[rows][5:]
        case "begins later":
            floor.kafka.begins[rows] = len(floor.kafka.log[rows]) - 1
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "flipped":
            path.write_bytes(whole[:1_500] + bytes([whole[1_500] ^ 1]) + whole[1_501:])
        case "empty":
            path.write_bytes(b"")
        case "other words since":
            told = decode_progress(floor.kafka.table(progress)[key])
            told.definitions = "others"
            floor.kafka.append(progress, [(key, encode_progress(told))])
        case "no row":
            floor.kafka.append(rows, [(b"call|c1", b"no row")])
        case "no pane":
            floor.kafka.append(PLACE.topic(PANES), [(b"ledger.0|", b"no pane")])
        case "no progress":
            floor.kafka.append(progress, [(key, b"no progress")])
        case "no key of a row":
            floor.kafka.append(rows, [(b"\xff|x", floor.kafka.table(rows)[b"deal|d1"])])
        case "no key of a person":
            floor.kafka.append(PLACE.topic(ROSTER), [(b"\xff|x", floor.kafka.table(rows)[b"rep|r1"])])
        case "no key of a deal":
            floor.kafka.append(PLACE.topic(DEALS), [(b"\xff|x", floor.kafka.table(PLACE.topic(DEALS))[b"deal|d1"])])
        case "long ago":
            for _ in range(14):
                floor.now += 12 * HOUR
                shard = floor.shard()
                await shard.load()
                await floor.write(shard)
                await shard.close()
            floor.now += 12 * HOUR
    shard = floor.shard()
    with capture_logs() as said:
        await shard.load()

    assert "snapshot.thrown_away" in [line["event"] for line in said]
    assert not path.exists()
    assert b"\xff|x" not in [key for table in floor.published().values() for key in table]
    if doubt not in {"definitions", "generation", "no pane", "no row", "no key of a row"}:
        await same_from_the_log(floor, shard)
    await shard.close()


@pytest.mark.parametrize("fault", ["none", "half written", "never told", "unreadable"])
async def test_groups_find_their_panes_without_reading_those_of_others(floor: Floor, fault: str) -> None:
    """In their partition lie those of the ledger, of which there may be very many more."""
    shard, panes = floor.responses(), PLACE.topic(PANES)
    await shard.load()
    floor.kafka.append(panes, [(f"ledger.0|r{n}|d20500".encode(), b"another's") for n in range(5_000)])
    await floor.engage(shard, *range(12))
    await floor.write(shard)
    await floor.engage(shard, *range(12, 15))
    await shard.suspend()
    await shard.close()
    mine = floor.kafka.log[panes]
    if fault == "half written":
        while not (mine[-1].key or b"").startswith(b"responses.0|ana|d"):
            mine.pop()
        mine.pop()
    elif fault == "never told":
        floor.kafka.append(panes, [(b"responses.0|bob|d20530", encode_pane({1: 1}))])
    elif fault == "unreadable":
        (floor.folder / FILE.replace("ledger", "responses")).write_bytes(b"something else")
    again = floor.responses()
    await again.load()

    assert (floor.kafka.read < 1_000) is (fault != "unreadable")
    published = floor.published()
    assert {key for key in published[panes] if key.startswith(b"responses.0|bob")} == set()
    other = floor.responses(with_folder=False)
    await other.load()
    assert floor.published() == published
    assert again.groups.panes.held() == other.groups.panes.held() != {}
    await again.close()
    await other.close()


async def test_a_worker_without_a_folder_that_it_may_write_lives_as_ever(floor: Floor) -> None:
    floor.folder.write_text("a file")
    shard = floor.shard()
    with capture_logs() as said:
        await floor.live(shard, 1, 2)
        await floor.write(shard)
        await shard.suspend()

    assert [line["error"] for line in said if line["event"] == "snapshot.not_written"] == ["File exists"]
    await same_from_the_log(floor, shard)


async def test_one_that_is_killed_while_it_writes_leaves_the_one_before(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept_and_killed(floor)
    before = (floor.folder / FILE).read_bytes()
    shard = floor.shard()
    await shard.load()
    write, writes = os.write, 0

    def stop(file: int, piece: bytes) -> int:
        nonlocal writes
        writes += 1
        if writes == 4:
            raise KeyboardInterrupt
        return write(file, piece)

    monkeypatch.setattr(os, "write", stop)
    monkeypatch.setattr(Path, "unlink", lambda *_args, **_more: None)  # nobody tidies up after a kill
    with pytest.raises(KeyboardInterrupt):
        await floor.write(shard)
    monkeypatch.undo()
    monkeypatch.setattr(restoring, "read_to", floor.kafka.read_to)

    assert (floor.folder / FILE).read_bytes() == before
    (left,) = [each for each in floor.folder.iterdir() if each.name != FILE]
    os.utime(left, (0, 0))
    again = floor.shard()
    await again.load()
    await floor.write(again)
    assert [each.name for each in floor.folder.iterdir()] == [FILE]  # what was left over has gone
    await same_from_the_log(floor, again)
    await shard.close()


async def test_files_of_other_generations_are_let_go(floor: Floor) -> None:
    await kept_and_killed(floor)
    checkpoints = Checkpoints(floor.folder, floor.kafka, lambda: floor.now, "")
    (floor.folder / f".{FILE}.x7").write_bytes(b"of one who was killed")
    os.utime(floor.folder / FILE, (START / SECOND, START / SECOND))
    checkpoints.let_go("test.", 1)
    assert [each.name for each in floor.folder.iterdir()] == [FILE]
    checkpoints.let_go("test.", 2)
    assert [*floor.folder.iterdir()] == []


async def test_what_the_log_contradicts_is_not_met_again(floor: Floor) -> None:
    """A log that was put back from a copy and has grown since: all that is kept lies in it, and less of the input."""

    def end(code: int, why: str, *, error: BaseException | None = None) -> NoReturn:
        raise RuntimeError(f"{why} ({code})")

    source = PLACE.topic(RECORD_CHANGES)
    floor.kafka.append(source, [(None, b"")] * 40)
    doubt = Checkpoints(floor.folder, floor.kafka, lambda: floor.now, floor.code).let_go_of_all
    floor.deployment = replace(PLACE, watch=LogWatch(floor.kafka, {}, doubt=doubt, die=end))
    await kept_and_killed(floor)
    assert [each.name for each in floor.folder.iterdir()] == [FILE]
    del floor.kafka.log[source][5:]

    with pytest.raises(RuntimeError, match=r"record-changes\[0\] was read up to offset 15 and ends at 5"):
        await floor.shard().load()

    assert [*floor.folder.iterdir()] == []


async def test_those_of_partitions_that_went_elsewhere_are_let_go_once_they_are_too_old(floor: Floor) -> None:
    shard = floor.shard()
    await floor.live(shard, 1)
    for number, age in ((1, 11 * HOUR), (2, 13 * HOUR)):
        path = floor.folder / f"test.g1.ledger-{number}.checkpoint"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"of another partition")
        os.utime(path, ((START - age) / SECOND, (START - age) / SECOND))
    await floor.write(shard)
    assert sorted(each.name for each in floor.folder.iterdir()) == [FILE, "test.g1.ledger-1.checkpoint"]
    await shard.close()


async def test_one_is_written_when_it_is_time_and_at_the_end(floor: Floor) -> None:
    """Where enough has come to be worth it, and so that it does not grow too old."""
    shard = floor.shard()
    await floor.live(shard, *range(12))
    await floor.write(shard)
    floor.now += 4 * MINUTE
    assert shard.capture(is_last=True) is None
    await floor.live_on(shard, 12, 13)
    assert shard.capture(is_last=False) is None
    assert shard.capture(is_last=True) is not None
    floor.now += MINUTE
    assert shard.capture(is_last=False) is not None
    await shard.close()


async def test_of_many_rows_few_changes_are_not_written_before_it_grows_old(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = floor.shard()
    await floor.live(shard, 1)
    await floor.write(shard)
    monkeypatch.setattr("processor.core.ledger.Ledger.__len__", lambda _self: 2_000)
    floor.now += 5 * MINUTE
    await floor.live_on(shard, 2, 3)
    assert (shard.capture(is_last=False), shard.capture(is_last=True)) == (None, None)
    floor.now = START + HOUR
    assert shard.capture(is_last=False) is None  # nobody knows yet whether somebody else has written since
    await shard.owner.send({PLACE.topic(LEDGER): [(FENCE, b"")]})
    assert shard.capture(is_last=False) is not None
    floor.now = START + 10 * MINUTE
    await floor.live_on(shard, *range(4, 60))
    assert shard.capture(is_last=False) is not None
    await shard.close()


async def test_what_was_taken_at_the_start_is_not_written_again_at_once(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept_and_killed(floor)
    monkeypatch.setattr("processor.core.ledger.Ledger.__len__", lambda _self: 2_000)
    shard = floor.shard()
    await shard.load()
    assert shard.capture(is_last=False) is None
    await shard.close()


async def test_it_is_as_old_as_the_last_word_of_its_owner(floor: Floor) -> None:
    """Whoever was paused may have lost the partition, and what others have written since may be gone."""
    shard = floor.shard()
    await floor.live(shard, 1)
    await shard.suspend()
    floor.now += 11 * HOUR
    await floor.write(shard)
    await shard.close()
    floor.now += 2 * HOUR
    again = floor.shard()
    with capture_logs() as said:
        await again.load()
    assert [line["why"] for line in said if line["event"] == "snapshot.thrown_away"] == [
        "it is too old, or the clock was set back"
    ]
    await again.close()


async def test_one_of_which_a_start_fails_is_not_met_again(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept_and_killed(floor)
    monkeypatch.setattr("processor.core.ledger.Ledger.catch_up", lambda *_args: 1 // 0)
    shard = floor.shard()
    with capture_logs() as said, pytest.raises(ZeroDivisionError):
        await shard.load()
    assert [line["why"] for line in said if line["event"] == "snapshot.thrown_away"] == [
        "it cannot be taken in: ZeroDivisionError"
    ]
    assert [*floor.folder.iterdir()] == []
    await shard.close()
    again = floor.shard()
    await again.load()
    await same_from_the_log(floor, again)


async def test_what_expires_in_a_quiet_second_goes_from_lists_too(floor: Floor) -> None:
    """Of more than go along with a batch."""
    shard = floor.shard()
    won = [change("deal", f"d{n}", START, rep="ana", status="won", closed_at=START, amount=n) for n in range(700)]
    await shard.load()
    await floor.take(shard, [*won, change("absence", "a", START, rep="ana", from_="2026-03-12", to="2026-03-13")])
    await floor.write(shard)
    await floor.take(shard, [change("call", "c", START + 40 * DAY, rep="ana", dialed_at=START + 40 * DAY)])
    assert 0 < len(floor.kafka.table(PLACE.topic(DEALS))) < 700
    assert {*floor.kafka.table(PLACE.topic(ROSTER))} == {b"absence|a"}
    await shard.tick(floor.now)
    assert floor.kafka.table(PLACE.topic(DEALS)) == {}
    assert floor.kafka.table(PLACE.topic(ROSTER)) == {}
    assert {*floor.kafka.table(PLACE.topic(LEDGER))} == {b"call|c"}
    await shard.suspend()
    await shard.close()
    again = floor.shard()
    await again.load()
    assert floor.kafka.table(PLACE.topic(DEALS)) == {}
    await same_from_the_log(floor, again)


@pytest.mark.parametrize("fault", ["the disk is full", "Kafka tells no ids"])
async def test_what_could_not_be_written_is_not_tried_again_at_once(
    floor: Floor, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = floor.shard()
    await floor.live(shard, 1)

    def full(_file: int, _piece: bytes) -> int:
        raise OSError(28, "No space left on device")

    if fault == "the disk is full":
        monkeypatch.setattr(os, "write", full)
    else:
        floor.kafka.id = b""
    tried = []
    with capture_logs() as said:
        for _ in range(61):
            capture = shard.capture(is_last=False)
            if capture is not None:
                await capture()
                tried.append(floor.now - START)
            floor.now += 10 * SECOND
    why = {line["error"] for line in said if line["event"] == "snapshot.not_written"}
    assert why == ({"No space left on device"} if fault == "the disk is full" else set())
    assert tried == [0, 5 * MINUTE, 10 * MINUTE]
    assert not (floor.folder / FILE).exists()
    await shard.close()


def test_whatever_numbers_hang_on_has_part_in_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = {
        "processor/core/fold.py": b"1", "processor/native/fold.so": b"2", "schemas/catalogue/metrics.yaml": b"3",
        "schemas/notes.txt": b"4", "api/view.py": b"5",
    }  # fmt: skip
    for name, content in code.items():
        (tmp_path / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "code" / name).write_bytes(content)
    zone = tmp_path / "zones" / "Europe" / "Berlin"
    zone.parent.mkdir(parents=True)
    zone.write_bytes(b"rules")
    monkeypatch.setattr("zoneinfo.TZPATH", (str(tmp_path / "zones"),))

    def digest() -> str:
        return digest_of_code("Europe/Berlin", tmp_path / "code")

    first = digest()
    differs = {}
    for path in (*(tmp_path / "code" / name for name in code), zone):
        content = path.read_bytes()
        path.write_bytes(content + b"x")
        differs[str(path.relative_to(tmp_path))] = digest() != first
        path.write_bytes(content)
    assert digest() == first
    assert [name for name, is_other in differs.items() if not is_other] == [
        "code/schemas/notes.txt",
        "code/api/view.py",
    ]
    assert digest_of_code("Asia/Kuala_Lumpur", tmp_path / "code") not in {
        first,
        digest_of_code("UTC", tmp_path / "code"),
    }
    (tmp_path / "code" / "schemas" / "new.py").write_bytes(b"")
    assert digest() != first


def test_the_code_is_this_one() -> None:
    assert digest_of_code("UTC") == digest_of_code("UTC", Path(__file__).parents[3]) != digest_of_code("Asia/Tokyo")
