"""A floor over a fake Salesforce, and what its database comes to by the contract, with no word of the connector."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from schemas.config import Config
from schemas.instants import SECOND
from schemas.records import RecordChange, make_change
from tests.builders import make_config
from tests.deploy.lookups.told import State
from tests.deploy.lookups.world import People, World
from tests.fakes.salesforce import CLIENT, STAGES, FakeSalesforce, Row, bodies, iso, second_of

PIPELINES = {"sales": {"steps": ["Prospecting", "Verbal yes"], "won": ["Signed"], "lost": ["Gone"]}}
QUEUE = "00G5g0000000001EAA"
STATUSES = {"Open - Not Contacted": "new", "Qualified": "qualified", "Unqualified": "disqualified"}
DISPOSITIONS = {"Connected": "connected", "No Answer": "no_answer", "Left Voicemail": "voicemail"}
KINDS = {"Lead": "lead", "Opportunity": "deal", "Task": "call", "Event": "meeting", "EmailMessage": "email"}


class SalesforceWorld(World):
    """One organisation of Salesforce."""

    reps: list[str]

    def make_crm(self) -> FakeSalesforce:
        crm = FakeSalesforce(self.clock.seconds)
        self.reps = []
        for place in range(3):
            id, _ = crm.create(
                "User", {"Name": f"Rep {place}", "Email": f"r{place}@example.com", "IsActive": place != 2}
            )
            crm.rows["User"][id].modified = second_of("2026-01-01T09:00:00Z")
            self.reps.append(id)
        return crm

    def config_of(self, url: str) -> Config:
        return make_config(connections={"hub": settings_of(url)}, pipelines=PIPELINES)

    def people(self) -> People:
        return _People(self)

    def bodies(self, events: list[dict[str, Any]]) -> list[bytes]:
        return bodies(events)

    def about(self, body: bytes) -> set[str]:
        header = json.loads(body)["ChangeEventHeader"]
        return {str(id) for id in header["recordIds"]}

    def amend(self, id: str, state: State) -> None:
        pass

    def truth(self, now: int, only: Collection[str] | None = None) -> list[RecordChange]:
        users = self.crm.rows["User"].values()
        found = [
            make_change(
                kind="rep", id=row.id, changed_at=row.modified * SECOND, received_at=now,
                fields={
                    "name": row.fields["Name"], "email": row.fields["Email"], "active": row.fields["IsActive"],
                },
            )
            for row in users
            if only is None
        ]  # fmt: skip
        for object, kind in KINDS.items():
            for row in self.crm.rows[object].values():
                if only is not None and not {row.id, row.fields.get("ConvertedOpportunityId")} & set(only):
                    continue
                if deal := row.fields.get("ConvertedOpportunityId"):
                    found.append(
                        make_change(
                            kind="deal", id=deal, changed_at=row.modified * SECOND, fields={"lead": row.id},
                            received_at=now,
                        )
                    )  # fmt: skip
                for at, fields in said(self.crm, object, row, now):
                    found.append(make_change(kind=kind, id=row.id, changed_at=at, fields=fields, received_at=now))
        return found


def settings_of(url: str) -> dict[str, Any]:
    """What stands under `connections`."""
    return {
        "kind": "salesforce",
        "organization": "00D5g000004XYZa",
        "secrets": ["a-secret-of-the-path"],
        "api": {"url": url, **CLIENT},
    }


def said(crm: FakeSalesforce, object: str, row: Row, now: int) -> Iterator[tuple[int, dict[str, Any]]]:
    fields, at, made = row.fields, row.modified * SECOND, row.created * SECOND
    match object:
        case "Lead":
            yield from _lead(row)
        case "Opportunity":
            yield at, {"rep": fields["OwnerId"], "creator": fields["CreatedById"], "created_at": made, "kind": "new"}
            for entry in row.history:
                entered = second_of(entry["CreatedDate"]) * SECOND
                closed, won = STAGES[entry["StageName"]]
                yield entered, {"amount": str(entry["Amount"])}
                previous = row.history[row.history.index(entry) - 1] if entry is not row.history[0] else {}
                if previous.get("StageName") != entry["StageName"]:
                    yield (
                        entered,
                        {
                            "stage": entry["StageName"], "entered_stage_at": entered,
                            "status": "won" if won else "lost" if closed else "open",
                            "closed_at": entered if closed else None,
                        },
                    )  # fmt: skip
        case "Task":
            if fields["TaskSubtype"] != "Call":
                return
            ended, length = second_of(fields["CompletedDateTime"]), fields["CallDurationInSeconds"]
            yield (
                at,
                {
                    "rep": fields["OwnerId"], **_about(fields), "direction": fields["CallType"].lower(),
                    "internal": False, "dialed_at": (ended - length) * SECOND, "talk_seconds": length * SECOND,
                    "outcome": DISPOSITIONS[fields["CallDisposition"]], "logged_at": made,
                    "logged_by": fields["CreatedById"],
                },
            )  # fmt: skip
        case "Event":
            starts, ends = second_of(fields["StartDateTime"]) * SECOND, second_of(fields["EndDateTime"]) * SECOND
            common = {
                "rep": fields["OwnerId"], "booked_by": fields["CreatedById"], **_about(fields), "booked_at": made,
                "starts_at": starts, "ends_at": ends,
            }  # fmt: skip
            yield at, {**common, "outcome": "held" if ends <= at else "scheduled"}
            if at < ends <= now:
                yield ends, {"outcome": "held"}
        case _:
            task = crm.rows["Task"][fields["ActivityId"]].fields
            leads = sorted(each["RelationId"] for each in crm.relations if each["EmailMessageId"] == row.id)
            yield (
                at,
                {
                    "rep": task["OwnerId"], "lead": leads[0], "contacts": leads, "logged_at": made,
                    "direction": "inbound" if fields["Incoming"] else "outbound", "thread": fields["ThreadIdentifier"],
                    "sent_at": second_of(fields["MessageDate"]) * SECOND,
                },
            )  # fmt: skip
    if row.deleted_at is not None and fields.get("MasterRecordId") is None:
        yield row.deleted_at * SECOND, {"deleted": True}


def _lead(row: Row) -> Iterator[tuple[int, dict[str, Any]]]:
    fields, made = row.fields, row.created * SECOND
    first = {"Status": fields["Status"], "Owner": fields["OwnerId"]}
    rows = [entry for entry in row.history if not str(entry["NewValue"]).startswith("Name")]
    for entry in reversed(rows):
        if entry["Field"] in first:
            first[entry["Field"]] = entry["OldValue"]
    yield row.modified * SECOND, {"name": fields["Name"], "company": fields.get("Company")}
    yield made, {"received_at": made, "status": STATUSES[first["Status"]], **_owner(first["Owner"], made)}
    for entry in rows:
        at = second_of(entry["CreatedDate"]) * SECOND
        match entry["Field"]:
            case "Status":
                if not fields.get("IsConverted") or entry is not rows[-1]:
                    yield at, {"status": STATUSES[entry["NewValue"]]}
            case "Owner":
                yield at, _owner(entry["NewValue"], at)
            case _:
                yield at, {"status": "converted"}
    if fields.get("MasterRecordId"):
        yield row.modified * SECOND, {"merged_into": fields["MasterRecordId"]}


def _owner(id: str, at: int) -> dict[str, Any]:
    return {"rep": None, "assigned_at": None} if id == QUEUE else {"rep": id, "assigned_at": at}


def _about(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"lead": fields["WhoId"], "deal": fields["WhatId"]}


class _People(People):
    def __init__(self, world: SalesforceWorld) -> None:
        super().__init__(world)
        self._reps = world.reps

    def does(self) -> Mapping[Callable[[], None], float]:
        return {
            self._lead: 3, self._call: 4, self._mail: 3, self._event: 2, self._deal: 2, self._stage: 4, self._edit: 4,
            self._delete: 1, self._merge: 0.5, self._convert: 0.5,
        }  # fmt: skip

    def _any(self, object: str, **wanted: Any) -> str | None:
        return self._one_of(
            row.id
            for row in self._crm.rows[object].values()
            if row.deleted_at is None and all(row.fields.get(name) == value for name, value in wanted.items())
        )

    def _rep(self) -> str:
        return self._random.choice(self._reps)

    def _lead(self) -> None:
        owner = self._random.choice([*self._reps, QUEUE])
        fields = {"OwnerId": owner, "Name": "A lead", "Status": "Open - Not Contacted", "IsConverted": False}
        self._make("Lead", fields)

    def _about(self) -> dict[str, Any]:
        return {"WhoId": self._any("Lead"), "WhatId": self._any("Opportunity")}

    def _call(self) -> None:
        fields = {
            "OwnerId": self._rep(), "CreatedById": self._rep(), "TaskSubtype": "Call", "Status": "Completed",
            "IsClosed": True, "CallType": self._random.choice(["Outbound", "Inbound"]),
            "CallDisposition": self._random.choice([*DISPOSITIONS]),
            "CallDurationInSeconds": self._random.randrange(400),
            "CompletedDateTime": iso(self._crm.now() - self._random.randrange(600)), **self._about(),
        }  # fmt: skip
        self._make("Task", fields)

    def _mail(self) -> None:
        lead = self._any("Lead")
        if lead is None:
            return
        task, events = self._crm.create(
            "Task", {"OwnerId": self._rep(), "CreatedById": self._rep(), "TaskSubtype": "Email", "WhoId": lead}
        )
        fields = {
            "Incoming": self._random.random() < 0.3, "ThreadIdentifier": f"thread-{self._random.randrange(20)}",
            "MessageDate": iso(self._crm.now() - self._random.randrange(300)), "Status": "3", "ActivityId": task,
            "CreatedById": self._rep(),
        }  # fmt: skip
        mail, more = self._crm.create("EmailMessage", fields)
        for _ in range(self._random.choice([1, 1, 2])):
            each = {"EmailMessageId": mail, "RelationId": self._any("Lead"), "RelationObjectType": "Lead"}
            if each not in self._crm.relations:
                self._crm.relations.append(each)
        self._world.send([*events, *more])

    def _event(self) -> None:
        starts = self._crm.now() + self._random.randrange(-7200, 7200)
        fields = {
            "OwnerId": self._rep(), "CreatedById": self._rep(), "StartDateTime": iso(starts), "IsChild": False,
            "EndDateTime": iso(starts + 1800), **self._about(),
        }  # fmt: skip
        self._make("Event", fields)

    def _deal(self) -> None:
        fields = {
            "OwnerId": self._rep(), "CreatedById": self._rep(), "Name": "A deal", "StageName": "Prospecting",
            "Amount": self._random.randrange(1, 1000) * 100, "Type": "New Business",
        }  # fmt: skip
        self._make("Opportunity", fields)

    def _stage(self) -> None:
        self._set("Opportunity", self._any("Opportunity"), {"StageName": self._random.choice([*STAGES])})

    def _edit(self) -> None:
        lead = self._any("Lead", IsConverted=False)
        changes: list[Callable[[], None]] = [
            lambda: self._set("Opportunity", self._any("Opportunity"), {"Amount": self._random.randrange(1, 999) * 50}),
            lambda: self._set("Opportunity", self._any("Opportunity"), {"OwnerId": self._rep()}),
            lambda: self._set("Lead", lead, {"OwnerId": self._random.choice([*self._reps, QUEUE])}),
            lambda: self._set("Lead", lead, {"Status": self._random.choice([*STATUSES])}),
            lambda: self._set("Lead", lead, {"Company": f"Acme {self._random.random()}"}),
            lambda: self._set(
                "Task", self._any("Task", TaskSubtype="Call"), {"CallDisposition": self._random.choice([*DISPOSITIONS])}
            ),
            lambda: self._set("Event", self._any("Event"), {"OwnerId": self._rep()}),
        ]
        self._random.choice(changes)()

    def _delete(self) -> None:
        object = self._random.choice(["Task", "Event", "Opportunity", "Lead"])
        id = self._any(object, **({"TaskSubtype": "Call"} if object == "Task" else {}))
        if id is None:
            return
        self._world.send(self._crm.delete(object, id))
        if self._random.random() < 0.3:
            self._world.clock.now += SECOND
            self._world.send(self._crm.undelete(object, id))

    def _merge(self) -> None:
        winner, loser = self._any("Lead"), self._any("Lead")
        if winner is not None and loser is not None and winner != loser:
            self._world.send(self._crm.merge(winner, loser))

    def _convert(self) -> None:
        taken = {row.fields.get("ConvertedOpportunityId") for row in self._crm.rows["Lead"].values()}
        lead, deal = self._any("Lead", IsConverted=False), self._any("Opportunity")
        if deal is not None and deal not in taken:
            self._set("Lead", lead, {"IsConverted": True, "ConvertedOpportunityId": deal})
