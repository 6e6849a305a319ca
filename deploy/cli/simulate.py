"""`floorcast simulate`: a sales floor that posts signed webhooks."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from deploy.cli.common import checked_config, fail, group, say, settings_of
from deploy.cli.flags import ConfigFlag, DataFlag, UrlFlag
from deploy.local.target import find_running
from deploy.settings import Settings
from deploy.simulator.floor import Mix
from deploy.simulator.running import Simulation, config_for
from deploy.simulator.running import simulate as run_simulation
from schemas.config import Config
from schemas.exit_codes import ExitCode
from schemas.instants import parse_duration

ShareOption = Annotated[float, typer.Option(min=0, max=0.9)]

app = group()


@app.command()
def simulate(
    *,
    url: UrlFlag = None,
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
    duplicates: ShareOption = 0.20,
    late: ShareOption = 0.10,
    edits: ShareOption = 0.10,
    deletions: ShareOption = 0.05,
    data: DataFlag = None,
) -> None:
    """Be a sales floor that posts signed webhooks, with duplicates, edits, late and out-of-order events."""
    settings = settings_of(Settings, config=config, data=data)
    running = find_running(settings.data)
    if url is None and running is None:
        fail([f"no floorcast up runs on {settings.data}: name an address with --url"], ExitCode.WRONG_USE)
    try:
        back = parse_duration(since) if since is not None else 0
    except ValueError as error:
        fail([f"--since: {error}"], ExitCode.WRONG_USE)
    try:
        simulation = Simulation(
            url=url or (running.url if running is not None else ""),
            connection=connection,
            rate=rate,
            seed=seed,
            events=events,
            since=back,
            history=history if since is not None else 0,
            reps=reps,
            mix=Mix(duplicates, late, edits, deletions),
            truth=truth,
        )
    except ValueError as error:
        fail([str(error)], ExitCode.WRONG_USE)
    if truth is not None and not truth.absolute().parent.is_dir():
        fail([f"--truth: there is no folder {truth.absolute().parent}"], ExitCode.WRONG_USE)
    if secret is not None and config is None:
        chosen = _config_of_secret(connection, secret, timezone)
    else:
        chosen = checked_config(settings.config)
    raise typer.Exit(asyncio.run(run_simulation(simulation, chosen, say)))


def _config_of_secret(connection: str, secret: str, timezone: str) -> Config:
    try:
        return config_for(connection, secret, timezone)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = {"connections": "--connection or --secret", "organisation": "--timezone"}.get(str(first["loc"][0]), "")
        fail([f"{where}: {first['msg'].removeprefix('Value error, ')}"], ExitCode.WRONG_USE)
