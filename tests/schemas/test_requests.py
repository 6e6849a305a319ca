"""Which request told of a lead goes with the frames, within bounds; what cannot be read says nothing."""

import msgspec

from schemas.requests import MOST_IN_A_FRAME, REQUESTS, LatestByLead, request_headers, requests_in


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


def test_the_newest_are_remembered() -> None:
    told = LatestByLead(most=2)
    told.note("a", "1")
    told.note("b", "2")
    told.note("a", "3")
    told.note("c", "4")

    assert [told.of(lead) for lead in "abc"] == ["3", "", "4"]
    assert (told.forget("a"), told.of("a"), len(told)) == ("3", "", 1)
