"""Runs the app on uvicorn: the socket, the server's settings, signals and an orderly end.

The limits on connections and requests are server.py's.
"""

import asyncio
import socket
import time
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from api.readiness import Readiness
from api.server import bounded_protocol
from api.settings import Settings

log = structlog.get_logger("api")

_GRACEFUL_SECONDS = 2
_BACKLOG = 2048


def serve(app: FastAPI, settings: Settings, listener: socket.socket) -> None:
    """Serve on a socket that listens already, until a signal comes."""
    host, port = listener.getsockname()[:2]
    log.info("api.started", host=host, port=port, role=settings.role)
    build_server(app, settings).run(sockets=[listener])
    log.info("api.stopped")


def build_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The HTTP server with all its limits."""
    return _Server(
        uvicorn.Config(
            app,
            http=bounded_protocol(settings),
            ws="none",
            loop="uvloop",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            # Longer than the idle time of load balancers and clients: they would post into a closing connection.
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
            backlog=_BACKLOG,
        ),
        app,
        settings.drain_seconds,
    )


class _Server(uvicorn.Server):
    """Ends on a signal with exit code 0 (uvicorn raises the signal again), and tells the streams first.

    For `drain_seconds` before that it serves on and is not ready, so that a load balancer has time to look elsewhere. A
    second signal cuts that short, one more ends at once.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_seconds: float) -> None:
        super().__init__(config)
        self._stopping: asyncio.Event = app.state.stopping
        self._drain_seconds = drain_seconds
        self._ends_at: float | None = None
        readiness: Readiness = app.state.readiness
        for part in ("ingest", "read"):
            readiness.add(part, self._problems)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ask for an orderly end; a second signal for an immediate one."""
        if self._ends_at is None and self._drain_seconds:
            self._ends_at = time.monotonic() + self._drain_seconds
            return
        again = self.should_exit
        super().handle_exit(sig, frame)
        self._captured_signals.clear()
        self.force_exit = again

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, by uvicorn."""
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            self.should_exit = True
        if self.should_exit:
            self._stopping.set()
        return await super().on_tick(counter)

    def _problems(self) -> list[str]:
        return [] if self._ends_at is None else ["this process was told to end"]


def listen(settings: Settings) -> socket.socket:
    """A socket that listens. Raises OSError."""
    host = "127.0.0.1" if settings.host.lower() == "localhost" else settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, settings.port), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener
