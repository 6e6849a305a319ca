"""What every command does before and after its work: settings, the floorcast it is about, lines and exit codes."""

import asyncio
import errno
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError

from deploy.cli.flags import BrokerFlag, ConfigFlag, DataFlag, HostFlag, PortFlag, PrefixFlag
from deploy.settings import Settings, describe_problems
from schemas.exit_codes import ExitCode
from schemas.refusals import tell_person

if TYPE_CHECKING:
    from deploy.local.target import Instance
    from processor.transport.fetched import Fetched
    from schemas.config import Config

_T = TypeVar("_T")
_FLAGS = {
    "config": ConfigFlag, "host": HostFlag, "port": PortFlag, "broker": BrokerFlag, "prefix": PrefixFlag,
    "data": DataFlag,
}  # fmt: skip
_UNSHOWN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def group(help: str | None = None) -> typer.Typer:
    """Commands of one file, or one command with commands of its own."""
    return typer.Typer(
        help=help, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )


def settings_of(kind: Callable[..., _T], **flags: Any) -> _T:
    """The settings of a command or process; a flag that is None was not given. Ends it where one cannot be used."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return kind(**given)
    except ValidationError as error:
        fail(describe_problems(error, given), ExitCode.WRONG_USE)


def with_settings(*flags: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command that has these flags beside its own, and is called with the settings that they and all else make.

    None are named: those by which most commands find the floorcast that they are about.
    """
    names = flags or ("config", "broker", "prefix", "data")

    def with_flags(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**said: Any) -> None:
            command(settings_of(Settings, **{name: said.pop(name) for name in names}), **said)

        keyword = inspect.Parameter.KEYWORD_ONLY
        own = list(inspect.signature(command).parameters.values())[1:]
        shared = [inspect.Parameter(name, keyword, default=None, annotation=_FLAGS[name]) for name in names]
        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (*own, *shared)}
        return run

    return with_flags


def fail(problems: Sequence[str], code: int) -> NoReturn:
    """End the command with a line for each problem; what keeps a log ends it so, plain only at a terminal."""
    structlog = sys.modules.get("structlog")  # who keeps no log does not wait for its import
    if structlog is not None and structlog.is_configured():
        for problem in problems:
            tell_person(_UNSHOWN.sub("\ufffd", problem))
        structlog.get_logger().critical("process.ended", code=int(code), why="; ".join(problems))
        raise typer.Exit(code)
    for problem in problems:
        say(problem)
    raise typer.Exit(code)


def announce(line: str) -> None:
    """Write what the command was asked for, on stdout."""
    _write(line, err=False)


def say(line: str) -> None:
    """Write what is beside it, on stderr."""
    _write(line, err=True)


def _write(line: str, *, err: bool) -> None:
    # Names come from files and from whoever posts: none of them may move the cursor or turn the line around.
    shown = _UNSHOWN.sub("\ufffd", line)
    try:
        typer.echo(shown, err=err)
        (sys.stderr if err else sys.stdout).flush()
    except OSError:  # nobody reads any more; what runs goes on
        return


def target_of(settings: Settings, url: str | None = None, *, is_reached: bool = True) -> "Instance":
    """What to ask or work on; its Kafka has answered, if `is_reached`."""
    from deploy.local.ports import UpError  # noqa: PLC0415
    from deploy.local.target import find_target, reach_broker  # noqa: PLC0415

    try:
        target = find_target(settings, url)
        if is_reached:
            asyncio.run(reach_broker(target.broker))
    except UpError as error:
        fail(error.problems, error.exit_code)
    return target


def checked_config(path: Path) -> "Config":
    """The configuration, if all of it can be used. Ends the command with every problem otherwise."""
    from schemas.config import ConfigError, load_config  # noqa: PLC0415

    try:
        return load_config(path, os.environ)
    except ConfigError as error:
        fail(error.problems, ExitCode.WRONG_USE)


@contextmanager
def kafka_of(target: "Instance") -> Iterator[None]:
    """Ends the command with what was in the way, where Kafka does not do what it is asked in here, or a file."""
    from api.write.refusals import UnacknowledgedError  # noqa: PLC0415
    from processor.transport.following import MissingTopicError  # noqa: PLC0415
    from schemas.kafka_facts import KafkaError  # noqa: PLC0415
    from schemas.kafka_refusals import what_failed  # noqa: PLC0415

    try:
        yield
    except MissingTopicError as error:
        fail([f"{error}: floorcast topics makes it"], ExitCode.UNREACHABLE)
    except UnacknowledgedError as error:
        fail([error.detail], ExitCode.UNREACHABLE)
    except (KafkaError, OSError, TimeoutError) as error:
        if isinstance(error, OSError) and (error.filename is not None or error.errno == errno.ENOSPC):
            fail([f"{error.filename or 'the disk'}: {error.strerror}"], ExitCode.WRONG_USE)
        fail([asyncio.run(what_failed(target.broker, error))], ExitCode.UNREACHABLE)


def say_unreadable(record: "Fetched") -> None:
    """Write where a message lies that nobody can read, and that is left out."""
    say(f"topic {record.topic}: what lies at offset {record.offset} of partition {record.partition} cannot be read")


def announce_json(said: object) -> None:
    """Write what the command was asked for as JSON that people can read too."""
    import msgspec  # noqa: PLC0415 - few commands need it

    announce(msgspec.json.format(msgspec.json.encode(said), indent=2).decode())


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table for people: a line for each row, of which the first is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
