"""Workers that begin by other definitions: what is served stays as it was, and the next is served only when whole."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from structlog.testing import capture_logs

from api.read.view import ORGANISATION
from schemas.config import Config
from schemas.definitions import definitions_digest
from schemas.fences import encode_fence
from schemas.generations import first_generation
from schemas.instants import DAY
from schemas.panes import encode_pane, pane_key
from schemas.progress import BETWEEN, STAGES, Progress, encode_progress, progress_key
from schemas.topics import FENCE, PANES, PROGRESS, VIEW_TOPICS, Topic
from schemas.windows import day_window, span_of
from tests.api.reading import Floor, floor_config
from tests.panes import pane_of

PARTITIONS = 2
OTHERS = floor_config(lead_response={"rules": [{"sla": "2h"}]})


class Log:
    """Topics in memory, and the consumer of a view that takes in what is written, or reads it from the beginning."""

    def __init__(self, folder: Path) -> None:
        self.floor = Floor(folder)
        self.ours = definitions_digest(self.floor.config)
        self.read_side = self.floor.read_side
        self.consumer = self.read_side.consumer
        self.consumer.served = first_generation(PARTITIONS)
        self.consumer._names = {topic.full_name(self.floor.settings.prefix, 1): topic.name for topic in VIEW_TOPICS}
        self.consumer._has_read = True
        self.turned_to: list[str] = []
        self._ends: dict[TopicPartition, int] = {}

    def write(self, topic: Topic, partition: int, key: bytes, value: bytes) -> None:
        place = TopicPartition(topic.full_name(self.floor.settings.prefix, 1), partition)
        offset = self._ends.get(place, 0)
        self._ends[place] = offset + 1
        record: Any = ConsumerRecord(place.topic, partition, offset, 0, 0, key, value, 0, len(key), len(value), ())
        self.consumer._apply({place: [record]})

    def fence(self, partition: int, by: str) -> None:
        self.write(PANES, partition, FENCE, encode_fence((1, 1), by))

    def count(self, partition: int, calls: int) -> None:
        key = pane_key(f"ledger.{partition}", "r1", day_window(self.floor.now // DAY))
        self.write(PANES, partition, key, encode_pane(pane_of(calls_made=calls)))

    def say(self, partition: int, by: str, *stages: str) -> None:
        for stage in stages or STAGES:
            self.write(PROGRESS, partition, progress_key(stage, partition), encode_progress(Progress(definitions=by)))

    async def end_offsets(self, places: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        await asyncio.sleep(0)
        return {place: self._ends.get(place, 0) for place in places}

    def calls(self) -> Any:
        view = self.read_side.view
        span = span_of("today", self.floor.now, view.calendar)
        return view.values(ORGANISATION, span, self.floor.now, ["calls_made"]).metrics["calls_made"]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log(tmp_path)
    monkeypatch.setattr(
        log.read_side, "_begin_to_turn", lambda _, config: log.turned_to.append(definitions_digest(config))
    )
    return log


def the_file_says(log: Log, monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    monkeypatch.setattr(log.read_side, "_config_of_now", lambda: config)


def test_what_is_served_stays_as_it_was_from_the_first_fence_of_other_definitions_on(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    the_file_says(log, monkeypatch, OTHERS)
    log.fence(0, log.ours)
    log.count(0, 5)
    log.count(1, 3)
    assert (log.calls(), log.turned_to) == (8, [])

    log.fence(0, definitions_digest(OTHERS))
    log.count(0, 1)
    log.count(1, 4)  # still by ours

    assert log.calls() == 9
    assert log.turned_to == [definitions_digest(OTHERS)]
    assert log.consumer.stands_still


def test_that_definitions_differ_is_said_once_and_not_of_each_partition(log: Log) -> None:
    with capture_logs() as told:
        log.fence(0, "of another file")
        log.fence(1, "of another file")
        log.fence(1, "of a third one")

    said = [line["why"] for line in told if line["event"] == "definitions.differ"]
    assert len(said) == 2
    assert all(by in why for by, why in zip(("of another file", "of a third one"), said, strict=True))


def test_what_stood_still_is_read_anew_when_workers_go_back(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    the_file_says(log, monkeypatch, log.floor.config)
    log.count(0, 5)
    log.fence(0, definitions_digest(OTHERS))
    log.count(0, 1)
    assert log.turned_to == []  # the file does not say so here: it would never be whole

    log.fence(0, log.ours)
    log.count(0, 6)

    assert log.calls() == 5
    assert log.turned_to == [log.ours]


async def test_an_api_that_loads_says_what_it_waits_for_where_workers_go_by_other_files(log: Log) -> None:
    log.consumer.is_loaded = False
    others = definitions_digest(OTHERS)
    log.fence(0, others)
    log.say(0, others)
    loading = asyncio.create_task(log.consumer._catch_up(log))
    await asyncio.sleep(0.1)

    (said,) = log.consumer.problems()
    assert said == (
        f"workers derive by definitions {others} and the files of this api say {log.ours}: give both the same "
        "floorcast.yaml and metrics.yaml"
    )
    assert (await log.read_side.picture_in_pieces()).definitions_differ
    log.fence(0, log.ours)
    for partition in range(PARTITIONS):
        log.say(partition, log.ours)
    await asyncio.wait_for(loading, 30)
    assert not (await log.read_side.picture_in_pieces()).definitions_differ


async def test_by_what_was_written_long_ago_is_no_news_to_an_api_that_loads(log: Log) -> None:
    log.consumer.is_loaded = log.consumer._has_read = False
    for by in (definitions_digest(OTHERS), log.ours):
        for partition in range(PARTITIONS):
            log.fence(partition, by)
            log.say(partition, by)

    with capture_logs() as told:
        await asyncio.wait_for(log.consumer._catch_up(log), 30)
        log.count(0, 5)

    assert "view.ready" in [line["event"] for line in told]
    assert [line for line in told if line["event"] == "definitions.differ"] == []
    assert (log.calls(), log.turned_to) == (5, [])


async def test_a_view_is_whole_once_each_stage_has_said_that_all_is_by_its_definitions(log: Log) -> None:
    log.consumer.is_loaded = False
    log.fence(0, definitions_digest(OTHERS))
    log.count(0, 1)
    for partition in range(PARTITIONS):
        log.say(partition, log.ours)  # of before
    loading = asyncio.create_task(log.consumer._catch_up(log))

    async def is_loaded() -> bool:
        await asyncio.sleep(0.1)
        return log.consumer.is_loaded

    assert not await is_loaded()  # partition 0 is being written by others
    log.say(0, BETWEEN, "ledger")
    log.fence(0, log.ours)
    assert not await is_loaded()  # whoever wrote was killed over it, and what is left is still to be mended
    log.count(0, 5)
    log.say(0, log.ours, "ledger")
    await asyncio.wait_for(loading, 30)

    assert log.calls() == 5
    assert log.consumer.problems() == []
