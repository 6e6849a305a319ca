"""The leads that wait, recounted piece by piece: always as in the recount of everything."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.verification.differences import What
from deploy.verification.kept import KeptChanges
from deploy.verification.looks import StillWaiting, WaitingLook
from deploy.verification.recount import recount
from deploy.verification.rounds import Judged
from schemas.instants import DAY, HOUR, format_instant
from schemas.records import RecordChange
from schemas.verifications import LEADS
from tests.builders import change, make_config
from tests.strategies import NOW, logs

CONFIG = make_config(lead_response={"rules": [{"when": {"team": "south"}, "sla": "5m"}, {"sla": "1h"}]})
LONG_AGO = NOW - 400 * DAY


def held(log: Sequence[RecordChange], most: int = 10_000) -> tuple[KeptChanges, WaitingLook]:
    kept = KeptChanges(most)
    kept.add(log)
    return kept, WaitingLook(kept, CONFIG, lambda: NOW)


def lead(name: str, received_at: int) -> RecordChange:
    return change("lead", name, NOW, rep="r1", received_at=received_at, status="new")


def shown(name: str, started_at: int, state: str = "breached") -> dict[str, tuple[str, str, str, str]]:
    return {name: ("r1", format_instant(started_at), format_instant(started_at + HOUR), state)}


def look(waiting: WaitingLook, served: dict[str, tuple[str, str, str, str]], since: int = LONG_AGO) -> Judged:
    recounted = waiting.recounted()
    return StillWaiting(waiting, since).judged(recounted, recounted, {LEADS: (served, NOW)})


@settings(max_examples=40, deadline=None)
@given(logs(("lead", "call", "rep")), st.lists(st.integers(0, 40), max_size=3))
def test_leads_that_wait_are_as_in_the_recount_of_everything_whenever_one_looks(
    log: list[RecordChange], places: list[int]
) -> None:
    kept, waiting = held([])
    begun = 0
    for place in [*sorted(places), len(log)]:
        kept.add(log[begun:place])
        begun = max(begun, place)
        expected = recount(log[:begun], CONFIG).lead_clocks(NOW - HOUR)

        assert waiting.recounted() == {lead: clock for lead, clock in expected.items() if clock["waiting"]}


def test_what_is_served_rightly_is_right_and_anything_else_is_not() -> None:
    _, waiting = held([lead("l1", NOW - 2 * HOUR), lead("l2", NOW - HOUR // 10)])
    right = shown("l1", NOW - 2 * HOUR) | shown("l2", NOW - HOUR // 10, "waiting")

    assert look(waiting, right) == Judged()
    for wrong in (
        shown("l1", NOW - 2 * HOUR),
        right | shown("l1", NOW - 3 * HOUR),
        right | shown("l2", NOW - HOUR // 10, "warned"),
        right | shown("l3", NOW - HOUR),
    ):
        assert len(look(waiting, wrong).wrong) == 1


def test_leads_from_before_what_is_kept_are_not_compared() -> None:
    _, waiting = held([lead("l1", NOW - 30 * DAY), lead("l2", NOW - HOUR)])
    served = shown("l2", NOW - HOUR) | shown("l3", NOW - 31 * DAY)

    assert look(waiting, served, since=NOW - 20 * DAY) == Judged()
    assert {value for _, value in look(waiting, served).wrong} == {
        What("lead", "l1", "clock"),
        What("lead", "l3", "clock"),
    }


def test_a_lead_to_which_too_much_belongs_is_left_out_and_the_others_are_not() -> None:
    calls = [change("call", f"c{n}", NOW, lead="everybody", dialed_at=NOW, rep="r1") for n in range(9)]
    _, waiting = held([*calls, lead("everybody", NOW - HOUR), lead("l1", NOW - HOUR)], most=8)

    assert look(waiting, shown("l1", NOW - HOUR)) == Judged()
    assert look(waiting, shown("l1", NOW - HOUR) | shown("everybody", NOW - HOUR)) == Judged()
    assert len(look(waiting, {}).wrong) == 1
