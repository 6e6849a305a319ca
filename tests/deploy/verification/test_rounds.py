"""What a round of the continuous recount looks at, and when it says that a value is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.verification.definitions import shipped
from deploy.verification.differences import What
from deploy.verification.rounds import (
    LARGEST,
    LOOKS,
    SPAN,
    STANDING,
    Judged,
    RoundPlan,
    Suspects,
    described,
    judge,
    judge_leads,
    kept_since,
    of_windows,
    plan,
)
from deploy.verification.shapes import RecountedRows, Row, Rows
from schemas.instants import DAY, parse_instant
from schemas.verifications import KEPT_FIRST, LEADS, Difference, WindowComparison
from schemas.windows import WINDOWS, Calendar, span_of
from tests.builders import make_config

NOW = parse_instant("2026-03-18T15:30:20Z")
TODAY = NOW // DAY
EVERYTHING_KEPT = 0
EVERY_ROUND = {"5m", "15m", "1h", "4h", "24h", "today", "yesterday", "week", "7d"}


STANDS = {subject.name for subject in STANDING.subjects}


def looked_at(chosen: RoundPlan) -> list[str]:
    return [subject.name for part in chosen.parts for subject in part.subjects]


def test_every_round_looks_at_what_is_recent_and_at_one_more() -> None:
    chosen = plan(NOW, {TODAY: 10}, EVERYTHING_KEPT, {})

    assert set(looked_at(chosen)) == EVERY_ROUND | {"30d"}
    assert chosen.names == set(WINDOWS) | STANDS
    assert chosen.left_out == ()


def test_everything_else_has_its_turn_the_past_too() -> None:
    records = {TODAY - back: 1 for back in range(0, 400, 9)}
    found: dict[str, WindowComparison] = {}
    names = plan(NOW, records, EVERYTHING_KEPT, found).names

    for number in range(len(names) - len(EVERY_ROUND)):
        for name in looked_at(plan(NOW, records, EVERYTHING_KEPT, found)):
            found[name] = WindowComparison(name, NOW + number)

    assert set(found) == names
    assert names >= STANDS
    spans = sorted(names - set(WINDOWS) - STANDS)
    assert spans[-2:] == ["2026-01-15/2026-02-11", "2026-02-12/2026-03-11"]
    assert len(spans) == 400 // SPAN


def test_where_something_was_wrong_is_looked_at_every_round() -> None:
    found = {
        "quarter": WindowComparison("quarter", NOW + 2, differences=1),
        **{name: WindowComparison(name, NOW + 1) for name in ("30d", "month", "year", *STANDS)},
    }

    chosen = looked_at(plan(NOW, {TODAY: 10}, EVERYTHING_KEPT, found))

    assert "quarter" in chosen
    assert len(chosen) == len(EVERY_ROUND) + 2


@pytest.mark.parametrize(
    ("a_day", "every_round", "too_large"),
    [
        (LARGEST // 400, EVERY_ROUND, set()),
        (LARGEST // 100, EVERY_ROUND, {"year"}),
        (LARGEST // 8, EVERY_ROUND - {"week", "7d"}, {"week", "7d", "30d", "month", "quarter", "year"}),
        (LARGEST, set(), set(WINDOWS)),
    ],
    ids=["small", "a busy year", "a busy week", "a busy day"],
)
def test_what_is_too_large_is_left_out_and_named(a_day: int, every_round: set[str], too_large: set[str]) -> None:
    records = {TODAY - back: a_day for back in range(366)}

    chosen = plan(NOW, records, EVERYTHING_KEPT, {})

    assert every_round <= set(looked_at(chosen))
    assert {name for name in chosen.left_out if name in WINDOWS} == too_large
    assert all(
        sum(count for day, count in records.items() if part.first <= day <= part.last) <= LARGEST
        for part in chosen.parts
    )


def test_what_turned_out_to_be_too_large_makes_room_for_others() -> None:
    chosen = plan(NOW, {TODAY: 10}, EVERYTHING_KEPT, {}, {"7d", "30d", "year"})

    assert set(looked_at(chosen)) == EVERY_ROUND - {"week", "7d"} | {"month"}
    assert set(chosen.left_out) == {"week", "7d", "30d", "year"}


def test_what_stands_is_recounted_by_a_whole_log_only() -> None:
    found = {name: WindowComparison(name, 1) for name in WINDOWS}

    assert set(looked_at(plan(NOW, {TODAY: 10}, EVERYTHING_KEPT, found))) == EVERY_ROUND | STANDS
    without = plan(NOW, {TODAY: 10}, EVERYTHING_KEPT, found, is_whole=False)
    assert not without.names & STANDS
    assert set(without.left_out) == STANDS
    too_large = plan(NOW, {TODAY: 10}, EVERYTHING_KEPT, found, {STANDING.name})
    assert too_large.names & STANDS == set()


def test_what_has_expired_is_left_out() -> None:
    records = {TODAY - back: 1 for back in range(400)}

    chosen = plan(NOW, records, TODAY - 50, {})

    assert {"quarter", "year"} <= set(chosen.left_out)
    assert {"month", "30d"} <= chosen.names
    assert all(part.first >= TODAY - 50 for part in chosen.parts)


@settings(max_examples=60, deadline=None)
@given(st.integers(NOW - 800 * DAY, NOW), st.sampled_from(["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"]))
def test_a_recount_sees_all_days_of_its_windows_in_any_time_zone(now: int, zone: str) -> None:
    organisation = make_config(timezone=zone).organisation
    calendar = Calendar(organisation.zone, organisation.first_weekday)
    records = {now // DAY - back: 1 for back in range(400)}
    found = {name: WindowComparison(name, 1) for name in ("30d", "month", "quarter")}

    for held in ({}, found):
        for part in plan(now, records, EVERYTHING_KEPT, held).parts:
            for subject in part.subjects:
                if isinstance(subject.window, str):
                    start, end = span_of(subject.window, now, calendar).bounds(calendar)
                    assert part.first * DAY <= start
                    assert min(end, now) <= (part.last + 1) * DAY


@pytest.mark.parametrize(
    ("beginnings", "first_at", "days_ago"),
    [
        ({0: 0, 1: 0}, {0: NOW - 3 * DAY}, 398),
        ({0: 0, 1: 7}, {0: NOW - 3 * DAY, 1: NOW - 90 * DAY}, 88),
        ({0: 5, 1: 7}, {0: NOW - 60 * DAY, 1: NOW - 90 * DAY}, 58),
        ({0: 5, 1: 7}, {1: NOW - 90 * DAY}, -2),
        ({0: 0, 1: 7}, {1: NOW - 900 * DAY}, 398),
    ],
    ids=["whole", "one has lost its head", "the later one", "nothing is left of one", "records are kept for less"],
)
def test_days_of_which_something_has_expired_are_not_compared(
    beginnings: dict[int, int], first_at: dict[int, int], days_ago: int
) -> None:
    assert TODAY - kept_since(NOW, 400 * DAY, beginnings, first_at) == days_ago


def test_rest_is_asked_for_named_windows_by_name_and_for_others_by_dates() -> None:
    records = {TODAY - 60: 1}
    found = {name: WindowComparison(name, 1) for name in WINDOWS}

    subjects = [subject for part in plan(NOW, records, EVERYTHING_KEPT, found).parts for subject in part.subjects]

    assert {"window": "today"} in [subject.parameters for subject in subjects]
    assert subjects[-1].parameters == {"from": "2026-01-15", "to": "2026-02-11"}


# --- Judging


def row(**metrics: int) -> Row:
    return {"metrics": dict(metrics), "bounds": {}}


def rows(**reps: int) -> RecountedRows:
    by_rep = {rep: row(calls_made=calls) for rep, calls in reps.items()}
    return {"organisation": row(), "teams": {}, "reps": by_rep, "idle": row(calls_made=0)}


def test_a_value_is_right_if_it_was_so_before_or_after() -> None:
    for served in (1, 2):
        assert judge("today", rows(ana=1), rows(ana=2), rows(ana=served)) == Judged()


def test_a_value_that_stood_still_is_wrong_if_another_is_served() -> None:
    judged = judge("today", rows(ana=1, bo=1), rows(ana=1, bo=2), rows(ana=7, bo=1))

    assert judged == Judged(wrong=frozenset({("today", What("rep", "ana", "calls_made"))}))


def test_a_value_that_moved_may_be_as_in_between() -> None:
    judged = judge("today", rows(ana=1), rows(ana=3), rows(ana=2))

    assert judged == Judged(moving=frozenset({("today", What("rep", "ana", "calls_made"))}))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6), st.data())
def test_what_is_served_of_any_moment_between_is_never_proved_wrong_at_once(
    moments: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Each value as of a moment of its own: some of what is served is read earlier than the rest."""
    ana, bo = data.draw(st.sampled_from(moments))[0], data.draw(st.sampled_from(moments))[1]
    before, after = (rows(ana=moments[place][0], bo=moments[place][1]) for place in (0, -1))
    suspects = Suspects()

    stood_still = len(set(moments)) == 1
    for _ in range(3):
        suspects.look(judge("today", before, after, rows(ana=ana, bo=bo)), stood_still=stood_still)

    assert suspects.different() == []


def test_leads_are_judged_alike() -> None:
    before = {"a": ("r1", 1), "b": ("r1", 1), "c": ("r1", 1)}
    after = {"a": ("r1", 1), "b": ("r2", 1)}
    served = {"b": ("r3", 1), "d": ("r1", 1)}

    judged = judge_leads(before, after, served)

    assert judged.wrong == {(LEADS, What("lead", "a", "clock")), (LEADS, What("lead", "d", "clock"))}
    assert judged.moving == {(LEADS, What("lead", "b", "clock"))}


def of(value: str) -> What:
    return What("rep", "ana", value)


def wrong(*values: str) -> Judged:
    return Judged(wrong=frozenset(("today", of(value)) for value in values))


def looks(*judged: Judged, stood_still: bool) -> Suspects:
    suspects = Suspects()
    for one in judged:
        suspects.look(one, stood_still=stood_still)
    return suspects


def test_two_looks_at_a_log_that_stands_still_prove_a_value_wrong() -> None:
    once, twice = (looks(*[wrong("x")] * times, stood_still=True) for times in (1, 2))

    assert (once.different(), once.is_settled) == ([], False)
    assert (twice.different(), twice.is_settled) == ([("today", of("x"))], True)


def test_more_are_needed_while_deliveries_come_in() -> None:
    assert looks(*[wrong("x")] * 3, stood_still=False).different() == []
    assert looks(*[wrong("x")] * 4, stood_still=False).different() == [("today", of("x"))]
    assert LOOKS > 4


def test_a_value_that_was_right_once_is_never_suspected_again() -> None:
    suspects = looks(wrong("x", "y"), wrong("x"), *[wrong("x", "y")] * 3, stood_still=False)

    assert suspects.different() == [("today", of("x"))]
    assert suspects.subjects == {"today"}
    assert looks(Judged(), wrong("y"), wrong("y"), stood_still=True).is_settled


def test_what_moves_all_the_time_is_undecided() -> None:
    moving = Judged(moving=frozenset({("today", of("x"))}))
    suspects = looks(*[moving] * LOOKS, stood_still=False)

    assert suspects.different() == []
    assert suspects.outcome("today", 7) == WindowComparison("today", 7, differences=0, undecided=1)
    assert suspects.outcome("week", 7) == WindowComparison("week", 7)


def test_a_difference_is_described_without_whose_it_is_and_what_it_is() -> None:
    values = [
        ("week", What("rep", "Ana: of: north", "bound of lead_response_seconds_p50")),
        ("today", What("organisation", "", "calls_made")),
    ]

    assert described([*values, ("week", What("organisation", "", "calls_made"))]) == [
        Difference("today", "organisation", "calls_made"),
        Difference("week", "rep", "bound of lead_response_seconds_p50"),
    ]
    assert described(("today", What("rep", str(n), "calls_made")) for n in range(50)) == [
        Difference("today", "rep", "calls_made")
    ]
    assert len(described(("today", What("rep", "r", f"metric_{n}")) for n in range(50))) == KEPT_FIRST


def test_from_a_log_that_has_begun_to_expire_only_what_is_over_soon_is_compared() -> None:
    whole: Row = {"metrics": dict.fromkeys(shipped().metrics, 1), "bounds": {"lead_response_seconds_p50": 3.0}}
    rows: Rows = {"organisation": whole, "teams": {"north": whole}, "reps": {"ana": whole}}

    young = of_windows(rows, shipped(), is_whole=False)

    assert young["teams"] == {}
    for kept in (young["organisation"], young["reps"]["ana"]):
        assert kept["bounds"] == {}
        assert "calls_made" in kept["metrics"]
        assert not any(name.startswith(("lead", "deal", "revenue", "win", "sales")) for name in kept["metrics"])
