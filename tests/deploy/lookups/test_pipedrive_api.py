"""Pipedrive's API over its fake: what an answer costs, who is blocked, pages, archived and deleted records."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.lookups.client import CrmApiError
from schemas.connectors.asking import GONE, HISTORY
from schemas.instants import DAY, HOUR, SECOND
from schemas.records import Record, fold_all
from tests.deploy.lookups.pipedrive_world import PipedriveWorld
from tests.fakes.http import Response

pytestmark = pytest.mark.asyncio
DEAL = {
    "owner_id": 12415231, "creator_user_id": 12415231, "stage_id": 1, "pipeline_id": 1, "status": "open", "value": 100,
    "currency": "USD", "stage_change_time": None,
}  # fmt: skip
CALL = {"type": "call", "owner_id": 12415231, "creator_user_id": 12415231, "done": False, "due_date": "2026-03-16"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PipedriveWorld]:
    async with PipedriveWorld(tmp_path, lost=0.0, repeated=0.0) as found:
        yield found


def record(world: PipedriveWorld, kind: str, id: str) -> Record:
    return fold_all(kind, [change for change in world.changes() if (change.kind, change.id) == (kind, id)])


def make(world: PipedriveWorld, entity: str, data: dict[str, Any], count: int) -> list[str]:
    return [world.crm.create(entity, data)[0] for _ in range(count)]


async def changed(world: PipedriveWorld, object: str) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await world.client.run(world.client.source.changed(object, world.clock() - DAY, cursor))
        found += [id for id, _ in page.found]
        cursor = page.cursor
        if cursor is None:
            return found


async def test_a_burst_stays_below_the_limit_and_follows_what_answers_tell(world: PipedriveWorld) -> None:
    begun = world.clock()
    for _ in range(60):
        await world.client.run(world.client.source.everybody())
    assert world.crm.over_limit == 0
    assert world.clock() - begun >= 4 * SECOND

    world.crm.burst.most = 120
    world.clock.now += HOUR
    await world.client.run(world.client.source.everybody())
    begun = world.clock()
    for _ in range(100):
        await world.client.run(world.client.source.everybody())
    assert world.crm.over_limit == 0
    assert world.clock() - begun < 3 * SECOND


async def test_the_last_tokens_of_a_day_are_left_to_others(world: PipedriveWorld) -> None:
    world.crm.left = 90
    await world.client.run(world.client.source.everybody())
    await world.client.run(world.client.source.everybody())
    await world.client.run(world.client.source.everybody())
    asked = len(world.crm.requests)
    with pytest.raises(CrmApiError) as caught:
        await world.client.run(world.client.source.everybody())

    assert (caught.value.reason, len(world.crm.requests)) == ("limit", asked)
    assert world.crm.left > 0
    world.crm.left = 30_000
    world.clock.now += HOUR
    assert await world.client.run(world.client.source.everybody())


async def test_a_page_in_place_of_an_answer_is_a_block_and_no_lack_of_rights(world: PipedriveWorld) -> None:
    world.crm.faults.append(Response(403, raw=b"<html><title>Attention Required! | Cloudflare</title></html>"))
    begun = world.clock()
    assert await world.client.run(world.client.source.everybody())
    assert world.clock() - begun >= 60 * SECOND

    world.crm.faults.append(Response(403, {"success": False, "error": "Scope and URL mismatch"}))
    with pytest.raises(CrmApiError) as caught:
        await world.client.run(world.client.source.everybody())
    assert caught.value.reason == "forbidden"


async def test_archived_deals_and_leads_are_found_too(world: PipedriveWorld) -> None:
    deals, leads = make(world, "deal", DEAL, 3), make(world, "lead", {"label_ids": []}, 3)
    world.crm.set("deal", deals[0], {"is_archived": True})
    world.crm.set("lead", leads[0], {"is_archived": True})

    assert sorted(await changed(world, "deals")) == deals
    assert sorted(await changed(world, "leads")) == leads
    read = await world.client.run(world.client.source.read("deals", deals))
    assert [record["id"] for record in read.records] == [*deals[1:], deals[0]]


async def test_all_that_changed_is_found_however_many_pages_there_are(world: PipedriveWorld) -> None:
    activities, leads = make(world, "activity", CALL, 1200), make(world, "lead", {"label_ids": []}, 1200)
    world.clock.now += SECOND

    assert sorted(await changed(world, "activities")) == sorted(activities)
    assert set(await changed(world, "leads")) == set(leads)


async def test_a_deal_has_the_past_of_its_changelog(world: PipedriveWorld) -> None:
    (id,) = make(world, "deal", DEAL, 1)
    made = world.clock()
    for data in (
        {"stage_id": 2},
        {"status": "won"},
        {"stage_id": 3},
        {"value": 70},
        {"status": "open"},
        {"status": "won"},
    ):
        world.clock.now += HOUR
        world.crm.set("deal", id, data)
    (found,) = (await world.client.run(world.client.source.read("deals", [id]))).records
    assert len(found[HISTORY]) == 6

    await world.backfill()
    deal = record(world, "deal", id)

    assert [(at - made, value) for at, _, _, value in deal.entries("stage")] == [
        (0, "1"), (HOUR, "2"), (3 * HOUR, "3"),
    ]  # fmt: skip
    assert [(at - made, value) for at, _, value in deal.history("amount")] == [(0, "100"), (4 * HOUR, "70")]
    assert (deal.get("status"), deal.get("closed_at")) == ("won", made + 6 * HOUR)


async def test_what_stages_are_called_is_learned(world: PipedriveWorld) -> None:
    world.crm.pipelines = [{"id": 1, "name": "Sales"}]
    world.crm.stages = [{"id": 7, "name": "Offer", "pipeline_id": 1}, {"id": 8, "name": "Offer", "pipeline_id": 2}]
    learned = await world.client.run(world.client.source.words())

    assert learned.labels == {"1": {"": "Sales", "7": "Offer"}, "2": {"8": "Offer"}}


async def test_what_is_deleted_is_told_of_deals_and_else_found_by_comparing_ids(world: PipedriveWorld) -> None:
    deals, calls = make(world, "deal", DEAL, 2), make(world, "activity", CALL, 12)
    await world.backfill()
    await world.catch_up()
    await world.rounds.reconcile(None)
    world.crm.delete("deal", deals[0])
    world.crm.delete("activity", calls[0])
    world.clock.now += 10 * 60 * SECOND
    await world.rounds.reconcile(world.clock())
    assert record(world, "deal", deals[0]).is_deleted
    assert not record(world, "call", calls[0]).is_deleted

    world.clock.now += DAY
    await world.rounds.reconcile(world.clock())
    assert record(world, "call", calls[0]).is_deleted
    assert not record(world, "call", calls[1]).is_deleted
    (gone,) = (await world.client.run(world.client.source.read("deals", [deals[0]]))).records
    assert GONE in gone


async def test_an_activity_whose_type_changed_is_no_record_of_its_former_kind(world: PipedriveWorld) -> None:
    id, events = world.crm.create("activity", CALL)
    world.send(events)
    world.clock.now += HOUR
    await world.deliver()
    await world.catch_up()
    world.crm.set("activity", id, {"type": "meeting"})
    begun = world.clock()
    world.clock.now += HOUR
    await world.rounds.reconcile(begun)

    assert record(world, "call", id).is_deleted
    assert not record(world, "meeting", id).is_deleted
    assert world.known.ever_missed("hub") == {"meeting": 1}


async def test_an_owner_that_a_webhook_told_of_stays_assigned_since_then(world: PipedriveWorld) -> None:
    lead = {"owner_id": 12415231, "label_ids": [], "title": "A lead"}
    id, events = world.crm.create("lead", lead)
    made = world.clock()
    world.clock.now += HOUR
    events += world.crm.set("lead", id, {"owner_id": 12415232})
    world.send(events)
    world.clock.now += HOUR
    await world.deliver()
    await world.backfill()
    assert record(world, "lead", id).get("assigned_at") == made + HOUR

    world.log.deliveries.clear()
    await world.backfill()
    assert record(world, "lead", id).get("assigned_at") == made


@pytest.mark.parametrize("order", ["as it happens", "backwards", "not at all"])
async def test_a_lead_that_is_converted_is_no_deleted_one_and_keeps_its_touches(
    world: PipedriveWorld, order: str
) -> None:
    lead, events = world.crm.create("lead", {"title": "A lead", "owner_id": 12415231, "label_ids": []})
    made = world.clock()
    world.clock.now += 60 * SECOND
    due = {"due_date": "2026-03-16", "due_time": "08:01", "done": True, "lead_id": lead, "deal_id": None}
    call, more = world.crm.create("activity", {**CALL, **due})
    world.send([*events, *more])
    world.clock.now += HOUR
    await world.deliver()
    await world.catch_up()
    deal, events = world.crm.convert(lead, DEAL)
    begun = world.clock()
    world.clock.now += 2 * SECOND
    if order != "not at all":
        world.send(events if order == "as it happens" else events[::-1])
    world.clock.now += 60 * SECOND
    await world.deliver()
    await world.catch_up()
    await world.rounds.look_up()
    for _ in range(2):
        world.clock.now += 10 * DAY
        await world.rounds.reconcile(begun)

    found = record(world, "lead", lead)
    assert (found.is_deleted, found.get("status"), found.get("received_at")) == (False, "converted", made)
    assert record(world, "call", call).get("lead") == lead
    assert record(world, "deal", deal).get("lead") == lead
    assert world.rounds.not_visible == 0

    world.crm.delete("deal", deal)
    world.clock.now += 10 * DAY
    await world.rounds.reconcile(world.clock() - 10 * DAY)
    assert not record(world, "lead", lead).is_deleted


async def test_a_lead_that_is_deleted_by_hand_is_deleted(world: PipedriveWorld) -> None:
    lead, events = world.crm.create("lead", {"title": "A lead", "owner_id": 12415231, "label_ids": []})
    world.clock.now += HOUR
    world.send([*events, *world.crm.delete("lead", lead)])
    world.clock.now += HOUR
    await world.deliver()

    assert record(world, "lead", lead).is_deleted


async def test_a_lead_that_goes_while_the_list_is_read_hides_no_other(world: PipedriveWorld) -> None:
    """The list goes by places, the newest change first: what is behind the one that goes moves up."""
    leads = make(world, "lead", {"title": "A lead", "owner_id": 12415231, "label_ids": []}, 1100)
    source, since = world.client.source, world.clock() - DAY
    found: list[str] = []
    cursor: str | None = None
    for page in range(3):
        told = await world.client.run(source.changed("leads", since, cursor))
        found += [id for id, _ in told.found]
        cursor = told.cursor
        for id in found[20 * page : 20 * page + 20]:
            world.crm.delete("lead", id)

    assert set(leads) - set(found) == set()


async def test_how_far_a_back_fill_is_goes_by_the_time_it_has_covered(world: PipedriveWorld) -> None:
    since = world.clock()
    for _ in range(4):
        make(world, "activity", CALL, 300)
        world.clock.now += HOUR
    await world.backfill(since)

    told = [(done, of, share) for object, done, of, share in world.progressed if object == "activities"]
    assert [done for done, _, _ in told] == [0, 500, 500, 1000, 1000, 1200]
    assert [of for _, of, _ in told] == [None] * 6
    assert [None if share is None else round(share, 2) for _, _, share in told] == [None, 0.25, 0.25, 0.75, 0.75, 1.0]
