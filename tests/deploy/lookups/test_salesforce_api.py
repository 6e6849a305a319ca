"""Salesforce's API over its fake: sessions, limits, what an organisation lacks, pages, the recycle bin, histories."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.lookups.client import CrmApiError
from schemas.connectors.asking import GONE, NotSeenError
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.records import Record, fold_all
from tests.deploy.lookups.salesforce_world import SalesforceWorld
from tests.fakes.http import Response
from tests.fakes.salesforce import iso, second_of

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SalesforceWorld]:
    async with SalesforceWorld(tmp_path, lost=0.0, repeated=0.0) as found:
        yield found


def record(world: SalesforceWorld, kind: str, id: str) -> Record:
    return fold_all(kind, [change for change in world.changes() if (change.kind, change.id) == (kind, id)])


def deal(world: SalesforceWorld, **more: Any) -> str:
    fields = {"OwnerId": world.reps[0], "CreatedById": world.reps[0], "StageName": "Prospecting", "Amount": 100, **more}
    id, _ = world.crm.create("Opportunity", fields)
    return str(id)


def lead(world: SalesforceWorld, **more: Any) -> str:
    id, _ = world.crm.create(
        "Lead", {"OwnerId": world.reps[0], "Status": "Open - Not Contacted", "IsConverted": False, **more}
    )
    return str(id)


async def changed(world: SalesforceWorld, object: str) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await world.client.run(world.client.source.changed(object, world.clock() - DAY, cursor))
        found += [id for id, _ in page.found]
        cursor = page.cursor
        if cursor is None:
            return found


async def test_a_session_that_is_over_is_renewed_once(world: SalesforceWorld) -> None:
    await world.client.run(world.client.source.words())
    world.crm.sessions.clear()
    await world.client.run(world.client.source.words())
    assert len(world.crm.sessions) == 1

    world.crm.faults += [Response(401, [{"errorCode": "INVALID_SESSION_ID"}])] * 1
    await world.client.run(world.client.source.words())


async def test_an_answer_without_a_token_is_one_of_credentials(world: SalesforceWorld) -> None:
    world.crm.faults.append(Response(200, {"error": "invalid_client"}))

    with pytest.raises(CrmApiError, match=r"^/services/oauth2/token: gives no token$") as caught:
        await world.client.run(world.client.source.words())

    assert caught.value.reason == "credentials"


async def test_a_token_is_enough_for_look_ups(world: SalesforceWorld) -> None:
    world.crm.faults.append(Response(200, {"access_token": "t"}))
    world.crm.sessions["t"] = world.clock()

    await world.client.run(world.client.source.words())


async def test_a_spent_limit_is_no_lack_of_rights(world: SalesforceWorld) -> None:
    await world.client.run(world.client.source.words())
    world.crm.faults.append(Response(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests"}]))
    with pytest.raises(CrmApiError) as caught:
        await world.client.run(world.client.source.words())
    assert (caught.value.reason, caught.value.wait) == ("limit", 900.0)

    world.crm.faults.append(Response(403, [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]))
    with pytest.raises(CrmApiError) as refused:
        await world.client.run(world.client.source.words())
    assert refused.value.reason == "forbidden"


async def test_the_last_requests_of_a_day_are_left_to_others(world: SalesforceWorld) -> None:
    world.crm.daily, world.crm.used = 1000, 988
    await world.client.run(world.client.source.words(), may_wait=False)
    await world.client.run(world.client.source.words(), may_wait=False)
    with pytest.raises(CrmApiError) as caught:
        await world.client.run(world.client.source.words(), may_wait=False)

    assert caught.value.reason == "limit"
    assert world.crm.over_limit == 0
    assert world.crm.used < 1000


async def test_what_an_organisation_does_not_have_is_left_out(world: SalesforceWorld) -> None:
    assert await changed(world, "VoiceCall") == []
    found = await world.client.run(world.client.source.read("VoiceCall", ["0LQ5g0000000001EAA"]))
    assert found.missing == ["0LQ5g0000000001EAA"]
    (found_deal,) = (await world.client.run(world.client.source.read("Opportunity", [deal(world)]))).records
    assert "CurrencyIsoCode" not in found_deal


async def test_objects_that_the_user_does_not_see_are_said_to_be_lacking_until_it_does(world: SalesforceWorld) -> None:
    id = deal(world)
    world.crm.unseen = {"Opportunity"}
    world.clock.now += HOUR

    for _ in range(2):
        with pytest.raises(NotSeenError, match="Opportunity: the user that api runs as does not see such objects"):
            await changed(world, "Opportunity")
    await world.rounds.reconcile(None)
    assert list(world.rounds.lacking) == ["Opportunity"]

    world.crm.unseen.clear()
    world.clock.now += DAY
    await world.rounds.reconcile(world.clock())
    assert world.rounds.lacking == {}
    assert world.known.record("hub", "deal", id) is not None


async def test_a_field_that_is_refused_is_left_out_from_then_on(world: SalesforceWorld) -> None:
    world.crm.hidden = {"Type", "AccountId"}
    id = deal(world)
    for _ in range(2):
        (found,) = (await world.client.run(world.client.source.read("Opportunity", [id]))).records
        assert found["StageName"] == "Prospecting"
        assert "Type" not in found

    assert [path for method, path in world.crm.requests if method == "POST" and "composite" in path] == [
        "/services/data/v68.0/composite/sobjects/Opportunity"
    ] * 4


async def test_all_that_changed_is_found_however_short_the_pages_are(world: SalesforceWorld) -> None:
    ids = [deal(world) for _ in range(950)]
    world.crm.page = 300

    assert await changed(world, "Opportunity") == ids


async def test_what_stages_are_called_is_learned(world: SalesforceWorld) -> None:
    world.crm.labels = {"Prospecting": "Erstkontakt"}
    learned = await world.client.run(world.client.source.words())

    assert learned.labels[""]["Prospecting"] == "Erstkontakt"
    assert [learned.words["Opportunity"][word] for word in ("Prospecting", "Erstkontakt", "Signed")] == [
        "open", "open", "won",
    ]  # fmt: skip


async def test_how_many_there_are_is_told_before_they_are_read(world: SalesforceWorld) -> None:
    for _ in range(5):
        deal(world)
    world.clock.now += MINUTE
    await world.backfill()

    assert [told for told in world.progressed if told[0] == "Opportunity"] == [
        ("Opportunity", 0, 5, None), ("Opportunity", 5, 5, 1.0),
    ]  # fmt: skip


async def test_ids_are_answered_in_part_deleted_ones_by_the_recycle_bin(world: SalesforceWorld) -> None:
    there, gone = deal(world), deal(world)
    world.crm.delete("Opportunity", gone)
    found = await world.client.run(world.client.source.read("Opportunity", [there, gone, "0065g0000009999AAA"]))

    assert [each["id"] for each in found.records] == [there, gone]
    assert GONE in found.records[1]
    assert found.missing == ["0065g0000009999AAA"]


async def test_what_is_out_of_the_recycle_bin_is_told_by_getdeleted(world: SalesforceWorld) -> None:
    ids = [deal(world) for _ in range(3)]
    await world.backfill()
    await world.catch_up()
    begun = await world.rounds.reconcile(None)
    world.crm.delete("Opportunity", ids[0])
    world.crm.rows["Opportunity"][ids[0]].is_emptied = True
    world.clock.now += 10 * MINUTE
    await world.rounds.reconcile(begun)

    assert record(world, "deal", ids[0]).is_deleted
    assert not record(world, "deal", ids[1]).is_deleted


async def test_rows_of_one_second_have_the_order_of_the_page(world: SalesforceWorld) -> None:
    id = deal(world)
    world.clock.now += HOUR
    for stage in ("Verbal yes", "Signed", "Gone", "Signed"):
        world.crm.set("Opportunity", id, {"StageName": stage})
    world.clock.now += HOUR
    await world.backfill()
    await world.backfill()

    found = record(world, "deal", id)
    assert (found.get("stage"), found.get("status")) == ("Signed", "won")
    assert found.get("closed_at") == world.clock() // SECOND * SECOND - HOUR


async def test_a_history_that_is_not_tracked_leaves_the_last_modification(world: SalesforceWorld) -> None:
    world.crm.has_field_history = False
    id = lead(world)
    made = world.clock()
    world.clock.now += HOUR
    world.crm.set("Lead", id, {"Status": "Qualified", "OwnerId": world.reps[1]})
    world.crm.rows["Lead"][id].history.clear()
    await world.backfill()

    found = record(world, "lead", id)
    assert (found.get("status"), found.get("rep")) == ("qualified", world.reps[1])
    assert {at for at, _, value in found.history("status") if value is not None} == {made + HOUR}
    assert found.get("assigned_at") == made


async def test_an_overflow_has_all_looked_up_that_changed_since(world: SalesforceWorld) -> None:
    id = deal(world)
    await world.backfill()
    world.clock.now += HOUR
    world.crm.set("Opportunity", id, {"Amount": 700})
    overflow = world.crm._event("Opportunity", ["000000000000000AAA"], "GAP_OVERFLOW", {})
    world.send([overflow])
    world.clock.now += MINUTE
    await world.deliver()
    await world.catch_up()
    await world.rounds.look_up()

    assert record(world, "deal", id).get("amount") == "700"
    assert world.known.pending_count("hub") == 0


async def test_a_meeting_is_held_once_it_is_over_and_no_webhook_was_missed(world: SalesforceWorld) -> None:
    starts = world.crm.now() + 600
    fields = {
        "OwnerId": world.reps[0], "CreatedById": world.reps[0], "StartDateTime": iso(starts), "IsChild": False,
        "EndDateTime": iso(starts + 1800),
    }  # fmt: skip
    id, events = world.crm.create("Event", fields)
    world.send(events)
    world.clock.now += MINUTE
    await world.deliver()
    begun = await world.rounds.reconcile(None)
    assert record(world, "meeting", id).get("outcome") == "scheduled"

    world.clock.now += HOUR
    await world.rounds.reconcile(begun)
    assert record(world, "meeting", id).get("outcome") == "held"
    assert world.known.ever_missed("hub") == {}


async def test_a_meeting_of_a_whole_day_is_held_once_the_day_is_over(world: SalesforceWorld) -> None:
    day = second_of("2026-03-17T00:00:00Z")
    whole = {"OwnerId": world.reps[0], "CreatedById": world.reps[0], "IsChild": False, "IsAllDayEvent": True}
    id, _ = world.crm.create("Event", {**whole, "StartDateTime": iso(day), "EndDateTime": iso(day)})
    over, begun = (day + 86_400) * SECOND, await world.rounds.reconcile(None)
    outcomes = []
    for at in (over - 20 * HOUR, over - 2 * HOUR, over + 10 * MINUTE):
        world.clock.now = at
        begun = await world.rounds.reconcile(begun)
        outcomes.append(record(world, "meeting", id).get("outcome"))

    assert outcomes == ["scheduled", "scheduled", "held"]
    assert record(world, "meeting", id).get("ends_at") == over
    assert world.known.ever_missed("hub") == {"meeting": 1}  # that it was made


async def test_a_merged_lead_is_known_by_its_master_whatever_its_event_said(world: SalesforceWorld) -> None:
    one, other = lead(world), lead(world)
    await world.backfill()
    world.clock.now += HOUR
    world.send(world.crm.merge(one, other))
    world.clock.now += MINUTE
    await world.deliver()
    await world.catch_up()
    await world.rounds.look_up()

    found = record(world, "lead", other)
    assert (found.get("merged_into"), found.is_deleted) == (one, False)


async def test_a_deletion_that_two_lists_tell_is_missed_once(world: SalesforceWorld) -> None:
    id, events = world.crm.create("Opportunity", {"OwnerId": world.reps[0], "CreatedById": world.reps[0],
                                                  "StageName": "Prospecting", "Amount": 100})  # fmt: skip
    world.send(events)
    last = await world.rounds.reconcile(None)
    world.clock.now += MINUTE
    await world.deliver()
    world.crm.delete("Opportunity", id)
    world.clock.now += 15 * MINUTE
    await world.rounds.reconcile(last)

    assert record(world, "deal", id).is_deleted
    assert world.known.ever_missed("hub") == {"deal": 1}


async def test_of_a_meeting_that_ended_after_its_webhook_nothing_was_missed(world: SalesforceWorld) -> None:
    last = await world.rounds.reconcile(None)
    ends = world.crm.now() + 120
    fields = {"OwnerId": world.reps[0], "CreatedById": world.reps[0], "StartDateTime": iso(ends - 60),
              "EndDateTime": iso(ends), "IsChild": False}  # fmt: skip
    id, events = world.crm.create("Event", fields)
    world.send(events)
    world.clock.now += 15 * MINUTE
    await world.deliver()
    await world.rounds.reconcile(last)

    assert record(world, "meeting", id).get("outcome") == "held"
    assert world.known.ever_missed("hub") == {}


@pytest.mark.parametrize("is_told", [True, False])
async def test_of_a_meeting_touched_after_its_end_only_the_touch_is_missed(
    is_told: bool, world: SalesforceWorld
) -> None:
    """That it is over by then, no webhook says: the clock does."""
    ends = world.crm.now() + 120
    fields = {"OwnerId": world.reps[0], "CreatedById": world.reps[0], "StartDateTime": iso(ends - 60),
              "EndDateTime": iso(ends), "IsChild": False}  # fmt: skip
    id, events = world.crm.create("Event", fields)
    world.send(events)
    world.clock.now += MINUTE
    await world.deliver()
    last = await world.rounds.reconcile(None)
    world.clock.now += 5 * MINUTE
    touch = world.crm.set("Event", id, {"OwnerId": world.reps[1]})
    if is_told:
        world.send(touch)
    world.clock.now += 10 * MINUTE
    await world.deliver()
    await world.rounds.reconcile(last)

    found = record(world, "meeting", id)
    assert (found.get("rep"), found.get("outcome")) == (world.reps[1], "held")
    assert world.known.ever_missed("hub") == ({} if is_told else {"meeting": 1})


async def test_what_else_changed_in_a_meeting_that_is_just_over_is_left_to_its_webhook(world: SalesforceWorld) -> None:
    last = await world.rounds.reconcile(None)
    ends = world.crm.now() + 900
    fields = {"OwnerId": world.reps[0], "CreatedById": world.reps[0], "StartDateTime": iso(ends - 60),
              "EndDateTime": iso(ends), "IsChild": False}  # fmt: skip
    id, events = world.crm.create("Event", fields)
    world.send(events)
    world.clock.now += 5 * MINUTE
    await world.deliver()
    last = await world.rounds.reconcile(last)
    world.clock.now = ends * SECOND + 20 * SECOND
    world.crm.set("Event", id, {"OwnerId": world.reps[1]})  # no webhook tells of it
    world.clock.now += 10 * SECOND
    last = await world.rounds.reconcile(last)
    assert record(world, "meeting", id).get("rep") == world.reps[0]

    world.clock.now += 15 * MINUTE
    await world.rounds.reconcile(last)

    found = record(world, "meeting", id)
    assert (found.get("rep"), found.get("outcome")) == (world.reps[1], "held")
    assert world.known.ever_missed("hub") == {"meeting": 1}
