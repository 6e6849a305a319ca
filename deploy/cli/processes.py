"""`floorcast api`, `worker`, `broker`, `lookups` and `stream`: one process each, in the foreground."""

import gc
from pathlib import Path
from typing import Annotated, Literal

import typer

from deploy.cli.common import checked_config, group, settings_of, target_of, with_settings
from deploy.cli.flags import BrokerFlag, ConfigFlag, DataFlag, HostFlag, PortFlag
from deploy.cli.keeping_log import KeepsLog
from deploy.cli.left_out import left_out
from deploy.settings import Settings

app = group()


@app.command(cls=KeepsLog)
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
    gc.disable()  # while it imports, until api/app.py says how often to look
    with left_out():
        from api.app import main as run_api  # noqa: PLC0415
    from api.settings import Settings as ApiSettings  # noqa: PLC0415

    flags = {"role": role, "config": config, "host": host, "port": port, "broker": broker, "data": data}
    raise typer.Exit(run_api(settings_of(ApiSettings, **flags)))


@app.command(cls=KeepsLog)
def worker(
    *,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    data: DataFlag = None,
    state: Annotated[
        Path | None, typer.Option("--state", help="Folder of checkpoints of what it holds, to start from.")
    ] = None,
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
    gc.disable()  # while it imports, until processor/heap.py says how often to look
    with left_out():
        from processor.app import main as run_worker  # noqa: PLC0415
    from processor.settings import Settings as WorkerSettings  # noqa: PLC0415

    settings = settings_of(
        WorkerSettings, config=config, broker=broker, data=data, state=state, worker_id=worker_id, worker_host=host,
        worker_port=port,
    )  # fmt: skip
    raise typer.Exit(run_worker(settings))


@app.command()
@with_settings("data")
def broker(
    settings: Settings,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: a free one.")] = 9092,
    authenticate: Annotated[
        bool, typer.Option("--authenticate", help="Let only those in who know the login in DATA/kafka.env.")
    ] = False,
) -> None:
    """Run the local Kafka alone. Without --authenticate every user of this machine may read and write it."""
    from deploy.local.broker import run_broker  # noqa: PLC0415

    raise typer.Exit(run_broker(settings.data, port, authenticates=authenticate))


@app.command(cls=KeepsLog)
@with_settings()
def lookups(settings: Settings) -> None:
    """Ask the CRMs for what their webhooks only name or did not tell; up starts it where there is an api.

    One such process asks all connections.
    """
    from deploy.lookups.owner import main  # noqa: PLC0415

    target = target_of(settings)
    raise typer.Exit(main(target, checked_config(target.config), settings.data / "lookups"))


@app.command(cls=KeepsLog)
@with_settings()
def stream(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The connection.")],
) -> None:
    """Read a connection's events as they happen, where its CRM has a stream of them; up starts one for each.

    One such process reads a connection: a second one ends with 75.
    """
    from deploy.streaming.stream import main  # noqa: PLC0415

    target = target_of(settings)
    raise typer.Exit(main(target, checked_config(target.config), name, settings.data / f"stream-{name}"))
