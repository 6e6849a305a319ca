"""What a connection takes and answers, for OpenAPI."""

from typing import Any

from schemas.connectors.cloud_events import BATCHED, REQUIRED, SPECVERSION, STRUCTURED
from schemas.records import FIELDS

_FIELDS = "".join(f"\n- `{kind}`: {', '.join(f'`{name}`' for name in fields)}" for kind, fields in FIELDS.items())

EVENT: dict[str, Any] = {
    "type": "object",
    "title": "Event",
    "description": "What a connection of the kind `generic` takes: fields of one record as the CRM set them.",
    "required": ["record", "id", "changed_at"],
    "properties": {
        "record": {
            "type": "string",
            "examples": [*FIELDS],
            "description": "Other kinds are kept in the log, and count nowhere.",
        },
        "id": {"type": "string", "examples": ["c-1017"]},
        "changed_at": {"type": "string", "format": "date-time", "examples": ["2026-03-18T16:41:30.344Z"]},
        "deleted": {"type": "boolean", "default": False, "examples": [False]},
        "fields": {
            "type": "object",
            "additionalProperties": True,
            "description": f"By the kind of the record. `null` clears one; what is left out is unchanged.\n{_FIELDS}",
            "examples": [{"rep": "r-17", "direction": "outbound", "dialed_at": "2026-03-18T16:38:02.000Z"}],
        },
    },
}

_EVENT = {"$ref": "#/components/schemas/Event"}
_ENVELOPE = {"$ref": "#/components/schemas/CloudEvent"}

REQUEST_BODY: dict[str, Any] = {
    "description": "Of a connection of the kind `generic`; others take what their CRM sends.",
    "required": True,
    "content": {
        "application/json": {"schema": {"anyOf": [_EVENT, {"type": "array", "items": _EVENT}]}},
        STRUCTURED: {"schema": _ENVELOPE},
        BATCHED: {"schema": {"type": "array", "items": _ENVELOPE}},
    },
}

RECEIPTS: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Stored: the broker has acknowledged it.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}},
    },
    200: {
        "description": "The same of a connection of the kind `salesforce`, which waits for an `Ack`.",
        "content": {"text/xml": {"schema": {"type": "string"}, "example": "<Ack>true</Ack>"}},
    },
}

SCHEMAS: dict[str, Any] = {
    "Event": EVENT,
    "CloudEvent": {
        "type": "object",
        "title": "CloudEvent",
        "description": "The envelope of an event, as CloudEvents 1.0 has it. It may stand in headers (`ce-id`) too.",
        "required": [*REQUIRED, "data"],
        "properties": {
            **{name: {"type": "string", "minLength": 1, "examples": [name]} for name in REQUIRED},
            "specversion": {"type": "string", "enum": [SPECVERSION], "examples": [SPECVERSION]},
            "data": _EVENT,
        },
    },
    "Receipt": {
        "type": "object",
        "title": "Receipt",
        "description": "Where a delivery is stored.",
        "required": ["delivery"],
        "properties": {"delivery": {"type": "string", "examples": ["2-1017"]}},
    },
}
"""By the names that those above refer to."""
