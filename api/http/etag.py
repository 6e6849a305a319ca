"""How an answer is sent: JSON with an ETag of its values. `If-None-Match` is conditional.py's."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from api.http.parameters import ReadRequest
from api.read.goal_rows import MOVES_BY_THE_CLOCK
from api.read.response_cache import KnownAnswer, tag_of
from schemas.instants import format_instant

_MOVES_BY_ITSELF = frozenset(
    {
        "as_of",
        "waiting_seconds",
        "business_seconds",
        "held_seconds",
        "age_seconds",
        "oldest_running_seconds",
        "server_time",
        "end_to_end_seconds",
        "behind_seconds",
        *MOVES_BY_THE_CLOCK,
    }
)
"""Fields that change with the clock alone: an answer whose values are the same keeps its ETag."""


class EncodedRows:
    """Rows of a payload, encoded as they are made: as Python's objects very many take several times as much.

    The event loop may turn between two `add`.
    """

    def __init__(self) -> None:
        self.parts: list[orjson.Fragment] = []
        """Each of some rows, with commas."""
        self.have_bounds = False
        self._values = blake2b(digest_size=12)

    def add(self, rows: Sequence[Any]) -> None:
        """These too."""
        self.parts.append(orjson.Fragment(orjson.dumps(rows)[1:-1]))
        self.have_bounds = self.have_bounds or _has_bounds(rows)
        self._values.update(orjson.dumps(_values_of(rows)))

    @property
    def values(self) -> str:
        """Of all of them: others where anything is another that does not move by itself."""
        return self._values.hexdigest()


def answer_known(found: KnownAnswer, as_of: str) -> Response:
    """The answer as of an instant."""
    return _tagged(found.tag, b"".join((found.before, as_of.encode(), found.after)))


def tagged_answer(request: Request, payload: Any) -> Response:
    """The payload as JSON."""
    return _tagged(tag_of(_values(request, payload)), orjson.dumps(payload, default=_parts_of))


def answer_rows(request: ReadRequest, rows: list[Any], **more: Any) -> Response:
    """A list, as of the instant of the request, and what stands beside it."""
    return tagged_answer(request, {"rows": rows, "as_of": format_instant(request.now), **more})


def answer_text(request: Request, payload: Any, text: str, media_type: str) -> Response:
    """The payload in another form, which has another ETag."""
    tag = tag_of(_values(request, payload) + media_type.encode())
    return _tagged(tag, text.encode(), media_type)


def _values(request: Request, payload: Any) -> bytes:
    values = orjson.dumps(_values_of(payload))
    if _has_bounds(payload):
        # Bounds grow with the clock, and that alone is no news; but with any change of the numbers they may sink too.
        values += b"%d" % request.app.state.read_side.view.revision
    return values


def _tagged(tag: str, body: bytes, media_type: str = "application/json") -> Response:
    return Response(body, media_type=media_type, headers={"etag": tag, "cache-control": "no-cache"})


def _parts_of(rows: Any) -> list[orjson.Fragment]:
    if isinstance(rows, EncodedRows):
        return rows.parts
    raise TypeError


def _values_of(payload: Any) -> Any:
    if isinstance(payload, dict):
        return {
            # A metric may have the name of such a field.
            key: sorted(value) if key == "bounds" else value if key == "metrics" else _values_of(value)
            for key, value in payload.items()
            if key not in _MOVES_BY_ITSELF
        }
    if isinstance(payload, list):
        return [_values_of(value) for value in payload]
    return payload.values if isinstance(payload, EncodedRows) else payload


def _has_bounds(payload: Any) -> bool:
    """Whether a row, a segment or a comparison has any."""
    if isinstance(payload, EncodedRows):
        return payload.have_bounds
    if isinstance(payload, list):
        return any(map(_has_bounds, payload))
    if not isinstance(payload, dict):
        return False
    parts = (payload.get("rows"), payload.get("segments"), *payload.get("compare", {}).values())
    return bool(payload.get("bounds")) or any(map(_has_bounds, parts))
