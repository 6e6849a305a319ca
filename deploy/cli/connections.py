"""`floorcast connections`: what is known of each connection, and which names it sends that nobody here knows."""

from typing import Annotated

import typer

from deploy import connections
from deploy.cli.common import checked_config, group, settings_of, target_of
from deploy.cli.flags import BrokerFlag, ConfigFlag, DataFlag, PrefixFlag
from deploy.local.target import Target
from schemas.connectors import Connection

app = group("What is known of each connection.")


@app.command("list")
def connections_list(
    *,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """List the connections: kind, last delivery, how many names they send that nobody here knows."""
    target = target_of(settings_of(config=config, broker=broker, prefix=prefix, data=data))
    raise typer.Exit(connections.run_list(target, _connections(target), json=json))


@app.command("show")
def connections_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A connection of floorcast.yaml.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Show what is known of a connection, with the names of fields and records that it sends and nobody here knows."""
    target = target_of(settings_of(config=config, broker=broker, prefix=prefix, data=data))
    raise typer.Exit(connections.run_show(target, _connections(target), name, json=json))


def _connections(target: Target) -> dict[str, Connection]:
    return checked_config(target.config).connections
