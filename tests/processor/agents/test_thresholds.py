"""The shard that looks at metrics, with owner and topics in memory: what is written when, and in which order."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from processor.agents import thresholds
from processor.agents.stage import Deployment, Published
from processor.agents.thresholds import ThresholdsShard
from processor.core.definitions import definitions_of
from processor.transport.fetched import Fetched
from processor.transport.outgoing import Outgoing
from processor.transport.packing import Message
from schemas.alerts import Alert, decode_alert, decode_frame, encode_alert
from schemas.config import Config
from schemas.deals import DealCard, encode_deal
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.panes import encode_pane, pane_key
from schemas.topics import ACKNOWLEDGEMENTS, DEALS, NOTIFICATIONS, PANES, THRESHOLD_ALERTS
from schemas.windows import day_window, minute_window
from tests.builders import instant, make_config
from tests.panes import pane_of

NINE = instant("2026-03-18T09:00Z")
FEW = {"few": {"metric": "calls_made", "per": "rep", "below": 10, "at": "11:00"}}


def configured(limits: dict[str, Any]) -> Config:
    channel = {"kind": "webhook", "url": "https://example.com"}
    return make_config(alerts={"thresholds": limits, "channels": {"desk": channel}}, reps={"r1": {}, "r2": {}})


def deployment(config: Config) -> Deployment:
    return Deployment(
        "nowhere:1", "t.", 1, 4, 4, definitions_of(config), "of this configuration", {}, Outgoing("nowhere:1")
    )


NAMES = deployment(make_config())


@dataclass
class FakeOwner:
    """Keeps what is written, in order: topic and value."""

    written: list[tuple[str, bytes | None]] = field(default_factory=list)

    async def prove(self) -> None:
        self.written.append(("proved", None))

    async def send(self, messages: Mapping[str, Sequence[Message]], *, timestamp_ms: int | None = None) -> None:
        await self.send_to({(topic, 0): batch for topic, batch in messages.items()})

    async def send_to(self, messages: Mapping[tuple[str, int], Sequence[Message]]) -> None:
        await asyncio.sleep(0)
        self.written += [(topic, value) for (topic, _), batch in messages.items() for _, value in batch]

    async def close(self) -> None:
        pass

    def told(self) -> list[Alert]:
        """What channels are to be told."""
        name = NAMES.topic(NOTIFICATIONS)
        frames = [decode_frame(value) for topic, value in self.written if topic == name and value is not None]
        return [alert for frame in frames for alert in frame.alerts]

    def alerts(self) -> list[Alert]:
        name = NAMES.topic(THRESHOLD_ALERTS)
        return [decode_alert(value) for topic, value in self.written if topic == name and value is not None]


@dataclass
class FakeHorizon:
    """Settled up to wherever the test says."""

    settled_at: int = 0
    is_current: bool = True
    has_deliveries: bool = True
    users: int = 0

    def begin(self) -> None:
        self.users += 1

    async def end(self) -> None:
        self.users -= 1


@dataclass
class FakeRecord:
    key: bytes | None
    value: bytes | None
    offset: int = 0
    topic: str = ""
    partition: int = 0
    timestamp: int = 0


class FakeTopics:
    """What lies in `panes` and `roster`; a follower reads it from the beginning."""

    def __init__(self) -> None:
        self.records: dict[str, list[Fetched]] = {}
        self.opened = 0
        self.failure: Exception | None = None

    def did(self, rep: str, calls: int) -> None:
        key = pane_key("ledger.0", rep, day_window(NINE // (24 * HOUR)))
        records = self.records.setdefault(NAMES.topic(PANES), [])
        records.append(FakeRecord(key, encode_pane(pane_of(calls_made=calls))))

    def follower(self, _bootstrap: str, topic: str, **_settings: Any) -> "FakeFollower":
        self.opened += 1
        return FakeFollower(self, topic)


class FakeFollower:
    def __init__(self, topics: FakeTopics, topic: str) -> None:
        self.topics = topics
        self.topic = topic
        self.position = 0

    async def __aenter__(self) -> "FakeFollower":
        return self

    async def __aexit__(self, *_error: object) -> None:
        pass

    async def ends(self) -> dict[int, int]:
        failure, self.topics.failure = self.topics.failure, None
        if failure is not None:
            raise failure
        return {0: len(self.topics.records.get(self.topic, ()))}

    async def read_to(self, ends: Mapping[int, int], apply: Any) -> None:
        records = self.topics.records.get(self.topic, [])[self.position : ends[0]]
        self.position = ends[0]
        if records:
            apply(0, records)


class Desk:
    """One worker after the other on the same topics."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any]) -> None:
        self.config = configured(limits)
        self.topics = FakeTopics()
        self.horizon = FakeHorizon()
        self.published: dict[bytes, bytes] = {}
        monkeypatch.setattr(thresholds, "Follower", self.topics.follower)
        monkeypatch.setattr(thresholds, "BETWEEN_LOOKS_SECONDS", 0.001)
        monkeypatch.setattr(thresholds, "BETWEEN_QUESTIONS_SECONDS", 0.001)
        monkeypatch.setattr(thresholds, "AFTER_FAILURE_SECONDS", 0.001)

    async def start(self, limits: dict[str, Any] | None = None) -> "OfflineShard":
        config = self.config if limits is None else configured(limits)
        shard = OfflineShard(self, config)
        await shard.load()
        return shard


class OfflineShard(ThresholdsShard):
    """Reads its rows back from memory."""

    def __init__(self, desk: Desk, config: Config) -> None:
        super().__init__(
            0, deployment(config), config=config, horizon=desk.horizon, clock=lambda: max(NINE, desk.horizon.settled_at)
        )
        self.fake = FakeOwner()
        self.owner = self.fake  # type: ignore[assignment]
        self.desk = desk

    async def recover(self) -> Published:
        name = self.deployment.topic
        return {name(ACKNOWLEDGEMENTS): {}, name(THRESHOLD_ALERTS): dict(self.desk.published)}

    async def wait_for(self, count: int) -> list[Alert]:
        async with asyncio.timeout(10):
            while len(self.fake.alerts()) < count:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        found = self.fake.alerts()
        assert len(found) == count
        self.desk.published |= {alert.id.encode(): encode_alert(alert) for alert in found}
        return found


async def test_channels_are_told_before_the_alert_is_written_by_who_has_proved_to_be_the_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.topics.did("r1", 9)
    desk.topics.did("r2", 10)
    shard = await desk.start()
    desk.horizon.settled_at = NINE + 2 * HOUR

    (alert,) = await shard.wait_for(1)
    await shard.close()

    assert (alert.rep, alert.level) == ("r1", "warn")
    assert [topic for topic, _ in shard.fake.written] == [
        "proved", NAMES.topic(NOTIFICATIONS), NAMES.topic(THRESHOLD_ALERTS),
    ]  # fmt: skip
    assert shard.progress.counters["alerts.warn"] == 1
    assert desk.horizon.users == 0


async def test_nothing_is_looked_at_before_all_that_was_delivered_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    shard = await desk.start()
    await asyncio.sleep(0.05)
    assert desk.topics.opened == 0

    desk.horizon.is_current = False  # the panes are those of other definitions
    desk.horizon.settled_at = NINE + 2 * HOUR
    await asyncio.sleep(0.05)
    await shard.close()

    assert desk.topics.opened == 0


async def test_where_nothing_was_ever_delivered_nobody_has_done_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.horizon.has_deliveries = False
    desk.horizon.settled_at = NINE + 2 * HOUR
    shard = await desk.start()
    await asyncio.sleep(0.05)
    assert desk.topics.opened == 0

    desk.topics.did("r2", 10)
    desk.horizon.has_deliveries = True
    (alert,) = await shard.wait_for(1)
    await shard.close()

    assert alert.rep == "r1"


async def test_the_next_owner_raises_nothing_again_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.horizon.settled_at = NINE + 2 * HOUR
    desk.topics.did("r2", 10)
    first = await desk.start()
    await first.wait_for(1)
    await first.close()

    second = await desk.start()
    desk.topics.did("r1", 11)
    (resolved,) = await second.wait_for(1)
    await second.close()

    assert (resolved.rep, resolved.event) == ("r1", "resolved")


async def test_panes_that_no_limit_reaches_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = {"metric": "calls_made", "per": "organisation", "window": "15m", "above": 5}
    desk = Desk(monkeypatch, {"quiet": quiet})
    name, minutes = NAMES.topic(PANES), [minute_window(NINE + number * MINUTE) for number in range(-30, 60)]
    records = [
        FakeRecord(pane_key("ledger.0", "r1", window), encode_pane(pane_of(calls_made=1)))
        for window in (*minutes, day_window(NINE // DAY))
    ]
    desk.topics.records[name] = [*records]
    shard = await desk.start()
    desk.horizon.settled_at = NINE
    await shard.wait_for(1)
    held = shard._watch.floor._cells

    assert set(held) == set(minutes[30 - 14 :])
    desk.horizon.settled_at = NINE + 30 * MINUTE
    async with asyncio.timeout(10):
        while minutes[30] in held:
            await asyncio.sleep(0.001)
    assert set(held) == set(minutes[60 - 14 :])
    await shard.close()


async def test_what_is_found_during_a_rebalance_is_written_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    shard = await desk.start()
    await shard.suspend()
    desk.horizon.settled_at = NINE + 2 * HOUR
    await asyncio.sleep(0.05)
    assert shard.fake.written == []

    await shard.tick(NINE)
    await shard.wait_for(2)
    await shard.close()


async def test_a_threshold_that_is_not_configured_any_more_is_resolved_and_nothing_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.horizon.settled_at = NINE + 2 * HOUR
    desk.topics.did("r2", 10)
    first = await desk.start()
    await first.wait_for(1)
    await first.close()
    opened = desk.topics.opened

    second = await desk.start({})
    (over,) = await second.wait_for(1)
    await second.close()

    assert (over.event, desk.topics.opened - opened, desk.horizon.users) == ("resolved", 0, 0)


@pytest.mark.parametrize("failure", [OSError(), TimeoutError()], ids=["connection", "time"])
async def test_after_an_interruption_all_is_read_anew(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.topics.did("r1", 10)
    desk.topics.did("r2", 10)
    shard = await desk.start()
    desk.horizon.settled_at = NINE + HOUR
    while not desk.topics.opened:
        await asyncio.sleep(0.001)
    opened = desk.topics.opened

    desk.topics.failure = failure
    desk.horizon.settled_at = NINE + 3 * HOUR
    while desk.topics.opened == opened:
        await asyncio.sleep(0.001)
    desk.topics.did("r1", 3)
    desk.horizon.settled_at += SECOND
    (alert,) = await shard.wait_for(1)
    await shard.close()

    assert (alert.rep, alert.crossing.value if alert.crossing else None) == ("r1", 3)


async def test_a_clock_that_is_set_back_begins_anew_and_tells_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.topics.did("r1", 10)
    shard = await desk.start()
    desk.horizon.settled_at = NINE + 2 * HOUR
    await shard.wait_for(1)
    opened = desk.topics.opened

    desk.horizon.settled_at = NINE
    while desk.topics.opened == opened:
        await asyncio.sleep(0.001)
    desk.horizon.settled_at = NINE + 2 * HOUR + SECOND
    await shard.wait_for(3)
    await shard.close()

    turns = [(alert.event, alert.turn) for alert in shard.fake.alerts()]
    told = [value for topic, value in shard.fake.written if topic == NAMES.topic(NOTIFICATIONS)]
    assert turns == [("raised", 1), ("resolved", 2), ("reopened", 3)]
    assert len(told) == 2


TELLING: dict[str, Any] = {
    "digest": {"at": "10:00", "to": ["desk"], "metrics": ["calls_made", "deals_won"]},
    "screens": {
        "floor": {
            "scenes": [{"name": "Wins", "tiles": [{"kind": "wins"}]}],
            "celebrate": [{"on": "deal_won", "to": ["desk"]}],
        }
    },
}


def telling() -> Config:
    channel = {"kind": "webhook", "url": "https://example.com"}
    return make_config(alerts={"channels": {"desk": channel}}, reps={"r1": {"name": "Ana"}}, **TELLING)


async def test_days_and_wins_are_told_once_by_whoever_owns_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, {})
    desk.config = telling()
    desk.topics.did("r1", 9)
    card = DealCard("d1", "r1", "Acme", None, None, None, None, "5", "USD", None, None, NINE + MINUTE)
    desk.topics.records[NAMES.topic(DEALS)] = [FakeRecord(b"deal|d1", encode_deal(card))]
    desk.horizon.settled_at = NINE + HOUR

    first = await desk.start()
    await first.wait_for(3)
    await first.close()
    told = [alert.notice for alert in first.fake.told()]
    second = await desk.start()
    await asyncio.sleep(0.1)
    await second.close()

    assert [notice.title for notice in told if notice is not None] == [
        "Acme: Ana, $5", "The day at Acme: Wednesday, March 18, 2026",
    ]  # fmt: skip
    assert "Acme: Ana, $5" in [line for notice in told if notice is not None for line in notice.lines]
    assert second.fake.written == []


async def test_channels_are_told_names_where_the_file_or_the_crm_says_one(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.topics.did("r2", 10)
    shard = await desk.start()
    desk.horizon.settled_at = NINE + 2 * HOUR
    await shard.wait_for(1)
    await shard.close()
    (alert,) = shard.fake.told()

    assert alert.called is not None
    assert (alert.called.rep, alert.called.rep_id, alert.called.id) == ("r1", "r1", alert.id)
