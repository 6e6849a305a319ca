"""Events of Pipedrive's webhooks in one shape: that of version 2. Those of version 1 are made so.

Owns the shapes of events. Does not know what an object says.
https://pipedrive.readme.io/docs/guide-for-webhooks
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.connectors.events import ShapeError, object_member, own_id, text_member, whole_number
from schemas.connectors.tables import version_instant

_ACTIONS = {"added": "create", "updated": "change", "deleted": "delete", "merged": "change"}
_NAMES: Mapping[str, Mapping[str, str]] = {
    "deal": {"user_id": "owner_id"},
    "activity": {"user_id": "owner_id", "created_by_user_id": "creator_user_id"},
}
"""Object -> its members under their names in version 1 -> in version 2."""


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """What happened to which object."""

    entity: str
    action: str
    """`create`, `change` or `delete`."""
    id: str
    at: int
    """The version (microseconds)."""
    data: Mapping[str, Any] | None
    before: Mapping[str, Any] | None
    """Of a change the members that were different, of a deletion the whole object."""
    meta: Mapping[str, Any]


def read_object_event(body: Mapping[str, Any]) -> ObjectEvent:
    """Of either version. Raises ShapeError."""
    meta = object_member(body, "meta")
    return _first(body, meta) if meta.get("v") == 1 or "object" in meta else _second(body, meta)


def _second(body: Mapping[str, Any], meta: Mapping[str, Any]) -> ObjectEvent:
    said_at = meta.get("timestamp")
    at = (  # the guide's table says that it is a number of seconds, its examples and what comes that it is not
        whole_number(said_at, "meta.timestamp", per_second=1)
        if isinstance(said_at, int)
        else version_instant(said_at, "meta.timestamp")
    )
    return ObjectEvent(
        text_member(meta, "entity"),
        text_member(meta, "action"),
        own_id(meta.get("entity_id"), "meta.entity_id"),
        at,
        _object(body, "data"),
        _object(body, "previous"),
        meta,
    )


def _first(body: Mapping[str, Any], meta: Mapping[str, Any]) -> ObjectEvent:
    entity = text_member(meta, "object")
    names = _NAMES.get(entity, {})
    data, before = _renamed(_object(body, "current"), names), _renamed(_object(body, "previous"), names)
    said = text_member(meta, "action")
    action = _ACTIONS.get(said, said)
    if action == "change" and before is not None and data is not None:
        before = {name: value for name, value in before.items() if name not in data or data[name] != value}
    micro = meta.get("timestamp_micro")
    at = (
        whole_number(meta.get("timestamp"), "meta.timestamp", per_second=1)
        if micro is None
        else whole_number(micro, "meta.timestamp_micro", per_second=1_000_000)
    )
    return ObjectEvent(entity, action, own_id(meta.get("id"), "meta.id"), at, data, before, meta)


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    found = body.get(name)
    if isinstance(found, list) and len(found) == 1:  # users come so
        found = found[0]
    if found is not None and not isinstance(found, dict):
        raise ShapeError(name, "must be an object")
    return found


def _renamed(found: Mapping[str, Any] | None, names: Mapping[str, str]) -> Mapping[str, Any] | None:
    return None if found is None else {names.get(name, name): value for name, value in found.items()}
