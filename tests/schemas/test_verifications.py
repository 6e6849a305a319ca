"""The outcome of a round, as it is published."""

from schemas.instants import MINUTE
from schemas.verifications import Difference, Verification, WindowComparison, decode_verification, encode_verification

FOUND = Verification(
    verified_at=100 * MINUTE,
    started_at=99 * MINUTE,
    every=5 * MINUTE,
    definitions="abc",
    deliveries=10,
    changes=12,
    windows=(
        WindowComparison("today", 100 * MINUTE, 2, 1),
        WindowComparison("year", 40 * MINUTE, 1, 0),
        WindowComparison("leads", 100 * MINUTE),
    ),
    compared=("leads", "today"),
    left_out=("quarter",),
    first=(Difference("today", "rep", "calls_made"),),
)


def test_it_comes_back_as_it_was_published() -> None:
    assert decode_verification(encode_verification(FOUND)) == FOUND


def test_differences_are_those_of_all_windows_as_they_were_last_compared() -> None:
    assert (FOUND.differences, FOUND.undecided) == (3, 1)


def test_it_is_stale_after_three_rounds() -> None:
    assert not FOUND.is_stale(115 * MINUTE)
    assert FOUND.is_stale(115 * MINUTE + 1)
