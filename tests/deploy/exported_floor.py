"""A small sales floor as the api exports it, for Prometheus to scrape: its numbers grow with each scrape.

Records go through the real pipeline and view, deliveries through the real webhook endpoint, and the text is the real
exporter's. Owns what happens on that floor, and the server that Prometheus asks. Expects nothing.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry, generate_latest

from api.read.exposition import Picture, ResponseHistogram, exported_leads
from api.read.goal_rows import exported_goals
from api.read.latency import Latency
from api.read.piecemeal import at_once
from api.read.view import Scope, ScopeValues, View
from api.write.refusals import UnacknowledgedError
from schemas.catalogue.reading import shipped
from schemas.connection_states import ConnectionState, LimitsState, SubscriptionState
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.progress import STAGES, Progress
from schemas.records import RecordChange
from schemas.verifications import Verification
from schemas.windows import span_of
from tests.api.fakes import PASSWORD, FakeIngest
from tests.api.live import make_app, make_settings
from tests.api.reading import ToldPipeline, make_view, render
from tests.builders import change, make_config

TOKEN = "fc_0123456789ab.of-the-test"  # noqa: S105 - checked by the server below
TEAMS = {"ana": "north", "bo": "north", "cy": "south", "dee": None}
WINDOWS = ("today", "24h")


STATE = ConnectionState(
    at=0, missed_day={"deal": 2}, changed_day=500, limits=LimitsState(12, 100),
    subscription=SubscriptionState("active"), problem="forbidden",
)  # fmt: skip


class ExportedFloor:
    """What `/metrics` answers. `waits`: a lead of team north that nobody answers, for so many microseconds already."""

    def __init__(self, folder: Path, *, now: int, waits: int) -> None:
        config = make_config(
            teams={"north": {"name": "North"}, "south": {"name": "South"}},
            reps={rep: {"name": rep.title(), "team": team} for rep, team in TEAMS.items() if team is not None},
            lead_response={"rules": [{"sla": "30m"}]},
            pipelines={"sales": {"steps": ["talk", "offer"]}},
            goals={"calls": {"metric": "calls_made", "period": "day", "amounts": [{"each": 3}]}},
        )
        self._view = make_view(config)
        self._pipeline = ToldPipeline(config, self._view)
        self._registry = CollectorRegistry()
        self._latency = Latency(self._registry)
        self._ingest = FakeIngest()
        self._app = make_app(make_settings(folder), self._ingest, registry=self._registry)
        self._lock = threading.Lock()
        self._scrapes = 0
        self._pipeline.take([*_day(now), change("lead", "waits", now - waits, rep="ana", received_at=now - waits)])

    def text(self, now: int) -> bytes:
        """What is exported at `now`, after a little more has happened."""
        with self._lock:
            self._scrapes += 1
            self._pipeline.take(_answered_lead(f"l-{self._scrapes}", "ana", now - 20 * MINUTE, 5 * MINUTE))
            self._latency.observe(now, now - 20_000)
            asyncio.run(self._deliver())
            return render(self._picture(now)) + generate_latest(self._registry)

    async def _deliver(self) -> None:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for password, failure in (
                (PASSWORD, None),
                ("wrong", None),
                (PASSWORD, UnacknowledgedError("not now", retry_after=2)),
            ):
                self._ingest.failure = failure
                await client.post(
                    "/webhooks/feed",
                    content=b"{}",
                    headers={"x-password": password, "content-type": "application/json"},
                )

    def _picture(self, now: int) -> Picture:
        view = self._view
        view.advance(now)
        responses = ResponseHistogram(view)
        responses.observe(view.clocks, now)
        leads = at_once(exported_leads(view, now))
        today = view.calendar.day_of(now)
        teams = {rep: view.roster.team_on(rep, today) for rep in view.reps()}
        return Picture(
            catalogue=shipped().metrics,
            windows={window: _values(view, window, now) for window in WINDOWS},
            teams=teams,
            goals=at_once(exported_goals(view, teams, now)),
            waiting=leads.counts,
            oldest=leads.oldest,
            responses=responses.teams,
            connections={"feed": STATE},
            progress={(stage, 0): self._progress(now) for stage in STAGES},
            lag={("deliveries", 0): 3, ("record-changes", 0): 0, ("engagements", 0): 1},
            deals_without_rate=view.deals_without_rate(),
            negative_durations=view.negative_durations(),
            behind_seconds=0.2,
            verification=Verification(now - MINUTE, now - MINUTE, 5 * MINUTE, "", 40, 60),
            is_ready=True,
        )

    def _progress(self, now: int) -> Progress:
        counters = {"events": 40, "duplicates": 3, "late": 1, "ignored.unknown_record": 2, "dead.feed.unreadable": 1}
        return Progress(
            offset=self._scrapes,
            log_at=now,
            counters={name: count * self._scrapes for name, count in counters.items()},
            connections={"feed": (now - SECOND, now - SECOND)},
        )


def _values(view: View, window: str, now: int) -> dict[Scope, ScopeValues]:
    span = span_of(window, now, view.calendar)
    return {scope: view.values(scope, span, now) for scope in view.scopes()}


def _day(now: int) -> list[RecordChange]:
    """Something of everything, within this day and the last 24 hours."""
    # A day that has just begun has no hours before now: everything then happened at its beginning.
    at = max(now - HOUR, now - now % DAY)
    changes = []
    for place, rep in enumerate(TEAMS):
        changes += [
            change("call", f"c-{rep}-{n}", at, rep=rep, direction="outbound", dialed_at=at, outcome="connected",
                   talk_seconds=90)
            for n in range(place + 1)
        ]  # fmt: skip
        changes += [
            change("call", f"n-{rep}", at, rep=rep, direction="outbound", dialed_at=at, outcome="no_answer"),
            change("email", f"e-{rep}", at, rep=rep, direction="outbound", sent_at=at, thread=rep),
            change("email", f"r-{rep}", at, rep=rep, direction="inbound", sent_at=at, thread=rep),
            change("meeting", f"m-{rep}", at, rep=rep, booked_at=at, starts_at=at, outcome="held"),
            change("deal", f"won-{rep}", at, rep=rep, status="won", created_at=at - 9 * DAY, closed_at=at,
                   amount="1200.50", currency="USD"),
            change("deal", f"lost-{rep}", at, rep=rep, status="lost", created_at=at - DAY, closed_at=at),
            change("deal", f"open-{rep}", at, rep=rep, status="open", created_at=at, stage="talk"),
            *_answered_lead(f"a-{rep}", rep, at, (place + 1) * MINUTE),
        ]  # fmt: skip
    return changes


def _answered_lead(lead: str, rep: str, at: int, after: int) -> list[RecordChange]:
    return [
        change("lead", lead, at, rep=rep, received_at=at, source="website"),
        change("call", f"answer-{lead}", at + after, rep=rep, lead=lead, direction="outbound", dialed_at=at + after),
    ]


def clock() -> int:
    """The machine's clock, in microseconds."""
    return time.time_ns() // 1000


@contextmanager
def serving(floor: ExportedFloor) -> Iterator[str]:
    """Serve the floor to who has the token; gives `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.path == "/metrics" and self.headers.get("Authorization") == f"Bearer {TOKEN}"
            body = floor.text(clock()) if allowed else b""
            self.send_response(200 if allowed else 401)
            self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
