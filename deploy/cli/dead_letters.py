"""`floorcast dead-letters`: what could not be read, why, and again after a fix."""

import asyncio
from typing import Annotated

import typer

from deploy import dead_letters
from deploy.cli.common import fail, group, kafka_of, target_of, with_settings
from deploy.cli.flags import ConnectionFlag, ReasonFlag
from deploy.settings import Settings
from schemas.exit_codes import ExitCode

app = group("What could not be read, why, and again after a fix.")


@app.command("list")
@with_settings("broker", "prefix", "data")
def dead_letters_list(
    settings: Settings,
    *,
    connection: ConnectionFlag = None,
    reason: ReasonFlag = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """List what could not be read, newest first."""
    target = target_of(settings)
    with kafka_of(target):
        dead_letters.run_list(target, _choice(None, connection, reason), limit=limit, json=json)


@app.command("show")
@with_settings("broker", "prefix", "data")
def dead_letters_show(
    settings: Settings,
    letter: Annotated[str, typer.Argument(metavar="ID", help="As dead-letters list shows it.")],
) -> None:
    """Show why it could not be read, and print the raw body of its delivery on stdout."""
    target = target_of(settings)
    with kafka_of(target):
        asyncio.run(dead_letters.show_letter(target, letter))


@app.command("replay")
@with_settings("broker", "prefix", "data")
def dead_letters_again(
    settings: Settings,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="As dead-letters list shows them.")] = None,
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Everything that was ever refused.")] = False,
    connection: ConnectionFlag = None,
    reason: ReasonFlag = None,
    wait: Annotated[float, typer.Option(min=1, max=86_400, help="Seconds to wait for the worker.")] = 120.0,
) -> None:
    """Put deliveries through again, after a fix, and say what became of them; exit 1 if some are refused again."""
    if all_of_them == bool(ids or connection or reason):
        fail(["name what is to be put through again: IDs, --connection or --reason; or --all"], ExitCode.WRONG_USE)
    target = target_of(settings)
    with kafka_of(target):
        code = asyncio.run(dead_letters.put_through_again(target, _choice(ids, connection, reason), wait_seconds=wait))
    raise typer.Exit(code)


def _choice(ids: list[str] | None, connection: str | None, reason: str | None) -> dead_letters.Choice:
    return dead_letters.Choice(frozenset(ids or ()), connection, reason)
