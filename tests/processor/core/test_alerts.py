"""What has fired, for any sequence of changes, ticks, restarts and jumps of the machine's clock."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from processor.core.alerts import AlertBook
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

    def hear(self, clock: LeadClock, now: int) -> list[Alert]:
        self.clocks[clock.lead] = clock
        return self._write(self.book.hear(clock.lead, clock, now))

    def lose(self, lead: str, now: int) -> list[Alert]:
        self.clocks.pop(lead, None)
        return self._write(self.book.hear(lead, None, now))

    def tick(self, now: int, settled_at: int | None = None) -> list[Alert]:
        return self._write(self.book.pass_time(now if settled_at is None else settled_at, now))

    def restart(self, now: int) -> list[Alert]:
        self.book = AlertBook()
        for alert in self.rows.values():
            self.book.restore(encode_alert(alert))
        return self._write(self.book.begin(self.clocks.values(), now))

    def open(self) -> set[str]:
        return {id for id, alert in self.rows.items() if alert.is_open}

    def _write(self, alerts: list[Alert]) -> list[Alert]:
        self.rows |= {alert.id: alert for alert in alerts}
        self.said += alerts
        return alerts


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


def test_a_longer_sla_takes_nothing_back() -> None:
    desk = Desk()
    desk.hear(make_clock(), START)
    desk.tick(START + HOUR)

    assert desk.hear(make_clock(sla=4 * HOUR), START + HOUR) == []
    assert desk.tick(START + 3 * HOUR) == []
    assert names(desk.tick(START + 8 * HOUR)) == ["l1 escalate raised"]


LEADS = ("l1", "l2")
MOMENTS = st.integers(0, 12).map(lambda quarter: START + quarter * 15 * MINUTE)
CLOCKS = st.builds(
    make_clock,
    st.sampled_from(LEADS),
    st.sampled_from([START, START + 15 * MINUTE]),
    sla=st.sampled_from([HOUR, 2 * HOUR]),
    answered_at=st.sampled_from([None, None, START + 30 * MINUTE]),
    status=st.sampled_from([None, "new", "disqualified"]),
)
STEPS = st.one_of(
    st.tuples(st.just("hear"), CLOCKS),
    st.tuples(st.just("lose"), st.sampled_from(LEADS)),
    st.tuples(st.just("at"), MOMENTS),
    st.tuples(st.just("restart"), st.none()),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_each_level_fires_once_and_open_is_what_should_be(steps: list[tuple[str, object]]) -> None:
    desk, now, heard = Desk(), START, dict.fromkeys(LEADS, START)
    for kind, what in steps:
        if kind == "hear" and isinstance(what, LeadClock):
            desk.hear(what, now)
            heard[what.lead] = max(heard[what.lead], now)
        elif kind == "lose" and isinstance(what, str):
            desk.lose(what, now)
        elif kind == "at" and isinstance(what, int):
            now = what  # also backwards
        else:
            desk.restart(now)
            heard = {lead: max(at, now) for lead, at in heard.items()}
        desk.tick(now)

        running = {clock.lead: clock for clock in desk.clocks.values() if clock.is_waiting}
        due = {
            f"{lead}:{level}:{clock.started_at}"
            for lead, clock in running.items()
            for level, at in instants_of(clock)
            if max(at, heard[lead]) <= now
        }
        assert due <= desk.open()
        for id in desk.open():
            alert = desk.rows[id]
            assert alert.lead in running
            assert running[alert.lead].started_at == alert.started_at
    raised = [alert.id for alert in desk.said if alert.event == "raised"]
    assert len(raised) == len(set(raised))
    for id in desk.rows:
        turns = [alert.turn for alert in desk.said if alert.id == id]
        assert turns == list(range(1, len(turns) + 1))
