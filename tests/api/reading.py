"""The reading half of the api over the whole pipeline in memory: changes in, answers out, the test's clock.

Owns the wiring: the real routes, view and broadcaster; no Kafka. What the pipeline publishes is applied as it comes.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from api.app import build_read_side, create_app
from api.read.broadcast import Broadcaster
from api.read.exposition import Exposition, Picture
from api.read.piecemeal import at_once
from api.read.subscriptions import Filter, Subscription
from api.read.view import View
from api.settings import Settings
from api.write.ingest import DeliveryLog
from schemas.config import Config
from schemas.keys import ApiScope, create_key
from schemas.records import RecordChange
from tests.builders import instant, make_config
from tests.pipeline import Pipeline

NOW = "2026-03-18T15:30:20.500Z"
"""23:30:20.5 in Kuala Lumpur."""


def floor_config(**more: Any) -> Config:
    """Make the configuration of most tests: two teams, four reps, demo requests to be answered in 5 minutes."""
    sections: dict[str, Any] = {
        "timezone": "Asia/Kuala_Lumpur",
        "teams": {"north": {"name": "North"}, "south": {}},
        "reps": {
            "r1": {"name": "Ana", "team": "north"},
            "r2": {"name": "Ben", "team": "north"},
            "r3": {"name": "Cleo", "team": "south"},
            "r4": {"name": "Dora"},
        },
        "lead_response": {"rules": [{"when": {"source": "demo_request"}, "sla": "5m"}, {"sla": "1h"}]},
    }
    return make_config(**sections | more)


def render(picture: Picture) -> bytes:
    """The text of one scrape, with nothing remembered."""
    return b"".join(Exposition().pieces(picture))


def subscribe(
    broadcaster: Broadcaster, wanted: Filter, now: int, last_event_id: str | None = None
) -> tuple[Subscription, bytes]:
    """A new client and its first event, with no pause between the pieces of it."""
    return at_once(broadcaster.subscribing(wanted, last_event_id, lambda: now))


class ToldPipeline(Pipeline):
    """A pipeline that applies to a view what it publishes, message by message, tombstones too."""

    def __init__(self, config: Config, view: View) -> None:
        self.view_told = view
        super().__init__(config)

    def _publish(self, topic: str, p: int, messages: Iterable[tuple[bytes, bytes | None]]) -> None:
        messages = list(messages)
        super()._publish(topic, p, messages)
        for key, value in messages:
            self.view_told.apply(topic, key, value)


def make_view(config: Config) -> View:
    """Make an empty view."""
    return View(config)


class Floor:
    """One api and its pipeline."""

    def __init__(
        self, data: Path, config: Config | None = None, now: str | int = NOW, *, ingest: DeliveryLog | None = None
    ) -> None:
        """`ingest`: where it takes deliveries too."""
        self.config = config or floor_config()
        self.now = instant(now)
        self.settings = Settings(data=data, role="read" if ingest is None else "all")
        self.registry = CollectorRegistry()
        self.read_side = build_read_side(self.settings, self.config, self.registry, clock=self.clock)
        self.read_side.consumer.is_loaded = True
        self.view = self.read_side.view
        self.pipeline = ToldPipeline(self.config, self.view)
        self.app: FastAPI = create_app(
            self.settings,
            self.config,
            ingest=ingest,
            state={"read_side": self.read_side},
            registry=self.registry,
            clock=self.clock,
        )

    def clock(self) -> int:
        return self.now

    def take(self, *changes: RecordChange) -> None:
        """Let the CRM say this."""
        self.pipeline.take(changes)

    def key(self, scope: str = "read", team: str | None = None, expires_at: int | None = None) -> dict[str, str]:
        """Headers with a new key; from the first one on, nobody gets in without."""
        token = create_key(self.settings.keys, ApiScope(scope), now=self.now, team=team, expires_at=expires_at)
        return {"authorization": f"Bearer {token}"}

    async def get(self, path: str, headers: dict[str, str] | None = None, **parameters: Any) -> httpx.Response:
        """One answer, whatever it is."""
        query = {name.rstrip("_"): value for name, value in parameters.items()}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.get(path, params=query or None, headers=headers)

    async def post(self, path: str, content: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        """One answer to an action."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.post(path, json=content, headers=headers)

    async def read(self, path: str, **parameters: Any) -> Any:
        """The JSON of an answer that must be 200."""
        answer = await self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, path: str, **parameters: Any) -> tuple[int, str | None]:
        """Status and field of an answer that must be a problem document."""
        answer = await self.get(path, **parameters)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert "\n" not in problem["detail"]
        return answer.status_code, problem.get("field")
