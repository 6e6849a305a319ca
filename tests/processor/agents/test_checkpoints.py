"""A ledger's shard that begins from a checkpoint, or throws it away: it publishes what it would from the log alone."""

import asyncio
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from processor.agents import restoring
from processor.agents.ledger import LedgerShard
from processor.agents.stage import Deployment
from processor.core.definitions import definitions_of
from processor.transport.checkpoints import Checkpoints, digest_of_code
from processor.transport.outgoing import Outgoing
from processor.transport.reading import Apply, GapError
from schemas.frames import change_frames
from schemas.instants import DAY, HOUR
from schemas.log_marks import Asked, EpochEnd, Facts, Place, TopicFacts
from schemas.progress import decode_progress, encode_progress, progress_key
from schemas.topics import FENCE, LEDGER, PANES, PROGRESS
from tests.builders import change, instant, make_config

START = instant("2026-03-18T12:00:00Z")
CONFIG = make_config(retention={"minutes": "25h", "records": "30d"})
PLACE = Deployment("nowhere:1", "test.", 1, 2, 2, definitions_of(CONFIG), "digest", {}, Outgoing("nowhere:1"))
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
    read: int = 0
    """Records that were read back since the last start."""

    def append(self, topic: str, messages: Sequence[tuple[bytes | None, bytes | None]]) -> int:
        """Where the last one begins."""
        log = self.log.setdefault(topic, [])
        log += [Record(len(log) + number, key, value) for number, (key, value) in enumerate(messages)]
        return len(log) - 1

    async def topics(self, names: Collection[str]) -> Facts:
        return Facts({name: TopicFacts(self.id, dict.fromkeys(range(self.partitions), self.epoch)) for name in names})

    async def ends(self, asked: Collection[Asked]) -> Mapping[Asked, EpochEnd]:
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

    def __init__(self, kafka: Kafka, topics: Sequence[str], name: str) -> None:
        self.kafka = kafka
        self.topics = topics
        self.name = name
        self.written: dict[str, int] = {}

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
        self.written[topic] = offset + 1
        return offset

    async def close(self) -> None:
        """Nothing is open."""


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
        kept = Checkpoints(self.folder, self.kafka, lambda: self.now, self.code) if with_folder else None
        shard = LedgerShard(0, replace(self.deployment, checkpoints=kept))
        owner: Any = Owner(self.kafka, shard.owner.topics, shard.owner.name)
        shard.owner = owner
        self.kafka.read = 0
        return shard

    async def live(self, shard: LedgerShard, *days: int) -> None:
        """Calls of these days, one by one, with what was kept for some time written afterwards."""
        await shard.load()
        shard.resume(self.offset)
        for day in days:
            at = START + day * DAY
            call = change("call", f"c{day % 5}", at + self.offset, rep="ana", direction="outbound", dialed_at=at)
            deal = change("deal", f"d{day % 3}", at + self.offset, rep="ana", status="won", closed_at=at, amount=day)
            rep = change("rep", f"r{day % 3}", at + self.offset, name=f"Ana {day}")
            frames = change_frames([call, deal, rep])
            records: list[Any] = [Record(self.offset + number, None, frame) for number, frame in enumerate(frames)]
            await shard.process(records)
            self.offset += len(records)

    async def write(self, shard: LedgerShard) -> None:
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
        frames = change_frames([change("call", f"c{day}", at, rep="bob", direction="outbound", dialed_at=at)])
        await shard.process([Record(floor.offset + number, None, frame) for number, frame in enumerate(frames)])
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
    ["definitions", "code", "generation", "partitions", "old", "ahead", "other topic", "older epoch", "shorter",
     "begins later", "cut", "flipped", "empty", "other words since", "no row", "no pane", "no progress", "long ago"],
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
        case "generation":
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
    if doubt not in {"definitions", "no pane", "no row"}:
        await same_from_the_log(floor, shard)
    await shard.close()


async def test_a_worker_without_a_folder_that_it_may_write_lives_as_ever(floor: Floor) -> None:
    floor.folder.write_text("a file")
    shard = floor.shard()
    with capture_logs() as said:
        await floor.live(shard, 1, 2)
        await floor.write(shard)
        await shard.suspend()

    assert [line["error"] for line in said if line["event"] == "snapshot.not_written"] == ["FileExistsError"]
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
    Checkpoints(floor.folder, floor.kafka, lambda: floor.now, "").let_go("test.", 1)
    assert [each.name for each in floor.folder.iterdir()] == [FILE]
    Checkpoints(floor.folder, floor.kafka, lambda: floor.now, "").let_go("test.", 2)
    assert [*floor.folder.iterdir()] == []


async def test_one_is_written_when_it_is_time_and_at_the_end(floor: Floor) -> None:
    shard = floor.shard()
    await floor.live(shard, 1)
    assert shard.capture(is_last=False) is not None
    await floor.write(shard)
    await shard.suspend()
    floor.now += 4 * 60 * 10**6
    assert shard.capture(is_last=False) is None
    assert shard.capture(is_last=True) is not None
    floor.now += 60 * 10**6
    assert shard.capture(is_last=False) is not None
    await shard.close()
    await asyncio.sleep(0)


def test_the_code_has_a_digest_of_its_own() -> None:
    assert digest_of_code() == digest_of_code()
