"""A floor over a fake Pipedrive, and what its database comes to by the contract, with no word of the connector."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.config import Config
from schemas.instants import MINUTE, SECOND, parse_instant
from schemas.records import RecordChange, make_change
from tests.builders import make_config
from tests.deploy.lookups.told import State
from tests.deploy.lookups.world import People, World
from tests.fakes.pipedrive import KEY, FakePipedrive, Item, bodies

REPS = (12415231, 12415232, 12415233)
PIPELINES = {"1": {"steps": ["1", "2", "3", "4"]}}
LOGIN = "floorcast:a-long-password"
QUALIFIED = "f08b42a0-4e75-11ea-9643-03698ef1cfd6"


def settings_of(url: str) -> dict[str, Any]:
    """What stands under `connections`."""
    return {
        "kind": "pipedrive",
        "secrets": [LOGIN],
        "api": {"company": "acme", "token": KEY, "url": url},
        "statuses": {QUALIFIED: "qualified"},
        # Only so are deletions of leads and activities found that no webhook told.
        "reconcile": {"ids": "1h"},
    }


class PipedriveWorld(World):
    """One company of Pipedrive."""

    def make_crm(self) -> FakePipedrive:
        crm = FakePipedrive(self.clock.seconds, daily=10**6)
        for place, id in enumerate(REPS):
            crm.users.append(
                {
                    "id": id, "name": f"Rep {place}", "email": f"r{place}@example.com", "active_flag": place != 2,
                    "created": "2025-01-01 09:00:00", "modified": "2026-01-01 09:00:00",
                }
            )  # fmt: skip
        return crm

    def config_of(self, url: str) -> Config:
        return make_config(connections={"hub": settings_of(url)}, pipelines=PIPELINES)

    def people(self) -> People:
        return _People(self)

    def bodies(self, events: list[dict[str, Any]]) -> list[bytes]:
        return bodies(events)

    def about(self, body: bytes) -> set[str]:
        meta = json.loads(body)["meta"]
        return {str(meta["entity_id"])}

    def tells_all(self, id: str) -> bool:
        return id not in self.crm.items["deal"]  # whose past it does not tell

    def amend(self, id: str, state: State) -> None:
        pass

    def truth(self, now: int, only: Collection[str] | None = None) -> list[RecordChange]:
        found = [
            make_change(
                kind="rep", id=str(user["id"]), changed_at=parse_instant("2026-01-01T09:00:00Z"), received_at=now,
                fields={"name": user["name"], "email": user["email"], "active": user["active_flag"]},
            )
            for user in self.crm.users
            if only is None
        ]  # fmt: skip
        for items in self.crm.items.values():
            for item in items.values():
                if only is not None and item.id not in only:
                    continue
                for kind, at, fields in said(item):
                    found.append(
                        make_change(kind=kind, id=item.id, changed_at=at * SECOND, fields=fields, received_at=now)
                    )
        return found


def said(item: Item) -> Iterator[tuple[str, int, dict[str, Any]]]:
    data, at = item.data, item.updated
    kind = data["type"] if item.entity == "activity" else item.entity
    made, rep = item.created * SECOND, str(data["owner_id"])
    common = {"rep": rep, "lead": data.get("lead_id")}
    if item.entity == "lead":
        status = "qualified" if QUALIFIED in data["label_ids"] else None
        yield kind, at, {"received_at": made, "assigned_at": made, "rep": rep, "status": status}
    elif item.entity == "deal":
        yield from _deal(item, rep)
    elif kind == "meeting":
        starts = _due(data)
        yield (
            kind,
            at,
            {
                **common, "deal": _id(data["deal_id"]), "booked_at": made, "booked_by": str(data["creator_user_id"]),
                "starts_at": _happened(data) if data["done"] else starts, "ends_at": starts + 30 * MINUTE,
                "outcome": "held" if data["done"] else "scheduled",
            },
        )  # fmt: skip
    else:
        field = "dialed_at" if kind == "call" else "sent_at"
        about = {"deal": _id(data["deal_id"])} if kind == "call" else {}
        yield (
            kind,
            at,
            {
                **common, **about, "direction": "outbound" if data["done"] else None,
                field: _happened(data) if data["done"] else None, "logged_at": made,
                "logged_by": str(data["creator_user_id"]),
            },
        )  # fmt: skip
    if item.deleted_at is not None:
        yield kind, item.deleted_at, {"deleted": True}


def _deal(item: Item, rep: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    data, kind = item.data, "deal"
    yield (
        kind,
        item.updated,
        {
            "rep": rep, "creator": str(data["creator_user_id"]), "pipeline": str(data["pipeline_id"]),
            "created_at": item.created * SECOND, "currency": data["currency"],
        },
    )  # fmt: skip
    first = {name: data[name] for name in ("stage_id", "status", "value")}
    for change in reversed(item.changes):
        if change["field_key"] in first:
            first[change["field_key"]] = change["old_value"]
    yield kind, item.created, {"amount": str(first["value"]), **_stage(first["stage_id"], item.created)}
    yield kind, item.created, {"status": first["status"]}
    for change in item.changes:
        at, value = int(datetime.fromisoformat(change["time"]).replace(tzinfo=UTC).timestamp()), change["new_value"]
        match change["field_key"]:
            case "stage_id":
                yield kind, at, _stage(value, at)
            case "status":
                yield kind, at, {"status": value, "closed_at": None if value == "open" else at * SECOND}
            case "value":
                yield kind, at, {"amount": value}


def _stage(stage: Any, at: int) -> dict[str, Any]:
    return {"stage": str(stage), "entered_stage_at": at * SECOND}


def _id(value: Any) -> str | None:
    return None if value is None else str(value)


def _due(data: dict[str, Any]) -> int:
    return parse_instant(f"{data['due_date']}T{data['due_time']}:00Z")


def _happened(data: dict[str, Any]) -> int:
    """When it was due, unless it was done on an earlier day."""
    marked = parse_instant(data["marked_as_done_time"])
    return marked if data["marked_as_done_time"][:10] < data["due_date"] else _due(data)


class _People(People):
    """Those who work in Pipedrive.

    When a lead's labels changed, Pipedrive tells by its last update alone, and who had it before not at all: so that
    there is one answer to it, nobody touches a lead after it was labelled, and it stays with whom it was given to.
    """

    def does(self) -> Mapping[Callable[[], None], float]:
        return {
            self._lead: 3, self._activity: 6, self._deal: 3, self._move: 5, self._edit: 4, self._done: 4,
            # No list tells of its deletions, and of what is gone from its lists ten or 1 % are believed at a time.
            self._delete: 0.4,
        }  # fmt: skip

    def _any(self, entity: str, **wanted: Any) -> str | None:
        return self._one_of(
            item.id
            for item in self._crm.items[entity].values()
            if item.deleted_at is None and all(item.data.get(name) == value for name, value in wanted.items())
        )

    def _owner(self) -> int:
        return self._random.choice(REPS)

    def _lead(self) -> None:
        data = {"title": "A lead", "owner_id": self._owner(), "label_ids": [], "is_archived": False, "value": None}
        self._make("lead", data)

    def _activity(self) -> None:
        due = datetime.fromtimestamp(self._crm.now() + self._random.choice([-3600, -600, 5400, 100_000]), UTC)
        deal = self._any("deal")
        data = {
            "type": self._random.choice(["call", "call", "email", "meeting"]), "owner_id": self._owner(),
            "creator_user_id": self._owner(), "done": self._random.random() < 0.5, "due_date": due.date().isoformat(),
            "due_time": due.strftime("%H:%M"), "duration": "00:30", "lead_id": self._any("lead"),
            "deal_id": None if deal is None else int(deal),
        }  # fmt: skip
        self._make("activity", data)

    def _deal(self) -> None:
        data = {
            "title": "A deal", "owner_id": self._owner(), "creator_user_id": self._owner(), "stage_id": 1,
            "pipeline_id": 1, "status": "open", "value": self._random.randrange(1, 1000) * 100, "currency": "USD",
            "won_time": None, "lost_time": None, "close_time": None, "stage_change_time": None, "is_archived": False,
        }  # fmt: skip
        self._make("deal", data)

    def _move(self) -> None:
        way: dict[str, Any] = self._random.choice(
            [{"stage_id": self._random.choice([1, 2, 3, 4])}, {"status": self._random.choice(["open", "won", "lost"])}]
        )
        self._set("deal", self._any("deal"), way)

    def _edit(self) -> None:
        deal = self._any("deal", is_archived=False)
        changes: list[Callable[[], None]] = [
            lambda: self._set("deal", deal, {"value": self._random.randrange(1, 1000) * 50}),
            lambda: self._set("deal", deal, {"owner_id": self._owner()}),
            lambda: self._set("deal", deal, {"is_archived": True}),
            lambda: self._set("lead", self._any("lead", label_ids=[]), {"label_ids": [QUALIFIED]}),
            lambda: self._set("activity", self._any("activity"), {"owner_id": self._owner()}),
            # Of a done one no webhook tells when it was marked so: if its type changes, only the API knows.
            lambda: self._set(
                "activity", self._any("activity", done=False), {"type": self._random.choice(["call", "email"])}
            ),
        ]
        self._random.choice(changes)()

    def _done(self) -> None:
        self._set("activity", self._any("activity"), {"done": self._random.random() < 0.8})

    def _delete(self) -> None:
        entity = self._random.choice(["activity", "activity", "deal", "lead"])
        id = self._any(entity, **({"label_ids": []} if entity == "lead" else {}))
        if id is not None:
            self._world.send(self._crm.delete(entity, id))
