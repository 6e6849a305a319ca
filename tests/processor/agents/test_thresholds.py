"""The shard that looks at metrics, with owner and topics in memory: what is written when, and in which order."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from processor.agents import thresholds
from processor.agents.restoring import Published
from processor.agents.stage import Deployment
from processor.agents.thresholds import ThresholdsShard
from processor.agents.watermark import Watermark
from processor.core.definitions import definitions_of
from processor.transport.fetched import Fetched
from processor.transport.outgoing import Outgoing
from processor.transport.packing import KeyAndValue
from schemas.alerts import Alert, decode_alert, decode_frame, encode_alert
from schemas.config import Config
from schemas.deals import DealCard, encode_deal
from schemas.fences import encode_fence
from schemas.frames import QUIETLY
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.panes import encode_pane, pane_key
from schemas.records import RecordChange
from schemas.topics import ACKNOWLEDGEMENTS, DEAD_LETTERS, DEALS, FENCE, NOTIFICATIONS, PANES, THRESHOLD_ALERTS
from schemas.windows import day_window, minute_window
from tests.builders import change, instant, make_config
from tests.oracle import row_of
from tests.panes import pane_of
from tests.pipeline import Pipeline

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

    async def send(self, messages: Mapping[str, Sequence[KeyAndValue]], **_how: object) -> None:
        await self.send_to({(topic, 0): batch for topic, batch in messages.items()})

    async def send_to(
        self, messages: Mapping[tuple[str, int], Sequence[KeyAndValue]], *, headers: object = None
    ) -> None:
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
class FakeWatermark(Watermark):
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
    headers: Sequence[tuple[str, bytes]] = ()


class FakeTopics:
    """What lies in `panes` and `roster`; a follower reads it from the beginning."""

    def __init__(self) -> None:
        self.records: dict[str, list[Fetched]] = {}
        self.opened = 0
        self.failure: Exception | None = None

    def did(self, rep: str, calls: int, *, is_quiet: bool = False) -> None:
        key = pane_key("ledger.0", rep, day_window(NINE // (24 * HOUR)))
        records = self.records.setdefault(NAMES.topic(PANES), [])
        headers = (QUIETLY,) if is_quiet else ()
        records.append(FakeRecord(key, encode_pane(pane_of(calls_made=calls)), headers=headers))

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
        self.watermark = FakeWatermark()
        self.published: dict[bytes, bytes] = {}
        self.done: dict[bytes, bytes] = {}
        """What people did about alerts."""
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
            0,
            deployment(config),
            config=config,
            watermark=desk.watermark,
            clock=lambda: max(NINE, desk.watermark.settled_at),
        )
        self.fake = FakeOwner()
        self.owner = self.fake  # type: ignore[assignment]
        self.desk = desk

    async def recover(self) -> Published:
        name = self.deployment.topic
        return {name(ACKNOWLEDGEMENTS): dict(self.desk.done), name(THRESHOLD_ALERTS): dict(self.desk.published)}

    async def wait_for(self, count: int) -> list[Alert]:
        async with asyncio.timeout(60):
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
    desk.watermark.settled_at = NINE + 2 * HOUR

    (alert,) = await shard.wait_for(1)
    await shard.close()

    assert (alert.rep, alert.level) == ("r1", "warn")
    assert [topic for topic, _ in shard.fake.written] == [
        "proved", NAMES.topic(NOTIFICATIONS), NAMES.topic(THRESHOLD_ALERTS),
    ]  # fmt: skip
    assert shard.progress.counters["alerts.warn"] == 1
    assert desk.watermark.users == 0


async def test_of_what_no_webhook_told_channels_hear_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first number has been looked at once the second is told: all that was written by then is looked at."""
    desk = Desk(monkeypatch, {"many": {"metric": "calls_made", "per": "rep", "reaches": 10}})
    desk.topics.did("r1", 1)
    shard = await desk.start()
    desk.watermark.settled_at = NINE + HOUR
    while not list(shard._watch.floor.store.windows()):
        await asyncio.sleep(0.001)

    desk.topics.did("r1", 10, is_quiet=True)
    desk.topics.did("r2", 10)
    desk.watermark.settled_at += SECOND
    found = await shard.wait_for(2)
    await shard.close()

    assert {(alert.rep, alert.quiet) for alert in found} == {("r1", "silent"), ("r2", "")}
    assert [alert.rep for alert in shard.fake.told()] == ["r2"]


async def test_nothing_is_looked_at_before_all_that_was_delivered_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    shard = await desk.start()
    await asyncio.sleep(0.05)
    assert desk.topics.opened == 0

    desk.watermark.is_current = False  # the panes are those of other definitions
    desk.watermark.settled_at = NINE + 2 * HOUR
    await asyncio.sleep(0.05)
    await shard.close()

    assert desk.topics.opened == 0


async def test_nobody_looks_at_numbers_that_are_partly_of_other_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.topics.did("r1", 11)
    desk.topics.did("r2", 11)
    shard = await desk.start()
    desk.watermark.settled_at = NINE + 2 * HOUR
    await asyncio.sleep(0.05)
    # Another worker takes a partition by a changed metrics.yaml: what it writes has other cells.
    panes = desk.topics.records[NAMES.topic(PANES)]
    panes.append(FakeRecord(FENCE, encode_fence((7, 1), "of another configuration")))
    panes.append(FakeRecord(pane_key("ledger.0", "r1", day_window(NINE // DAY)), encode_pane(pane_of(emails_sent=1))))
    desk.watermark.settled_at += SECOND
    await asyncio.sleep(0.05)
    assert shard.fake.alerts() == []

    panes.append(FakeRecord(FENCE, encode_fence((8, 1), "of this configuration")))
    desk.watermark.is_current = False  # it has still to derive
    desk.watermark.settled_at += SECOND
    await asyncio.sleep(0.05)
    assert shard.fake.alerts() == []

    desk.topics.did("r1", 9)
    desk.watermark.is_current = True
    (alert,) = await shard.wait_for(1)
    await shard.close()

    assert alert.rep == "r1"


async def test_where_nothing_was_ever_delivered_nobody_has_done_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.watermark.has_deliveries = False
    desk.watermark.settled_at = NINE + 2 * HOUR
    shard = await desk.start()
    await asyncio.sleep(0.05)
    assert desk.topics.opened == 0

    desk.topics.did("r2", 10)
    desk.watermark.has_deliveries = True
    (alert,) = await shard.wait_for(1)
    await shard.close()

    assert alert.rep == "r1"


async def test_the_next_owner_raises_nothing_again_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.watermark.settled_at = NINE + 2 * HOUR
    desk.topics.did("r2", 10)
    first = await desk.start()
    await first.wait_for(1)
    await first.close()

    second = await desk.start()
    desk.topics.did("r1", 11)
    (resolved,) = await second.wait_for(1)
    await second.close()

    assert (resolved.rep, resolved.event) == ("r1", "resolved")


async def test_rows_that_are_none_are_let_go_and_the_others_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each start would fail of them again."""
    desk = Desk(monkeypatch, FEW)
    desk.watermark.settled_at = NINE + 2 * HOUR
    desk.topics.did("r2", 10)
    first = await desk.start()
    await first.wait_for(1)
    await first.close()

    desk.published[b"none"] = b"no row"
    desk.done = {b"0|\xff": b"", b"0|none": b"no row"}
    second = await desk.start()
    desk.topics.did("r1", 11)
    async with asyncio.timeout(90):
        while not second.fake.alerts():
            await asyncio.sleep(0.001)
    await second.close()

    assert [(alert.rep, alert.event) for alert in second.fake.alerts()] == [("r1", "resolved")]
    written = [topic for topic, value in second.fake.written if value is None]
    assert written.count(NAMES.topic(THRESHOLD_ALERTS)) == 1
    assert written.count(NAMES.topic(ACKNOWLEDGEMENTS)) == 2
    assert len([topic for topic, _ in second.fake.written if topic == NAMES.topic(DEAD_LETTERS)]) == 3


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
    desk.watermark.settled_at = NINE
    await shard.wait_for(1)
    held = shard._watch.floor.store

    assert set(held.windows()) == set(minutes[30 - 14 :])
    desk.watermark.settled_at = NINE + 30 * MINUTE
    async with asyncio.timeout(60):
        while minutes[30] in held:
            await asyncio.sleep(0.001)
    assert set(held.windows()) == set(minutes[60 - 14 :])
    await shard.close()


OF_EACH_TYPE = {
    "open_deals": ("today", "month", "7d"), "mrr": ("today",), "customers": ("today",), "arr": ("month",),
    "customer_retention": ("month",), "calls_made": ("today",), "contacts_touched": ("month",), "crm_days": ("7d",),
    "lead_funnel": ("month",), "lead_conversion_rate": ("30d",),
    "sales_cycle_days_p50": ("30d",), "leads_due": ("today",), "lead_response_seconds_p50": ("7d",),
    "lead_value_missed": ("month",), "win_rate": ("30d",), "revenue_net": ("year",), "scheduled_days": ("month",),
}  # fmt: skip


LEVELS = {"open_deals": ("24h", "1h"), "mrr": ("4h",)}


@pytest.mark.parametrize("limited", [OF_EACH_TYPE, LEVELS], ids=["of each type", "levels in minutes"])
async def test_a_metric_is_looked_at_as_it_is_served(
    monkeypatch: pytest.MonkeyPatch, limited: Mapping[str, Sequence[str]]
) -> None:
    limits = {
        f"{metric}-{window}": {"metric": metric, "per": "organisation", "window": window, "above": -1_000_000}
        for metric, windows in limited.items()
        for window in windows
    }
    desk, now = Desk(monkeypatch, limits), NINE + 6 * HOUR
    pipeline = Pipeline(desk.config)
    pipeline.take(happened_of_all_kinds())
    records = [FakeRecord(key, value) for (_, key), value in pipeline.topics[PANES.name].items()]
    desk.topics.records[NAMES.topic(PANES)] = [*records]
    shard = await desk.start()
    desk.watermark.settled_at = now

    found = await shard.wait_for(len(limits))
    await shard.close()

    told = {one.crossing.threshold: one.crossing.value for one in found if one.crossing is not None}
    assert told == {
        f"{metric}-{window}": row_of(happened_of_all_kinds(), now=now, window=window, config=desk.config)["metrics"][
            metric
        ]
        for metric, windows in limited.items()
        for window in windows
    }


def happened_of_all_kinds() -> list[RecordChange]:
    """What happened until three in the afternoon, and what is to come later on that day and after it."""
    day = "2026-03-18T"
    won: dict[str, Any] = {
        "rep": "r1",
        "status": "won",
        "amount": "100",
        "currency": "USD",
        "kind": "new",
        "customer": "k",
        "lead": "a",
    }
    lead: dict[str, Any] = {
        "rep": "r1",
        "received_at": f"{day}08:00Z",
        "source": "web",
        "value": "7",
        "currency": "USD",
    }
    contract: dict[str, Any] = {"rep": "r2", "customer": "k", "monthly_amount": "30", "currency": "USD"}
    return [
        change("lead", "a", f"{day}08:00Z", **lead, status="customer"),
        change("lead", "b", f"{day}08:00Z", **lead | {"received_at": "2026-03-02T08:00Z"}),
        change("call", "c", f"{day}08:30Z", rep="r1", lead="a", direction="outbound", dialed_at=f"{day}08:30Z"),
        change("deal", "d1", f"{day}09:00Z", **won, created_at="2026-03-10T09:00Z", closed_at=f"{day}09:00Z"),
        change("deal", "d2", f"{day}09:00Z", rep="r2", status="lost", created_at="2026-03-01T09:00Z",
               closed_at=f"{day}10:00Z"),
        change("deal", "d3", f"{day}09:00Z", rep="r2", status="open", created_at=f"{day}09:00Z"),
        change("deal", "d4", f"{day}09:00Z", rep="r2", status="open", created_at="2026-02-01T09:00Z"),
        # These open later today, and in a week.
        change("deal", "d5", f"{day}09:00Z", rep="r2", status="open", created_at=f"{day}20:00Z"),
        change("deal", "d6", f"{day}09:00Z", rep="r2", status="open", created_at="2026-03-25T09:00Z"),
        change("subscription", "s1", f"{day}09:00Z", **contract, starts_at="2026-01-01T00:00Z"),
        change("subscription", "s2", f"{day}09:00Z", **contract, starts_at="2026-03-20T00:00Z"),
        change("subscription", "s3", f"{day}09:00Z", **contract | {"customer": "l"}, starts_at="2026-01-01T00:00Z",
               ends_at="2026-03-05T00:00Z"),
        change("credit", "g", f"{day}09:00Z", rep="r1", at=f"{day}09:00Z", amount="20", currency="USD"),
    ]  # fmt: skip


async def test_what_is_found_during_a_rebalance_is_written_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    shard = await desk.start()
    await shard.suspend()
    desk.watermark.settled_at = NINE + 2 * HOUR
    await asyncio.sleep(0.05)
    assert shard.fake.written == []

    await shard.tick(NINE)
    await shard.wait_for(2)
    await shard.close()


async def test_a_threshold_that_is_not_configured_any_more_is_resolved_and_nothing_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.watermark.settled_at = NINE + 2 * HOUR
    desk.topics.did("r2", 10)
    first = await desk.start()
    await first.wait_for(1)
    await first.close()
    opened = desk.topics.opened

    second = await desk.start({})
    (over,) = await second.wait_for(1)
    await second.close()

    assert (over.event, desk.topics.opened - opened, desk.watermark.users) == ("resolved", 0, 0)


@pytest.mark.parametrize("failure", [OSError(), TimeoutError()], ids=["connection", "time"])
async def test_after_an_interruption_all_is_read_anew(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.topics.did("r1", 10)
    desk.topics.did("r2", 10)
    shard = await desk.start()
    desk.watermark.settled_at = NINE + HOUR
    while not desk.topics.opened:
        await asyncio.sleep(0.001)
    opened = desk.topics.opened

    desk.topics.failure = failure
    desk.watermark.settled_at = NINE + 3 * HOUR
    while desk.topics.opened == opened:
        await asyncio.sleep(0.001)
    desk.topics.did("r1", 3)
    desk.watermark.settled_at += SECOND
    (alert,) = await shard.wait_for(1)
    await shard.close()

    assert (alert.rep, alert.crossing.value if alert.crossing else None) == ("r1", 3)


async def test_a_clock_that_is_set_back_begins_anew_and_tells_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.topics.did("r1", 10)
    shard = await desk.start()
    desk.watermark.settled_at = NINE + 2 * HOUR
    await shard.wait_for(1)
    opened = desk.topics.opened

    desk.watermark.settled_at = NINE
    while desk.topics.opened == opened:
        await asyncio.sleep(0.001)
    desk.watermark.settled_at = NINE + 2 * HOUR + SECOND
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
    desk.watermark.settled_at = NINE + HOUR

    first = await desk.start()
    await first.wait_for(3)
    await first.close()
    told = [alert.notice for alert in first.fake.told()]
    second = await desk.start()
    await asyncio.sleep(0.1)
    await second.close()

    assert [notice.title for notice in told if notice is not None] == [
        "Deal won: Ana, $5 · Acme", "The day at Acme: Wednesday, March 18, 2026",
    ]  # fmt: skip
    assert "Deal won: Ana, $5 · Acme" in [line for notice in told if notice is not None for line in notice.lines]
    assert second.fake.written == []


async def test_channels_are_told_names_where_the_file_or_the_crm_says_one(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, FEW)
    desk.topics.did("r2", 10)
    shard = await desk.start()
    desk.watermark.settled_at = NINE + 2 * HOUR
    await shard.wait_for(1)
    await shard.close()
    (alert,) = shard.fake.told()

    assert alert.called is not None
    assert (alert.called.rep, alert.called.rep_id, alert.called.id) == ("r1", "r1", alert.id)
