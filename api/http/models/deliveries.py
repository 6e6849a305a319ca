"""What a connection takes and answers, for OpenAPI."""

from typing import Any

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

_REFERENCE = {"$ref": "#/components/schemas/Event"}

REQUEST_BODY: dict[str, Any] = {
    "description": "Of a connection of the kind `generic`; others take what their CRM sends.",
    "required": True,
    "content": {"application/json": {"schema": {"anyOf": [_REFERENCE, {"type": "array", "items": _REFERENCE}]}}},
}

RECEIPT: dict[str, Any] = {
    "description": "Stored: the broker has acknowledged it.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}},
}

SCHEMAS: dict[str, Any] = {
    "Event": EVENT,
    "Receipt": {
        "type": "object",
        "title": "Receipt",
        "description": "Where a delivery is stored.",
        "required": ["delivery"],
        "properties": {"delivery": {"type": "string", "examples": ["2-1017"]}},
    },
}
"""By the names that the two above refer to."""
