"""Look-ups and reconciliation over the fake HubSpot, case by case."""

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.lookups.backfill import Backfill, BackfillMark, ended, running
from deploy.lookups.client import ATTEMPTS, CrmApiError
from processor.core.missed import MissedBook
from schemas.alerts import Alert
from schemas.config import Config
from schemas.connection_states import ConnectionState
from schemas.deliveries import Delivery, decode_delivery
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.records import Record, fold_all
from tests.builders import make_config
from tests.deploy.lookups.world import CONNECTED, PIPELINES, START, World, settings_of
from tests.fakes.http import Request, Response
from tests.fakes.hubspot import iso
from tests.pipeline import Pipeline, served

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path, lost=0.0, repeated=0.0) as found:
        yield found


def record(world: World, kind: str, id: str) -> Record:
    return fold_all(kind, [change for change in world.changes() if (change.kind, change.id) == (kind, id)])


async def look_up(world: World) -> None:
    world.clock.now += MINUTE
    await world.deliver()
    await world.catch_up()
    await world.rounds.look_up()


async def reconcile(world: World, last: int | None = START) -> dict[str, int]:
    """What it counted as missed. Long enough after all that happened."""
    before = world.known.ever_missed("hub")
    world.clock.now += 5 * MINUTE
    await world.deliver()
    await world.rounds.reconcile(last)
    after = world.known.ever_missed("hub")
    return {kind: count - before.get(kind, 0) for kind, count in after.items() if count != before.get(kind, 0)}


def deal(world: World) -> str:
    id, events = world.crm.create("deals", {"dealstage": "7001", "amount": "100", "hubspot_owner_id": "901"})
    world.send(events)
    return str(id)


async def test_ids_are_asked_for_once_however_many_webhooks_name_them(world: World) -> None:
    ids = [deal(world) for _ in range(60)]
    for id in ids:
        for _ in range(3):
            world.clock.now += SECOND
            world.send(world.crm.set("deals", id, {"dealstage": world.random.choice(["7001", "7002", "7003"])}))
    world.clock.now += MINUTE
    world.crm.requests.clear()

    await look_up(world)
    await look_up(world)

    assert world.crm.requests.count(("POST", "/crm/objects/2026-03/deals/batch/read")) == 2
    assert world.known.pending_count("hub") == 0


async def test_a_look_up_says_nothing_that_its_webhooks_have_not_said(world: World) -> None:
    id = deal(world)
    world.clock.now += MINUTE
    world.send(world.crm.set("deals", id, {"amount": "250", "dealstage": "contractsent"}))
    world.clock.now += MINUTE
    await world.deliver()
    live = record(world, "deal", id)

    await look_up(world)
    looked_up = record(world, "deal", id)

    assert looked_up.entries("stage") == live.entries("stage")
    assert {(at, value) for at, _, value in looked_up.history("amount")} == {
        (at, value) for at, _, value in live.history("amount")
    }
    assert looked_up.get("status") == "open"


async def test_a_stage_of_its_own_is_won_as_the_pipeline_says(world: World) -> None:
    await reconcile(world)  # learns the pipelines
    id = deal(world)
    world.clock.now += MINUTE
    world.send(world.crm.set("deals", id, {"dealstage": "7002"}))
    await look_up(world)

    assert record(world, "deal", id).get("status") == "won"


async def test_what_stages_are_called_is_learned(world: World) -> None:
    world.crm.labels = {"7001": "Verbal yes"}
    await reconcile(world)

    assert world.rounds.learned is not None
    labels = world.rounds.learned.labels["default"]
    assert [labels[stage] for stage in ("", "7001", "7002")] == ["Sales pipeline", "Verbal yes", "Stage 7002"]
    assert world.rounds.statuses["7002"] == "won"


@pytest.mark.parametrize(("label", "outcome"), [("Left voicemail", "voicemail"), ("Maybe", None)])
async def test_an_outcome_of_the_accounts_own_is_known_by_what_it_is_called(
    world: World, label: str, outcome: str | None
) -> None:
    world.crm.dispositions["2f1c0b9e-0000-4000-8000-000000000001"] = label
    call, events = world.crm.create("calls", {"hs_timestamp": iso(world.crm.now())})
    world.send(events)
    await look_up(world)
    world.send(world.crm.set("calls", call, {"hs_call_disposition": "2f1c0b9e-0000-4000-8000-000000000001"}))
    await look_up(world)

    assert record(world, "call", call).get("outcome") == outcome
    assert await reconcile(world) == {}
    world.send(world.crm.set("calls", call, {"hs_call_disposition": CONNECTED}))
    await look_up(world)
    assert record(world, "call", call).get("outcome") == "connected"


async def test_whoever_booked_a_meeting_is_the_owner_that_the_user_is(world: World) -> None:
    await reconcile(world)
    ids = []
    for user in ("9020", "4711"):
        properties = {
            "hs_meeting_start_time": iso(world.crm.now()),
            "hubspot_owner_id": "901",
            "hs_created_by_user_id": user,
        }
        id, events = world.crm.create("meetings", properties)
        world.send(events)
        ids.append(id)
    await look_up(world)

    assert [record(world, "meeting", id).get("booked_by") for id in ids] == ["902", None]
    assert await reconcile(world) == {}


class WithUsers(World):
    """Reps are known by ids of HubSpot's users, one by that of the owner too, as records name them."""

    def config_of(self, url: str) -> Config:
        known = {"ana": ["9010"], "ben": ["9020", "902"], "eve": ["9040"]}
        reps: dict[str, Any] = {rep: {"aliases": {"hub": ids}} for rep, ids in known.items()}
        return make_config(connections={"hub": settings_of(url)}, pipelines=PIPELINES, reps=reps)


@pytest.mark.parametrize("is_told", [True, False], ids=["by webhooks", "by a back-fill"])
async def test_whoever_aliases_know_as_a_user_is_the_owner_that_records_name(tmp_path: Path, is_told: bool) -> None:
    async with WithUsers(tmp_path, lost=0.0 if is_told else 1.0, repeated=0.0) as world:
        deals = [deal(world) for _ in range(2)]
        meeting, events = world.crm.create(
            "meetings",
            {
                "hs_meeting_start_time": iso(world.crm.now()), "hubspot_owner_id": "904",
                "hs_created_by_user_id": "9010",
            },
        )  # fmt: skip
        world.send(events)
        await look_up(world)
        for owner in ("903", "902", "904"):
            world.clock.now += MINUTE
            world.send(world.crm.set("deals", deals[0], {"hubspot_owner_id": owner}))
        if is_told:
            await look_up(world)
            assert await reconcile(world) == {}
        else:
            await world.backfill()

        found = record(world, "deal", deals[0])
        assert [value for _, _, value in found.history("rep")] in ([], ["9010", "903", "902", "9040"])
        assert [record(world, "deal", id).get("rep") for id in deals] == ["9040", "9010"]
        assert [record(world, "meeting", meeting).get(name) for name in ("rep", "booked_by")] == ["9040", "9010"]
        assert {change.id for change in world.changes() if change.kind == "rep"} == {"9010", "902", "903", "9040"}
        assert record(world, "rep", "9010").get("name") == "Rep 901"
        pipeline = Pipeline(world.config)
        pipeline.take(world.changes())
        shown = served(pipeline.view(), now=world.clock(), window="today")["reps"]
        booked = {rep: row["metrics"]["meetings_booked"] for rep, row in shown.items()}
        assert {rep: count for rep, count in booked.items() if count} == {"ana": 1}


async def test_a_lost_webhook_is_missed_once(world: World) -> None:
    id = deal(world)
    await look_up(world)
    assert await reconcile(world) == {}

    world.crm.set("deals", id, {"amount": "500"})
    assert await reconcile(world) == {"deal": 1}
    assert record(world, "deal", id).get("amount") == "500"
    assert await reconcile(world) == {}


async def test_what_was_there_before_the_connection_is_not_missed(world: World) -> None:
    world.lost = 1.0
    deal(world)

    assert await reconcile(world, None) == {}
    assert world.known.has_records("hub")

    deal(world)
    assert await reconcile(world) == {"deal": 1}


async def test_a_webhook_that_is_under_way_is_not_missed(world: World) -> None:
    id = deal(world)
    await look_up(world)
    world.clock.now += 5 * MINUTE
    events = world.crm.set("deals", id, {"amount": "500"})
    world.clock.now += 40 * SECOND
    await world.rounds.reconcile(None)
    world.send(events)

    assert await reconcile(world) == {}
    assert record(world, "deal", id).get("amount") == "500"


async def test_a_late_association_is_found_though_no_date_tells_of_it(world: World) -> None:
    contact, events = world.crm.create("contacts", {"lifecyclestage": "lead"})
    call, more = world.crm.create("calls", {"hs_timestamp": iso(world.crm.now()), "hs_call_disposition": CONNECTED})
    world.send(events + more)
    await look_up(world)
    await reconcile(world)
    world.crm.associate("calls", call, "contacts", contact)

    await reconcile(world)  # first seen: its webhook may be under way
    assert await reconcile(world) == {"call": 1}
    assert record(world, "call", call).get("lead") == contact


async def test_deletions_are_found_and_taken_back(world: World) -> None:
    id = deal(world)
    await look_up(world)
    world.crm.archive("deals", id)
    assert await reconcile(world) == {"deal": 1}
    assert record(world, "deal", id).is_deleted

    world.crm.restore("deals", id)
    await reconcile(world)
    await reconcile(world)
    assert not record(world, "deal", id).is_deleted


async def test_merges_that_no_webhook_told_are_found(world: World) -> None:
    one, events = world.crm.create("contacts", {"lifecyclestage": "lead"})
    other, more = world.crm.create("contacts", {"lifecyclestage": "lead"})
    world.send(events + more)
    await look_up(world)
    world.crm.merge("contacts", one, other)

    assert await reconcile(world) == {"lead": 1}
    assert record(world, "lead", other).get("merged_into") == one


async def test_hard_deletions_are_found_by_comparing_ids(world: World) -> None:
    ids = [deal(world) for _ in range(12)]
    await look_up(world)
    await reconcile(world)
    for id in ids[:2]:
        world.crm.erase("deals", id)
    world.clock.now += 7 * DAY

    assert await reconcile(world, world.clock()) == {"deal": 2}
    assert record(world, "deal", ids[0]).is_deleted
    assert not record(world, "deal", ids[2]).is_deleted


class WithAnother(World):
    """Beside it a connection without an API speaks of the same records."""

    def config_of(self, url: str) -> Config:
        feed = {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
        return make_config(connections={"hub": settings_of(url), "feed": feed})


async def test_what_another_connection_has_spoken_of_is_not_deleted_by_its_absence(tmp_path: Path) -> None:
    async with WithAnother(tmp_path, lost=0.0, repeated=0.0) as world:
        ids = [deal(world) for _ in range(12)]
        fields = {"product": "gold"}
        said = {"record": "deal", "id": ids[0], "changed_at": "2026-03-16T08:00:00Z", "fields": fields}
        body = json.dumps(said).encode()
        await world.log.append([Delivery("feed", world.clock(), {"content-type": "application/json"}, body)])
        await look_up(world)
        await reconcile(world)
        assert record(world, "deal", ids[0]).get("product") == "gold"
        for id in ids[:2]:
            world.crm.erase("deals", id)
        world.clock.now += 7 * DAY

        assert await reconcile(world, world.clock()) == {"deal": 1}
        assert [record(world, "deal", id).is_deleted for id in ids[:2]] == [False, True]


async def test_a_token_that_lost_a_right_empties_nothing(world: World) -> None:
    ids = [deal(world) for _ in range(30)]
    await look_up(world)
    await reconcile(world)
    for id in ids:
        world.crm.erase("deals", id)
    world.clock.now += 7 * DAY
    await reconcile(world, world.clock())

    assert not any(record(world, "deal", id).is_deleted for id in ids)
    assert world.rounds.not_visible == 30


async def test_what_is_not_there_is_counted_and_deletes_nothing(world: World) -> None:
    id = deal(world)
    del world.crm.things["deals"][id]
    await look_up(world)

    assert not record(world, "deal", id).is_deleted
    assert world.rounds.not_visible == 1
    assert world.known.pending_count("hub") == 0


async def test_what_cannot_be_asked_waits_and_after_a_day_is_a_dead_letter(world: World) -> None:
    deal(world)
    world.crm.tokens = set()
    with pytest.raises(CrmApiError):
        await look_up(world)
    assert world.known.pending_count("hub") == 1

    world.clock.now += DAY
    (letter,) = await world.rounds.look_up()

    assert (letter.reason, letter.partition, letter.offset) == ("not_looked_up", 0, 0)
    assert world.known.pending_count("hub") == 0


async def test_a_dead_letter_that_is_put_through_again_is_looked_up(world: World) -> None:
    id = deal(world)
    world.crm.tokens, tokens = set(), world.crm.tokens
    with pytest.raises(CrmApiError):
        await look_up(world)
    world.clock.now += DAY
    (letter,) = await world.rounds.look_up()
    world.crm.tokens = tokens

    await world.log.append([decode_delivery(world.log.deliveries[letter.offset].value)])
    await look_up(world)

    assert world.known.pending_count("hub") == 0
    assert record(world, "deal", id).get("amount") == "100"
    sources = [decode_delivery(stored.value).headers.get("floorcast-source") for stored in world.log.deliveries]
    assert sources == [None, None, "lookup"]


async def test_an_object_that_the_token_may_not_read_holds_up_no_other(world: World) -> None:
    id = deal(world)
    contact, events = world.crm.create("contacts", {"lifecyclestage": "lead"})
    world.send(events)
    world.crm.lacks = {"deals"}
    with pytest.raises(CrmApiError, match=r"deals/batch/read: the credentials of api lack the right"):
        await look_up(world)
    assert world.known.pending_count("hub") == 1
    world.clock.now += HOUR
    world.crm.set("contacts", contact, {"lifecyclestage": "customer"})
    world.crm.set("deals", id, {"amount": "500"})

    assert await reconcile(world) == {"lead": 1}
    assert record(world, "lead", contact).get("status") == "customer"
    assert list(world.rounds.lacking) == ["deals"]

    world.crm.lacks.clear()
    world.clock.now += 5 * DAY
    await reconcile(world, world.clock())
    assert record(world, "deal", id).get("amount") == "500"
    assert world.rounds.lacking == {}
    assert world.known.pending_count("hub") == 0


async def test_a_back_fill_says_what_it_lacks_and_asks_for_the_rest(world: World) -> None:
    world.lost = 1.0
    contact, _ = world.crm.create("contacts", {"lifecyclestage": "lead"})
    id = deal(world)
    world.crm.lacks = {"contacts", "owners"}
    world.clock.now += HOUR

    backfill = await world.backfill()
    assert set(backfill.refused) == {"owners", "contacts", "calls", "emails", "meetings"}
    assert backfill.mark.done == ["deals"]
    assert record(world, "deal", id).get("amount") == "100"

    world.crm.lacks.clear()
    backfill = await world.backfill(mark=backfill.mark)
    assert backfill.refused == {}
    assert record(world, "lead", contact).get("status") == "new"


async def test_a_back_fill_counts_what_was_listed_and_not_there(world: World) -> None:
    world.lost = 1.0
    ids = [deal(world) for _ in range(3)]
    world.clock.now += HOUR
    read: Callable[[str, Request], Response] = world.crm._batch

    def without_the_first(object: str, request: Request) -> Response:
        world.crm.things["deals"].pop(ids[0], None)
        return read(object, request)

    world.crm._batch = without_the_first

    assert (await world.backfill()).mark.missing == 1


async def test_an_index_that_lags_loses_nothing(world: World) -> None:
    id = deal(world)
    await look_up(world)
    begun = await world.rounds.reconcile(None)
    world.crm.index_lag = 3000.0
    world.clock.now += MINUTE
    world.crm.set("deals", id, {"amount": "900"})
    world.clock.now += 30 * MINUTE
    begun = await world.rounds.reconcile(begun)
    assert record(world, "deal", id).get("amount") == "100"

    world.crm.index_lag = 0.0
    world.clock.now += 20 * MINUTE
    await world.rounds.reconcile(begun)
    assert record(world, "deal", id).get("amount") == "900"


async def test_answers_are_in_the_log_and_a_replay_asks_nothing(world: World) -> None:
    deal(world)
    await look_up(world)
    asked = len(world.crm.requests)

    sources = [decode_delivery(stored.value).headers.get("floorcast-source") for stored in world.log.deliveries]
    assert sources == [None, "lookup"]
    assert world.changes()
    assert len(world.crm.requests) == asked


async def test_a_round_that_breaks_off_is_made_anew(world: World) -> None:
    id = deal(world)
    await look_up(world)
    world.crm.set("deals", id, {"amount": "500"})
    world.clock.now += 2 * HOUR
    world.crm.faults += [Response(503)] * ATTEMPTS
    with pytest.raises(CrmApiError):
        await world.rounds.reconcile(None)

    assert await reconcile(world, world.clock() - 2 * HOUR) == {"deal": 1}


async def test_a_back_fill_that_was_stopped_goes_on(world: World) -> None:
    for _ in range(450):
        world.crm.create("calls", {"hs_timestamp": iso(world.crm.now())}, at=world.crm.now() - 60_000)
    world.crm.tokens = {"pat-token-1"}
    kept: list[BackfillMark] = []
    stored: list[int] = []

    async def append(deliveries: Sequence[Delivery]) -> None:
        if len(stored) == 7:
            raise CrmApiError(reason="unreachable", problem="killed")
        stored.append(len(deliveries))
        await world.log.append(deliveries)

    mark = BackfillMark(since=world.clock() - DAY, objects=list(world.client.source.objects))
    backfill = Backfill("hub", world.client, mark, append=append, keep=kept.append, clock=world.clock)
    with pytest.raises(CrmApiError):
        await backfill.run()
    assert kept
    done = {change.id for change in world.changes() if change.kind == "call"}
    assert 0 < len(done) < 450

    await world.backfill(mark=kept[-1])
    assert len({change.id for change in world.changes() if change.kind == "call"}) == 450


async def test_a_back_fill_that_has_ended_runs_no_more_and_can_go_on(tmp_path: Path) -> None:
    path = tmp_path / "hub.backfill.json"
    with ended(path):
        path.write_bytes(msgspec.json.encode(BackfillMark(since=START, objects=["deals"], records=50, of=90)))
        told = running(tmp_path, "hub", time.time_ns() // 1000)
        assert told is not None
        assert (told.records, told.of) == (50, 90)

    assert running(tmp_path, "hub", time.time_ns() // 1000) is None
    assert msgspec.json.decode(path.read_bytes(), type=BackfillMark).records == 50


async def test_what_was_missed_long_ago_does_not_wait_for_its_associations(world: World) -> None:
    _, contact = world.crm.create("contacts", {"lifecyclestage": "lead"})
    world.send(contact)
    world.crm.create("calls", {"hs_timestamp": iso(world.crm.now()), "hubspot_owner_id": "901"})
    (call,), (lead,) = world.crm.things["calls"], world.crm.things["contacts"]
    world.crm.associate("calls", call, "contacts", lead)

    assert await reconcile(world) == {"call": 1}
    assert record(world, "call", call).get("lead") == lead


class MatchedWorld(World):
    """A portal whose calls a dialler tells of too."""

    def config_of(self, url: str) -> Config:
        hub = settings_of(url) | {"match": {"calls": {"with": "air", "within": "90s"}}}
        return make_config(
            connections={"hub": hub, "air": {"kind": "aircall", "secrets": ["aircall-token-1"]}}, pipelines=PIPELINES
        )


@pytest.mark.parametrize(("make", "missed"), [(MatchedWorld, {"call": 1}), (World, {})], ids=["compared", "not"])
async def test_a_telephone_number_is_not_kept_on_disk_and_an_edit_of_one_that_is_compared_is_found(
    make: type[World], missed: dict[str, int], tmp_path: Path
) -> None:
    async with make(tmp_path, lost=0.0, repeated=0.0) as world:
        fields = {
            "hubspot_owner_id": "901", "hs_timestamp": iso(world.crm.now()), "hs_call_direction": "OUTBOUND",
            "hs_call_to_number": "+49 30 1110001", "hs_call_disposition": CONNECTED,
        }  # fmt: skip
        id, events = world.crm.create("calls", fields)
        world.send(events)
        await look_up(world)
        world.clock.now += HOUR
        world.crm.set("calls", id, {"hs_call_to_number": "+49 30 2220002"})

        assert await reconcile(world) == missed
        await world.catch_up()
        found = world.known.record("hub", "call", id)
        assert found is not None
        assert (found.get("number") is None) is (make is World)
        world.known.close()
        kept = b"".join(path.read_bytes() for path in world.folder.glob("known*"))
        assert b"1110001" not in kept
        assert b"2220002" not in kept
        await world.begin()


def heard(world: World, book: MissedBook) -> list[Alert]:
    """What is told of what the connection is known to have missed by now."""
    now = world.clock()
    missed, changed = world.known.missed("hub", now - DAY), world.known.changed("hub", now - DAY)
    return book.hear("hub", ConnectionState(at=now, missed_day=missed, changed_day=changed), now)


async def test_a_day_on_which_too_much_was_missed_is_told_and_over_a_day_later(world: World) -> None:
    book = MissedBook()
    for number in range(120):
        events = world.crm.create("calls", {"hs_timestamp": iso(world.crm.now()), "hubspot_owner_id": "901"})[1]
        if number >= 3:
            world.send(events)
    world.clock.now += 20 * HOUR  # nothing could be asked for so long
    await look_up(world)
    assert await reconcile(world) == {"call": 3}

    (raised,) = heard(world, book)
    assert (raised.event, raised.level, raised.crossing and raised.crossing.value) == ("raised", "breach", 3 / 120)

    # What had changed is as old as what was missed, and a configuration that has changed forgets neither.
    world.clock.now += 10 * HOUR
    world.known.forget()
    await reconcile(world, world.clock() - HOUR)
    state = ConnectionState(0, missed_day=world.known.missed("hub", world.clock() - DAY))
    assert (sum(state.missed_day.values()), world.known.changed("hub", world.clock() - DAY)) == (3, 120)
    assert heard(world, book) == []

    world.clock.now += 15 * HOUR
    (resolved,) = heard(world, book)
    assert (resolved.id, resolved.event, resolved.resolved_at) == (raised.id, "resolved", world.clock())
