"""Kind `generic`: floorcast's own events, signed by Standard Webhooks, plain or in CloudEvents.

Owns the shape of an event of the contract. The signature rule is in `standard_webhooks.py`, envelopes are in
`cloud_events.py`, fields in `fields.py`. Event time stands in the fields; `changed_at` is the version. What survives a
redelivery is the change itself (its digest), so `webhook-id` is kept for people who search, not for counting.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from schemas.connectors import cloud_events
from schemas.connectors.base import MAX_EVENTS, Parsed, SignedRequest
from schemas.connectors.cloud_events import open_body
from schemas.connectors.connection import Connection
from schemas.connectors.content import JSON, check_content
from schemas.connectors.fields import FieldError, read_change, read_instant
from schemas.connectors.json_text import Unreadable
from schemas.connectors.kinds import ConnectorKind
from schemas.connectors.plain import NotPlainError, read_plain
from schemas.connectors.standard_webhooks import SigningSecret, check_signature, read_key
from schemas.deliveries import Delivery
from schemas.records import DELETED, FIELDS

CONTENT_TYPES = frozenset({JSON, cloud_events.STRUCTURED, cloud_events.BATCHED})
_MEMBERS = frozenset({"record", "id", "changed_at", "fields", DELETED})


class GenericConnection(Connection):
    """Any system that posts floorcast's own events to `/webhooks/{name}`, signed by Standard Webhooks."""

    kind: Literal["generic"]
    secrets: list[SigningSecret] = Field(min_length=1, max_length=8)
    """Keys of Standard Webhooks: `whsec_` and 24 to 64 random bytes in base64."""


class Generic:
    """Connector of kind `generic`."""

    kept_headers = frozenset({"content-type", "webhook-id", "svix-id"}) | cloud_events.HEADERS

    def __init__(self, *, keys: Sequence[bytes], namespace: str = "", currency: str | None = None) -> None:
        self._keys = tuple(keys)
        self.namespace, self.currency = namespace, currency

    def verify(self, request: SignedRequest, now: int) -> None:
        """Raise SignatureError, then ContentTypeError: who proves nothing learns nothing of what is taken."""
        check_signature(self._keys, request.headers, request.body, now)
        check_content(request.headers, CONTENT_TYPES)

    def parse(self, delivery: Delivery) -> Parsed:
        """Every event of the delivery; the data of an envelope may be one event or an array of them."""
        if delivery.headers.get("content-type") == JSON and "ce-specversion" not in delivery.headers:
            try:
                return Parsed(read_plain(delivery.body, delivery.received_at, self.namespace))
            except NotPlainError:
                pass
        return self.parse_carefully(delivery)

    def parse_carefully(self, delivery: Delivery) -> Parsed:
        """The same of any delivery, also of those in which something is to be refused, ignored or made to fit."""
        parsed = Parsed()
        events = open_body(delivery.headers, delivery.body)
        if list in map(type, events):
            events = [event for item in events for event in (item if isinstance(item, list) else [item])]
        if len(events) > MAX_EVENTS:
            parsed.refuse("bad_shape", f"body: holds more than {MAX_EVENTS} events")
            return parsed
        for index, event in enumerate(events):
            self._read(event, index, delivery.received_at, parsed)
        return parsed

    def _read(self, event: Any, index: int, received_at: int, parsed: Parsed) -> None:
        if not isinstance(event, dict):
            if isinstance(event, Unreadable):
                parsed.refuse(event.reason, event.detail, index)
            else:
                parsed.refuse("bad_shape", "event: must be an object", index)
            return
        kind = event.get("record")
        if not isinstance(kind, str) or not kind:
            parsed.refuse("bad_shape", "record: is missing or not text", index)
            return
        if kind not in FIELDS:
            parsed.ignore_unknown(kind, kind)
            return
        try:
            changed_at, fields, deleted = _members(event)
            reading = read_change(
                kind=kind,
                record_id=event["id"],
                changed_at=changed_at,
                raw=fields,
                received_at=received_at,
                namespace=self.namespace,
                deleted=deleted,
            )
        except FieldError as error:
            reason = "bad_field" if error.field.startswith("fields.") else "bad_shape"
            parsed.refuse(reason, str(error), index)
        except Exception as error:  # noqa: BLE001 - our own fault
            parsed.fail(error, index)
        else:
            for name in (*reading.unknown, *(event.keys() - _MEMBERS)):
                parsed.ignore_unknown(kind, name)
            parsed.ignore("rounded", reading.rounded)
            parsed.accept(reading.change, index)


def _members(event: dict[str, Any]) -> tuple[int, dict[str, Any], bool | None]:
    """Read `changed_at`, `fields` and `deleted` of an event, and see that it has an `id`. Raises FieldError."""
    member = event.get
    said_at, deleted, fields = member("changed_at"), member(DELETED), member("fields")
    if member("id") is None:
        raise FieldError(field="id", problem="is missing")
    if said_at is None:
        raise FieldError(field="changed_at", problem="is missing")
    changed_at = read_instant(said_at, "changed_at")
    if deleted is not None and not isinstance(deleted, bool):
        raise FieldError(field=DELETED, problem="must be true or false")
    if isinstance(fields, dict):
        return changed_at, fields, deleted
    if fields is not None:
        raise FieldError(field="fields", problem="must be an object")
    if deleted is None:
        raise FieldError(field="fields", problem="is missing")
    return changed_at, {}, deleted


def build_generic(connection: GenericConnection) -> Generic:
    """Make the connector of a `generic` connection."""
    keys = [read_key(secret.get_secret_value(), f"secrets[{i}]") for i, secret in enumerate(connection.secrets)]
    return Generic(keys=keys, namespace=connection.namespace, currency=connection.currency)


GENERIC = ConnectorKind(GenericConnection, build_generic)
