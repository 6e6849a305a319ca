"""Which request told of a lead goes with the frames, within bounds; what cannot be read says nothing."""

import msgspec
import pytest

from schemas.frames import Engagement, change_frames, changed_records, engaged_records, engagement_frames
from schemas.requests import MOST_IN_A_FRAME, REQUESTS, LatestByLead, request_headers, requests_in
from tests.builders import change


def nobody(_frame: bytes) -> list[str]:
    raise AssertionError


def test_what_a_frame_says_is_read_again() -> None:
    headers = request_headers([("lead|l-5", "4613ee63-77"), ("lead|hs:6", "4613ee63-78")])

    told = requests_in([("traceparent", b"x"), *headers], b"", nobody)
    assert told == {"lead|l-5": "4613ee63-77", "lead|hs:6": "4613ee63-78"}
    assert request_headers([]) == ()
    assert requests_in([], b"", nobody) == {}


def test_a_frame_names_so_many_and_of_the_others_it_says_that_nobody_is_known() -> None:
    leads = [f"lead|{number}" for number in range(MOST_IN_A_FRAME + 5)]
    headers = request_headers((lead, "r") for lead in leads)

    told = requests_in(headers, b"frame", lambda frame: [*leads, "call|7"] if frame == b"frame" else [])
    assert told == dict.fromkeys(leads[:MOST_IN_A_FRAME], "r") | dict.fromkeys(leads[MOST_IN_A_FRAME:], "")
    assert len(headers[0][1]) < 30 * MOST_IN_A_FRAME


def test_of_whom_no_request_is_known_that_is_handed_on() -> None:
    headers = request_headers([("lead|1", ""), ("lead|2", "r")])

    assert requests_in(headers, b"", lambda _: ["lead|1", "lead|2"]) == {"lead|1": "", "lead|2": "r"}


def test_what_cannot_be_read_says_nothing() -> None:
    def damaged(_frame: bytes) -> list[str]:
        msg = "no frame"
        raise msgspec.ValidationError(msg)

    for broken in (b"", b"[1]", b'{"lead|1":2}', b"\xff"):
        assert requests_in([(REQUESTS, broken)], b"", nobody) == {}
    assert requests_in(request_headers([("lead|1", "")]), b"", damaged) == {}


def test_whose_changes_and_engagements_a_frame_holds_is_read_without_what_they_say() -> None:
    (changes,) = change_frames([change("lead", "l-1", status="new"), change("call", "hs:2", outcome="busy")])
    heard = [Engagement("lead:1", "call|2", b"no row"), Engagement("lead:1", "lead|1", b"no row", via="lead:3")]
    (engagements,) = engagement_frames(heard, 2, 1)

    assert [*changed_records(changes)] == ["lead|l-1", "call|hs:2"]
    assert [*engaged_records(engagements)] == ["call|2", "lead|1"]
    for records_in in (changed_records, engaged_records):
        for broken in (b"", b"\x01", b"\x91\x91\x90"):
            with pytest.raises(msgspec.MsgspecError):
                [*records_in(broken)]


def test_the_newest_are_remembered() -> None:
    told = LatestByLead(most=2)
    told.note("a", "1")
    told.note("b", "2")
    told.note("a", "3")
    told.note("c", "4")

    assert [told.of(lead) for lead in "abc"] == ["3", "", "4"]
    assert (told.forget("a"), told.of("a"), len(told)) == ("3", "", 1)
