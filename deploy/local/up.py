"""`floorcast up`: a whole floorcast on one machine - local Kafka, topics, one worker, the api, the continuous recount.

Owns what the children are, the checks before, the data folder's own files and the order of things. Keeping children
alive is `deploy.local.supervisor`'s; what the api and the worker do is theirs.

    DIR/up.lock      held while an `up` runs on DIR
    DIR/up.json      how to reach it, for the other commands; there while it runs
    DIR/worker-id    the name that this folder's worker keeps in the consumer group
    DIR/logs/        what api, worker and recount wrote
    DIR/verify/      what the recount keeps of the log while it runs
    DIR/lookups/     what look-ups keep of the log, the places under each CRM's limits, marks of back-fills
    DIR/kafka…       Kafka's (deploy.local.broker)
"""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from filelock import FileLock, Timeout

from deploy.local.broker import LocalBroker
from deploy.local.kafka_archive import is_due
from deploy.local.kafka_jvm import archive_path
from deploy.local.ports import UpError, address
from deploy.local.private import make_private, write_private
from deploy.local.supervisor import Child, ChildProgram, Supervisor
from deploy.local.target import Instance, Running, reach_broker
from processor.machine import bound_to_this_process
from schemas.addresses import is_loopback
from schemas.exit_codes import ExitCode
from schemas.instants import SECOND
from schemas.kafka import PLAIN, Address

CONSOLE_SCRIPT = "floorcast"

_READY_PROBE_SECONDS = 2.0
_BETWEEN_PROBES_SECONDS = 0.1
_SLOW_SECONDS = 30.0
_TOPICS_SECONDS = 30.0
_LOOKED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class UpPlan:
    """What to run and where. Made by the command line, after the configuration was found right."""

    config: Path
    data: Path
    host: str
    port: int
    broker: Address | None
    prefix: str
    partitions: int
    open_access: bool
    """Only said here: the api decides by itself."""
    worker_port: int = 0
    verify_every: int | None = None
    """How often the log is recounted (microseconds); None: never."""
    asked: Sequence[str] = ()
    """The connections whose API is asked."""
    keeps: bool = False
    """Whether subscriptions are kept alive, which the process that asks does too."""
    streams: Sequence[str] = ()
    """The connections whose events are read as they happen."""
    extra_children: Callable[[Running], list[Child]] = field(default=lambda _running: [])
    """Launched once everything is ready."""

    def program(
        self,
        name: str,
        broker: Address,
        *arguments: str,
        stop_seconds: float,
        environment: Mapping[str, str] | None = None,
        of: str | None = None,
    ) -> ChildProgram:
        """A floorcast process of this plan. What Kafka asks for stands in its environment, which is its owner's.

        `of`: the connection that it is for, where there is one for each.
        """
        environment = {
            **os.environ,
            **(PLAIN if isinstance(broker, str) else broker.security).environment,
            "FLOORCAST_PREFIX": self.prefix,
            "FLOORCAST_PARTITIONS": str(self.partitions),
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        common = ("--config", str(self.config), "--broker", str(broker), "--data", str(self.data))
        return ChildProgram(
            name=name if of is None else f"{name} {of}",
            command=[*floorcast_command(), name, *([] if of is None else [of]), *common, *arguments],
            log=self.data / "logs" / f"{name if of is None else f'{name}-{of}'}.log",
            environment=environment,
            stop_seconds=stop_seconds,
        )


class Surroundings:
    """What `up` does to the world beside starting processes. Tests pass a subclass."""

    undisturbed_seconds = 5.0
    """After it is ready: the first screens open then, and the recount is in no hurry."""

    def __init__(self) -> None:
        from schemas.keys import ephemeral_key  # noqa: PLC0415

        # It lies in no file, nobody has to revoke it, and the api asks everybody else for a key as before.
        self._verifiers_token, self._verifiers_key = ephemeral_key()

    def local_kafka(self, data: Path) -> "LocalKafka":
        """The local Kafka on that folder, not started."""
        return LocalKafka(data)

    async def reach(self, broker: Address) -> None:
        """Raise UpError unless a Kafka answers at one of the addresses."""
        await reach_broker(broker)

    async def make_topics(self, broker: Address, plan: UpPlan, say: Callable[[str], None]) -> None:
        """Create or check the topics of the catalogue, and alter them on a Kafka of our own. Raises UpError."""
        on_altered = say if plan.broker is None else None
        try:
            await make_topics(plan.config, broker, plan.prefix, plan.partitions, on_altered)
        except UpError as error:
            if plan.broker is None and error.exit_code == ExitCode.WRONG_USE:
                # Our Kafka ends with us, and what mends its topics needs it.
                raise UpError([*error.problems, _MENDING.format(data=plan.data)], error.exit_code) from None
            raise

    async def is_ready(self, url: str) -> bool:
        """Whether everything is there: `/readyz` says 200."""
        return await asyncio.to_thread(answers_ready, url)

    def programs(self, plan: UpPlan, broker: Address, worker_id: str) -> list[Child]:
        """Worker and api, in the order of their launch."""
        port = str(plan.worker_port)
        listening = ("--host", plan.host, "--port", str(plan.port))
        working = ("--worker-id", worker_id, "--port", port, "--state", str(plan.data / "state"))
        knows = {"FLOORCAST_VERIFIER_KEY_SHA256": self._verifiers_key}
        return [
            plan.program("worker", broker, *working, stop_seconds=2.0),
            plan.program("api", broker, *listening, stop_seconds=1.5, environment=knows),
        ]

    def lookups(self, plan: UpPlan, broker: Address) -> Child:
        """Who asks the CRMs; it ends at once."""
        return plan.program("lookups", broker, stop_seconds=0.5)

    def stream(self, plan: UpPlan, broker: Address, connection: str) -> Child:
        """Who reads a connection's events."""
        return plan.program("stream", broker, of=connection, stop_seconds=2.0)

    async def without_records(self, plan: UpPlan, broker: Address) -> list[str]:
        """The connections with an API of which nothing is known yet, once whoever asks them has looked."""
        from deploy.lookups.owner import without_records  # noqa: PLC0415

        target = Instance(broker, plan.prefix, plan.config, None)
        return await without_records(target, plan.asked, seconds=_LOOKED_SECONDS)

    def verifier(self, plan: UpPlan, broker: Address, url: str, every: int) -> Child:
        """The continuous recount; it ends at once, and nothing waits for it."""
        arguments = ("--url", url, "--every", f"{every // SECOND}s")
        has = {"FLOORCAST_API_KEY": self._verifiers_token}
        return plan.program("verify", broker, *arguments, stop_seconds=0.5, environment=has)

    async def hasten_next_start(self, plan: UpPlan) -> None:
        """Begin to make the archive that a local Kafka starts by, where it is due; that ends with us.

        Whatever hinders it is no reason to end.
        """
        with suppress(OSError):
            if plan.broker is None and is_due(archive_path()):
                quiet = asyncio.subprocess.DEVNULL
                # Not by what lies in the folder that we were started in, which may be called as ours is.
                command = bound_to_this_process([sys.executable, "-P", "-m", "deploy.local.kafka_archive"])
                await asyncio.create_subprocess_exec(
                    *command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
                )


class LocalKafka:
    """The local Kafka as a child: started again on the same folder and port."""

    name = "kafka"
    stop_seconds = 3.0

    def __init__(self, data: Path) -> None:
        self._broker = LocalBroker(data, die_with_parent=True, authenticates=True)
        # Its own threads: start, wait and stop block, and stop has to get through while one of the others does.
        self._threads = ThreadPoolExecutor(3, thread_name_prefix="kafka")

    @property
    def kafka(self) -> Address:
        """How its clients get in, once it has started."""
        return self._broker.kafka

    async def start(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._broker.start)

    async def wait(self) -> int:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._broker.wait)

    async def stop(self, timeout: float) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._broker.stop, timeout)
        self._threads.shutdown(wait=False)

    def kill(self) -> None:
        self._broker.kill()

    def last_words(self) -> list[str]:
        return []


def floorcast_command(script: Path | None = None) -> list[str]:
    """How to start `floorcast` with this Python, so that the process list reads `… floorcast <command> …`."""
    for candidate in (script or Path(sys.argv[0]), Path(sys.executable).with_name(CONSOLE_SCRIPT)):
        if candidate.name == CONSOLE_SCRIPT and candidate.is_file():
            return [sys.executable, str(candidate.absolute())]
    return [sys.executable, "-c", f"import sys; from deploy.cli import main; sys.exit(main()) # {CONSOLE_SCRIPT}"]


_MENDING = (
    "floorcast broker --data {data} --port 9092 runs this Kafka alone: beside it do what is said above, with "
    "--broker 127.0.0.1:9092, then end it and start again"
)


async def make_topics(
    config: Path,
    broker: Address,
    prefix: str,
    partitions: int,
    on_altered: Callable[[str], None] | None = None,
    on_remark: Callable[[str], None] = lambda _line: None,
) -> list[str]:
    """Create or check the topics of the generation that is served; the names of the new ones. Raises UpError.

    `on_altered`: settings that differ are altered, and it is called with a line for each; None: they are refused.
    """
    from processor.transport.administration import TopicsError, ensure_topics  # noqa: PLC0415
    from processor.transport.generations import read_served  # noqa: PLC0415
    from schemas.config import load_config  # noqa: PLC0415
    from schemas.kafka_facts import KafkaError  # noqa: PLC0415

    kept = load_config(config, os.environ).retention.records
    try:
        async with asyncio.timeout(_TOPICS_SECONDS):
            served = await read_served(broker, prefix, partitions)
            return await ensure_topics(
                broker,
                prefix=prefix,
                generation=served.generation,
                partitions=served.partitions,
                log_partitions=served.log_partitions,
                records_kept=kept,
                on_altered=on_altered,
                on_remark=on_remark,
            )
    except TopicsError as error:
        raise UpError(error.problems, 2) from None
    except (KafkaError, OSError, TimeoutError) as error:
        from schemas.kafka_refusals import what_failed  # noqa: PLC0415

        raise UpError([await what_failed(broker, error)], 3) from None


def answers_ready(url: str) -> bool:
    """Whether `/readyz` answers 200 there."""
    # Plain HTTP on this machine, which the environment's proxies are not meant for. Any other client is long to import.
    connection = HTTPConnection(urlsplit(url).netloc, timeout=_READY_PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def lock_data(data: Path) -> FileLock:
    """Take the folder for this process, until it ends. Raises UpError."""
    lock = FileLock(data / "up.lock", thread_local=False)
    try:
        make_private(data)
        lock.acquire(timeout=0)
    except Timeout:
        raise UpError([f"another floorcast up runs on {data}: stop it or name another folder with --data"], 2) from None
    except OSError as error:
        raise UpError(
            [f"{data} cannot be used: {error.strerror or error}; name another folder with --data"], 2
        ) from None
    return lock


async def run_all(
    plan: UpPlan,
    *,
    announce: Callable[[str], None],
    say: Callable[[str], None],
    surroundings: Surroundings | None = None,
) -> int:
    """Run until SIGTERM or SIGINT, or until a child refuses to start; the exit code.

    `announce` takes what belongs on stdout, `say` what belongs on stderr. The data folder's lock is the caller's.
    """
    world = surroundings or Surroundings()
    supervisor = Supervisor(say)
    reload = Reload(plan.config, say)
    async with _stop_signals(supervisor, reload, say) as stop_asked:
        story = asyncio.create_task(_start_all(plan, world, supervisor, reload, announce, say))
        stop = asyncio.create_task(stop_asked.wait())
        try:
            while True:
                waiting: set[asyncio.Future[object]] = {stop, supervisor.refused}  # type: ignore[arg-type]
                if not story.done():
                    waiting.add(story)  # type: ignore[arg-type]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if stop.done():
                    return 0
                if supervisor.refused.done():
                    return supervisor.refused.result()
                story.result()  # raises what went wrong
        finally:
            story.cancel()
            stop.cancel()
            (plan.data / "up.json").unlink(missing_ok=True)
            await supervisor.stop()
            await asyncio.gather(story, stop, return_exceptions=True)


class Reload:
    """What becomes of SIGHUP: worker and api read both files again, if there is nothing wrong with them."""

    def __init__(self, config: Path, say: Callable[[str], None]) -> None:
        self._config = config
        self._say = say
        self.children: list[ChildProgram] = []

    def __call__(self) -> None:
        """A file with an error changes nothing and is named."""
        from schemas.config import ConfigError, load_config  # noqa: PLC0415

        try:
            load_config(self._config, os.environ)
        except ConfigError as error:
            self._say("SIGHUP: nothing changes, as this is wrong:")
            for problem in error.problems:
                self._say(f"  {problem}")
            return
        self._say("SIGHUP: worker and api read floorcast.yaml and metrics.yaml again")
        for child in self.children:
            child.hang_up()


async def _start_all(
    plan: UpPlan,
    world: Surroundings,
    supervisor: Supervisor,
    reload: Reload,
    announce: Callable[[str], None],
    say: Callable[[str], None],
) -> None:
    async def launch(child: Child) -> None:
        """One that reads the files again when it is told to."""
        if isinstance(child, ChildProgram):
            reload.children.append(child)
        await supervisor.launch(child)

    broker: Address
    if plan.broker is None:
        kafka = world.local_kafka(plan.data)
        await supervisor.launch(kafka)
        broker = kafka.kafka
    else:
        broker = plan.broker
        await world.reach(broker)
    await world.make_topics(broker, plan, say)
    for child in world.programs(plan, broker, _worker_id(plan.data)):
        await launch(child)
    running = Running(
        address(plan.host, plan.port), str(broker), os.getpid(), plan.prefix, str(plan.config), plan.broker is None
    )
    write_private(plan.data / "up.json", msgspec.json.format(msgspec.json.encode(running), indent=2))
    await _until_ready(lambda: world.is_ready(running.url), plan.data / "logs", say)
    supervisor.settled = True
    if plan.open_access:
        say("no API keys: everything is open to whoever reaches this address (loopback only)")
    announce(f"ready {running.url}")
    for child in plan.extra_children(running):
        await supervisor.launch(child)
    for name in plan.streams:
        await launch(world.stream(plan, broker, name))
    if plan.asked or plan.keeps:
        await launch(world.lookups(plan, broker))
        for name in await _without_records(plan, world, broker, say):
            announce(
                f"nothing is known of {name} yet; to take what was there before: floorcast backfill {name} --since 30d"
            )
    if plan.verify_every is not None:
        await asyncio.sleep(world.undisturbed_seconds)
        await supervisor.launch(world.verifier(plan, broker, running.url, plan.verify_every))
    await world.hasten_next_start(plan)


async def _without_records(plan: UpPlan, world: Surroundings, broker: Address, say: Callable[[str], None]) -> list[str]:
    """The connections of which nothing is known yet; none where nobody can tell: that is no reason to end."""
    # A task of its own: a CancelledError that a Kafka client has made would end whoever waits for it.
    looking = asyncio.ensure_future(world.without_records(plan, broker))
    try:
        await asyncio.wait({looking})
    finally:
        looking.cancel()
    if not looking.cancelled() and (error := looking.exception()) is None:
        return looking.result()
    why = "" if looking.cancelled() else f" ({type(error).__name__})"
    say(f"whether anything is known of {', '.join(plan.asked)} cannot be told now{why}")
    return []


async def _until_ready(is_ready: Callable[[], Awaitable[bool]], logs: Path, say: Callable[[str], None]) -> None:
    waited = 0.0
    while not await is_ready():
        await asyncio.sleep(_BETWEEN_PROBES_SECONDS)
        waited += _BETWEEN_PROBES_SECONDS
        if waited >= _SLOW_SECONDS:
            waited = 0.0
            say(f"not ready yet; what api and worker say stands in {logs}")


@asynccontextmanager
async def _stop_signals(
    supervisor: Supervisor, reload: Callable[[], None], say: Callable[[str], None]
) -> AsyncIterator[asyncio.Event]:
    """An event that is set by SIGTERM or SIGINT. A second Ctrl-C kills the children at once; SIGHUP ends nothing."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    def ask(number: signal.Signals) -> None:
        if not asked.is_set():
            say("stopping")
            asked.set()
        elif number is signal.SIGINT:
            supervisor.kill()

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, ask, number)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield asked
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
        # The children are about to be ended: nothing may come between.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _worker_id(data: Path) -> str:
    """The same at each start: a new worker has the last one's partitions at once. Another one per folder."""
    path = data / "worker-id"
    try:
        found = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    if not found:
        found = f"up-{secrets.token_hex(4)}"
        write_private(path, found.encode())
    return found


def check_access(host: str, has_keys: bool) -> bool:
    """Whether the api may run without keys; raises UpError where it would be open to others."""
    if not is_loopback(host) and not has_keys:
        problem = f"without API keys floorcast listens on loopback only, not on {host}: floorcast keys create makes one"
        raise UpError([problem], 2)
    return not has_keys
