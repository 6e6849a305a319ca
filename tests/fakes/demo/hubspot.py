"""The floor's events as work in a HubSpot account: what people would do there, and the webhooks that tell of it."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import httpx

from schemas.instants import parse_instant
from tests.fakes.hubspot import FakeHubSpot, Owner, batches

CONNECTION = "hub"
SECRET = "a-secret-of-the-demo"  # noqa: S105 - of a fake
TOKEN = "pat-demo-1"  # noqa: S105
PUBLIC_URL = "https://floor.example.com"
LOST, REPEATED = 0.03, 0.10
"""Shares of webhooks that never come, and that come twice."""
_DISPOSITIONS = {
    "connected": "f240bbac-87c9-4f6e-bf70-924b57d47db7", "no_answer": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "voicemail": "b2cf5968-551e-4856-9783-52b3da59a7d0", "busy": "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "wrong_number": "17b47fee-58de-441e-a44c-c6300d46f273",
}  # fmt: skip
_STAGES = {
    "discovery": "appointmentscheduled", "demo": "qualifiedtobuy", "proposal": "presentationscheduled",
    "negotiation": "contractsent", "won": "closedwon", "lost": "closedlost",
}  # fmt: skip
_PIPELINE = {
    "appointmentscheduled": ("false", "0.2"), "qualifiedtobuy": ("false", "0.4"),
    "presentationscheduled": ("false", "0.6"), "contractsent": ("false", "0.9"), "closedwon": ("true", "1.0"),
    "closedlost": ("true", "0.0"),
}  # fmt: skip
_OUTCOMES = {"scheduled": "SCHEDULED", "held": "COMPLETED", "no_show": "NO_SHOW", "cancelled": "CANCELED"}
_STATUSES = {
    "new": {"lifecyclestage": "lead"},
    "qualified": {"lifecyclestage": "salesqualifiedlead"},
    "converted": {"lifecyclestage": "opportunity"},
    "customer": {"lifecyclestage": "customer"},
    "disqualified": {"hs_lead_status": "UNQUALIFIED"},
}
_KINDS = {"new": "newbusiness", "expansion": "existingbusiness", "cross_sell": "existingbusiness"}
_OBJECTS = {"lead": "contacts", "call": "calls", "email": "emails", "meeting": "meetings", "deal": "deals"}


class HubSpotFloor:
    """One account. `does` gives the events that webhooks tell of it."""

    def __init__(self, crm: FakeHubSpot) -> None:
        self._crm = crm
        self._ids: dict[tuple[str, str], str] = {}
        self._talk: dict[str, dict[str, int]] = {}

    def does(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What an event of the floor is in HubSpot; nothing for what HubSpot does not know."""
        kind, id, fields = str(event["record"]), str(event["id"]), dict(event["fields"])
        at = parse_instant(str(event["changed_at"])) // 1000
        if kind == "rep":
            self._hire(id, fields, at)
            return []
        if kind not in _OBJECTS:
            return []
        object = _OBJECTS[kind]
        known = self._ids.get((kind, id))
        if event.get("deleted") is not None:
            return [] if known is None else self._delete(object, known, is_deleted=bool(event["deleted"]))
        properties = _PROPERTIES[kind](self, id, fields)
        if known is None:
            known, told = self._crm.create(object, properties, at)
            self._ids[kind, id] = known
        else:
            at = max(at, self._crm.things[object][known].modified[-1])
            told = self._crm.set(object, known, properties, at)
        return told + self._point(kind, object, known, fields)

    def _hire(self, id: str, fields: Mapping[str, Any], at: int) -> None:
        owner = self._ids.setdefault(("rep", id), str(900 + len(self._ids)))
        first, _, last = str(fields.get("name", id)).partition(" ")
        self._crm.owners[owner] = Owner(
            owner, int(owner) * 10, first, last, str(fields.get("email", "")), fields.get("team"), at
        )

    def _delete(self, object: str, known: str, *, is_deleted: bool) -> list[dict[str, Any]]:
        thing = self._crm.things[object][known]
        if is_deleted == (thing.archived_at is not None):
            return []
        return self._crm.archive(object, known) if is_deleted else self._crm.restore(object, known)

    def _point(self, kind: str, object: str, known: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
        if kind == "lead":
            winner = self._ids.get(("lead", str(fields.get("merged_into"))))
            is_there = winner is not None and self._crm.things["contacts"][winner].merged_into is None
            return self._crm.merge("contacts", winner, known) if winner and is_there and winner != known else []
        told = []
        for lead in dict.fromkeys([fields.get("lead"), *(fields.get("contacts") or [])]):
            contact = self._ids.get(("lead", str(lead)))
            if contact is not None:
                told += self._crm.associate(object, known, "contacts", contact)
        return told

    def _owner(self, fields: Mapping[str, Any]) -> dict[str, str]:
        return {"hubspot_owner_id": self._ids.get(("rep", str(fields["rep"])), "")} if "rep" in fields else {}

    def _lead(self, _id: str, fields: Mapping[str, Any]) -> dict[str, str]:
        found = self._owner(fields) | _STATUSES.get(str(fields.get("status")), {})
        return found | _texts(fields, source="hs_analytics_source", received_at="createdate")

    def _call(self, id: str, fields: Mapping[str, Any]) -> dict[str, str]:
        talk = self._talk.setdefault(id, {})
        talk |= {name: parse_instant(str(fields[name])) for name in ("answered_at", "ended_at") if fields.get(name)}
        found = self._owner(fields) | _texts(fields, dialed_at="hs_timestamp")
        if fields.get("direction"):
            found["hs_call_direction"] = str(fields["direction"]).upper()
        if fields.get("outcome") in _DISPOSITIONS:
            found["hs_call_disposition"] = _DISPOSITIONS[str(fields["outcome"])]
        if fields.get("outcome") == "failed":
            found["hs_call_status"] = "FAILED"
        if len(talk) == 2:
            found["hs_call_duration"] = str(max(0, talk["ended_at"] - talk["answered_at"]) // 1000)
            found.setdefault("hs_call_disposition", _DISPOSITIONS["connected"])
        if fields.get("talk_seconds") is not None:
            found["hs_call_duration"] = str(int(fields["talk_seconds"]) * 1000)
        return found

    def _email(self, _id: str, fields: Mapping[str, Any]) -> dict[str, str]:
        found = self._owner(fields) | _texts(fields, sent_at="hs_timestamp", thread="hs_email_thread_id")
        if fields.get("direction"):
            found["hs_email_direction"] = "EMAIL" if fields["direction"] == "outbound" else "INCOMING_EMAIL"
            found["hs_email_status"] = "SENT"
        if fields.get("automated"):
            found["hs_sequence_id"] = "12"
        return found

    def _meeting(self, _id: str, fields: Mapping[str, Any]) -> dict[str, str]:
        found = self._owner(fields) | _texts(
            fields, starts_at="hs_meeting_start_time", ends_at="hs_meeting_end_time", kind="hs_activity_type"
        )
        if fields.get("outcome") in _OUTCOMES:
            found["hs_meeting_outcome"] = _OUTCOMES[str(fields["outcome"])]
        return found

    def _deal(self, _id: str, fields: Mapping[str, Any]) -> dict[str, str]:
        found = self._owner(fields) | _texts(
            fields, amount="amount", currency="deal_currency_code", created_at="createdate", closed_at="closedate"
        )
        if fields.get("stage") in _STAGES:
            found |= {"dealstage": _STAGES[str(fields["stage"])], "pipeline": "default"}
        if fields.get("kind") in _KINDS:
            found["dealtype"] = _KINDS[str(fields["kind"])]
        return found


_PROPERTIES = {
    "lead": HubSpotFloor._lead, "call": HubSpotFloor._call, "email": HubSpotFloor._email,
    "meeting": HubSpotFloor._meeting, "deal": HubSpotFloor._deal,
}  # fmt: skip


def _texts(fields: Mapping[str, Any], **names: str) -> dict[str, str]:
    return {there: str(fields[here]) for here, there in names.items() if fields.get(here) is not None}


class HubSpotDemo:
    """The account of the demo, with what `floorcast.yaml` says of it and the way of its webhooks."""

    name = "HubSpot"

    def __init__(self, seed: int) -> None:
        self._crm = FakeHubSpot(time.time, takes=TOKEN, stages=_PIPELINE, index_lag=5.0)
        self._floor = HubSpotFloor(self._crm)
        self._random = Random(seed)
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The API, as long as it is open."""
        with self._crm.serving() as self.url:
            yield

    def connection(self) -> dict[str, Any]:
        """What stands under `connections`."""
        return {
            CONNECTION: {
                "kind": "hubspot", "secrets": [SECRET], "public_url": PUBLIC_URL,
                "api": {"token": TOKEN, "url": self.url}, "reconcile": {"every": "1m"},
            }
        }  # fmt: skip

    def happened(self, event: Mapping[str, Any]) -> None:
        """Something of before: nobody was told."""
        with self._crm.lock:
            self._floor.does(event)

    def happens(self, event: Mapping[str, Any], floorcast: str) -> None:
        """Something happens now: the account tells of it, as reliably as the vendor's does."""
        with self._crm.lock:
            told = self._floor.does(event)
        for body in batches(told):
            if self._random.random() < LOST:
                continue
            for _ in range(2 if self._random.random() < REPEATED else 1):
                self._post(floorcast, body)

    def _post(self, floorcast: str, body: bytes) -> None:
        path, at = f"/webhooks/{CONNECTION}", str(round(time.time() * 1000))
        signed = f"POST{PUBLIC_URL}{path}".encode() + body + at.encode()
        signature = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        headers = {
            "content-type": "application/json", "x-hubspot-request-timestamp": at, "x-hubspot-signature-v3": signature,
        }  # fmt: skip
        url = f"{floorcast}{path}"
        with suppress(httpx.TransportError):  # nobody there to hear it: reconciliation brings it
            answer = httpx.post(url, content=body, headers=headers, timeout=10, trust_env=False)
            if not answer.is_server_error:
                answer.raise_for_status()
