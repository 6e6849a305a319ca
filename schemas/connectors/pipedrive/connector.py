"""The connector of kind `pipedrive`, and its settings.

Owns the check of basic auth and the way from Pipedrive's events to changes.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr

from schemas.connectors.apis import Api, DailyLimit, Secret
from schemas.connectors.asking import HISTORY, BadAnswerError, Envelope
from schemas.connectors.base import Parsed, SignatureError, SignedRequest
from schemas.connectors.connection import MIN_SECRET
from schemas.connectors.content import JSON, check_content
from schemas.connectors.crm import CrmConnector, place_within
from schemas.connectors.events import UNKNOWN_TYPE, LeftOutError, ShapeError, Statement, gone, instant_member, own_id
from schemas.connectors.kinds import ConnectorKind
from schemas.connectors.pipedrive.answers import PASTS, past_of
from schemas.connectors.pipedrive.api import ACTIVITIES, CONVERTED, DEALS, PipedriveSource, updated_at
from schemas.connectors.pipedrive.objects import ACTIVITIES as ACTIVITIES_TABLES
from schemas.connectors.pipedrive.objects import DEAL, LEAD, OBJECTS, RECORDS, TABLES, TYPES, USER
from schemas.connectors.pipedrive.shapes import ObjectEvent, read_object_event
from schemas.connectors.tables import ReadObject, Table, instant_text
from schemas.connectors.tokens import check_secret
from schemas.connectors.words import CrmConnection, connection_words
from schemas.documents.errors import wrong
from schemas.instants import HOUR
from schemas.records import MERGED

AUTHORIZATION = "authorization"
_DELETED_WITHIN = HOUR
"""A lead is deleted at once when a deal is made of it: so long after it nobody has deleted it."""


def _credentials(secret: SecretStr) -> SecretStr:
    user, colon, password = secret.get_secret_value().partition(":")
    if not colon or not user:
        msg = "must be written user:password, as the webhook was made with"
        raise wrong(msg)
    if len(password) < MIN_SECRET:
        msg = f"must have a password of at least {MIN_SECRET} characters"
        raise wrong(msg)
    return secret


class PipedriveApi(Api):
    """The API of Pipedrive."""

    company: str = Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")
    """The first part of the address: `acme` of `acme.pipedrive.com`."""
    token: Secret
    """The API token of somebody who sees everything."""
    daily_limit: DailyLimit = None
    """How many tokens a day the company has, by plan and seats: answers only say how many are left."""


class PipedriveConnection(CrmConnection):
    """Webhooks of Pipedrive that post to `/webhooks/{name}`."""

    kind: Literal["pipedrive"]
    secrets: list[Annotated[SecretStr, AfterValidator(_credentials)]] = Field(min_length=1, max_length=8)
    """`user:password` of HTTP basic auth, as the webhook was made with."""
    api: PipedriveApi | None = None
    """What look-ups, back-fill and reconciliation ask."""

    def remarks(self) -> dict[str, str]:
        """What activities do not tell."""
        why = "Pipedrive's activities name no telephone number, so no call matches but those of files"
        return {} if self.match is None else {"match": why}


_TABLES: Mapping[str, Table] = {"deals": DEAL, "leads": LEAD, "users": USER}


class Pipedrive(CrmConnector):
    """Connector of kind `pipedrive`."""

    clock = "meta.timestamp"
    kinds: Mapping[str, Sequence[str]] = {
        **{name: (table.record,) for name, table in _TABLES.items()},
        ACTIVITIES: RECORDS,
    }

    def __init__(self, connection: PipedriveConnection) -> None:
        super().__init__(connection, connection_words(connection, types=TYPES))
        self._looks_up = connection.api is not None  # which tells when deals entered their stages
        self._secrets = [secret.get_secret_value().encode("utf-8", "backslashreplace") for secret in connection.secrets]

    def verify(self, request: SignedRequest, now: int) -> None:
        check_secret(self._secrets, _given(request.headers), AUTHORIZATION)
        check_content(request.headers, {JSON})

    def _statements(self, body: Mapping[str, Any], parsed: Parsed) -> Iterator[Statement]:
        event = read_object_event(body)
        if event.action not in ("create", "change", "delete"):
            raise LeftOutError(UNKNOWN_TYPE)
        if event.entity == "activity":
            yield from self._activity(event, parsed)
            return
        table = OBJECTS.get(event.entity)
        if table is None:
            raise LeftOutError(UNKNOWN_TYPE)
        if event.action == "delete":
            yield _gone(table, event)
            return
        yield self._said(table, event, parsed)
        if table is DEAL:
            yield from _converted(_whole(event), event.at)
            if event.action == "create" and self._looks_up:
                parsed.want(DEALS, event.id)  # of which lead it was made, no webhook tells
        merged = event.meta.get("merged_from_id")
        if table is DEAL and isinstance(merged, str | int) and not isinstance(merged, bool) and str(merged) != event.id:
            yield Statement("deal", str(merged), event.at, {MERGED: event.id})

    def _activity(self, event: ObjectEvent, parsed: Parsed) -> Iterator[Statement]:
        """The record that an activity is, and the one that it was: its type may change."""
        before = event.before or {}
        if event.action == "delete":
            known = self._record_of(before.get("type"))
            for record in RECORDS if before.get("type") is None else (known,):
                if record is not None:
                    yield Statement(record, event.id, event.at, deleted=True)
            return
        data = _whole(event)
        was = self._record_of(before["type"]) if "type" in before and event.action == "change" else None
        record = self._record_of(data.get("type"))
        if was is not None and was != record:
            yield Statement(was, event.id, event.at, deleted=True)
        if record is None:
            if isinstance(data.get("type"), str):
                parsed.ignore_unmapped("activity", "type", data["type"])
            return
        said = self._said(ACTIVITIES_TABLES[record], event, parsed)
        # A type that changed back finds its record deleted.
        yield (
            said
            if was in (None, record) or said.deleted
            else Statement(record, event.id, event.at, said.fields, deleted=False)
        )

    def _answered(
        self, record: Mapping[str, Any], envelope: Envelope, asked_at: int, parsed: Parsed
    ) -> Iterator[Statement]:
        """What a whole record says. Its version is when it was updated last; a deal's past has its own."""
        id = own_id(record.get("id"), "id")
        try:
            at = updated_at(record)
        except BadAnswerError as error:
            raise ShapeError(str(error)) from None
        place = place_within(at, asked_at)
        if envelope.object == ACTIVITIES:
            yield from self._answered_activity(id, record, at, place, parsed)
            return
        table = _TABLES.get(envelope.object)
        if table is None:
            raise LeftOutError(UNKNOWN_TYPE)
        fields = table.read(ReadObject(table.record, record, at, self._words, parsed))
        if table is DEAL and HISTORY in record:
            fields = {name: value for name, value in fields.items() if name not in PASTS}
            yield from past_of(record, id, self._words, parsed)
        if table is LEAD:
            # Nothing tells since when somebody has it: since it was made, unless a webhook knows better.
            assigned_at = fields.pop("assigned_at", None)
            made = instant_text(record.get("add_time"))
            if assigned_at is not None and made is not None:
                yield Statement("lead", id, instant_member(made, "add_time"), {"assigned_at": assigned_at})
            elif "rep" in fields:
                fields["assigned_at"] = None
        yield Statement(table.record, id, at, fields, place=place)
        if table is DEAL:
            yield from _converted(record, at)

    def _answered_activity(
        self, id: str, data: Mapping[str, Any], at: int, place: int, parsed: Parsed
    ) -> Iterator[Statement]:
        """The record that an activity is. If it was edited, it may have been one of another kind."""
        record = self._record_of(data.get("type"))
        is_edited = data.get("update_time") != data.get("add_time")
        if record is None:
            if isinstance(data.get("type"), str):
                parsed.ignore_unmapped("activity", "type", data["type"])
        else:
            fields = ACTIVITIES_TABLES[record].read(ReadObject(record, data, at, self._words, parsed))
            yield Statement(
                record, id, at, fields, deleted=True if _is_gone(data) else False if is_edited else None, place=place
            )
        for other in RECORDS if is_edited else ():
            if other != record:
                yield Statement(other, id, at, deleted=True, place=place)

    def _record_of(self, type: Any) -> str | None:
        """The kind of record that activities of a type are; any other word of ours is the kind of a meeting."""
        found = self._words.types.get(type) if isinstance(type, str) else None
        return found if found is None or found in RECORDS else "meeting"

    def _said(self, table: Table, event: ObjectEvent, parsed: Parsed) -> Statement:
        data = _whole(event)
        before = event.before if event.action == "change" else None
        said = ReadObject(table.record, data, event.at, self._words, parsed, before=before)
        fields = table.read(said)
        is_repeated = before is not None and "stage_id" not in before and "entered_stage_at" not in fields
        if table is DEAL and is_repeated and self._looks_up:
            # Each activity of a deal changes the deal: so many entries of one stage would push out the true one.
            fields.pop("stage", None)
        if table is USER:
            return Statement(table.record, event.id, event.at, fields)
        is_restored = before is not None and _is_gone(before)
        return Statement(
            table.record, event.id, event.at, fields, deleted=True if _is_gone(data) else False if is_restored else None
        )


def _whole(event: ObjectEvent) -> Mapping[str, Any]:
    if event.data is None:
        raise ShapeError("data", "is missing")
    return event.data


def _is_gone(data: Mapping[str, Any]) -> bool:
    """Whether an object is deleted, or was, by what changed members were before. Within 30 days it may be restored."""
    return data.get("is_deleted") is True or data.get("status") == "deleted" or data.get("active_flag") is False


def _converted(deal: Mapping[str, Any], at: int) -> Iterator[Statement]:
    """Of the lead that a deal was made of: it has ended well, and that Pipedrive deletes it then says nothing else."""
    lead = deal.get("source_lead_id")
    if not isinstance(lead, str) or not lead:
        return
    made = instant_text(deal.get("add_time"))
    at = at if made is None else instant_member(made, "add_time")
    yield Statement("lead", lead, at, {"status#1": CONVERTED})
    yield Statement("lead", lead, at, deleted=False, yields=-_DELETED_WITHIN)


def _gone(table: Table, event: ObjectEvent) -> Statement:
    merged = event.meta.get("merged_to_id")
    if table is DEAL and isinstance(merged, str | int) and not isinstance(merged, bool) and str(merged) != event.id:
        return Statement("deal", event.id, event.at, {MERGED: str(merged)}, deleted=True)
    return gone(table.record, event.id, event.at)


def _given(headers: Mapping[str, str]) -> bytes:
    """User and password of the header, as bytes: a password may be of any encoding. Raises SignatureError."""
    scheme, _, encoded = headers.get(AUTHORIZATION, "").strip().partition(" ")
    if scheme.lower() != "basic":
        raise SignatureError(AUTHORIZATION, "is missing or not basic auth")
    try:
        return base64.b64decode(encoded.strip().encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError(AUTHORIZATION, "is not base64") from None


def pipedrive_source(connection: PipedriveConnection) -> PipedriveSource | None:
    """Its API; None: the connection has none."""
    api = connection.api
    if api is None:
        return None
    return PipedriveSource(company=api.company, token=api.token.get_secret_value().strip(), address=api.url)


PIPEDRIVE = ConnectorKind(PipedriveConnection, Pipedrive, source=pipedrive_source, objects=TABLES)
