"""A floor over a fake CRM in simulated time: what people do, the webhooks that get lost, and whoever asks.

Owns the clock, the log (a list) and the loss of webhooks, and the floor over HubSpot; the other vendors' are beside it.
The numbers that must come out are recounted from the fake's own database in `truth.py`, which shares nothing with the
connector.
"""

import heapq
import itertools
import json
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from deploy.lookups.backfill import Backfill, BackfillMark
from deploy.lookups.client import Client
from deploy.lookups.known import KnownFile
from deploy.lookups.pacing import SharedPace
from deploy.lookups.rounds import Rounds
from processor.core.normalise import normalise
from schemas.config import Config
from schemas.connectors import build_connector, build_source
from schemas.connectors.words import CrmConnection
from schemas.deliveries import Delivery, encode_delivery
from schemas.instants import HOUR, MINUTE, SECOND, parse_instant
from schemas.numbers import PhoneNumbers, compared
from schemas.progress import Progress
from schemas.records import RecordChange
from tests.builders import make_config
from tests.deploy.lookups.told import State, Told, state_of
from tests.deploy.lookups.truth import changes_of
from tests.fakes.hubspot import FakeHubSpot, Owner, batches, iso

START = parse_instant("2026-03-16T08:00:00Z")
CONNECTED, NO_ANSWER = "f240bbac-87c9-4f6e-bf70-924b57d47db7", "73a0d17f-1163-4015-bdd5-ec830791da20"
REPS = ("901", "902", "903", "904")


class Clock:
    """Microseconds; sleeping moves it."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / 1e6

    def pass_to(self, instant: int) -> None:
        self.now = max(self.now, instant)

    async def sleep(self, seconds: float) -> None:
        self.now += max(1, round(seconds * 1e6))


@dataclass(frozen=True)
class Stored:
    """As a consumer gives it."""

    offset: int
    value: bytes
    key: None = None
    timestamp: int = 0
    partition: int = 0
    topic: str = "deliveries"


@dataclass
class Log:
    deliveries: list[Stored] = field(default_factory=list)

    async def append(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self.deliveries.append(Stored(len(self.deliveries), encode_delivery(delivery)))


PIPELINES = {
    "default": {
        "steps": ["appointmentscheduled", "contractsent", "7001"], "won": ["closedwon", "7002"],
        "lost": ["closedlost", "7003"],
    }
}  # fmt: skip


def floor_config(url: str, **connection: Any) -> Config:
    return make_config(connections={"hub": settings_of(url) | connection}, pipelines=PIPELINES)


def settings_of(url: str) -> dict[str, Any]:
    """What stands under `connections`."""
    return {
        "kind": "hubspot",
        "secrets": ["a-secret-of-hubspot"],
        "public_url": "https://floor.example.com",
        "api": {"token": "pat-token-1", "url": url},
        "stages": {"7001": {"name": "Verbal yes"}},
    }


def subjects(event: dict[str, Any]) -> set[str]:
    """The records of HubSpot that an event tells of."""
    named = [event[name] for name in ("objectId", "fromObjectId") if name in event]
    return {str(id) for id in (*named, *event.get("mergedObjectIds", ()))}


class World:
    """One account, one floor, one connection `hub`."""

    content_type = "application/json"
    crm: Any
    """The fake."""

    has_instants = True
    """Whether it says when a record was modified last."""

    begun = START
    """When it was made."""

    def __init__(
        self, folder: Path, *, seed: int = 1, lost: float = 0.05, repeated: float = 0.2, clock: Clock | None = None
    ) -> None:
        self.clock = clock or Clock()
        self.log = Log()
        self.folder = folder
        self.lost = lost
        self.repeated = repeated
        self.silent = (0, 0)
        self.random = random.Random(seed)
        self.under_way: list[tuple[int, int, bytes]] = []
        self.told: Told | None = None
        self.progressed: list[tuple[str, int, int | None, float | None]] = []
        """What back-fills have told of how far they are."""
        self.is_new = False
        """Whether floorcast comes to an account that is there already, and of which no webhook has told it."""
        self._order = itertools.count()
        self._stack = AsyncExitStack()
        self.crm = self.make_crm()

    def make_crm(self) -> Any:
        """The account, with its people."""
        crm = FakeHubSpot(self.clock.seconds)
        for place, id in enumerate(REPS):
            team = "East" if place % 2 else "West"
            mail = f"r{id}@example.com"
            crm.owners[id] = Owner(id, int(id) * 10, "Rep", id, mail, team, START // 1000 - 10**9, archived=id == "904")
        return crm

    def config_of(self, url: str) -> Config:
        return floor_config(url)

    def people(self) -> "People":
        return FloorOfPeople(self)

    def bodies(self, events: list[dict[str, Any]]) -> list[bytes]:
        """What the vendor posts of these."""
        return batches(events)

    def about(self, body: bytes) -> set[str]:
        """The ids of the records that a body tells of."""
        return set().union(*(subjects(event) for event in json.loads(body)))

    def tells_all(self, id: str) -> bool:
        """Whether a webhook of a record tells all of it, so that one that was lost before does not matter any more."""
        return False

    def looked_up(self, body: bytes) -> set[str]:
        """The ids of the records that a body makes floorcast ask for, whole, before any round."""
        delivery = Delivery("hub", self.clock(), {"content-type": self.content_type}, body)
        return {id for _, id in self.connector.parse(delivery).lookups}

    def truth(self, now: int, only: Collection[str] | None = None) -> list[RecordChange]:
        """What the fake's own database says, of all records or of those with these ids."""
        return changes_of(self.crm, now, only, is_new=self.is_new)

    def states(self, ids: Collection[str]) -> dict[str, State]:
        """What it says of each of these, but for what comes of the clock alone."""
        changes: dict[str, list[RecordChange]] = {id: [] for id in ids}
        for change in self.truth(0, ids):
            if change.id in changes:
                changes[change.id].append(change)
        found = {id: state_of(said) for id, said in changes.items()}
        for id, state in found.items():
            self.amend(id, state)
        return found

    def amend(self, id: str, state: State) -> None:
        """Say of a record what stands there and not in ours: of whom was merged away, who stays tells."""
        state.pop("merged_into", None)
        contact = self.crm.things["contacts"].get(id)
        merged = None if contact is None else contact.get("hs_merged_object_ids")
        if merged is not None:
            state["merged"] = merged

    async def __aenter__(self) -> Self:
        url = self._stack.enter_context(self.crm.serving())
        self.config = self.config_of(url)
        await self.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.known.close()
        await self._stack.aclose()

    async def begin(self, *, anew: bool = False) -> None:
        """Start the owner, as after kill -9: with what lies on disk, or without."""
        if anew:
            for path in self.folder.glob("known*"):
                path.unlink()
        connection = self.config.connections["hub"]
        assert isinstance(connection, CrmConnection)
        source = build_source(connection)
        assert source is not None
        connector = self.connector = build_connector(connection)
        others = {name: build_connector(each) for name, each in self.config.connections.items() if name != "hub"}
        numbers = PhoneNumbers(b"key", compared(self.config.connections))
        self.known = KnownFile(self.folder / "known.sqlite3", {"hub": connector}, "1", others, numbers)
        self.client = await self._stack.enter_async_context(
            Client(
                source,
                SharedPace(self.folder / "limits.json"),
                clock=self.clock,
                sleep=self.clock.sleep,
                chance=self.random.random,
            )
        )
        self.rounds = Rounds(
            "hub",
            connection,
            client=self.client,
            known=self.known,
            append=self.log.append,
            catch_up=self.catch_up,
            clock=self.clock,
        )
        await self.catch_up()

    async def catch_up(self) -> None:
        position = self.known.positions().get(0, 0)
        if position < len(self.log.deliveries):
            self.known.apply(0, self.log.deliveries[position:])

    async def backfill(self, since: int = START - 30 * 24 * HOUR, mark: BackfillMark | None = None) -> Backfill:
        objects = list(self.client.source.objects)
        kept: list[BackfillMark] = []
        backfill = Backfill(
            "hub",
            self.client,
            mark or BackfillMark(since=since, objects=objects),
            append=self.log.append,
            keep=kept.append,
            clock=self.clock,
            progressed=lambda *told: self.progressed.append(told),
        )
        await backfill.run()
        return backfill

    def forget(self) -> None:
        """The log is lost: all that there is comes from the CRM."""
        self.log.deliveries.clear()
        self.is_new = True

    # Webhooks.

    def send(self, events: list[dict[str, Any]]) -> None:
        """As the vendor delivers them: some not, some twice, in no order."""
        for body in self.bodies(events):
            at = self.clock()
            is_lost = self.silent[0] <= at < self.silent[1] or self.random.random() < self.lost
            if self.told is not None:
                whole = self.looked_up(body)
                for id, state in self.states(self.about(body)).items():
                    is_whole = id in whole or self.tells_all(id)
                    self.told.happened(id, state, at, is_told=not is_lost, is_whole=is_whole)
            if is_lost:
                continue
            copies = 2 if self.random.random() < self.repeated else 1
            for _ in range(copies):
                arrives = at + int(self.random.expovariate(1 / 3) * SECOND)
                heapq.heappush(self.under_way, (min(arrives, at + 40 * SECOND), next(self._order), body))

    async def deliver(self) -> None:
        while self.under_way and self.under_way[0][0] <= self.clock():
            at, _, body = heapq.heappop(self.under_way)
            await self.log.append([Delivery("hub", at, {"content-type": self.content_type}, body)])

    # A day.

    async def live(
        self, records: int, hours: float, *, every: int = 15 * MINUTE, restart_at: int | None = None
    ) -> None:
        """`records` made over so many hours, with look-ups and reconciliations; then two hours of nothing new."""
        first, step = self.clock(), int(hours * HOUR / records)
        self.told = Told(has_instants=self.has_instants)
        self.reconciled_at: int | None = None
        due = first
        floor = self.people()
        for number in range(records):
            self.clock.pass_to(first + number * step)
            floor.act()
            await self.deliver()
            if self.known.positions().get(0, 0) + 5 < len(self.log.deliveries):
                await self.catch_up()
                await self.rounds.look_up()
            if self.clock() >= due:
                due = await self.reconcile() + every
            if number == restart_at:
                self.known.close()
                await self.begin(anew=number % 2 == 0)
        await self.settle()

    async def settle(self) -> None:
        """Until what happened last is found: a webhook's patience, then the settling of the index."""
        for _ in range(3):
            self.clock.now += 40 * MINUTE
            await self.deliver()
            await self.reconcile()

    async def reconcile(self) -> int:
        """One round; when it began."""
        begun = self.reconciled_at = await self.rounds.reconcile(self.reconciled_at)
        if self.told is not None:
            self.told.compared(begun)
        return begun

    def changes(self) -> list[RecordChange]:
        """Everything that lies in the log, as the first stage reads it."""
        connectors = {name: build_connector(connection) for name, connection in self.config.connections.items()}
        output = normalise(
            [(stored.offset, stored.value) for stored in self.log.deliveries],
            partition=0,
            connectors=connectors,
            progress=Progress(),
        )
        assert [(letter.reason, letter.detail) for letter in output.dead_letters] == []
        return output.changes


class People(ABC):
    """Those who work in a CRM."""

    grain = SECOND
    """What its clock tells apart."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._crm = world.crm
        self._random = world.random

    @abstractmethod
    def does(self) -> Mapping[Callable[[], None], float]:
        """What they do, and how often each."""

    def act(self) -> None:
        """One of them does something."""
        ways = self.does()
        self._random.choices([*ways], [*ways.values()])[0]()
        self._world.clock.now += self.grain * self._random.randint(1, 5)
        self._world.clock.now -= self._world.clock.now % self.grain

    def _one_of(self, ids: Iterable[str]) -> str | None:
        there = [*ids]
        return self._random.choice(there) if there else None

    def _make(self, object: str, fields: Mapping[str, Any]) -> None:
        self._world.send(self._crm.create(object, fields)[1])

    def _set(self, object: str, id: str | None, fields: Mapping[str, Any]) -> None:
        if id is not None:
            self._world.send(self._crm.set(object, id, fields))


class FloorOfPeople(People):
    """Those who work in HubSpot.

    Of a contact that is merged away HubSpot tells nothing any more. So that there is one answer, nobody merges one that
    neither a webhook nor a round has told of.
    """

    grain = 1000

    def does(self) -> Mapping[Callable[[], None], float]:
        return {
            self._contact: 3, self._call: 4, self._email: 3, self._meeting: 2, self._deal: 2, self._stage: 4,
            self._edit: 4, self._delete: 1, self._merge: 0.5, self._associate: 1,
        }  # fmt: skip

    def _any(self, object: str) -> str | None:
        things = self._crm.things[object].values()
        return self._one_of(thing.id for thing in things if thing.archived_at is None and thing.merged_into is None)

    def _make_with(self, object: str, properties: dict[str, str], *, contacts: int = 1) -> None:
        id, events = self._crm.create(object, {"hubspot_owner_id": self._random.choice(REPS), **properties})
        for _ in range(contacts):
            contact = self._any("contacts")
            if contact is not None:
                events += self._crm.associate(object, id, "contacts", contact)
        self._world.send(events)

    def _ago(self, most: int = 600) -> str:
        return iso(self._crm.now() - 1000 * self._random.randrange(most))

    def _contact(self) -> None:
        owner = self._random.choice([*REPS, ""])
        self._make_with("contacts", {"hubspot_owner_id": owner, "lifecyclestage": "lead"}, contacts=0)

    def _call(self) -> None:
        self._make_with(
            "calls",
            {
                "hs_timestamp": self._ago(),
                "hs_call_direction": self._random.choice(["OUTBOUND", "OUTBOUND", "INBOUND"]),
                "hs_call_disposition": self._random.choice([CONNECTED, NO_ANSWER]),
                "hs_call_duration": str(self._random.randrange(400_000)),
            },
            contacts=self._random.choice([1, 1, 1, 2, 3]),
        )

    def _email(self) -> None:
        more = {"hs_sequence_id": "12"} if self._random.random() < 0.1 else {}
        self._make_with(
            "emails",
            {
                "hs_timestamp": self._ago(),
                "hs_email_direction": self._random.choice(["EMAIL", "EMAIL", "INCOMING_EMAIL"]),
                "hs_email_status": self._random.choice(["SENT", "SENT", "SENT", "SCHEDULED"]),
                "hs_email_thread_id": str(self._random.randrange(20)),
                **more,
            },
            contacts=self._random.choice([1, 1, 2]),
        )

    def _meeting(self) -> None:
        starts = self._crm.now() + 1000 * self._random.randrange(-7200, 7200)
        self._make_with(
            "meetings",
            {
                "hs_meeting_start_time": iso(starts),
                "hs_meeting_end_time": iso(starts + 1_800_000),
                "hs_meeting_outcome": self._random.choice(["SCHEDULED", "COMPLETED"]),
            },
        )

    def _deal(self) -> None:
        self._make_with(
            "deals",
            {
                "dealstage": "appointmentscheduled",
                "pipeline": "default",
                "amount": str(self._random.randrange(1, 1000) * 100),
                "deal_currency_code": "USD",
                "dealtype": self._random.choice(["newbusiness", "existingbusiness"]),
            },
        )

    def _stage(self) -> None:
        deal = self._any("deals")
        if deal is None:
            return
        stage = self._random.choice([*self._crm.stages])
        properties = {"dealstage": stage}
        if self._crm.stages[stage][0] == "true":
            properties["closedate"] = iso(self._crm.now())
        self._world.send(self._crm.set("deals", deal, properties))

    def _edit(self) -> None:
        changes: list[tuple[str, dict[str, str]]] = [
            ("deals", {"amount": str(self._random.randrange(1, 1000) * 50)}),
            ("deals", {"hubspot_owner_id": self._random.choice(REPS)}),
            ("contacts", {"hubspot_owner_id": self._random.choice([*REPS, ""])}),
            (
                "contacts",
                {"lifecyclestage": self._random.choice(["lead", "salesqualifiedlead", "opportunity", "customer"])},
            ),
            ("calls", {"hs_call_disposition": self._random.choice([CONNECTED, NO_ANSWER])}),
            ("calls", {"hubspot_owner_id": self._random.choice(REPS)}),
            ("meetings", {"hs_meeting_outcome": self._random.choice(["COMPLETED", "NO_SHOW", "CANCELED"])}),
            ("emails", {"hs_email_status": self._random.choice(["SENT", "FAILED"])}),
        ]
        object, properties = self._random.choice(changes)
        self._set(object, self._any(object), properties)

    def _delete(self) -> None:
        object = self._random.choice(["calls", "emails", "meetings", "deals", "contacts"])
        id = self._any(object)
        if id is None:
            return
        self._world.send(self._crm.archive(object, id))
        if self._random.random() < 0.3:
            self._world.clock.now += SECOND
            self._world.send(self._crm.restore(object, id))

    def _merge(self) -> None:
        winner, loser = self._any("contacts"), self._any("contacts")
        told = self._world.told
        is_known = loser is not None and (told is None or told.is_known(loser))
        if winner is not None and loser is not None and winner != loser and is_known:
            self._world.send(self._crm.merge("contacts", winner, loser))

    def _associate(self) -> None:
        id, contact = self._any("calls"), self._any("contacts")
        if id is not None and contact is not None:
            self._world.send(self._crm.associate("calls", id, "contacts", contact))
