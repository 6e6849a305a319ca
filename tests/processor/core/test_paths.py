"""Which entries of a step count, and what has become of each: jumps, returns, reopenings, in every mode."""

from typing import Any

import pytest

from processor.core.paths import deal_rows, lead_rows
from schemas.catalogue.paths import ADVANCED, LEAD_STEPS, LOST, OPEN, Path, path_named, read_passed, read_time

A, L, O = ADVANCED, LOST, OPEN  # noqa: E741 - as short as the stages, so that a way reads in one line


def path(mode: Any = "visited", re_entry: Any = "first", cohort: Any = "entered", steps: str = "abc") -> Path:
    return Path("deal", "p", False, (*steps, "won"), ("closed", "won"), mode, re_entry, cohort)


def counted(way: Path, stages: str, status: str = "open", **deal: Any) -> list[tuple[int, str, int]]:
    """(when, step, what became of it), of a deal that entered a stage each minute; `w` is the won stage, `-` none."""
    names = {"w": "closed", "-": None}
    joined = [
        (minute, names.get(stage, stage))
        for minute, stage in enumerate(stages)
        if not minute or stages[minute - 1] != stage
    ]
    rows = deal_rows(way, {"pipeline": "p", "status": status, **deal}, joined)
    found = [(row["at"], *read_passed(row["passed"])) for row in rows]
    return sorted((at, way.steps[step], outcome) for at, step, outcome, _ in found)


@pytest.mark.parametrize(
    ("mode", "re_entry", "stages", "status", "expected"),
    [
        # the whole way
        ("visited", "first", "abcw", "won", [(0, "a", A), (1, "b", A), (2, "c", A), (3, "won", A)]),
        ("strict", "first", "abcw", "won", [(0, "a", A), (1, "b", A), (2, "c", A), (3, "won", A)]),
        # a jump: what is left out was passed with the next one, or not at all
        ("visited", "first", "ac", "open", [(0, "a", A), (1, "c", O)]),
        ("inferred", "first", "ac", "open", [(0, "a", A), (1, "b", A), (1, "c", O)]),
        ("strict", "first", "ac", "open", [(0, "a", O)]),
        ("strict", "first", "aw", "won", [(0, "a", O)]),
        ("inferred", "first", "ac", "lost", [(0, "a", A), (1, "c", L)]),
        ("inferred", "first", "bw", "won", [(0, "b", A), (1, "c", A), (1, "won", A)]),
        # a return: neighbours are one stay, a later entry counts again only with `each`
        ("visited", "first", "aabab", "open", [(0, "a", A), (2, "b", O)]),
        ("visited", "each", "aabab", "open", [(0, "a", A), (2, "b", O), (3, "a", A), (4, "b", O)]),
        ("visited", "each", "aba", "lost", [(0, "a", A), (1, "b", L), (2, "a", L)]),
        ("visited", "first", "ba", "open", [(0, "b", O), (1, "a", A)]),
        ("visited", "each", "ba", "open", [(0, "b", O), (1, "a", O)]),
        ("strict", "first", "ba", "open", [(1, "a", O)]),
        ("strict", "first", "bab", "open", [(1, "a", A), (2, "b", O)]),
        ("strict", "each", "abab", "open", [(0, "a", A), (1, "b", O), (2, "a", A), (3, "b", O)]),
        ("inferred", "each", "aca", "open", [(0, "a", A), (1, "b", A), (1, "c", O), (2, "a", O)]),
        # a reopening: it was won once, and goes on
        ("visited", "first", "abwb", "open", [(0, "a", A), (1, "b", A), (2, "won", A)]),
        ("visited", "each", "abwb", "open", [(0, "a", A), (1, "b", A), (2, "won", A), (3, "b", O)]),
        # no step: what lies between is left out after neighbours were joined
        ("visited", "each", "axa", "open", [(0, "a", O), (2, "a", O)]),
        ("visited", "each", "a-a", "open", [(0, "a", O), (2, "a", O)]),
    ],
)  # fmt: skip
def test_what_counts(mode: str, re_entry: str, stages: str, status: str, expected: list[Any]) -> None:
    assert counted(path(mode, re_entry), stages, status) == expected


def test_a_won_deal_without_a_won_stage_is_won_at_its_close() -> None:
    assert counted(path(), "ab", "won", closed_at=1)[-1] == (1, "won", A)
    assert counted(path("strict"), "abc", "won", closed_at=2)[-1] == (2, "won", A)
    assert counted(path("strict"), "abc", "won", closed_at=1)[-1] == (2, "c", O)
    assert counted(path(), "abw", "won", closed_at=9)[-1] == (2, "won", A)
    assert counted(path(), "ab", "open", closed_at=1)[-1] == (1, "b", O)


def test_a_won_stage_may_be_the_last_step() -> None:
    way = Path("deal", "p", False, ("a", "closed"), ("closed", "won"), "visited", "first", "entered")

    assert counted(way, "aw", "won") == [(0, "a", A), (1, "closed", A)]
    assert counted(way, "a", "won", closed_at=5) == [(0, "a", A), (5, "closed", A)]


def test_all_count_at_the_creation_where_that_is_asked() -> None:
    assert counted(path(cohort="created"), "ab", created_at=-7) == [(-7, "a", A), (-7, "b", O)]


@pytest.mark.parametrize(
    ("said", "pipeline", "takes_unsaid", "is_counted"),
    [("p", "p", False, True), ("q", "p", True, False), (None, "p", True, True), (None, "p", False, False),
     ("q", None, True, True)],
)  # fmt: skip
def test_deals_of_other_pipelines_do_not_count(
    said: str | None, pipeline: str | None, takes_unsaid: bool, is_counted: bool
) -> None:
    way = Path("deal", pipeline, takes_unsaid, ("a", "won"), ("won",), "visited", "first", "entered")

    assert bool([*deal_rows(way, {"pipeline": said}, [(0, "a")])]) is is_counted


def times(way: Path, status: str, *joined: tuple[int, str]) -> list[tuple[Any, Any]]:
    rows = deal_rows(way, {"pipeline": "p", "status": status}, joined)
    return [(_time(row["stayed"]), _time(row["running"])) for row in rows]


def _time(packed: Any) -> int | None:
    return None if packed is None else read_time(packed)[1]


def test_a_stay_ends_with_the_next_stage_or_runs() -> None:
    assert times(path(), "open", (10, "a"), (15, "x"), (30, "b")) == [(5, None), (None, 30)]
    assert times(path(), "lost", (10, "a"), (15, "x"), (30, "b")) == [(5, None), (None, None)]
    assert times(path("inferred"), "open", (10, "a"), (15, "c")) == [(5, None), (None, 15), (None, None)]
    # Of the first entry, not of the one that lasts.
    assert times(path(), "open", (10, "a"), (15, "b"), (30, "a")) == [(5, None), (15, None)]
    assert times(path(re_entry="each"), "open", (10, "a"), (15, "b"), (30, "a"))[1] == (None, 30)


def lead_path(mode: Any = "inferred") -> Path:
    return Path("lead", None, True, tuple(LEAD_STEPS), (), mode, "first", "entered")


def test_a_lead_goes_through_what_happened_to_it() -> None:
    lead = {"received_at": 5, "answered_at": 5, "deal_at": 20, "status": "qualified"}

    rows = [*lead_rows(lead_path(), lead, ["open"])]

    assert [(row["at"], *read_passed(row["passed"])[:2]) for row in rows] == [
        (5, 0, A), (5, 1, A), (20, 3, O), (20, 2, A),
    ]  # fmt: skip
    assert [_time(row["stayed"]) for row in rows] == [15, 15, None, None]
    assert [_time(row["running"]) for row in rows] == [None, None, 20, None]


@pytest.mark.parametrize(
    ("status", "deals", "outcome"),
    [(None, [], O), ("disqualified", [], L), (None, ["lost", "lost"], L), (None, ["lost", "open"], O)],
)
def test_a_lead_is_lost_with_all_its_deals(status: str | None, deals: list[str], outcome: int) -> None:
    (row,) = lead_rows(lead_path(), {"received_at": 5, "status": status}, deals)

    assert read_passed(row["passed"])[1] == outcome
    assert (row["running"] is None) is (outcome == L)


def test_the_name_of_a_path_says_all_of_it() -> None:
    way = Path("deal", 'a "b"', True, ("x,y", "won"), ("won",), "strict", "each", "created")

    assert path_named(way.fact) == path_named(way.joined) == way
    assert path_named("deal.stays") is path_named("deal") is None
