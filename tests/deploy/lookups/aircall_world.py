"""A floor over a fake Aircall, and what its database comes to by the contract, with no word of the connector."""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from schemas.config import Config
from schemas.instants import SECOND
from schemas.records import RecordChange, make_change
from tests.builders import make_config
from tests.deploy.lookups.told import State
from tests.deploy.lookups.world import People, World
from tests.fakes.aircall import ID, KEY, FakeAircall, bodies

REPS = (456123, 456124, 456125)
BUSY = "Line was busy"


class AircallWorld(World):
    """One company of Aircall."""

    has_instants = False

    def make_crm(self) -> FakeAircall:
        crm = FakeAircall(self.clock.seconds)
        crm.users += [{"id": id, "name": f"Rep {id}", "email": f"r{id}@example.com"} for id in REPS]
        return crm

    def config_of(self, url: str) -> Config:
        settings = {
            "kind": "aircall", "secrets": ["45XXYYZZa08example"], "outcomes": {BUSY: "busy"},
            "api": {"id": ID, "token": KEY, "url": url},
        }  # fmt: skip
        return make_config(connections={"hub": settings})

    def people(self) -> People:
        return _People(self)

    def bodies(self, events: list[dict[str, Any]]) -> list[bytes]:
        return bodies(events)

    def about(self, body: bytes) -> set[str]:
        return {str(json.loads(body)["data"]["id"])}

    def tells_all(self, id: str) -> bool:
        return True

    def amend(self, id: str, state: State) -> None:
        pass

    def truth(self, now: int, only: Collection[str] | None = None) -> list[RecordChange]:
        found = [
            make_change(
                kind="rep", id=str(user["id"]), changed_at=self.begun, received_at=now,
                fields={"name": user["name"], "email": user["email"], "active": True},
            )
            for user in self.crm.users
            if only is None
        ]  # fmt: skip
        for id, call in self.crm.calls.items():
            if only is not None and str(id) not in only:
                continue
            fields = said(call)
            found.append(make_change(kind="call", id=str(id), changed_at=now, fields=fields, received_at=now))
        return found


def said(call: dict[str, Any]) -> dict[str, Any]:
    rep = call["user"]["id"]
    if call["transferred_to"] is not None and call["answered_at"]:
        rep = call["transferred_to"]["id"]
    outcome = None
    if any(tag["name"] == BUSY for tag in call["tags"]):
        outcome = "busy"
    elif call["answered_at"]:
        outcome = "connected"
    elif call["status"] == "done":
        outcome = "no_answer"
    return {
        "rep": str(rep), "direction": call["direction"], "outcome": outcome, "internal": False,
        **{
            ours: call[theirs] * SECOND
            for ours, theirs in (("dialed_at", "started_at"), ("answered_at", "answered_at"), ("ended_at", "ended_at"))
            if call[theirs] is not None
        },
    }  # fmt: skip


class _People(People):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._going: list[int] = []

    def does(self) -> Mapping[Callable[[], None], float]:
        return {self._dial: 4, self._answer: 3, self._transfer: 1, self._end: 4, self._tag: 1}

    def _user(self) -> dict[str, Any]:
        return dict(self._random.choice(self._crm.users))

    def _dial(self) -> None:
        id, events = self._crm.create(
            {
                "user": self._user(), "direction": self._random.choice(["outbound", "inbound"]),
                "raw_digits": f"+4420718387{self._random.randrange(10, 99)}", "participants": [{"type": "external"}],
            }
        )  # fmt: skip
        self._going.append(id)
        self._world.send(events)

    def _answer(self) -> None:
        ringing = [id for id in self._going if self._crm.calls[id]["answered_at"] is None]
        if ringing:
            data = {"status": "answered", "answered_at": self._crm.now()}
            self._world.send(self._crm.set(self._random.choice(ringing), "answered", data))

    def _transfer(self) -> None:
        talking = [id for id in self._going if self._crm.calls[id]["answered_at"] is not None]
        if talking:
            self._world.send(
                self._crm.set(self._random.choice(talking), "transferred", {"transferred_to": self._user()})
            )

    def _end(self) -> None:
        if self._going:
            id = self._going.pop(0)
            self._world.send(self._crm.set(id, "ended", {"status": "done", "ended_at": self._crm.now()}))

    def _tag(self) -> None:
        done = [id for id, call in self._crm.calls.items() if call["status"] == "done"]
        if done:
            id = self._random.choice(done)
            tags = [] if self._crm.calls[id]["tags"] else [{"id": 7, "name": BUSY}]
            self._world.send(self._crm.set(id, "tagged" if tags else "untagged", {"tags": tags}))
