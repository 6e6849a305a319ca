"""How an answer is sent: JSON with an ETag of its values. `If-None-Match` is conditional.py's."""

from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from api.read.goal_rows import MOVES_BY_THE_CLOCK
from api.read.response_cache import Known, tag_of

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


def answer_known(found: Known, as_of: str) -> Response:
    """The answer as of an instant."""
    return _tagged(found.tag, b"".join((found.before, as_of.encode(), found.after)))


def answer(request: Request, payload: Any) -> Response:
    """The payload as JSON."""
    values = orjson.dumps(_values_of(payload))
    if _has_bounds(payload):
        # Bounds grow with the clock, and that alone is no news; but with any change of the numbers they may sink too.
        values += b"%d" % request.app.state.read_side.view.revision
    return _tagged(tag_of(values), orjson.dumps(payload))


def _tagged(tag: str, body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"etag": tag, "cache-control": "no-cache"})


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
    return payload


def _has_bounds(payload: Any) -> bool:
    return bool(payload.get("bounds")) or any(row.get("bounds") for row in payload.get("rows", ()))
