"""What channels are told, whatever comes in between: repetitions, restarts, quiet hours, snoozes and failures."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from processor.core.outbox import SUMMARY_AFTER, SUMMARY_AT_MOST_AFTER, Outbox
from processor.core.panes import Message
from schemas.alerts import DIGEST, WIN, Alert, AlertFrame, Silence
from schemas.config.alerts import QuietHours
from schemas.instants import DAY, MINUTE
from schemas.notices import Notice
from tests.alert_builders import HOUR, START, make_alert, make_crossing
from tests.builders import instant

NOW = START + HOUR
NIGHT = QuietHours(hours="20:00-07:00", timezone="UTC")
EVENING, MORNING = instant("2026-03-18T22:00Z"), instant("2026-03-19T07:00Z")


class Desk:
    """An outbox with its rows."""

    def __init__(self, quiet: QuietHours | None = None) -> None:
        self.quiet = {"floor": quiet, "other": None}
        self.outbox = Outbox(self.quiet)
        self.rows: dict[bytes, bytes] = {}

    def take(self, *alerts: Alert, now: int = NOW, channel: str = "floor") -> None:
        self._write(self.outbox.take(AlertFrame(channel, list(alerts)), now))

    def silence(self, silence: Silence, now: int = NOW) -> None:
        self._write(self.outbox.take(AlertFrame("floor", silences=[silence]), now))

    def tell(self, now: int = NOW, channel: str = "floor", most: int = 100) -> list[str]:
        """Tell everything that may be told now, with success."""
        found: list[str] = []
        while True:
            turns, rows = self.outbox.next(channel, now, most)
            self._write(rows)
            if not turns:
                return found
            found += [f"{turn.alert.lead} {turn.alert.event}" for turn in turns]
            self._write(self.outbox.told(channel, turns))

    def restart(self) -> None:
        self.outbox = Outbox(self.quiet)
        for key, row in self.rows.items():
            assert self.outbox.restore(key, row)

    def _write(self, messages: list[Message]) -> None:
        for key, row in messages:
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row


def test_each_turn_is_told_once_in_order_and_nothing_is_left() -> None:
    desk = Desk()
    raised = make_alert()
    desk.take(raised)
    desk.take(raised.resolved(NOW + 1))

    assert desk.tell() == ["l1 raised", "l1 resolved"]
    assert desk.rows == {}


def test_a_repetition_is_not_told_again() -> None:
    desk = Desk()
    desk.take(make_alert())
    desk.tell()
    desk.take(make_alert())

    assert desk.tell() == []


def test_after_a_restart_it_goes_on() -> None:
    desk = Desk()
    desk.take(make_alert("l1"), make_alert("l2"))
    desk.outbox.next("floor", NOW, 1)  # under way when the process was killed
    desk.restart()

    assert sorted(desk.tell()) == ["l1 raised", "l2 raised"]
    desk.restart()
    assert desk.tell() == []
    desk.take(make_alert("l1").resolved(NOW))
    assert desk.tell() == ["l1 resolved"]


def test_who_was_not_told_that_it_waits_is_not_told_that_it_waits_no_longer() -> None:
    desk = Desk()
    desk.take(make_alert().resolved(NOW))

    assert desk.tell() == []
    assert desk.rows == {}


def test_channels_have_nothing_to_do_with_each_other() -> None:
    desk = Desk()
    desk.take(make_alert())
    desk.take(make_alert(), channel="other")
    turns, _ = desk.outbox.next("floor", NOW, 10)
    desk.outbox.put_back("floor", turns, NOW + HOUR)

    assert desk.tell() == []
    assert desk.tell(channel="other") == ["l1 raised"]
    assert desk.tell(NOW + HOUR) == ["l1 raised"]


def test_what_was_refused_does_not_hold_up_the_rest_and_keeps_its_order() -> None:
    desk = Desk()
    desk.take(make_alert("l1"), make_alert("l2"))
    (first,), _ = desk.outbox.next("floor", NOW, 1)
    desk.outbox.put_back("floor", [first], NOW + MINUTE)
    desk.take(make_alert("l1").resolved(NOW))

    assert desk.tell() == ["l2 raised"]
    assert desk.tell(NOW + MINUTE) == ["l1 raised", "l1 resolved"]


def test_a_message_takes_no_more_than_the_channel_takes() -> None:
    desk = Desk()
    desk.take(*(make_alert(f"l{number}") for number in range(5)))

    sizes = []
    while turns := desk.outbox.next("floor", NOW, 2)[0]:
        sizes.append(len(turns))

    assert sizes == [2, 2, 1]


def test_in_quiet_hours_nothing_is_told_and_in_the_morning_only_what_is_still_so() -> None:
    desk = Desk(NIGHT)
    desk.take(make_alert("still"), make_alert("answered"), now=EVENING)

    assert desk.tell(EVENING) == []
    desk.take(make_alert("answered").resolved(EVENING), now=EVENING + 1)
    assert desk.tell(MORNING - 1) == []
    assert desk.tell(MORNING) == ["still raised"]


def test_an_answer_at_night_to_what_was_told_in_the_evening_is_told_in_the_morning() -> None:
    desk = Desk(NIGHT)
    before = EVENING - 3 * HOUR
    desk.take(make_alert(), now=before)
    assert desk.tell(before) == ["l1 raised"]
    desk.take(make_alert().resolved(EVENING), now=EVENING)

    assert desk.tell(EVENING) == []
    assert desk.tell(MORNING) == ["l1 resolved"]


def test_an_acknowledged_crossing_is_not_spoken_of_but_the_next_days_is() -> None:
    desk = Desk()
    today, tomorrow = make_crossing(), make_crossing(day=19)
    desk.silence(Silence(today.cared_for, NOW + 30 * 24 * HOUR, is_acknowledged=True))
    desk.take(today, tomorrow)

    turns, _ = desk.outbox.next("floor", NOW, 10)

    assert [turn.alert.id for turn in turns] == [tomorrow.id]


def test_a_snoozed_limit_is_silent_for_this_rep_whatever_the_day() -> None:
    desk = Desk()
    desk.silence(Silence(make_crossing().subject, NOW + 48 * HOUR, is_acknowledged=False))
    desk.take(make_crossing(day=19), make_crossing(rep="r2", day=19))

    turns, _ = desk.outbox.next("floor", NOW + 24 * HOUR, 10)

    assert [turn.alert.rep for turn in turns] == ["r2"]


def test_an_acknowledged_lead_is_not_spoken_of_again_but_its_answer_is() -> None:
    desk = Desk()
    desk.take(make_alert(level="warn"))
    desk.tell()
    desk.silence(Silence("l1", NOW + 30 * 24 * HOUR, is_acknowledged=True))
    desk.take(make_alert(level="breach"), make_alert("l2"))

    assert desk.tell() == ["l2 raised"]
    desk.take(make_alert(level="warn").resolved(NOW), make_alert(level="breach").resolved(NOW))
    assert desk.tell() == ["l1 resolved"]


def test_a_snoozed_lead_is_spoken_of_afterwards_if_it_still_waits() -> None:
    desk = Desk()
    desk.silence(Silence("l1", NOW + HOUR, is_acknowledged=False))
    desk.silence(Silence("l2", NOW + HOUR, is_acknowledged=False))
    desk.take(make_alert("l1"), make_alert("l2"))
    assert desk.tell() == []
    desk.take(make_alert("l2").resolved(NOW))
    desk.restart()

    assert desk.tell(NOW + HOUR - 1) == []
    assert desk.tell(NOW + HOUR) == ["l1 raised"]


def test_a_silence_that_is_over_leaves_no_row() -> None:
    desk = Desk()
    desk.silence(Silence("l1", NOW + HOUR, is_acknowledged=False))

    assert desk.outbox.expire(NOW + HOUR - 1) == []
    (message,) = desk.outbox.expire(NOW + HOUR)
    assert message[1] is None
    assert message[0] in desk.rows


def test_what_is_given_up_is_not_told_and_neither_is_its_answer() -> None:
    desk = Desk()
    desk.take(make_alert(), make_alert().resolved(NOW))
    turns, _ = desk.outbox.next("floor", NOW, 10)
    desk._write(desk.outbox.give_up("floor", turns))

    assert desk.tell() == []
    assert desk.rows == {}


def test_rows_of_a_channel_that_is_gone_are_not_taken() -> None:
    desk = Desk()
    desk.take(make_alert())
    ((key, row),) = desk.rows.items()

    assert not Outbox({"another": None}).restore(key, row)


def test_a_channel_that_forgets_is_told_again_what_it_believes_to_be_open() -> None:
    desk = Desk()
    desk.take(make_alert("l1"), make_alert("l2"), make_alert("l3"))
    desk.tell()
    desk.take(make_alert("l2").resolved(NOW))
    desk.tell()

    assert [alert.lead for alert in desk.outbox.told_open("floor")] == ["l1", "l3"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["turn", "repeat", "tell", "fail", "restart", "evening", "morning"]), max_size=40))
def test_whatever_happens_the_channel_knows_in_the_end_what_is_so(steps: list[str]) -> None:
    """Every turn that is told changes what the channel knew: nothing twice, nothing in the wrong order."""
    desk, alert, now = Desk(NIGHT), None, EVENING - 3 * HOUR
    told: list[str] = []
    for step in steps:
        if step == "turn":
            alert = make_alert() if alert is None else alert.resolved(now) if alert.is_open else alert.reopened()
            desk.take(alert, now=now)
        elif step == "repeat" and alert is not None:
            desk.take(alert, now=now)
        elif step == "tell":
            told += desk.tell(now)
        elif step == "fail":
            turns, _ = desk.outbox.next("floor", now, 10)
            desk.outbox.put_back("floor", turns, now + 1)
            now += 1
        elif step == "restart":
            desk.restart()
        elif step == "evening":
            now = max(now, EVENING)
        elif step == "morning":
            now = max(now, MORNING)
    told += desk.tell(max(now, MORNING) + 1)

    believes = [word.split()[1] != "resolved" for word in told]
    assert all(one != next_one for one, next_one in pairwise(believes))
    assert (believes[-1] if believes else False) == (alert is not None and alert.is_open)
    assert bool(desk.rows) == (alert is not None and alert.is_open)


def late(lead: str) -> Alert:
    return replace(make_alert(lead), quiet="summary")


def sum_up(desk: Desk, now: int) -> list[str]:
    """Tell a summary, if there is one to tell now, with success."""
    turns, rows = desk.outbox.next_summary("floor", now)
    desk._write(rows)
    desk._write(desk.outbox.summed("floor", turns))
    return sorted(turn.alert.lead or "" for turn in turns)


def test_quiet_alerts_are_told_together_once_no_more_of_them_come() -> None:
    desk = Desk()
    desk.take(late("l1"), now=NOW)
    desk.take(late("l2"), late("l1"), now=NOW + SUMMARY_AFTER - 1)
    assert desk.tell(NOW + HOUR) == []

    assert sum_up(desk, NOW + SUMMARY_AFTER) == []
    desk.restart()
    assert sum_up(desk, NOW + 2 * SUMMARY_AFTER) == ["l1", "l2"]
    desk.restart()
    desk.take(late("l1"), late("l2"), now=NOW + HOUR)
    assert sum_up(desk, NOW + 2 * HOUR) == []


def test_a_flood_without_end_is_told_all_the_same() -> None:
    desk = Desk()
    for number in range(SUMMARY_AT_MOST_AFTER // SUMMARY_AFTER + 1):
        desk.take(late(f"l{number}"), now=NOW + number * SUMMARY_AFTER)

    assert len(sum_up(desk, NOW + SUMMARY_AT_MOST_AFTER)) == SUMMARY_AT_MOST_AFTER // SUMMARY_AFTER + 1


def test_no_turn_of_what_is_quiet_is_told_and_its_end_leaves_no_row() -> None:
    desk = Desk()
    desk.take(late("l1"), late("l2"))
    desk.take(late("l2").resolved(NOW + 1))
    assert sum_up(desk, NOW + HOUR) == ["l1"]
    desk.take(late("l1").resolved(NOW + 2))

    assert desk.tell(NOW + HOUR) == []
    assert sum_up(desk, NOW + 2 * HOUR) == []
    assert desk.rows == {}


def test_a_summary_that_could_not_be_told_is_tried_again_with_what_has_come_since() -> None:
    desk = Desk()
    desk.take(late("l1"))
    turns, _ = desk.outbox.next_summary("floor", NOW + SUMMARY_AFTER)
    desk.outbox.put_back_summary("floor", turns, NOW + MINUTE)
    desk.take(late("l2"), now=NOW + SUMMARY_AFTER)

    assert sum_up(desk, NOW + MINUTE - 1) == []
    assert sum_up(desk, NOW + MINUTE) == ["l1", "l2"]


def test_a_summary_waits_for_the_end_of_quiet_hours_and_leaves_out_what_somebody_cares_for() -> None:
    desk = Desk(NIGHT)
    desk.take(late("l1"), late("l2"), now=EVENING)
    desk.silence(Silence("l2", MORNING + HOUR, is_acknowledged=True), EVENING)

    assert sum_up(desk, EVENING + HOUR) == []
    assert sum_up(desk, MORNING) == ["l1"]
    assert sum_up(desk, MORNING + HOUR) == []


def test_a_lead_that_changed_hands_is_resolved_as_it_was_told() -> None:
    desk = Desk()
    desk.take(make_alert())
    desk.tell()
    desk.take(replace(make_alert().resolved(NOW), rep="r9", team="south"))
    (turn,), _ = desk.outbox.next("floor", NOW, 1)

    assert (turn.alert.rep, turn.alert.team) == ("r1", "north")


def told_only(kind: str, id: str, at: int = NOW) -> Alert:
    return Alert(f"{kind}:floor:{id}", kind, "warn", id, None, None, at, at, at, notice=Notice(kind, id))


def test_the_day_is_told_at_its_hour_and_wins_of_the_night_in_the_morning() -> None:
    desk = Desk(NIGHT)
    desk.take(told_only(WIN, "w"), told_only(DIGEST, "d"), now=EVENING)

    assert desk.tell(EVENING) == ["d raised"]
    assert desk.tell(MORNING) == ["w raised"]


def test_a_win_of_the_night_that_is_taken_back_before_the_morning_is_not_told() -> None:
    desk = Desk(NIGHT)
    win = told_only(WIN, "w")
    desk.take(win, now=EVENING)
    assert desk.tell(EVENING) == []
    desk.take(win.resolved(EVENING), now=EVENING)

    assert desk.tell(MORNING) == []


def test_wins_share_a_message_among_themselves_and_with_nothing_else() -> None:
    desk = Desk()
    desk.take(make_alert("l1"), told_only(WIN, "w1"), told_only(WIN, "w2"), told_only(DIGEST, "d"), make_alert("l2"))
    messages = []
    while True:
        turns, _ = desk.outbox.next("floor", NOW, 100)
        if not turns:
            break
        messages.append([turn.alert.lead for turn in turns])
        desk.outbox.told("floor", turns)

    assert messages == [["l1"], ["w1", "w2"], ["d"], ["l2"]]


def test_what_was_told_is_known_for_some_days_and_no_channel_is_reminded_of_it() -> None:
    desk = Desk()
    desk.take(told_only(DIGEST, "d"))
    assert desk.tell() == ["d raised"]
    desk.restart()
    desk.take(told_only(DIGEST, "d"))

    assert desk.tell() == []
    assert desk.outbox.told_open("floor") == []
    for now in (NOW + 4 * DAY, NOW + 5 * DAY):
        desk._write(desk.outbox.expire(now))
    assert desk.rows == {}
