"""The connector of kind `close`, and its settings.

Owns the signature and the way from Close's events to changes.
"""

import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr

from schemas.connectors.apis import Api, Secret
from schemas.connectors.asking import HISTORY, Envelope
from schemas.connectors.base import Parsed, SignatureError, SignedRequest, check_near
from schemas.connectors.close.api import USERS, CloseSource, merge_of
from schemas.connectors.close.objects import (
    CALL,
    CHANGES,
    DISPOSITIONS,
    LEAD,
    LEAD_STATUS_CHANGE,
    MEETING,
    OBJECTS,
    OPPORTUNITY,
    STATUS_CHANGE,
    STATUSES,
    was_changed,
)
from schemas.connectors.content import JSON, check_content
from schemas.connectors.crm import CrmConnector, place_within
from schemas.connectors.events import UNKNOWN_TYPE, LeftOutError, Statement, object_member, own_id, text_member
from schemas.connectors.kinds import ConnectorKind
from schemas.connectors.tables import ReadObject, Table, instant_text, joined_name, version_instant
from schemas.connectors.tokens import check_secret
from schemas.connectors.words import CrmConnection, connection_words
from schemas.documents.errors import wrong
from schemas.instants import SECOND, format_instant
from schemas.records import MERGED

HASH = "close-sig-hash"
TIMESTAMP = "close-sig-timestamp"
MIN_KEY = 16
_SECONDS = re.compile(r"[0-9]{1,12}")
_HEX = re.compile(r"[0-9a-fA-F]+")


def _key(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if not _HEX.fullmatch(text) or len(text) % 2:
        msg = "must be the subscription's signature_key, which is in hex"
        raise wrong(msg)
    if len(text) < 2 * MIN_KEY:
        msg = f"must hold at least {MIN_KEY} bytes"
        raise wrong(msg)
    return secret


class CloseApi(Api):
    """The API of Close."""

    key: Secret
    """An API key of somebody who sees everything."""


class CloseConnection(CrmConnection):
    """A webhook subscription of Close that posts to `/webhooks/{name}`."""

    kind: Literal["close"]
    secrets: list[Annotated[SecretStr, AfterValidator(_key)]] = Field(min_length=1, max_length=8)
    """The subscription's `signature_key`, in hex as Close gives it."""
    api: CloseApi | None = None
    """What look-ups, back-fill and reconciliation ask."""
    owner_field: str | None = Field(default=None, min_length=1, max_length=128)
    """Custom field of leads that holds the user who owns one (`cf_…`): a lead of Close has no owner of its own."""


def close_signature(key: bytes, *, timestamp: str, body: bytes) -> str:
    """Value of the `close-sig-hash` header."""
    return hmac.digest(key, timestamp.encode("utf-8", "backslashreplace") + body, sha256).hex()


class Close(CrmConnector):
    """Connector of kind `close`."""

    clock = "date_updated"
    kinds: Mapping[str, Sequence[str]] = {**{name: (table.record,) for name, table in OBJECTS.items()}, USERS: ("rep",)}

    def __init__(self, connection: CloseConnection) -> None:
        super().__init__(connection, connection_words(connection, calls=DISPOSITIONS, statuses=STATUSES))
        self._keys = [bytes.fromhex(secret.get_secret_value().strip()) for secret in connection.secrets]
        self._owner_field = connection.owner_field
        self._looks_up = connection.api is not None  # what an outcome is called, it can be asked

    def verify(self, request: SignedRequest, now: int) -> None:
        given, timestamp = (request.headers.get(name, "").strip() for name in (HASH, TIMESTAMP))
        if not given:
            raise SignatureError(HASH, "is missing")
        if _SECONDS.fullmatch(timestamp) is None:
            raise SignatureError(TIMESTAMP, "is missing or not in whole seconds since 1970")
        check_near(int(timestamp) * SECOND, now, TIMESTAMP)
        expected = [close_signature(key, timestamp=timestamp, body=request.body).encode() for key in self._keys]
        check_secret(expected, given.lower(), HASH)
        check_content(request.headers, {JSON})

    def _statements(self, body: Mapping[str, Any], parsed: Parsed) -> Iterator[Statement]:
        event = object_member(body, "event") if "event" in body or "object_type" not in body else body
        name, action = text_member(event, "object_type"), text_member(event, "action")
        at = _written_at(event, "date_updated" if event.get("date_updated") else "date_created")
        if name in CHANGES:
            yield from self._change(event, name, action, at, parsed)
            return
        table = OBJECTS.get(name)
        if table is None or action not in _ACTIONS:
            raise LeftOutError(UNKNOWN_TYPE)
        merged = merge_of(event)
        if merged is not None and action in ("merged", "deleted"):
            yield from _merge(table, merged, at)
            return
        id = own_id(event.get("object_id"), "object_id")
        if action == "deleted":
            yield Statement(table.record, id, at, deleted=True)
            return
        data = object_member(event, "data")
        before = event.get("previous_data")
        said = ReadObject(
            table.record, data, at, self._words, parsed,
            before=before if isinstance(before, dict) and action != "created" else None,
        )  # fmt: skip
        fields = table.read(said)
        if table is LEAD and self._owner_field is not None:
            fields |= _owner(data, self._owner_field, said)
        if table is OPPORTUNITY and self._looks_up and said.before is not None and not was_changed(said, "status_id"):
            # Each note changes an opportunity: so many entries of one stage would push out the true one.
            fields.pop("stage", None)
        if self._is_outcome_unknown(table, data):
            parsed.want(table.name, id)
            if fields.get("outcome") != "cancelled":
                fields.pop("outcome", None)
        yield Statement(table.record, id, at, fields)

    def _is_outcome_unknown(self, table: Table, data: Mapping[str, Any]) -> bool:
        """Whether only the name of an outcome may say what it means, which no event has."""
        words = self._words.calls if table is CALL else self._words.meetings if table is MEETING else None
        outcome = data.get("outcome_id")
        return self._looks_up and words is not None and isinstance(outcome, str) and words.get(outcome) is None

    def _answered(
        self, record: Mapping[str, Any], envelope: Envelope, asked_at: int, parsed: Parsed
    ) -> Iterator[Statement]:
        """What a whole record says. Its version is when it was updated last; statuses have their own."""
        id = own_id(record.get("id"), "id")
        name = "date_updated" if record.get("date_updated") else "date_created"
        if envelope.object == USERS:
            yield _person(record, id, asked_at)
            yield Statement("rep", id, asked_at, {"active": True})  # once more, for whoever comes back
            return
        at = _written_at(record, name)
        if MERGED in record:
            yield Statement("lead", id, at, {MERGED: record[MERGED]})
            if not record.get("date_created"):
                return  # nobody remembers more
        table = OBJECTS.get(envelope.object)
        if table is None:
            raise LeftOutError(UNKNOWN_TYPE)
        fields = table.read(ReadObject(table.record, record, at, self._words, parsed, learned=envelope.words))
        if isinstance(record.get(HISTORY), list):
            for field in ("stage", "status"):
                fields.pop(field, None)
            yield from self._past(table, record, id, parsed)
        if table is LEAD and self._owner_field is not None:
            owner = _owner(record, self._owner_field, ReadObject("lead", record, at, self._words, parsed))
            # Nothing tells since when somebody has it: since it was made, unless an event knows better.
            assigned_at = owner.pop("assigned_at", None)
            fields |= owner if assigned_at else owner | {"assigned_at": None} if owner else {}
            if assigned_at:
                yield Statement("lead", id, _written_at(record, "date_created"), {"assigned_at": assigned_at})
        yield Statement(table.record, id, at, fields, place=place_within(at, asked_at))

    def _past(self, table: Table, record: Mapping[str, Any], id: str, parsed: Parsed) -> Iterator[Statement]:
        """The statuses that a lead or an opportunity had since it was made."""
        changed = STATUS_CHANGE if table is OPPORTUNITY else LEAD_STATUS_CHANGE
        rows = [row for row in record[HISTORY] if isinstance(row, dict)]
        changes = sorted(((_written_at(row, "date_created"), row) for row in rows), key=lambda change: change[0])
        made = _written_at(record, "date_created")
        names = ("status_id", "status_label", "status_type")
        before = changes[0][1] if changes else None
        first = {f"new_{name}": record.get(name) if before is None else before.get(f"old_{name}") for name in names}
        for at, row in [(made, first), *changes]:
            fields = changed.read(ReadObject(table.record, row, at, self._words, parsed))
            if fields.get("stage") is not None:
                fields["entered_stage_at"] = format_instant(at)
            yield Statement(table.record, id, at, fields)

    def _change(self, event: Mapping[str, Any], name: str, action: str, at: int, parsed: Parsed) -> Iterator[Statement]:
        """An activity that tells of another object's change. Taken from it, the change has happened all the same."""
        if action not in ("created", "updated"):
            raise LeftOutError(UNKNOWN_TYPE)
        table, pointer = CHANGES[name]
        data = object_member(event, "data")
        at = _written_at(data, "date_created") if isinstance(data.get("date_created"), str) else at
        said = ReadObject(table.record, data, at, self._words, parsed)
        yield Statement(table.record, own_id(data.get(pointer), pointer), at, table.read(said))


def _written_at(record: Mapping[str, Any], name: str) -> int:
    return version_instant(record.get(name), name)


def _person(record: Mapping[str, Any], id: str, asked_at: int) -> Statement:
    """A user of the organisation."""
    name = joined_name(record, "first_name", "last_name")
    at = _written_at(record, "date_updated") if record.get("date_updated") else asked_at
    fields = {"name": name} if name else {}
    return Statement("rep", id, at, fields | ({"email": record["email"]} if record.get("email") else {}))


_ACTIONS = frozenset(
    {
        "created", "updated", "deleted", "merged", "answered", "completed", "sent", "scheduled", "started", "canceled",
    }
)  # fmt: skip


def _merge(table: Table, merged: tuple[str, str], at: int) -> Iterator[Statement]:
    """What a merge takes away is moved: its lead points to the one that stays, and nothing is deleted."""
    source, destination = merged
    if table is LEAD and source != destination:
        yield Statement("lead", source, at, {MERGED: destination})


def _owner(data: Mapping[str, Any], name: str, said: ReadObject) -> dict[str, Any]:
    """The owner in a custom field, which stands at `custom.cf_…`, or under its name in `custom`."""
    custom = data.get("custom")
    if f"custom.{name}" in data:
        found = data[f"custom.{name}"]
    elif isinstance(custom, dict) and name in custom:
        found = custom[name]
    elif said.before is None:
        return {}
    else:
        found = None
    owner = found[0] if isinstance(found, list) and found else found
    if not isinstance(owner, str) or not owner:
        return {"rep": None, "assigned_at": None}
    if said.before is None:
        return {"rep": owner, "assigned_at": instant_text(data.get("date_created"))}
    changed = f"custom.{name}" in said.before or "custom" in said.before
    return {"rep": owner, **({"assigned_at": format_instant(said.at)} if changed else {})}


def close_source(connection: CloseConnection) -> CloseSource | None:
    """Its API; None: the connection has none."""
    api = connection.api
    return None if api is None else CloseSource(key=api.key.get_secret_value().strip(), address=api.url)


CLOSE = ConnectorKind(
    CloseConnection, Close, source=close_source, objects=(*OBJECTS.values(), STATUS_CHANGE, LEAD_STATUS_CHANGE)
)
