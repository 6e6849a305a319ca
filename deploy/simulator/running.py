"""The demo and the simulation as commands: their configuration, secret, time zone, and the posting loop.

Owns how `floorcast simulate` and `floorcast demo` run. The floor and the posting are `floor` and `posting`, keeping the
processes alive is `deploy.local.up`'s.
"""

import asyncio
import secrets
import shutil
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from deploy.local.supervisor import ChildProgram
from deploy.local.up import floorcast_command
from deploy.simulator.floor import CALM, Mix, SimulatedFloor
from deploy.simulator.posting import DeliveryPoster, HttpSender, PostingError, Summary, posts
from schemas.config import Config
from schemas.config.reading import METRICS
from schemas.connectors import Connection
from schemas.connectors.standard_webhooks import read_key
from schemas.instants import SECOND
from schemas.machine_clock import machine_clock

_TEMPLATE = Path(__file__).with_name("floorcast.yaml")
CONNECTION = "floor"
SCREEN = "floor"

# One for each full hour from UTC: somewhere it is always afternoon.
_ZONES = (
    "UTC", "Europe/Berlin", "Europe/Athens", "Europe/Istanbul", "Asia/Dubai", "Asia/Karachi", "Asia/Dhaka",
    "Asia/Jakarta", "Asia/Kuala_Lumpur", "Asia/Tokyo", "Australia/Brisbane", "Pacific/Noumea", "Pacific/Auckland",
    "Pacific/Honolulu", "America/Anchorage", "America/Los_Angeles", "America/Denver", "America/Chicago",
    "America/New_York", "America/Halifax", "America/Sao_Paulo", "Atlantic/South_Georgia", "Atlantic/Azores",
)  # fmt: skip
_BEST_HOUR = 15
_WORKING_HOURS = range(13, 19)
_KEPT_FILES = frozenset({"up.lock"})


@dataclass(frozen=True, slots=True)
class Simulation:
    """What to post, where, and how fast."""

    url: str
    connection: str
    rate: float
    seed: int
    events: int | None
    since: int
    """Microseconds: how far back the history goes; 0: none."""
    history: int
    reps: int
    mix: Mix
    truth: Path | None


def working_timezone(now: int, local: str | None) -> str:
    """The machine's own time zone while it is afternoon there, so that `today` has hours behind it; else another."""
    moment = datetime.fromtimestamp(now / SECOND, UTC)

    def hour(zone: str) -> int:
        return moment.astimezone(ZoneInfo(zone)).hour

    if local is not None and local in available_timezones() and hour(local) in _WORKING_HOURS:
        return local
    return min(_ZONES, key=lambda zone: abs(hour(zone) - _BEST_HOUR))


def local_timezone() -> str | None:
    """The machine's time zone by its IANA name, where that can be told."""
    with suppress(OSError, RuntimeError):
        _, found, name = Path("/etc/localtime").resolve().as_posix().partition("zoneinfo/")
        return name if found else None
    return None


def new_secret() -> str:
    """A Standard Webhooks secret of 24 random bytes."""
    return f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"


def write_config(folder: Path, timezone: str, metrics: Path | None = None) -> Path:
    """The demo's floorcast.yaml, with a secret of its own.

    `metrics`: where somebody may lay a file of metrics to try, now or while the demo runs.
    """
    path = folder / "floorcast.yaml"
    path.touch(mode=0o600)
    text = _TEMPLATE.read_text(encoding="utf-8")
    path.write_text(text.replace("TIMEZONE", timezone).replace("SECRET", new_secret()), encoding="utf-8")
    if metrics is not None:
        (folder / METRICS).symlink_to(metrics)
    return path


def empty_folder(folder: Path) -> None:
    """Delete what an earlier demo left there; the lock that this one holds stays."""
    for path in folder.iterdir():
        if path.name in _KEPT_FILES:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def floor_program(url: str, data: Path, config: Path, *, rate: float, seed: int) -> ChildProgram:
    """The demo's sales floor as a child process: some hours of today first, then live."""
    mix = {"duplicates": CALM.duplicates, "late": CALM.late, "edits": CALM.edits, "deletions": CALM.deletions}
    flags = {"url": url, "connection": CONNECTION, "config": config, "rate": rate, "seed": seed} | mix
    history = ("--since", "6h", "--history", "2400")
    return ChildProgram(
        name="floor",
        command=[
            *floorcast_command(),
            "simulate",
            *(word for name, value in flags.items() for word in (f"--{name}", str(value))),
            *history,
        ],
        log=data / "logs" / "floor.log",
        stop_seconds=1.0,
    )


def config_for(connection: str, secret: str, timezone: str) -> Config:
    """Enough of a configuration to sign and to recount, where no file is given."""
    return Config.model_validate(
        {
            "organisation": {"name": "Simulated floor", "timezone": timezone, "currency": "USD"},
            "connections": {connection: {"kind": "generic", "secrets": [secret]}},
        }
    )


def signing_connection(config: Config, name: str) -> Connection:
    """The connection to post to. Raises PostingError if it is not one whose webhooks can be made here."""
    found = config.connections.get(name)
    if found is None:
        raise PostingError(2, f"--connection: there is no connection {name!r} in the configuration")
    if found.kind != "generic":
        raise PostingError(
            2, f"--connection: {name!r} is of kind {found.kind}, the simulated floor speaks generic only"
        )
    return found


async def simulate(simulation: Simulation, config: Config, say: Callable[[str], None]) -> int:
    """Post until all is taken, or until SIGINT or SIGTERM. Gives the exit code."""
    try:
        connection = signing_connection(config, simulation.connection)
        key = read_key(connection.secrets[0].get_secret_value(), f"connections.{simulation.connection}.secrets[0]")
    except (PostingError, ValueError) as error:
        say(str(error))
        return 2
    currencies = (config.organisation.currency, *config.currency_rates)
    floor = SimulatedFloor(simulation.seed, simulation.reps, simulation.mix, currencies)
    summary, began = Summary(), time.monotonic()
    deliveries = posts(
        floor,
        start=machine_clock(),
        rate=simulation.rate,
        count=simulation.events,
        since=simulation.since,
        history=simulation.history,
    )
    url = f"{simulation.url.rstrip('/')}/webhooks/{simulation.connection}"
    code = 0
    async with HttpSender(url) as send:
        poster = DeliveryPoster(send, key)
        with _told_by_signals(poster.end):
            try:
                await poster.post_all(deliveries, summary, keep=simulation.truth is not None)
            except PostingError as error:
                say(f"{url}: {error}")
                code = error.exit_code
    seconds = time.monotonic() - began
    say(
        f"posted {summary.events} events in {summary.deliveries} deliveries in {seconds:.1f} s "
        f"({summary.events / max(seconds, 0.001):.1f} events/s), {summary.tries_again} tries again"
        + (f", {summary.given_up} deliveries without an answer" if summary.given_up else "")
    )
    if simulation.truth is not None:
        await asyncio.to_thread(_write_truth, simulation, config, summary)
    return code


def _write_truth(simulation: Simulation, config: Config, summary: Summary) -> None:
    from deploy.simulator.truth import changes_of, write_truth  # noqa: PLC0415

    now = machine_clock()
    if simulation.truth is not None:
        write_truth(simulation.truth, changes_of(summary.taken, config, simulation.connection, now), config, now)


@contextmanager
def _told_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """While it is open, SIGINT and SIGTERM mean `end`."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
