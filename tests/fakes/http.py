"""What the fake CRMs have in common: a server on loopback, a clock, counted limits, faults on demand."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Response:
    status: int
    data: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """In place of `data`."""


class Rolling:
    """So many requests in any stretch of so long, by the clock of the fake."""

    def __init__(self, most: int, per: float) -> None:
        self.most = most
        self.per = per
        self.over = 0
        """Requests that came though there was no room."""
        self._seen: deque[float] = deque()

    def takes(self, now: float) -> bool:
        while self._seen and self._seen[0] <= now - self.per:
            self._seen.popleft()
        if len(self._seen) >= self.most:
            self.over += 1
            return False
        self._seen.append(now)
        return True

    @property
    def left(self) -> int:
        return self.most - len(self._seen)


class FakeServer:
    """Subclasses answer requests; `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.requests: list[tuple[str, str]] = []
        """(method, path) of all that came."""
        self.faults: deque[Response | None] = deque()
        """Given in place of the next answers; None: the connection is cut off without one."""
        self.weather: Callable[[], Sequence[Response | None]] = tuple
        """Asked with each request: faults that come upon it."""
        self.hooks: dict[str, dict[str, Any]] = {}
        """What is subscribed, by its id, as the vendor shows it."""
        self.url = ""
        self.most_at_once = 0
        """Requests that were under way at one time."""
        self.delay = 0.0
        """Seconds that each answer takes."""
        self._under_way = 0
        self._counting = threading.Lock()

    def answer(self, request: Request) -> Response:
        raise NotImplementedError

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[str]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                parts = urlsplit(self.path)
                request = Request(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
                with fake._counting:
                    fake._under_way += 1
                    fake.most_at_once = max(fake.most_at_once, fake._under_way)
                time.sleep(fake.delay)
                with fake.lock:
                    fake.requests.append((request.method, request.path))
                    fake.faults.extend(() if fake.faults else fake.weather())
                    response = fake.faults.popleft() if fake.faults else fake.answer(request)
                with fake._counting:
                    fake._under_way -= 1
                if response is None:
                    self.close_connection = True
                    return
                raw = response.raw
                if raw is None:
                    raw = b"" if response.data is None else json.dumps(response.data).encode()
                self.send_response_only(response.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(raw)))
                for name, value in {"Date": formatdate(fake.clock(), usegmt=True), **response.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - as the standard library calls them

            def log_message(self, format: str, *args: Any) -> None:
                pass

            # Headers and body in one segment: else the second waits for the client's delayed acknowledgement.
            wbufsize = -1
            disable_nagle_algorithm = True

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that has gone away

        with Server(("127.0.0.1", port), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            try:
                yield self.url
            finally:
                server.shutdown()
                thread.join()
