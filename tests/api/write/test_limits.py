"""Counting what is under way, and how fast it comes."""

import pytest

from api.write.limits import Budget, TokenBucket
from schemas.instants import SECOND


@pytest.mark.parametrize("size", [0, 1, 10])
def test_budget_gives_what_was_given_back(size: int) -> None:
    budget = Budget(count=1, size=10)
    assert budget.take(size)
    assert not budget.take(0)

    budget.give_back(size)

    assert budget.take(10)


def test_budget_sets_nothing_aside_for_what_it_refuses() -> None:
    budget = Budget(count=5, size=10)

    assert not budget.take(11)
    assert budget.take(10)


def test_bucket_lets_a_burst_pass_and_then_the_rate() -> None:
    bucket = TokenBucket(per_second=2, burst=3)

    assert [bucket.take(0) for _ in range(4)] == [0, 0, 0, 1]
    assert [bucket.take(SECOND) for _ in range(3)] == [0, 0, 1]


def test_bucket_holds_no_more_than_its_burst() -> None:
    bucket = TokenBucket(per_second=1_000, burst=2)
    bucket.take(0)

    assert [bucket.take(3_600 * SECOND) for _ in range(3)] == [0, 0, 1]


def test_bucket_says_how_long_to_wait_in_whole_seconds() -> None:
    bucket = TokenBucket(per_second=0.1, burst=1)
    bucket.take(0)

    assert bucket.take(0) == 10


def test_clock_that_is_set_back_opens_nothing() -> None:
    bucket = TokenBucket(per_second=1, burst=1)
    bucket.take(10 * SECOND)

    assert bucket.take(0) == 1
    assert bucket.take(SECOND) == 0
