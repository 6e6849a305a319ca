"""How many streams may be open, altogether and by one key."""

from contextlib import ExitStack

import pytest

from api.http.errors import TooManyRequestsError, UnavailableError
from api.http.open_streams import OpenStreams


def test_a_key_has_its_share_and_no_more() -> None:
    streams = OpenStreams(most=3, most_of_key=2)
    with ExitStack() as opened:
        for key in ("a", "a", "b"):
            opened.enter_context(streams.one_of(key))
        with pytest.raises(TooManyRequestsError), streams.one_of("a"):
            pass
        with pytest.raises(UnavailableError), streams.one_of("b"):
            pass

    with streams.one_of("a"), streams.one_of("a"):
        pass


def test_where_no_key_is_asked_for_the_whole_is_everybodys() -> None:
    streams = OpenStreams(most=3, most_of_key=1)
    with ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(streams.one_of(None))
        with pytest.raises(UnavailableError), streams.one_of(None):
            pass


def test_one_that_fails_is_not_open() -> None:
    streams = OpenStreams(most=1, most_of_key=1)
    with pytest.raises(KeyError), streams.one_of("a"):
        raise KeyError

    with streams.one_of("a"):
        pass
