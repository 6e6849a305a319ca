"""The simulated floor: everything it says is readable, repeatable, and mixed as asked for."""

import orjson
import pytest

from deploy.simulator.floor import Mix, SimulatedFloor
from deploy.simulator.known import CrmEvent
from deploy.verification.recount import recount
from schemas.config import parse_config
from schemas.connectors.base import Parsed
from schemas.connectors.generic import Generic
from schemas.deliveries import Delivery
from schemas.instants import HOUR, MINUTE, SECOND, parse_instant
from schemas.records import FIELDS
from tests.deploy.simulator.floors import CLEAN, deliveries, events

START = 1_774_000_000 * SECOND
CONFIG = parse_config(
    "organisation: {name: Acme, timezone: Europe/Berlin, currency: USD}\n"
    'connections: {feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}}',
    {},
)


def read(told: list[CrmEvent], received_at: int) -> Parsed:
    parsed = Parsed()
    connector = Generic(keys=[b"k" * 24])
    for first in range(0, len(told), 1000):
        body = orjson.dumps(told[first : first + 1000])
        part = connector.parse(Delivery("feed", received_at, {"content-type": "application/json"}, body))
        parsed.changes += part.changes
        parsed.problems += part.problems
        parsed.ignored |= part.ignored
    return parsed


@pytest.mark.parametrize("interval", [1000, SECOND, MINUTE], ids=["1000 a second", "1 a second", "1 a minute"])
def test_every_event_is_valid_by_the_contract(interval: int) -> None:
    told = list(events(5, 6000, START, interval=interval))

    parsed = read(told, START + 6000 * interval)

    assert (len(told), len(parsed.changes), parsed.problems, parsed.ignored) == (6000, 6000, [], {})


def test_the_same_seed_and_start_tell_the_same() -> None:
    assert list(events(3, 2000, START)) == list(events(3, 2000, START))


def test_another_seed_tells_something_else() -> None:
    assert list(events(3, 200, START)) != list(events(4, 200, START))


def test_no_change_is_dated_after_it_is_told() -> None:
    told = list(events(9, 5000, START))

    assert all(parse_instant(event["changed_at"]) <= START + index * SECOND for index, event in enumerate(told))


def test_people_come_before_what_they_do() -> None:
    told = list(events(1, 40, START, reps=12))

    assert [event["record"] for event in told[:12]] == ["rep"] * 12
    assert len({event["fields"]["name"] for event in told[:12]}) == 12


def test_a_large_floor_has_as_many_people_as_asked_for() -> None:
    told = list(events(1, 1500, START, reps=1500))

    assert len({event["fields"]["name"] for event in told}) == 1500


def test_duplicates_have_their_share() -> None:
    told = [orjson.dumps(event) for event in events(2, 10_000, START, mix=Mix(0.2, 0, 0, 0))]

    assert 0.17 < 1 - len(set(told)) / len(told) < 0.23


def test_deletions_have_their_share_and_some_are_taken_back() -> None:
    told = [event for event in events(2, 10_000, START, mix=Mix(0, 0, 0, 0.05)) if "deleted" in event]

    assert 400 < len(told) < 600
    assert {event["deleted"] for event in told} == {True, False}


def test_late_events_have_their_share() -> None:
    told = events(2, 10_000, START, mix=Mix(0, 0.1, 0, 0))
    behind = [START + index * SECOND - parse_instant(event["changed_at"]) for index, event in enumerate(told)]

    # What is live comes within a quarter of an hour; a tenth of the late ones happened that recently too.
    assert 0.07 < sum(lag > 20 * MINUTE for lag in behind) / len(behind) < 0.11


def test_changes_of_a_record_overtake_each_other() -> None:
    newest: dict[str, int] = {}
    overtaken = 0
    for event in events(2, 5000, START):
        at = parse_instant(event["changed_at"])
        overtaken += at < newest.get(event["id"], 0)
        newest[event["id"]] = max(at, newest.get(event["id"], 0))

    assert overtaken > 20


def test_some_changes_of_a_record_share_their_instant() -> None:
    versions: dict[tuple[str, str], set[bytes]] = {}
    for event in events(2, 5000, START):
        versions.setdefault((event["id"], event["changed_at"]), set()).add(orjson.dumps(event["fields"]))

    assert any(len(contents) > 1 for contents in versions.values())


def test_a_clean_floor_tells_each_record_in_order_and_once() -> None:
    told = list(events(2, 3000, START, mix=CLEAN))
    newest: dict[str, int] = {}
    for event in told:
        at = parse_instant(event["changed_at"])
        assert at >= newest.get(event["id"], 0)
        newest[event["id"]] = at

    assert len({orjson.dumps(event) for event in told}) == 3000


NOT_IN_A_DAY = {
    "cold_calls", "leads_called_cold", "cold_call_conversion",  # nobody has said which sources are cold
    "leads_missed", "lead_value_missed", "deals_lost_unfollowed", "amount_lost_unfollowed",  # after days without a word
    "renewal_rate", "revenue_expansion_share", "stage_conversion",  # without pipelines there are no steps
}  # fmt: skip


def test_a_day_has_something_of_everything() -> None:
    parsed = read(list(events(7, 6000, START, interval=6 * HOUR // 6000)), START + 6 * HOUR)

    row = recount(parsed.changes, CONFIG).rows(now=START + 6 * HOUR, window="24h")["organisation"]["metrics"]

    assert {name for name, value in row.items() if not value or value == "0.00"} <= NOT_IN_A_DAY, row
    assert 60 < float(row["lead_response_seconds_p50"] or 0) < 3600


def test_every_field_of_every_kind_is_told() -> None:
    told: dict[str, set[str]] = {kind: set() for kind in FIELDS}
    for event in events(1, 20_000, START):
        told[event["record"]] |= {name for name, value in event["fields"].items() if value is not None}

    assert told["rep"] == {*FIELDS["rep"]} - {"photo"}  # a file below `media/`: there is none of these people
    assert {kind: fields for kind, fields in told.items() if kind != "rep"} == {
        kind: {*fields} for kind, fields in FIELDS.items() if kind != "rep"
    }


def test_deliveries_hold_the_same_events_one_or_several_at_a_time() -> None:
    batches = list(deliveries(4, 2000, START, largest=12))

    assert [event for batch in batches for event in batch] == list(events(4, 2000, START))
    assert {1, 2, 12} <= {len(batch) for batch in batches} <= set(range(1, 13))


@pytest.mark.parametrize("shares", [(-0.1, 0, 0, 0), (0.5, 0.3, 0.2, 0)], ids=["negative", "too much"])
def test_shares_that_leave_no_floor_are_refused(shares: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        Mix(*shares)


def test_a_floor_without_people_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 5000 reps"):
        SimulatedFloor(1, reps=0)
