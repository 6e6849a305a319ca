"""`floorcast backfill`: records of before, from a CRM's API or from a file."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from deploy.cli.bars import progress_bar
from deploy.cli.common import (
    announce,
    checked_config,
    fail,
    group,
    kafka_of,
    say,
    say_unreadable,
    target_of,
    with_settings,
)
from deploy.files.importing import Importer, Task
from deploy.files.mapping import Options
from deploy.files.problems import UseError
from deploy.files.stages import FileStages
from deploy.local.target import Instance
from deploy.settings import Settings
from processor.transport.appending import Appender
from processor.transport.following import MissingTopicError, newest_of, read_through
from processor.transport.generations import read_served
from schemas.config import Config
from schemas.connectors import Connection
from schemas.documents.errors import suggestion
from schemas.exit_codes import ExitCode
from schemas.instants import parse_duration, parse_instant
from schemas.kafka import Address
from schemas.machine_clock import machine_clock
from schemas.people import Person, Roster
from schemas.steps import TellStep
from schemas.topics import DELIVERIES, ROSTER
from schemas.windows import Calendar

app = group()

Texts = list[str] | None


class _Console:
    """The terminal."""

    def __init__(self, step: TellStep) -> None:
        self.step = step
        self.lines: list[tuple[Callable[[str], None], str]] = []
        """Told once the bar is gone."""

    def say(self, line: str) -> None:
        self.lines.append((say, line))

    def announce(self, line: str) -> None:
        self.lines.append((announce, line))

    def flush(self) -> None:
        for tell, line in self.lines:
            tell(line)


@app.command()
@with_settings()
def backfill(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A connection of floorcast.yaml.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="CSV, or objects of JSON, one a line (.ndjson); without one the CRM's API is asked."
        ),
    ] = None,
    *,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="30d", help="Ask the API for what was changed since: a duration, or an instant. [default: 30d]"
        ),
    ] = None,
    records: Annotated[
        str | None, typer.Option(metavar="deal,call", help="Ask the API for these kinds only. [default: all]")
    ] = None,
    record: Annotated[
        str | None, typer.Option(metavar="KIND", help="What a line of FILE is: call, deal, lead …")
    ] = None,
    map: Annotated[
        Texts, typer.Option(metavar="FIELD=COLUMN", help="By name, #3, or a path owner.id; twice: joined by a blank.")
    ] = None,
    set: Annotated[Texts, typer.Option(metavar="FIELD=VALUE", help="The same in every line.")] = None,
    only: Annotated[Texts, typer.Option(metavar="COLUMN=VALUE", help="Other lines are left out.")] = None,
    value: Annotated[
        Texts, typer.Option(metavar="FIELD.WORD=TEXT", help="The file's word for one of ours; *: every other.")
    ] = None,
    key: Annotated[Texts, typer.Option(metavar="COLUMN", help="Ids are made of these, where there are none.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of times without an offset.")] = None,
    ambiguous: Annotated[
        Literal["first", "second", "refuse"], typer.Option(help="A local time that came twice.")
    ] = "first",
    date_format: Annotated[
        Texts, typer.Option(metavar="[FIELD=]FORMAT", help="YYYY YY MM M MMM DD D HH H hh h mm ss SSS A Z; epoch, …")
    ] = None,
    decimal: Annotated[str | None, typer.Option(metavar=".|,", help="What stands before the decimals.")] = None,
    duration_format: Annotated[str | None, typer.Option(metavar="mm:ss|hh:mm|min|ms")] = None,
    null: Annotated[Texts, typer.Option(metavar="TEXT", help="A cell that says nothing.")] = None,
    rep_by: Annotated[Literal["id", "email", "name"] | None, typer.Option(help="How people are named.")] = None,
    encoding: Annotated[str | None, typer.Option(help="[default: a byte order mark, else UTF-8]")] = None,
    delimiter: Annotated[str | None, typer.Option(metavar=",|;|tab|'|'", help="[default: detected]")] = None,
    header_line: Annotated[int | None, typer.Option(min=1, help="[default: detected]")] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="Columns are #1, #2 …")] = False,
    empty: Annotated[Literal["clear", "keep"], typer.Option(help="What an empty cell does to its field.")] = "clear",
    repeated: Annotated[
        Literal["refuse", "last", "first"], typer.Option(help="Lines of one record that say different things.")
    ] = "refuse",
    as_of: Annotated[str | None, typer.Option(metavar="INSTANT", help="When the file was true.")] = None,
    complete: Annotated[
        str | None, typer.Option(metavar="FIELD=FROM/TO", help="The whole list of this span: others are deleted.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be read; write nothing.")] = False,
    rows: Annotated[int, typer.Option(min=0, max=1000, help="How many records --dry-run shows.")] = 5,
    refused: Annotated[Path | None, typer.Option(help="Where refused lines go. [default: FILE.refused.csv]")] = None,
    all_or_nothing: Annotated[bool, typer.Option("--all-or-nothing", help="Not while a line is refused.")] = False,
    print_mapping: Annotated[bool, typer.Option("--print-mapping", help="For floorcast.yaml; and end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Bring what was there before into a connection: from its CRM's API, or the lines of a file.

    From the API whole records come with their history; stopped, the same command goes on. Lines of a file that cannot
    be read are refused by number and named. Nothing is guessed: not the order of day and month, a zone, a decimal sign,
    or whose name it is. Doing it twice changes nothing. Exit 1: something is lacking, or lines were refused; 2: wrong
    use, or not one line could be read; 3: the CRM or Kafka is out of reach.
    """
    if file is None:
        if record is not None:
            fail(["FILE: is missing; --record is of files, --records of the API"], ExitCode.WRONG_USE)
        raise typer.Exit(_ask_api(settings, name, since or "30d", records))
    if since is not None or records is not None:
        fail(["--since and --records: are of the API, and FILE is none"], ExitCode.WRONG_USE)
    if record is None:
        fail(["--record: is missing: what is a line of FILE?"], ExitCode.WRONG_USE)
    options = options_of(locals())
    kafka = None if print_mapping else target_of(settings)
    path = settings.config if kafka is None else kafka.config
    known = checked_config(path)
    connection = _connection(known, name, path)
    task = Task(
        path=file, connection=name, config=known, options=options, now=machine_clock(),
        folder=settings.data.absolute() / "imports", complete=complete, is_dry=dry_run, rows=rows, refused=refused,
        all_or_nothing=all_or_nothing, as_json=json,
    )  # fmt: skip
    try:
        if kafka is not None and getattr(connection, "api", None) is not None:
            with kafka_of(kafka):
                task = replace(task, stages=asyncio.run(_stages(kafka, name)))
        with progress_bar() as step:
            console = _Console(step)
            importer = Importer(task, console)
            code = 0
            if kafka is None:
                console.announce(importer.mapping().rstrip())
            else:
                with kafka_of(kafka):
                    code = asyncio.run(_import(importer, task, kafka))
    except UseError as error:
        fail(error.problems, ExitCode.WRONG_USE)
    except KeyboardInterrupt:
        fail(["stopped; the same command goes on from there"], ExitCode.DIFFERENCES)
    console.flush()
    raise typer.Exit(code)


def _ask_api(settings: Settings, name: str, since: str, records: str | None) -> int:
    from deploy.lookups.backfill import main  # noqa: PLC0415 - an import of a file needs none of it

    begin = _since(since)
    target = target_of(settings, is_reached=False)  # what is wrong use is told first
    kinds = [kind.strip() for kind in records.split(",")] if records else []
    folder = settings.data / "lookups"
    return main(target, checked_config(target.config), folder, name, since=begin, records=kinds, say=say)


def _since(text: str) -> int:
    try:
        return machine_clock() - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_instant(text)
    except ValueError:
        fail(["--since: must be a duration such as 30d, or an RFC 3339 instant with an offset"], ExitCode.WRONG_USE)


async def _stages(kafka: Instance, name: str) -> FileStages:
    """What the connection's API calls its stages, as the owner of the look-ups last said."""
    from deploy.lookups.owner import read_states  # noqa: PLC0415 - other imports need none of it

    state = (await read_states(kafka, say_unreadable)).get(name)
    return FileStages() if state is None else FileStages(labels=state.labels, statuses=state.statuses)


async def _import(importer: Importer, task: Task, kafka: Instance) -> int:
    topic = DELIVERIES.full_name(kafka.prefix)
    people = await _people(task.config, kafka.broker, kafka.prefix)

    async def read_log(take: Callable[[Sequence[bytes | None]], None]) -> None:
        await read_through(kafka.broker, topic, lambda _, records: take([each.value for each in records]))

    async with AsyncExitStack() as stack:
        log = None if task.is_dry else await stack.enter_async_context(Appender(kafka.broker, topic))
        return (await importer.run(people, log, read_log)).exit_code


def options_of(said: Mapping[str, Any]) -> Options:
    """What the parameters of the command say of the file. Ends the command where one cannot be used."""
    lists: dict[str, Any] = {
        name: said[name] or () for name in ("map", "set", "only", "value", "key", "date_format", "null")
    }
    names = ("record", "timezone", "ambiguous", "decimal", "duration_format", "rep_by", "encoding", "header_line")
    return Options(
        **lists,
        **{name: said[name] for name in (*names, "empty", "repeated")},
        delimiter=_delimiter(said["delimiter"]),
        has_header=not said["no_header"],
        as_of=None if said["as_of"] is None else _instant(said["as_of"]),
    )


def _connection(config: Config, name: str, path: Path) -> Connection:
    found = config.connections.get(name)
    if found is None:
        fail([f"there is no connection {name!r} in {path}{suggestion(name, config.connections)}"], ExitCode.WRONG_USE)
    return found


def _delimiter(text: str | None) -> str | None:
    found = {"tab": "\t", "\\t": "\t"}.get(text or "", text)
    if found is not None and len(found) != 1:
        fail(["--delimiter: must be one sign, or tab"], ExitCode.WRONG_USE)
    return found


def _instant(text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        fail([f"--as-of: {error}"], ExitCode.WRONG_USE)


async def _people(config: Config, broker: Address, prefix: str) -> Collection[Person]:
    """All of them, as they are served. Raises KafkaError or TimeoutError where Kafka does not answer."""
    organisation = config.organisation
    roster = Roster(config, Calendar(organisation.zone, organisation.first_weekday))
    served = await read_served(broker, prefix, 1)
    with suppress(MissingTopicError):  # nobody has made any topic yet
        for key, value in (await newest_of(broker, ROSTER.full_name(prefix, served.generation))).items():
            roster.apply(key, value)
    return roster.people.values()
