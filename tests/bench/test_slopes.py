"""What is said of a curve follows from its figures."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.plots import Curve, plot
from bench.slopes import cost_in_words, exponent, growth_in_words, line, memory_in_words, power_in_words


def test_a_line_is_found_and_how_far_off_a_point_is() -> None:
    straight = line([1, 2, 4], [3.0, 5.0, 9.0])

    assert (straight.base, straight.slope, straight.off) == pytest.approx((1.0, 2.0, 0.0))
    assert line([1, 2, 4], [3.0, 5.0, 12.0]).off > 0.05
    assert line([7], [3.0]).at(100) == 3.0


@pytest.mark.parametrize(("power", "values"), [(1.0, [2.0, 4.0, 8.0]), (2.0, [1.0, 4.0, 16.0]), (0.0, [3.0, 3.0, 3.0])])
def test_an_exponent_is_that_of_the_power_law(power: float, values: list[float]) -> None:
    assert exponent([1, 2, 4], values) == pytest.approx(power)


@pytest.mark.parametrize(
    ("costs", "panes", "said"),
    [
        ([10.0, 11.0, 10.5], [0.1, 1.0, 2.0], "near flat"),
        ([10.0, 19.0, 10.5], [0.1, 1.0, 2.0], "not flat"),  # in the middle, with equal ends
        ([11.0, 20.0, 30.0], [0.1, 1.0, 2.0], "10.0 µs, and 10.0 for each pane"),
        ([10.0, 20.0, 30.0], [2.0, 1.0, 0.1], "does not follow"),
        ([10.0, 20.0, 30.0], [1.0, 1.0, 1.0], "does not follow"),
    ],
)
def test_a_cost_is_flat_or_follows_the_panes_or_is_not_explained(
    costs: list[float], panes: list[float], said: str
) -> None:
    assert said in cost_in_words([100, 1_000, 10_000], costs, panes, "reps")


def test_the_time_for_all_is_linear_by_its_power() -> None:
    assert "near linear" in power_in_words([1, 2, 4], [10.0, 10.5, 11.0], [1.0, 1.0, 1.0], "records")
    assert "power 2.00" in power_in_words([1, 2, 4], [10.0, 20.0, 40.0], [1.0, 1.0, 1.0], "records")
    assert "does not follow" in power_in_words([1, 2, 4], [10.0, 20.0, 40.0], [1.0, 1.0, 1.0], "records")


def test_memory_is_explained_by_the_panes_where_they_move_together() -> None:
    assert "300 bytes, and 200 for each pane" in memory_in_words([320.0, 500.0, 700.0], [0.1, 1.0, 2.0])
    assert "do not explain" in memory_in_words([320.0, 500.0, 700.0], [2.0, 1.0, 1.1])
    assert "near flat" in memory_in_words([320.0, 300.0], [0.1, 1.0])


@pytest.mark.parametrize(("seconds", "said"), [([2.0, 3.0, 5.0], "near linear"), ([1.0, 2.0, 9.0], "not straight")])
def test_growth_is_straight_or_not(seconds: list[float], said: str) -> None:
    assert said in growth_in_words([1e6, 2e6, 4e6], seconds, "records")


def test_a_plot_is_small_names_its_units_and_brings_its_own_paper(tmp_path: Path) -> None:
    file = tmp_path / "curve.svg"

    curves = [Curve("changes/s", [[1.0, 2.0], [3.0]]), Curve("bytes", [[1.0], [2.0]], [1, 2], "straight line")]
    plot(file, "reps", [100, 100_000], curves)

    text = file.read_text()
    assert file.stat().st_size < 60_000
    assert "#ffffff" in text  # text in dark ink on a page that may be dark
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - written by us
    assert {"reps", "changes/s", "bytes", "100,000", "straight line"} <= set(re.findall(">([^<]+)<", text))
