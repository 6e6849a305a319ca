"""What the fetching thread hands to the main loop."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from processor.transport.drained import FETCH_BYTES, FETCHES, LEAST_FETCH_BYTES, WAITING_BYTES, Drained, fetch_bytes
from processor.transport.fetched import Fetched

CHANGES, TOUCHES = TP("changes", 0), TP("touches", 0)


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes | None = None


def records(*offsets: int, value: bytes | None = None) -> list[Fetched]:
    return [Record(offset, value) for offset in offsets]  # type: ignore[misc]


def quiet() -> None:
    """Nobody waits."""


def make(on_arrival: Callable[[], None] = quiet, on_room: Callable[[], None] = quiet) -> Drained:
    return Drained(on_arrival=on_arrival, on_room=on_room)


def test_several_fetches_of_a_partition_are_one_batch() -> None:
    drained = make()
    drained.put({CHANGES: records(0, 1)})
    drained.put({CHANGES: records(2), TOUCHES: records(7)})

    assert drained.take({CHANGES, TOUCHES}, 10) == {CHANGES: records(0, 1, 2), TOUCHES: records(7)}
    assert drained.take({CHANGES, TOUCHES}, 10) == {}


def test_a_partition_at_work_waits_and_loses_nothing() -> None:
    drained = make()
    drained.put({CHANGES: records(0), TOUCHES: records(7)})

    assert drained.take({TOUCHES}, 10) == {TOUCHES: records(7)}
    drained.put({CHANGES: records(1)})
    assert drained.take({CHANGES}, 10) == {CHANGES: records(0, 1)}


def test_who_puts_in_is_stopped_and_told_when_there_is_room() -> None:
    told: list[str] = []
    drained = make(on_room=lambda: told.append("room"))
    for offset in range(FETCHES):
        assert drained.with_room({CHANGES, TOUCHES}) == {CHANGES, TOUCHES}
        drained.put({CHANGES: records(offset)})
    assert drained.with_room({CHANGES, TOUCHES}) == {TOUCHES}
    assert told == []

    drained.take({CHANGES}, 1000)

    assert told == ["room"]
    assert drained.with_room({CHANGES, TOUCHES}) == {CHANGES, TOUCHES}


def test_a_batch_is_not_larger_than_a_fetch_or_one_message() -> None:
    drained = make()
    half = bytes(FETCH_BYTES // 2)
    for offset in range(3):
        drained.put({CHANGES: records(offset, value=half)})
    drained.put({CHANGES: records(3, value=bytes(FETCH_BYTES + 1))})

    taken = [[record.offset for record in drained.take({CHANGES}, 10)[CHANGES]] for _ in range(3)]

    assert taken == [[0, 1], [2], [3]]


def test_all_partitions_together_hold_no_more_than_the_process_may() -> None:
    told: list[str] = []
    drained = make(on_room=lambda: told.append("room"))
    partitions = {TP(topic, number) for topic in ("a", "b", "c", "d", "e") for number in range(16)}
    most = fetch_bytes(len(partitions))
    offset, rounds = 0, 0
    while wanted := drained.with_room(partitions):
        rounds += 1
        assert rounds <= FETCHES
        drained.put({tp: records(offset, value=bytes(most)) for tp in wanted})
        offset += 1

    assert offset * len(partitions) * most <= WAITING_BYTES + len(partitions) * most
    (first, *others) = sorted(partitions)
    drained.take({first}, 10)
    assert told == ["room"]
    assert drained.with_room(partitions) == {first}, "who holds the others up does not hold this one up"
    for tp in others:
        drained.take({tp}, 10)
    assert drained.with_room(partitions) == partitions


def test_what_is_left_of_a_fetch_is_counted_once() -> None:
    drained = make()
    drained.put({CHANGES: records(0, 1, value=bytes(WAITING_BYTES // 2))})
    assert drained.with_room({CHANGES}) == set()

    drained.take({CHANGES}, 1)
    assert drained.with_room({CHANGES}) == {CHANGES}
    drained.take({CHANGES}, 1)
    drained.put({CHANGES: records(2, value=bytes(WAITING_BYTES - 1))})
    assert drained.with_room({CHANGES}) == {CHANGES}


def test_a_fetch_is_smaller_the_more_partitions_there_are() -> None:
    assert fetch_bytes(0) == fetch_bytes(4) == FETCH_BYTES
    assert fetch_bytes(40) * 40 <= WAITING_BYTES
    assert fetch_bytes(10_000) == LEAST_FETCH_BYTES


def test_nothing_is_left_after_a_seek() -> None:
    drained = make()
    drained.put({CHANGES: records(0)})
    drained.clear()

    assert drained.take({CHANGES}, 10) == {}


@given(
    fetches=st.lists(st.integers(1, 9), max_size=FETCHES),
    most=st.integers(1, 12),
)
def test_batches_hold_all_records_in_order_and_no_more_than_they_may(fetches: list[int], most: int) -> None:
    drained = make()
    offset = 0
    for size in fetches:
        drained.put({CHANGES: records(*range(offset, offset + size))})
        offset += size

    taken: list[Fetched] = []
    while batch := drained.take({CHANGES}, most).get(CHANGES):
        assert 0 < len(batch) <= most
        taken += batch
    assert taken == records(*range(offset))


def test_two_threads_lose_and_double_nothing() -> None:
    arrived, room = threading.Event(), threading.Event()
    drained = make(on_arrival=arrived.set, on_room=room.set)
    total = 20_000

    def fill() -> None:
        offset = 0
        while offset < total:
            room.clear()
            if drained.with_room({CHANGES}):
                drained.put({CHANGES: records(offset, offset + 1)})
                offset += 2
            else:
                room.wait(10)

    filling = threading.Thread(target=fill)
    filling.start()
    taken: list[Fetched] = []
    while len(taken) < total:
        arrived.clear()
        batch = drained.take({CHANGES}, 7).get(CHANGES)
        if batch:
            taken += batch
        else:
            assert arrived.wait(10)
    filling.join()
    assert taken == records(*range(total))
