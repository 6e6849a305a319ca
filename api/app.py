"""Builds the api from its parts and runs it: the only place that wires settings, routes and services.

create_app(settings, config, ingest=…, services=…)   the ASGI application, for uvicorn and for tests
main(settings)                                       the process: logs, sockets, signals, exit code
"""

import asyncio
import gc
import logging
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import FrameType
from typing import Protocol

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from api.direct import direct_protocol
from api.http.errors import CatchUnknownErrors, install_error_handlers
from api.http.headers import SecurityHeaders
from api.http.identity import system_clock
from api.http.keys import KeyFileError, KeyStore, has_keys
from api.http.routes import alerts, boards, docs, health, leaderboards, leads, prometheus, reps, stream
from api.http.routes.health import Readiness
from api.http.routes.questions import QuestionGate, Questions
from api.http.routes.webhooks import WebhookEndpoint, WebhookGate
from api.read.read_side import ReadSide
from api.server import bounded_protocol
from api.settings import Settings, config_environment
from api.write.ingest import DeliveryLog, Ingest
from schemas.catalogue import shipped_catalogue
from schemas.config import Config, ConfigError, load_config
from schemas.connectors import build_connector
from schemas.connectors.base import Connector, SecretError
from schemas.topics import ALERT_ACTIONS

log = structlog.get_logger("api")

_VERSION = "0.1.0"
_GRACEFUL_SECONDS = 2
_STOP_SECONDS = 0.8
_BACKLOG = 2048
_NEW_OBJECTS = 20_000
"""After so many more the collector looks for cycles. A hundred requests under way are more than Python's own 700, and
no garbage: to search them again and again took 15 µs of each delivery, and takes none now (gc.callbacks, no sockets).
"""

READ_ROUTERS: tuple[APIRouter, ...] = (
    reps.router,
    leaderboards.router,
    leads.router,
    alerts.router,
    stream.router,
    boards.router,
    prometheus.router,
)
"""Every router of REST, SSE, wallboard and metrics; a process of the role `ingest` has none of them."""


class Service(Protocol):
    """Something that runs beside the requests. `start` returns at once: webhooks are taken while a view still loads."""

    async def start(self) -> None:
        """Begin, in tasks of its own."""
        ...

    async def stop(self) -> None:
        """End; what takes longer than a moment is cancelled."""
        ...


def create_app(
    settings: Settings,
    config: Config,
    *,
    ingest: DeliveryLog | None = None,
    services: Sequence[Service] = (),
    state: Mapping[str, object] | None = None,
    connectors: Mapping[str, Connector] | None = None,
    registry: CollectorRegistry | None = None,
    readiness: Readiness | None = None,
    clock: Callable[[], int] = system_clock,
) -> FastAPI:
    """The whole api of one process.

    `app.state` carries `settings`, `config`, `keys`, `clock`, `registry`, `readiness`, `questions`, `stopping` (an
    asyncio.Event, set when the process is asked to end, so that streams can say goodbye), `webhooks` (None: it takes
    none) and whatever `state` adds.
    `ingest` may be left out where the role is `read`. `services` start in order and stop in reverse.
    """
    registry = registry or CollectorRegistry()
    readiness = readiness or Readiness()
    running: list[Service] = [*services]
    if ingest is not None and settings.role != "read":
        running.insert(0, ingest)
        readiness.add("ingest", ingest.problems)

    app = _Api(
        title="floorcast",
        version=_VERSION,
        description="Live, exact sales-floor metrics. Errors are `application/problem+json`.",
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(running),
    )
    app.state.settings = settings
    app.state.config = config
    app.state.keys = KeyStore(
        settings.keys, loopback=settings.is_loopback, verifier_sha256=settings.verifier_key_sha256
    )
    app.state.clock = clock
    app.state.registry = registry
    app.state.readiness = readiness
    app.state.questions = Questions()
    app.state.stopping = asyncio.Event()
    app.state.webhooks = None
    for name, value in (state or {}).items():
        setattr(app.state, name, value)

    app.include_router(health.router)
    app.include_router(docs.router)
    webhooks: WebhookEndpoint | None = None
    if ingest is not None and settings.role != "read":
        webhooks = WebhookEndpoint(
            settings,
            connections=config.connections,
            connectors=build_connectors(config) if connectors is None else connectors,
            ingest=ingest,
            registry=registry,
            clock=clock,
        )
    if settings.role == "ingest":
        app.include_router(prometheus.ingest_router)
    else:
        for router in READ_ROUTERS:
            app.include_router(router)
        app.mount("/static", boards.static_files())

    install_error_handlers(app)
    app.gate = QuestionGate(app.serve, questions=app.state.questions, owner=app)
    if webhooks is not None:
        app.gate = WebhookGate(app.gate, webhooks=webhooks)
        app.state.webhooks = webhooks
    app.add_middleware(CatchUnknownErrors)
    app.add_middleware(SecurityHeaders)
    return app


class _Api(FastAPI):
    """FastAPI behind gates: what they answer does not pass its middleware, which was a fifth of a delivery's cost."""

    gate: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await (self.gate or self.serve)(scope, receive, send)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one that is not for the gate."""
        scope[stream.PLAIN_SEND] = send
        await super().__call__(scope, receive, send)


def build_connectors(config: Config) -> dict[str, Connector]:
    """A connector for each connection. Raises ConfigError that names each secret that cannot be used."""
    connectors: dict[str, Connector] = {}
    problems: list[str] = []
    for name, connection in config.connections.items():
        try:
            connectors[name] = build_connector(connection)
        except SecretError as error:
            problems.append(f"connections.{name}.{error}")
    if problems:
        raise ConfigError(problems)
    return connectors


def _lifespan(services: Sequence[Service]) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        started: list[Service] = []
        try:
            for service in services:
                await service.start()
                started.append(service)
            yield
        finally:
            app.state.stopping.set()
            for service in reversed(started):
                await _stop(service)

    return lifespan


async def _stop(service: Service) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await service.stop()
    except Exception:
        # The others must still be stopped.
        log.exception("service.stop_failed", service=type(service).__name__)


def main(settings: Settings) -> int:
    """Run the api until SIGTERM or SIGINT. Exit code 0, or 2 with a line that says what is wrong."""
    configure_logs()
    # What the imports made lives as long as the process: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)
    try:
        config = load_config(settings.config, config_environment())
        connectors = build_connectors(config)
        for name, connection in config.connections.items():
            for setting, why in connection.remarks().items():
                log.warning("connection.not_advised", setting=f"connections.{name}.{setting}", why=why)
        if not settings.is_loopback and not has_keys(settings.keys):
            return _refuse(f"host {settings.host} is not this machine alone: make a key first (floorcast keys create)")
        listener = _listen(settings)
    except (ConfigError, KeyFileError) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}")
    registry = CollectorRegistry()
    read_side = None if settings.role == "ingest" else build_read_side(settings, config, registry)
    actions = Ingest(settings, topic=ALERT_ACTIONS)
    readiness = Readiness()
    if read_side is not None:
        readiness.add("read", read_side.problems)
    app = create_app(
        settings,
        config,
        ingest=None if settings.role == "read" else Ingest(settings),
        services=() if read_side is None else (read_side, actions),
        state={"read_side": read_side, "alert_actions": actions},
        connectors=connectors,
        registry=registry,
        readiness=readiness,
    )
    serve(app, settings, listener)
    return 0


def build_read_side(
    settings: Settings, config: Config, registry: CollectorRegistry, *, clock: Callable[[], int] = system_clock
) -> ReadSide:
    """View, consumer, broadcaster and exporter of this process."""
    return ReadSide(
        settings,
        config,
        shipped_catalogue(),
        registry=registry,
        clock=clock,
        # Numbers of events mean something only within one process.
        instance=secrets.token_hex(4),
        build=boards.build(),
    )


def serve(app: FastAPI, settings: Settings, listener: socket.socket) -> None:
    """Serve on a socket that listens already, until a signal comes."""
    host, port = listener.getsockname()[:2]
    log.info("api.started", host=host, port=port, role=settings.role)
    build_server(app, settings).run(sockets=[listener])
    log.info("api.stopped")


def build_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The HTTP server with all its limits."""
    webhooks: WebhookEndpoint | None = app.state.webhooks
    return _Server(
        uvicorn.Config(
            app,
            http=bounded_protocol(settings) if webhooks is None else direct_protocol(settings, webhooks),
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
        app.state.stopping,
    )


class _Server(uvicorn.Server):
    """Ends on a signal with exit code 0 (uvicorn raises the signal again), and tells the streams first."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ask for an orderly end; a second signal for an immediate one."""
        again = self.should_exit
        super().handle_exit(sig, frame)
        self._captured_signals.clear()
        self.force_exit = again

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, by uvicorn."""
        if self.should_exit:
            self._stopping.set()
        return await super().on_tick(counter)


def _listen(settings: Settings) -> socket.socket:
    host = "127.0.0.1" if settings.host.lower() == "localhost" else settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, settings.port), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


def _refuse(reason: str) -> int:
    print(f"floorcast api: {reason}", file=sys.stderr)  # noqa: T201 - the one thing said before logs exist
    return 2


def configure_logs() -> None:
    """JSON lines on stderr, of ours and of the libraries."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # uvicorn warns of each malformed request, aiokafka of each try to reach a broker that is away.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
