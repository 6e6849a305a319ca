"""The worker process: reads the configuration, checks the topics, runs the Faust app until it is told to stop.

Owns exit codes of the process, its port and the watch over it. What it runs is wired in topology.py.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NoReturn

import structlog
import uvloop
from prometheus_client import CollectorRegistry

from processor import native
from processor.heap import collect_seldom, give_back_large_blocks
from processor.known_keys import follow_keys
from processor.logs import configure_logging, refuse
from processor.machine import outlive_hangup
from processor.settings import Settings
from processor.telemetry import Vitals, Watchman, WorkerMetrics
from processor.told_to_end import end_when_told
from processor.topology import build_app
from processor.transport.administration import KafkaError, TopicsError, ensure_topics, find_generations
from processor.transport.ends import LogEnds
from processor.transport.fail_stop import FAILED, InUse, die, or_die
from processor.transport.following import MissingTopicError
from processor.transport.generations import read_served, settled_generation, until_switched
from processor.transport.phone_number_key import read_numbers
from processor.transport.worker import StagedApp, run_worker
from schemas import tasks
from schemas.config import Config, ConfigError, load_config
from schemas.definitions import definitions_digest
from schemas.devices import AccessBook
from schemas.exit_codes import ExitCode
from schemas.generations import Served
from schemas.kafka_refusals import missing_right, what_failed
from schemas.keys import KeyStore
from schemas.numbers import PhoneNumbers
from schemas.topics import GENERATIONS
from schemas.tracing import start_tracing

_SWITCH_SECONDS = 0.0005
_SETTLING_SECONDS = 20.0
_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


def main(settings: Settings) -> int:
    """Run a worker. 0 after SIGTERM or SIGINT; 2 for a wrong configuration or topics; 3 if Kafka cannot be reached."""
    settle_process()
    configure_logging()
    InUse.kafka = settings.kafka
    hangup = Hangup()
    outlive_hangup(hangup.hear)
    try:
        config = load_config(settings.config, os.environ)
    except ConfigError as error:
        return refuse("worker", ExitCode.WRONG_USE, *error.problems)
    try:
        served, numbers = asyncio.run(_settle(settings, config))
    except TopicsError as error:
        return refuse("worker", ExitCode.WRONG_USE, *error.problems)
    except (KafkaError, OSError, TimeoutError) as error:
        return refuse("worker", ExitCode.UNREACHABLE, asyncio.run(what_failed(settings.kafka, error)))
    try:
        listener = _listen(settings.worker_host, settings.worker_port)
    except OSError as error:
        port, host = settings.worker_port, settings.worker_host
        return refuse(
            "worker", ExitCode.WRONG_USE, f"port {port} on {host} cannot be opened: {error.strerror or error}"
        )
    return _work(settings, config, served, numbers, listener, hangup)


def settle_process() -> None:
    """Set what a worker's process has other than Python's: memory, its collector, threads and loops. Called first."""
    give_back_large_blocks()
    collect_seldom()
    # Faust fetches in a thread of its own: with Python's 5 ms, each hand-over may wait that long for the interpreter.
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Also for the loop of that thread. At 1,000 events/s a batch costs 0.48 ms of CPU on it, and 0.58 on asyncio's own.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


class Hangup:
    """What becomes of SIGHUP: both files are read again, once somebody works by them."""

    def __init__(self) -> None:
        self._was_heard = False
        self._then: Callable[[], object] | None = None

    def hear(self) -> None:
        """Called by the signal. Before there is a loop the files have just been read, or are read now."""
        self._was_heard = True
        if self._then is not None:
            self._then()

    def lead_to(self, then: Callable[[], object]) -> None:
        """From now on to this; also what was heard before."""
        self._then = then
        if self._was_heard:
            then()


def _work(
    settings: Settings,
    config: Config,
    served: Served,
    numbers: PhoneNumbers,
    listener: socket.socket | None,
    hangup: Hangup,
) -> int:
    # Faust keeps a loop from its import on; one of our own that is open and current is what its worker runs on.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    tracing = start_tracing(settings.traces, "floorcast-worker")
    app = build_app(settings, config, served, numbers, tracing)
    if not native.COMPILED:
        log.warning("native.in_python", state=native.STATE)
    registry = CollectorRegistry()
    vitals = Vitals(app.live)
    metrics = WorkerMetrics(vitals, app.live, registry)
    app.live.observer = metrics
    switch = _Switch(settings, config, served, app)
    hangup.lead_to(lambda: loop.call_soon_threadsafe(switch.reload))
    keys, book = KeyStore(settings.keys, loopback=True), AccessBook()
    keys.shared = book
    following_ends = partial(vitals.follow_ends, LogEnds(settings.kafka))
    following_keys = partial(follow_keys, settings.kafka, settings.prefix, book)
    # Not Faust's tasks: those begin only after the first load.
    beside: dict[str, Coroutine[Any, Any, object]] = {
        "generations": tasks.without_end(switch.watch, "generations"),
        "beat": vitals.beat(metrics.on_lag),
        "ends": tasks.without_end(following_ends, "ends"),
    }
    if app.log_watch is not None:
        beside["log watch"] = or_die(app.log_watch.run(), "the watch over the log", die)
    if listener is not None:
        beside["keys"] = tasks.without_end(following_keys, "keys")
    running = [loop.create_task(work, name=name) for name, work in beside.items()]

    async def end_tasks(*_args: Any, **_rest: Any) -> None:
        for task in running:
            task.cancel()

    app.on_before_shutdown.connect(end_tasks, weak=False)
    with Watchman(vitals, registry, listener, stall_seconds=settings.stall, keys=keys):
        try:
            run_worker(app, override_logging=False)
        except SystemExit as end:
            if end.code or not switch.is_due:
                return end.code if isinstance(end.code, int) else 1
        finally:
            tracing.close()
    end_when_told()
    if app.ending.was_told:
        return 0
    _begin_anew()


class _Switch:
    """Ends this worker when another generation is to be written, or by other definitions."""

    def __init__(self, settings: Settings, config: Config, served: Served, app: StagedApp) -> None:
        self._settings = settings
        self._config = config
        self._served = served
        self._app = app
        self.is_due = False

    def reload(self) -> None:
        """Begin anew with what both files say now. A file with an error changes nothing."""
        try:
            config = load_config(self._settings.config, os.environ)
        except ConfigError as error:
            log.error("reload.refused", problems=error.problems)
            return
        if config.says_the_same(self._config):
            log.info("reload.unchanged")
            return
        log.info("reload.begins", definitions=definitions_digest(config))
        self.is_due = True
        self._app.ending.end_itself()

    async def watch(self) -> None:
        """Wait for it, then end as by a signal from outside: what is done is committed."""
        while not self.is_due:
            try:
                await until_switched(self._settings.kafka, self._settings.prefix, self._served)
            except (KafkaError, OSError, TimeoutError, MissingTopicError) as error:
                if missing_right(None, error):  # a stage that still recovers would be told of it only much later
                    die(FAILED, "which generation is served cannot be read", error=error)
                log.warning("generations.interrupted", error=type(error).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                log.info("generation.left", generation=self._served.generation)
                self.is_due = True
                self._app.ending.end_itself()


def _begin_anew() -> NoReturn:
    """Become a new process of the same command: Faust cannot be run twice in one, and the configuration is read again.

    Not an exit: this works without a supervisor too, and to one nothing has died.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the new one hears it
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the command that we are


def _listen(host: str, port: int) -> socket.socket | None:
    """The worker's own port; None for port 0. Raises OSError."""
    if port == 0:
        return None
    host = host.strip("[]")
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


async def _settle(settings: Settings, config: Config) -> tuple[Served, PhoneNumbers]:
    """Which generation to write, whose topics are there and right; and what is kept of telephone numbers."""
    async with asyncio.timeout(_SETTLING_SECONDS):
        await read_served(settings.kafka, settings.prefix, settings.partitions)
    # Kafka answers; a handover may take longer.
    served = await settled_generation(settings.kafka, settings.prefix, settings.partitions)
    async with asyncio.timeout(_SETTLING_SECONDS):
        await _refuse_lost_pointer(settings, served)
        await ensure_topics(
            settings.kafka,
            prefix=settings.prefix,
            generation=served.generation,
            partitions=served.partitions,
            log_partitions=served.log_partitions,
            records_kept=config.retention.records,
            on_remark=lambda line: log.warning("topic.not_advised", why=line),
            keep_log=True,
        )
        return served, await read_numbers(settings.kafka, settings.prefix, config)


async def _refuse_lost_pointer(settings: Settings, served: Served) -> None:
    """Raise TopicsError where nothing is there of what is to be served, and something of another generation is."""
    there = await find_generations(settings.kafka, prefix=settings.prefix)
    if there and served.generation not in there:
        found, name = max(there), GENERATIONS.full_name(settings.prefix)
        raise TopicsError(
            [f"topic {name}: says nothing of generation {found}, whose topics are there: floorcast replay mends it"]
        )
