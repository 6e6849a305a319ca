"""Milestones of goals: told the first time in a period, resolved when attainment falls; all end with the period."""

from typing import Any

from api.read.view import View
from processor.agents.channels.wording import Wording
from processor.core.milestones import MilestoneBook
from processor.core.thresholds import is_told
from schemas.alerts import Alert, crossing_fields, decode_alert, encode_alert
from schemas.config import Config
from schemas.instants import DAY
from schemas.records import RecordChange
from tests.api.reading import ToldPipeline
from tests.builders import change, instant, make_config

NOW = instant("2026-03-18T12:00Z")
QUOTA = {
    "metric": "calls_made", "period": "month", "milestones": [0.5, 1],
    "amounts": [{"each": 4}, {"team": "north", "amount": 10}],
}  # fmt: skip


def config_of(goal: dict[str, Any] = QUOTA) -> Config:
    return make_config(teams={"north": {}}, reps={"r1": {"team": "north"}, "r2": {}}, goals={"quota": goal})


class Watched:
    """A floor that a book looks at after each batch."""

    def __init__(self, config: Config | None = None) -> None:
        config = config or config_of()
        self.view = View(config)
        self.pipeline = ToldPipeline(config, self.view)
        self.book = MilestoneBook(self.view)
        self.now = NOW
        self.view.take_changes()

    def take(self, *changes: RecordChange, is_quiet: bool = False) -> list[Alert]:
        self.pipeline.take(changes)
        told = self.view.take_changes()
        for pane in told.panes:
            self.book.note_pane(pane, is_quiet=is_quiet)
        if told.reps or told.goals:
            self.book.note_roster()
        return self.look()

    def look(self) -> list[Alert]:
        found = self.book.look(self.now, self.now)
        while self.book.is_behind:
            found += self.book.look(self.now, self.now)
        return found


def calls(rep: str, *numbers: int, at: int = NOW - DAY, deleted: bool | None = None) -> list[RecordChange]:
    return [
        change("call", f"{rep}-{number}", at + (deleted is not None), rep=rep, direction="outbound", dialed_at=at,
               deleted=deleted)
        for number in numbers
    ]  # fmt: skip


def told(alerts: list[Alert]) -> list[tuple[Any, ...]]:
    return sorted(
        (alert.event, alert.crossing.per, alert.rep or alert.team or "", alert.crossing.limit, alert.crossing.value)
        for alert in alerts
        if alert.crossing is not None
    )  # fmt: skip


def test_a_milestone_that_is_reached_by_what_no_webhook_told_is_reached_without_a_word() -> None:
    floor = Watched()

    assert floor.take(*calls("r1", 1)) == []
    (half,) = floor.take(*calls("r1", 2), change("rep", "r3", NOW, team="north"), is_quiet=True)
    assert (half.quiet, is_told(half)) == ("silent", False)
    assert {alert.quiet for alert in floor.take(*calls("r1", 3, 4, 5))} == {""}
    assert all(is_told(alert) is (alert.id != half.id) for alert in floor.take(*calls("r1", 2, 3, 4, 5, deleted=True)))


def test_each_milestone_is_told_the_first_time_that_it_is_reached() -> None:
    floor = Watched()

    assert told(floor.take(*calls("r1", 1))) == []
    assert told(floor.take(*calls("r1", 2))) == [("raised", "rep", "r1", 0.5, 0.5)]
    assert told(floor.take(*calls("r1", 3))) == []
    assert told(floor.take(*calls("r1", 4, 5))) == [
        ("raised", "organisation", "", 0.5, 0.625), ("raised", "rep", "r1", 1.0, 1.25),
        ("raised", "team", "north", 0.5, 0.5),
    ]  # fmt: skip


def test_it_is_resolved_when_attainment_falls_and_not_raised_again_in_that_period() -> None:
    floor = Watched()
    floor.take(*calls("r1", 1, 2))

    assert told(floor.take(*calls("r1", 2, deleted=True))) == [("resolved", "rep", "r1", 0.5, 0.25)]
    assert told(floor.take(*calls("r1", 3))) == []
    floor.now += 31 * DAY
    assert told(floor.take(*calls("r1", 11, 12, at=floor.now - DAY))) == [("raised", "rep", "r1", 0.5, 0.5)]


def test_what_is_open_ends_with_its_period() -> None:
    floor = Watched()
    floor.take(*calls("r1", 1, 2))
    floor.now += 31 * DAY

    (alert,) = floor.look()

    assert alert.crossing is not None
    assert (alert.event, alert.crossing.is_over) == ("resolved", True)


def test_another_target_counts_at_once() -> None:
    floor = Watched()
    floor.take(*calls("r1", 1))

    said = change("goal", "g1", NOW, goal="quota", rep="r1", since="2026-03-01", amount=2)

    assert told(floor.take(said)) == [("raised", "rep", "r1", 0.5, 0.5)]


def test_a_restart_tells_nothing_twice_and_ends_what_is_no_goal_any_more() -> None:
    floor = Watched()
    (raised,) = floor.take(*calls("r1", 1, 2))

    again = MilestoneBook(floor.view)
    again.restore(raised)
    assert again.is_needed
    assert again.look(NOW, NOW) == []

    other = config_of(QUOTA | {"milestones": []})
    without = MilestoneBook(View(other))
    without.restore(raised)
    assert without.is_needed
    (closed,) = without.look(NOW, NOW)
    assert (closed.id, closed.event) == (raised.id, "resolved")
    assert not without.is_needed
    assert without.forget(NOW + 1) == [raised.id]


def test_it_is_shown_with_its_goal() -> None:
    (alert,) = Watched().take(*calls("r1", 1, 2))

    assert decode_alert(encode_alert(alert)) == alert
    assert (alert.kind, alert.level, alert.rep, alert.team) == ("goal", "warn", "r1", "north")
    assert crossing_fields(alert) == {
        "goal": "quota", "milestone": 0.5, "attainment": 0.5, "per": "rep", "metric": "calls_made", "over": False,
        "period": {"name": "month", "from": "2026-03-01T00:00:00.000Z", "to": "2026-04-01T00:00:00.000Z"},
    }  # fmt: skip
    told = Wording(config_of(QUOTA)).told([alert]).headline
    assert told == "Goal quota this month, rep r1 (team north): 50%, reached 50%"


def test_without_milestones_nothing_is_looked_at() -> None:
    config = config_of(QUOTA | {"milestones": []})
    book = MilestoneBook(View(config))

    assert (book.is_needed, book.oldest(NOW), book.look(NOW, NOW)) == (False, {}, [])
