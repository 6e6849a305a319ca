"""Kind `hubspot`: signatures v1 to v3 of HubSpot's webhooks, and what its events say of our records.

Owns HubSpot's words for things: one table per object, each with the page it comes from. Looks nothing up: only what the
events themselves say is known, so an account subscribes to creation, deletion, restore, merge, association and to the
properties in the tables below.

- Event time stands in the properties (`hs_timestamp`, `hs_meeting_start_time`, `closedate` ...); `occurredAt` is the
  version. A redelivery gives the same change: `eventId` (not unique) and `attemptNumber` are not read into it.
- Each property change is a change of its own, of the fields that this property says something of. Where two properties
  speak of one field, the order of arrival must not matter, so a field has one property that decides. What another one
  merely suggests is *inferred*: it carries a version one day older and yields to all that is said outright on that day.
- A word without a counterpart here (custom dispositions, outcomes, types) clears a field that this property alone
  decides, leaves a field that others decide too, and is counted as `unmapped_value`.
- Contacts and leads (object 0-136) are both our `lead`, but count their ids apart: a lead is `lead-<id>`, a contact its
  plain id.
- A pointer holds one id: of several associated contacts the one associated last counts.

Events: https://developers.hubspot.com/docs/api/webhooks
Generic subscriptions:
https://developers.hubspot.com/beta-docs/guides/apps/public-apps/create-generic-webhook-subscriptions
"""

import base64
import hmac
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from schemas.config import Connection
from schemas.connectors.base import MAX_EVENTS, Parsed, SecretError, SignatureError, SignedRequest, runs_ahead
from schemas.connectors.content import JSON, check_content
from schemas.connectors.fields import FieldError, read_change, read_number
from schemas.deliveries import Delivery
from schemas.instants import DAY, MINUTE, checked, format_instant
from schemas.records import FIELDS

# --- Signatures -------------------------------------------------------------------------------------------------------
# https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation

SIGNATURE_V3 = "x-hubspot-signature-v3"
TIMESTAMP = "x-hubspot-request-timestamp"
SIGNATURE = "x-hubspot-signature"
VERSION = "x-hubspot-signature-version"
TOLERANCE = 5 * MINUTE
MIN_SECRET = 8
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
# The documented list, no more: any other escape is signed as it stands.
_SIGNED_DECODED = re.compile(r"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def signed_uri(url: str) -> str:
    """Write the URI as version 3 signs it: the escapes that HubSpot lists are decoded, once."""
    return _SIGNED_DECODED.sub(lambda escape: chr(int(escape[1], 16)), url)


def sign_v3(secret: bytes, *, method: str, url: str, body: bytes, timestamp: str) -> str:
    """Value of the `X-HubSpot-Signature-v3` header."""
    content = _bytes(method.upper() + signed_uri(url)) + body + _bytes(timestamp)
    return base64.b64encode(hmac.digest(secret, content, sha256)).decode()


def sign_v2(secret: bytes, *, method: str, url: str, body: bytes) -> str:
    """Value of the `X-HubSpot-Signature` header under version v2."""
    return sha256(secret + _bytes(method.upper() + url) + body).hexdigest()


def sign_v1(secret: bytes, *, body: bytes) -> str:
    """Value of the `X-HubSpot-Signature` header under version v1."""
    return sha256(secret + body).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


# --- What a property says ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Facts:
    """What one property, or one kind of event, tells of a record."""

    said: Mapping[str, Any] = field(default_factory=dict)
    inferred: Mapping[str, Any] = field(default_factory=dict)
    """Yields to what is said outright, see the module's text."""
    unmapped: bool = False


_Reading = Callable[[str | None, int], _Facts]
"""Value of the property (None: cleared) and instant of the change -> facts. Raises ValueError."""

_INFERRED_YIELDS = DAY
# A contact taken off a call and another put on it in the same save: the one put on must win.
_REMOVAL_YIELDS = 1


def _as(name: str) -> _Reading:
    return lambda value, _at: _Facts({name: value})


def _inferring(name: str) -> _Reading:
    return lambda value, _at: _Facts(inferred={name: value})


def _instant(name: str) -> _Reading:
    return lambda value, _at: _Facts({name: value if value is None else _instant_text(value)})


def _deciding(name: str, words: Mapping[str, str]) -> _Reading:
    """Read the only property that speaks of this field."""

    def read(value: str | None, _at: int) -> _Facts:
        found = None if value is None else words.get(_word(value))
        return _Facts({name: found}, unmapped=value is not None and found is None)

    return read


def _hinting(name: str, words: Mapping[str, str]) -> _Reading:
    """Read one of several properties that speak of this field: what it cannot say it leaves to them."""

    def read(value: str | None, _at: int) -> _Facts:
        found = None if value is None else words.get(_word(value))
        return _Facts(unmapped=True) if found is None else _Facts({name: found})

    return read


def _word(value: str) -> str:
    """HubSpot writes enumerations in either case, with blanks or underscores."""
    return value.upper().replace(" ", "_").replace("-", "_")


_MILLISECONDS = re.compile(r"-?[0-9]{1,15}")


def _instant_text(value: str) -> str:
    """Milliseconds since 1970, or an instant as it stands: HubSpot writes both."""
    return format_instant(checked(int(value) * 1000)) if _MILLISECONDS.fullmatch(value) else value


# Calls. https://developers.hubspot.com/docs/api/crm/calls
# The six dispositions every account has; those an account adds have ids of its own. "Left live message" is a word left
# with somebody else: the person called did not answer.
_DISPOSITIONS = {
    "F240BBAC_87C9_4F6E_BF70_924B57D47DB7": "connected",
    "73A0D17F_1163_4015_BDD5_EC830791DA20": "no_answer",
    "A4C4C377_D246_4B32_A13B_75A56A4CD0FF": "no_answer",
    "B2CF5968_551E_4856_9783_52B3DA59A7D0": "voicemail",
    "9D9162E7_6CF3_4944_BF63_4DFF82258764": "busy",
    "17B47FEE_58DE_441E_A44C_C6300D46F273": "wrong_number",
}


def _call_status(value: str | None, _at: int) -> _Facts:
    # COMPLETED means that the call is over, not that somebody answered. Only a failure says what a disposition cannot.
    if value is not None and _word(value) == "FAILED":
        return _Facts(inferred={"outcome": "failed"})
    return _Facts(unmapped=True)


def _call_duration(value: str | None, _at: int) -> _Facts:
    return _Facts({"talk_seconds": None if value is None else str(read_number(value) / 1000)})


_CALL: Mapping[str, _Reading] = {
    "hs_timestamp": _instant("dialed_at"),
    "hs_call_direction": _deciding("direction", {"OUTBOUND": "outbound", "INBOUND": "inbound"}),
    "hs_call_disposition": _deciding("outcome", _DISPOSITIONS),
    "hs_call_status": _call_status,
    "hs_call_duration": _call_duration,
    "hubspot_owner_id": _as("rep"),
}

# Emails. https://developers.hubspot.com/docs/api/crm/email
# FORWARDED_EMAIL was forwarded to HubSpot for the record: of either direction, so it counts in neither.
_EMAIL: Mapping[str, _Reading] = {
    "hs_timestamp": _instant("sent_at"),
    "hs_email_direction": _deciding("direction", {"EMAIL": "outbound", "INCOMING_EMAIL": "inbound"}),
    "hs_email_thread_id": _as("thread"),
    "hubspot_owner_id": _as("rep"),
}

# Meetings. https://developers.hubspot.com/docs/api/crm/meetings
# `hs_timestamp` only repeats `hs_meeting_start_time`, so that alone decides the start, whatever comes first. Nobody is
# named who booked it: `hs_created_by_user_id` is a user's id, and reps are owners, whose ids are others.
_MEETING: Mapping[str, _Reading] = {
    "hs_meeting_start_time": _instant("starts_at"),
    "hs_meeting_end_time": _instant("ends_at"),
    "hs_createdate": _instant("booked_at"),
    "hs_meeting_outcome": _deciding(
        "outcome",
        {
            "SCHEDULED": "scheduled",
            "RESCHEDULED": "scheduled",
            "COMPLETED": "held",
            "NO_SHOW": "no_show",
            "CANCELED": "cancelled",
            "CANCELLED": "cancelled",
        },
    ),
    "hs_activity_type": _as("kind"),
    "hubspot_owner_id": _as("rep"),
}

# Contacts and leads. https://knowledge.hubspot.com/properties/hubspots-default-contact-properties
# The lifecycle stage says how far a person has come, the lead status what became of the attempt; both may set `status`.
# NEW lets the clock run again. OPEN, IN_PROGRESS, ATTEMPTED_TO_CONTACT, CONNECTED and BAD_TIMING say nothing of
# qualification. A marketing qualified lead is one that sales has yet to look at.
_LIFECYCLE = {
    "SUBSCRIBER": "new",
    "LEAD": "new",
    "MARKETINGQUALIFIEDLEAD": "new",
    "SALESQUALIFIEDLEAD": "qualified",
    "OPPORTUNITY": "converted",
    "CUSTOMER": "converted",
    "EVANGELIST": "converted",
}
_LEAD_STATUS = {"NEW": "new", "UNQUALIFIED": "disqualified", "OPEN_DEAL": "converted"}


def _lead_owner(value: str | None, at: int) -> _Facts:
    return _Facts({"rep": value, "assigned_at": None if value is None else format_instant(at)})


_LEAD: Mapping[str, _Reading] = {
    "createdate": _instant("received_at"),
    "hs_createdate": _instant("received_at"),
    "hubspot_owner_id": _lead_owner,
    "hubspot_owner_assigneddate": _instant("assigned_at"),
    "lifecyclestage": _hinting("status", _LIFECYCLE),
    "hs_lead_status": _hinting("status", _LEAD_STATUS),
    "hs_analytics_source": _as("source"),
    "hs_object_source_label": _inferring("source"),
}

# Deals. https://developers.hubspot.com/docs/api/crm/deals
# Stage ids of the default pipeline that every account begins with. Stages an account adds have ids of its own, of which
# only `hs_is_closed`, `hs_is_closed_won` and `hs_is_closed_lost` say whether they are won, lost or open again.
_DEFAULT_STAGES = {
    "appointmentscheduled": "open",
    "qualifiedtobuy": "open",
    "presentationscheduled": "open",
    "decisionmakerboughtin": "open",
    "contractsent": "open",
    "closedwon": "won",
    "closedlost": "lost",
}


def _deal_stage(value: str | None, at: int) -> _Facts:
    status = _DEFAULT_STAGES.get(value) if value is not None else None
    return _Facts({"stage": value} if status is None else {"stage": value, "status": status}, _closing(status, at))


def _deal_becomes(status: str, *, when: str) -> _Reading:
    def read(value: str | None, at: int) -> _Facts:
        if value is None or value.lower() != when:
            return _Facts(unmapped=True)  # the other two, or the stage, say what it is instead
        return _Facts({"status": status}, _closing(status, at))

    return read


def _closing(status: str | None, at: int) -> dict[str, Any]:
    # HubSpot sets `closedate` itself when a deal is won or lost, and its change comes too if it is subscribed to.
    # https://knowledge.hubspot.com/object-settings/set-defaults-for-creating-deals
    return {"closed_at": format_instant(at)} if status in {"won", "lost"} else {}


_DEAL: Mapping[str, _Reading] = {
    "dealstage": _deal_stage,
    "hs_is_closed": _deal_becomes("open", when="false"),
    "hs_is_closed_won": _deal_becomes("won", when="true"),
    "hs_is_closed_lost": _deal_becomes("lost", when="true"),
    "pipeline": _as("pipeline"),
    "amount": _as("amount"),
    "deal_currency_code": _as("currency"),
    "closedate": _instant("closed_at"),
    "createdate": _instant("created_at"),
    "hs_createdate": _instant("created_at"),
    "hubspot_owner_id": _as("rep"),
    "dealtype": _deciding("kind", {"NEWBUSINESS": "new", "EXISTINGBUSINESS": "expansion"}),
}

# --- Objects ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Object:
    """A kind of HubSpot object that is one of our records."""

    kind: str
    properties: Mapping[str, _Reading]
    created: str | None = None
    """Field that the creation suggests. Not so for calls and mails: they are often logged later than they happened."""
    prefix: str = ""


_CONTACT_OBJECT = _Object("lead", _LEAD, created="received_at")
_LEAD_OBJECT = _Object("lead", _LEAD, created="received_at", prefix="lead-")
_DEAL_OBJECT = _Object("deal", _DEAL, created="created_at")
_CALL_OBJECT = _Object("call", _CALL)
_EMAIL_OBJECT = _Object("email", _EMAIL)
_MEETING_OBJECT = _Object("meeting", _MEETING, created="booked_at")

# https://developers.hubspot.com/docs/guides/crm/understanding-the-crm (object type ids)
_BY_TYPE_ID = {
    "0-1": _CONTACT_OBJECT,
    "0-3": _DEAL_OBJECT,
    "0-47": _MEETING_OBJECT,
    "0-48": _CALL_OBJECT,
    "0-49": _EMAIL_OBJECT,
    "0-136": _LEAD_OBJECT,
}
_CLASSIC = {"contact": _CONTACT_OBJECT, "deal": _DEAL_OBJECT}
_IN_ASSOCIATIONS = {
    "CONTACT": _CONTACT_OBJECT,
    "DEAL": _DEAL_OBJECT,
    "MEETING": _MEETING_OBJECT,
    "MEETING_EVENT": _MEETING_OBJECT,
    "CALL": _CALL_OBJECT,
    "EMAIL": _EMAIL_OBJECT,
    "LEAD": _LEAD_OBJECT,
}


@dataclass(frozen=True, slots=True)
class _Statement:
    """What an event says of one record: the input of a change."""

    kind: str
    record_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool | None = None
    yields: int = 0
    """How much older its version is made."""


class _ShapeError(ValueError):
    """An event that is not what HubSpot documents. The message names the member."""


class _LeftOutError(Exception):
    """An event, or a part of it, that is left out on purpose."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class HubSpot:
    """Connector of kind `hubspot`."""

    kept_headers = frozenset({"content-type"})

    def __init__(self, *, secrets: Sequence[bytes], namespace: str = "") -> None:
        self._secrets = tuple(secrets)
        self._namespace = namespace

    def verify(self, request: SignedRequest, now: int) -> None:
        """Raise SignatureError, then ContentTypeError. Whoever sends a v3 header is held to it.

        HubSpot sends v3 and v1 together while the version header says `v1`, so that header does not choose.
        """
        if SIGNATURE_V3 in request.headers:
            self._verify_v3(request, now)
        else:
            self._verify_older(request)
        check_content(request.headers, {JSON})

    def _verify_v3(self, request: SignedRequest, now: int) -> None:
        timestamp = request.headers.get(TIMESTAMP, "").strip()
        if _TIMESTAMP.fullmatch(timestamp) is None:
            msg = f"{TIMESTAMP}: is missing or not in whole milliseconds"
            raise SignatureError(msg)
        if abs(now - int(timestamp) * 1000) > TOLERANCE:
            msg = f"{TIMESTAMP}: is more than 5 minutes away from now"
            raise SignatureError(msg)
        expected = [
            sign_v3(secret, method=request.method, url=request.url, body=request.body, timestamp=timestamp)
            for secret in self._secrets
        ]
        _check(SIGNATURE_V3, request.headers[SIGNATURE_V3], expected)

    def _verify_older(self, request: SignedRequest) -> None:
        if SIGNATURE not in request.headers:
            msg = f"{SIGNATURE_V3}: is missing"
            raise SignatureError(msg)
        version = request.headers.get(VERSION, "").strip().lower()
        if version == "v1":
            expected = [sign_v1(secret, body=request.body) for secret in self._secrets]
        elif version == "v2":
            expected = [
                sign_v2(secret, method=request.method, url=request.url, body=request.body) for secret in self._secrets
            ]
        else:
            msg = f"{VERSION}: must be v1 or v2 where there is no {SIGNATURE_V3}"
            raise SignatureError(msg)
        _check(SIGNATURE, request.headers[SIGNATURE], expected)

    def parse(self, delivery: Delivery) -> Parsed:
        """Every event of the delivery: an array of them, or one alone."""
        parsed = Parsed()
        try:
            body = orjson.loads(delivery.body)
        except orjson.JSONDecodeError as error:  # its message may quote what it read
            parsed.refuse("not_json", f"body: is not JSON (line {error.lineno}, column {error.colno})")
            return parsed
        events = body if isinstance(body, list) else [body]
        if len(events) > MAX_EVENTS:
            parsed.refuse("bad_shape", f"body: holds more than {MAX_EVENTS} events")
            return parsed
        for index, event in enumerate(events):
            self._read(event, index, delivery.received_at, parsed)
        return parsed

    def _read(self, event: Any, index: int, received_at: int, parsed: Parsed) -> None:
        try:
            if not isinstance(event, dict):
                msg = "event: must be an object"
                raise _ShapeError(msg)
            target, action = _subject(event)
            at = _occurred_at(event)
            if runs_ahead(at, received_at):
                parsed.refuse("clock_ahead", "occurredAt: is more than 24 h ahead of its delivery", index)
                return
            changes = [
                read_change(
                    kind=statement.kind,
                    record_id=statement.record_id,
                    changed_at=at - statement.yields,
                    raw=statement.fields,
                    received_at=received_at,
                    namespace=self._namespace,
                    deleted=statement.deleted,
                )[0]
                for statement in _STATEMENTS[action](event, target, at, parsed)
            ]
        except _LeftOutError as left_out:
            parsed.ignore(left_out.reason)
        except _ShapeError as error:
            parsed.refuse("bad_shape", str(error), index)
        except FieldError as error:
            # The fields are ours, the reader of a dead letter knows HubSpot's property.
            name = event.get("propertyName")
            parsed.refuse("bad_field", f"{name}: {error.problem}" if isinstance(name, str) else str(error), index)
        else:
            for change in changes:
                parsed.accept(change, index, field="occurredAt")


def _check(header: str, given: str, expected: Sequence[str]) -> None:
    fits = False
    for signature in expected:  # no early exit: the time taken must not tell which secret is in use
        fits |= hmac.compare_digest(_bytes(given.strip()), signature.encode())
    if not fits:
        msg = f"{header}: fits no secret of this connection"
        raise SignatureError(msg)


# --- Events -----------------------------------------------------------------------------------------------------------


def _subject(event: Mapping[str, Any]) -> tuple[_Object | None, str]:
    """Find the kind of object an event speaks of, and what happened. None: an association names both ends itself."""
    # HubSpot's test button sends these; no account has such an event and object.
    if event.get("eventId") in (1, 100) and event.get("objectId") == 123:
        reason = "test_event"
        raise _LeftOutError(reason)
    name = event.get("subscriptionType", event.get("eventType"))
    if not isinstance(name, str) or not name:
        msg = "subscriptionType: is missing or not text"
        raise _ShapeError(msg)
    subject, _, action = name.partition(".")
    if action not in _STATEMENTS:
        raise _LeftOutError(_UNKNOWN_TYPE)
    if action == "associationChange":
        if subject not in {"object", *_CLASSIC}:
            raise _LeftOutError(_UNKNOWN_TYPE)
        return None, action
    if subject == "object":
        type_id = event.get("objectTypeId")
        if not isinstance(type_id, str) or not type_id:
            msg = "objectTypeId: is missing or not text"
            raise _ShapeError(msg)
        target = _BY_TYPE_ID.get(type_id)
    else:
        target = _CLASSIC.get(subject)
    if target is None:
        raise _LeftOutError(_UNKNOWN_TYPE)
    return target, action


def _occurred_at(event: Mapping[str, Any]) -> int:
    value = event.get("occurredAt")
    if isinstance(value, bool) or not isinstance(value, int):
        msg = "occurredAt: is missing or not in milliseconds"
        raise _ShapeError(msg)
    try:
        return checked(value * 1000)
    except ValueError as error:
        msg = f"occurredAt: {error}"
        raise _ShapeError(msg) from None


def _object_id(value: Any, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or not re.fullmatch(r"[0-9]{1,20}", str(value)):
        msg = f"{name}: is missing or not an id"
        raise _ShapeError(msg)
    return str(value)


def _own_id(event: Mapping[str, Any], target: _Object) -> str:
    return target.prefix + _object_id(event.get("objectId"), "objectId")


_UNKNOWN_TYPE = "unknown_type"
_Statements = Callable[[Mapping[str, Any], Any, int, Parsed], Iterator[_Statement]]


def _creation(event: Mapping[str, Any], target: _Object, at: int, _parsed: Parsed) -> Iterator[_Statement]:
    fields = {} if target.created is None else {target.created: format_instant(at)}
    yield _Statement(target.kind, _own_id(event, target), fields, yields=_INFERRED_YIELDS)


def _deletion(event: Mapping[str, Any], target: _Object, _at: int, _parsed: Parsed) -> Iterator[_Statement]:
    yield _Statement(target.kind, _own_id(event, target), deleted=True)


def _restore(event: Mapping[str, Any], target: _Object, _at: int, _parsed: Parsed) -> Iterator[_Statement]:
    yield _Statement(target.kind, _own_id(event, target), deleted=False)


def _property_change(event: Mapping[str, Any], target: _Object, at: int, parsed: Parsed) -> Iterator[_Statement]:
    own_id = _own_id(event, target)
    name = event.get("propertyName")
    if not isinstance(name, str) or not name:
        msg = "propertyName: is missing or not text"
        raise _ShapeError(msg)
    reading = target.properties.get(name)
    if reading is None:
        reason = "unknown_field"
        raise _LeftOutError(reason)
    if event.get("isSensitive") is True or event.get("propertyValue") == "REDACTED":
        reason = "redacted"
        raise _LeftOutError(reason)
    if "propertyValue" not in event:
        msg = "propertyValue: is missing"
        raise _ShapeError(msg)
    try:
        facts = reading(_property_text(event["propertyValue"]), at)
    except ValueError as error:
        raise FieldError(field=name, problem=str(error)) from None
    if facts.unmapped:
        parsed.ignore("unmapped_value")
    if facts.said:
        yield _Statement(target.kind, own_id, facts.said)
    if facts.inferred:
        yield _Statement(target.kind, own_id, facts.inferred, yields=_INFERRED_YIELDS)


def _property_text(value: Any) -> str | None:
    """HubSpot sends text; numbers and claims are taken as they would be written. Empty: cleared."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str | int | float):
        return None if value is None else str(value).strip() or None
    msg = "must be text"
    raise ValueError(msg)


def _merge(event: Mapping[str, Any], target: _Object, _at: int, _parsed: Parsed) -> Iterator[_Statement]:
    """Losers of a merge point to the record that stays; deals, which have no such pointer, are gone.

    A merge may make a new record: then the former primary one is a loser too.
    """
    if target.kind not in {"lead", "deal"}:
        raise _LeftOutError(_UNKNOWN_TYPE)
    merged = event.get("mergedObjectIds")
    if not isinstance(merged, list):
        msg = "mergedObjectIds: must be an array of ids"
        raise _ShapeError(msg)
    primary = event.get("primaryObjectId")
    if primary is None:
        primary = event.get("objectId")
    primary_id = _object_id(primary, "primaryObjectId")
    new = event.get("newObjectId")
    stays = primary_id if new is None else _object_id(new, "newObjectId")
    losers = dict.fromkeys([*(_object_id(loser, "mergedObjectIds") for loser in merged), primary_id])
    for loser in losers:
        if loser == stays:
            continue
        if target.kind == "lead":
            yield _Statement("lead", target.prefix + loser, {"merged_into": target.prefix + stays})
        else:
            yield _Statement(target.kind, target.prefix + loser, deleted=True)


def _association_change(event: Mapping[str, Any], _target: None, _at: int, _parsed: Parsed) -> Iterator[_Statement]:
    """Both sides of an association send an event; both say the same of the same record, so one is a repetition."""
    ends = _ends(event)
    if ends is None:
        raise _LeftOutError(_UNKNOWN_TYPE)
    removed = event.get("associationRemoved")
    if removed is not None and not isinstance(removed, bool):
        msg = "associationRemoved: must be true or false"
        raise _ShapeError(msg)
    ids = [
        end.prefix + _object_id(event.get(name), name)
        for end, name in zip(ends, ("fromObjectId", "toObjectId"), strict=True)
    ]
    holds = False
    for holder, other in ((0, 1), (1, 0)):
        kind, pointer = ends[holder].kind, ends[other].kind
        if pointer in FIELDS[kind]:  # `lead` and `deal` are names of fields that point to such a record
            holds = True
            value = None if removed else ids[other]
            yield _Statement(kind, ids[holder], {pointer: value}, yields=_REMOVAL_YIELDS if removed else 0)
    if not holds:
        raise _LeftOutError(_UNKNOWN_TYPE)


def _ends(event: Mapping[str, Any]) -> tuple[_Object, _Object] | None:
    from_type, to_type = event.get("fromObjectTypeId"), event.get("toObjectTypeId")
    if isinstance(from_type, str) and isinstance(to_type, str):
        return _both(_BY_TYPE_ID.get(from_type), _BY_TYPE_ID.get(to_type))
    name = event.get("associationType")
    if not isinstance(name, str) or not name:
        msg = "associationType: is missing or not text"
        raise _ShapeError(msg)
    from_name, _, to_name = name.upper().partition("_TO_")
    return _both(_IN_ASSOCIATIONS.get(from_name), _IN_ASSOCIATIONS.get(to_name))


def _both(one: _Object | None, other: _Object | None) -> tuple[_Object, _Object] | None:
    return None if one is None or other is None else (one, other)


_STATEMENTS: Mapping[str, _Statements] = {
    "creation": _creation,
    "deletion": _deletion,
    "privacyDeletion": _deletion,
    "restore": _restore,
    "propertyChange": _property_change,
    "merge": _merge,
    "associationChange": _association_change,
}


def build_hubspot(config: Connection) -> HubSpot:
    """Make the connector of a `hubspot` connection. Raises SecretError."""
    secrets = [secret.get_secret_value().strip().encode() for secret in config.secrets]
    for index, secret in enumerate(secrets):
        # An empty secret verifies against an empty key, which anyone can forge.
        if len(secret) < MIN_SECRET:
            raise SecretError(setting=f"secrets[{index}]", problem=f"must have at least {MIN_SECRET} characters")
    return HubSpot(secrets=secrets, namespace=config.namespace)
