"""Crossings: told once, whatever the order and batching of panes and looks; by the business clock; across restarts."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from processor.core.thresholds import ThresholdBook, is_beyond, is_told
from schemas.alerts import Alert
from schemas.config import Config
from schemas.config.alerts import Threshold
from schemas.floor import Floor, ScopeValues
from schemas.instants import DAY, HOUR, MINUTE, SECOND, from_datetime, to_datetime
from schemas.panes import encode_pane, pane_key
from schemas.windows import day_window, minute_window
from tests.builders import instant, make_config
from tests.panes import pane_of

NINE = instant("2026-03-18T09:00Z")  # a Wednesday
ELEVEN = NINE + 2 * HOUR
FEW = {"metric": "calls_made", "per": "rep", "below": 10, "at": "11:00"}
MILLION = {"metric": "revenue_won", "per": "organisation", "window": "quarter", "reaches": "1000000.00"}
REPS = {"r1": {"team": "north"}, "r2": {"team": "south"}}
OFFICE = {"timezone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-18:00"]}}


def configured(thresholds: dict[str, Any], **sections: Any) -> Config:
    sections.setdefault("teams", {"north": {}, "south": {}})
    sections.setdefault("reps", REPS)
    return make_config(alerts={"thresholds": thresholds}, **sections)


class Desk:
    """A floor and its book, and every alert as it was last written."""

    def __init__(self, config: Config, rows: Iterable[Alert] = ()) -> None:
        self.config = config
        self.floor = Floor(config)
        self.book = ThresholdBook(config, self.floor)
        self.alerts: dict[str, Alert] = {}
        self.turned: list[Alert] = []
        for row in rows:
            self.alerts[row.id] = row
            self.book.restore(row)

    def did(
        self, rep: str | None, at: int, *, origin: str = "ledger.0", is_quiet: bool = False, **measures: Any
    ) -> None:
        """What a rep has done in the minute and on the day of `at`, all of it."""
        for window in (minute_window(at), day_window(self.floor.calendar.day_of(at))):
            value = encode_pane(pane_of(**measures)) if measures else None
            changed = self.floor.take_pane(pane_key(origin, rep, window), value)
            if changed is not None:
                self.book.note_pane(changed, is_quiet=is_quiet)

    def look(self, as_of: int, *, most: int = 250) -> list[Alert]:
        """Look until all is looked at; the alerts that turned."""
        found = self.book.look(as_of, as_of, most)
        while self.book.is_behind:
            found += self.book.look(as_of, as_of, most)
        return self._keep(found)

    def begin(self, now: int) -> list[Alert]:
        return self._keep(self.book.begin(now))

    def _keep(self, found: list[Alert]) -> list[Alert]:
        self.alerts |= {alert.id: alert for alert in found}
        self.turned += found
        return found

    @property
    def open(self) -> list[Alert]:
        return [alert for alert in self.alerts.values() if alert.is_open]

    def restarted(self, now: int) -> "Desk":
        """Another process that reads back what was written, and all panes."""
        other = Desk(self.config, self.alerts.values())
        other.begin(now)
        store = self.floor.store
        for window in store.windows():
            for origin, place in store.all_in(window):
                value = store.held(window, origin, place)
                assert isinstance(value, bytes)
                other.floor.take_pane(pane_key(origin, store.names[place], window), value)
        return other


def events(alerts: Iterable[Alert]) -> list[tuple[str, str | None]]:
    return sorted((alert.event, alert.rep) for alert in alerts)


def test_too_few_calls_by_eleven_are_raised_at_eleven_without_any_event() -> None:
    desk = Desk(configured({"few": FEW}))
    desk.did("r1", NINE, calls_made=10)
    desk.did("r2", NINE, calls_made=9)

    assert desk.look(ELEVEN - 1) == []
    (alert,) = desk.look(ELEVEN)

    crossing = alert.crossing
    assert crossing is not None
    assert (alert.kind, alert.rep, alert.team, alert.due_at, alert.is_late) == (
        "metric_threshold", "r2", "south", ELEVEN, False,
    )  # fmt: skip
    assert (crossing.metric, crossing.window, crossing.value, crossing.limit) == ("calls_made", "today", 9, 10)
    assert desk.look(ELEVEN + HOUR) == []


def test_a_call_too_late_resolves_it_and_its_deletion_opens_it_again_untold() -> None:
    desk = Desk(configured({"few": FEW}, reps={"r2": {}}))
    desk.did("r2", NINE, calls_made=9)
    desk.look(ELEVEN)

    desk.did("r2", NINE, calls_made=10)
    (resolved,) = desk.look(ELEVEN + MINUTE)
    desk.did("r2", NINE, calls_made=8)
    (reopened,) = desk.look(ELEVEN + 2 * MINUTE)

    assert [(alert.event, is_told(alert)) for alert in (resolved, reopened)] == [
        ("resolved", True),
        ("reopened", False),
    ]
    assert resolved.crossing is not None
    assert (resolved.crossing.value, resolved.crossing.is_over) == (10, False)
    assert reopened.crossing is not None
    assert reopened.crossing.value == 8
    assert resolved.id == reopened.id


def test_the_day_after_is_another_crossing_and_the_old_one_is_over() -> None:
    desk = Desk(configured({"few": FEW}, reps={"r2": {}}))
    (first,) = desk.look(ELEVEN)

    (over,) = desk.look(ELEVEN + 13 * HOUR)
    (second,) = desk.look(ELEVEN + DAY)

    assert over.id == first.id
    assert over.crossing is not None
    assert over.crossing.is_over
    assert second.id != first.id
    assert second.due_at == ELEVEN + DAY


def test_a_milestone_is_crossed_not_equalled() -> None:
    desk = Desk(configured({"million": MILLION}))
    desk.did("r1", NINE, revenue_won="999999.99")
    assert desk.look(NINE) == []

    desk.did(None, NINE, revenue_won="250000")
    (alert,) = desk.look(NINE + SECOND)

    assert alert.crossing is not None
    assert (alert.crossing.value, alert.crossing.limit, alert.crossing.currency) == ("1249999.99", "1000000.00", "USD")
    assert (alert.rep, alert.team, alert.started_at) == (None, None, instant("2026-01-01T00:00Z"))


@pytest.mark.parametrize("most", [1, 250])
def test_a_limit_that_is_crossed_by_what_no_webhook_told_is_crossed_without_a_word(most: int) -> None:
    """Of one who was moved by a webhook too there is one, and what is too little is so because of the time."""
    much = {"metric": "calls_made", "per": "rep", "reaches": 10}
    few = {"metric": "calls_made", "per": "rep", "window": "7d", "below": 3}
    desk = Desk(configured({"much": much, "few": few}, reps={"r1": {}, "r2": {}}))
    for rep in ("r1", "r2"):
        desk.did(rep, NINE, calls_made=9)
    assert desk.look(NINE, most=most) == []

    desk.did("r1", NINE, calls_made=12, is_quiet=True)
    desk.did("r2", NINE, calls_made=11)
    desk.did("r2", NINE, calls_made=12, is_quiet=True)
    raised = desk.look(NINE + SECOND, most=most)
    assert sorted((alert.rep, alert.quiet, is_told(alert)) for alert in raised) == [
        ("r1", "silent", False),
        ("r2", "", True),
    ]

    for rep in ("r1", "r2"):
        desk.did(rep, NINE, calls_made=2, is_quiet=True)
    turned = sorted((alert.event, alert.rep, is_told(alert)) for alert in desk.look(NINE + 2 * SECOND, most=most))
    assert turned == [
        ("raised", "r1", True),
        ("raised", "r2", True),
        ("resolved", "r1", False),
        ("resolved", "r2", True),
    ]


def test_a_rolling_window_falls_below_by_itself_and_each_crossing_is_another_alert() -> None:
    quiet = {"metric": "calls_made", "per": "team", "teams": ["north"], "window": "15m", "below": 1}
    desk = Desk(configured({"quiet": quiet}))
    desk.did("r1", NINE, calls_made=1)
    assert desk.look(NINE + 14 * MINUTE) == []

    (first,) = desk.look(NINE + 15 * MINUTE)
    desk.did("r1", NINE + 20 * MINUTE, calls_made=2)
    (resolved,) = desk.look(NINE + 20 * MINUTE)
    (second,) = desk.look(NINE + 35 * MINUTE)

    assert [alert.event for alert in (first, resolved, second)] == ["raised", "resolved", "raised"]
    assert (first.id == resolved.id, first.id == second.id, first.subject == second.subject) == (True, False, True)
    assert desk.restarted(NINE + 40 * MINUTE).look(NINE + 40 * MINUTE) == []


def test_a_forgotten_crossing_does_not_lend_its_id_to_another() -> None:
    quiet = {"metric": "calls_made", "per": "organisation", "window": "5m", "below": 1}
    desk = Desk(configured({"quiet": quiet}))
    for at in (NINE, NINE + HOUR):
        desk.look(at)
        desk.did("r1", at + MINUTE, calls_made=1)
        desk.look(at + MINUTE)

    forgotten = desk.book.forget(NINE + DAY)
    (third,) = desk.look(NINE + 2 * HOUR)

    assert len(forgotten) == 1
    assert third.id not in desk.alerts.keys() - {third.id}


def test_a_lead_that_becomes_due_is_seen_without_an_event() -> None:
    due = {"metric": "leads_due", "per": "rep", "above": 0}
    slow = {"metric": "lead_response_seconds_p90", "per": "organisation", "above": 7200}
    desk = Desk(configured({"due": due, "slow": slow}))
    desk.did("r1", NINE, pending=[(NINE, NINE + HOUR + 7 * SECOND)])

    assert desk.look(NINE + HOUR) == []
    (alert,) = desk.look(NINE + HOUR + 7 * SECOND)
    assert desk.look(NINE + 2 * HOUR) == []
    (waits,) = desk.look(NINE + 2 * HOUR + SECOND)

    assert (alert.rep, alert.due_at) == ("r1", NINE + HOUR + 7 * SECOND)
    assert waits.crossing is not None
    assert (waits.crossing.threshold, waits.crossing.value) == ("slow", 7201)


def test_a_share_of_nothing_neither_raises_nor_resolves() -> None:
    desk = Desk(configured({"weak": {"metric": "win_rate", "per": "organisation", "window": "7d", "below": 0.5}}))
    assert desk.look(NINE) == []
    desk.did("r1", NINE, deals_won=1, deals_lost=2)
    assert events(desk.look(NINE + SECOND)) == [("raised", None)]

    desk.did("r1", NINE)

    assert desk.look(NINE + 2 * SECOND) == []


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        ("Europe/Berlin", "2026-03-27T12:00Z", "11:00", "2026-03-27T10:00Z"),
        ("Europe/Berlin", "2026-03-30T12:00Z", "11:00", "2026-03-30T09:00Z"),
        ("America/New_York", "2026-03-09T12:00Z", "11:00", "2026-03-09T15:00Z"),
        ("Asia/Kolkata", "2026-03-18T12:00Z", "15:30", "2026-03-18T10:00Z"),
    ],
    ids=["winter", "summer", "another continent", "half an hour"],
)
def test_the_time_of_day_is_that_of_the_teams_calendar(zone: str, day: str, at: str, expected: str) -> None:
    config = configured(
        {"few": FEW | {"at": at}},
        calendars={"office": OFFICE | {"timezone": zone}}, teams={"north": {"calendar": "office"}},
        reps={"r1": {"team": "north"}},
    )  # fmt: skip
    noon = instant(day)
    desk = Desk(config)
    midnight = desk.floor.calendar.day_start(desk.floor.calendar.day_of(noon))

    raised = next(at for at in range(midnight, midnight + DAY, 15 * MINUTE) if desk.look(at))

    assert raised == instant(expected)


def test_free_days_and_holidays_are_not_looked_at() -> None:
    calendar = OFFICE | {"holidays": {"country": "DE", "subdivision": "BE", "extra": ["2026-04-07"]}}
    config = configured(
        {"few": FEW}, timezone="Europe/Berlin", calendars={"office": calendar},
        teams={"north": {"calendar": "office"}}, reps={"r1": {"team": "north"}},
    )  # fmt: skip
    desk = Desk(config)

    for hour in range(14 * 24):
        desk.look(instant("2026-04-01T00:00+02:00") + hour * HOUR)

    # Good Friday, Easter Monday, the extra day and two weekends are missing.
    assert [alert.due_at for alert in desk.turned if alert.event == "raised"] == [
        instant(f"2026-04-{day:02d}T11:00+02:00") for day in (1, 2, 8, 9, 10, 13, 14)
    ]


def test_a_day_in_business_hours_is_not_judged_by_its_night() -> None:
    config = configured(
        {"quiet": {"metric": "calls_made", "per": "team", "window": "1h", "below": 1, "during": "business hours"}},
        calendars={"office": OFFICE}, teams={"north": {"calendar": "office"}}, reps={"r1": {"team": "north"}},
    )  # fmt: skip
    desk = Desk(config)
    midnight = instant("2026-03-18T00:00+01:00")

    for minute in range(0, 24 * 60, 5):
        desk.look(midnight + minute * MINUTE)

    raised, over = desk.turned
    assert raised.due_at == instant("2026-03-18T10:00+01:00")
    assert over.crossing is not None
    assert (over.resolved_at, over.crossing.is_over) == (instant("2026-03-18T18:00+01:00"), True)
    (again,) = desk.look(instant("2026-03-19T10:00+01:00"))
    assert again.event == "raised"


def test_who_leaves_is_not_looked_at_any_more() -> None:
    desk = Desk(configured({"few": FEW}))
    desk.look(ELEVEN)
    gone = Desk(configured({"few": FEW}, reps=REPS | {"r2": {"team": "south", "active": False}}), desk.alerts.values())
    gone.begin(ELEVEN + HOUR)

    (over,) = gone.look(ELEVEN + HOUR)

    assert (over.rep, over.event) == ("r2", "resolved")
    assert over.crossing is not None
    assert over.crossing.is_over


def test_a_team_that_has_nobody_any_more_is_not_looked_at() -> None:
    reps = {"r1": {"team": "north"}, "r2": {"team": "south", "active": False}}
    desk = Desk(configured({"few": FEW | {"per": "team"}}, reps=reps, teams={"north": {}, "south": {}, "empty": {}}))

    assert [alert.team for alert in desk.look(ELEVEN)] == ["north"]


def test_a_changed_threshold_is_another_one() -> None:
    desk = Desk(configured({"few": FEW}, reps={"r1": {}}))
    (old,) = desk.look(ELEVEN)
    changed = Desk(configured({"few": FEW | {"below": 12}}, reps={"r1": {}}), desk.alerts.values())

    (over,) = changed.begin(ELEVEN + HOUR)
    (new,) = changed.look(ELEVEN + HOUR)

    assert (over.id, over.event, new.event, new.is_late) == (old.id, "resolved", "raised", True)


def test_a_worker_that_was_away_at_eleven_says_that_it_is_late() -> None:
    desk = Desk(configured({"few": FEW}, reps={"r1": {}}))

    (alert,) = desk.look(ELEVEN + HOUR)

    assert (alert.due_at, alert.raised_at, alert.is_late) == (ELEVEN, ELEVEN + HOUR, True)


@pytest.mark.parametrize(("since", "quiet"), [(HOUR, ""), (HOUR + SECOND, "summary"), (4 * HOUR, "summary")])
def test_what_is_first_seen_long_after_its_time_of_day_is_told_in_a_summary_alone(since: int, quiet: str) -> None:
    desk = Desk(configured({"few": FEW}))

    alerts = desk.look(ELEVEN + since)
    assert [(alert.due_at, alert.quiet, alert.is_open) for alert in alerts] == [(ELEVEN, quiet, True)] * 2
    desk.did("r1", ELEVEN, calls_made=10)
    desk.look(ELEVEN + since + MINUTE)
    desk.did("r1", ELEVEN, calls_made=9)
    (again,) = desk.look(ELEVEN + since + 2 * MINUTE)

    assert (again.event, again.quiet) == ("reopened", quiet)


def test_a_number_that_crosses_now_is_told_at_once_however_long_its_time_of_day_is_past() -> None:
    desk = Desk(configured({"few": FEW}, reps={"r1": {}}))
    desk.did("r1", NINE, calls_made=10)

    assert not desk.look(ELEVEN)
    desk.did("r1", NINE, calls_made=9)
    (alert,) = desk.look(ELEVEN + 5 * HOUR)

    assert (alert.due_at, alert.quiet) == (ELEVEN + 5 * HOUR, "")


def test_many_numbers_are_looked_at_a_few_at_a_time() -> None:
    reps: dict[str, Any] = {f"r{number}": {} for number in range(30)}
    desk = Desk(configured({"few": FEW}, reps=reps))
    desk.look(ELEVEN - MINUTE)

    first = desk.book.look(ELEVEN, ELEVEN, 10)

    assert len(first) == 10
    assert desk.book.is_behind
    assert len(desk.look(ELEVEN, most=10)) == 20


@pytest.mark.parametrize(
    ("fields", "value", "bound", "expected"),
    [
        ({"below": "0.1"}, 0.1, None, False),
        ({"above": "0.1"}, 0.1, None, False),
        ({"above": "0.3"}, 0.1 + 0.2, None, True),
        ({"reaches": 10}, 10, None, True),
        ({"reaches": "10.10"}, "10.1", None, True),
        ({"above": 10}, None, 11.0, True),
        ({"above": 10}, None, 9.0, None),
        ({"below": 10}, None, 10.0, False),
        ({"below": 10}, None, 9.0, None),
        ({"below": 10}, None, None, None),
    ],
)
def test_numbers_are_compared_as_they_are_shown(
    fields: dict[str, Any], value: Any, bound: float | None, expected: bool | None
) -> None:
    threshold = Threshold.model_validate({"metric": "m", "per": "rep"} | fields)

    assert is_beyond(threshold, ScopeValues({"m": value}, {} if bound is None else {"m": bound})) is expected


# ---------------------------------------------------------------- the law

LAW = {
    "few": FEW | {"below": 4},
    "many": {"metric": "calls_made", "per": "team", "window": "today", "above": 6},
    "week": {"metric": "calls_made", "per": "organisation", "window": "week", "reaches": 9},
    "quiet": {"metric": "calls_made", "per": "rep", "window": "1h", "below": 2},
}
CONFIG = configured(LAW, timezone="Europe/Berlin")
START = instant("2026-03-27T09:00+01:00")  # a Friday; on Sunday summer time begins

Step = tuple[str, int, int]
"""A rep has made so many calls in all in a minute of that hour; or `look` after so many minutes; or `restart`."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["r1", "r2"]), st.integers(0, 90), st.integers(0, 8)),
        st.tuples(st.sampled_from(["look", "restart"]), st.integers(0, 12 * 60), st.just(0)),
    ),
    max_size=25,
)


class Clerk:
    """Counts what is beyond its limit: from the calls, by the clock on the wall. Shares no code with the book."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, int], int] = {}

    def beyond(self, now: int) -> set[tuple[str, str]]:
        wall = to_datetime(now).astimezone(CONFIG.organisation.zone)
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        monday = midnight.fromordinal(midnight.toordinal() - midnight.weekday()).replace(tzinfo=midnight.tzinfo)
        found = set()
        for rep in REPS:
            if wall.hour >= 11 and self._count([rep], from_datetime(midnight)) < 4:
                found.add(("few", rep))
            if self._count([rep], now // MINUTE * MINUTE - 59 * MINUTE, now) < 2:
                found.add(("quiet", rep))
            if self._count([rep], from_datetime(midnight)) > 6:
                found.add(("many", rep))
        if self._count(list(REPS), from_datetime(monday)) >= 9:
            found.add(("week", ""))
        return found

    def _count(self, reps: Sequence[str], since: int, until: int = 1 << 62) -> int:
        return sum(count for (rep, at), count in self.calls.items() if rep in reps and since <= at <= until)


@settings(max_examples=50, deadline=None)
@given(STEPS, st.integers(1, 5))
@example([("look", 600, 0), ("look", 720, 0), ("restart", 600, 0), ("r1", 1, 5), ("look", 1, 0)], 1)
def test_open_is_what_is_beyond_its_limit_and_each_period_is_told_once(steps: list[Step], most: int) -> None:
    desk, clerk, now = Desk(CONFIG), Clerk(), START
    told: list[str] = []
    turns: dict[str, int] = {}
    for who, number, count in steps:
        if who in REPS:
            at = now // MINUTE * MINUTE - number * MINUTE
            clerk.calls[who, at] = count
            day = desk.floor.calendar.day_of(at)
            of_day = sum(
                n for (rep, t), n in clerk.calls.items() if rep == who and desk.floor.calendar.day_of(t) == day
            )
            for window, total in ((minute_window(at), count), (day_window(day), of_day)):
                changed = desk.floor.take_pane(
                    pane_key("ledger.0", who, window), encode_pane(pane_of(calls_made=total)) if total else None
                )
                if changed is not None:
                    desk.book.note_pane(changed)
            continue
        now += number * MINUTE
        if who == "restart":
            desk = desk.restarted(now)
        turned = desk.look(now, most=most)

        shown = {
            (alert.crossing.threshold, (alert.rep or alert.team or "").replace("north", "r1").replace("south", "r2"))
            for alert in desk.open
            if alert.crossing is not None
        }
        assert shown == clerk.beyond(now)
        for alert in turned:
            assert alert.turn == turns.get(alert.id, 0) + 1
            turns[alert.id] = alert.turn
        told += [alert.id for alert in turned if is_told(alert) and alert.event == "raised"]
        assert desk.look(now, most=most) == []
    assert len(told) == len(set(told))
