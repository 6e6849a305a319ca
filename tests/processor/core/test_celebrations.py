"""What was won, for channels: told once, taken back quietly, as their screens ask for it."""

import json
from typing import Any

import pytest

from processor.core.celebrations import CelebrationBook
from schemas.alerts import Alert, Crossing
from schemas.config import Config
from schemas.deals import DealCard, encode_deal
from schemas.floor import Floor
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from tests.builders import instant, make_config

NOW = instant("2026-03-18T12:00Z")
TILES = [{"name": "Wins", "tiles": [{"kind": "wins"}]}]


def configured(*screens: dict[str, Any], **channel: Any) -> Config:
    hook = {"kind": "webhook", "url": "https://example.com"}
    return make_config(
        screens={f"s{number}": {"scenes": TILES, **screen} for number, screen in enumerate(screens)},
        alerts={"channels": {"desk": hook | channel, "home": hook}},
        reps={"r1": {"name": "Ana Lim", "team": "north"}, "r2": {"name": "Ben", "team": "south"}},
        teams={"north": {}, "south": {}},
    )


def celebrating(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"celebrate": [{"on": "deal_won", "to": ["desk"], **rule} for rule in rules], **more}


class Worker:
    """One book after the other on the same rows."""

    def __init__(self, *screens: dict[str, Any], since: int = NOW - DAY, **channel: Any) -> None:
        self.config = configured(*screens, **channel)
        self.rows: dict[str, Alert] = {}
        self.now = NOW
        self.start(since)

    def start(self, now: int = NOW) -> None:
        self.book = CelebrationBook(Floor(self.config))
        for alert in self.rows.values():
            self.book.restore(alert)
        self.rows |= {alert.id: alert for alert in self.book.begin(now)}

    def deal(self, id: str = "d1", at: int | None = NOW, /, **fields: Any) -> "Worker":
        said = {"rep": "r1", "name": None, "amount": "12000", "currency": "USD"} | fields
        card = DealCard(
            id, lead=None, pipeline=None, stage=None, entered_stage_at=None, next_step_at=None, created_at=None,
            won_at=at, **said,
        )  # fmt: skip
        self.book.take_deal(f"deal|{id}".encode(), encode_deal(card))
        return self

    def gone(self, id: str = "d1") -> "Worker":
        self.book.take_deal(f"deal|{id}".encode(), None)
        return self

    def told(self, now: int | None = None) -> list[tuple[str, str]]:
        found = self.book.look(now or self.now, now or self.now)
        self.rows |= {alert.id: alert for _, alert in found}
        return [(channel, alert.notice.title) for channel, alert in found if alert.notice is not None]


WON = ("desk", "Deal won: Ana Lim, $12,000")
BACK = ("desk", "Taken back: Deal won: Ana Lim, $12,000")


def test_a_win_is_told_once_also_after_a_restart_and_is_taken_back() -> None:
    worker = Worker(celebrating({}))
    assert worker.deal().told() == [WON]
    assert worker.deal().told() == []

    worker.start()
    assert worker.deal().told() == []
    assert worker.gone().told() == [BACK]
    assert worker.told() == []


def test_what_was_taken_back_while_no_worker_ran_is_told_by_the_next_one() -> None:
    worker = Worker(celebrating({}))
    worker.deal().told()

    worker.start()

    assert worker.told() == [BACK]


@pytest.mark.parametrize(("again", "second"), [(False, []), (True, [WON])])
def test_a_deal_that_is_won_a_second_time_is_told_again_only_if_asked(
    again: bool, second: list[tuple[str, str]]
) -> None:  # fmt: skip
    worker = Worker(celebrating({"again": again}))
    assert worker.deal().told() == [WON]
    assert worker.deal("d1", None).told() == [BACK]

    assert worker.deal("d1", NOW + MINUTE).told(NOW + MINUTE) == second


@pytest.mark.parametrize("again", [False, True])
def test_reopened_and_won_again_between_two_looks_is_as_if_both_were_seen(again: bool) -> None:
    worker = Worker(celebrating({"again": again}))
    worker.deal().told()
    worker.deal("d1", None).deal("d1", NOW + MINUTE)

    assert worker.told(NOW + MINUTE) == ([BACK, WON] if again else [])


@pytest.mark.parametrize("again", [False, True])
def test_another_instant_of_the_same_win_says_nothing(again: bool) -> None:
    worker = Worker(celebrating({"again": again}))
    worker.deal().told()

    assert worker.deal("d1", NOW - MINUTE).told() == []
    assert worker.gone().told() == [BACK]


def test_small_deals_wait_for_their_amount_and_other_teams_are_another_screens() -> None:
    worker = Worker(celebrating({"at_least": "10000"}, teams=["north"]))

    assert worker.deal("small", amount="9999").deal("south", rep="r2").deal("open", amount=None).told() == []
    assert worker.deal("open", amount="10000", name="Acme").told() == [("desk", "Deal won: Ana Lim, $10,000 · Acme")]


def test_a_channel_of_two_screens_is_told_once_by_the_stricter_names() -> None:
    worker = Worker(
        celebrating({}, privacy={"names": "first"}), celebrating({"again": True, "to": ["desk", "home"]}, language="de")
    )

    assert worker.deal().told() == [
        ("desk", "Deal won: Ana, $12,000"), ("home", "Geschäft gewonnen: Ana Lim, 12.000\xa0$"),
    ]  # fmt: skip


def test_what_programs_are_told_is_the_win_of_the_stream_by_the_same_names() -> None:
    worker = Worker(celebrating({}), names="none")
    ((_, alert),) = worker.deal(name="Deal with Ana").book.look(NOW, NOW)
    assert alert.notice is not None
    win = json.loads(alert.notice.data)

    assert (win["win"], win["withdrawn"]) == ("deal_won:d1:2026-03-18T12:00:00.000Z", False)
    assert (win["name"], win["deal_name"], win["photo"]) == (None, None, None)
    assert "Ana" not in alert.notice.title


def test_what_was_won_long_before_is_not_told() -> None:
    worker = Worker(celebrating({}), since=NOW)

    assert worker.deal("old", NOW - 2 * HOUR).deal("older", NOW - 5 * DAY).told() == []
    assert worker.deal("fresh", NOW - HOUR + SECOND).told() == [WON]


def test_a_deal_that_is_to_be_won_is_told_when_its_instant_has_come() -> None:
    worker = Worker(celebrating({}))

    assert worker.deal("d1", NOW + MINUTE).told() == []
    assert worker.told(NOW + MINUTE - 1) == []
    assert worker.told(NOW + MINUTE) == [WON]


def milestone(limit: float, **fields: Any) -> Alert:
    crossing = Crossing("quota", "team", "calls_made", "month", "reaches", limit, limit, unit="ratio")
    said: dict[str, Any] = {"rep": None, "team": "north", "resolved_at": None} | fields
    return Alert(
        f"goal:quota:team:north:2026-03-01:{limit:g}", "goal", "warn", None, said["rep"], said["team"], NOW, NOW, NOW,
        said["resolved_at"], crossing=crossing, quiet=said.get("quiet", ""),
    )  # fmt: skip


def test_a_milestone_to_which_no_webhook_led_is_told_to_nobody() -> None:
    worker = Worker({"celebrate": [{"on": "goal_reached", "to": ["desk"]}]})

    worker.book.note_goal(milestone(1.0, quiet="silent"))
    assert worker.told() == []
    worker.book.note_goal(milestone(1.0, quiet="silent", resolved_at=NOW))
    assert worker.told() == []


def test_goals_and_milestones_are_wins_as_well() -> None:
    worker = Worker({"celebrate": [{"on": "goal_reached", "to": ["desk"]}, {"on": "milestone", "to": ["home"]}]})
    for limit in (0.5, 1.0):
        worker.book.note_goal(milestone(limit))

    assert worker.told() == [
        ("home", "50% of the goal: Calls made: north"),
        ("desk", "Goal reached: Calls made: north"),
    ]
    worker.book.note_goal(milestone(1.0, resolved_at=NOW))
    assert worker.told() == [("desk", "Taken back: Goal reached: Calls made: north")]


def test_nobody_is_told_where_no_screen_asks_for_it() -> None:
    worker = Worker({"celebrate": [{"on": "deal_won"}]})

    assert not worker.book.is_needed
    assert worker.deal().told() == []


def test_what_no_webhook_told_first_is_told_to_nobody_and_what_was_told_stays() -> None:
    worker = Worker(celebrating({}))
    assert worker.deal(is_quiet=True).told() == []
    worker.start()
    assert worker.deal(is_quiet=True).told() == []
    assert worker.gone().told() == []

    assert worker.deal("d2").told() == [WON]
    # After a replay nobody knows any more that a webhook had told it: it is won all the same.
    assert worker.deal("d2", is_quiet=True).told() == []
    assert worker.gone("d2").told() == [BACK]
