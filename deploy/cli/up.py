"""`floorcast up` and `demo`: everything on this machine."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.access import has_shared_keys
from deploy.cli.common import announce, checked_config, fail, group, say, settings_of, target_of, with_settings
from deploy.cli.flags import DataFlag, PortFlag
from deploy.local.ports import UpError, address, take_port
from deploy.local.target import DEMO, Running
from deploy.local.up import UpPlan, check_access, lock_data, run_all
from deploy.settings import Settings, verification_interval
from schemas.config.media_files import media_problems
from schemas.config.reading import METRICS
from schemas.exit_codes import ExitCode
from schemas.keys import KeyFileError, has_keys
from schemas.machine_clock import machine_clock

app = group()


@app.command()
@with_settings("config", "host", "port", "broker", "data")
def up(settings: Settings) -> None:
    """Run the whole of it on this machine: api, one worker and, without --broker, a local Kafka."""
    config = checked_config(settings.config)
    wrong = media_problems(settings.config, config)
    if wrong:
        fail(wrong, ExitCode.WRONG_USE)
    for remark in config.connection_remarks():
        say(remark)
    raise typer.Exit(_up(settings))


@app.command()
def demo(
    *,
    port: PortFlag = None,
    data: DataFlag = None,
    rate: Annotated[float, typer.Option(min=0.01, max=1000, help="Events per second.")] = 1.5,
    seed: Annotated[int, typer.Option(help="Another seed is another day.")] = 7,
) -> None:
    """Run everything with a simulated sales floor that posts signed webhooks, and show its wallboard.

    A metrics.yaml in this folder is used: to try metrics of your own.
    """
    settings = settings_of(Settings, host="127.0.0.1", port=port, data=data)
    # A demo runs on a Kafka of its own and begins anew each time.
    settings = settings.model_copy(update={"broker": None, "data": settings.data / DEMO})
    raise typer.Exit(_up(settings, demo=(rate, seed)))


def _up(settings: Settings, demo: tuple[float, int] | None = None) -> int:
    data = settings.data.absolute()
    try:
        open_access = check_access(settings.host, _has_keys(data, settings))
        lock = lock_data(data)
        try:
            port = take_port(settings.host, settings.port, data, pause=time.sleep)
            plan = _plan(settings, port, open_access, demo)
            return asyncio.run(run_all(plan, announce=announce, say=say))
        finally:
            lock.release()
    except UpError as error:
        fail(error.problems, error.exit_code)


def _plan(settings: Settings, port: int, open_access: bool, demo: tuple[float, int] | None) -> Any:
    from deploy.subscribing.keeping import is_kept  # noqa: PLC0415
    from schemas.connectors import build_source  # noqa: PLC0415

    data, config = settings.data.absolute(), settings.config.absolute()
    extra: dict[str, Any] = {}
    if demo is not None:
        from deploy.simulator import running as demo_runs  # noqa: PLC0415 - it would take up a quarter of its start

        rate, seed = demo
        demo_runs.empty_folder(data)
        zone = demo_runs.working_timezone(machine_clock(), demo_runs.local_timezone())
        config = demo_runs.write_config(data, zone, config.with_name(METRICS))

        def children(running: Running) -> list[Any]:
            announce(f"wallboard {address(settings.host, port)}/board/{demo_runs.SCREEN}")
            return [demo_runs.floor_program(running.url, data, config, rate=rate, seed=seed)]

        extra["extra_children"] = children
    connections = checked_config(config).connections
    return UpPlan(
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
        asked=[name for name, each in connections.items() if build_source(each) is not None],
        streams=[name for name, each in connections.items() if getattr(each, "stream", None) is not None],
        keeps=any(map(is_kept, connections.values())),
        **extra,
    )


def _has_keys(data: Path, settings: Settings) -> bool:
    """Whether a key was made, in the data folder or in the Kafka that is named."""
    try:
        if has_keys(data / "keys.json") or settings.broker is None:
            return has_keys(data / "keys.json")
    except KeyFileError as error:
        fail([str(error)], ExitCode.WRONG_USE)
    return has_shared_keys(target_of(settings))
