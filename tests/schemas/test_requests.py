"""Which request told of a lead goes with the frames, within bounds; what cannot be read says nothing."""

from schemas.requests import MOST_IN_A_FRAME, REQUESTS, Remembered, request_headers, requests_in


def test_what_a_frame_says_is_read_again() -> None:
    headers = request_headers([("lead|l-5", "4613ee63-77"), ("lead|hs:6", "4613ee63-78")])

    assert requests_in([("traceparent", b"x"), *headers]) == {"lead|l-5": "4613ee63-77", "lead|hs:6": "4613ee63-78"}
    assert request_headers([]) == ()
    assert requests_in([]) == {}


def test_a_frame_names_so_many_and_no_more() -> None:
    headers = request_headers((f"lead|{number}", "r") for number in range(MOST_IN_A_FRAME + 5))

    assert len(requests_in(headers)) == MOST_IN_A_FRAME


def test_what_cannot_be_read_says_nothing() -> None:
    for broken in (b"", b"[1]", b'{"lead|1":2}', b"\xff"):
        assert requests_in([(REQUESTS, broken)]) == {}


def test_the_newest_are_remembered() -> None:
    told = Remembered(most=2)
    told.note("a", "1")
    told.note("b", "2")
    told.note("a", "3")
    told.note("c", "4")

    assert [told.of(lead) for lead in "abc"] == ["3", "", "4"]
    assert (told.forget("a"), told.of("a"), len(told)) == ("3", "", 1)
