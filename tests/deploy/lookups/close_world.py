"""A floor over a fake Close, and what its database comes to by the contract, with no word of the connector."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from schemas.config import Config
from schemas.instants import SECOND
from schemas.records import RecordChange, make_change
from tests.builders import make_config
from tests.deploy.lookups.told import State
from tests.deploy.lookups.world import People, World
from tests.fakes.close import KEY, LEAD_STATUSES, STATUSES, FakeClose, Thing, bodies, iso, second_of

REPS = ("user_1", "user_2", "user_3")
DISPOSITIONS = {"answered": "connected", "no-answer": "no_answer", "vm-left": "voicemail", "busy": "busy"}
MEANINGS = {"Potential": "new", "Qualified": "qualified", "Bad Fit": "disqualified"}
TYPES = {"active": "open", "won": "won", "lost": "lost"}
PIPELINES = {"pipe_1": {"steps": ["stat_act", "stat_ver"], "won": ["stat_won"], "lost": ["stat_los"]}}
HELD = "outcome_held"


class CloseWorld(World):
    """One organisation of Close."""

    def make_crm(self) -> FakeClose:
        crm = FakeClose(self.clock.seconds)
        for id in REPS:
            crm.users.append(
                {
                    "id": id, "first_name": "Rep", "last_name": id, "email": f"{id}@example.com",
                    "date_updated": "2026-01-01T09:00:00.000000+00:00",
                }
            )  # fmt: skip
        return crm

    def config_of(self, url: str) -> Config:
        settings = {
            "kind": "close", "secrets": ["ab" * 32], "api": {"key": KEY, "url": url}, "outcomes": {HELD: "held"}
        }  # fmt: skip
        return make_config(connections={"hub": settings}, pipelines=PIPELINES)

    def people(self) -> People:
        return _People(self)

    def bodies(self, events: list[dict[str, Any]]) -> list[bytes]:
        return bodies(events)

    def about(self, body: bytes) -> set[str]:
        event = json.loads(body)["event"]
        if event["object_type"].endswith("_status_change"):
            of = event["object_type"].removeprefix("activity.").removesuffix("_status_change")
            return {str(event["data"][f"{of}_id"])}
        # Of a status only the event of its own tells.
        return set() if "status_id" in event["changed_fields"] else {str(event["object_id"])}

    def tells_all(self, id: str) -> bool:
        return id.startswith("acti")  # of others it does not tell the past

    def amend(self, id: str, state: State) -> None:
        pass

    def truth(self, now: int, only: Collection[str] | None = None) -> list[RecordChange]:
        found = [
            make_change(
                kind="rep", id=user["id"], changed_at=int(second_of(user["date_updated"])) * SECOND, received_at=now,
                fields={"name": f"Rep {user['id']}", "email": user["email"], "active": True},
            )
            for user in self.crm.users
            if only is None
        ]  # fmt: skip
        for things in self.crm.things.values():
            for thing in things.values():
                if only is not None and thing.id not in only:
                    continue
                for kind, at, fields in said(thing):
                    found.append(
                        make_change(kind=kind, id=thing.id, changed_at=at * SECOND, fields=fields, received_at=now)
                    )
        return found


def said(thing: Thing) -> Iterator[tuple[str, int, dict[str, Any]]]:
    data, at, made = thing.data, thing.updated, thing.created * SECOND
    kind = {"opportunity": "deal"}.get(thing.object, thing.object.removeprefix("activity."))
    common = {"rep": data.get("user_id"), "lead": data.get("lead_id")}
    match kind:
        case "lead":
            yield kind, at, {"received_at": made}
            for status, entered in _pasts(thing, "status_id"):
                yield kind, entered, {"status": MEANINGS[LEAD_STATUSES[status]]}
            if thing.merged_into is not None:
                yield kind, at, {"merged_into": thing.merged_into}
        case "deal":
            amount = None if data["value_period"] != "one_time" else str(Decimal(data["value"]) / 100)
            yield (
                kind,
                at,
                {
                    **common, "customer": data["lead_id"], "creator": data["created_by"], "pipeline": "pipe_1",
                    "created_at": made, "amount": amount, "currency": "USD",
                },
            )  # fmt: skip
            for status, entered in _pasts(thing, "status_id"):
                found = TYPES[STATUSES[status]]
                closed_at = None if found == "open" else entered * SECOND
                yield (
                    kind,
                    entered,
                    {"stage": status, "entered_stage_at": entered * SECOND, "status": found, "closed_at": closed_at},
                )
        case "call":
            yield (
                kind,
                at,
                {
                    **common, "direction": data["direction"], "dialed_at": int(second_of(data["activity_at"])) * SECOND,
                    "outcome": DISPOSITIONS[data["disposition"]], "talk_seconds": data["duration"] * SECOND,
                    "logged_at": made, "logged_by": data["created_by"],
                },
            )  # fmt: skip
        case "email":
            is_out = data["direction"] == "outgoing"
            counts = not is_out or data["status"] == "sent"
            yield (
                kind,
                at,
                {
                    **common, "contacts": [data["contact_id"]], "thread": data["thread_id"], "logged_at": made,
                    "direction": ("outbound" if is_out else "inbound") if counts else None,
                    "sent_at": int(second_of(data["date_sent"])) * SECOND if counts else None,
                    "automated": data["sequence_id"] is not None,
                },
            )  # fmt: skip
        case _:
            outcome = "cancelled" if data["status"] == "canceled" else "held" if data["outcome_id"] else "scheduled"
            yield (
                kind,
                at,
                {
                    **common, "booked_by": data["created_by"], "booked_at": made, "outcome": outcome,
                    "starts_at": int(second_of(data["starts_at"])) * SECOND,
                    "ends_at": int(second_of(data["ends_at"])) * SECOND,
                },
            )  # fmt: skip
    if thing.deleted_at is not None and thing.merged_into is None:
        yield kind, thing.deleted_at, {"deleted": True}


def _pasts(thing: Thing, name: str) -> Iterator[tuple[str, int]]:
    yield (thing.changes[0][f"old_{name}"] if thing.changes else thing.data[name]), thing.created
    for change in thing.changes:
        yield change[f"new_{name}"], int(second_of(change["date_created"]))


class _People(People):
    def does(self) -> Mapping[Callable[[], None], float]:
        return {
            self._lead: 3, self._call: 4, self._mail: 3, self._meeting: 2, self._deal: 2, self._status: 4,
            self._edit: 4, self._delete: 1, self._merge: 0.5,
        }  # fmt: skip

    def _any(self, object: str) -> str | None:
        return self._one_of(thing.id for thing in self._crm.things[object].values() if thing.deleted_at is None)

    def _rep(self) -> str:
        return self._random.choice(REPS)

    def _set_any(self, object: str, data: Mapping[str, Any]) -> None:
        self._set(object, self._any(object), data)

    def _make_about(self, object: str, data: Mapping[str, Any]) -> None:
        lead = self._any("lead")
        if lead is not None:
            more = {"user_id": self._rep(), "created_by": self._rep(), "lead_id": lead, "contact_id": "cont_1"}
            self._make(object, {**more, **data})

    def _ago(self) -> str:
        return iso(self._crm.now() - self._random.randrange(600))

    def _lead(self) -> None:
        data = {"name": "A lead", "display_name": "A lead", **_lead_status("stat_pot"), "custom": {}}
        self._make("lead", data)

    def _call(self) -> None:
        self._make_about(
            "activity.call",
            {
                "direction": self._random.choice(["outbound", "inbound"]), "activity_at": self._ago(),
                "disposition": self._random.choice([*DISPOSITIONS]), "duration": self._random.randrange(400),
                "outcome_id": None, "status": "completed",
            },
        )  # fmt: skip

    def _mail(self) -> None:
        direction = self._random.choice(["outgoing", "outgoing", "incoming"])
        self._make_about(
            "activity.email",
            {
                "direction": direction, "date_sent": self._ago(), "thread_id": f"acti_thr{self._random.randrange(20)}",
                "status": "inbox" if direction == "incoming" else self._random.choice(["sent", "sent", "draft"]),
                "sequence_id": "seq_1" if self._random.random() < 0.1 else None,
            },
        )  # fmt: skip

    def _meeting(self) -> None:
        starts = self._crm.now() + self._random.randrange(-7200, 7200)
        self._make_about(
            "activity.meeting",
            {
                "status": "upcoming", "starts_at": iso(starts), "ends_at": iso(starts + 1800), "attendees": [],
                "outcome_id": None,
            },
        )  # fmt: skip

    def _deal(self) -> None:
        self._make_about(
            "opportunity",
            {
                **_status("stat_act"), "value": self._random.randrange(1, 1000) * 10_000, "value_currency": "USD",
                "value_period": self._random.choice(["one_time", "one_time", "monthly"]), "pipeline_id": "pipe_1",
                "lead_name": "A lead",
            },
        )  # fmt: skip

    def _status(self) -> None:
        self._set_any("opportunity", _status(self._random.choice([*STATUSES])))

    def _edit(self) -> None:
        changes: list[Callable[[], None]] = [
            lambda: self._set_any("opportunity", {"value": self._random.randrange(1, 1000) * 5000}),
            lambda: self._set_any("opportunity", {"user_id": self._rep()}),
            lambda: self._set_any("lead", _lead_status(self._random.choice([*LEAD_STATUSES]))),
            lambda: self._set_any("activity.call", {"disposition": self._random.choice([*DISPOSITIONS])}),
            lambda: self._set_any("activity.call", {"user_id": self._rep()}),
            lambda: self._set_any("activity.meeting", {"outcome_id": HELD}),
            lambda: self._set_any("activity.meeting", {"status": "canceled"}),
        ]
        self._random.choice(changes)()

    def _delete(self) -> None:
        object = self._random.choice(["activity.call", "activity.email", "activity.meeting", "opportunity"])
        id = self._any(object)
        if id is not None:
            self._world.send(self._crm.delete(object, id))

    def _merge(self) -> None:
        stays, source = self._any("lead"), self._any("lead")
        if stays is not None and source is not None and stays != source:
            self._world.send(self._crm.merge(stays, source))


def _status(id: str) -> dict[str, Any]:
    return {"status_id": id, "status_label": id, "status_type": STATUSES[id]}


def _lead_status(id: str) -> dict[str, Any]:
    return {"status_id": id, "status_label": LEAD_STATUSES[id]}
