"""Stages on a real broker: what expires is gone from the compacted topics, and what is late lies in its own."""

from dataclasses import dataclass
from typing import Any

import pytest

from processor.agents.acknowledge import AcknowledgeShard
from processor.agents.ledger import LedgerShard
from processor.agents.stage import Deployment
from processor.core.definitions import definitions_of
from processor.transport.administration import ensure_topics
from processor.transport.following import Follower
from processor.transport.outgoing import Outgoing
from schemas.alerts import AlertAction, encode_action
from schemas.frames import change_frames
from schemas.instants import DAY
from schemas.late import PAST, REFUSED, decode_late
from schemas.progress import decode_progress
from schemas.records import RecordChange
from schemas.topics import ACKNOWLEDGEMENTS, FENCE, LATE, LEDGER, PANES, PROGRESS, Topic
from tests.builders import change, instant, make_config

pytestmark = [pytest.mark.kafka]

CONFIG = make_config(retention={"minutes": "25h", "records": "30d"})
START = instant("2026-03-18T12:00:00Z")


@dataclass
class Record:
    """One message as it is fetched."""

    offset: int
    value: bytes
    topic: str = "record-changes"
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = None


def deployment(kafka: str, prefix: str) -> Deployment:
    return Deployment(kafka, prefix, 1, 1, 1, definitions_of(CONFIG), "digest", {}, Outgoing(kafka))


async def create(kafka: str, prefix: str) -> None:
    await ensure_topics(kafka, prefix=prefix, generation=1, partitions=1, records_kept=CONFIG.retention.records)


async def messages(place: Deployment, topic: Topic) -> list[tuple[bytes, bytes | None]]:
    """Everything in a topic, without fences."""
    found: list[tuple[bytes, bytes | None]] = []

    def apply(_partition: int, records: list[Any]) -> None:
        found.extend((record.key, record.value) for record in records if record.key != FENCE)

    async with Follower(place.bootstrap, place.topic(topic)) as follower:
        await follower.read_to(await follower.ends(), apply)
    return found


async def kept(place: Deployment, topic: Topic) -> dict[bytes, bytes]:
    """What compaction leaves."""
    last = dict(await messages(place, topic))
    return {key: value for key, value in last.items() if value is not None}


def a_call(id: str, at: int, **more: Any) -> RecordChange:
    said_at = more.pop("said_at", at)
    return change("call", id, said_at, rep="ana", direction="outbound", dialed_at=at, **more)


async def test_rows_panes_and_late_changes_on_the_broker(kafka: str, prefix: str) -> None:
    await create(kafka, prefix)
    place = deployment(kafka, prefix)
    shard = LedgerShard(0, place)
    await shard.load()
    later = START + 40 * DAY
    batches = [
        [a_call("1", START), change("deal", "open", START, status="open", created_at=START)],
        # The cutoff moves within the batch: what was delivered before still meets the call.
        [
            change("call", "1", START + 1, outcome="connected"),
            a_call("2", later),
            a_call("3", START, said_at=later),
            a_call("4", START, delivered_at=later),
        ],
    ]
    for offset, batch in enumerate(batches):
        (frame,) = change_frames(batch)
        await shard.process([Record(offset, frame)])
    await shard.suspend()
    await shard.close()

    assert set(await kept(place, LEDGER)) == {b"call|2", b"call|3", b"deal|open"}
    # Of days and minutes, those of one call; the open deal stands in levels, which have no end.
    windows = {key.removeprefix(b"ledger.0|") for key in await kept(place, PANES)}
    assert windows == {b"ana|d20570", b"ana|m29621520", b"|s0"}
    late = [(key, decode_late(value or b"").reason) for key, value in await messages(place, LATE)]
    assert sorted(late) == [(b"call|3", PAST), (b"call|4", REFUSED)]
    (told,) = [decode_progress(value) for value in (await kept(place, PROGRESS)).values()]
    assert (told.counters["late"], told.kept_from) == (2, instant("2026-03-28T00:00Z"))

    successor = LedgerShard(0, place)
    await successor.load()
    before = {topic: await messages(place, topic) for topic in (LEDGER, PANES)}
    await successor.close()

    assert len(successor.ledger) == 3
    assert {topic: await messages(place, topic) for topic in (LEDGER, PANES)} == before


async def test_what_was_done_about_an_alert_goes_with_time(kafka: str, prefix: str) -> None:
    await create(kafka, prefix)
    place = deployment(kafka, prefix)
    shard = AcknowledgeShard(0, place, channels=())
    await shard.load()
    for offset, (alert, at) in enumerate([("a", START), ("b", START + 20 * DAY), ("c", START + 31 * DAY)]):
        await shard.process([Record(offset, encode_action(AlertAction(alert, "l1", at, "key")))])
    await shard.close()

    assert set(await kept(place, ACKNOWLEDGEMENTS)) == {b"0|b", b"0|c"}
