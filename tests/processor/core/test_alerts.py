"""What has fired, for any sequence of changes, ticks, restarts and jumps of the machine's clock."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from processor.core.alerts import AlertBook, Turned
from schemas.alerts import Alert, encode_alert, instants_of
from schemas.leads import LeadClock
from tests.alert_builders import HOUR, MINUTE, SECOND, START, make_clock


@dataclass
class Desk:
    """A book with what Kafka would hold beside it, and everything it ever said."""

    book: AlertBook = field(default_factory=AlertBook)
    clocks: dict[str, LeadClock] = field(default_factory=dict)
    rows: dict[str, Alert] = field(default_factory=dict)
    said: list[Alert] = field(default_factory=list)
    """What channels were handed."""
    quiet: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def hear(self, clock: LeadClock, now: int, told_at: int = 0, *, is_quiet: bool = False) -> list[Alert]:
        self.clocks[clock.lead] = clock
        return self._write(self.book.hear(clock.lead, clock, now, told_at, is_quiet=is_quiet))

    def lose(self, lead: str, now: int) -> list[Alert]:
        self.clocks.pop(lead, None)
        return self._write(self.book.hear(lead, None, now))

    def tick(self, now: int, settled_at: int | None = None) -> list[Alert]:
        return self._write(self.book.pass_time(now if settled_at is None else settled_at, now))

    def restart(
        self, now: int, *, by: tuple[LeadClock, ...] | None = None, redefined: set[str] | None = None
    ) -> list[Alert]:
        """`by`: the clocks as other definitions make them."""
        self.book = AlertBook()
        for alert in self.rows.values():
            self.book.restore(encode_alert(alert))
        for lead, instants in self.quiet.items():
            if instants:
                self.book.restore_quiet(lead, instants)
        for clock in by or ():
            self.clocks[clock.lead] = clock
        return self._write(
            self.book.begin(
                self.clocks.values(), now, is_redefined=by is not None, redefined=redefined or (), silent_until=now
            )
        )

    def open(self) -> set[str]:
        return {id for id, alert in self.rows.items() if alert.is_open}

    def _write(self, turned: Turned) -> list[Alert]:
        self.rows |= {alert.id: alert for alert in turned.alerts}
        for lead, instants in turned.quiet.items():
            self.quiet[lead] = instants
        self.said += turned.told
        return turned.told


def names(alerts: list[Alert]) -> list[str]:
    return [f"{alert.lead} {alert.level} {alert.event}" for alert in alerts]


def test_each_level_is_raised_at_its_instant_and_not_before() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)

    assert desk.tick(START + 45 * MINUTE - 1) == []
    assert names(desk.tick(START + 45 * MINUTE)) == ["l1 warn raised"]
    assert names(desk.tick(START + HOUR)) == ["l1 breach raised"]
    assert names(desk.tick(START + 2 * HOUR)) == ["l1 escalate raised"]
    assert desk.tick(START + 9 * HOUR) == []


def test_an_answer_resolves_everything_and_nothing_more_is_raised() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + HOUR)

    resolved = desk.hear(make_clock(answered_at=START + 70 * MINUTE), START + 71 * MINUTE)

    assert names(resolved) == ["l1 warn resolved", "l1 breach resolved"]
    assert {alert.resolved_at for alert in resolved} == {START + 71 * MINUTE}
    assert desk.tick(START + 9 * HOUR) == []


def test_a_lead_that_leaves_new_or_is_deleted_no_longer_waits() -> None:
    desk = Desk()
    desk.hear(make_clock("decided"), START)
    desk.hear(make_clock("deleted"), START)
    desk.tick(START + 45 * MINUTE)

    assert names(desk.hear(make_clock("decided", status="converted"), START + HOUR)) == ["decided warn resolved"]
    assert names(desk.lose("deleted", START + HOUR)) == ["deleted warn resolved"]


def test_what_came_due_while_nobody_was_there_is_raised_once_and_marked_late() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + 45 * MINUTE)
    desk.restart(START + 90 * MINUTE)

    raised = desk.tick(START + 90 * MINUTE)

    assert names(raised) == ["l1 breach raised"]
    assert raised[0].is_late
    assert raised[0].due_at == START + HOUR
    desk.restart(START + 91 * MINUTE)
    assert desk.tick(START + 91 * MINUTE) == []


def test_what_is_raised_within_two_seconds_is_not_late() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)

    (raised,) = desk.tick(START + 45 * MINUTE + 2 * SECOND)

    assert not raised.is_late


def test_nothing_is_raised_before_what_was_delivered_by_then_is_known() -> None:
    """The worker was away for two hours; the answer lies before it in the log."""
    desk = Desk()
    desk.hear(make_clock(), START)
    back_at = START + 2 * HOUR
    desk.restart(back_at)

    assert desk.tick(back_at + SECOND, settled_at=0) == []
    assert desk.tick(back_at + SECOND, settled_at=back_at - SECOND) == []
    desk.hear(make_clock(answered_at=START + 10 * MINUTE), back_at + SECOND)
    assert desk.tick(back_at + 3 * SECOND, settled_at=back_at + 2 * SECOND) == []


def test_an_answer_that_came_while_nobody_was_there_resolves_at_the_start() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + HOUR)
    desk.clocks["l1"] = make_clock(answered_at=START + 61 * MINUTE)

    assert names(desk.restart(START + 2 * HOUR)) == ["l1 warn resolved", "l1 breach resolved"]


def test_a_clock_that_jumps_back_fires_nothing_twice_and_takes_nothing_back() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + HOUR)

    assert desk.tick(START - HOUR) == []
    assert desk.tick(START + HOUR) == []
    assert names(desk.tick(START + 2 * HOUR)) == ["l1 escalate raised"]
    assert len(desk.open()) == 3


def test_another_start_is_another_clock() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + HOUR)

    moved = desk.hear(make_clock(start=START - HOUR), START + HOUR)

    assert names(moved) == ["l1 warn resolved", "l1 breach resolved"]
    assert names(desk.tick(START + HOUR)) == ["l1 warn raised", "l1 breach raised", "l1 escalate raised"]


def test_an_answer_taken_back_opens_the_same_alert_again() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + 45 * MINUTE)
    desk.hear(make_clock(answered_at=START + 46 * MINUTE), START + 46 * MINUTE)
    desk.hear(make_clock(), START + 50 * MINUTE)

    assert names(desk.tick(START + 50 * MINUTE)) == ["l1 warn reopened"]
    assert len(desk.rows) == 1


def test_what_is_due_later_after_all_is_resolved_and_raised_at_its_own_instant() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + HOUR)

    moved = desk.hear(make_clock(sla=4 * HOUR), START + HOUR)

    assert names(moved) == ["l1 warn resolved", "l1 breach resolved"]
    assert desk.open() == set()
    assert names(desk.tick(START + 3 * HOUR)) == ["l1 warn raised"]
    (breach,) = desk.tick(START + 4 * HOUR)
    assert (breach.level, breach.event, breach.due_at) == ("breach", "raised", START + 4 * HOUR)
    assert names(desk.tick(START + 8 * HOUR)) == ["l1 escalate raised"]
    assert len(desk.open()) == 3


def test_back_at_its_first_instant_the_same_alert_is_open_again() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + HOUR)
    desk.hear(make_clock(sla=4 * HOUR), START + HOUR)
    desk.hear(make_clock(), START + HOUR)

    assert names(desk.tick(START + HOUR)) == ["l1 warn reopened", "l1 breach reopened"]
    assert len(desk.rows) == 2


def test_other_definitions_move_what_is_open_without_a_word_and_under_its_id() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + HOUR)
    ids = desk.open()
    now = START + 70 * MINUTE

    assert desk.restart(now, by=(make_clock(sla=30 * MINUTE),), redefined={"l1"}) == []
    assert desk.tick(now) == []  # the escalation that is due by them alone is listed, and not told
    assert desk.open() > ids
    assert {desk.rows[id].due_at for id in ids} == {START + 22 * MINUTE + 30 * SECOND, START + 30 * MINUTE}
    assert {alert.level for alert in desk.rows.values() if alert.is_open} == {"warn", "breach", "escalate"}

    resolved = desk.hear(make_clock(sla=30 * MINUTE, answered_at=now), now)
    assert {alert.id for alert in resolved} == ids
    assert desk.open() == set()


def test_other_definitions_by_which_nothing_is_due_yet_resolve_without_a_word_until_it_is() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + HOUR)
    (breach,) = (alert for alert in desk.rows.values() if alert.level == "breach")
    longer = make_clock(sla=4 * HOUR)

    assert desk.restart(START + HOUR, by=(longer,), redefined={"l1"}) == []
    assert desk.open() == set()
    assert desk.restart(START + 2 * HOUR) == []
    assert names(desk.tick(START + 3 * HOUR)) == ["l1 warn reopened"]
    (raised,) = desk.tick(START + 4 * HOUR)
    assert (raised.id, raised.event, raised.due_at) == (breach.id, "reopened", START + 4 * HOUR)


def test_what_channels_take_for_open_is_resolved_for_them_by_the_answer() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + HOUR)
    desk.restart(START + HOUR, by=(make_clock(sla=4 * HOUR),), redefined={"l1"})

    answered = desk.hear(make_clock(sla=4 * HOUR, answered_at=START + 2 * HOUR), START + 2 * HOUR)

    assert names(answered) == ["l1 warn resolved", "l1 breach resolved"]
    assert desk.hear(make_clock(sla=4 * HOUR, answered_at=START + 90 * MINUTE), START + 2 * HOUR) == []


def test_an_open_alert_goes_along_with_the_lead_and_each_team_hears_of_it_once() -> None:
    desk = Desk()
    desk.hear(make_clock(rep=None, team=None), START)
    desk.tick(START + HOUR)
    now = START + 61 * MINUTE

    told = desk.hear(make_clock(rep="r1", team="north"), now)
    assert [(alert.level, alert.rep, alert.team, alert.event) for alert in told] == [
        ("warn", "r1", "north", "raised"),
        ("breach", "r1", "north", "raised"),
    ]
    assert desk.hear(make_clock(rep="r2", team="north"), now) == []
    assert {alert.rep for alert in desk.rows.values()} == {"r2"}
    assert names(desk.hear(make_clock(rep="r9", team="south"), now)) == ["l1 warn raised", "l1 breach raised"]
    desk.restart(now)
    assert desk.hear(make_clock(rep="r1", team="north"), now) == []
    (resolved, _) = desk.hear(make_clock(rep="r1", team="north", answered_at=now), now)
    assert {resolved.team, *resolved.told_teams} == {None, "north", "south"}


def test_a_touch_that_is_still_to_come_stops_nothing_until_its_instant() -> None:
    desk = Desk()
    planned = make_clock(answered_at=START + 90 * MINUTE)
    desk.hear(planned, START)

    assert names(desk.tick(START + HOUR)) == ["l1 warn raised", "l1 breach raised"]
    desk.restart(START + 80 * MINUTE)
    assert desk.tick(START + 90 * MINUTE - 1) == []
    assert names(desk.tick(START + 90 * MINUTE)) == ["l1 warn resolved", "l1 breach resolved"]
    assert desk.tick(START + 9 * HOUR) == []


def test_a_touch_that_came_in_time_while_nobody_was_there_leaves_nothing_to_raise() -> None:
    desk = Desk()
    desk.hear(make_clock(answered_at=START + HOUR), START)
    desk.tick(START + 45 * MINUTE)
    desk.restart(START + 2 * HOUR)

    assert desk.tick(START + 2 * HOUR) == []
    assert desk.open() == set()


def test_what_is_first_told_long_after_its_instant_is_quiet_whatever_is_restarted() -> None:
    desk = Desk()
    told_at = START + 2 * HOUR + 10 * MINUTE
    desk.hear(make_clock(), told_at, told_at)
    desk.restart(told_at + SECOND)

    raised = desk.tick(told_at + SECOND)

    assert {alert.level: alert.quiet for alert in raised} == {"warn": "summary", "breach": "summary", "escalate": ""}
    assert desk.quiet["l1"] == ()
    resolved = desk.hear(make_clock(answered_at=told_at), told_at + MINUTE)
    assert {alert.level: alert.quiet for alert in resolved} == {"warn": "summary", "breach": "summary", "escalate": ""}


def test_what_was_told_in_time_is_not_quiet_however_late_it_is_raised() -> None:
    desk = Desk()
    desk.hear(make_clock(), START, START)
    desk.restart(START + 30 * HOUR)

    raised = desk.tick(START + 30 * HOUR)

    assert {alert.quiet for alert in raised} == {""}
    assert {alert.is_late for alert in raised} == {True}


def test_what_a_replay_brings_is_listed_and_never_told() -> None:
    desk = Desk()
    desk.clocks["l1"] = make_clock()
    desk.restart(START + HOUR, by=(), redefined={"l1"})

    assert desk.tick(START + HOUR) == []
    assert len(desk.open()) == 2
    assert names(desk.tick(START + 2 * HOUR)) == ["l1 escalate raised"]
    assert names(desk.hear(make_clock(answered_at=START), START + 2 * HOUR)) == ["l1 escalate resolved"]


LEADS = ("l1", "l2")
MOMENTS = st.integers(0, 12).map(lambda quarter: START + quarter * 15 * MINUTE)
CLOCKS = st.builds(
    make_clock,
    st.sampled_from(LEADS),
    st.sampled_from([START, START + 15 * MINUTE]),
    sla=st.sampled_from([HOUR, 2 * HOUR]),
    answered_at=st.sampled_from([None, None, START + 30 * MINUTE, START + 2 * HOUR]),
    status=st.sampled_from([None, "new", "disqualified"]),
    team=st.sampled_from([None, "north", "south"]),
)
STEPS = st.one_of(
    st.tuples(st.just("hear"), CLOCKS),
    st.tuples(st.just("lose"), st.sampled_from(LEADS)),
    st.tuples(st.just("at"), MOMENTS),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("redefine"), st.lists(CLOCKS, max_size=2)),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_what_is_open_is_a_function_of_the_clocks_and_the_time(
    steps: list[tuple[str, object]],
) -> None:
    desk, now = Desk(), START
    for kind, what in steps:
        if kind == "hear" and isinstance(what, LeadClock):
            desk.hear(what, now)
        elif kind == "lose" and isinstance(what, str):
            desk.lose(what, now)
        elif kind == "at" and isinstance(what, int):
            now = max(now, what)
        elif kind == "redefine" and isinstance(what, list):
            known = tuple(clock for clock in what if clock.lead in desk.clocks)
            desk.restart(now, by=known, redefined={clock.lead for clock in known})
        else:
            desk.restart(now)
        desk.tick(now)

        due = {
            (lead, level, clock.started_at, at, clock.rep, clock.team)
            for lead, clock in desk.clocks.items()
            if clock.is_waiting(now)
            for level, at in instants_of(clock)
            if at <= now
        }
        is_open = [alert for alert in desk.rows.values() if alert.is_open]
        assert {(a.lead, a.level, a.started_at, a.due_at, a.rep, a.team) for a in is_open} == due
        assert len(is_open) == len(due)
    for id, alert in desk.rows.items():
        told = [each for each in desk.said if each.id == id]
        assert [each.turn for each in told] == sorted(each.turn for each in told)  # and twice only for another team
        if alert.quiet == "":
            # Whoever was told that it waits is told when it does not.
            assert not told or told[-1].is_open == (alert.is_open or alert.is_owed)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_a_clock_that_is_set_back_raises_nothing_twice(steps: list[tuple[str, object]]) -> None:
    desk, now = Desk(), START
    for kind, what in steps:
        if kind == "hear" and isinstance(what, LeadClock):
            desk.hear(what, now)
        elif kind == "lose" and isinstance(what, str):
            desk.lose(what, now)
        elif kind == "at" and isinstance(what, int):
            now = what
        else:
            desk.restart(now)
        desk.tick(now)

    for id in desk.rows:
        raised = [alert for alert in desk.said if alert.id == id and alert.event == "raised"]
        assert len(raised) == len({alert.team for alert in raised})


def test_what_a_file_tells_is_raised_without_a_word_and_what_comes_due_later_is_told() -> None:
    desk = Desk()
    now = START + 50 * MINUTE
    desk.hear(make_clock(), now, now, is_quiet=True)

    assert desk.tick(now) == []
    assert [(alert.level, alert.quiet) for alert in desk.rows.values()] == [("warn", "silent")]
    assert names(desk.tick(START + HOUR)) == [f"{make_clock().lead} breach raised"]


def test_an_alert_names_the_request_that_told_last_of_its_lead_and_keeps_it() -> None:
    desk = Desk()
    desk.book.requests.note("l1", "a-1")
    desk.hear(make_clock(), START)
    desk.book.requests.note("l1", "a-2")
    desk.tick(START + 45 * MINUTE)
    desk.restart(START + 50 * MINUTE)

    resolved = desk.hear(make_clock(answered_at=START + 55 * MINUTE), START + 55 * MINUTE)

    assert [alert.request for alert in resolved] == ["a-2"]
