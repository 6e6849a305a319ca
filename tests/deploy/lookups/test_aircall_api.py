"""Aircall's API over its fake: the minute's limit, lists that are cut, edits that nothing dates, what is kept."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.lookups.client import CrmApiError
from schemas.connectors.asking import BadAnswerError
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.records import Record, fold_all
from tests.deploy.lookups.aircall_world import BUSY, AircallWorld
from tests.fakes.http import Response

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AircallWorld]:
    async with AircallWorld(tmp_path, lost=0.0, repeated=0.0) as found:
        yield found


def record(world: AircallWorld, id: int) -> Record:
    return fold_all("call", [change for change in world.changes() if (change.kind, change.id) == ("call", str(id))])


def call(world: AircallWorld, *, ringing: int = 20, talk: int = 100) -> int:
    now = world.crm.now()
    id, _ = world.crm.create(
        {
            "user": world.crm.users[0], "direction": "outbound", "status": "done", "answered_at": now + ringing,
            "ended_at": now + ringing + talk, "duration": ringing + talk, "participants": [],
        }
    )  # fmt: skip
    return int(id)


async def changed(world: AircallWorld, since: int) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await world.client.run(world.client.source.changed("calls", since, cursor))
        found += [id for id, _ in page.found]
        cursor = page.cursor
        if cursor is None:
            return found


async def test_the_limit_of_the_minute_is_kept(world: AircallWorld) -> None:
    begun = world.clock()
    for _ in range(300):
        await world.client.run(world.client.source.everybody())

    assert world.crm.over_limit == 0
    assert world.clock() - begun >= 2 * MINUTE


async def test_a_refusal_is_waited_for_until_the_instant_that_it_names(world: AircallWorld) -> None:
    begun = world.clock()
    reset = int(world.crm.clock()) + 46
    world.crm.faults.append(Response(429, {"error": "Too many requests"}, {"X-AircallApi-Reset": str(reset)}))
    await world.client.run(world.client.source.everybody())

    assert 40 * SECOND <= world.clock() - begun < 50 * SECOND


async def test_users_are_asked_for_by_the_former_version_where_there_is_no_other(world: AircallWorld) -> None:
    world.crm.faults.append(Response(404, {"error": "Not found"}))
    people = await world.client.run(world.client.source.everybody())

    assert [each["id"] for each in people.records] == ["456123", "456124", "456125"]


async def test_a_list_of_users_that_ends_within_names_nobody_as_gone(world: AircallWorld) -> None:
    """The second page is not there: whoever is on it has not left."""
    world.crm.users += [{"id": 500000 + number, "name": f"Rep {number}"} for number in range(60)]
    whole = await world.client.run(world.client.source.everybody())
    assert len(whole.records) == 63
    first = world.crm._page("users", world.crm.users, {"per_page": "50"}, 63)
    world.crm.faults += [first, Response(404, {"error": "Not found"})]

    with pytest.raises(CrmApiError, match="answered 404"):
        await world.client.run(world.client.source.everybody())


async def test_what_the_edge_refuses_is_a_lack_of_rights(world: AircallWorld) -> None:
    world.crm.faults.append(Response(403, {"message": "Forbidden"}))
    with pytest.raises(CrmApiError) as caught:
        await world.client.run(world.client.source.everybody())

    assert caught.value.reason == "forbidden"


async def test_no_call_is_lost_where_a_list_is_cut(world: AircallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fakes.aircall.CAP", 400)
    monkeypatch.setattr("schemas.connectors.aircall.api._PAGES", 4)
    begun = world.clock()
    ids = []
    for _ in range(1001):
        ids.append(str(call(world)))
        world.clock.now += SECOND

    assert set(await changed(world, begun)) == set(ids)


async def test_more_of_one_second_than_a_list_holds_is_told(
    world: AircallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schemas.connectors.aircall.api._PAGES", 4)
    for _ in range(300):
        call(world)
    with pytest.raises(BadAnswerError, match="more in one second"):
        await changed(world, world.clock())


async def test_ringing_is_no_talk_and_twice_changes_nothing(world: AircallWorld) -> None:
    id = call(world)
    world.clock.now += HOUR
    await world.backfill()
    once = record(world, id).values()
    await world.backfill()

    assert record(world, id).values() == once
    answered_at = world.crm.calls[id]["answered_at"] * SECOND
    assert (once["answered_at"], once["ended_at"], once["outcome"]) == (
        answered_at, answered_at + 100 * SECOND, "connected",
    )  # fmt: skip


async def test_a_tag_that_no_webhook_told_is_found_once_it_cannot_be_under_way(world: AircallWorld) -> None:
    id = call(world)
    await world.backfill()
    world.clock.now += HOUR
    begun = await world.rounds.reconcile(None)
    world.crm.set(id, "tagged", {"tags": [{"id": 7, "name": BUSY}]})
    for _ in range(2):
        world.clock.now += 5 * MINUTE
        begun = await world.rounds.reconcile(begun)

    assert record(world, id).get("outcome") == "busy"
    assert world.known.ever_missed("hub") == {"call": 1}


async def test_calls_that_are_not_kept_any_more_are_not_deleted(world: AircallWorld) -> None:
    ids = [call(world) for _ in range(5)]
    await world.backfill()
    await world.catch_up()
    await world.rounds.reconcile(None)
    world.crm.calls.clear()
    world.clock.now += 8 * DAY
    await world.rounds.reconcile(world.clock())

    assert not any(record(world, id).is_deleted for id in ids)


async def test_a_call_is_looked_up_by_its_id(world: AircallWorld) -> None:
    id = call(world)
    found = await world.client.run(world.client.source.read("calls", [str(id), "1"]))

    assert ([each["id"] for each in found.records], found.missing) == ([str(id)], ["1"])


def person(world: AircallWorld, id: int) -> Record:
    return fold_all("rep", [change for change in world.changes() if (change.kind, change.id) == ("rep", str(id))])


async def test_whoever_the_list_does_not_name_any_more_has_left_and_may_come_back(world: AircallWorld) -> None:
    users = [
        {
            "id": 700 + place,
            "name": f"Ana {place}",
            "email": f"u{place}@example.com",
        }
        for place in range(8)
    ]

    async def active(names: list[dict[str, Any]]) -> list[bool]:
        world.crm.users = names
        world.clock.now += HOUR
        await world.rounds.reconcile(world.clock() - HOUR)
        return [person(world, 700 + place).get("active") is True for place in range(8)]

    assert await active(users) == [True] * 8
    assert await active(users[1:]) == [False] + [True] * 7
    assert person(world, 700).get("name")
    assert await active(users[5:]) == [False] + [True] * 7
    assert await active(users) == [True] * 8
    told = len(world.log.deliveries)
    assert await active(users) == [True] * 8
    assert len(world.log.deliveries) == told
