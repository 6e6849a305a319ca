"""A scripted api and a screen in front of it: what the tests of the wallboard in a real browser stand on.

What the api really streams has tests of its own.
"""

import json
import queue
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from api.http.board_page import board_page, pairing_page
from api.words.texts import ReaderWords
from tests.api.board.builders import CATALOGUE, Json, instant, make_freshness, make_row, make_snapshot, now

STATIC = Path(__file__).parents[3] / "api" / "static"
CHROMIUM = Path("/usr/bin/chromium")
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self'"
CONTENT_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

# A loaded machine is slow, not wrong: what comes, is waited for.
expect.set_options(timeout=60_000)

needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium"),
]


class Floor:
    """What the server knows and says: the snapshot for whoever connects, events to all, and its failures."""

    def __init__(self) -> None:
        self.snapshot = make_snapshot()
        self.is_refusing = False
        self.refusal: tuple[int, Json] | None = None
        """Status and problem document with which the stream is refused."""
        self.is_silent = False
        self.settings: Json | None = None
        """Of the screen, as the api puts them into its page; None: the address says what is shown."""
        self.answers: dict[str, Json] = {}
        """What is answered besides the stream and the catalogue, by path."""
        self.files: dict[str, tuple[str, bytes]] = {}
        """Pictures and sounds by path, each with its type."""
        self.number = 0
        self.requests: list[tuple[str, str | None]] = []
        self._screens: list[queue.SimpleQueue[bytes | None]] = []
        self._lock = threading.Lock()

    def event(self, kind: str, data: Json) -> bytes:
        self.number += 1
        return f"id: i1:{self.number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()

    def publish(self, kind: str, data: Json) -> None:
        with self._lock:
            self._say(self.event(kind, data))

    def say_raw(self, text: str) -> None:
        with self._lock:
            self._say(text.encode())

    def cut(self) -> None:
        """Break every open connection."""
        with self._lock:
            self._say(None)
            self._screens.clear()

    def connect(self) -> queue.SimpleQueue[bytes | None]:
        with self._lock:
            screen: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
            if not self.is_silent:
                screen.put(self.event("snapshot", self.snapshot))
            self._screens.append(screen)
            return screen

    def _say(self, what: bytes | None) -> None:
        for screen in self._screens:
            screen.put(what)


class FloorServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FloorHandler)
        self.begin()

    def begin(self) -> None:
        """Serve a new floor, to screens that are made from now on: what an earlier one still asks for is nothing."""
        self.floor = Floor()
        self.visit = uuid4().hex

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class FloorHandler(BaseHTTPRequestHandler):
    server: FloorServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if f"visit={self.server.visit}" not in self.headers.get("Cookie", ""):
            self._answer(410, "text/plain", b"")
            return
        self.server.floor.requests.append((self.path, self.headers.get("Last-Event-ID")))
        if path == "/v1/stream":
            self._stream()
        elif path.startswith("/v1/screens/codes/"):
            self._answer(202, "application/json", b'{"state": "waiting"}')
        elif path == "/v1/metrics":
            self._answer(200, "application/json", json.dumps({"rows": CATALOGUE}).encode())
        else:
            if path.startswith("/board/"):
                if self.server.floor.refusal is not None and self.server.floor.refusal[0] == 401:
                    self._answer(401, "text/html", pairing_page(ReaderWords("en")).encode())
                    return
                self._answer(200, "text/html", board_page(self.server.floor.settings).encode())
                return
            answer = self.server.floor.answers.get(path)
            if answer is not None:
                self._answer(200, "application/json", json.dumps(answer).encode())
                return
            if path in self.server.floor.files:
                self._answer(200, *self.server.floor.files[path])
                return
            file = STATIC / path.removeprefix("/static/")
            if file.is_file():
                self._answer(200, CONTENT_TYPES[file.suffix], file.read_bytes(), cached="max-age=3600, immutable")
            else:
                self._answer(404, "text/plain", b"")

    def do_POST(self) -> None:
        """A code for a screen that wants to be paired; nobody pairs it."""
        code = {"code": "K7M2QX", "claim": "claim", "expires_at": instant(now() + timedelta(minutes=5))}
        self._answer(201, "application/json", json.dumps(code).encode())

    def log_message(self, *arguments: Any) -> None:
        """Log nothing: tests read `requests`."""

    def _answer(self, status: int, content_type: str, body: bytes, cached: str = "no-store") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", cached)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        floor = self.server.floor
        if floor.is_refusing:
            self._answer(503, "text/plain", b"")
            return
        if floor.refusal is not None:
            status, problem = floor.refusal
            self._answer(status, "application/problem+json", json.dumps(problem).encode())
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        screen = floor.connect()
        self.wfile.write(b"retry: 200\n\n")
        while (chunk := screen.get()) is not None:
            try:
                self.wfile.write(chunk)
            except OSError:
                return


class Screen:
    """One page with the wallboard and what its console said."""

    def __init__(self, page: Page, server: FloorServer) -> None:
        self.page = page
        self.floor = server.floor
        self._url = server.url
        self.complaints: list[str] = []
        self.is_prepared = False
        page.on("console", self._note)
        page.on("pageerror", self._note_error)
        page.context.add_cookies([{"name": "visit", "value": server.visit, "url": server.url}])

    def prepare(self, script: str) -> None:
        """Run this in the page before anything of its own."""
        self.is_prepared = True
        self.page.add_init_script(script)

    def leave(self) -> None:
        """Hear no more of the page."""
        self.page.remove_listener("console", self._note)
        self.page.remove_listener("pageerror", self._note_error)

    def _note_error(self, error: Any) -> None:
        self.complaints.append(str(error))

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def stand_still(self) -> None:
        """Let the page's time go on only by `later`, from before it is opened; what it waits for goes on."""
        self.at = now()
        self.page.clock.set_fixed_time(self.at)

    def later(self, seconds: float) -> None:
        """So many seconds later on the page's clock, at once and drawn."""
        self.at += timedelta(seconds=seconds)
        self.page.clock.set_fixed_time(self.at)
        self.page.clock.run_for(1_100)  # its next look at the clock

    def hear_later(self, seconds: float) -> None:
        """So many seconds later, in which the server goes on as well; its clock is the one that the page goes by."""
        self.later(seconds)
        self.floor.publish("freshness", make_freshness(server_time=instant(self.at)))
        at = self.at.astimezone(ZoneInfo("Asia/Kuala_Lumpur"))
        expect(self.tile("foot").locator(".as-of")).to_have_text(f"As of {at:%H:%M:%S}")

    def let_time_pass(self) -> None:
        """Let the page's clock go on by itself from now on."""
        self.page.clock.set_system_time(now())

    def is_drawn(self) -> None:
        """Wait until what was said so far is on the screen: events are drawn in their order."""
        self.floor.publish("metrics", {"rows": [make_row({"calls_made": 4321})]})
        expect(self.figure("calls_made")).to_have_text("4,321")

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self._url}/board/floor{query}")

    def wait_until_at_rest(self, selector: str) -> None:
        """Wait until what moves or fades in there has arrived, however slow the machine is."""
        self.page.wait_for_function(
            "selector => { const node = document.querySelector(selector); return node"
            " && node.getAnimations({ subtree: true }).every((each) => each.playState === 'finished'); }",
            arg=selector,
        )

    def tile(self, name: str) -> Any:
        return self.page.locator(f'[data-tile="{name}"]')

    def figure(self, metric: str) -> Any:
        return self.page.locator(f'.figure[data-metric="{metric}"] .value')

    def rep(self, rep: str) -> Any:
        return self.page.locator(f'[data-tile="leaderboard"] .row[data-rep="{rep}"]')

    def lead(self, lead: str) -> Any:
        return self.page.locator(f'[data-tile="leads"] .row[data-lead="{lead}"]')

    def names(self) -> Any:
        return self.page.locator('[data-tile="leaderboard"] .row .name')


class Seats:
    """The page before which the tests of the folder sit one after the other; each finds it as if it were new."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._page: Page | None = None

    def page(self) -> Page:
        if self._page is None:
            self._page = self._browser.new_context(locale="en-US").new_page()
        self._page.set_viewport_size({"width": 1920, "height": 1080})
        return self._page

    def leave(self, screen: Screen) -> None:
        """End what the test has opened. A script that was put into the page cannot be taken out again."""
        screen.leave()
        if screen.is_prepared:
            self.close()
            return
        screen.page.emulate_media(reduced_motion="null")
        screen.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        screen.page.goto("about:blank")

    def close(self) -> None:
        if self._page is not None:
            self._page.context.close()
            self._page = None
