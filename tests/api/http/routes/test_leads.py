"""Leads that wait, the clock of one lead, freshness, alerts and dead letters."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from schemas.connection_states import ConnectionState, encode_state
from schemas.dead_letters import DeadLetter, encode_dead_letter
from schemas.instants import HOUR, MINUTE, format_instant
from schemas.progress import Progress, encode_progress, progress_key
from schemas.topics import CONNECTION_STATES, DEAD_LETTERS, PROGRESS, VERIFICATIONS
from schemas.verifications import VERIFICATION_KEY, Difference, WindowComparison
from tests.api.reading import Floor
from tests.builders import change, instant, make_config, make_verification


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


def lead(id: str, received_at: str | int, rep: str | None = "r1", **fields: Any) -> Any:
    return change("lead", id, received_at, rep=rep, received_at=received_at, **fields)


def called(lead: str, at: str, rep: str = "r1") -> Any:
    return change("call", f"c-{lead}", at, rep=rep, lead=lead, direction="outbound", dialed_at=at)


async def waiting(floor: Floor, **query: str) -> list[str]:
    return [row["lead"] for row in (await floor.read("/v1/leads/waiting", **query))["rows"]]


async def test_waiting_lead_has_the_contract_shape(floor: Floor) -> None:
    floor.take(lead("l1", "2026-03-18T15:00Z", source="web"))

    answer = await floor.read("/v1/leads/waiting")

    row = answer["rows"][0]
    assert {name: row[name] for name in ("lead", "rep", "team", "source", "started_at", "due_at", "state")} == {
        "lead": "l1", "rep": "r1", "team": "north", "source": "web", "started_at": "2026-03-18T15:00:00.000Z",
        "due_at": "2026-03-18T16:00:00.000Z", "state": "waiting",
    }  # fmt: skip
    assert (row["waiting_seconds"], row["business_seconds"]) == (1820, None)
    assert (answer["as_of"], answer["next"], answer["total"]) == ("2026-03-18T15:30:20.500Z", None, 1)


async def test_longest_waiting_comes_first(floor: Floor) -> None:
    floor.take(
        lead("young", "2026-03-18T15:20Z"), lead("old", "2026-03-01T00:00Z"), lead("b", "2026-03-18T15:10Z"),
        lead("a", "2026-03-18T15:10Z"),
    )  # fmt: skip

    assert await waiting(floor) == ["old", "a", "b", "young"]


async def test_lead_that_is_answered_decided_merged_or_deleted_does_not_wait(floor: Floor) -> None:
    floor.take(
        lead("l1", "2026-03-18T15:00Z"), called("l1", "2026-03-18T15:05Z"),
        lead("l2", "2026-03-18T15:00Z", status="disqualified"),
        lead("l3", "2026-03-18T15:00Z", merged_into="l5"),
        lead("l4", "2026-03-18T15:00Z"), change("lead", "l4", "2026-03-18T15:10Z", deleted=True),
        lead("l5", "2026-03-18T15:02Z"),
    )  # fmt: skip

    assert await waiting(floor) == ["l5"]


async def test_state_turns_at_the_exact_instants(floor: Floor) -> None:
    start = instant("2026-03-18T15:00Z")
    floor.take(lead("l1", start))
    states = {}
    for offset in (0, 45 * MINUTE - 1000, 45 * MINUTE, HOUR - 1000, HOUR):
        floor.now = start + offset
        states[offset] = (await floor.read("/v1/leads/waiting"))["rows"][0]["state"]

    assert list(states.values()) == ["waiting", "waiting", "warned", "warned", "breached"]


async def test_filters_by_team_rep_and_state(floor: Floor) -> None:
    floor.take(
        lead("breached", "2026-03-18T14:00Z"), lead("warned", "2026-03-18T14:40Z", "r2"),
        lead("south", "2026-03-18T15:20Z", "r3"), lead("nobody's", "2026-03-18T15:20Z", None),
    )  # fmt: skip

    assert await waiting(floor, team="north") == ["breached", "warned"]
    assert await waiting(floor, rep="r3") == ["south"]
    assert await waiting(floor, state="waiting") == ["nobody's", "south"]
    assert await waiting(floor, state="warned", team="north") == ["warned"]
    assert await waiting(floor, state="breached", rep="r3") == []
    assert await floor.refused("/v1/leads/waiting", team="nowhere") == (404, "team")
    assert await floor.refused("/v1/leads/waiting", rep="nobody") == (404, "rep")
    assert await floor.refused("/v1/leads/waiting", state="sleeping") == (422, "state")


async def test_pages_neither_skip_nor_repeat_a_lead_when_others_are_answered_meanwhile(floor: Floor) -> None:
    floor.take(*(lead(f"l{n}", f"2026-03-18T15:{n:02d}Z") for n in range(10, 20)))
    first = await floor.read("/v1/leads/waiting", limit="4")
    floor.take(called("l11", "2026-03-18T15:30Z"), called("l13", "2026-03-18T15:30Z"), lead("l0", "2026-03-18T14:00Z"))

    second = await floor.read("/v1/leads/waiting", limit="4", cursor=first["next"])
    third = await floor.read("/v1/leads/waiting", limit="4", cursor=second["next"])

    seen = [row["lead"] for page in (first, second, third) for row in page["rows"]]
    assert seen == [f"l{n}" for n in range(10, 20)]
    assert third["next"] is None


@pytest.mark.parametrize(
    "cursor", ["", "x", "4", "WzFd", "WyJhIiwiYiJd", "eyJhIjoxLCJiIjoyfQ", "é", "WzEsMl0", "bnVsbA"]
)
async def test_cursor_that_no_page_gave_is_refused(floor: Floor, cursor: str) -> None:
    assert await floor.refused("/v1/leads/waiting", cursor=cursor) == (422, "cursor")


async def test_page_that_ends_exactly_with_the_list_is_the_last(floor: Floor) -> None:
    floor.take(lead("l1", "2026-03-18T15:00Z"), lead("l2", "2026-03-18T15:01Z"))

    assert (await floor.read("/v1/leads/waiting", limit="2"))["next"] is None


async def test_etag_of_waiting_leads_changes_with_their_state_and_not_with_the_seconds(floor: Floor) -> None:
    floor.take(lead("l1", "2026-03-18T14:50Z"))
    tag = (await floor.get("/v1/leads/waiting")).headers["etag"]
    floor.now += MINUTE

    later = await floor.get("/v1/leads/waiting", headers={"if-none-match": tag})
    floor.now += 20 * MINUTE
    warned = await floor.get("/v1/leads/waiting", headers={"if-none-match": tag})

    assert (later.status_code, warned.status_code) == (304, 200)


async def test_clock_of_a_lead_names_the_touch_that_stopped_it(floor: Floor) -> None:
    floor.take(lead("l1", "2026-03-18T14:00Z", status="new"), called("l1", "2026-03-18T14:10Z", "r2"))

    found = await floor.read("/v1/leads/l1")

    assert (found["lead"], found["rep"], found["state"]) == ("l1", "r1", "answered")
    assert found["touch"] == {"record": "call", "id": "c-l1", "rep": "r2", "at": "2026-03-18T14:10:00.000Z"}
    assert (found["response_seconds"], found["within_sla"], found["sla_seconds"]) == (600, True, 3600)
    assert found["as_of"] == "2026-03-18T15:30:20.500Z"


async def test_clock_of_a_merged_lead_names_the_one_it_counts_for(floor: Floor) -> None:
    floor.take(lead("l1", "2026-03-18T14:00Z", merged_into="l2"), lead("l2", "2026-03-18T14:30Z"))

    found = await floor.read("/v1/leads/l1")

    assert (found["state"], found["merged_into"], found["touch"]) == ("merged", "l2", None)
    assert (await floor.read("/v1/leads/l2"))["started_at"] == "2026-03-18T14:00:00.000Z"


async def test_unknown_lead_is_named(floor: Floor) -> None:
    answer = await floor.get("/v1/leads/l9")

    assert (answer.status_code, answer.json()["field"]) == (404, "lead")
    assert "'l9'" in answer.json()["detail"]


@pytest.mark.parametrize("id", ["ns:1/2", "a b/", "Zoë/Ünal", "100%", "a?b", "waiting/", "/x", "{}"])
async def test_id_of_a_lead_may_hold_any_character(floor: Floor, id: str) -> None:
    floor.take(lead(id, "2026-03-18T15:00Z"), called(id, "2026-03-18T15:10Z"))

    found = await floor.read(f"/v1/leads/{quote(id, safe='')}")

    assert (found["lead"], found["touch"]["id"]) == (id, f"c-{id}")


async def test_freshness_says_when_each_connection_last_spoke(floor: Floor) -> None:
    received, changed = instant("2026-03-18T15:30Z"), instant("2026-03-18T15:29Z")
    for partition, progress in enumerate(
        (
            Progress(offset=7, log_at=received, connections={"feed": (received, changed - HOUR)}),
            Progress(offset=3, log_at=0, connections={"feed": (received - HOUR, changed)}),
        )
    ):
        floor.view.apply(PROGRESS.name, progress_key("normalise", partition), encode_progress(progress))

    answer = await floor.read("/v1/freshness")

    assert answer["connections"] == [
        {
            "connection": "feed", "kind": "generic", "last_delivery_at": format_instant(received),
            "last_event_at": format_instant(changed), "reconciled_at": None, "missed": None,
        }
    ]  # fmt: skip
    assert answer["progress"]["normalise"] == {"0": 7, "1": 3}
    assert answer["end_to_end_seconds"] == {"p50": None, "p95": None, "p99": None}
    assert answer["behind_seconds"] == 0


async def test_freshness_says_what_no_webhook_brought(floor: Floor) -> None:
    state = ConnectionState(
        at=floor.now, reconciled_at=floor.now - MINUTE, missed_day={"call": 3}, missed_month={"call": 31},
        missed={"call": 40}, changed_day=300, changed_month=3100, not_visible=2,
    )  # fmt: skip
    floor.view.apply(CONNECTION_STATES.name, b"feed", encode_state(state))

    (fresh,) = (await floor.read("/v1/freshness"))["connections"]
    (row,) = (await floor.read("/v1/connections"))["rows"]

    assert fresh["reconciled_at"] == row["reconciled_at"] == format_instant(floor.now - MINUTE)
    assert fresh["missed"] == row["missed"] == {"day": {"call": 3}, "month": {"call": 31}}
    assert row["missed_share"] == {"day": 0.01, "month": 0.01}
    assert row["not_visible"] == 2


async def test_freshness_says_what_the_recount_found(floor: Floor) -> None:
    assert (await floor.read("/v1/freshness"))["verification"] is None

    at = floor.now - MINUTE
    windows = (WindowComparison("today", at, 2, 1), WindowComparison("year", at - HOUR, 1))
    value = make_verification(
        floor.config, at, windows=windows, left_out=("quarter",), first=(Difference("today", "rep", "calls_made"),)
    )
    floor.view.apply(VERIFICATIONS.name, VERIFICATION_KEY, value)

    assert (await floor.read("/v1/freshness"))["verification"] == {
        "verified_at": "2026-03-18T15:29:20.500Z",
        "differences": 3,
        "undecided": 1,
        "stale": False,
        "every_seconds": 300.0,
        "deliveries": 40,
        "changes": 60,
        "windows": [
            {"window": "today", "verified_at": "2026-03-18T15:29:20.500Z", "differences": 2, "undecided": 1},
            {"window": "year", "verified_at": "2026-03-18T14:29:20.500Z", "differences": 1, "undecided": 0},
        ],
        "left_out": ["quarter"],
        "first": [{"window": "today", "scope": "rep", "metric": "calls_made"}],
    }  # fmt: skip


async def test_a_recount_is_stale_once_rounds_have_been_missed(floor: Floor) -> None:
    floor.view.apply(VERIFICATIONS.name, VERIFICATION_KEY, make_verification(floor.config, floor.now))

    floor.now += 15 * MINUTE
    assert not (await floor.read("/v1/freshness"))["verification"]["stale"]
    floor.now += 1000  # the api's clock shows milliseconds
    assert (await floor.read("/v1/freshness"))["verification"]["stale"]


async def test_a_recount_by_other_definitions_says_nothing_of_what_is_served(floor: Floor) -> None:
    ours = make_verification(floor.config, floor.now)
    others = make_verification(
        make_config(currency_rates={"EUR": "9"}), floor.now + 1, windows=(WindowComparison("today", 1, 9),)
    )

    floor.view.apply(VERIFICATIONS.name, VERIFICATION_KEY, others)
    assert (await floor.read("/v1/freshness"))["verification"] is None
    floor.view.apply(VERIFICATIONS.name, VERIFICATION_KEY, ours)
    floor.view.apply(VERIFICATIONS.name, VERIFICATION_KEY, others)
    assert (await floor.read("/v1/freshness"))["verification"]["differences"] == 0
    floor.view.apply(VERIFICATIONS.name, VERIFICATION_KEY, None)
    assert (await floor.read("/v1/freshness"))["verification"] is None


async def test_freshness_is_told_while_the_view_loads(floor: Floor) -> None:
    floor.read_side.consumer.is_loaded = False

    answer = await floor.read("/v1/freshness")

    assert answer["connections"][0]["last_delivery_at"] is None


async def test_no_alert_is_an_empty_list(floor: Floor) -> None:
    assert await floor.read("/v1/alerts") == {"rows": [], "as_of": "2026-03-18T15:30:20.500Z", "next": None}
    assert await floor.refused("/v1/alerts", state="closed") == (422, "state")


async def test_dead_letters_come_newest_first_in_pages(floor: Floor) -> None:
    for number in range(5):
        letter = DeadLetter(
            "feed", "bad_field", "fields.dialed_at: is no instant", 1, number, 0, floor.now + number // 2
        )
        floor.view.apply(DEAD_LETTERS.name, letter.id.encode(), encode_dead_letter(letter))

    first = await floor.read("/v1/dead-letters", limit="3")
    second = await floor.read("/v1/dead-letters", limit="3", cursor=first["next"])

    assert [row["delivery"] for page in (first, second) for row in page["rows"]] == ["1-4", "1-2", "1-3", "1-0", "1-1"]
    assert {name: first["rows"][0][name] for name in ("connection", "reason", "detail", "index")} == {
        "connection": "feed", "reason": "bad_field", "detail": "fields.dialed_at: is no instant", "index": 0,
    }  # fmt: skip
    assert second["next"] is None


async def test_dead_letter_that_is_repeated_is_listed_once(floor: Floor) -> None:
    letter = encode_dead_letter(DeadLetter("feed", "not_json", "is not JSON", 0, 1, None, floor.now))
    for _ in range(2):
        floor.view.apply(DEAD_LETTERS.name, b"0-1", letter)

    assert len((await floor.read("/v1/dead-letters"))["rows"]) == 1


async def test_a_waiting_lead_is_called_as_the_crm_calls_it(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    floor.take(change("lead", "l1", rep="r1", received_at="2026-03-18T15:00Z", company="Acme Ltd"))
    assert (await floor.read("/v1/leads/waiting"))["rows"][0]["lead_name"] == "Acme Ltd"

    floor.take(change("lead", "l1", "2026-03-18T01:00Z", name="Jane Doe"))
    assert (await floor.read("/v1/leads/waiting"))["rows"][0]["lead_name"] == "Jane Doe"
