"""`floorcast connections`: what is known of each connection, and which names it sends that nobody here knows.

Reads the topics itself, so it needs no api.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated

import typer

from api.read.connection_rows import connection_row
from deploy.cli.common import (
    announce,
    announce_json,
    checked_config,
    fail,
    group,
    kafka_of,
    say_unreadable,
    target_of,
    with_settings,
)
from deploy.connections import list_lines, read_progress, show_lines
from deploy.local.target import Instance
from deploy.lookups.owner import read_states
from deploy.settings import Settings
from schemas.connection_states import ConnectionState
from schemas.connection_stats import ConnectionStats, connection_stats
from schemas.connectors import Connection
from schemas.documents.errors import suggestion
from schemas.exit_codes import ExitCode

app = group("What is known of each connection.")


@app.command("list")
@with_settings()
def connections_list(
    settings: Settings,
    *,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """List the connections: kind, last delivery, how many names they send that nobody here knows."""
    target = target_of(settings)
    found, states = _told(target, checked_config(target.config).connections)
    if json:
        announce_json([connection_row(each, states.get(each.connection)) for each in found])
    else:
        announce("\n".join(list_lines(found)))


@app.command("show")
@with_settings()
def connections_show(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A connection of floorcast.yaml.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what is known of a connection, with the names of fields and records that it sends and nobody here knows."""
    target = target_of(settings)
    connections = checked_config(target.config).connections
    if name not in connections:
        problem = f"there is no connection {name!r} in {target.config}{suggestion(name, connections)}"
        fail([problem], ExitCode.WRONG_USE)
    found, states = _told(target, connections)
    stats, state = next(each for each in found if each.connection == name), states.get(name)
    if json:
        announce_json(connection_row(stats, state))
    else:
        announce("\n".join(show_lines(stats, state)))


def _told(
    target: Instance, connections: Mapping[str, Connection]
) -> tuple[list[ConnectionStats], Mapping[str, ConnectionState]]:
    with kafka_of(target):
        progress, states = asyncio.run(read_progress(target)), asyncio.run(read_states(target, say_unreadable))
    return connection_stats(connections, progress), states
