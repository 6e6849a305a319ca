"""Builds the api from its parts and runs it: the only place that wires settings, routes and services.

create_app(settings, config, ingest=…, services=…)   the ASGI application, for uvicorn and for tests
main(settings)                                       the process: logs, sockets, signals, exit code
"""

import asyncio
import gc
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from types import FrameType
from typing import Protocol

import structlog
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from api.http.middleware import middleware
from api.http.open_streams import OpenStreams
from api.http.routes import (
    alerts,
    boards,
    connections,
    digest,
    docs,
    funnels,
    goals,
    health,
    leaderboards,
    leads,
    media,
    open_deals,
    people,
    prometheus,
    reps,
    root,
    runbooks,
    screens,
    series,
    standouts,
    stream,
    webhooks,
    wins,
)
from api.http.routes.screens import Screens
from api.http.routes.webhooks import WebhookEndpoint
from api.http.routing import RoutedApi
from api.logs import configure_logs
from api.read.access import AccessReader, are_keys_missing
from api.read.log_check import LogCheck
from api.read.read_side import ReadSide
from api.readiness import Readiness
from api.serving import listen, serve
from api.settings import Settings
from api.write.access_log import KafkaAccessLog
from api.write.ingest import DeliveryLog, Ingest
from api.write.own_definitions import FileDefinitions
from schemas.config import Config, ConfigError, load_config
from schemas.config.media_files import media_problems, media_remarks
from schemas.connectors import build_connector
from schemas.connectors.base import Connector, SecretError
from schemas.devices import COMMAND_LASTS, AccessBook, Command
from schemas.kafka_facts import KafkaFacts
from schemas.keys import KeyFileError, KeyStore, has_keys
from schemas.machine_clock import machine_clock
from schemas.refusals import tell_person
from schemas.topics import ALERT_ACTIONS
from schemas.tracing import OFF, Tracing, start_tracing

log = structlog.get_logger("api")

_VERSION = "0.1.0"
_STOP_SECONDS = 0.8
COLLECT_AFTER = (10_000, 2, 80)
"""After so many more objects the collector looks for cycles among them; each third time among those of the times before
as well; among all of them seldom. A hundred requests under way are more than Python's own 700, and no garbage: nothing
is gained by searching them again and again. But more at a time would hold the event loop longer than a request should
wait.
"""

READ_ROUTERS: tuple[APIRouter, ...] = (
    reps.router,
    leaderboards.router,
    funnels.router,
    series.router,
    standouts.router,
    goals.router,
    open_deals.router,
    digest.router,
    wins.router,
    leads.router,
    alerts.router,
    connections.router,
    stream.router,
    boards.router,
    people.router,
    media.router,
    screens.router,
    prometheus.router,
)
"""Every router of REST, SSE, wallboard and metrics; a process of the role `ingest` has none of them."""


class Service(Protocol):
    """Something that runs beside the requests. `start` returns at once: webhooks are taken while a view still loads."""

    async def start(self) -> None:
        """Begin, in tasks of its own."""

    async def stop(self) -> None:
        """End; what takes longer than a moment is cancelled."""


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
    clock: Callable[[], int] = machine_clock,
    tracing: Tracing = OFF,
) -> FastAPI:
    """The whole api of one process.

    `app.state` carries `settings`, `config`, `keys`, `clock`, `registry`, `readiness`, `stopping` (an asyncio.Event,
    set when the process is asked to end, so that streams can say goodbye), `streams`, `webhooks` (None: it takes
    none) and whatever `state` adds.
    `ingest` may be left out where the role is `read`. `services` start in order and stop in reverse.
    """
    registry = registry or CollectorRegistry()
    readiness = readiness or Readiness()
    running: list[Service] = [*services]
    if ingest is not None and settings.role != "read":
        running.insert(0, ingest)
        readiness.add("ingest", ingest.problems)

    app = RoutedApi(
        title="floorcast",
        version=_VERSION,
        description="Live, exact sales-floor metrics. Errors are `application/problem+json`.",
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        middleware=middleware(settings, config.cors),
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
    app.state.stopping = asyncio.Event()
    app.state.streams = OpenStreams(most=settings.max_streams, most_of_key=settings.max_streams_per_key)
    app.state.webhooks = None
    for name, value in (state or {}).items():
        setattr(app.state, name, value)

    if ingest is not None and settings.role != "read":
        app.state.webhooks = WebhookEndpoint(
            settings,
            connections=config.connections,
            connectors=build_connectors(config) if connectors is None else connectors,
            ingest=ingest,
            registry=registry,
            clock=clock,
            tracing=tracing,
        )
        _add(app, webhooks.router_of(app.state.webhooks))
    if settings.role == "ingest":
        _add(app, prometheus.ingest_router)
    else:
        for router in READ_ROUTERS:
            _add(app, router)
        app.mount("/static", boards.static_files())
    for router in (health.router, docs.router, runbooks.router, root.router):
        _add(app, router)
    return app


def _add(app: FastAPI, router: APIRouter) -> None:
    """Its routes among those of the app, each looked at once: `include_router` matches an address twice."""
    app.router.routes.extend(router.routes)


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
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    gc.enable()  # the command line has turned it off while it imported
    try:
        config = load_config(settings.config, os.environ)
        connectors = build_connectors(config)
        if settings.role != "ingest":
            wrong = media_problems(settings.config, config)
            if wrong:
                return _refuse(*wrong)
            for remark in media_remarks(settings.config, config):
                log.warning("media.missing", what=remark)
        for remark in config.connection_remarks():
            log.warning("connection.not_advised", what=remark)
        if not settings.is_loopback and not has_keys(settings.keys) and asyncio.run(are_keys_missing(settings)):
            return _refuse(f"host {settings.host} is not this machine alone: make a key first (floorcast keys create)")
        listener = listen(settings)
    except ConfigError as error:
        return _refuse(*error.problems)
    except KeyFileError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}")
    registry = CollectorRegistry()
    read_side = None if settings.role == "ingest" else build_read_side(settings, config, registry)
    actions = Ingest(settings, topic=ALERT_ACTIONS)
    readiness = Readiness()
    access_log = KafkaAccessLog(settings.kafka.options(), settings.prefix, timeout=settings.produce_timeout_seconds)
    paired = Screens(AccessBook(), access_log)
    keys = KeyStore(settings.keys, loopback=settings.is_loopback, verifier_sha256=settings.verifier_key_sha256)
    keys.shared = paired.book
    reader = AccessReader(settings, paired.book, keys, access_log)
    defined = read_side or FileDefinitions(settings.config, config)
    services: list[Service] = []
    log_check = None if read_side is None else read_side.log_check
    if log_check is None:
        log_check = LogCheck(KafkaFacts(settings.kafka), prefix=settings.prefix, clock=machine_clock)
        services = [log_check, access_log, reader, defined]
    readiness.add("ingest", log_check.ingest_problems)
    if read_side is not None:
        reader.on_command = lambda said: tell_device(read_side, paired.book, said, machine_clock())
        reader.on_revoked = read_side.broadcaster.wake
        readiness.add("read", read_side.problems)
        readiness.add("read", reader.problems)
        services = [read_side, actions, access_log, reader]
    _hear_hangup(defined.ask_reload)
    with closing(start_tracing(settings.traces, "floorcast-api")) as tracing:
        app = create_app(
            settings,
            config,
            ingest=None
            if settings.role == "read"
            else Ingest(settings, tracing=tracing, definitions=lambda: defined.definitions),
            services=services,
            state={"read_side": read_side, "alert_actions": actions, "screens": paired, "keys": keys},
            connectors=connectors,
            registry=registry,
            readiness=readiness,
            tracing=tracing,
        )
        serve(app, settings, listener)
    return 0


def build_read_side(
    settings: Settings, config: Config, registry: CollectorRegistry, *, clock: Callable[[], int] = machine_clock
) -> ReadSide:
    """View, consumer, broadcaster and exporter of this process."""
    return ReadSide(
        settings,
        config,
        registry=registry,
        clock=clock,
        # Numbers of events mean something only within one process.
        instance=secrets.token_hex(4),
        build=boards.board_build,
        asking=KafkaFacts(settings.kafka),
    )


def tell_device(read_side: ReadSide, book: AccessBook, command: Command, now: int) -> None:
    """What somebody wants of a screen, if it is looked at here and was said a moment ago."""
    if now - command.at > COMMAND_LASTS:
        return
    said: dict[str, object] = {"scene": command.scene}
    if command.identify:
        device = book.devices.get(command.device)
        said = {"identify": True, "device": command.device, "name": None if device is None else device.name}
    elif command.reload:
        said = {"reload": True}
    read_side.broadcaster.command(command.device, said)


def _hear_hangup(then: Callable[[], None]) -> None:
    """SIGHUP ends nothing: what is defined is read again."""

    def hear(_number: int, _frame: FrameType | None) -> None:
        then()

    signal.signal(signal.SIGHUP, hear)


def _refuse(*reasons: str) -> int:
    """Say why it does not run: at a terminal a line each, and always as the last line of the log."""
    for reason in reasons:
        tell_person(f"floorcast api: {reason}")
    log.critical("process.ended", code=2, why="; ".join(reasons))
    return 2
