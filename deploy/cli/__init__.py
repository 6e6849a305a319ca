"""The command `floorcast`: what can be typed, and what each command needs before it can begin.

Owns flags, the first checks, and how an error becomes one line and an exit code: 1 found differences, 2 wrong use or
configuration, 3 a needed service cannot be reached. Does no work of its own: each command imports what does it.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from deploy.cli.dead_letters import Choice
    from deploy.local.up import Target
    from deploy.settings import Settings
    from schemas.config import Config

_T = TypeVar("_T")

FOUND_DIFFERENCES = 1
WRONG_USE = 2
UNREACHABLE = 3
LONGEST_KEY = 36_500 * 86_400 * 1_000_000

app = typer.Typer(
    name="floorcast",
    help="Live, exact sales-floor numbers from CRM webhooks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

keys_app = typer.Typer(help="API keys and display tokens.", no_args_is_help=True)
dead_letters_app = typer.Typer(help="What could not be read, why, and again after a fix.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
app.add_typer(dead_letters_app, name="dead-letters")

ConfigFlag = Annotated[Path | None, typer.Option("--config", help="The configuration file. [default: floorcast.yaml]")]
DataFlag = Annotated[
    Path | None, typer.Option("--data", help="Folder of Kafka's log and our files. [default: .floorcast]")
]
BrokerFlag = Annotated[str | None, typer.Option("--broker", metavar="HOST:PORT", help="A Kafka that runs already.")]
HostFlag = Annotated[str | None, typer.Option("--host", help="Address to listen on. [default: 127.0.0.1]")]
PortFlag = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on. [default: 8080]")]
PrefixFlag = Annotated[
    str | None, typer.Option("--prefix", help="What the names of all topics begin with. [default: floorcast.]")
]
ConnectionFlag = Annotated[str | None, typer.Option("--connection", help="Only of this connection.")]
ReasonFlag = Annotated[str | None, typer.Option("--reason", help="Only of this reason, such as bad_field.")]
Share = Annotated[float, typer.Option(min=0, max=0.9)]


def main() -> NoReturn:
    """Run the command line: the console script `floorcast`."""
    try:
        app()
    except BrokenPipeError:  # `floorcast … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)


@app.callback(invoke_without_command=True)
def root(
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    """Come before every command."""
    if show_version:
        typer.echo(f"floorcast {version('floorcast')}")
        raise typer.Exit
    from deploy.local.private import UMASK  # noqa: PLC0415
    from deploy.settings import SECRETS, read_environment  # noqa: PLC0415

    # Whatever a command keeps is for whoever has typed it.
    os.umask(UMASK)

    # Once, before anything is read: the api, the worker and `${env:NAME}` then all see the same variables.
    os.environ.update(read_environment(os.environ, Path(".env"), SECRETS))


@app.command()
def up(
    *,
    config: ConfigFlag = None,
    host: HostFlag = None,
    port: PortFlag = None,
    broker: BrokerFlag = None,
    data: DataFlag = None,
) -> None:
    """Run the whole of it on this machine: api, one worker and, without --broker, a local Kafka."""
    settings = _settings(config=config, host=host, port=port, broker=broker, data=data)
    _checked_config(settings.config)
    raise typer.Exit(_up(settings))


@app.command()
def demo(
    *,
    port: PortFlag = None,
    data: DataFlag = None,
    rate: Annotated[float, typer.Option(min=0.01, max=1000, help="Events per second.")] = 1.5,
    seed: Annotated[int, typer.Option(help="Another seed is another day.")] = 7,
) -> None:
    """Run everything with a simulated sales floor that posts signed webhooks, and show its wallboard."""
    settings = _settings(host="127.0.0.1", port=port, data=data)
    # A demo runs on a Kafka of its own and begins anew each time.
    settings = settings.model_copy(update={"broker": None, "data": settings.data / "demo"})
    raise typer.Exit(_up(settings, demo=(rate, seed)))


@app.command()
def api(
    *,
    role: Annotated[
        Literal["all", "ingest", "read"] | None, typer.Option(help="Take webhooks, serve what is read, or both.")
    ] = None,
    config: ConfigFlag = None,
    host: HostFlag = None,
    port: PortFlag = None,
    broker: BrokerFlag = None,
    data: DataFlag = None,
) -> None:
    """Run one api process: webhooks in; REST, stream, wallboard and metrics out."""
    from api.app import main as run_api  # noqa: PLC0415
    from api.settings import Settings as ApiSettings  # noqa: PLC0415

    flags = _given(role=role, config=config, host=host, port=port, broker=broker, data=data)
    raise typer.Exit(run_api(_built(ApiSettings, flags)))


@app.command()
def worker(
    *,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    data: DataFlag = None,
    worker_id: Annotated[
        str | None, typer.Option("--worker-id", help="A name that stays over restarts of this worker.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address that --port is opened on. [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port of its own /livez, /readyz and /metrics; 0: none."),
    ] = None,
) -> None:
    """Run one worker process: from webhooks to numbers. As many as there are partitions can share the work."""
    from processor.app import main as run_worker  # noqa: PLC0415
    from processor.settings import Settings as WorkerSettings  # noqa: PLC0415

    flags = _given(config=config, broker=broker, data=data, worker_id=worker_id, worker_host=host, worker_port=port)
    raise typer.Exit(run_worker(_built(WorkerSettings, flags)))


@app.command()
def broker(
    *,
    data: DataFlag = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: a free one.")] = 9092,
    authenticate: Annotated[
        bool, typer.Option("--authenticate", help="Let only those in who know the login in DATA/kafka.env.")
    ] = False,
) -> None:
    """Run the local Kafka alone. Without --authenticate every user of this machine may read and write it."""
    from deploy.local.broker import run_broker  # noqa: PLC0415

    raise typer.Exit(run_broker(_settings(data=data).data, port, authenticates=authenticate))


@app.command()
def topics(
    *,
    alter: Annotated[
        bool, typer.Option("--alter", help="Set what differs. A shorter retention.records deletes what is older.")
    ] = False,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Create the topics of the catalogue, or check those that are there; exit 1 if they differ.

    Partitions and cleanup policies that differ are never altered, and as long as one does nothing else is.
    """
    from deploy.local.up import UpError, make_topics  # noqa: PLC0415

    settings = _settings(config=config, broker=broker, prefix=prefix, data=data)
    target = _target(settings)
    _checked_config(target.config)
    try:
        made = asyncio.run(
            make_topics(target.config, target.broker, target.prefix, settings.partitions, _announce if alter else None)
        )
    except UpError as error:
        # Topics that differ are what this command looks for.
        _fail(error.problems, FOUND_DIFFERENCES if error.exit_code == WRONG_USE else error.exit_code)
    for name in made:
        typer.echo(f"created {name}")
    typer.echo("the topics are right")


@app.command()
def check(config: ConfigFlag = None) -> None:
    """Check floorcast.yaml; each problem is named by file, line and field."""
    settings = _settings(config=config)
    config_found = _checked_config(settings.config)
    for remark in config_found.remarks():
        _say(f"{settings.config}: {remark}")
    typer.echo(f"{settings.config} is right")


@app.command()
def simulate(
    *,
    url: Annotated[str | None, typer.Option(help="Address of the api. [default: the up that runs on --data]")] = None,
    connection: Annotated[str, typer.Option(help="Connection of kind generic to post to.")] = "feed",
    rate: Annotated[float, typer.Option(min=0.01, max=100_000, help="Events per second.")] = 10.0,
    seed: Annotated[int, typer.Option(help="The same seed and start give the same events.")] = 1,
    events: Annotated[int | None, typer.Option(min=0, help="Stop after so many. [default: none]")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write the true metrics of what was posted there.")] = None,
    config: ConfigFlag = None,
    secret: Annotated[
        str | None,
        typer.Option(help="The connection's secret (whsec_…), instead of --config.", envvar="FLOORCAST_SECRET"),
    ] = None,
    reps: Annotated[int, typer.Option(min=1, max=5000, help="People on the floor.")] = 12,
    timezone: Annotated[str, typer.Option(help="The organisation's time zone, with --secret.")] = "UTC",
    since: Annotated[str | None, typer.Option(metavar="6h", help="Post the time before now first, quickly.")] = None,
    history: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many events that is, with --since.")] = 3000,
    duplicates: Share = 0.20,
    late: Share = 0.10,
    edits: Share = 0.10,
    deletions: Share = 0.05,
    data: DataFlag = None,
) -> None:
    """Be a sales floor that posts signed webhooks, with duplicates, edits, late and out-of-order events."""
    from deploy.local.up import find_running  # noqa: PLC0415
    from deploy.simulator.floor import Mix  # noqa: PLC0415
    from deploy.simulator.running import Simulation  # noqa: PLC0415
    from deploy.simulator.running import simulate as run_simulation  # noqa: PLC0415
    from schemas.instants import parse_duration  # noqa: PLC0415

    settings = _settings(config=config, data=data)
    running = find_running(settings.data)
    if url is None and running is None:
        _fail([f"no floorcast up runs on {settings.data}: name an address with --url"], WRONG_USE)
    try:
        simulation = Simulation(
            url=url or (running.url if running is not None else ""),
            connection=connection,
            rate=rate,
            seed=seed,
            events=events,
            since=parse_duration(since) if since is not None else 0,
            history=history if since is not None else 0,
            reps=reps,
            mix=Mix(duplicates, late, edits, deletions),
            truth=truth,
        )
    except ValueError as error:
        _fail([str(error)], WRONG_USE)
    if truth is not None and not truth.absolute().parent.is_dir():
        _fail([f"--truth: there is no folder {truth.absolute().parent}"], WRONG_USE)
    if secret is not None and config is None:
        chosen = _config_of_secret(connection, secret, timezone)
    else:
        chosen = _checked_config(settings.config)
    raise typer.Exit(asyncio.run(run_simulation(simulation, chosen, _say)))


@app.command()
def verify(
    *,
    url: Annotated[str | None, typer.Option(help="Address of the api. [default: the up that runs on --data]")] = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    config: ConfigFlag = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="API key of scope read; better in the variable, as others see the process list.",
            envvar="FLOORCAST_API_KEY",
            show_envvar=True,
        ),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="5m",
            help="Recount the newest part of the log again and again, and publish what is found. [default: once, all]",
        ),
    ] = None,
    data: DataFlag = None,
) -> None:
    """Recount everything from the log and compare it with what is served; exit 1 if anything differs.

    Without an up that runs on --data, --url, --broker and --config say what to compare. With --every it goes on until
    it is ended: what it finds is served by the api, exported to Prometheus and shown on the wallboard.
    """
    settings = _settings(broker=broker, prefix=prefix, config=config, data=data)
    interval = None if every is None else _interval(every)
    target = _target(settings, url)
    _checked_config(target.config)
    if interval is not None:
        from deploy.verification.verifier import main as run_verifier  # noqa: PLC0415

        raise typer.Exit(run_verifier(target, key or None, every=interval, folder=settings.data / "verify"))
    from deploy.verification.verify import main as run_verify  # noqa: PLC0415

    raise typer.Exit(run_verify(target, key or None))


@app.command()
def replay(
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="INSTANT", help="Read anew what the CRM changed since, such as 2026-03-18T00:00:00Z."
        ),
    ] = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, max=256, help="Of the new generation. [default: as many as now]")
    ] = None,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Make all numbers anew from the log, while the old ones are served; then switch.

    A fixed connector, a changed definition and another number of partitions take effect this way. Exit 1: nothing has
    changed.
    """
    from deploy.cli.replay import main as run_replay  # noqa: PLC0415
    from schemas.instants import parse_instant  # noqa: PLC0415

    settings = _settings(config=config, broker=broker, prefix=prefix, data=data)
    try:
        at = None if since is None else parse_instant(since)
    except ValueError as error:
        _fail([f"--from: {error}"], WRONG_USE)
    if at is not None and at > _now():
        _fail(["--from: must not lie ahead"], WRONG_USE)
    target = _target(settings)
    _checked_config(target.config)
    raise typer.Exit(run_replay(target, since=at, partitions=partitions, data=settings.data.absolute()))


@keys_app.command("create")
def keys_create(
    *,
    scope: Annotated[Literal["read", "board", "admin"], typer.Option(help="What it may do; board: wallboards only.")],
    team: Annotated[str | None, typer.Option(help="Show what belongs to this team only. [default: all]")] = None,
    expires: Annotated[str | None, typer.Option(metavar="90d", help="Valid for so long. [default: for ever]")] = None,
    config: ConfigFlag = None,
    data: DataFlag = None,
) -> None:
    """Make a key and print its token: this once."""
    from api.http.keys import ApiScope  # noqa: PLC0415
    from deploy.cli import keys  # noqa: PLC0415
    from schemas.instants import parse_duration  # noqa: PLC0415

    settings = _settings(config=config, data=data)
    try:
        lasts = None if expires is None else parse_duration(expires)
    except ValueError as error:
        _fail([f"--expires: {error}"], WRONG_USE)
    if lasts is not None and not 0 < lasts <= LONGEST_KEY:
        _fail(["--expires: must be more than nothing and at most 36500d"], WRONG_USE)
    if team is not None and not team.strip():
        _fail(["--team: must not be empty"], WRONG_USE)
    warning = None if team is None else keys.unknown_team(settings.config, team, os.environ)
    if warning is not None:
        _say(f"warning: {warning}")
    raise typer.Exit(
        keys.create(
            settings.data / "keys.json",
            ApiScope(scope),
            team=team,
            lasts=lasts,
            now=_now(),
            print_token=_announce,
            say=_say,
        )
    )


@keys_app.command("list")
def keys_list(*, data: DataFlag = None) -> None:
    """List the keys: id, scope, team, when made, until when valid."""
    from deploy.cli import keys  # noqa: PLC0415

    raise typer.Exit(keys.show(_settings(data=data).data / "keys.json", now=_now(), write=_announce, say=_say))


@keys_app.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As keys list shows it.")], *, data: DataFlag = None
) -> None:
    """Take a key away: a running api refuses it from its next request on."""
    from deploy.cli import keys  # noqa: PLC0415

    raise typer.Exit(keys.revoke(_settings(data=data).data / "keys.json", key_id, say=_say))


@dead_letters_app.command("list")
def dead_letters_list(
    *,
    connection: ConnectionFlag = None,
    reason: ReasonFlag = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """List what could not be read, newest first."""
    from deploy.cli import dead_letters  # noqa: PLC0415

    target = _target(_settings(broker=broker, prefix=prefix, data=data))
    raise typer.Exit(dead_letters.run_list(target, _choice(None, connection, reason), limit=limit, json=json))


@dead_letters_app.command("show")
def dead_letters_show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="As dead-letters list shows it.")],
    *,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Show why it could not be read, and print the raw body of its delivery on stdout."""
    from deploy.cli import dead_letters  # noqa: PLC0415

    raise typer.Exit(dead_letters.run_show(_target(_settings(broker=broker, prefix=prefix, data=data)), letter))


@dead_letters_app.command("replay")
def dead_letters_replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="As dead-letters list shows them.")] = None,
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Everything that was ever refused.")] = False,
    connection: ConnectionFlag = None,
    reason: ReasonFlag = None,
    wait: Annotated[float, typer.Option(min=1, max=86_400, help="Seconds to wait for the worker.")] = 120.0,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Put deliveries through again, after a fix, and say what became of them; exit 1 if some are refused again."""
    from deploy.cli import dead_letters  # noqa: PLC0415

    if all_of_them == bool(ids or connection or reason):
        _fail(["name what is to be replayed: IDs, --connection or --reason; or --all"], WRONG_USE)
    target = _target(_settings(broker=broker, prefix=prefix, data=data))
    raise typer.Exit(dead_letters.run_replay(target, _choice(ids, connection, reason), wait_seconds=wait))


def _interval(text: str) -> int:
    from deploy.settings import verification_interval  # noqa: PLC0415

    try:
        interval = verification_interval(text)
    except ValueError as error:
        _fail([f"--every: {error}"], WRONG_USE)
    if interval is None:
        _fail(["--every: must be a duration such as 5m"], WRONG_USE)
    return interval


def _choice(ids: list[str] | None, connection: str | None, reason: str | None) -> "Choice":
    from deploy.cli.dead_letters import Choice  # noqa: PLC0415

    return Choice(frozenset(ids or ()), connection, reason)


def _target(settings: "Settings", url: str | None = None) -> "Target":
    """What to ask or work on; its Kafka has answered."""
    from deploy.local.up import UpError, find_target, reach_broker  # noqa: PLC0415

    try:
        target = find_target(settings, url)
        asyncio.run(reach_broker(target.broker))
    except UpError as error:
        _fail(error.problems, error.exit_code)
    return target


def _up(settings: "Settings", demo: tuple[float, int] | None = None) -> int:
    from deploy.local.up import UpError, check_access, lock_data, run, take_port  # noqa: PLC0415

    data = settings.data.absolute()
    try:
        open_access = check_access(settings.host, _has_keys(data))
        lock = lock_data(data)
        try:
            port = take_port(settings.host, settings.port, data, pause=time.sleep)
            plan = _plan(settings, port, open_access, demo)
            return asyncio.run(run(plan, announce=_announce, say=_say))
        finally:
            lock.release()
    except UpError as error:
        _fail(error.problems, error.exit_code)


def _plan(settings: "Settings", port: int, open_access: bool, demo: tuple[float, int] | None) -> Any:
    from deploy.local.up import Plan, Running, address  # noqa: PLC0415
    from deploy.settings import verification_interval  # noqa: PLC0415

    data, config = settings.data.absolute(), settings.config.absolute()
    extra: dict[str, Any] = {}
    if demo is not None:
        from deploy.simulator import running as demo_runs  # noqa: PLC0415

        rate, seed = demo
        demo_runs.empty_folder(data)
        config = demo_runs.write_config(data, demo_runs.working_timezone(_now(), demo_runs.local_timezone()))

        def children(running: Running) -> list[Any]:
            _announce(f"wallboard {address(settings.host, port)}/board/{demo_runs.SCREEN}")
            return [demo_runs.floor_program(running.url, data, config, rate=rate, seed=seed)]

        extra["extra_children"] = children
    return Plan(
        config=config,
        data=data,
        host=settings.host,
        port=port,
        broker=None if settings.broker is None else settings.kafka_at(settings.broker),
        prefix=settings.prefix,
        partitions=settings.partitions,
        open_access=open_access,
        worker_port=settings.worker_port,
        verify_every=verification_interval(settings.verify_every),
        **extra,
    )


def _has_keys(data: Path) -> bool:
    from api.http.keys import KeyFileError, has_keys  # noqa: PLC0415

    try:
        return has_keys(data / "keys.json")
    except KeyFileError as error:
        _fail([str(error)], WRONG_USE)


def _checked_config(path: Path) -> "Config":
    from processor.agents.channels import build_channels  # noqa: PLC0415
    from schemas.config import ConfigError, load_config  # noqa: PLC0415
    from schemas.connectors import build_connector  # noqa: PLC0415

    try:
        config = load_config(path, os.environ)
    except ConfigError as error:
        _fail(error.problems, WRONG_USE)
    problems = []
    try:
        build_channels(config)
    except ConfigError as error:
        problems += [f"{path}: {problem}" for problem in error.problems]
    for name, connection in config.connections.items():
        try:
            build_connector(connection)
        except ValueError as error:
            problems.append(f"{path}: connections.{name}.{error}")
    if problems:
        _fail(problems, WRONG_USE)
    return config


def _config_of_secret(connection: str, secret: str, timezone: str) -> "Config":
    from pydantic import ValidationError  # noqa: PLC0415

    from deploy.simulator.running import config_for  # noqa: PLC0415

    try:
        return config_for(connection, secret, timezone)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = {"connections": "--connection or --secret", "organisation": "--timezone"}.get(str(first["loc"][0]), "")
        _fail([f"{where}: {first['msg'].removeprefix('Value error, ')}"], WRONG_USE)


def _settings(**flags: Any) -> "Settings":
    from deploy.settings import SettingsError, load_settings  # noqa: PLC0415

    try:
        return load_settings(**flags)
    except SettingsError as error:
        _fail(error.problems, WRONG_USE)


def _built(settings: Callable[..., _T], flags: dict[str, Any]) -> _T:
    from pydantic import ValidationError  # noqa: PLC0415

    from deploy.settings import describe  # noqa: PLC0415

    try:
        return settings(**flags)
    except ValidationError as error:
        _fail(describe(error), WRONG_USE)


def _given(**flags: Any) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _fail(problems: Sequence[str], code: int) -> NoReturn:
    for problem in problems:
        _say(problem)
    raise typer.Exit(code)


def _announce(line: str) -> None:
    _write(line, err=False)


def _say(line: str) -> None:
    _write(line, err=True)


def _write(line: str, *, err: bool) -> None:
    try:
        typer.echo(line, err=err)
        (sys.stderr if err else sys.stdout).flush()
    except OSError:  # nobody reads any more; what runs goes on
        return


def _now() -> int:
    return time.time_ns() // 1000


if __name__ == "__main__":
    main()
