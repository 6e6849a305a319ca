"""Bodies and deliveries to put through the parsers: what senders write, what they should not, and damage to both."""

import json
from typing import Any

import orjson
from hypothesis import strategies as st

from schemas.instants import DAY, format_instant
from schemas.records import CHOICES, FIELDS, FieldType
from tests.strategies import NOW

ODD: list[Any] = [
    None, True, False, 0, 7, 10**17, 10**18 - 1, 10**18, 10**19, 2**64, -1, -0.0, 1.5, 1e3, 1e300, [], {}, [1],
    {"a": 1},
    "", " ", "a", " a", "a ", "a b", "é", "漢", "a\n", "a\u007f", "a\u00a0", 'a"b', "a\\b", "\u0000",
    "\ud83d", "\ud83d\ude00", "x" * 255, "x" * 256, "x" * 257, "x" * 1024, "x" * 1025,
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
DATES = [
    "2026-03-18", " 2026-03-18", "2026-02-29", "2024-02-29", "1901-12-31", "1902-01-01", "2241-12-31", "2242-01-01",
    "2026-3-18", "20260318", "2026-W12-3", "2026-03-18T", "٢٠٢٦-٠٣-١٨",
]  # fmt: skip
NUMBERS = [
    "0", "00", "0.0", "-0", "7", "-7", "+7", "100", "100.0", "100.10", "1e2", ".5", "5.", "1.123456", "1.1234567",
    "1.1234560", "9" * 15, "9" * 16, "9" * 18, "9" * 19, "0.000001", "0.10", "01.5", "1_000", "NaN", "٣", " 7",
    30.000000000000004, 19.999999999999996, 10**18, 315_360_000, 315_360_001, 0.1, 100.0,
]  # fmt: skip
CURRENCIES = ["USD", "EUR", "usd", " USD", "US", "USDX", "U1D", "ÜSD"]
_FITTING: dict[FieldType, list[Any]] = {
    FieldType.INSTANT: INSTANTS,
    FieldType.DECIMAL: NUMBERS,
    FieldType.SECONDS: NUMBERS,
    FieldType.CURRENCY: CURRENCIES,
    FieldType.FLAG: [True, False],
    FieldType.REFERENCES: [["a-1"], ["a-1", "b", "a-1"], [], [1, "1"], [None], [" a"], ["x"] * 201, "a-1"],
    FieldType.DATE: DATES,
    FieldType.DATE_OR_INSTANT: [*DATES, *INSTANTS],
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
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # half of a surrogate pair: as JavaScript writes it
        return json.dumps(value).encode()


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    space = draw(st.sampled_from([b"", b"", b" ", b"\n\t", b"\r\n  "]))
    events = [as_json(event, space=space) for event in draw(st.lists(members(), min_size=1, max_size=3))]
    if len(events) == 1 and draw(st.booleans()):
        return space + events[0] + draw(st.sampled_from([space, space, b",", b"{}", b"\x00"]))
    return b"[" + space + (space + b"," + space).join(events) + draw(st.sampled_from([b"]", b"]", b" ]", b",]", b""]))


def damaged(raw: bytes) -> st.SearchStrategy[bytes]:
    """The same with a byte changed, bytes put in, a part cut out, or the end cut off."""
    places = st.integers(0, len(raw))
    more = st.binary(max_size=4) | st.sampled_from(TOKENS)
    changed = st.builds(lambda at, new: raw[:at] + new + raw[at + 1 :], places, more)
    added = st.builds(lambda at, new: raw[:at] + new + raw[at:], places, more)
    cut = st.builds(lambda at, size: raw[:at] + raw[at + size :], places, st.integers(1, 40))
    return changed | added | cut | places.map(lambda at: raw[:at])


TOKENS = [
    b"NaN", b"-Infinity", b"1e400", b"-1e400", rb"\ud83d", rb"\ude00\ud83d", b"\xf0\x9f", b"\xff", b"\x00", b"null",
    b"[", b"{", b"]", b"}", b'"', b",", b":", b"\\", rb"\u0000", b"1" * 400, b"-", b"1E+", b"true", b"\xef\xbb\xbf",
]  # fmt: skip
"""What is JSON to some and not to others, and the signs that it is made of."""
