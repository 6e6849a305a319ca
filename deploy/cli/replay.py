"""`floorcast replay`: everything derived is made anew from the log, and then served.

Owns what is said and the exit code. The work is processor/replay/.
"""

import asyncio
from typing import Annotated

import typer

from deploy.cli.bars import progress_bar
from deploy.cli.common import announce, checked_config, fail, group, kafka_of, target_of, with_settings
from deploy.settings import Settings
from processor.replay.hand import WriteRefusedError
from processor.replay.hands import ReplayError
from processor.replay.replay import replay as run_replay
from processor.replay.replay import words
from processor.transport.administration import TopicsError
from schemas.exit_codes import ExitCode
from schemas.instants import parse_instant
from schemas.machine_clock import machine_clock

app = group()


@app.command()
@with_settings()
def replay(
    settings: Settings,
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
) -> None:
    """Make all numbers anew from the log, while the old ones are served; then switch.

    A fixed connector, a changed definition and another number of partitions take effect this way. Exit 1: nothing has
    changed.
    """
    try:
        at = None if since is None else parse_instant(since)
    except ValueError as error:
        fail([f"--from: {error}"], ExitCode.WRONG_USE)
    if at is not None and at > machine_clock():
        fail(["--from: must not lie ahead"], ExitCode.WRONG_USE)
    target = target_of(settings)
    try:
        config = checked_config(target.config)
        with kafka_of(target), progress_bar() as say:
            outcome = asyncio.run(
                run_replay(
                    bootstrap=target.broker,
                    prefix=target.prefix,
                    config=config,
                    config_file=target.config,
                    folder=settings.data.absolute() / "replay",
                    since=at,
                    partitions=partitions,
                    say=say,
                )
            )
    except TopicsError as error:
        fail(error.problems, ExitCode.WRONG_USE)
    except (ReplayError, WriteRefusedError) as error:
        fail([f"{error}; what is served has not changed"], ExitCode.DIFFERENCES)
    except KeyboardInterrupt:
        fail(["stopped; what is served has not changed"], ExitCode.DIFFERENCES)
    announce(words(outcome))
