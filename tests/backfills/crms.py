"""Fake CRMs by the machine's clock: a past made at once, then one thing a second, told as the vendor tells it."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from schemas.instants import HOUR
from tests.deploy.lookups import pipedrive_world, salesforce_world, world
from tests.deploy.lookups.pipedrive_world import PipedriveWorld
from tests.deploy.lookups.salesforce_world import SalesforceWorld
from tests.deploy.lookups.told import Told
from tests.deploy.lookups.world import Clock, World
from tests.fakes.salesforce import FIELDS
from tests.fakes.salesforce_events import HEADER_SCHEMA, FakeEvents

CONNECTION = "hub"
CHANNEL = "/data/ChangeEvents"
PAST = 4 * HOUR
_ORGANIZATION = "00D5g000004XYZaEAO"


class MachineClock(Clock):
    """A simulated one until it is let go, and the machine's from then on."""

    def __init__(self) -> None:
        super().__init__(machine_now() - PAST)
        self.is_live = False

    def __call__(self) -> int:
        return machine_now() if self.is_live else self.now

    def seconds(self) -> float:
        return self() / 1e6

    def pass_to(self, instant: int) -> None:
        if not self.is_live:
            super().pass_to(instant)


def machine_now() -> int:
    return time.time_ns() // 1000


class Crm:
    """An account with a past. Who posts to whom is its subclasses' own."""

    def __init__(self, made: World) -> None:
        self.world = made
        self.floorcast = ""
        """Where webhooks are posted; empty: nobody is told."""
        self._people = made.people()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The API, as long as it is open."""
        with self.world.crm.serving():
            yield

    def configuration(self) -> dict[str, object]:
        """What stands in `floorcast.yaml`."""
        raise NotImplementedError

    def live_through(self, records: int) -> None:
        """The past: so many things that people do, of which nobody is told."""
        clock = self.world.clock
        first = clock()
        for number in range(records):
            clock.pass_to(first + number * 9 * PAST // 10 // records)
            self._people.act()
        assert isinstance(clock, MachineClock)
        clock.is_live = True
        self.world.told = Told()

    def act(self, times: int) -> None:
        """What people do now: one thing a second, for a CRM may know of no shorter time."""
        for _ in range(times):
            time.sleep(1.05 - time.time() % 1)
            with self.world.crm.lock:
                self._people.act()


class WebhookCrm(Crm):
    """Tells by webhooks; which of them get lost is the world's."""

    def signed(self, path: str, body: bytes) -> dict[str, str]:
        """The headers by which the vendor proves a body."""
        raise NotImplementedError

    def post(self, body: bytes) -> None:
        """As the vendor would; whoever does not answer has missed it."""
        path = f"/webhooks/{CONNECTION}"
        headers = {"content-type": "application/json", **self.signed(path, body)}
        httpx.post(f"{self.floorcast}{path}", content=body, headers=headers, timeout=10, trust_env=False)


class _Telling(World):
    def __init__(self, crm: WebhookCrm, folder: Path, **more: Any) -> None:
        super().__init__(folder, clock=MachineClock(), **more)
        self._told_to = crm

    def send(self, events: list[dict[str, Any]]) -> None:
        """Now, if anybody listens."""
        if not self._told_to.floorcast:
            return
        for body in self.bodies(events):
            if self.random.random() >= self.lost:
                for _ in range(2 if self.random.random() < self.repeated else 1):
                    self._told_to.post(body)


class PipedriveCrm(WebhookCrm):
    """Its webhooks bring whole objects, and a password."""

    def __init__(self, folder: Path, *, seed: int = 1, lost: float = 0.05) -> None:
        super().__init__(_PipedriveWorld(self, folder, seed=seed, lost=lost))

    def configuration(self) -> dict[str, object]:
        """What stands in `floorcast.yaml`."""
        reconcile = {"every": "5s", "overlap": "1h", "ids": "10s"}
        settings = pipedrive_world.settings_of(self.world.crm.url) | {"reconcile": reconcile}
        return configured(settings, pipedrive_world.PIPELINES)

    def signed(self, path: str, body: bytes) -> dict[str, str]:
        """Of every body the same."""
        return {"authorization": f"Basic {base64.b64encode(pipedrive_world.LOGIN.encode()).decode()}"}


class _PipedriveWorld(_Telling, PipedriveWorld):
    pass


class HubSpotCrm(WebhookCrm):
    """Its webhooks name a property, or a record that is to be looked up."""

    def __init__(self, folder: Path, *, seed: int = 1, lost: float = 0.05) -> None:
        made = _Telling(self, folder, seed=seed, lost=lost)
        # Of what was merged away in its past nothing is left; whom webhooks told of before, nobody merges now.
        made.is_new = True
        super().__init__(made)

    def configuration(self) -> dict[str, object]:
        """What stands in `floorcast.yaml`."""
        settings = world.settings_of(self.world.crm.url) | {"reconcile": {"every": "5s", "overlap": "1h"}}
        return configured(settings, world.PIPELINES)

    def signed(self, path: str, body: bytes) -> dict[str, str]:
        """By its third version, which covers the address and the instant."""
        at = str(round(time.time() * 1000))
        signed = f"POSThttps://floor.example.com{path}".encode() + body + at.encode()
        signature = base64.b64encode(hmac.new(b"a-secret-of-hubspot", signed, hashlib.sha256).digest()).decode()
        return {"x-hubspot-request-timestamp": at, "x-hubspot-signature-v3": signature}


class SalesforceCrm(Crm):
    """Tells by its stream, which keeps what nobody has read yet."""

    def __init__(self, folder: Path, *, seed: int = 1) -> None:
        self.bus = FakeEvents(organization=_ORGANIZATION, topics=(CHANNEL,), keepalive=5.0)
        made = _SalesforceWorld(self.bus, folder, seed=seed, clock=MachineClock())
        super().__init__(made)
        self.bus.tokens = made.crm.sessions
        self._endpoint = ""

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The API and the stream, as long as they are open."""
        with super().serving(), self.bus.serving() as self._endpoint:
            yield

    def configuration(self) -> dict[str, object]:
        """What stands in `floorcast.yaml`."""
        settings = salesforce_world.settings_of(self.world.crm.url) | {
            "reconcile": {"every": "5s"},
            "stream": {"topics": [CHANNEL], "endpoint": self._endpoint, "tls": False},
        }
        return configured(settings, salesforce_world.PIPELINES)


class _SalesforceWorld(SalesforceWorld):
    def __init__(self, bus: FakeEvents, folder: Path, **more: Any) -> None:
        super().__init__(folder, **more)
        self._bus = bus

    def send(self, events: list[dict[str, Any]]) -> None:
        """What happened before the connection was there, no stream has kept."""
        assert isinstance(self.clock, MachineClock)
        for event in events if self.clock.is_live else ():
            self._bus.publish(CHANNEL, _payload(event), schema=_schema(event["ChangeEventHeader"]["entityName"]))


def configured(settings: Mapping[str, Any], pipelines: Mapping[str, Any]) -> dict[str, object]:
    """A `floorcast.yaml` with that connection alone."""
    return {
        "organisation": {"name": "Back-fills", "timezone": "UTC", "currency": "USD"},
        "connections": {CONNECTION: dict(settings)},
        "pipelines": dict(pipelines),
    }


def _names(entity: str) -> tuple[str, ...]:
    return (*FIELDS[entity], "CreatedDate")


def _payload(event: Mapping[str, Any]) -> dict[str, Any]:
    """As it stands in the stream: all fields of the object, and by bits which of them the event is about."""
    header, order = (
        dict(event["ChangeEventHeader"]),
        ("ChangeEventHeader", *_names(event["ChangeEventHeader"]["entityName"])),
    )
    changed = header["changedFields"] if header["changeType"] == "UPDATE" else []
    nulled = [name for name in changed if event[name] is None]
    header |= {"changeOrigin": "", "commitUser": "0055f000005mc66AAA", "sequenceNumber": 1, "diffFields": []}
    for name, of in (("changedFields", changed), ("nulledFields", nulled)):
        header[name] = [f"0x{sum(1 << order.index(field) for field in of):x}"] if of else []
    return {"ChangeEventHeader": header} | {name: event.get(name) for name in order[1:]}


def _schema(entity: str) -> dict[str, Any]:
    fields: list[dict[str, Any]] = [{"name": "ChangeEventHeader", "type": HEADER_SCHEMA}]
    fields += [{"name": name, "type": ["null", _type(name)]} for name in _names(entity)]
    return {"type": "record", "name": f"{entity}ChangeEvent", "namespace": "com.sforce.eventbus", "fields": fields}


def _type(name: str) -> str:
    if name.startswith("Is") or name == "Incoming":
        return "boolean"
    if name.endswith(("Date", "DateTime")):
        return "long"
    return {"Amount": "double", "CallDurationInSeconds": "int"}.get(name, "string")
