"""An outage fills no disk: what is said again and again is said now and then, with how often."""

import logging
from typing import Any

import pytest
import structlog

from schemas.log_rate import LogRate


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def record(message: Any, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("any", level, __file__, 1, message, ("x",) if isinstance(message, str) else None, None)


def test_the_same_is_said_so_often_and_then_how_often_it_was_left_out() -> None:
    clock = Clock()
    rate = LogRate(most=2, per=10.0, clock=clock)

    passed = [rate.filter(record("broker %s is away")) for _ in range(7)]
    clock.now = 10.0
    later = record("broker %s is away")

    assert passed == [True, True, False, False, False, False, False]
    assert rate.filter(later)
    assert later.getMessage() == "broker x is away (5 like it were left out)"


def test_kinds_are_told_apart_and_what_is_no_warning_or_ends_the_process_is_always_said() -> None:
    rate = LogRate(most=1, per=10.0, clock=Clock())

    assert rate.filter(record("one %s"))
    assert rate.filter(record("another %s"))
    assert not rate.filter(record("one %s"))
    assert all(rate.filter(record("one %s", level)) for level in (logging.INFO, logging.CRITICAL))


def test_events_of_structlog_are_limited_by_name_whatever_they_say_of_it() -> None:
    clock = Clock()
    rate = LogRate(most=1, per=10.0, clock=clock)

    assert rate(None, "warning", {"event": "view.interrupted", "again_in": 1}) == {
        "event": "view.interrupted",
        "again_in": 1,
    }
    with pytest.raises(structlog.DropEvent):
        rate(None, "warning", {"event": "view.interrupted", "again_in": 2})
    assert rate(None, "info", {"event": "view.interrupted"}) == {"event": "view.interrupted"}
    clock.now = 11.0
    assert rate(None, "error", {"event": "view.interrupted"}) == {"event": "view.interrupted", "left_out": 1}


def test_structlog_through_logging_is_limited_by_the_same_filter() -> None:
    rate = LogRate(most=1, per=10.0, clock=Clock())

    assert rate.filter(record({"event": "owners.not_acknowledged", "broker": 1}))
    assert not rate.filter(record({"event": "owners.not_acknowledged", "broker": 2}))
