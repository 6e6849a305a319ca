"""The place of a change in its delivery: the later of two changes of one instant wins, whatever else comes when."""

import random
from itertools import pairwise

import orjson
from hypothesis import given
from hypothesis import strategies as st

from processor.core.normalise import normalise
from schemas.connectors.generic import Generic
from schemas.deliveries import Delivery, encode_delivery
from schemas.progress import Progress
from schemas.records import HASH_MASK, MAX_PLACE, RecordChange, fold_all, with_places
from tests.builders import change
from tests.strategies import NOW, logs


def places(changes: list[RecordChange]) -> list[int]:
    return [each.digest >> 56 for each in changes]


def test_the_later_of_one_delivery_wins() -> None:
    for lead in map("t{}".format, range(40)):
        delivery = with_places(
            [change("lead", lead, NOW, rep="r-1", status="new"), change("lead", lead, NOW, rep="r-2")]
        )
        for order in (delivery, delivery[::-1]):
            assert fold_all("lead", order).get("rep") == "r-2"
        back = with_places([*delivery, change("lead", lead, NOW, rep="r-1", status="new")])
        assert fold_all("lead", back).get("rep") == "r-1"


@given(logs(most=12))
def test_a_place_is_how_often_something_else_was_said_of_the_record_and_instant(log: list[RecordChange]) -> None:
    expected = []
    for index, each in enumerate(log):
        before = [
            c.digest for c in log[:index] if (c.kind, c.id, c.changed_at) == (each.kind, each.id, each.changed_at)
        ]
        said = [*before, each.digest]
        expected.append(sum(one != other for one, other in pairwise(said)))

    found = with_places(log)

    assert places(found) == expected
    assert [each.digest & HASH_MASK for each in found] == [each.digest for each in log]


@given(st.lists(logs(("lead",), most=5), max_size=4), st.integers(0, 2**16))
def test_deliveries_may_come_in_any_order_and_again(deliveries: list[list[RecordChange]], seed: int) -> None:
    chance = random.Random(seed)
    again = deliveries * 2
    chance.shuffle(again)

    def state(log: list[list[RecordChange]]) -> dict[str, bytes]:
        said = [each for delivery in log for each in with_places(delivery)]
        return {id: fold_all("lead", [c for c in said if c.id == id]).encode() for id in {c.id for c in said}}

    assert state(again) == state(deliveries)


def test_where_there_are_more_changes_than_places_the_first_share_one_and_the_last_wins() -> None:
    told = [change("lead", "l", NOW, rep=f"r-{number}") for number in range(300)]

    found = with_places(told)

    assert places(found) == [max(0, number - 300 + 1 + MAX_PLACE) for number in range(300)]
    assert fold_all("lead", found[::-1]).get("rep") == "r-299"


def test_the_changes_of_a_delivery_have_their_places() -> None:
    """Case 18 of the field: a CRM whose clock knows whole seconds changes the owner twice in one second."""
    body = orjson.dumps(
        [
            {"record": "lead", "id": "t2", "changed_at": "2026-03-18T15:02:00Z", "fields": {"rep": "r-1"}},
            {"record": "call", "id": "c", "changed_at": "2026-03-18T15:02:00Z", "fields": {"rep": "r-1"}},
            {"record": "lead", "id": "t2", "changed_at": "2026-03-18T15:02:00Z", "fields": {"rep": "r-2"}},
        ]
    )
    raw = encode_delivery(Delivery("feed", NOW, {"content-type": "application/json"}, body))

    changes = normalise(
        [(0, raw), (1, raw)], partition=0, connectors={"feed": Generic(keys=[])}, progress=Progress()
    ).changes

    assert places(changes) == [0, 0, 1] * 2
