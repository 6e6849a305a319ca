"""`floorcast dead-letters`: what could not be read, why, and again after a fix."""

from typing import Annotated

import typer

from deploy import dead_letters
from deploy.cli.common import fail, group, settings_of, target_of
from deploy.cli.flags import BrokerFlag, ConnectionFlag, DataFlag, PrefixFlag, ReasonFlag
from schemas.exit_codes import ExitCode

app = group("What could not be read, why, and again after a fix.")


@app.command("list")
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
    target = target_of(settings_of(broker=broker, prefix=prefix, data=data))
    raise typer.Exit(dead_letters.run_list(target, _choice(None, connection, reason), limit=limit, json=json))


@app.command("show")
def dead_letters_show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="As dead-letters list shows it.")],
    *,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Show why it could not be read, and print the raw body of its delivery on stdout."""
    raise typer.Exit(dead_letters.run_show(target_of(settings_of(broker=broker, prefix=prefix, data=data)), letter))


@app.command("replay")
def dead_letters_again(
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
    if all_of_them == bool(ids or connection or reason):
        fail(["name what is to be replayed: IDs, --connection or --reason; or --all"], ExitCode.WRONG_USE)
    target = target_of(settings_of(broker=broker, prefix=prefix, data=data))
    raise typer.Exit(dead_letters.run_again(target, _choice(ids, connection, reason), wait_seconds=wait))


def _choice(ids: list[str] | None, connection: str | None, reason: str | None) -> dead_letters.Choice:
    return dead_letters.Choice(frozenset(ids or ()), connection, reason)
