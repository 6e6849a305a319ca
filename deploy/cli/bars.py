"""Progress bars of commands that take their time: how far a step is, and how long it will take."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from schemas.steps import TellStep


@contextmanager
def progress_bar() -> Iterator[TellStep]:
    """Show the steps that are told, on stderr."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, TimeRemainingColumn(), console=Console(file=sys.stderr)) as bar:
        shown: list[tuple[str, TaskID]] = []

        def step(name: str, done: int, total: int) -> None:
            if done == 0 or not shown:
                shown.append((name, bar.add_task(name, total=max(total, 1))))
            bar.update(shown[-1][1], completed=done if total else 1, total=max(total, 1))

        yield step
