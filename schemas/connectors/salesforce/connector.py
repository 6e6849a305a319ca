"""The connector of kind `salesforce`, and its settings.

Owns what proves a message, and the way from messages and events to changes. Messages are posted; events come by a
stream that floorcast itself opens, and lie in the log as JSON.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, Self
from urllib.parse import unquote_to_bytes, urlsplit

from pydantic import Field, field_validator, model_validator

from schemas.addresses import is_loopback
from schemas.connectors.apis import Api, Secret
from schemas.connectors.asking import ALL, Envelope
from schemas.connectors.base import Parsed, SignatureError, SignedRequest
from schemas.connectors.content import check_content, media_type
from schemas.connectors.crm import CrmConnector
from schemas.connectors.events import UNKNOWN_TYPE, LeftOutError, ShapeError, Statement, instant_member, read_event
from schemas.connectors.kinds import ConnectorKind, Receipt
from schemas.connectors.salesforce.answers import salesforce_statements
from schemas.connectors.salesforce.api import SalesforceSource
from schemas.connectors.salesforce.changes import read_change_event
from schemas.connectors.salesforce.ids import id_in, whole_id
from schemas.connectors.salesforce.objects import DEAL_TYPES, DISPOSITIONS, LEAD, LEAD_STATUSES, OBJECTS
from schemas.connectors.salesforce.reading import SalesforceReader
from schemas.connectors.salesforce.soap import ACK, Notification, SoapError, read_message
from schemas.connectors.tables import instant_text
from schemas.connectors.tokens import Token, check_secret, token_of
from schemas.connectors.words import CrmConnection, connection_words
from schemas.deliveries import Delivery
from schemas.documents.errors import wrong
from schemas.documents.values import Model

XML = "text/xml"
MEDIA = frozenset({XML, "application/xml", "application/soap+xml"})
MAX_SECRET_PATH = 1024


class SalesforceApi(Api):
    """The API of Salesforce, by an external client app with client credentials."""

    client_id: str = Field(min_length=1, max_length=512)
    """The consumer key."""
    client_secret: Secret
    """The consumer secret."""


class SalesforceStream(Model):
    """The events that floorcast reads by the Pub/Sub API."""

    topics: list[str] = Field(default=["/data/ChangeEvents"], min_length=1, max_length=20)
    """Channels: `/data/ChangeEvents`, one object's, or a channel of one's own."""
    endpoint: str = Field(default="api.pubsub.salesforce.com:7443", pattern=r"^[A-Za-z0-9.\-\[\]:]+:[0-9]{1,5}$")
    """Host and port."""
    tls: bool = True
    """Whether it is spoken to by TLS."""

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if not self.tls and not is_loopback(urlsplit(f"//{self.endpoint}").hostname or ""):
            msg = "tls: may be false on this machine alone: a token would be sent for all to read"
            raise wrong(msg)
        return self

    @field_validator("topics")
    @classmethod
    def _named(cls, topics: list[str]) -> list[str]:
        for topic in topics:
            if not topic.startswith(("/data/", "/event/")) or len(topic) > 256 or not topic.isprintable():
                raise wrong("must be names such as /data/ChangeEvents")
        return topics


class SalesforceConnection(CrmConnection):
    """An organisation of Salesforce whose Outbound Messages are posted to `/webhooks/{name}/{secret}`."""

    kind: Literal["salesforce"]
    secrets: list[Token] = Field(min_length=1, max_length=8)
    """The last part of the address that messages are posted to: all that proves them, beside the organisation."""
    organization: str
    """Id of the organisation, in 15 or 18 characters: messages must name it."""
    outcomes_field: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")
    """API name of the field of Event whose words `outcomes` maps. Without it a meeting is held once it is over."""
    api: SalesforceApi | None = None
    """What look-ups, back-fill and reconciliation ask."""
    stream: SalesforceStream | None = None
    """What change events are read from."""

    @field_validator("organization")
    @classmethod
    def _whole(cls, value: str) -> str:
        try:
            found = whole_id(value)
        except ValueError:
            found = None
        if found is None or not found.startswith("00D"):
            msg = "must be the id of an organisation: 00D and 12 or 15 more letters and digits"
            raise wrong(msg)
        return found

    @model_validator(mode="after")
    def _api_is_somewhere(self) -> Self:
        if self.api is not None and self.api.url is None:
            msg = "api.url: must be the address of the organisation, such as https://acme.my.salesforce.com"
            raise wrong(msg)
        return self

    @model_validator(mode="after")
    def _stream_needs_api(self) -> Self:
        if self.stream is not None and self.api is None:
            msg = "stream needs api: it is opened with a token that api gives"
            raise wrong(msg)
        return self


class Salesforce(CrmConnector):
    """Connector of kind `salesforce`."""

    clock = "commitTimestamp"
    kinds: Mapping[str, Sequence[str]] = {table.name: (table.record,) for table in OBJECTS.values()}

    def __init__(self, connection: SalesforceConnection) -> None:
        words = connection_words(connection, calls=DISPOSITIONS, statuses=LEAD_STATUSES, types=DEAL_TYPES)
        super().__init__(connection, words)
        self._secrets = [token_of(secret) for secret in connection.secrets]
        self._organization = connection.organization.encode()
        self._reader = SalesforceReader(words, connection.outcomes_field, connection.calendar)

    def verify(self, request: SignedRequest, now: int) -> None:
        """Raise SignatureError unless path and organisation are right, then ContentTypeError."""
        check_secret(self._secrets, secret_in(request.url), "path")
        try:
            organization = whole_id(read_message(request.body).organization)
        except SoapError as error:
            raise SignatureError("body", str(error)) from None
        except ValueError as error:
            raise SignatureError("OrganizationId", str(error)) from None
        check_secret([self._organization], organization or "", "OrganizationId")
        check_content(request.headers, MEDIA)

    def _answered(
        self, record: Mapping[str, Any], envelope: Envelope, asked_at: int, parsed: Parsed
    ) -> Iterator[Statement]:
        return salesforce_statements(self._reader, record, envelope, asked_at, parsed)

    def _read_posted(self, delivery: Delivery) -> Parsed:
        """Every notification of a message; of JSON every change event."""
        if media_type(delivery.headers) not in MEDIA:
            return super()._read_posted(delivery)
        parsed = Parsed()
        try:
            message = read_message(delivery.body)
        except SoapError as error:
            parsed.refuse("bad_shape", f"body: {error}")
            return parsed
        if not message.notifications:
            parsed.refuse("bad_shape", "body: holds no Notification")
        for index, notification in enumerate(message.notifications):
            read_event(
                notification.fields, index, partial(self._notified, notification, delivery.received_at), parsed,
                delivery.received_at, namespace=self.namespace, clock="LastModifiedDate",
            )  # fmt: skip
        return parsed

    def _notified(
        self, notification: Notification, received_at: int, data: Mapping[str, Any], parsed: Parsed
    ) -> Iterator[Statement]:
        """A record as it was when it was sent."""
        id = id_in(data.get("Id"), "Id", ShapeError)
        name = next((name for name in ("LastModifiedDate", "SystemModstamp") if data.get(name)), None)
        at = received_at if name is None else instant_member(instant_text(data[name]), name)
        if data.get("IsDeleted") in ("true", "1"):
            table = OBJECTS.get(notification.type)
            if table is not None:
                yield Statement(table.record, id, at, deleted=True)
            if not data.get("MasterRecordId"):  # one that was merged lives on in its root, by what it says here
                return
        if data.get("IsDeleted") in ("false", "0") and notification.type in OBJECTS:
            yield Statement(OBJECTS[notification.type].record, id, at, deleted=False)
        yield from self._reader.statements(notification.type, id, data, at, parsed, type="WHOLE")

    def _statements(self, event: Mapping[str, Any], parsed: Parsed) -> Iterator[Statement]:
        """A change of one or many records."""
        change = read_change_event(event)
        table, type = OBJECTS.get(change.entity), change.type
        if table is None or type.removeprefix("GAP_") not in _CHANGES:
            raise LeftOutError(UNKNOWN_TYPE)
        for id in change.ids:
            if type in ("DELETE", "GAP_DELETE"):
                yield Statement(table.record, id, change.at, deleted=True)
                if table is LEAD:
                    parsed.want(change.entity, id)  # it may have been merged into another one
            elif type.startswith("GAP_"):
                parsed.want(change.entity, id)
            else:
                if type == "UNDELETE":
                    yield Statement(table.record, id, change.at, deleted=False)
                how = "UPDATE" if type == "UPDATE" else "CREATE"
                yield from self._reader.statements(change.entity, id, change.fields, change.at, parsed, type=how)
        if type == "GAP_OVERFLOW":
            parsed.want(change.entity, ALL)


_CHANGES = frozenset({"CREATE", "UPDATE", "DELETE", "UNDELETE", "OVERFLOW"})


def secret_in(url: str) -> bytes:
    """What stands behind the connection's name in an address; nothing where there is no such part."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return b""
    behind = path.rpartition("/webhooks/")[2].partition("/")[2]
    return unquote_to_bytes(behind.removesuffix("/")) if len(behind) <= MAX_SECRET_PATH else b""


def salesforce_source(connection: SalesforceConnection) -> SalesforceSource | None:
    """Its API; None: the connection has none, or does not say where it is."""
    api = connection.api
    if api is None or api.url is None:
        return None
    return SalesforceSource(
        address=api.url,
        client={"client_id": api.client_id, "client_secret": api.client_secret.get_secret_value().strip()},
        outcomes_field=connection.outcomes_field,
        calendar=connection.calendar,
    )


SALESFORCE = ConnectorKind(
    SalesforceConnection,
    Salesforce,
    source=salesforce_source,
    objects=tuple(OBJECTS.values()),
    receipt=Receipt(200, "text/xml; charset=utf-8", ACK),
    has_secret_path=True,
)
