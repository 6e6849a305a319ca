"""`floorcast topics`: whether Kafka is as it has to be."""

import asyncio
from typing import Annotated

import typer

from deploy.cli.common import announce, checked_config, fail, group, say, target_of, with_settings
from deploy.local.ports import UpError
from deploy.local.up import make_topics
from deploy.settings import Settings
from schemas.exit_codes import ExitCode

app = group()


@app.command()
@with_settings()
def topics(
    settings: Settings,
    *,
    alter: Annotated[
        bool, typer.Option("--alter", help="Set what differs. A shorter retention.records deletes what is older.")
    ] = False,
) -> None:
    """Create the topics of the catalogue, or check those that are there; exit 1 if they differ.

    Partitions and cleanup policies that differ are never altered; as long as a policy does no setting is.
    """
    target = target_of(settings)
    checked_config(target.config)
    try:
        made = asyncio.run(
            make_topics(
                target.config,
                target.broker,
                target.prefix,
                settings.partitions,
                announce if alter else None,
                on_remark=say,
            )
        )
    except UpError as error:
        # Topics that differ are what this command looks for.
        fail(error.problems, ExitCode.DIFFERENCES if error.exit_code == ExitCode.WRONG_USE else error.exit_code)
    for name in made:
        typer.echo(f"created {name}")
    typer.echo("the topics are right")
