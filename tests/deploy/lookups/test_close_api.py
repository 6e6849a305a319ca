"""Close's API over its fake: limits by headers, lists that end at an offset, the event log, merges, cents."""

import itertools
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas.config import Config
from schemas.connectors.asking import GONE, HISTORY, BadAnswerError
from schemas.connectors.lists import ALIKE
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.records import Record, fold_all
from tests.builders import make_config
from tests.deploy.lookups.close_world import CloseWorld
from tests.fakes.close import KEY, iso
from tests.fakes.http import Response

pytestmark = pytest.mark.asyncio
DEAL = {
    "status_id": "stat_act", "status_label": "Active", "status_type": "active", "value": 4_850_000,
    "value_currency": "EUR", "value_period": "one_time", "user_id": "user_1", "lead_id": "lead_1",
}  # fmt: skip
LEAD = {"name": "A lead", "status_id": "stat_pot", "status_label": "Potential"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CloseWorld]:
    async with CloseWorld(tmp_path, lost=0.0, repeated=0.0) as found:
        yield found


def record(world: CloseWorld, kind: str, id: str) -> Record:
    return fold_all(kind, [change for change in world.changes() if (change.kind, change.id) == (kind, id)])


def call(world: CloseWorld) -> str:
    data = {"direction": "outbound", "activity_at": iso(world.crm.now()), "disposition": "answered", "duration": 60}
    return str(world.crm.create("activity.call", data)[0])


async def changed(world: CloseWorld, object: str, since: int) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await world.client.run(world.client.source.changed(object, since, cursor))
        found += [id for id, _ in page.found]
        cursor = page.cursor
        if cursor is None:
            return found


async def test_a_burst_stays_below_what_the_headers_tell(world: CloseWorld) -> None:
    world.crm.rolling.most, world.crm.rolling.per = 8, 1.0
    for _ in range(60):
        await world.client.run(world.client.source.everybody())

    assert world.crm.over_limit == 0


async def test_a_refusal_waits_until_there_is_room(world: CloseWorld) -> None:
    begun = world.clock()
    world.crm.faults.append(Response(429, {"error": "x"}, {"RateLimit": "limit=100, remaining=0, reset=7"}))
    await world.client.run(world.client.source.everybody())

    assert world.clock() - begun >= 7 * SECOND


@pytest.mark.parametrize("step", [SECOND, 0], ids=["one after the other", "an import"])
async def test_all_that_was_made_is_found_though_lists_end(world: CloseWorld, step: int) -> None:
    """The log forgets: what is older than a month is found by the lists, which end at 150."""
    ids = []
    for _ in range(430 if step else 145):
        ids.append(call(world))
        world.clock.now += step
    begun = world.clock()
    world.clock.now += 40 * DAY

    assert set(await changed(world, "activity.call", begun - HOUR)) == set(ids)


async def test_more_of_one_instant_than_close_lists_is_told(world: CloseWorld) -> None:
    for _ in range(400):
        call(world)
    begun = world.clock()
    world.clock.now += 40 * DAY
    with pytest.raises(BadAnswerError, match="more of one instant than Close lists"):
        await changed(world, "activity.call", begun - HOUR)


async def test_leads_and_opportunities_of_before_the_log_are_found(world: CloseWorld) -> None:
    leads = [world.crm.create("lead", LEAD)[0] for _ in range(450)]
    deals = []
    for _ in range(250):
        deals.append(world.crm.create("opportunity", DEAL)[0])
        world.clock.now += SECOND
    begun = world.clock()
    world.clock.now += 40 * DAY

    assert set(await changed(world, "lead", begun - HOUR)) == set(leads)
    assert set(await changed(world, "opportunity", begun - HOUR)) == set(deals)


async def test_where_the_search_is_refused_the_list_of_leads_is_read(world: CloseWorld) -> None:
    leads = [world.crm.create("lead", LEAD)[0] for _ in range(140)]
    world.crm.faults.append(Response(400, {"error": "invalid query"}))
    page = await world.client.run(world.client.source.changed("lead", world.clock() - DAY, "listed "))
    listed: list[str] = []
    while page.cursor is not None:
        page = await world.client.run(world.client.source.changed("lead", world.clock() - DAY, page.cursor))
        listed += [id for id, _ in page.found]

    assert set(listed) == set(leads)


async def test_an_edit_of_an_old_call_is_found_by_the_event_log(world: CloseWorld) -> None:
    id = call(world)
    world.clock.now += 20 * DAY
    await world.backfill()
    await world.catch_up()
    begun = await world.rounds.reconcile(None)
    world.crm.set("activity.call", id, {"disposition": "busy"})
    world.clock.now += 5 * MINUTE
    await world.rounds.reconcile(begun)

    assert record(world, "call", id).get("outcome") == "busy"
    assert world.known.ever_missed("hub") == {"call": 1}


async def test_an_event_log_without_end_is_left_alone_and_the_next_round_begins_where_this_one_did(
    world: CloseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = call(world)
    begun = await world.rounds.reconcile(None)
    world.crm.set("activity.call", id, {"disposition": "busy"})
    lead, _ = world.crm.create("lead", LEAD)
    world.clock.now += 5 * MINUTE
    answer, pages = world.crm._events, itertools.count()
    with monkeypatch.context() as patched:

        def endless(query: Mapping[str, str]) -> Response:
            is_of_calls = query["object_type"] == "activity.call"
            return Response(200, {"data": [], "cursor_next": f"c{next(pages)}"}) if is_of_calls else answer(query)

        patched.setattr(world.crm, "_events", endless)
        begun = await world.rounds.reconcile(begun)

        assert [str(why) for why in world.rounds.lacking.values()] == [
            "a list gives the same page again, or none with rows, wherever it is asked to go on"
        ]
        assert next(pages) == ALIKE + 1
        assert record(world, "lead", lead).get("status") == "new"

    world.clock.now += 3 * DAY
    await world.rounds.reconcile(world.clock())
    assert world.rounds.lacking == {}
    assert record(world, "call", id).get("outcome") == "busy"


async def test_an_opportunity_has_cents_and_all_its_statuses(world: CloseWorld) -> None:
    id, _ = world.crm.create("opportunity", DEAL)
    made = world.clock()
    won: dict[str, Any] = {"status_id": "stat_won", "status_label": "Won", "status_type": "won"}
    for status in (won, {"status_id": "stat_ver", "status_type": "active"}, won):
        world.clock.now += HOUR
        world.crm.set("opportunity", id, status)
    (found,) = (await world.client.run(world.client.source.read("opportunity", [id]))).records
    assert len(found[HISTORY]) == 3
    await world.backfill()

    deal = record(world, "deal", id)
    assert (deal.get("amount"), deal.get("currency")) == ("48500", "EUR")
    assert [(at - made, value) for at, _, _, value in deal.entries("stage")] == [
        (0, "stat_act"), (HOUR, "stat_won"), (2 * HOUR, "stat_ver"), (3 * HOUR, "stat_won"),
    ]  # fmt: skip
    assert (deal.get("status"), deal.get("closed_at")) == ("won", made + 3 * HOUR)


async def test_a_merge_deletes_nothing_and_what_the_log_remembers_of_the_lead_stays(world: CloseWorld) -> None:
    one, other = (world.crm.create("lead", LEAD)[0] for _ in range(2))
    made = world.clock()
    id, _ = world.crm.create("opportunity", {**DEAL, "lead_id": other})
    world.clock.now += HOUR
    world.crm.merge(one, other)
    await world.backfill()

    found = record(world, "lead", other)
    assert (found.get("merged_into"), found.is_deleted, found.get("received_at")) == (one, False, made)
    assert record(world, "deal", id).get("lead") == one


async def test_an_outcome_counts_by_its_name_too(tmp_path: Path) -> None:
    class Named(CloseWorld):
        def config_of(self, url: str) -> Config:
            api = {"key": KEY, "url": url}
            outcomes = {"Demo held": "held", "outcome_9": "no_show", "Nobody there": "no_answer"}
            return make_config(
                connections={"hub": {"kind": "close", "secrets": ["ab" * 32], "api": api, "outcomes": outcomes}}
            )

    meeting = {
        "status": "completed",
        "user_id": "user_1",
        "lead_id": "lead_1",
        "starts_at": "2026-03-16T09:00:00+00:00",
    }
    async with Named(tmp_path, lost=0.0, repeated=0.0) as world:
        world.crm.outcomes = [
            {"id": "outcome_1", "name": "Demo held"}, {"id": "outcome_2", "name": "Nobody there"},
            {"id": "outcome_9", "name": "Whatever"}, {"id": "outcome_3", "name": "On a boat"},
        ]  # fmt: skip
        ids = []
        for outcome in ("outcome_1", "outcome_9", "outcome_3", None):
            id, events = world.crm.create("activity.meeting", {**meeting, "outcome_id": outcome})
            world.send(events)
            ids.append(id)
        data = {"direction": "outbound", "activity_at": iso(world.crm.now()), "disposition": "answered"}
        call, events = world.crm.create("activity.call", {**data, "outcome_id": "outcome_2"})
        world.send(events)
        world.clock.now += MINUTE
        await world.deliver()
        await world.catch_up()
        await world.rounds.look_up()

        outcomes = [record(world, "meeting", id).get("outcome") for id in ids]
        assert outcomes == ["held", "no_show", "scheduled", "scheduled"]
        assert record(world, "call", call).get("outcome") == "no_answer"


async def test_what_stages_are_called_is_learned(world: CloseWorld) -> None:
    statuses = [
        {"id": "stat_act", "label": "Active", "type": "active"},
        {"id": "stat_won", "label": "Sold", "type": "won"},
    ]
    world.crm.pipelines = [{"id": "pipe_1", "name": "Sales", "statuses": statuses}]
    learned = await world.client.run(world.client.source.words())

    assert learned.labels == {"pipe_1": {"": "Sales", "stat_act": "Active", "stat_won": "Sold"}}
    assert learned.words["opportunity"] == {"stat_act": "open", "stat_won": "won"}


async def test_deletions_are_told_for_thirty_days(world: CloseWorld) -> None:
    ids = [call(world) for _ in range(60)]
    for id in ids[:55]:
        world.crm.delete("activity.call", id)
    source = world.client.source
    first = await world.client.run(source.gone("activity.call", world.clock() - DAY, world.clock(), None))
    second = await world.client.run(source.gone("activity.call", world.clock() - DAY, world.clock(), first.cursor))

    assert {each["id"] for each in [*first.records, *second.records]} == set(ids[:55])
    assert all(GONE in each for each in first.records)
    found = await world.client.run(source.read("activity.call", ids[50:]))
    assert found.missing == ids[50:55]


async def test_how_far_a_back_fill_is_goes_by_the_time_it_has_covered(world: CloseWorld) -> None:
    since = world.clock()
    for _ in range(4):
        for _ in range(60):
            call(world)
        world.clock.now += HOUR
    await world.backfill(since)

    told = [share for object, _, of, share in world.progressed if object == "activity.call" and of is None]
    shares = [share for share in told if share is not None]
    assert shares == sorted(shares)
    assert len({round(share, 2) for share in shares}) > 5
    assert told[-1] == 1.0


async def test_whoever_the_list_does_not_name_any_more_has_left_and_may_come_back(world: CloseWorld) -> None:
    users = [
        {
            "id": f"user_{place}",
            "first_name": "Ana",
            "last_name": str(place),
            "email": f"u{place}@example.com",
            "date_updated": iso(world.crm.now() - 86_400),
        }
        for place in range(8)
    ]

    async def active(names: list[dict[str, Any]]) -> list[bool]:
        world.crm.users = names
        world.clock.now += HOUR
        await world.rounds.reconcile(world.clock() - HOUR)
        return [record(world, "rep", f"user_{place}").get("active") is True for place in range(8)]

    assert await active(users) == [True] * 8
    assert await active(users[1:]) == [False] + [True] * 7
    assert record(world, "rep", "user_0").get("name")
    assert await active(users[5:]) == [False] + [True] * 7
    assert await active(users) == [True] * 8
    told = len(world.log.deliveries)
    assert await active(users) == [True] * 8
    assert len(world.log.deliveries) == told
