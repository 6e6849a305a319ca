"""How long a gap is, whoever's."""

import pytest

from tests.faults.yardstick import longest_gap


@pytest.mark.parametrize(
    ("instants", "gap"),
    [
        ([1.0, 2.0, 6.0, 9.0], 4.0),
        ([9.0, 2.0, 6.0, 1.0], 4.0),
        ([2.0], 8.0),
        ([], 10.0),
        ([-3.0, 4.0, 40.0], 6.0),
    ],
    ids=["between two", "in no order", "until the end", "all of it", "what lies outside"],
)
def test_the_longest_time_in_which_nothing_was_taken(instants: list[float], gap: float) -> None:
    assert longest_gap(instants, 0.0, 10.0) == gap
