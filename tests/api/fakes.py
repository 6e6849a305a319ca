"""Stand-ins of the api's seams: a log of deliveries in memory, a connector with a password for a signature."""

import asyncio
from dataclasses import dataclass, field

from schemas.connectors.base import ContentTypeError, Parsed, SignatureError, SignedRequest
from schemas.deliveries import Delivery

PASSWORD = "let me in"  # noqa: S105 - of a stand-in


@dataclass
class FakeIngest:
    """Keeps what it accepts; refuses with `failure` when one is set."""

    accepted: list[Delivery] = field(default_factory=list)
    failure: Exception | None = None
    missing: list[str] = field(default_factory=list)
    is_running: bool = False

    async def start(self) -> None:
        self.is_running = True

    async def stop(self) -> None:
        self.is_running = False

    async def accept(self, delivery: Delivery) -> str:
        if self.failure is not None:
            raise self.failure
        self.accepted.append(delivery)
        await asyncio.sleep(0)
        return f"0-{len(self.accepted) - 1}"

    def problems(self) -> list[str]:
        return self.missing


class FakeConnector:
    """Takes what carries the password; remembers what it was asked to verify."""

    namespace = ""
    currency: str | None = None
    kept_headers = frozenset({"content-type", "x-kept"})

    def __init__(self) -> None:
        self.seen: list[SignedRequest] = []

    def verify(self, request: SignedRequest, now: int) -> None:
        self.seen.append(request)
        if request.headers.get("x-password") != PASSWORD:
            msg = "x-password: does not fit"
            raise SignatureError(msg)
        if request.headers.get("content-type") == "text/plain":
            msg = "content-type: must be application/json"
            raise ContentTypeError(msg)

    def parse(self, delivery: Delivery) -> Parsed:
        return Parsed()


@dataclass
class FakeActions:
    """Keeps the actions on alerts that it is given."""

    taken: list[bytes] = field(default_factory=list)

    async def append(self, message: bytes) -> str:
        self.taken.append(message)
        return f"0-{len(self.taken) - 1}"


class FakeAccessLog:
    """The topic `access` in memory."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes | None]] = []

    async def put(self, key: bytes, value: bytes | None) -> None:
        self.records.append((key, value))
