"""How a stream of events is, as whoever asks the CRMs tells it of its connection."""

import pytest

from deploy.lookups.streams import SILENT_AFTER, Streams
from schemas.config import Config
from schemas.instants import SECOND
from schemas.stream_positions import StreamPosition, encode_position, position_key
from schemas.topics import FENCE
from tests.deploy.streaming.payloads import ORGANIZATION
from tests.processor.agents.test_thresholds import FakeRecord

NOW = 1_800_000_000 * SECOND
ONE, OTHER = "/data/ChangeEvents", "/data/Floor__chn"
ORGANISATION = {"name": "Acme", "timezone": "UTC", "currency": "EUR"}
API = {"url": "https://acme.my.salesforce.com", "client_id": "id", "client_secret": "word"}


@pytest.fixture
def streams() -> Streams:
    settings = {"kind": "salesforce", "organization": ORGANIZATION, "secrets": ["path-word-path-word"], "api": API}
    stream = {"topics": [ONE, OTHER], "endpoint": "127.0.0.1:7443", "tls": False}
    config = Config.model_validate({
        "organisation": ORGANISATION,
        "connections": {"sf": settings | {"stream": stream}, "posts": settings | {"secrets": ["another-path-word"]}},
    })  # fmt: skip
    return Streams(config)


def hear(streams: Streams, channel: str, at: int, problem: str | None = None, connection: str = "sf") -> None:
    position = StreamPosition(b"mark", 0, 7, at, problem)
    streams.apply(0, [FakeRecord(position_key(connection, channel), encode_position(position))])


def state(streams: Streams, now: int = NOW) -> str | None:
    found = streams.subscription("sf", now)
    return None if found is None else found.state


def test_a_stream_that_nobody_has_begun_to_read_is_missing(streams: Streams) -> None:
    assert state(streams) == "missing"
    hear(streams, ONE, NOW)

    assert state(streams) == "missing"  # the other channel


def test_one_whose_channels_are_all_read_is_active_and_ends_by_itself_never(streams: Streams) -> None:
    hear(streams, ONE, NOW)
    hear(streams, OTHER, NOW - SILENT_AFTER + 1)

    found = streams.subscription("sf", NOW)
    assert found is not None
    assert (found.state, found.expires_at) == ("active", None)


def test_one_of_which_nothing_is_heard_any_more_is_silent(streams: Streams) -> None:
    hear(streams, ONE, NOW)
    hear(streams, OTHER, NOW)

    assert state(streams, NOW + SILENT_AFTER) == "silent"


@pytest.mark.parametrize("problem", ["credentials", "unreachable", "limit"])
def test_what_stands_in_the_way_is_told_and_forgotten_once_it_is_gone(streams: Streams, problem: str) -> None:
    hear(streams, ONE, NOW, problem)
    hear(streams, OTHER, NOW)
    told = state(streams)
    hear(streams, ONE, NOW)

    assert (told, state(streams)) == (problem, "active")


def test_fences_and_streams_of_other_connections_say_nothing_of_it(streams: Streams) -> None:
    streams.apply(0, [FakeRecord(FENCE, b"")])
    hear(streams, ONE, NOW, connection="other")
    hear(streams, OTHER, NOW, connection="other")

    assert state(streams) == "missing"


def test_what_has_no_stream_has_no_such_subscription(streams: Streams) -> None:
    assert streams
    assert streams.subscription("posts", NOW) is None
    assert not Streams(
        Config.model_validate({"organisation": ORGANISATION, "connections": {"files": {"kind": "file"}}})
    )
