"""A connection of each kind to a fake of its CRM, which keeps subscriptions as the vendor's pages say."""

from collections.abc import Callable
from typing import Any

from schemas.connectors import Connection, read_connection
from tests.builders import instant
from tests.fakes import aircall, close, hubspot, pipedrive, salesforce, zoho
from tests.fakes.http import Response

NOW = instant("2026-11-29T12:00Z")
PLACE = "https://floor.example"
FAKES: dict[str, Callable[[Callable[[], float]], Any]] = {
    "pipedrive": pipedrive.FakePipedrive, "close": close.FakeClose, "aircall": aircall.FakeAircall,
    "zoho": zoho.FakeZoho, "salesforce": salesforce.FakeSalesforce, "hubspot": hubspot.FakeHubSpot,
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    "hubspot": {"secrets": ["app-secret"], "api": {"token": "pat-token-1"}},
    "pipedrive": {"secrets": ["user:password"], "api": {"company": "acme", "token": pipedrive.KEY}},
    "close": {"secrets": ["00" * 16], "api": {"key": close.KEY}},
    "aircall": {"secrets": ["not-yet-a-token"], "api": {"id": aircall.ID, "token": aircall.KEY}},
    "zoho": {"secrets": ["zoho-token"], "api": {"region": "eu", **zoho.CLIENT}},
    "salesforce": {
        "secrets": ["sf-path-secret"], "organization": "00D5g000004XYZa",
        "api": {name: salesforce.CLIENT[name] for name in ("client_id", "client_secret")},
    },
}  # fmt: skip


Opens = Callable[[str], "Crm"]


class Now:
    """The clock of the CRMs."""

    def __init__(self) -> None:
        self.instant = NOW

    def __call__(self) -> float:
        return self.instant / 1e6


class Crm:
    """A connection, and the CRM that it is to."""

    def __init__(self, kind: str, fake: Any, now: Now) -> None:
        self.kind = kind
        self.fake = fake
        self.now = now

    @property
    def hooks(self) -> dict[str, dict[str, Any]]:
        """What is subscribed."""
        found: dict[str, dict[str, Any]] = self.fake.hooks
        return found

    def connection(self, **more: Any) -> Connection:
        """As floorcast.yaml has it."""
        said = SETTINGS[self.kind] | more
        addresses = {"url": self.fake.url} | ({"accounts_url": self.fake.url} if self.kind == "zoho" else {})
        return read_connection({"kind": self.kind, "public_url": PLACE, **said, "api": said["api"] | addresses})

    def refuse(self) -> None:
        """Take its credentials no more."""
        refused = Response(200, {"error": "invalid_code"}) if self.kind == "zoho" else Response(401, {"error": "no"})
        self.fake.answer = lambda _request: refused
