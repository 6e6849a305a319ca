"""What is compiled reads deliveries as the connector does: the same frames, byte for byte, letters and counters."""

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.simulator.floor import Floor, Mix
from processor import native
from processor.core.normalise import ReadChanges, normalise
from processor.native.events import Events
from schemas.connectors.base import MAX_EVENTS, Connector
from schemas.connectors.generic import Generic
from schemas.connectors.hubspot import HubSpot
from schemas.deliveries import Delivery, encode_delivery
from schemas.frames import MAX_FRAME, decode_changes
from schemas.instants import DAY, format_instant
from schemas.progress import Progress
from schemas.records import CHOICES, FIELDS, FieldType
from tests.strategies import NOW

CONNECTORS: dict[str, Connector] = {
    "feed": Generic(keys=[]),
    "other": Generic(keys=[], namespace="ö"),
    "long": Generic(keys=[], namespace="n" * 256),
    "hub": HubSpot(secrets=[]),
}
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def told(log: list[bytes], *, compiled: bool, done: int = 0) -> dict[str, Any]:
    """All that comes of a batch."""
    progress = Progress(offset=done)
    output = normalise(enumerate(log), partition=1, connectors=CONNECTORS, progress=progress, compiled=compiled)
    return {
        "changes": output.changes,
        "frames": output.frames(3),
        "amount": len(output.encoded),
        "letters": output.dead_letters,
        "oldest": output.oldest_at,
        "progress": progress,
    }


def both(log: list[bytes], *, done: int = 0) -> dict[str, Any]:
    fast = told(log, compiled=True, done=done)
    assert fast == told(log, compiled=False, done=done)
    return fast


def is_read(body: bytes, *, connection: str = "feed", received_at: int = NOW) -> bool:
    """Whether the compiled code reads it by itself."""
    events = Events({name: one.namespace for name, one in CONNECTORS.items() if isinstance(one, Generic)})
    raw = encode_delivery(Delivery(connection, received_at, {"content-type": "application/json"}, body))
    return events.read(raw, is_counted=True)


ODD: list[Any] = [
    None, True, False, 0, 7, 10**17, 10**18 - 1, 10**18, 10**19, 2**64, -1, -0.0, 1.5, 1e3, 1e300, [], {}, [1],
    {"a": 1},
    "", " ", "a", " a", "a ", "a b", "é", "漢", "a\n", "a\u007f", "a\u00a0", 'a"b', "a\\b", "\u0000",
    "x" * 255, "x" * 256, "x" * 257, "x" * 1024, "x" * 1025,
]  # fmt: skip
INSTANTS = [
    "2026-03-18T16:41:30.344Z", "2026-03-18T16:41:30Z", "2026-03-18T16:41:30.344123Z", "2026-03-18T16:41:30.34Z",
    "2026-03-18T16:41:30.344123456Z", "2026-03-18t16:41:30.344z", "2026-03-18 16:41:30.344Z",
    "2026-03-18T16:41:30.344+00:00", "2026-03-18T16:41:30,344Z", "2026-02-29T00:00:00.000Z", "2024-02-29T23:59:59.999Z",
    "1900-02-29T00:00:00.000Z", "2000-02-29T00:00:00.000Z", "2100-02-29T00:00:00.000Z", "2100-02-28T00:00:00.000Z",
    "1901-12-31T00:00:00.000Z", "1902-01-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z", "2241-12-31T23:59:59.999Z",
    "2242-01-01T00:00:00.000Z", "2243-01-01T00:00:00.000Z", "2026-04-31T00:00:00.000Z", "2026-13-01T00:00:00.000Z",
    "2026-00-01T00:00:00.000Z", "2026-01-00T00:00:00.000Z", "2026-01-01T24:00:00.000Z", "2026-01-01T00:60:00.000Z",
    "2026-01-01T00:00:60.000Z", "2026-01-01T00:00:00.0a0Z", "2O26-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000",
]  # fmt: skip
NUMBERS = [
    "0", "00", "0.0", "-0", "7", "-7", "+7", "100", "100.0", "100.10", "1e2", ".5", "5.", "1.123456", "1.1234567",
    "1.1234560", "9" * 15, "9" * 16, "9" * 18, "9" * 19, "0.000001", "0.10", "01.5", "1_000", "NaN", "٣", " 7",
    10**18, 315_360_000, 315_360_001, 0.1, 100.0,
]  # fmt: skip
CURRENCIES = ["USD", "EUR", "usd", " USD", "US", "USDX", "U1D", "ÜSD"]
_FITTING: dict[FieldType, list[Any]] = {
    FieldType.INSTANT: INSTANTS,
    FieldType.DECIMAL: NUMBERS,
    FieldType.SECONDS: NUMBERS,
    FieldType.CURRENCY: CURRENCIES,
    FieldType.FLAG: [True, False],
    FieldType.ATTRIBUTES: [{}, {"a": [1, "b"]}],
}


def values(kind: str, name: str) -> st.SearchStrategy[Any]:
    """Mostly what such a field may hold, and what it may not."""
    fitting = sorted(CHOICES.get((kind, name), ())) or _FITTING.get(FIELDS[kind][name], ["a-1", "Mei Chen", 12])
    return st.sampled_from(fitting) | st.sampled_from(fitting) | st.sampled_from(ODD)


@st.composite
def members(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """An event, as names and values in any order, now and then twice."""
    kind = draw(st.sampled_from(sorted(FIELDS)))
    names = draw(st.lists(st.sampled_from(sorted(FIELDS[kind])), unique=True, max_size=14))
    fields: list[tuple[str, Any]] = [(name, draw(values(kind, name))) for name in names]
    event: list[tuple[str, Any]] = [
        ("record", kind),
        ("id", draw(st.sampled_from(["c-1", "c-2", 5]))),
        ("changed_at", draw(st.integers(NOW - 60 * DAY, NOW + DAY).map(format_instant))),
        ("fields", fields),
    ]
    match draw(st.integers(0, 12)):
        case 0:
            fields.append(draw(st.sampled_from([("unheard_of", 1), ("deleted", True), *fields[:1]])))
        case 1:
            event.append(draw(st.sampled_from([("unheard_of", 1), *event])))
        case 2:
            del event[draw(st.integers(0, 3))]
        case 3:
            at = draw(st.integers(0, 3))
            event[at] = (event[at][0], draw(st.sampled_from([*ODD, *INSTANTS, "invoice"])))
        case 4 | 5:
            event.append(("deleted", draw(st.sampled_from([True, False, None, 1, "true"]))))
    return draw(st.permutations(event)) if draw(st.booleans()) else event


def as_json(value: Any, *, space: bytes = b"") -> bytes:
    """JSON, in which a list of pairs is an object whose names may be there twice."""
    if isinstance(value, list) and value and all(isinstance(item, tuple) for item in value):
        pairs = [orjson.dumps(name) + space + b":" + space + as_json(item, space=space) for name, item in value]
        return b"{" + space + (space + b"," + space).join(pairs) + space + b"}"
    if isinstance(value, int) and value.bit_length() > 64:
        return str(value).encode()
    return orjson.dumps(value)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    space = draw(st.sampled_from([b"", b"", b" ", b"\n\t", b"\r\n  "]))
    events = [as_json(event, space=space) for event in draw(st.lists(members(), min_size=1, max_size=3))]
    if len(events) == 1 and draw(st.booleans()):
        return space + events[0] + draw(st.sampled_from([space, space, b",", b"{}", b"\x00"]))
    return b"[" + space + (space + b"," + space).join(events) + draw(st.sampled_from([b"]", b"]", b" ]", b",]", b""]))


HEADERS = st.sampled_from(
    [
        {"content-type": "application/json", "webhook-id": "m1"},
        {"content-type": "application/json", "webhook-id": "m1"},
        {"content-type": "application/json"},
        {"content-type": "application/json; charset=utf-8"},
        {"content-type": "application/cloudevents+json"},
        {"content-type": "application/json", "ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"},
        {"webhook-id": "ü"},
        {},
    ]
)
DELIVERIES = st.builds(
    Delivery,
    st.sampled_from(["feed", "feed", "feed", "other", "long", "hub", "gone", ""]),
    st.integers(NOW - 2 * DAY, NOW) | st.sampled_from([0, -5, 2**62, 2**63]),
    HEADERS,
    bodies() | st.binary(max_size=30) | st.sampled_from([b"{}", b"[]", b"[[]]", b"null", b"\xef\xbb\xbf{}"]),
).map(encode_delivery)


def test_it_is_compiled_here() -> None:
    """Otherwise nothing below says anything."""
    assert native.STATE == "compiled"


@CALM
@given(st.lists(DELIVERIES, max_size=6), st.integers(0, 7))
def test_any_deliveries_say_and_count_the_same(log: list[bytes], done: int) -> None:
    both(log, done=done)


@CALM
@given(DELIVERIES, st.integers(0, 10**6), st.integers(0, 255), st.binary(max_size=4))
def test_deliveries_that_are_damaged_anywhere_say_the_same(raw: bytes, place: int, byte: int, more: bytes) -> None:
    place %= len(raw)
    both([raw[:place], raw[:place] + bytes([byte]) + raw[place + 1 :], raw[:place] + more + raw[place:], raw + more])


@CALM
@given(st.data())
def test_every_value_of_every_field_is_read_alike(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(FIELDS)))
    name = data.draw(st.sampled_from(sorted(FIELDS[kind])))
    log = [
        encode_delivery(
            Delivery(connection, NOW, {"content-type": "application/json"}, as_json(
                [("record", kind), ("id", "x"), ("changed_at", format_instant(NOW)), ("fields", [(name, value)])]
            ))
        )
        for value in [*ODD, *_FITTING.get(FIELDS[kind][name], []), *CHOICES.get((kind, name), ())]
        for connection in ("feed", "other")
    ]  # fmt: skip
    both(log)


def test_nearly_all_of_a_floor_is_plain() -> None:
    """Or else it is read at a seventh of the speed, and nobody notices."""
    floor = Floor(3, 30, Mix(duplicates=0.1, late=0.05, edits=0.05, deletions=0.01), ("USD", "EUR"))
    bodies = [orjson.dumps(floor.next(NOW - DAY + number)) for number in range(4000)]
    log = [encode_delivery(Delivery("feed", NOW, {"content-type": "application/json"}, body)) for body in bodies]

    amount = both(log)["amount"]

    assert amount > 3500
    assert sum(is_read(body) for body in bodies) > 0.98 * len(bodies)


@pytest.mark.parametrize(
    "body",
    [
        b'{"record":"call","id":"c","changed_at":"2026-03-18T16:41:30Z","fields":{"rep":"r-1"}}',
        b' { "id" : 7 ,\n "fields" : { "rep" : null } , "changed_at" : "2026-03-18T16:41:30Z" , "record" : "call" } ',
        b'{"record":"call","id":"c","changed_at":"2026-03-18T16:41:30.123456Z","deleted":true}',
        b'[{"record":"lead","id":"l","changed_at":"2026-03-18T16:41:30Z","fields":{"status":"new"},"deleted":false},'
        b'{"record":"deal","id":"d","changed_at":"2026-03-18T16:41:30Z","fields":{"stage":"won","amount":"7.50"}}]',
    ],
)
def test_what_is_plain_is_read_without_python(body: bytes) -> None:
    assert is_read(body, received_at=NOW)
    assert is_read(body, connection="other", received_at=NOW)
    assert not is_read(body, connection="hub")


def test_many_changes_are_cut_into_frames_below_the_limit() -> None:
    body = b'{"record":"rep","id":"%d","changed_at":"2026-03-18T16:41:30Z","fields":{"name":"' + b"n" * 900 + b'"}}'
    log = [
        encode_delivery(Delivery("feed", NOW, {"content-type": "application/json"}, body % number))
        for number in range(5000)
    ]
    fast, plain = told(log, compiled=True), told(log, compiled=False)

    assert fast["changes"] == plain["changes"]
    for partition, frames in fast["frames"].items():
        assert len(frames) > 1
        assert all(len(frame) <= MAX_FRAME for frame in frames)
        assert [change for frame in frames for change in decode_changes(frame).changes] == [
            change for frame in plain["frames"][partition] for change in decode_changes(frame).changes
        ]


def test_no_more_events_than_a_delivery_may_hold_are_read() -> None:
    event = b'{"record":"call","id":"c","changed_at":"2026-03-18T16:41:30Z","fields":{"rep":"r-1"}}'
    for amount in (MAX_EVENTS, MAX_EVENTS + 1):
        body = b"[" + b",".join([event] * amount) + b"]"
        found = both([encode_delivery(Delivery("feed", NOW, {"content-type": "application/json"}, body))])
        assert found["amount"] == (amount if amount == MAX_EVENTS else 0)


def test_a_delivery_that_is_none_is_handed_back_and_told() -> None:
    assert both([b"", b"\x94", msgspec.msgpack.encode(["feed", NOW, {}])])["letters"]


def test_of_other_connectors_nothing_is_read_by_what_is_compiled() -> None:
    class Own(Generic):
        """May read otherwise."""

    body = b'{"record":"call","id":"c","changed_at":"2026-03-18T16:41:30Z","fields":{"rep":"r-1"}}'
    raw = encode_delivery(Delivery("own", NOW, {"content-type": "application/json"}, body))
    output = normalise([(0, raw)], partition=0, connectors={"own": Own(keys=[])}, progress=Progress())
    assert len(output.changes) == 1
    assert not ReadChanges().read(raw, is_counted=True)
