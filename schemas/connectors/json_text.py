"""The JSON in a delivery, so that what is wrong with one value is a fault of its event and not of the whole body.

Owns the reading of the text. Does not know what the values mean.

A body may be JSON by its grammar and still hold what no value of ours can be: half of a surrogate pair (a sender cut a
name in the middle of an emoji), the bytes of half a character, 1e400, NaN. orjson refuses the whole body then. It is
read again here with such a value in its place, as a text with a lone surrogate or a float that is not finite, which the
reader of the field refuses by name. What is no JSON within an array of events is a fault of that event too.
"""

import json
import math
import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import orjson

MAX_DEPTH = 200
"""Of a body that is read again: Python's reader goes as deep as its caller's stack leaves it room, which differs."""
_QUOTED = r'"(?:[^"\\]++|\\.)*+(?:"|(?P<open>\\?\Z))'
"""A text, or what does not close up to the end: else each quote in there would be followed to the end once more."""
_TEXT = re.compile(_QUOTED, re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_STRUCTURE = re.compile(rf"{_QUOTED}|[\[\]{{}},]", re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event, or a body, that nobody can read: reason and detail of a `Problem`."""

    reason: str
    detail: str


class NotJsonError(ValueError):
    """A text that is not JSON. The message says where, and never repeats what stands there."""


def read_json(text: bytes | str) -> Any:
    """Read a text. Raises NotJsonError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # its message may quote what it read
        return _read_again(text if isinstance(text, str) else text.decode("utf-8", "surrogateescape"))


def read_items(text: bytes | str, most: int) -> Any:
    """Read an array of events, or what else a body is. Raises NotJsonError.

    Of an array in which some are no JSON the others are read all the same: in the place of those is Unreadable. It has
    to be clear where each begins and ends, and they must not be more than `most`. A quote that does not close takes
    what follows it, up to the next quote, into its own item: where there is none, all that the array holds after it.
    """
    try:
        return read_json(text)
    except NotJsonError:
        items = _split(text if isinstance(text, str) else text.decode("utf-8", "surrogateescape"), most)
        if items is None:
            raise
        return [_read_item(*item) for item in items]


def _read_item(text: str, is_rest: bool) -> Any:
    try:
        return _read_again(text)
    except NotJsonError as error:
        what = "event, with all that follows it, as a quote in it does not close" if is_rest else "event"
        return Unreadable("not_json", f"{what}: {error}")


def _split(text: str, most: int) -> list[tuple[str, bool]] | None:
    """The texts of an array's items, and whether one is the rest of it; None: it is not one, or not whole."""
    text = text.strip()
    if not text.startswith("[") or not text.endswith("]"):
        return None
    depth, begin, items = 0, 1, list[tuple[str, bool]]()
    for token in _STRUCTURE.finditer(text):
        sign = token[0]
        if token["open"] is not None:
            return None if len(items) == most else [*items, (text[begin:-1], True)]
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
        if depth == 0 and token.end() < len(text):
            return None
        if (depth == 1 and sign == ",") or depth == 0:
            items.append((text[begin : token.start()], False))
            begin = token.end()
            if len(items) > most:
                return None
    return items if depth == 0 else None


def _read_again(text: str) -> Any:
    if _depth(text) > MAX_DEPTH:
        raise NotJsonError("is nested too deeply")
    try:
        return json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        msg = f"is not JSON (line {error.lineno}, column {error.colno})"
        raise NotJsonError(msg) from None


def _depth(text: str) -> int:
    """How many brackets are open at most. Bodies come here of which nothing is proven: no step of it is Python's."""
    brackets = _TEXT.sub("", text).encode("utf-8", "replace").translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0)


def _integer(digits: str) -> int | float:
    """As orjson: what has more than 64 bits is a float."""
    if len(digits) <= 20 and -(1 << 63) <= (value := int(digits)) < 1 << 64:
        return value
    return float(digits)


def read_json_mended(text: bytes) -> Any:
    """Read what a CRM's API has answered: a page of many records, which must not be lost for one value.

    In the place of half a character stands the sign for that (U+FFFD), in that of a number that is none nothing. Raises
    NotJsonError.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _mended(read_json(text))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_mended(each) for each in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(each) for name, each in value.items()}
    return value
