"""Files imported in one process: what the command does, without Kafka, and the numbers that come of it.

Owns no expectation.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from typer.main import get_command

from deploy.cli.backfill import app, options_of
from deploy.files.importing import Importer, ImportResult, Task
from deploy.files.problems import UseError
from deploy.files.stages import FileStages
from processor.core.normalise import normalise
from schemas.config import Config
from schemas.connectors import build_connector
from schemas.people import Person, Roster
from schemas.progress import Progress
from schemas.records import RecordChange
from schemas.windows import Calendar
from tests.builders import instant

COMMAND = get_command(app)
NOW = instant("2026-11-29T12:00Z")
CONFIG: dict[str, Any] = {
    "organisation": {"name": "Field", "timezone": "Europe/Berlin", "currency": "EUR"},
    "connections": {
        "files": {"kind": "file"},
        "crm": {
            "kind": "hubspot",
            "namespace": "hs",
            "secrets": ["0123456789abcdef"],
            "public_url": "https://f.example",
        },
        "sf": {"kind": "salesforce", "organization": "00D5g000004XYZa", "secrets": ["0123456789abcdef0"]},
    },
    "reps": {"r1": {"name": "Ana Lim", "email": "ana@f.example"}, "r2": {"name": "Ben", "aliases": {"crm": ["77"]}}},
}
AS_OF = ("--as-of", "2026-03-20T00:00:00Z")


def write(folder: Path, text: str, name: str = "calls.csv") -> str:
    """A file; its name."""
    (folder / name).write_bytes(text.encode())
    return name


def folded(changes: list[RecordChange]) -> dict[tuple[str, str], dict[str, Any]]:
    """What they say of each record, in their order."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for change in changes:
        found.setdefault((change.kind, change.id), {}).update(change.fields)
    return found


def calls(*ids: str) -> str:
    """A file of one minute."""
    lines = [f"{id},r1,outbound,2026-03-18T09:00:00Z" for id in ids]
    return "\n".join(["id,rep,direction,dialed_at", *lines, ""])


class Log:
    """Deliveries in a list."""

    def __init__(self, *, fails_after: int | None = None) -> None:
        self.messages: list[bytes] = []
        self._fails_after = fails_after

    async def add(self, value: bytes) -> tuple[int, int]:
        """Take one."""
        if self._fails_after is not None and len(self.messages) >= self._fails_after:
            raise TimeoutError
        self.messages.append(value)
        return 0, len(self.messages) - 1

    async def holds(self, place: tuple[int, int]) -> bool:
        """Whether it has that many."""
        return place[1] < len(self.messages)


class Terminal:
    """What was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[tuple[str, int, int]] = []

    def say(self, line: str) -> None:
        """Beside the result."""
        self.lines.append(line)

    def announce(self, line: str) -> None:
        """The result."""
        self.lines.append(line)

    def step(self, name: str, done: int, total: int) -> None:
        """How far."""
        self.steps.append((name, done, total))


class Imports:
    """A floor into which files are imported one after the other."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        self.config = Config.model_validate(config)
        self.folder = folder
        self.log = Log()
        self.terminal = Terminal()
        self.stages = FileStages()
        """As the connection's API says."""

    def people(self) -> Sequence[Person]:
        """Those of the configuration."""
        organisation = self.config.organisation
        roster = Roster(self.config, Calendar(organisation.zone, organisation.first_weekday))
        return list(roster.people.values())

    def importer(self, command: Sequence[str], folder: Path) -> Importer:
        """What the command line makes of `NAME FILE --options`."""
        context = COMMAND.make_context("backfill", list(command))
        said = context.params
        task = Task(
            path=folder / said["file"], connection=said["name"], config=self.config, options=options_of(said), now=NOW,
            folder=self.folder / "imports", complete=said["complete"], is_dry=said["dry_run"], rows=said["rows"],
            refused=said["refused"] or self.folder / "refused.csv", all_or_nothing=said["all_or_nothing"],
            as_json=said["json"], stages=self.stages,
        )  # fmt: skip
        return Importer(task, self.terminal)

    def run(self, command: Sequence[str], folder: Path) -> ImportResult | None:
        """One import; None: wrong use, which `terminal` says."""
        try:
            importer = self.importer(command, folder)
            return asyncio.run(importer.run(self.people(), None if "--dry-run" in command else self.log, self.read_log))
        except UseError as error:
            self.terminal.lines += error.problems
            return None

    async def read_log(self, take: Callable[[Sequence[bytes | None]], None]) -> None:
        """All deliveries so far."""
        take(list(self.log.messages))

    def changes(self) -> list[RecordChange]:
        """What the log says."""
        connectors = {name: build_connector(entry) for name, entry in self.config.connections.items()}
        output = normalise(enumerate(self.log.messages), partition=0, connectors=connectors, progress=Progress())
        assert output.dead_letters == []
        return output.changes
