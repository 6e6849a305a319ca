"""Zoho's API over its fake: tokens, what an account lacks, lists beyond a page."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.lookups.backfill import BackfillMark, begin
from deploy.lookups.client import CrmApiError
from schemas.connectors.asking import GONE, HISTORY
from schemas.instants import DAY, HOUR, MINUTE, SECOND, parse_instant
from tests.deploy.lookups.zoho_world import REPS, ZohoWorld
from tests.fakes.http import Response
from tests.fakes.zoho import iso

pytestmark = pytest.mark.asyncio
OWNER = {"id": "5725767000000411001"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ZohoWorld]:
    async with ZohoWorld(tmp_path, lost=0.0, repeated=0.0) as found:
        yield found


def deals(world: ZohoWorld, count: int) -> list[str]:
    return [world.crm.create("Deals", {"Stage": "Qualification", "Owner": OWNER})[0] for _ in range(count)]


async def changed(world: ZohoWorld, object: str) -> list[list[str]]:
    """Ids, page by page."""
    pages: list[list[str]] = []
    cursor: str | None = None
    while True:
        page = await world.client.run(world.client.source.changed(object, world.clock() - DAY, cursor))
        pages.append([id for id, _ in page.found])
        cursor = page.cursor
        if cursor is None:
            return pages


async def test_a_token_is_used_until_it_is_refused(world: ZohoWorld) -> None:
    for _ in range(3):
        await world.client.run(world.client.source.words())
    assert len(world.crm.tokens) == 1

    world.clock.now += 2 * HOUR
    await world.client.run(world.client.source.words())
    assert len(world.crm.tokens) == 2


async def test_a_refusal_with_200_is_one_of_the_credentials(world: ZohoWorld) -> None:
    world.crm.faults.append(Response(200, {"error": "invalid_code"}))
    with pytest.raises(CrmApiError) as caught:
        await world.client.run(world.client.source.words())

    assert caught.value.reason == "credentials"


async def test_no_more_tokens_are_made_than_zoho_gives(world: ZohoWorld) -> None:
    begun = world.clock()
    for _ in range(25):
        world.crm.tokens.clear()
        await world.client.run(world.client.source.words())

    assert world.crm.over_limit == 0
    assert world.clock() - begun >= 20 * MINUTE


async def test_what_is_not_there_is_missing_and_an_empty_answer_has_no_rows(world: ZohoWorld) -> None:
    (id,) = deals(world, 1)
    source = world.client.source
    found = await world.client.run(source.read("Deals", [id, "42"]))
    assert ([record["id"] for record in found.records], found.missing) == ([id], ["42"])

    assert (await world.client.run(source.read("Calls", ["42"]))).missing == ["42"]
    assert await changed(world, "Calls") == [[]]


async def test_an_account_without_the_history_of_stages_has_the_record_alone(world: ZohoWorld) -> None:
    (id,) = deals(world, 1)
    world.crm.has_history = False
    (record,) = (await world.client.run(world.client.source.read("Deals", [id]))).records
    assert HISTORY not in record

    world.crm.has_history = True
    (record,) = (await world.client.run(world.client.source.read("Deals", [id]))).records
    assert len(record[HISTORY]) == 1


async def test_all_that_changed_is_found_however_many_pages_there_are(world: ZohoWorld) -> None:
    ids = deals(world, 4500)

    pages = await changed(world, "Deals")

    assert [len(page) for page in pages] == [2000, 2000, 500]
    assert [id for page in pages for id in page] == ids


async def test_how_many_there_are_is_told_before_they_are_read(world: ZohoWorld) -> None:
    deals(world, 5)
    world.clock.now += MINUTE
    await world.backfill()

    assert [told for told in world.progressed if told[0] == "Deals"] == [("Deals", 0, 5, None), ("Deals", 5, 5, 1.0)]


async def test_converted_leads_are_asked_for_too(world: ZohoWorld) -> None:
    ids = [
        world.crm.create("Leads", {"Lead_Status": "Not Contacted", "Owner": OWNER, "Converted__s": place % 2 == 0})[0]
        for place in range(450)
    ]

    found = [id for page in await changed(world, "Leads") for id in page]

    assert sorted(found) == ids


async def test_a_back_fill_that_goes_on_where_no_page_is_any_more_begins_that_object_again(world: ZohoWorld) -> None:
    lead, _ = world.crm.create("Leads", {"Lead_Status": "Not Contacted", "Owner": OWNER})
    objects = list(world.client.source.objects)
    mark = BackfillMark(since=0, objects=objects, done=[name for name in objects if name != "Leads"], object="Leads")
    mark.cursor, mark.records = "convertedof-yesterday", 200

    found = await world.backfill(mark=mark)

    assert found.refused == {}
    assert [change.id for change in world.changes() if change.kind == "lead"] == [lead]
    assert next(told for told in world.progressed if told[0] == "Leads") == ("Leads", 0, 1, None)


async def test_deletions_are_told_page_by_page(world: ZohoWorld) -> None:
    ids = deals(world, 250)
    for id in ids[:210]:
        world.crm.delete("Deals", id)
    source = world.client.source

    first = await world.client.run(source.gone("Deals", 0, world.clock(), None))
    second = await world.client.run(source.gone("Deals", 0, world.clock(), first.cursor))

    assert [record["id"] for record in [*first.records, *second.records]] == ids[:210]
    assert {record[GONE] for record in first.records} == {world.clock()}
    assert second.cursor is None


async def test_mails_are_asked_for_record_by_record_and_only_if_they_are_named(world: ZohoWorld) -> None:
    leads = [world.crm.create("Leads", {"Lead_Status": "Not Contacted", "Owner": OWNER})[0] for _ in range(45)]
    for lead in leads[::2]:
        world.crm.mails[lead] = [
            {
                "message_id": f"m-{lead}-{place}", "sent": place % 2 == 0, "owner": OWNER,
                "time": iso(world.crm.now() - 60 * place),
            }
            for place in range(23)
        ]  # fmt: skip
    since = world.clock() - DAY
    assert "Emails" not in begin(world.config, "hub", since, [], None).objects
    mark = begin(world.config, "hub", since, ["email"], None)
    assert list(mark.objects) == ["Emails"]

    await world.backfill(mark=mark)
    await world.rounds.reconcile(None)

    mails = [change for change in world.changes() if change.kind == "email"]
    assert len({mail.id for mail in mails}) == 23 * 23
    assert {mail.fields["lead"] for mail in mails} == set(leads[::2])
    assert {mail.fields["direction"] for mail in mails} == {"outbound", "inbound"}
    asked = [path for _, path in world.crm.requests if path.endswith("/Emails")]
    assert len(asked) == 23 * 3 + 22


async def test_a_stage_keeps_its_word_when_it_is_shown_under_another_one(world: ZohoWorld) -> None:
    world.crm.shown = {"Qualification": "First talk", "Verbal yes": "Signed", "Signed": "Paid"}

    learned = await world.client.run(world.client.source.words())

    assert learned.labels[""]["Qualification"] == "First talk"
    assert learned.labels[""]["Gone elsewhere"] == "Gone elsewhere"
    deals = learned.words["Deals"]
    assert [deals[name] for name in ("Signed", "Paid", "First talk", "Gone elsewhere")] == [
        "won",
        "won",
        "open",
        "lost",
    ]


@pytest.mark.parametrize("has_history", [True, False])
async def test_a_deal_whose_close_was_told_by_values_alone_is_not_missed(world: ZohoWorld, has_history: bool) -> None:
    world.crm.has_history = has_history
    id, events = world.crm.create("Deals", {"Stage": "Qualification", "Owner": OWNER, "Closing_Date": "2026-03-20"})
    world.send(events)
    await told(world)
    begun = await world.rounds.reconcile(None)
    world.clock.now += 20 * MINUTE
    (event,) = world.crm.set("Deals", id, {"Stage": "Closed Won"})
    world.send([event | {"affected_values": [{"record_id": id, "values": {"Stage": "Closed Won"}}]}])
    closed_at = world.crm.now() * SECOND if has_history else parse_instant("2026-03-20T00:00:00Z")
    await told(world)
    world.clock.now += 10 * MINUTE
    await world.rounds.reconcile(begun)

    found = world.known.record("hub", "deal", id)
    assert found is not None
    assert (found.get("status"), found.get("closed_at")) == ("won", closed_at)
    assert world.known.ever_missed("hub") == {}


async def told(world: ZohoWorld) -> None:
    world.clock.now += MINUTE
    await world.deliver()
    await world.catch_up()
    await world.rounds.look_up()


async def test_a_queue_of_refusals_is_waited_for(world: ZohoWorld) -> None:
    await world.client.run(world.client.source.words())
    world.crm.faults += [Response(429, {"code": "TOO_MANY_REQUESTS", "status": "error"}), Response(503), None]

    assert await world.client.run(world.client.source.words())


async def test_records_that_no_list_names_any_more_are_found_by_their_ids(world: ZohoWorld) -> None:
    ids = deals(world, 12)
    await world.backfill()
    await world.catch_up()
    await world.rounds.reconcile(None)
    world.crm.rows["Deals"][ids[3]].is_erased = True
    world.clock.now += 7 * DAY
    await world.rounds.reconcile(world.clock())

    gone = {change.id for change in world.changes() if change.fields.get("deleted")}
    assert gone == {ids[3]}
    assert world.rounds.not_visible == 0


async def test_what_was_deleted_before_it_was_asked_for_is_no_lack_of_rights(world: ZohoWorld) -> None:
    id, made = world.crm.create("Deals", {"Owner": {"id": REPS[0]}, "Stage": "Qualification"})
    world.send(made)
    world.clock.now += SECOND
    gone = world.crm.delete("Deals", id)
    world.clock.now += MINUTE
    await world.deliver()
    await world.catch_up()
    await world.rounds.look_up()
    assert world.rounds.not_visible == 1

    world.send(gone)
    world.clock.now += MINUTE
    await world.deliver()
    await world.catch_up()
    assert world.rounds.not_visible == 0
