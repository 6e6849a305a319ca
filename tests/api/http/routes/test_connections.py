"""What is known of connections: when they delivered, and names that nobody knows."""

from pathlib import Path

import pytest

from api.http.routes.connections import _row
from schemas.connection_stats import connection_stats
from schemas.connectors import read_connection
from schemas.instants import SECOND, format_instant
from schemas.progress import Progress, encode_progress, progress_key
from schemas.topics import PROGRESS
from schemas.unknown_names import count_unknown
from schemas.unmapped_words import count_unmapped
from tests.api.reading import Floor


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


@pytest.fixture
def told(floor: Floor) -> Floor:
    for partition, count in ((0, 2), (1, 5)):
        progress = Progress(offset=9)
        progress.saw("feed", floor.now - count * SECOND, floor.now - 60 * SECOND - count)
        count_unknown(progress.counters, "feed", {("call", "dialedat"): count, ("kall", "kall"): 1})
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


def test_words_without_a_counterpart_are_counted_by_connection() -> None:
    progress = Progress(offset=9)
    count_unmapped(progress.counters, "feed", {("call", "outcome", "our-own-guid"): 14})
    close = read_connection({"kind": "close", "secrets": ["00" * 32]})
    stats = connection_stats({"feed": close}, {("normalise", 0): progress})

    (row,) = (_row(each, None) for each in stats)

    assert row["unmapped"] == [{"record": "call", "field": "outcome", "word": "our-own-guid", "count": 14}]


async def test_connections_need_an_admin_who_sees_the_whole_organisation(floor: Floor) -> None:
    reader, limited = floor.key("read"), floor.key("admin", team="north")

    assert (await floor.refused("/v1/connections", headers=reader))[0] == 403
    assert (await floor.refused("/v1/connections", headers=limited))[0] == 403
