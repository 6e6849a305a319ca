"""CloudEvents 1.0 over HTTP: which of its modes a delivery is in, and the data inside its envelopes.

Owns envelopes and their required attributes. Does not know what the data means, nor any signature.
https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md
https://github.com/cloudevents/spec/blob/main/cloudevents/formats/json-format.md
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from schemas.connectors.base import MAX_EVENTS
from schemas.connectors.content import JSON, media_type
from schemas.connectors.json_text import NotJsonError, Unreadable, read_items

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
HEADERS = frozenset(
    {
        "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-subject", "ce-datacontenttype",
    }
)  # fmt: skip
"""Headers of the binary mode that are kept with a delivery."""
REQUIRED = ("specversion", "id", "source", "type")
SPECVERSION = "1.0"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def open_body(headers: Mapping[str, str], body: bytes) -> list[Any]:
    """Give what the envelopes hold, each as decoded JSON or as Unreadable; without envelopes, the body."""
    if headers.get("content-type") == JSON and "ce-specversion" not in headers:  # what nearly all say
        return [_json_in(body, "body")]
    media = media_type(headers)
    if media == STRUCTURED:
        return [_open_envelope(_json_in(body, "body"))]
    if media == BATCHED:
        batch = _as_batch(_json_in(body, "body"))
        return [_open_envelope(envelope) for envelope in batch] if isinstance(batch, list) else [batch]
    if "ce-specversion" in headers:
        problem = _problem_of_headers(headers)
        if problem is not None:
            return [problem]
    return [_json_in(body, "body")]


def decode_header(value: str) -> str:
    """Read the attribute in a `ce-` header: without its quotes, percent escapes decoded. Raises ValueError."""
    quoted = _QUOTED.fullmatch(value)
    text = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL) if quoted else value
    try:
        return unquote_to_bytes(text.encode("utf-8", "strict")).decode("utf-8", "strict")
    except UnicodeError:
        raise ValueError("is not UTF-8 in percent escapes") from None


def _json_in(text: bytes | str, name: str) -> Any:
    try:
        return read_items(text, MAX_EVENTS)
    except NotJsonError as error:
        return Unreadable("not_json", f"{name}: {error}")


def _as_batch(value: Any) -> Any:
    if isinstance(value, Unreadable):
        return value
    if not isinstance(value, list):
        return Unreadable("bad_shape", "body: must be an array of CloudEvents")
    if len(value) > MAX_EVENTS:
        return Unreadable("bad_shape", f"body: holds more than {MAX_EVENTS} events")
    return value


def _open_envelope(envelope: Any) -> Any:
    if isinstance(envelope, Unreadable):
        return envelope
    if not isinstance(envelope, dict):
        return Unreadable("bad_shape", "event: must be a CloudEvent object")
    wrong = next((name for name in REQUIRED if not isinstance(envelope.get(name), str) or not envelope[name]), None)
    if wrong is not None:
        return Unreadable("bad_shape", f"{wrong}: is missing or not text")
    if envelope["specversion"] != SPECVERSION:
        return Unreadable("bad_shape", f"specversion: must be {SPECVERSION}")
    if ("data" in envelope) == ("data_base64" in envelope):
        return Unreadable("bad_shape", "data: must be there, or else data_base64")
    return envelope["data"] if "data" in envelope else _open_base64(envelope["data_base64"])


def _open_base64(text: Any) -> Any:
    if not isinstance(text, str):
        return Unreadable("bad_shape", "data_base64: must be text")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return Unreadable("bad_shape", "data_base64: is not base64")
    return _json_in(data, "data_base64")


def _problem_of_headers(headers: Mapping[str, str]) -> Unreadable | None:
    for name in sorted(HEADERS & headers.keys()):
        try:
            decode_header(headers[name])
        except ValueError as error:
            return Unreadable("bad_shape", f"{name}: {error}")
    for name in REQUIRED:
        if not headers.get(f"ce-{name}", "").strip():
            return Unreadable("bad_shape", f"ce-{name}: is missing")
    if decode_header(headers["ce-specversion"]).strip() != SPECVERSION:
        return Unreadable("bad_shape", f"ce-specversion: must be {SPECVERSION}")
    return None
