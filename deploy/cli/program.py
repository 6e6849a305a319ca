"""The program `floorcast`: which commands there are, and the file of each, imported when it is called.

Owns what comes before every command, and the end of the process. A new command is a file and a line of `COMMANDS`.
"""

import gc
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_group

from deploy.cli.enduring import outlive_lost_stderr
from deploy.cli.left_out import left_out

COMMANDS = {
    "up": ("up", "Run the whole of it on this machine: api, one worker and, without --broker, a local Kafka."),
    "demo": ("up", "Run everything with a simulated sales floor that posts signed webhooks, and show its wallboard."),
    "api": ("processes", "Run one api process: webhooks in; REST, stream, wallboard and metrics out."),
    "worker": ("processes", "Run one worker process: from webhooks to numbers."),
    "broker": ("processes", "Run the local Kafka alone."),
    "lookups": (
        "processes",
        "Ask the CRMs for what their webhooks only name or did not tell; up starts it where there is an api.",
    ),
    "stream": (
        "processes",
        "Read a connection's events as they happen, where its CRM has a stream of them; up starts one for each.",
    ),
    "topics": ("topics", "Create the topics of the catalogue, or check those that are there; exit 1 if they differ."),
    "check": ("check", "Check floorcast.yaml and metrics.yaml, and run the examples of all metrics."),
    "reload": (
        "check",
        "Let the up that runs on --data read floorcast.yaml and metrics.yaml again, if nothing in them is wrong.",
    ),
    "metrics": ("metrics", "Which metrics there are, and what each counts."),
    "simulate": (
        "simulate",
        "Be a sales floor that posts signed webhooks, with duplicates, edits, late and out-of-order events.",
    ),
    "verify": (
        "verify",
        "Recount everything from the log and compare it with what is served; exit 1 if anything differs.",
    ),
    "replay": ("replay", "Make all numbers anew from the log, while the old ones are served; then switch."),
    "backup": ("backups", "Save what cannot be made anew in FILE: deliveries, what people did, keys and screens."),
    "restore": ("backups", "Add to the topics what FILE has and they lack."),
    "backfill": (
        "backfill",
        "Bring what was there before into a connection: from its CRM's API, or the lines of a file.",
    ),
    "digest": ("digest", "Print what the digest would say now: the day so far, from the api."),
    "keys": ("keys", "API keys and display tokens."),
    "screens": ("screens", "The screens on the walls."),
    "dead-letters": ("dead_letters", "What could not be read, why, and again after a fix."),
    "connect": ("connect", "Say how a CRM is set up, and make its subscriptions where it has an API for them."),
    "connections": ("connections", "What is known of each connection."),
}
"""Name -> the module beside this one, and what `floorcast --help` says without importing it (a test compares)."""
_GROUPS = frozenset({"keys", "screens", "dead-letters", "connections", "metrics"})
"""Those with commands of their own: the module's `app` is the command."""


class _Commands(Mapping[str, Any]):
    """The commands by name, each made when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            with left_out():
                import structlog  # noqa: F401, PLC0415 - most commands log, and some draw bars with what it leaves out
            found = get_group(import_module(f"{__package__}.{COMMANDS[name][0]}").app)
            self._made[name] = found if name in _GROUPS else found.commands[name]
            self._made[name].name = name
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Program(TyperGroup):
    """Imports what it is asked for, and nothing to say what there is."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self.commands = _Commands()  # type: ignore[assignment]  # nothing is added to it

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


app = typer.Typer(
    cls=_Program,
    name="floorcast",
    help="Live, exact sales-floor numbers from CRM webhooks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> NoReturn:
    """Run the command line: the console script `floorcast`."""
    outlive_lost_stderr()
    # What the library of Kafka remarks stands in the logs of processes; a command says itself what hinders it.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        app()
    except BrokenPipeError:  # `floorcast … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        # Python would look through all that is there for cycles once more, for a fifth of a short command's time.
        gc.freeze()
    sys.exit(0)


@app.callback(invoke_without_command=True)
def root(
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    """Come before every command."""
    if show_version:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"floorcast {version('floorcast')}")
        raise typer.Exit
    from deploy.local.private import UMASK  # noqa: PLC0415 - what only shows help needs none of it
    from deploy.settings import SECRETS, read_environment  # noqa: PLC0415

    # Whatever a command keeps is for whoever has typed it.
    os.umask(UMASK)

    # Once, before anything is read: the api, the worker and `${env:NAME}` then all see the same variables.
    os.environ.update(read_environment(os.environ, Path(".env"), SECRETS))
