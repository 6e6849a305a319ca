"""`floorcast replay`: everything derived is made anew from the log, and then served.

Owns what is said and the exit code. The work is processor/replay/.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.bars import progress_bar
from deploy.cli.common import checked_config, fail, group, now, settings_of, target_of
from deploy.cli.flags import BrokerFlag, ConfigFlag, DataFlag, PrefixFlag
from deploy.local.target import Target
from processor.replay.hand import WriteRefusedError
from processor.replay.hands import ReplayError
from processor.replay.replay import replay as run_replay
from processor.replay.replay import words
from processor.transport.administration import KafkaError, TopicsError
from processor.transport.following import MissingTopicError
from schemas.config import ConfigError, load_config
from schemas.exit_codes import ExitCode
from schemas.instants import parse_instant
from schemas.kafka_refusals import what_failed

app = group()


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
    settings = settings_of(config=config, broker=broker, prefix=prefix, data=data)
    try:
        at = None if since is None else parse_instant(since)
    except ValueError as error:
        fail([f"--from: {error}"], ExitCode.WRONG_USE)
    if at is not None and at > now():
        fail(["--from: must not lie ahead"], ExitCode.WRONG_USE)
    target = target_of(settings)
    checked_config(target.config)
    raise typer.Exit(_run(target, since=at, partitions=partitions, data=settings.data.absolute()))


def _run(target: Target, *, since: int | None, partitions: int | None, data: Path) -> int:
    """Replay; 0 once the new generation is served, else what was served before still is."""
    try:
        config = load_config(target.config, os.environ)
        with progress_bar() as say:
            outcome = asyncio.run(
                run_replay(
                    bootstrap=target.broker,
                    prefix=target.prefix,
                    config=config,
                    config_file=target.config,
                    folder=data / "replay",
                    since=since,
                    partitions=partitions,
                    say=say,
                )
            )
    except (ConfigError, TopicsError) as error:
        return _explain("\n".join(error.problems), ExitCode.WRONG_USE)
    except (ReplayError, WriteRefusedError) as error:
        return _explain(f"{error}; what is served has not changed", ExitCode.DIFFERENCES)
    except MissingTopicError as error:
        return _explain(f"Kafka at {target.broker} does not do what it is asked for: {error}", ExitCode.UNREACHABLE)
    except (KafkaError, OSError, TimeoutError) as error:
        return _explain(asyncio.run(what_failed(target.broker, error)), ExitCode.UNREACHABLE)
    except KeyboardInterrupt:
        return _explain("stopped; what is served has not changed", ExitCode.DIFFERENCES)
    print(words(outcome))  # noqa: T201 - the command's output
    return 0


def _explain(problem: str, code: int) -> int:
    for line in problem.splitlines():
        print(f"floorcast replay: {line}", file=sys.stderr)  # noqa: T201 - the command's output
    return code
