"""What of people a screen is told."""

from typing import Any

import pytest

from api.read.discretion import Discretion, Moves, Ranking, ScreenAudience
from schemas.naming import NameStyle, alias, first_name, id_told

CALLS = Ranking("today", "calls_made", None, by_goal=False, lower_first=False)


def rep(id: str, calls: int | None, name: str = "", team: str = "north") -> dict[str, Any]:
    metrics = {"calls_made": calls, "emails_sent": 1}
    return {
        "rep": id,
        "name": name or id.upper(),
        "team": team,
        "window": {},
        "as_of": "",
        "metrics": metrics,
        "bounds": {},
    }


FIVE = [rep("a", 9), rep("b", 7), rep("c", 5), rep("d", 0), rep("e", 2, team="south")]


def told(discretion: Discretion, window: str, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a screen is told of these people."""
    screen = ScreenAudience(discretion)
    for row in rows:
        screen.take(window, row)
    screen.settle()
    return {row["rep"]: shown for row in rows if (shown := screen.row(window, row)) is not None}


@pytest.mark.parametrize(
    ("privacy", "shown"),
    [
        ({}, ["a", "b", "c", "d", "e"]),
        ({"top": 2}, ["a", "b"]),
        ({"hide_zero": True}, ["a", "b", "c", "e"]),
        ({"min_group": 4, "hide_zero": True}, ["a", "b", "c", "e"]),
        ({"min_group": 5, "hide_zero": True}, []),
        ({"min_group": 6}, []),
        ({"min_group": 3, "top": 1}, ["a"]),
    ],
)
def test_who_is_not_shown_is_not_sent(privacy: dict[str, Any], shown: list[str]) -> None:
    assert sorted(told(Discretion("floor", rankings=(CALLS,), **privacy), "today", FIVE)) == shown


def test_a_ranking_of_a_team_is_of_its_people() -> None:
    ranking = Ranking("today", "calls_made", "south", by_goal=False, lower_first=False)

    assert list(told(Discretion("floor", top=3, rankings=(ranking,)), "today", FIVE)) == ["e"]


def test_of_those_who_are_shown_only_what_they_are_shown_with_is_sent() -> None:
    discretion = Discretion("floor", top=1, rankings=(CALLS,))

    assert told(discretion, "today", FIVE)["a"]["metrics"] == {"calls_made": 9}
    assert told(discretion, "month", FIVE) == {}


def test_where_lower_is_better_the_lowest_comes_first() -> None:
    ranking = Ranking("today", "calls_made", None, by_goal=False, lower_first=True)

    assert list(told(Discretion("floor", top=2, rankings=(ranking,)), "today", [*FIVE, rep("f", None)])) == ["d", "e"]


@pytest.mark.parametrize(
    ("names", "name", "told"),
    [
        ("full", "Ana Lim", "Ana Lim"),
        ("first", "Ana Lim", "Ana"),
        ("first", "Lim, Ana Maria", "Ana"),
        ("first", "ana.lim@example.com", "ana"),
        ("first", "Ana Lim, Jr.", "Ana"),
        ("first", "王小明", "小明"),
        ("first", "王 小明", "小明"),
        ("first", "欧阳娜", "娜"),
        ("first", "陳方安生", "安生"),
        ("first", "김민수", "민수"),
        ("first", "شیرین احمدی", "شیرین"),
        ("none", "Ana Lim", None),
    ],
)
def test_what_people_are_called(names: NameStyle, name: str, told: str | None) -> None:
    assert Discretion("floor", names=names).name_of("r-1", name) == told


def test_an_alias_is_the_same_everywhere_and_says_nothing() -> None:
    row = told(Discretion("floor", names="alias"), "today", [rep("ana@example.com", 3, "Ana Lim")])["ana@example.com"]

    assert row["name"] == alias("ana@example.com")
    assert "ana" not in (row["name"] + row["rep"]).casefold()
    assert alias("ana@example.com") != alias("ben@example.com")


def test_a_first_name_of_one_word_is_that_word() -> None:
    assert first_name("Ana") == "Ana"


def test_a_lead_of_somebody_who_is_not_shown_names_nobody() -> None:
    discretion = Discretion("floor", top=1, rankings=(CALLS,))
    lead = {"lead": "l-1", "rep": "b", "name": "B", "team": "north", "lead_name": "Globex"}

    assert discretion.lead(lead, {"a"}) == lead | {"rep": None, "name": None}
    assert discretion.lead(lead, {"b"}) == lead


def test_who_answers_is_named_as_everybody_is() -> None:
    lead = {"lead": "l-1", "rep": None, "name": None, "answered_rep": "b", "answered_by": "Ben Tan"}

    assert Discretion("floor", names="first").lead(lead, set())["answered_by"] == "Ben"


def test_who_falls_out_of_a_ranking_is_named_and_only_a_snapshot_can_say_it() -> None:
    screen = ScreenAudience(Discretion("floor", top=2, rankings=(CALLS,)))
    for row in FIVE:
        screen.take("today", row)
    assert screen.settle() == Moves(frozenset({("today", "a"), ("today", "b")}), is_less=False)

    screen.take("today", rep("a", 10))
    assert screen.settle() == Moves()
    screen.take("today", rep("c", 8))
    assert screen.settle() == Moves(frozenset({("today", "b"), ("today", "c")}), is_less=True)
    assert [who in screen for who in "abc"] == [True, False, True]
    screen.forget("a")
    assert screen.settle() == Moves(frozenset({("today", "a"), ("today", "b")}), is_less=True)


def test_a_win_goes_by_names_and_not_by_who_is_shown() -> None:
    win = {"win": "w", "rep": "z", "name": "Zoe Dubois", "photo": "/photos/z"}

    discretion = Discretion("floor", top=1, names="first")
    hidden = discretion.id_of("z")
    assert discretion.win(win) == {"win": "w", "rep": hidden, "name": "Zoe", "photo": f"/photos/{hidden}"}
    assert Discretion("floor", top=1, names="alias").win(win)["photo"] is None


def test_no_name_of_a_win_or_an_alert_names_somebody_whom_the_screen_does_not_name() -> None:
    win = {"win": "goal_reached:quota:rep:z@x:1", "cause": "goal_reached", "rep": "z@x", "name": "Zoe", "goal": "quota"}
    alert = {"id": "few:0a:rep:z@x:2026-03-18", "lead": None, "rep": "z@x", "name": "Zoe"}
    discretion = Discretion("floor", names="alias")

    assert discretion.win(win)["win"].startswith("goal_reached:x-")
    assert discretion.win(win) == discretion.win(win)
    assert "z@x" not in str(discretion.win(win)) + str(discretion.lead(alert, set()))
    assert "z@x" not in str(Discretion("floor", top=1).lead(alert, set()))
    assert Discretion("floor", top=1).win(win) == win
    assert discretion.win(win | {"win": "deal_won:d", "goal": None, "deal_name": "Zoe"})["deal_name"] is None


@pytest.mark.parametrize(
    ("names", "photo"),
    [("full", "/photos/z"), ("first", f"/photos/{id_told('first', 'z')}"), ("alias", None), ("none", None)],
)
@pytest.mark.parametrize("top", [None, 5])
def test_a_face_is_shown_of_who_is_called_by_a_name(names: Any, photo: str | None, top: int | None) -> None:
    row = {"rep": "z", "name": "Zoe Dubois", "team": None, "photo": "/photos/z", "metrics": {"calls_made": 3}}
    shown = told(Discretion("floor", rankings=(CALLS,), names=names, top=top), "today", [row])

    assert [each.get("photo") for each in shown.values()] == [photo]
