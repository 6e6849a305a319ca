"""The roster: the file wins field by field, aliases speak together, moves hold from their day on."""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from schemas.config import Config
from schemas.instants import DAY
from schemas.people import Roster
from schemas.records import Record
from schemas.windows import Calendar, date_of, day_from
from tests.builders import change, instant, make_config

NOON = instant("2026-03-18T12:00Z")
TODAY = NOON // DAY


def make_roster(config: Config) -> Roster:
    return Roster(config, Calendar(config.organisation.zone, config.organisation.first_weekday))


def tell(roster: Roster, rep: str, *changes: tuple[int, dict[str, Any]]) -> tuple[str | None, bool]:
    """Apply a record with these changes; none of them: its tombstone."""
    record = Record("rep")
    for at, fields in changes:
        record.fold(change("rep", rep, at, **fields))
    return roster.apply(f"rep|{rep}".encode(), record.encode() if changes else None)


def test_file_wins_field_by_field() -> None:
    roster = make_roster(make_config(teams={"north": {}}, reps={"r1": {"name": "Ana", "active": False}}))
    tell(roster, "r1", (NOON, {"name": "Anna", "email": "a@example.com", "team": "west", "active": True}))

    person = roster.people["r1"]

    assert (person.name, person.email, person.active) == ("Ana", "a@example.com", False)
    assert person.team_on(TODAY) == "west"


def test_team_of_the_file_holds_on_every_day() -> None:
    roster = make_roster(make_config(teams={"north": {}}, reps={"r1": {"team": "north"}}))
    tell(roster, "r1", (NOON, {"team": "west"}))

    assert {roster.team_on("r1", day) for day in (0, TODAY, TODAY + 1)} == {"north"}
    assert "west" in roster.team_names


def test_first_known_team_extends_backwards_and_a_move_holds_from_its_day() -> None:
    roster = make_roster(make_config())
    tell(roster, "r1", (NOON, {"team": "north"}), (NOON + 2 * DAY, {"team": "south"}), (NOON + 4 * DAY, {"team": None}))

    teams = [roster.team_on("r1", TODAY + offset) for offset in (-100, 0, 1, 2, 3, 4, 5)]

    assert teams == ["north", "north", "north", "south", "south", None, None]


def test_last_move_of_a_day_is_the_one_of_that_day() -> None:
    roster = make_roster(make_config())
    tell(roster, "r1", (NOON, {"team": "north"}), (NOON + 1, {"team": "south"}))

    assert roster.team_on("r1", TODAY) == "south"


def test_day_of_a_move_is_the_organisations() -> None:
    roster = make_roster(make_config(timezone="Asia/Kuala_Lumpur"))
    late = instant("2026-03-18T16:30Z")  # half past midnight there
    tell(roster, "r1", (NOON - 9 * DAY, {"team": "north"}), (late, {"team": "south"}))

    assert roster.team_on("r1", TODAY) == "north"
    assert roster.team_on("r1", TODAY + 1) == "south"


def test_records_of_one_person_speak_together() -> None:
    config = make_config(reps={"r1": {"aliases": {"feed": ["crm-7", "dialer-9"]}}})
    roster = make_roster(config)
    assert tell(roster, "crm-7", (NOON, {"name": "Ana", "team": "north"})) == ("r1", True)
    tell(roster, "dialer-9", (NOON - 1, {"name": "A.", "email": "a@example.com"}), (NOON + 2 * DAY, {"team": "south"}))

    assert (roster.people["r1"].name, roster.people["r1"].email) == ("Ana", "a@example.com")
    assert [roster.team_on("r1", TODAY + n) for n in (0, 2)] == ["north", "south"]
    assert set(roster.people) == {"r1"}

    tell(roster, "dialer-9")
    assert roster.team_on("r1", TODAY + 2) == "north"


def test_deleted_record_says_nothing() -> None:
    roster = make_roster(make_config())
    tell(roster, "r1", (NOON, {"name": "Ana", "team": "north"}))
    tell(roster, "r1", (NOON, {"name": "Ana", "team": "north"}), (NOON + 1, {"deleted": True}))

    assert roster.people == {}
    assert roster.team_names == {}
    assert roster.name_of("r1") == "r1"


def test_tombstone_leaves_what_the_file_says() -> None:
    roster = make_roster(make_config(reps={"r1": {"name": "Ana"}}))
    tell(roster, "r1", (NOON, {"team": "north"}))
    tell(roster, "r1")

    assert roster.people["r1"].name == "Ana"
    assert roster.team_on("r1", TODAY) is None
    assert roster._records == {}


@pytest.mark.parametrize(
    ("fields", "has_moved"), [({"name": "Anna"}, False), ({"team": "south"}, True), ({"active": False}, False)]
)
def test_it_says_whether_any_day_has_another_team(fields: dict[str, Any], has_moved: bool) -> None:
    roster = make_roster(make_config())
    tell(roster, "r1", (NOON, {"name": "Ana", "team": "north"}))

    assert tell(roster, "r1", (NOON, {"name": "Ana", "team": "north"}), (NOON + DAY, fields)) == ("r1", has_moved)


def test_teams_are_those_of_the_file_and_all_that_anybody_was_ever_in() -> None:
    roster = make_roster(make_config(teams={"z": {"name": "Zed"}, "b": {}}))
    tell(roster, "r1", (NOON, {"team": "old"}), (NOON + DAY, {"team": "new"}))

    assert roster.team_names == {"b": "b", "new": "new", "old": "old", "z": "Zed"}


def test_person_without_a_name_is_called_by_their_id() -> None:
    roster = make_roster(make_config())
    tell(roster, "r1", (NOON, {"team": "north"}))

    assert roster.name_of("r1") == "r1"
    assert roster.people["r1"].active


def test_since_and_until_are_days_of_the_organisation_however_they_are_said() -> None:
    roster = make_roster(
        make_config(
            timezone="Asia/Kuala_Lumpur",
            reps={"r1": {"since": "2026-03-01", "region": "east", "attributes": {"desk": "4"}}, "r2": {}},
        )
    )
    tell(roster, "r1", (NOON, {"since": "2025-01-01", "region": "west", "role": "ae", "photo": "a.png"}))
    tell(roster, "r2", (NOON, {"since": instant("2026-03-17T16:30Z"), "until": "2026-03-31", "attributes": '{"a":1}'}))

    one, two = roster.people["r1"], roster.people["r2"]

    assert (date_of(one.since or 0), one.region, one.role, one.photo) == (date(2026, 3, 1), "east", "ae", "a.png")
    assert one.attributes == {"desk": "4"}
    assert (date_of(two.since or 0), date_of(two.until or 0)) == (date(2026, 3, 18), date(2026, 3, 31))
    assert two.attributes == {"a": 1}


def test_absences_are_the_persons_under_whatever_id_and_go_where_the_record_goes() -> None:
    roster = make_roster(make_config(reps={"r1": {"aliases": {"feed": ["old"]}}, "r2": {}}))

    def away(*changes: dict[str, Any]) -> tuple[str | None, bool]:
        record = Record("absence")
        for number, fields in enumerate(changes):
            record.fold(change("absence", "a", NOON + number, **fields))
        return roster.apply(b"absence|a", record.encode() if changes else None)

    said = {"rep": "old", "from": "2026-03-18", "to": "2026-03-20"}
    assert away(said) == ("r1", False)
    assert [(each.last - each.first, each.share) for each in roster.people["r1"].absences] == [(2, Fraction(1))]
    assert away(said, {"rep": "r2", "share": "0.5"}) == ("r2", False)
    assert roster.people["r1"].absences == ()
    assert [each.share for each in roster.people["r2"].absences] == [Fraction(1, 2)]
    assert away(said, {"to": None}) == ("r2", False)
    assert roster.people["r2"].absences == ()
    away(said)
    assert away() == ("r1", False)
    assert roster.people["r1"].absences == ()


@pytest.mark.parametrize(
    ("file", "record", "last", "has_goals"),
    [
        ({}, {}, None, True),
        ({}, {"active": False}, "2026-03-18", True),
        ({}, {"active": False, "until": "2026-03-01"}, "2026-03-01", True),
        ({"active": True}, {"active": False}, None, True),
        ({"active": False}, {"active": False}, None, False),
        ({"active": False, "until": "2026-04-01"}, {}, "2026-04-01", True),
    ],
)
def test_the_last_day_is_as_said_else_that_of_the_word_that_they_are_gone(
    file: dict[str, Any], record: dict[str, Any], last: str | None, has_goals: bool
) -> None:
    roster = make_roster(make_config(reps={"r1": file}))
    tell(roster, "r1", (NOON, record))

    person = roster.people["r1"]
    assert person.last_day == (None if last is None else day_from(date.fromisoformat(last)))
    assert person.has_goals == has_goals
