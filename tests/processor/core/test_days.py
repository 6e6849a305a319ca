"""The day in one message: when it is due, and that it is told once."""

from typing import Any

from processor.core.days import DayBook
from schemas.alerts import Alert
from schemas.config import Config
from schemas.floor import Floor
from schemas.instants import DAY, HOUR, MINUTE
from schemas.leads import LeadClock
from schemas.panes import encode_pane, pane_key
from schemas.windows import day_window
from tests.alert_builders import make_clock
from tests.builders import instant, make_config
from tests.panes import pane_of

ZONE = "Asia/Kuala_Lumpur"
WEDNESDAY = instant("2026-03-18T17:30+08:00")
HOOK = {"kind": "webhook", "url": "https://example.com"}


def configured(**digest: Any) -> Config:
    return make_config(
        timezone=ZONE,
        digest={"at": "17:30", "days": "mon-fri", "to": ["desk"]} | digest,
        alerts={"channels": {"desk": HOOK, "home": HOOK | {"names": "none"}}},
        reps={"r1": {"name": "Ana"}},
        goals={"calls": {"metric": "calls_made", "period": "month", "amounts": [{"each": 100}]}},
    )


def told(book: DayBook, as_of: int, *clocks: LeadClock) -> list[str]:
    return [alert.id for _, alert in book.look(as_of, as_of, [], clocks)]


def test_it_is_told_once_from_its_instant_on_and_only_on_the_same_day() -> None:
    book = DayBook(Floor(configured()))

    assert told(book, WEDNESDAY - 1) == []
    assert told(book, WEDNESDAY) == ["digest:2026-03-18:desk"]
    assert told(book, WEDNESDAY + MINUTE) == []
    assert told(book, WEDNESDAY + DAY - MINUTE) == []
    assert told(book, WEDNESDAY + DAY + 3 * HOUR) == ["digest:2026-03-19:desk"]


def test_it_is_not_told_on_other_days_of_the_week() -> None:
    book = DayBook(Floor(configured()))

    assert told(book, WEDNESDAY + 3 * DAY) == []
    assert told(book, WEDNESDAY + 5 * DAY) == ["digest:2026-03-23:desk"]


def test_a_worker_that_starts_late_tells_it_unless_another_has() -> None:
    first = DayBook(Floor(configured()))
    ((_, alert),) = first.look(WEDNESDAY + HOUR, WEDNESDAY + HOUR, [], [])

    second = DayBook(Floor(configured(to=["desk", "home"])))
    second.restore(alert)

    assert told(second, WEDNESDAY + 2 * HOUR) == ["digest:2026-03-18:home"]


def test_days_that_were_told_are_forgotten_in_time() -> None:
    book = DayBook(Floor(configured()))
    told(book, WEDNESDAY)

    assert book.forget(WEDNESDAY) == []
    assert book.forget(WEDNESDAY + 1) == ["digest:2026-03-18:desk"]


def test_it_holds_the_panes_of_the_goals_period_and_of_the_day_before() -> None:
    assert DayBook(Floor(configured())).oldest(WEDNESDAY) == {True: day_window(WEDNESDAY // DAY - 17)}
    assert DayBook(Floor(configured())).oldest(instant("2026-03-01T12:00+08:00")) == {
        True: day_window(instant("2026-02-28T00:00Z") // DAY)
    }
    assert DayBook(Floor(make_config())).oldest(WEDNESDAY) == {}


def message(config: Config, *clocks: LeadClock) -> Alert:
    floor = Floor(config)
    for day, calls in ((WEDNESDAY // DAY, 30), (WEDNESDAY // DAY - 1, 20)):
        floor.take_pane(pane_key("ledger.0", "r1", day_window(day)), encode_pane(pane_of(calls_made=calls)))
    ((_, alert),) = DayBook(floor).look(WEDNESDAY, WEDNESDAY, [], clocks)
    return alert


def test_it_says_what_has_changed_what_is_reached_and_who_waits() -> None:
    named = LeadClock("l1", "r1", "web", None, WEDNESDAY - 2 * HOUR, WEDNESDAY - HOUR, HOUR, name="Jane Doe")
    answered = make_clock("l2", WEDNESDAY - HOUR, answered_at=WEDNESDAY - MINUTE)
    alert = message(configured(metrics=["calls_made", "connect_rate"]), named, answered)
    assert alert.notice is not None

    assert alert.notice.title == "The day at Acme: Wednesday, March 18, 2026"
    assert alert.notice.table == (
        ("Metric", "Today", "Day before", "Change"),
        ("Calls made", "30", "20", "+50%"),
        ("Connect rate", "0%", "0%", "0%"),
    )
    assert [line for line in alert.notice.lines if line] == [
        "As of 17:30", "Goals", "Calls made, this month: 50 of 100 (50%), behind pace", "Nothing was won today",
        "1 lead is waiting for an answer, 1 overdue", "Jane Doe (Ana), waiting for 2h 00m",
    ]  # fmt: skip


def test_it_is_told_in_its_language_by_the_names_of_the_channel() -> None:
    clock = LeadClock("l1", "r1", "web", None, WEDNESDAY - HOUR, WEDNESDAY, HOUR, name="Jane Doe")
    alert = message(configured(to=["home"], language="fa", metrics=["calls_made"]), clock)
    assert alert.notice is not None

    assert alert.notice.is_right_to_left
    assert alert.notice.table[1][1:] == ("۳۰", "۲۰", "+۵۰٪")
    said = "\n".join([alert.notice.title, *alert.notice.lines])
    assert "۲۷ اسفند ۱۴۰۴" in said
    assert "Jane" not in said
    assert "Jane" not in alert.notice.data
    assert "Ana" not in said
    assert not set("0123456789") & set(said)
