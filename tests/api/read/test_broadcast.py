"""What is pushed: whoever applies the snapshot and every event sees what REST serves, at any time."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from api.read.broadcast import Broadcaster
from api.read.discretion import Discretion, Ranking
from api.read.goal_rows import MOVES_BY_THE_CLOCK
from api.read.metric_rows import MetricRows
from api.read.piecemeal import at_once
from api.read.remembered import REMEMBERED, REMEMBERED_FOR
from api.read.rows import row_maker, waiting_leads
from api.read.subscriptions import QUEUE, QUEUE_BYTES, Filter, Subscription
from api.read.view import ORGANISATION, View
from schemas.alerts import encode_alert
from schemas.config import Config
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.json_object import Json
from schemas.panes import pane_key
from schemas.records import RecordChange
from schemas.scopes import rep_scope
from schemas.topics import ALERTS, PANES, VERIFICATIONS
from schemas.verifications import VERIFICATION_KEY
from schemas.windows import day_window, minute_window, span_of
from tests.alert_builders import make_alert
from tests.api.reading import ToldPipeline, floor_config, make_view, subscribe
from tests.builders import change, instant, make_config, make_verification
from tests.strategies import NOW, logs

WAITING = {"waiting", "warned", "breached"}
MOVES_BY_ITSELF = {"waiting_seconds", "business_seconds"}


class Desk:
    """A view with its pipeline and broadcaster."""

    def __init__(self, config: Config | None = None, now: int = NOW) -> None:
        self.config = config or floor_config()
        self.view: View = make_view(self.config)
        self.pipeline = ToldPipeline(self.config, self.view)
        self.now = now
        self.freshness_asked = 0
        self.broadcaster = Broadcaster(
            self.view,
            instance="i1",
            build=lambda config: f"b{len(config.screens)}",
            freshness=self._freshness,
        )

    def _freshness(self, now: int) -> Json:
        self.freshness_asked += 1
        return {"server_time": now}

    def take(self, *changes: RecordChange) -> None:
        self.pipeline.take(changes)

    def flush(self, most: int | None = None) -> None:
        """Tell everything, in pieces of so much work."""
        while not self.broadcaster.flush(self.now, most=most):
            assert most is not None


def parsed(stream: bytes) -> list[tuple[str, str, Any]]:
    """(id, event, data) of each event."""
    events = []
    for block in stream.decode().split("\n\n"):
        if block:
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            events.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return events


@dataclass
class Screen:
    """A client: folds events into what it shows."""

    desk: Desk
    wanted: Filter
    subscription: Subscription | None = None
    last_id: str | None = None
    rows: dict[tuple[str, str], Json] = field(default_factory=dict)
    leads: dict[str, Json] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    build: str = ""

    def connect(self) -> "Screen":
        self.subscription, first = subscribe(self.desk.broadcaster, self.wanted, self.desk.now, self.last_id)
        self.apply(first)
        return self

    def disconnect(self) -> None:
        assert self.subscription is not None
        self.desk.broadcaster.unsubscribe(self.subscription)
        self.subscription = None

    def read(self) -> None:
        assert self.subscription is not None
        piece = self.subscription.drain()
        if self.subscription.is_lagging:
            self.subscription.is_lagging = False
            piece = at_once(self.desk.broadcaster.snapshot(self.wanted, lambda: self.desk.now))
        self.apply(piece)

    def apply(self, stream: bytes) -> None:
        for id, kind, data in parsed(stream):
            self.last_id = id
            self.kinds.append(kind)
            if kind == "snapshot":
                self.rows, self.leads, self.build = {}, {}, data["build"]
                for row in data["rows"]:
                    self._put_row(row)
                for lead in data["leads"]:
                    self._put_lead(lead)
            elif kind == "metrics":
                for row in data["rows"]:
                    self._put_row(row)
            elif kind == "lead":
                self._put_lead(data)

    def _put_row(self, row: Json) -> None:
        key = (row["window"]["name"], row_key(row))
        known = self.rows.get(key, {"metrics": {}, "bounds": {}})
        bounds = {name: bound for name, bound in known["bounds"].items() if name not in row["metrics"]}
        self.rows[key] = row | {
            "metrics": known["metrics"] | row["metrics"],
            "bounds": bounds | row["bounds"],
            "goals": {
                metric: goal
                for metric, goal in (known.get("goals", {}) | row.get("goals", {})).items()
                if goal is not None
            },
        }

    def _put_lead(self, lead: Json) -> None:
        if lead["state"] in WAITING:
            self.leads[lead["lead"]] = lead
        else:
            self.leads.pop(lead["lead"], None)

    def check(self) -> None:
        """Everything that is asked for is shown as REST serves it now, and nothing else is."""
        expected = self._served()
        assert self.rows.keys() == expected.keys()
        for key, row in expected.items():
            shown = self.rows[key]
            assert shown["metrics"] == row["metrics"], key
            assert (shown.get("name"), shown.get("team")) == (row.get("name"), row.get("team")), key
            assert settled(shown["goals"]) == settled(row.get("goals", {})), key
            assert shown["bounds"].keys() == row["bounds"].keys(), key
            for name, bound in row["bounds"].items():
                assert bound - 60 <= shown["bounds"][name] <= bound, (key, name)
            if key[0] in {"today", "week", "7d"}:
                assert shown["window"] == row["window"], key
        view, now = self.desk.view, self.desk.now
        assert {id: without_seconds(lead) for id, lead in self.leads.items()} == {
            lead["lead"]: without_seconds(lead)
            for lead in waiting_leads(view, now)
            if self.wanted.wants_lead(lead["rep"], lead["team"])
        }

    def _served(self) -> dict[tuple[str, str], Json]:
        view, now = self.desk.view, self.desk.now
        found = {}
        for window in self.wanted.windows:
            span = span_of(window, now, view.calendar)
            rows = MetricRows(view, span, now, self.wanted.metrics)
            for scope in view.scopes():
                row = rows.row(scope)
                if self.wanted.wants(scope, row.get("team")):
                    found[window, row_key(row)] = row
        return found


def row_key(row: Json) -> str:
    if "rep" in row:
        return f"rep {row['rep']}"
    return f"team {row['team']}" if "team" in row else "organisation"


def settled(goals: Json) -> Json:
    """Without what moves by the clock alone."""
    return {
        metric: {name: value for name, value in goal.items() if name not in MOVES_BY_THE_CLOCK}
        for metric, goal in goals.items()
    }


def without_seconds(lead: Json) -> Json:
    return {name: value for name, value in lead.items() if name not in MOVES_BY_ITSELF}


def call(id: str, at: int | str, rep: str | None = "r1", **fields: Any) -> RecordChange:
    return change("call", id, at, rep=rep, direction="outbound", dialed_at=at, **fields)


def lead(id: str, at: int | str, rep: str | None = "r1", **fields: Any) -> RecordChange:
    return change("lead", id, at, rep=rep, received_at=at, **fields)


FILTERS = (
    Filter(),
    Filter(windows=("15m", "24h", "7d", "today")),
    Filter(windows=("1h", "yesterday"), metrics=("calls_made", "lead_response_seconds_p90", "revenue_won")),
    Filter(windows=("today",), metrics=("lead_response_seconds_p50",)),
    Filter(windows=("today", "week"), teams=frozenset({"north"})),
    Filter(windows=("month",), reps=frozenset({"r2"})),
    Filter(windows=("5m", "today"), teams=frozenset({"south"}), reps=frozenset({"r1", "r3"})),
)
CONFIG = make_config(
    timezone="Asia/Kuala_Lumpur",
    teams={"north": {"name": "North"}},
    reps={"r1": {"name": "Ana", "team": "north"}, "r2": {"aliases": {"feed": ["old-2"]}}},
    lead_response={"rules": [{"when": {"source": "demo_request"}, "sla": "5m"}, {"sla": "1h"}]},
)
GOALS = make_config(
    timezone="Asia/Kuala_Lumpur",
    teams={"north": {"name": "North"}},
    reps={"r1": {"name": "Ana", "team": "north"}, "r2": {"aliases": {"feed": ["old-2"]}}},
    calendars={"office": {"timezone": "Asia/Kuala_Lumpur", "hours": {"mon-fri": ["09:00-18:00"]}}},
    calendar="office",
    goals={
        "calls": {"metric": "calls_made", "period": "day", "amounts": [{"each": 2}]},
        "quota": {"metric": "revenue_won", "period": "month", "amounts": [{"each": 90}, {"amount": 500}]},
        "speed": {
            "metric": "lead_response_seconds_p50", "period": "week",
            "amounts": [{"each": 600}, {"team": "north", "amount": 700}],
        },
    },
)  # fmt: skip
MIDNIGHT = instant("2026-03-18T16:00Z")

_moves = st.sampled_from(
    [1000, SECOND, 20 * SECOND, MINUTE, 5 * MINUTE, 31 * MINUTE, HOUR, 8 * HOUR, 25 * HOUR, 8 * DAY]
)
_steps = st.one_of(
    st.tuples(st.just("take"), logs(most=8)),
    st.tuples(st.just("take"), logs(("rep", "lead"), most=4)),
    st.tuples(st.just("move"), _moves),
    st.tuples(st.just("midnight"), st.none()),
    st.tuples(st.just("leave"), st.integers(0, 3)),
    st.tuples(st.just("return"), st.integers(0, 3)),
    st.tuples(st.just("sleep"), st.integers(0, 3)),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    config=st.sampled_from([CONFIG, GOALS]),
    before=logs(most=15),
    filters=st.lists(st.sampled_from(FILTERS), min_size=1, max_size=4),
    steps=st.lists(_steps, max_size=12),
    most=st.sampled_from([None, 1, 3]),
)
def test_whoever_applies_every_event_sees_what_rest_serves(
    config: Config,
    before: list[RecordChange],
    filters: list[Filter],
    steps: list[tuple[str, Any]],
    most: int | None,
) -> None:
    desk = Desk(config)
    desk.take(*before)
    screens = [Screen(desk, wanted).connect() for wanted in filters]
    asleep: set[int] = set()
    for step, detail in steps:
        if step == "take":
            desk.take(*detail)
        elif step == "move":
            desk.now += detail
        elif step == "midnight":
            desk.now += DAY - (desk.now - MIDNIGHT) % DAY
        elif step == "sleep" and detail < len(screens):
            asleep ^= {detail}
        elif step == "leave" and detail < len(screens) and screens[detail].subscription:
            screens[detail].disconnect()
        elif step == "return" and detail < len(screens) and not screens[detail].subscription:
            screens[detail].connect()
            screens[detail].check()
        desk.flush(most)
        for number, screen in enumerate(screens):
            if screen.subscription and number not in asleep:
                screen.read()
                screen.check()

    for screen in screens:
        if not screen.subscription:
            screen.connect()
        screen.read()
        screen.check()


def test_what_was_there_when_the_day_began_is_told_too() -> None:
    desk = Desk(CONFIG)
    screen = Screen(desk, Filter(windows=("today",))).connect()
    desk.take(change("subscription", "s1", desk.now, customer="c1", ends_at=desk.now - 8 * HOUR))
    desk.flush()
    screen.read()

    assert screen.rows["today", "organisation"]["metrics"]["customer_retention"] == 0.0
    screen.check()


def test_goals_are_told_when_they_change_and_once_a_minute_what_moves_by_the_clock() -> None:
    desk = Desk(GOALS, instant("2026-03-18T02:00:10Z"))
    screen = Screen(desk, Filter(metrics=("calls_made",), reps=frozenset({"r1"}))).connect()
    first = screen.rows["today", "rep r1"]["goals"]["calls_made"]
    assert (first["target"], first["state"], first["expected"]) == (2, "behind", pytest.approx(2 * 3610 / 32400))

    def told() -> list[Json]:
        desk.flush()
        assert screen.subscription is not None
        events = parsed(screen.subscription.drain())
        return [row for _, kind, data in events if kind == "metrics" for row in data["rows"]]

    desk.now += 20 * SECOND
    assert told() == []
    desk.now += 30 * SECOND
    (row,) = told()
    assert row["metrics"] == {}
    assert row["goals"]["calls_made"]["expected"] == pytest.approx(2 * 3660 / 32400)
    desk.now += SECOND
    assert told() == []
    desk.take(call("c1", desk.now), call("c2", desk.now))
    (row,) = told()
    assert (row["metrics"], row["goals"]["calls_made"]["state"]) == ({"calls_made": 2}, "reached")
    desk.take(change("absence", "a1", desk.now, rep="r1", from_="2026-03-18", to="2026-03-18"))
    (row,) = told()
    assert row["goals"] == {"calls_made": None}
    desk.take(change("absence", "a1", desk.now + 1, deleted=True))
    (row,) = told()
    assert row["goals"]["calls_made"]["target"] == 2


def test_rolling_number_falls_by_itself() -> None:
    desk = Desk()
    desk.take(call("c1", NOW))
    screen = Screen(desk, Filter(windows=("5m",), metrics=("calls_made",))).connect()
    seen = []
    for _ in range(6):
        desk.now = desk.broadcaster.next_flush(desk.now)
        while desk.now % MINUTE:
            desk.flush()
            desk.now = desk.broadcaster.next_flush(desk.now)
        desk.flush()
        screen.read()
        seen.append(screen.rows["5m", "rep r1"]["metrics"]["calls_made"])

    assert seen == [1, 1, 1, 1, 0, 0]


def test_today_begins_anew_at_midnight_of_the_organisation() -> None:
    desk = Desk(now=MIDNIGHT - SECOND)
    desk.take(call("c1", MIDNIGHT - HOUR))
    screen = Screen(desk, Filter()).connect()
    desk.now = desk.broadcaster.next_flush(desk.now)
    while desk.now < MIDNIGHT:
        desk.flush()
        desk.now = desk.broadcaster.next_flush(desk.now)
    desk.flush()
    screen.read()

    assert desk.now == MIDNIGHT
    assert screen.rows["today", "rep r1"]["metrics"]["calls_made"] == 0
    screen.check()


def test_lead_that_is_warned_and_due_is_told_at_these_very_instants() -> None:
    desk = Desk(now=instant("2026-03-18T14:00Z"))
    desk.take(lead("l1", desk.now))
    screen = Screen(desk, Filter()).connect()
    turns = []
    while desk.now < instant("2026-03-18T15:30Z"):
        desk.now = max(desk.now + 1, desk.broadcaster.next_flush(desk.now))
        desk.flush()
        before = screen.leads["l1"]["state"]
        screen.read()
        if screen.leads["l1"]["state"] != before:
            turns.append((desk.now - instant("2026-03-18T14:00Z"), screen.leads["l1"]["state"]))

    assert turns == [(45 * MINUTE, "warned"), (HOUR, "breached")]
    assert screen.rows["today", "rep r1"]["metrics"]["leads_due"] == 1
    screen.check()


def test_rep_who_moves_to_another_team_leaves_the_screen_of_the_old_one() -> None:
    desk = Desk(make_config())
    desk.take(change("rep", "r7", NOW - DAY, team="north"), lead("l1", NOW - MINUTE, "r7"), call("c1", NOW, "r7"))
    north = Screen(desk, Filter(teams=frozenset({"north"}))).connect()
    south = Screen(desk, Filter(teams=frozenset({"north", "south"}))).connect()
    desk.take(change("rep", "r7", NOW, team="south"))
    desk.flush()
    north.read()
    south.read()

    assert [key for _, key in north.rows] == ["team north"]
    assert north.leads == {}
    assert ("today", "rep r7") in south.rows
    assert south.kinds.count("snapshot") == 1  # it shows the rep still: no need for a new one
    for screen in (north, south):
        screen.check()


def test_leads_of_a_rep_who_moves_come_to_the_screen_of_the_new_team() -> None:
    desk = Desk(make_config())
    desk.take(change("rep", "r7", NOW - DAY, team="north"), change("rep", "r8", NOW - DAY, team="south"))
    desk.take(lead("l1", NOW - MINUTE, "r7"))
    south = Screen(desk, Filter(teams=frozenset({"south"}))).connect()
    assert south.leads == {}
    desk.take(change("rep", "r7", NOW, team="south"))
    desk.flush()
    south.read()

    assert list(south.leads) == ["l1"]
    south.check()


def test_move_that_lies_ahead_comes_to_pass_at_midnight() -> None:
    desk = Desk(make_config(timezone="Asia/Kuala_Lumpur"), now=MIDNIGHT - HOUR)
    desk.take(
        change("rep", "r7", MIDNIGHT - 2 * DAY, team="north"),
        change("rep", "r7", MIDNIGHT + HOUR, team="south"),
        lead("l1", MIDNIGHT - MINUTE, "r7"),
    )
    north = Screen(desk, Filter(teams=frozenset({"north"}))).connect()
    south = Screen(desk, Filter(teams=frozenset({"south"}))).connect()
    assert (list(north.leads), list(south.leads)) == (["l1"], [])
    desk.now = MIDNIGHT
    desk.flush()
    for screen in (north, south):
        screen.read()
        screen.check()

    assert (list(north.leads), list(south.leads)) == ([], ["l1"])


def test_rep_who_leaves_the_roster_leaves_every_screen() -> None:
    desk = Desk(make_config())
    desk.take(change("rep", "r7", NOW - DAY, team="west"), call("c1", NOW, "r8"))
    screen = Screen(desk, Filter()).connect()
    desk.take(change("rep", "r7", NOW, deleted=True), change("call", "c1", NOW, deleted=True))
    desk.flush()
    screen.read()

    assert [key for _, key in screen.rows] == ["organisation"]
    screen.check()


def test_screen_that_was_away_when_a_rep_left_does_not_show_them_when_it_comes_back() -> None:
    desk = Desk(make_config())
    desk.take(change("rep", "r7", NOW - DAY, team="west"))
    screen = Screen(desk, Filter()).connect()
    screen.disconnect()
    desk.take(change("rep", "r7", NOW, deleted=True))
    desk.flush()
    screen.connect()

    screen.check()


@pytest.mark.parametrize(
    ("news", "state"),
    [
        ({"deleted": True}, "moved"),
        ({"rep": "r3"}, "moved"),
        ({"rep": None}, "moved"),
        ({"status": "disqualified"}, "closed"),
    ],
    ids=["deleted", "handed on", "nobody's", "closed"],
)
def test_lead_that_is_no_longer_the_teams_leaves_its_screen(news: dict[str, Any], state: str) -> None:
    desk = Desk()
    desk.take(lead("l1", NOW - MINUTE))
    screen = Screen(desk, Filter(teams=frozenset({"north"}))).connect()
    assert screen.subscription is not None
    desk.take(change("lead", "l1", NOW, **news))
    desk.flush()

    events = parsed(screen.subscription.drain())

    told = [data for _, kind, data in events if kind == "lead"]
    assert [found["state"] for found in told] == [state]
    if state == "moved":
        # Whose it is now is not this client's business.
        assert {name for name, value in told[0].items() if value is not None} == {"lead", "state"}


def test_lead_that_never_waited_is_not_told() -> None:
    desk = Desk()
    screen = Screen(desk, Filter()).connect()
    desk.take(lead("l1", NOW - DAY, status="converted"), lead("l2", NOW - DAY), call("c1", NOW - DAY, lead="l2"))
    desk.flush()
    screen.read()

    assert "lead" not in screen.kinds


def test_bound_that_sinks_while_the_value_stays_unknown_is_told() -> None:
    desk = Desk()
    desk.take(lead("l1", NOW - 5 * HOUR), lead("l2", NOW - 2 * HOUR))
    screen = Screen(desk, Filter(metrics=("lead_response_seconds_p90",))).connect()
    before = screen.rows["today", "rep r1"]["bounds"]["lead_response_seconds_p90"]
    desk.take(change("lead", "l1", NOW, deleted=True))
    desk.flush()
    screen.read()

    assert screen.rows["today", "rep r1"]["bounds"]["lead_response_seconds_p90"] < before
    screen.check()


def test_event_is_encoded_once_for_all_who_ask_for_the_same() -> None:
    desk = Desk()
    one, other = Screen(desk, Filter()).connect(), Screen(desk, Filter()).connect()
    assert one.subscription is not None
    assert other.subscription is not None
    for screen in (one, other):
        screen.read()
    desk.take(call("c1", NOW))
    desk.flush()

    assert one.subscription._queue[0] is other.subscription._queue[0]


def test_client_that_reads_nothing_gets_a_snapshot_and_its_queue_stays_short() -> None:
    desk = Desk()
    screen = Screen(desk, Filter()).connect()
    assert screen.subscription is not None
    for number in range(QUEUE * 2):
        desk.take(call(f"c{number}", NOW))
        desk.flush()
        assert len(screen.subscription._queue) <= QUEUE

    assert screen.subscription.is_lagging
    screen.read()
    assert screen.kinds[-1] == "snapshot"
    screen.check()


def test_a_client_that_lags_gets_its_snapshot_and_nothing_of_before_after_it() -> None:
    desk = Desk()
    screen = Screen(desk, Filter()).connect()
    subscription = screen.subscription
    assert subscription is not None
    subscription.put(b"x" * QUEUE_BYTES)
    subscription.put(b"x")
    assert subscription.is_lagging
    screen.last_id = None

    async def snapshot() -> bytes:
        desk.take(call("c1", NOW))
        desk.flush()
        return at_once(desk.broadcaster.snapshot(screen.wanted, lambda: desk.now))

    screen.kinds.clear()
    screen.apply(asyncio.run(subscription.caught_up(snapshot())))
    screen.read()

    assert screen.kinds == ["snapshot"]
    desk.take(call("c2", NOW))
    desk.flush()
    screen.read()
    assert screen.kinds == ["snapshot", "metrics"]
    screen.check()


def test_queue_is_bounded_in_bytes_too() -> None:
    subscription = Subscription(Filter())
    piece = b"x" * (QUEUE_BYTES // 3)
    for _ in range(4):
        subscription.put(piece)

    assert subscription.is_lagging
    assert subscription.drain() == b""


def test_event_larger_than_the_queue_still_comes_through() -> None:
    subscription = Subscription(Filter())
    subscription.put(b"x" * (QUEUE_BYTES + 1))

    assert not subscription.is_lagging
    assert len(subscription.drain()) == QUEUE_BYTES + 1


def test_events_remembered_are_bounded_and_who_was_away_longer_gets_a_snapshot() -> None:
    desk = Desk()
    screen = Screen(desk, Filter()).connect()
    screen.disconnect()
    Screen(desk, Filter()).connect()  # somebody else still looks
    for number in range(REMEMBERED + 2):
        desk.take(call(f"c{number}", NOW))
        desk.flush()
    assert len(desk.broadcaster._events) <= REMEMBERED
    screen.kinds.clear()
    screen.connect()

    assert screen.kinds == ["snapshot"]
    screen.check()


def test_what_was_told_long_ago_is_let_go_also_where_little_happens() -> None:
    desk = Desk()
    Screen(desk, Filter()).connect()
    screen = Screen(desk, Filter()).connect()
    screen.disconnect()
    desk.take(call("c1", NOW))
    desk.flush()
    desk.now += REMEMBERED_FOR + SECOND
    desk.take(call("c2", NOW))
    desk.flush()

    assert len(desk.broadcaster._events) == 1
    screen.kinds.clear()
    screen.connect()
    assert screen.kinds == ["snapshot"]
    screen.check()


def test_who_was_away_shortly_gets_no_snapshot() -> None:
    desk = Desk()
    screen = Screen(desk, Filter()).connect()
    screen.disconnect()
    desk.take(call("c1", NOW))
    desk.flush()
    screen.kinds.clear()
    screen.connect()

    assert screen.kinds == ["metrics", "freshness"]
    screen.check()


@pytest.mark.parametrize("wanted", [Filter(windows=("today", "15m")), Filter(teams=frozenset({"north"}))])
def test_a_snapshot_is_made_in_pieces_and_says_what_changes_meanwhile(
    wanted: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.read.broadcast.AT_ONCE", 5)
    desk = Desk()
    desk.take(
        *(change("rep", f"n{number}", NOW, name=f"N {number}", team="north") for number in range(30)),
        *(call(f"c{number}", NOW, rep=f"n{number}") for number in range(30)),
    )
    desk.flush()
    screen, first = Screen(desk, wanted), None
    pieces = desk.broadcaster.subscribing(wanted, None, lambda: desk.now)
    rounds = 0
    while first is None:
        try:
            next(pieces)
        except StopIteration as end:
            screen.subscription, first = end.value
        else:
            rounds += 1
            match rounds:
                case 2:
                    desk.take(call("new", NOW, rep="n0"), call("late", NOW, rep="n29"))
                case 3:
                    desk.take(change("rep", "n1", NOW + 1, team="south"))
                case 4:
                    desk.take(change("rep", "joins", NOW, name="J", team="north"), call("first", NOW, rep="joins"))
            desk.flush()
    screen.apply(first)

    assert rounds >= 6
    assert screen.kinds == ["snapshot"]
    screen.check()
    desk.take(call("after", NOW, rep="n3"))
    desk.flush()
    screen.read()
    screen.check()


CALLS = Ranking("today", "calls_made", None, by_goal=False, lower_first=False)


@pytest.mark.parametrize(
    "discretion", [None, Discretion("s", names="first"), Discretion("s", hide_zero=True, rankings=(CALLS,))]
)
def test_a_snapshot_has_an_end_while_everybody_works(
    discretion: Discretion | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.read.broadcast.AT_ONCE", 5)
    wanted = Filter(discretion=discretion)
    desk = Desk()
    desk.take(*(call(f"c{number}", NOW, rep=f"n{number}") for number in range(30)))
    desk.flush()
    screen, rounds = Screen(desk, wanted), 0
    pieces = desk.broadcaster.subscribing(wanted, None, lambda: desk.now)
    while screen.subscription is None:
        try:
            next(pieces)
        except StopIteration as end:
            screen.subscription, first = end.value
        else:
            rounds += 1
            assert rounds < 200
            if rounds == 1:
                desk.now += 2 * SECOND  # it is not waited for longer until there is nothing new
            desk.take(*(call(f"c{number} {rounds}", NOW, rep=f"n{number}") for number in range(30)))
            desk.flush()
    screen.apply(first)

    assert rounds >= 6
    at_last = parsed(at_once(desk.broadcaster.snapshot(wanted, lambda: desk.now)))
    ((_, _, told),) = parsed(first)
    assert sorted(told["rows"], key=row_key) == sorted(at_last[0][2]["rows"], key=row_key)
    calls = {row["metrics"]["calls_made"] for (_, who), row in screen.rows.items() if who.startswith("rep ")}
    assert rounds + 1 in calls
    assert calls <= {0, rounds + 1}


@pytest.mark.parametrize("at_once_", [2, 50])
@pytest.mark.parametrize(
    "privacy", [{"top": 3}, {"top": 2, "names": "first"}, {"hide_zero": True}, {"hide_zero": True, "min_group": 4}]
)
def test_a_screen_that_is_not_told_all_shows_what_one_that_is_opened_now_would(
    privacy: dict[str, Any], at_once_: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.read.broadcast.AT_ONCE", at_once_)
    chance = random.Random(7)
    north = Ranking("1h", "emails_sent", "north", by_goal=False, lower_first=True)
    desk = Desk()
    wanted = Filter(("1h", "today"), discretion=Discretion("s", rankings=(CALLS, north), **privacy))
    screen = Screen(desk, wanted).connect()
    kinds = set[str]()
    for number in range(80):
        rep = chance.choice(["r1", "r2", "r3", "r4", "n1", "n2"])
        match chance.randrange(6):
            case 0:
                desk.take(change("rep", rep, desk.now, team=chance.choice(["north", "south"]), deleted=False))
            case 1:
                desk.take(change("call", f"c{chance.randrange(20)}", desk.now, deleted=True))
            case 2:
                desk.take(change("email", f"e{number}", desk.now, rep=rep, direction="outbound", sent_at=desk.now))
            case 3:
                desk.now += chance.choice([SECOND, 20 * MINUTE])
            case 4:
                desk.take(change("rep", rep, desk.now, deleted=True))
            case _:
                desk.take(call(f"c{chance.randrange(20)}", desk.now, rep=rep))
        desk.flush(chance.choice([None, 2]))
        screen.kinds.clear()
        screen.read()
        kinds |= {*screen.kinds}
        opened = Screen(desk, wanted)
        opened.apply(at_once(desk.broadcaster.snapshot(wanted, lambda: desk.now)))
        held, fresh = ({key: row["metrics"] for key, row in each.rows.items()} for each in (screen, opened))
        assert held == fresh
        if "top" in privacy:
            span = span_of("today", desk.now, desk.view.calendar)
            calls = [desk.view.values(rep_scope(rep), span, desk.now).metrics["calls_made"] for rep in desk.view.reps()]
            told = [row["metrics"]["calls_made"] for (window, who), row in screen.rows.items()
                    if window == "today" and who.startswith("rep ") and "calls_made" in row["metrics"]]  # fmt: skip
            assert sorted(told) == sorted(map(int, map(str, calls)))[-privacy["top"] :]

    assert {"snapshot", "metrics"} <= kinds


def test_who_a_screen_shows_is_found_out_in_pieces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.read.broadcast.AT_ONCE", 5)
    desk = Desk()
    desk.take(*(call(f"c{number}", NOW, rep=f"n{number % 29}") for number in range(30)))
    desk.flush()
    pieces = desk.broadcaster.showing(Filter(discretion=Discretion("s", top=1, rankings=(CALLS,))), lambda: desk.now)
    rounds = 0
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            shown = end.value
            break
        rounds += 1

    assert rounds >= 6
    assert [rep for rep in desk.view.reps() if rep in shown] == ["n0"]


def test_a_command_comes_to_a_screen_that_has_fallen_behind() -> None:
    desk = Desk()
    screen = Screen(desk, Filter(device="d1")).connect()
    assert screen.subscription is not None
    screen.subscription.fall_behind()
    desk.broadcaster.command("d1", {"reload": True})

    assert [kind for _, kind, _ in parsed(screen.subscription.drain())] == ["screen"]


def test_a_piece_of_a_snapshot_has_so_many_rows_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.read.broadcast.AT_ONCE", 5)
    desk = Desk()
    desk.take(*(call(f"c{number}", NOW, rep=f"n{number}") for number in range(30)))
    desk.flush()
    made = 0

    def counting(*given: Any) -> Callable[[Json, Any], Json]:
        make = row_maker(*given)

        def counted(head: Json, values: Any) -> Json:
            nonlocal made
            made += 1
            return make(head, values)

        return counted

    monkeypatch.setattr("api.read.followed.row_maker", counting)
    of_each = []
    for _ in desk.broadcaster.subscribing(Filter(), None, lambda: desk.now):
        of_each.append(made)
        made = 0

    assert sum(of_each) + made >= 30
    assert max([*of_each, made]) <= 5


def test_a_pane_that_cannot_be_read_costs_its_own_people_a_value_and_nobody_else_anything() -> None:
    desk = Desk()
    desk.take(call("c1", NOW, rep="r1"), call("c2", NOW, rep="r2"))
    screen = Screen(desk, Filter()).connect()
    key = pane_key("ledger.9", "r1", day_window(desk.view.calendar.day_of(desk.now)))
    desk.view.apply(PANES.name, key, b"none")
    desk.flush()
    screen.read()

    screen.check()
    shown = {rep: screen.rows["today", f"rep {rep}"]["metrics"]["calls_made"] for rep in ("r1", "r2")}
    assert shown == {"r1": None, "r2": 1}
    assert screen.rows["today", "organisation"]["metrics"]["calls_made"] is None

    desk.view.apply(PANES.name, key, None)
    desk.flush()
    screen.read()
    screen.check()
    assert screen.rows["today", "rep r1"]["metrics"]["calls_made"] == 1


def test_window_that_nobody_looked_at_for_long_is_not_followed_and_comes_back_with_a_snapshot() -> None:
    desk = Desk()
    screen = Screen(desk, Filter(windows=("1h",))).connect()
    screen.disconnect()
    desk.now += REMEMBERED_FOR + SECOND
    desk.flush()
    assert desk.broadcaster.followed_values("1h") == {}
    desk.take(call("c1", NOW))
    screen.kinds.clear()
    screen.connect()

    assert screen.kinds == ["snapshot"]
    screen.check()


def test_who_goes_for_a_moment_misses_nothing_however_long_they_were_there() -> None:
    desk = Desk()
    screen = Screen(desk, Filter(windows=("1h",))).connect()
    for _ in range(7):
        desk.now += MINUTE
        desk.flush()
        screen.read()
    screen.disconnect()
    desk.now += SECOND
    desk.take(call("c1", desk.now))
    desk.flush()
    screen.kinds.clear()
    screen.connect()

    assert "snapshot" not in screen.kinds
    screen.check()


def test_id_of_another_process_gets_a_snapshot() -> None:
    desk = Desk()
    screen = Screen(desk, Filter(), last_id="i0:0").connect()

    assert screen.kinds == ["snapshot"]


def test_id_ahead_of_this_process_gets_a_snapshot() -> None:
    desk = Desk()
    screen = Screen(desk, Filter(), last_id="i1:999").connect()

    assert screen.kinds == ["snapshot"]


def test_pinned_window_is_followed_without_clients() -> None:
    desk = Desk()
    desk.broadcaster.pin(["today"], desk.now)
    desk.now += REMEMBERED_FOR + SECOND
    desk.take(call("c1", NOW))
    desk.flush()
    desk.broadcaster.flush(desk.now, unwatched=True)

    found = {scope.id: values for scope, values in desk.broadcaster.followed_values("today").items()}
    assert found["r1"].metrics["calls_made"] == 1


def test_who_is_named_and_no_more_while_nobody_looks_is_looked_at_once() -> None:
    desk = Desk()
    desk.broadcaster.pin(["today", "1h"], desk.now)
    desk.broadcaster.flush(desk.now, unwatched=True)
    looked_at: list[str | None] = []
    desk.view.merged_by_scope = desk.view.merged = lambda scope, *_: looked_at.append(scope)  # type: ignore[method-assign, assignment]
    desk.take(*(call(f"c{number}", NOW, rep=f"n{number}") for number in range(100)))
    desk.now += 20 * SECOND
    desk.flush(most=5)
    desk.take(*(change("call", f"c{number}", NOW + SECOND, deleted=True) for number in range(99)))
    desk.now += 20 * SECOND
    desk.flush(most=5)
    del desk.view.merged_by_scope, desk.view.merged

    assert not looked_at
    desk.broadcaster.flush(desk.now, unwatched=True)
    held = desk.broadcaster.followed_values("1h")
    assert {"n99"} == {scope.id for scope in held if (scope.id or "").startswith("n9")}
    assert held[rep_scope("n99")].metrics["calls_made"] == 1


def test_a_window_that_nobody_asks_for_longer_than_minutes_are_kept_is_right_when_somebody_does() -> None:
    desk = Desk()
    desk.broadcaster.pin(["1h", "today"], desk.now)
    desk.take(call("c1", NOW), call("c2", NOW, rep="n1"))
    desk.broadcaster.flush(desk.now, unwatched=True)
    desk.now += 5 * DAY
    desk.pipeline.pass_time(desk.now)
    desk.flush()
    assert minute_window(NOW) not in desk.view.store

    desk.broadcaster.flush(desk.now, unwatched=True)
    for window in ("1h", "today"):
        span = span_of(window, desk.now, desk.view.calendar)
        held = desk.broadcaster.followed_values(window)
        assert held == {scope: desk.view.values(scope, span, desk.now) for scope in desk.view.scopes()}
        assert held[rep_scope("n1")].metrics["calls_made"] == 0


def test_window_that_nobody_looks_at_waits_and_is_right_when_somebody_asks() -> None:
    desk = Desk()
    desk.broadcaster.pin(["1h"], desk.now)
    away = Screen(desk, Filter(windows=("1h",))).connect()
    away.disconnect()
    away.kinds.clear()
    for number in range(3):
        desk.take(call(f"c{number}", NOW))
        desk.flush()
    held = {scope.id: values for scope, values in desk.broadcaster.followed_values("1h").items()}
    assert held["r1"].metrics["calls_made"] == 0

    desk.broadcaster.flush(desk.now, unwatched=True)
    held = {scope.id: values for scope, values in desk.broadcaster.followed_values("1h").items()}
    assert held["r1"].metrics["calls_made"] == 3
    away.connect()
    assert away.kinds == ["metrics", "freshness"]
    away.check()


def test_freshness_comes_every_five_seconds_and_one_second_after_progress() -> None:
    desk = Desk()
    screen = Screen(desk, Filter()).connect()
    screen.read()
    start = desk.now
    times = []
    for step in range(1, 101):
        desk.now = start + step * 200_000
        if step == 60:
            desk.view.changes.progress = True
        desk.flush()
        screen.kinds.clear()
        screen.read()
        times += [step / 5] * screen.kinds.count("freshness")

    assert times == [5.0, 10.0, 12.0, 17.0]


def test_what_a_recount_found_is_told_within_a_second() -> None:
    desk = Desk()
    screen = Screen(desk, Filter()).connect()
    screen.read()
    desk.now += 1_000_000
    desk.view.apply(VERIFICATIONS.name, VERIFICATION_KEY, make_verification(desk.view.config, desk.now))

    desk.flush()
    screen.kinds.clear()
    screen.read()

    assert screen.kinds == ["freshness"]


def test_what_is_told_after_a_flood_is_everything() -> None:
    desk = Desk()
    screen = Screen(desk, Filter()).connect()
    desk.take(call("c1", NOW), lead("l1", NOW), change("rep", "r8", NOW, team="west"))
    desk.view.forget_changes()
    desk.flush()
    screen.read()

    screen.check()


def test_another_view_comes_in_one_snapshot_and_nothing_of_the_old_one_after_it() -> None:
    desk = Desk()
    desk.take(call("c1", NOW, "r1"), lead("l1", NOW, "r1"))
    desk.flush()
    screen = Screen(desk, Filter()).connect()
    before = screen.last_id
    assert screen.build == "b0"
    other = Desk(floor_config(screens={"hall": {"scenes": [{"name": "Now", "tiles": [{"kind": "leads"}]}]}}))
    other.take(call("c1", NOW, "r1"), call("c2", NOW, "r1"), call("c3", NOW, "r2"))
    desk.take(call("c4", NOW, "r4"))

    desk.broadcaster.turn_to(other.view, (), desk.now)
    desk.flush()
    screen.read()

    assert [kind for kind in screen.kinds if kind != "freshness"] == ["snapshot", "snapshot"]
    assert screen.rows["today", "rep r1"]["metrics"]["calls_made"] == 2
    assert screen.rows["today", "rep r2"]["metrics"]["calls_made"] == 1
    assert screen.leads == {}
    assert screen.build == "b1"  # its page is that of another file: it reloads itself
    late = Screen(desk, Filter(), last_id=before).connect()
    assert late.kinds == ["snapshot"]
    assert late.rows == screen.rows


def test_who_looks_at_another_team_loses_an_alert_that_goes_along_with_its_lead() -> None:
    desk = Desk()
    screen = Screen(desk, Filter(teams=frozenset({"north"})))
    screen.connect()
    open_of_north = make_alert(team="north")
    desk.view.apply(ALERTS.name, open_of_north.id.encode(), encode_alert(open_of_north))
    desk.flush()
    stream = screen.subscription.drain() if screen.subscription is not None else b""
    assert [kind for _, kind, _ in parsed(stream)] == ["alert"]

    moved = replace(open_of_north, rep="r3", team="south")
    desk.view.apply(ALERTS.name, moved.id.encode(), encode_alert(moved))
    desk.flush()
    assert screen.subscription is not None
    assert screen.subscription.is_lagging
    ((_, kind, payload),) = parsed(at_once(desk.broadcaster.snapshot(screen.wanted, lambda: desk.now)))
    assert (kind, payload["alerts"]) == ("snapshot", [])


@pytest.mark.parametrize("most", [1, 2, 7, 100])
def test_what_is_sent_in_pieces_is_in_the_end_what_is_sent_at_once(most: int) -> None:
    desk = Desk()
    screens = [
        Screen(desk, Filter(windows=("today", "1h"))).connect(),
        Screen(desk, Filter(teams=frozenset({"north"}))).connect(),
    ]
    calls = [
        change("call", f"c{n}", rep=f"r{n % 9}", direction="outbound", dialed_at=NOW - n * SECOND) for n in range(30)
    ]

    desk.take(*calls[:20])
    assert desk.broadcaster.flush(desk.now, most=most) is (most >= 100)
    desk.take(*calls[20:], change("rep", "r1", team="south", name="Moved"))
    desk.now += MINUTE
    rounds = 0
    while not desk.broadcaster.flush(desk.now, most=most):
        rounds += 1
        assert rounds < 200

    for screen in screens:
        screen.read()
        fresh = Screen(desk, screen.wanted).connect()
        assert {key: row["metrics"] for key, row in screen.rows.items()} == {
            key: row["metrics"] for key, row in fresh.rows.items()
        }
    assert (rounds > 0) is (most < 10)


def test_a_piece_of_a_flush_makes_few_values_and_merges_few_reps(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(make_config(teams={"north": {"name": "North"}}))
    desk.broadcaster.pin(("today", "1h"), desk.now)
    work: list[int] = []

    def counted(name: str, weight: int) -> None:
        does = getattr(desk.view, name)

        def counting(*given: Any, **named: Any) -> Any:
            work.append(weight)
            return does(*given, **named)

        monkeypatch.setattr(desk.view, name, counting)

    counted("result", 4)
    counted("_rep_pane", 1)
    for round_ in range(3):
        desk.take(*(call(f"c{round_}-{n}", NOW, rep=f"r{n}") for n in range(400)))
        done, pieces = False, 0
        while not done:
            work.clear()
            done = desk.broadcaster.flush(desk.now, unwatched=True, most=10)
            pieces += 1
            # Ten values with the panes they are made of, or forty reps merged, in either window.
            assert sum(work) <= 2 * 60
        assert pieces > 60
        for window in ("today", "1h"):
            span = span_of(window, desk.now, desk.view.calendar)
            for scope in desk.view.scopes():
                expected = desk.view.values(scope, span, desk.now)
                assert desk.broadcaster.followed_values(window)[scope] == expected
        assert expected_calls(desk) == 400 * (round_ + 1)


def test_on_a_floor_that_never_rests_nobody_waits_for_ever() -> None:
    desk = Desk()
    windows = ("today", "1h")
    desk.broadcaster.pin(windows, desk.now)
    for number in range(60):
        desk.take(*(call(f"c{number}-{n}", NOW, rep=f"n{n}") for n in range(20)))
        desk.broadcaster.flush(desk.now, unwatched=True, most=15)

    for window in windows:
        told = {scope.id: values.metrics["calls_made"] for scope, values in
                desk.broadcaster.followed_values(window).items() if scope.kind == "rep"}  # fmt: skip
        assert {f"n{n}" for n in range(20)} <= told.keys()
        assert min(int(str(told[f"n{n}"])) for n in range(20)) > 20


def test_a_piece_of_a_flush_looks_at_nothing_that_is_left_for_later() -> None:
    looked_at: list[str] = []

    class Told(str):
        """Tells when it is looked for, or at, in a table."""

        __slots__ = ()

        def __hash__(self) -> int:
            looked_at.append(self)
            return super().__hash__()

    desk = Desk(make_config(teams={"north": {"name": "North"}}))
    desk.broadcaster.pin(("today",), desk.now)
    desk.take(*(call(f"c{n}", NOW, rep=f"r{n}") for n in range(20)))
    assert not desk.broadcaster.flush(desk.now, unwatched=True, most=5)
    (followed,) = desk.broadcaster._windows.windows.values()
    waiting = {rep_scope(Told(f"w{n}")): False for n in range(1_000)}
    followed.left |= waiting
    looked_at.clear()

    for _ in range(3):
        desk.broadcaster.flush(desk.now, unwatched=True, most=2)

    assert len(followed.left) > 1_000, "there was something else to do"
    assert not looked_at


def expected_calls(desk: Desk) -> Any:
    """Of the organisation, as told."""
    return desk.broadcaster.followed_values("today")[ORGANISATION].metrics["calls_made"]


def test_nobody_is_followed_whom_no_screen_shows() -> None:
    desk = Desk()
    north = Screen(desk, Filter(teams=frozenset({"north"}))).connect()
    theirs = {scope.id for scope in desk.broadcaster.followed_values("today")}
    one = Screen(desk, Filter(reps=frozenset({"r3"}))).connect()
    both = {scope.id for scope in desk.broadcaster.followed_values("today")}
    one.disconnect()
    desk.now += REMEMBERED_FOR + SECOND
    desk.take(call("c1", NOW))
    desk.flush()

    assert theirs == {"north", "r1", "r2"}
    assert both == {"north", "r1", "r2", "r3"}
    assert {scope.id for scope in desk.broadcaster.followed_values("today")} == theirs
    north.read()
    north.check()


def test_a_part_of_a_window_that_was_not_followed_comes_with_a_snapshot() -> None:
    desk = Desk()
    Screen(desk, Filter(teams=frozenset({"north"}))).connect()
    other = Screen(desk, Filter(teams=frozenset({"south"})), last_id="i1:1").connect()
    other.disconnect()
    desk.take(change("call", "c1", NOW, rep="r3", direction="outbound", dialed_at=NOW))
    desk.flush()
    other.kinds.clear()
    other.connect()

    assert other.kinds == ["metrics", "freshness"]
    other.check()
    assert Screen(desk, Filter(reps=frozenset({"r4"})), last_id=other.last_id).connect().kinds == ["snapshot"]


@pytest.mark.parametrize("seed", range(3))
def test_screens_of_parts_that_come_and_go_show_what_is_served_while_people_move(seed: int) -> None:
    chance = random.Random(seed)
    desk = Desk()
    screens: list[Screen] = []
    away: list[Screen] = []
    for _ in range(60):
        match chance.randrange(7):
            case 0:
                teams = frozenset(chance.sample(["north", "south", "west"], chance.randrange(3)))
                reps = frozenset(chance.sample(["r1", "r2", "r3", "r9"], chance.randrange(3)))
                windows = chance.choice([("today",), ("1h", "today"), ("week",)])
                wanted = chance.choice([Filter(windows, teams or None, reps or None), Filter(windows)])
                screens.append(Screen(desk, wanted).connect())
            case 1 if screens:
                away.append(screens.pop(chance.randrange(len(screens))))
                away[-1].disconnect()
            case 2 if away:
                screens.append(away.pop(chance.randrange(len(away))).connect())
            case 3:
                rep, team = chance.choice(["r4", "r9"]), chance.choice(["north", "south", "west"])
                desk.take(change("rep", rep, desk.now, team=team))
            case 4:
                desk.now += chance.choice([SECOND, MINUTE, HOUR, REMEMBERED_FOR, DAY])
            case _:
                rep = chance.choice(["r1", "r2", "r3", "r4", "r9"])
                at = desk.now - chance.choice([0, MINUTE, HOUR])
                desk.take(change("call", f"c{chance.randrange(9)}", desk.now, rep=rep, direction="outbound",
                                 dialed_at=at))  # fmt: skip
        if chance.random() < 0.7:
            desk.flush(chance.choice([None, 2]))
            for screen in screens:
                screen.read()
                screen.check()
