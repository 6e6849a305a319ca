"""Instants and durations at the edges."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import (
    DAY,
    EARLIEST,
    HOUR,
    LATEST,
    MINUTE,
    SECOND,
    _days,
    checked,
    format_instant,
    from_datetime,
    parse_duration,
    parse_instant,
    to_datetime,
)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1000),
        ("2026-03-18T16:41:30.344Z", 1773852090344000),
        ("2026-03-18T16:41:30.344522Z", 1773852090344522),
        ("2026-03-18T16:41:30.344522999Z", 1773852090344522),
        ("2026-03-18T16:41:30.3Z", 1773852090300000),
        ("2026-03-18T16:41:30,3Z", 1773852090300000),
        ("2026-03-18t16:41:30z", 1773852090000000),
        ("2026-03-18 16:41:30Z", 1773852090000000),
        ("2026-03-18T18:41:30+02:00", 1773852090000000),
        ("2026-03-18T18:41:30+0200", 1773852090000000),
        ("2026-03-18T11:11:30-05:30", 1773852090000000),
        ("2024-02-29T00:00:00Z", 1709164800000000),
    ],
)
def test_an_instant_is_read(text: str, instant: int) -> None:
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-18",
        "2026-03-18T16:41Z",
        "2026-03-18T16:41:30",
        "2026-03-18T16:41:30.Z",
        "2026-03-18T16:41:30.1234567890Z",
        "2026-03-18T16:41:30Z ",
        "2026-03-18T16:41:30Z\n",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-03-18T24:00:00Z",
        "2026-03-18T23:59:60Z",
        "2026-03-18T16:41:30+24:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1773852090",
    ],
)
def test_a_text_that_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_instant(text)


@given(st.integers(EARLIEST, LATEST))
def test_an_instant_and_a_moment_are_each_other(instant: int) -> None:
    assert from_datetime(to_datetime(instant)) == instant
    assert parse_instant(to_datetime(instant).isoformat()) == instant


@given(st.integers(EARLIEST, LATEST).map(format_instant), st.data())
def test_an_instant_of_a_day_that_was_read_before_is_read_alike(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text) - 1))
    spoilt = text[:place] + data.draw(st.sampled_from("0369:.,-TtZz ") | st.just("")) + text[place + 1 :]
    _days.clear()
    unknown = _read_or_problem(spoilt)
    _read_or_problem(text)

    assert _read_or_problem(spoilt) == unknown


def test_days_that_were_read_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.instants._DAYS_KEPT", 3)
    for day in range(10):
        assert parse_instant(format_instant(day * DAY)) == day * DAY
        assert len(_days) <= 3


def test_a_day_of_which_only_a_part_can_be_meant_is_read_up_to_there() -> None:
    last = format_instant(LATEST)

    assert parse_instant(last) == LATEST
    with pytest.raises(ValueError, match="outside"):
        parse_instant(last[:11] + "23:59:59.999Z")
    assert parse_instant(last) == LATEST


def _read_or_problem(text: str) -> int | str:
    try:
        return parse_instant(text)
    except ValueError as error:
        return str(error)


@given(st.integers(EARLIEST, LATEST))
def test_an_instant_is_written_with_milliseconds_that_are_cut(instant: int) -> None:
    text = format_instant(instant)

    assert len(text) == len("2026-03-18T16:41:30.344Z")
    assert parse_instant(text) == instant // 1000 * 1000


def test_a_moment_of_any_zone_is_the_same_instant() -> None:
    moment = datetime(2026, 3, 18, 16, 41, 30, 344522, tzinfo=UTC)

    assert from_datetime(moment) == from_datetime(moment.astimezone(timezone(timedelta(hours=8)))) == 1773852090344522


@pytest.mark.parametrize("instant", [EARLIEST - 1, LATEST + 1])
def test_an_instant_that_no_crm_can_mean_is_refused(instant: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        checked(instant)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30s", 30 * SECOND),
        ("5m", 5 * MINUTE),
        ("1h", HOUR),
        ("2d", 2 * DAY),
        ("250ms", 250_000),
        ("1.5h", 90 * MINUTE),
        (" 10 m ", 10 * MINUTE),
    ],
)
def test_a_duration_is_read(text: str, duration: int) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 minutes", "5M", "1h30m", "1e3s"])
def test_a_text_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
