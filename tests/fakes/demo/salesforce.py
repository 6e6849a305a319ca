"""The floor's events as work in an organisation of Salesforce: its records, and the change events that tell of them."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from schemas.connectors.salesforce.ids import whole_id
from schemas.instants import SECOND, parse_instant
from tests.fakes.salesforce import CLIENT, FIELDS, FakeSalesforce, iso
from tests.fakes.salesforce_events import HEADER_SCHEMA, FakeEvents

CONNECTION = "sf"
ORGANIZATION = "00D5g000004XYZaEAO"
CHANNEL = "/data/ChangeEvents"
_ENTITIES = {
    "rep": ("User", "005"), "lead": ("Lead", "00Q"), "call": ("Task", "00T"), "email": ("EmailMessage", "02s"),
    "meeting": ("Event", "00U"), "deal": ("Opportunity", "006"),
}  # fmt: skip
_FIELDS = {
    "User": ("Username", "Name", "Email", "IsActive", "LastModifiedDate"),
    "Lead": ("OwnerId", "Name", "Company", "LeadSource", "CreatedDate", "Status", "IsConverted", "MasterRecordId",
             "LastModifiedDate"),
    "Task": ("TaskSubtype", "OwnerId", "WhoId", "WhatId", "CallType", "CallDisposition", "CallDurationInSeconds",
             "CompletedDateTime", "Status", "IsClosed", "CreatedDate", "CreatedById", "LastModifiedDate"),
    "EmailMessage": ("RelatedToId", "Incoming", "MessageDate", "ThreadIdentifier", "Status", "CreatedDate",
                     "CreatedById", "LastModifiedDate"),
    "Event": ("OwnerId", "CreatedById", "WhoId", "WhatId", "Type", "CreatedDate", "StartDateTime", "EndDateTime",
              "IsChild", "LastModifiedDate"),
    "Opportunity": ("OwnerId", "CreatedById", "Name", "StageName", "LastStageChangeDate", "CreatedDate", "Amount",
                    "CurrencyIsoCode", "Type", "IsClosed", "IsWon", "LastModifiedDate"),
}  # fmt: skip
_STAGES = {
    "discovery": "Qualification", "demo": "Needs Analysis", "proposal": "Proposal/Price Quote",
    "negotiation": "Negotiation/Review", "won": "Closed Won", "lost": "Closed Lost",
}  # fmt: skip
_DISPOSITIONS = {
    "connected": "Connected", "no_answer": "No Answer", "voicemail": "Voicemail", "busy": "Busy",
    "wrong_number": "Wrong Number", "failed": "Failed",
}  # fmt: skip
_STATUSES = {
    "new": "Open - Not Contacted", "qualified": "Qualified", "disqualified": "Unqualified",
    "converted": "Closed - Converted",
}  # fmt: skip
_TYPES = {"new": "New Customer", "expansion": "Existing Customer - Upgrade", "renewal": "Renewal"}


class SalesforceFloor:
    """One organisation. `does` gives the payload of the event that tells of it; None: Salesforce has nothing of it."""

    def __init__(self, crm: FakeSalesforce) -> None:
        self._crm = crm
        self._there: dict[tuple[str, str], dict[str, Any]] = {}
        """Record -> its members."""
        self._calls: dict[str, dict[str, Any]] = {}
        self._commits = 0

    def does(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        kind, id, fields = str(event["record"]), str(event["id"]), dict(event["fields"])
        if kind not in _ENTITIES:
            return None
        entity, _ = _ENTITIES[kind]
        at = parse_instant(str(event["changed_at"])) // 1000
        known = self._there.get((kind, id))
        if event.get("deleted") is not None:
            type = "DELETE" if event["deleted"] else "UNDELETE"
            if known is None:
                return None
            if event["deleted"]:
                self._crm.delete(entity, _id(kind, id), at // 1000)
            else:
                self._keep(entity, _id(kind, id), known, at)
            return self._payload(entity, type, _id(kind, id), at, {} if event["deleted"] else known)
        members = _MEMBERS[kind](self, id, fields, at)
        if members is None:
            return None
        if known is None:
            self._there[kind, id] = members
            self._keep(entity, _id(kind, id), members, at)
            return self._payload(entity, "CREATE", _id(kind, id), at, members)
        changed = {name: value for name, value in members.items() if known.get(name) != value}
        known |= changed
        self._keep(entity, _id(kind, id), known, at)
        update = changed | {"LastModifiedDate": at}
        return self._payload(entity, "UPDATE", _id(kind, id), at, update) if changed else None

    def _keep(self, entity: str, id: str, members: Mapping[str, Any], at: int) -> None:
        """As the API has it: instants are texts, and a name is one."""
        fields = {name: _written(name, value) for name, value in members.items() if name in FIELDS[entity]}
        self._crm.keep(entity, id, fields, at // 1000, members.get("CreatedDate", at) // 1000)
        if entity == "EmailMessage" and (lead := members.get("RelatedToId")):
            relation = {"EmailMessageId": id, "RelationId": lead, "RelationObjectType": "Lead"}
            if relation not in self._crm.relations:
                self._crm.relations.append(relation)

    def _payload(self, entity: str, type: str, id: str, at: int, members: Mapping[str, Any]) -> dict[str, Any]:
        self._commits += 1
        order = ("ChangeEventHeader", *_FIELDS[entity])
        named = {"changedFields": list(members), "nulledFields": [n for n, value in members.items() if value is None]}
        bits = {
            name: [f"0x{sum(1 << order.index(member) for member in of):x}"] if of and type == "UPDATE" else []
            for name, of in named.items()
        }
        header = {
            "entityName": entity, "recordIds": [id], "changeType": type, "changeOrigin": "", "transactionKey":
            f"{self._commits:036d}", "sequenceNumber": 1, "commitTimestamp": at, "commitNumber": self._commits,
            "commitUser": "0055f000005mc66AAA", "diffFields": [], **bits,
        }  # fmt: skip
        return {"ChangeEventHeader": header} | {name: members.get(name) for name in _FIELDS[entity]}

    def _user(self, _id: str, fields: Mapping[str, Any], _at: int) -> dict[str, Any]:
        first, _, last = str(fields.get("name", "")).partition(" ")
        found: dict[str, Any] = {"IsActive": fields.get("active", True)}
        if first:
            found["Name"] = {"Salutation": None, "FirstName": first, "LastName": last or first}
        return found | _given(fields, email="Email")

    def _lead(self, _id_: str, fields: Mapping[str, Any], at: int) -> dict[str, Any]:
        found = _given(fields, company="Company", source="LeadSource") | _instants(fields, received_at="CreatedDate")
        if fields.get("name"):
            first, _, last = str(fields["name"]).partition(" ")
            found["Name"] = {"Salutation": None, "FirstName": first, "LastName": last or first}
        if fields.get("status") in _STATUSES:
            found |= {"Status": _STATUSES[str(fields["status"])], "IsConverted": fields["status"] == "converted"}
        if "merged_into" in fields:
            found["MasterRecordId"] = None if fields["merged_into"] is None else _id("lead", str(fields["merged_into"]))
        return found | self._owner(fields)

    def _task(self, id: str, fields: Mapping[str, Any], at: int) -> dict[str, Any] | None:
        """A call is logged when it is over."""
        call = self._calls.setdefault(id, {})
        call |= fields
        if not (call.get("outcome") or call.get("ended_at")) or not call.get("dialed_at"):
            return None
        talk = call.get("talk_seconds")
        if talk is None and call.get("answered_at") and call.get("ended_at"):
            talk = max(0, parse_instant(str(call["ended_at"])) - parse_instant(str(call["answered_at"]))) // SECOND
        outcome = call.get("outcome") or ("connected" if talk else "no_answer")
        completed = parse_instant(str(call["dialed_at"])) // 1000 + 1000 * int(talk or 0)
        return {
            "TaskSubtype": "Call", "CallType": "Internal" if call.get("internal") else str(call["direction"]).title(),
            "CallDisposition": _DISPOSITIONS[str(outcome)], "CallDurationInSeconds": int(talk or 0),
            "CompletedDateTime": completed, "Status": "Completed", "IsClosed": True,
            "CreatedDate": self._there.get(("call", id), {}).get("CreatedDate", at),
            "WhoId": None if call.get("lead") is None else _id("lead", str(call["lead"])),
        } | self._owner(call)  # fmt: skip

    def _mail(self, _id_: str, fields: Mapping[str, Any], at: int) -> dict[str, Any]:
        found = _given(fields, thread="ThreadIdentifier") | _instants(fields, sent_at="MessageDate")
        if fields.get("direction"):
            found |= {"Incoming": fields["direction"] == "inbound", "Status": "3", "CreatedDate": at}
        if "lead" in fields:
            found["RelatedToId"] = None if fields["lead"] is None else _id("lead", str(fields["lead"]))
        if fields.get("rep"):
            found["CreatedById"] = _id("rep", str(fields["rep"]))
        return found

    def _event(self, _id_: str, fields: Mapping[str, Any], at: int) -> dict[str, Any]:
        found = _given(fields, kind="Type") | self._owner(fields)
        found |= _instants(fields, booked_at="CreatedDate", starts_at="StartDateTime", ends_at="EndDateTime")
        if fields.get("lead"):
            found["WhoId"] = _id("lead", str(fields["lead"]))
        booker = fields.get("booked_by") or fields.get("rep")
        return found | ({"CreatedById": _id("rep", str(booker)), "IsChild": False} if booker else {})

    def _opportunity(self, id: str, fields: Mapping[str, Any], at: int) -> dict[str, Any]:
        found = _given(fields, currency="CurrencyIsoCode", name="Name") | _instants(fields, created_at="CreatedDate")
        if fields.get("amount") is not None:
            found["Amount"] = float(fields["amount"])
        if fields.get("stage") in _STAGES:
            stage = str(fields["stage"])
            found |= {
                "StageName": _STAGES[stage], "IsClosed": stage in ("won", "lost"), "IsWon": stage == "won",
                "LastStageChangeDate": at,
            }  # fmt: skip
        if fields.get("kind") in _TYPES:
            found["Type"] = _TYPES[str(fields["kind"])]
        if fields.get("creator"):
            found["CreatedById"] = _id("rep", str(fields["creator"]))
        return found | self._owner(fields)

    def _owner(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {"OwnerId": _id("rep", str(fields["rep"]))} if fields.get("rep") else {}


_MEMBERS = {
    "rep": SalesforceFloor._user, "lead": SalesforceFloor._lead, "call": SalesforceFloor._task,
    "email": SalesforceFloor._mail, "meeting": SalesforceFloor._event, "deal": SalesforceFloor._opportunity,
}  # fmt: skip


def _id(kind: str, id: str) -> str:
    """An id of 18 characters; the same for the same record."""
    number = int.from_bytes(hashlib.blake2b(id.encode(), digest_size=5).digest())
    found = whole_id(f"{_ENTITIES[kind][1]}{number % 10**12:012d}")
    if found is None:
        raise ValueError(id)
    return found


def _written(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return " ".join(part for part in value.values() if part)
    return iso(value // 1000) if isinstance(value, int) and name.endswith(("Date", "DateTime")) else value


def _given(fields: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {there: str(fields[here]) for here, there in names.items() if fields.get(here) is not None}


def _instants(fields: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {
        there: parse_instant(str(fields[here])) // 1000 for here, there in names.items() if fields.get(here) is not None
    }


def _schema(entity: str) -> dict[str, Any]:
    """The schema of an object's events: always the same, whatever a record has."""
    fields: list[dict[str, Any]] = [{"name": "ChangeEventHeader", "type": HEADER_SCHEMA}]
    fields += [{"name": name, "type": ["null", _type(entity, name)]} for name in _FIELDS[entity]]
    return {"type": "record", "name": f"{entity}ChangeEvent", "namespace": "com.sforce.eventbus", "fields": fields}


def _type(entity: str, name: str) -> Any:
    if name == "Name" and entity in ("Lead", "User"):
        parts = [{"name": part, "type": ["null", "string"]} for part in ("Salutation", "FirstName", "LastName")]
        return {"type": "record", "name": "Switchable_PersonName", "fields": parts}
    if name.startswith("Is") or name == "Incoming":
        return "boolean"
    if name.endswith(("Date", "DateTime")):
        return "long"
    return {"Amount": "double", "CallDurationInSeconds": "int"}.get(name, "string")


SCHEMAS = {entity: _schema(entity) for entity in _FIELDS}


class SalesforceDemo:
    """The organisation of the demo, with what `floorcast.yaml` says of it."""

    name = "Salesforce"
    stages: Mapping[str, tuple[bool, bool]] = {
        stage: (key in ("won", "lost"), key == "won") for key, stage in _STAGES.items()
    }

    def __init__(self, seed: int) -> None:
        self._bus = FakeEvents(organization=ORGANIZATION, topics=(CHANNEL,), keepalive=60.0)
        self._crm = FakeSalesforce(time.time)
        self._crm.stages = self.stages
        tokens: Any = self._crm.sessions
        self._bus.tokens = tokens
        self._floor = SalesforceFloor(self._crm)
        self._endpoint = ""

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The API and the events, as long as it is open."""
        with self._crm.serving(), self._bus.serving() as self._endpoint:
            yield

    def connection(self) -> dict[str, Any]:
        """What stands under `connections`."""
        api = {"url": self._crm.url, **CLIENT}
        stream = {"topics": [CHANNEL], "endpoint": self._endpoint, "tls": False}
        return {
            CONNECTION: {
                "kind": "salesforce", "organization": ORGANIZATION, "secrets": ["a-word-of-the-demo-4711"], "api": api,
                "stream": stream,
            }
        }  # fmt: skip

    def happened(self, event: Mapping[str, Any]) -> None:
        """Something of before: the bus still has it."""
        with self._crm.lock:
            payload = self._floor.does(event)
        if payload is not None:
            self._bus.publish(CHANNEL, payload, schema=SCHEMAS[payload["ChangeEventHeader"]["entityName"]])

    def happens(self, event: Mapping[str, Any], _floorcast: str) -> None:
        """Something happens now."""
        self.happened(event)
