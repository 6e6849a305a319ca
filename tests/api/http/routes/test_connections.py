"""What is known of connections: when they delivered, and names that nobody knows."""

from pathlib import Path

import pytest

from api.read.connection_rows import connection_row
from schemas.connection_states import BackfillState, ConnectionState, LimitsState, SubscriptionState, encode_state
from schemas.connection_stats import connection_stats
from schemas.connectors import read_connection
from schemas.counted_texts import UNKNOWN, UNMAPPED
from schemas.instants import SECOND, format_instant
from schemas.progress import Progress, encode_progress, progress_key
from schemas.topics import CONNECTION_STATES, PROGRESS
from tests.api.reading import Floor


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


@pytest.fixture
def told(floor: Floor) -> Floor:
    for partition, count in ((0, 2), (1, 5)):
        progress = Progress(offset=9)
        progress.saw("feed", floor.now - count * SECOND, floor.now - 60 * SECOND - count)
        UNKNOWN.count(progress.counters, "feed", {("call", "dialedat"): count, ("kall", "kall"): 1}.items())
        floor.view.apply(PROGRESS.name, progress_key("normalise", partition), encode_progress(progress))
    return floor


async def test_a_misspelt_field_and_kind_are_named_and_counted_over_all_partitions(told: Floor) -> None:
    (row,) = (await told.get("/v1/connections")).json()["rows"]

    assert row["unknown"] == [
        {"record": "call", "name": "dialedat", "count": 7},
        {"record": "kall", "name": "kall", "count": 2},
    ]
    assert (row["connection"], row["kind"]) == ("feed", "generic")
    assert row["last_delivery_at"] == format_instant(told.now - 2 * SECOND)
    assert row["last_event_at"] == format_instant(told.now - 60 * SECOND - 2)
    unknown = (
        "reconciled_at",
        "missed",
        "missed_share",
        "unmapped",
        "limits",
        "subscription",
        "duplicates",
        "backfill",
    )
    assert {name: row[name] for name in unknown} == dict.fromkeys(unknown)


async def test_a_connection_that_never_delivered_is_there_too(floor: Floor) -> None:
    (row,) = (await floor.get("/v1/connections")).json()["rows"]

    assert (row["last_delivery_at"], row["last_event_at"], row["unknown"]) == (None, None, [])


@pytest.mark.parametrize("settings", [{"kind": "close", "secrets": ["00" * 32]}, {"kind": "file"}])
def test_words_without_a_counterpart_are_counted_by_connection(settings: dict[str, object]) -> None:
    progress = Progress(offset=9)
    UNMAPPED.count(progress.counters, "feed", {("call", "outcome", "our-own-guid"): 14}.items())
    stats = connection_stats({"feed": read_connection(settings)}, {("normalise", 0): progress})

    (row,) = (connection_row(each, None) for each in stats)

    assert row["unmapped"] == [{"record": "call", "field": "outcome", "word": "our-own-guid", "count": 14}]


async def test_connections_need_an_admin_who_sees_the_whole_organisation(floor: Floor) -> None:
    reader, limited = floor.key("read"), floor.key("admin", team="north")

    assert (await floor.refused("/v1/connections", headers=reader))[0] == 403
    assert (await floor.refused("/v1/connections", headers=limited))[0] == 403


async def test_what_the_owner_of_the_look_ups_says_is_in_the_row(told: Floor) -> None:
    state = ConnectionState(
        at=told.now, reconciled_at=told.now - SECOND, missed_day={"deal": 2}, changed_day=500, not_visible=3,
        limits=LimitsState(1200, 250_000), subscription=SubscriptionState("active", told.now + 60 * SECOND),
        backfill=BackfillState(40, None, 0, told.now),
    )  # fmt: skip
    told.view.apply(CONNECTION_STATES.name, b"feed", encode_state(state))

    (row,) = (await told.get("/v1/connections")).json()["rows"]

    assert row["missed_share"] == {"day": 0.004, "month": None}
    assert row["limits"] == {"used": 1200, "of": 250_000, "resets_at": None}
    assert row["subscription"] == {"state": "active", "expires_at": format_instant(told.now + 60 * SECOND)}
    assert (row["backfill"], row["not_visible"]) == ({"done": 40, "of": None}, 3)


async def test_where_only_subscriptions_are_kept_nothing_else_is_known(told: Floor) -> None:
    state = ConnectionState(at=told.now, subscription=SubscriptionState("missing"), is_asked=False)
    told.view.apply(CONNECTION_STATES.name, b"feed", encode_state(state))

    (row,) = (await told.get("/v1/connections")).json()["rows"]

    assert row["subscription"] == {"state": "missing", "expires_at": None}
    assert (row["missed"], row["missed_share"], row["reconciled_at"], row["limits"]) == (None, None, None, None)
