"""A floor over a fake Zoho, and what its database comes to by the contract, with no word of the connector."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from schemas.config import Config
from schemas.instants import SECOND, parse_instant
from schemas.records import RecordChange, make_change
from tests.builders import make_config
from tests.deploy.lookups.told import State
from tests.deploy.lookups.world import People, World
from tests.fakes.zoho import CLIENT, STAGES, FakeZoho, Row, bodies, iso

REPS = ("5725767000000411001", "5725767000000411002", "5725767000000411003")
PIPELINES = {
    "Standard": {
        "steps": ["Qualification", "Verbal yes", "Negotiation/Review"], "won": ["Signed"], "lost": ["Gone elsewhere"],
    }
}  # fmt: skip
STATUSES = {"Not Contacted": "new", "Qualified": "qualified", "Junk Lead": "disqualified"}
RESULTS = {"Interested": "connected", "No response/Busy": "no_answer"}
FORECASTS = {"Open": "open", "Closed Won": "won", "Closed Lost": "lost"}


class ZohoWorld(World):
    """One account of Zoho."""

    def make_crm(self) -> FakeZoho:
        crm = FakeZoho(self.clock.seconds)
        for place, id in enumerate(REPS):
            status = "inactive" if place == 2 else "active"
            crm.users.append(
                {
                    "id": id, "full_name": f"Rep {place}", "email": f"r{place}@example.com", "status": status,
                    "Modified_Time": "2026-01-01T10:00:00+01:00",
                }
            )  # fmt: skip
        return crm

    def config_of(self, url: str) -> Config:
        settings = {
            "kind": "zoho",
            "secrets": ["tok_9f2c_sales_metrics_zoho"],
            "api": {"region": "eu", **CLIENT, "url": url, "accounts_url": url},
        }
        return make_config(connections={"hub": settings}, pipelines=PIPELINES)

    def people(self) -> People:
        return _People(self)

    def bodies(self, events: list[dict[str, Any]]) -> list[bytes]:
        return bodies(events)

    def about(self, body: bytes) -> set[str]:
        event = json.loads(body)
        return {str(id) for id in event["ids"]}

    def tells_all(self, id: str) -> bool:
        return False  # some of it: the rest is looked up

    def amend(self, id: str, state: State) -> None:
        pass

    def truth(self, now: int, only: Collection[str] | None = None) -> list[RecordChange]:
        found = [
            make_change(
                kind="rep", id=user["id"], changed_at=parse_instant(user["Modified_Time"]), received_at=now,
                fields={"name": user["full_name"], "email": user["email"], "active": user["status"] == "active"},
            )
            for user in self.crm.users
            if only is None
        ]  # fmt: skip
        for rows in self.crm.rows.values():
            for row in rows.values():
                if only is not None and row.id not in only:
                    continue
                for kind, at, fields in said(row):
                    found.append(
                        make_change(kind=kind, id=row.id, changed_at=at * SECOND, fields=fields, received_at=now)
                    )
        return found


def said(row: Row) -> Iterator[tuple[str, int, dict[str, Any]]]:
    fields, at = row.fields, row.modified
    rep = fields["Owner"]["id"]
    kind = {"Leads": "lead", "Deals": "deal", "Calls": "call", "Events": "meeting"}[row.module]
    match row.module:
        case "Leads":
            status = "converted" if fields.get("Converted__s") else STATUSES[fields["Lead_Status"]]
            yield kind, at, {"received_at": row.created * SECOND, "rep": rep, "status": status}
        case "Deals":
            yield (
                kind,
                at,
                {
                    "rep": rep, "creator": fields["Created_By"]["id"], "pipeline": fields["Pipeline"],
                    "created_at": row.created * SECOND, "amount": str(fields["Amount"]),
                    "currency": fields["Currency"], "kind": "new" if fields["Type"] == "New Business" else "expansion",
                },
            )  # fmt: skip
            for stage, entered in row.stages:
                status = FORECASTS[STAGES[stage]]
                yield (
                    kind,
                    entered,
                    {
                        "stage": stage, "entered_stage_at": entered * SECOND, "status": status,
                        "closed_at": None if status == "open" else entered * SECOND,
                    },
                )  # fmt: skip
        case "Calls":
            yield (
                kind,
                at,
                {
                    "rep": rep, "direction": fields["Call_Type"].lower(), "dialed_at": fields["_dialed"] * SECOND,
                    "talk_seconds": fields["Call_Duration_in_seconds"] * SECOND,
                    "outcome": RESULTS[fields["Call_Result"]], "logged_at": row.created * SECOND,
                    "logged_by": fields["Created_By"]["id"], **_about(fields),
                },
            )  # fmt: skip
        case _:
            yield (
                kind,
                at,
                {
                    "rep": rep, "booked_by": fields["Created_By"]["id"], "booked_at": row.created * SECOND,
                    "starts_at": fields["_starts"] * SECOND, "ends_at": (fields["_starts"] + 1800) * SECOND,
                    "outcome": "scheduled", **_about(fields),
                },
            )  # fmt: skip
    if row.deleted_at is not None:
        yield kind, row.deleted_at, {"deleted": True}


def _about(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {{"Leads": "lead", "Deals": "deal"}[fields["$se_module"]]: fields["What_Id"]["id"]}


def _is_settled(row: Row) -> bool:
    return row.module == "Leads" and (row.fields["Lead_Status"] != "Not Contacted" or "Converted__s" in row.fields)


class _People(People):
    """Those who work in Zoho.

    When the status of a lead changed, Zoho tells by the lead's last modification alone: so that there is one answer to
    it, nobody touches a lead after its status has changed.
    """

    def does(self) -> Mapping[Callable[[], None], float]:
        return {
            self._lead: 3, self._call: 5, self._event: 2, self._deal: 3, self._stage: 5, self._edit: 4, self._delete: 1,
        }  # fmt: skip

    def _any(self, module: str, *, is_edited: bool = False) -> str | None:
        rows = self._crm.rows[module].values()
        return self._one_of(row.id for row in rows if row.deleted_at is None and not (is_edited and _is_settled(row)))

    def _owner(self) -> dict[str, Any]:
        return {"id": self._random.choice(REPS), "name": "Somebody"}

    def _lead(self) -> None:
        self._make("Leads", {"Owner": self._owner(), "Lead_Status": "Not Contacted"})

    def _about(self) -> dict[str, Any] | None:
        module = self._random.choice(["Leads", "Leads", "Deals"])
        id = self._any(module)
        return None if id is None else {"What_Id": {"id": id, "name": "It"}, "$se_module": module}

    def _call(self) -> None:
        about, dialed = self._about(), self._crm.now() - self._random.randrange(600)
        if about is None:
            return
        owner = self._owner()
        self._make(
            "Calls",
            {
                "Owner": owner, "Created_By": owner, "Call_Type": self._random.choice(["Outbound", "Inbound"]),
                "Call_Start_Time": iso(dialed), "_dialed": dialed, "Outgoing_Call_Status": "Completed",
                "Call_Duration_in_seconds": self._random.randrange(400),
                "Call_Result": self._random.choice([*RESULTS]), **about,
            },
        )  # fmt: skip

    def _event(self) -> None:
        about, starts = self._about(), self._crm.now() + self._random.randrange(-7200, 7200)
        if about is None:
            return
        self._make(
            "Events",
            {
                "Owner": self._owner(), "Created_By": self._owner(), "Start_DateTime": iso(starts), "_starts": starts,
                "End_DateTime": iso(starts + 1800), **about,
            },
        )  # fmt: skip

    def _deal(self) -> None:
        self._make(
            "Deals",
            {
                "Owner": self._owner(), "Created_By": self._owner(), "Stage": "Qualification", "Pipeline": "Standard",
                "Amount": self._random.randrange(1, 1000) * 100, "Currency": "USD",
                "Type": self._random.choice(["New Business", "Existing Business"]),
            },
        )  # fmt: skip

    def _stage(self) -> None:
        self._set("Deals", self._any("Deals"), {"Stage": self._random.choice([*STAGES])})

    def _edit(self) -> None:
        changes: list[tuple[str, dict[str, Any]]] = [
            ("Deals", {"Amount": self._random.randrange(1, 1000) * 50}),
            ("Deals", {"Owner": self._owner()}),
            ("Leads", {"Owner": self._owner()}),
            ("Leads", {"Lead_Status": self._random.choice([*STATUSES])}),
            ("Leads", {"Converted__s": True}),
            ("Calls", {"Call_Result": self._random.choice([*RESULTS])}),
            ("Calls", {"Owner": self._owner()}),
            ("Events", {"Owner": self._owner()}),
        ]
        module, fields = self._random.choice(changes)
        self._set(module, self._any(module, is_edited=True), fields)

    def _delete(self) -> None:
        module = self._random.choice(["Calls", "Events", "Deals", "Leads"])
        id = self._any(module, is_edited=True)
        if id is None:
            return
        self._world.send(self._crm.delete(module, id))
        if self._random.random() < 0.3:
            self._world.clock.now += SECOND
            self._world.send(self._crm.restore(module, id))
