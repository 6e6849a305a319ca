"""When somebody is away: however many absences there are, and in whatever order they are told."""

import cProfile
import tempfile
from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from schemas.absences import Absence, Absences, Away
from schemas.windows import span_of
from tests.api.reading import Floor
from tests.builders import change

SHARES = st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(0)])
ABSENCES = st.lists(st.builds(Absence, st.integers(0, 12), st.integers(0, 12), SHARES), max_size=7)


def presence(absences: list[Absence], day: int) -> Fraction:
    """By the definition."""
    away = sum((each.share for each in absences if each.first <= day <= each.last), Fraction(0))
    return max(Fraction(0), 1 - away)


@given(ABSENCES, st.integers(-2, 14), st.integers(-2, 14))
def test_somebody_is_there_for_what_their_absences_leave_of_a_day(told: list[Absence], first: int, last: int) -> None:
    absences = Absences(told)

    assert [absences.presence(day) for day in range(-2, 16)] == [presence(told, day) for day in range(-2, 16)]
    stretches = list(absences.away(first, last))
    found = {day: share for begin, end, share in stretches for day in range(begin, end + 1)}
    assert found == {day: there for day in range(first, last + 1) if (there := presence(told, day)) != 1}
    assert sum(end - begin + 1 for begin, end, _ in stretches) == len(found)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 5)), max_size=20))
def test_they_are_told_one_after_the_other_and_stand_in_the_order_of_their_ids(said: list[tuple[str, int]]) -> None:
    away, known = Away(), dict[str, Absence]()
    for id, day in said:
        if id in known:
            away.drop(id)
            del known[id]
        else:
            known[id] = Absence(day, day)
            away.put(id, known[id])

        assert away.all() == tuple(absence for _, absence in sorted(known.items()))


def _work(amount: int) -> int:
    """How often anything is called until a year of somebody with so many absences has been asked for."""
    with tempfile.TemporaryDirectory() as name:
        floor = Floor(Path(name))
        floor.take(
            change("rep", "r1", name="Ana", team="north"),
            *(
                change("absence", f"a{number}", rep="r1", from_="2020-01-01", to="2030-01-01", share="1")
                for number in range(amount)
            ),
        )
        span, scopes = span_of("year", floor.now, floor.view.calendar), list(floor.view.scopes())
        profile = cProfile.Profile()
        profile.enable()
        for scope in scopes:
            floor.view.values(scope, span, floor.now)
        profile.disable()
        return sum(entry.callcount for entry in profile.getstats())


def test_thousands_of_absences_of_one_person_cost_what_they_are() -> None:
    few, many = _work(50), _work(200)

    assert many <= 4 * few
