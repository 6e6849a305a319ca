"""`floorcast backup` and `floorcast restore`: what cannot be made anew, in a file, and back."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from deploy import backups
from deploy.cli.bars import progress_bar
from deploy.cli.common import fail, group, kafka_of, target_of, with_settings
from deploy.settings import Settings
from schemas.exit_codes import ExitCode
from schemas.kafka import Address
from schemas.steps import TellStep

app = group()

BackupWork = Callable[[Address, str, TellStep], Awaitable[Mapping[str, int]]]


@app.command()
@with_settings()
def backup(
    settings: Settings,
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Is replaced once the new one is whole.")],
) -> None:
    """Save what cannot be made anew in FILE: deliveries, what people did, keys and screens.

    Nothing need be stopped for it. The file holds what CRMs have sent, and hashes of keys: keep it as such.
    """
    counts = _run(settings, lambda kafka, prefix, say: backups.save(kafka, prefix, file, say=say))
    typer.echo(f"saved {_words(counts)} in {file}")


@app.command()
@with_settings()
def restore(
    settings: Settings,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Of floorcast backup.")],
) -> None:
    """Add to the topics what FILE has and they lack.

    They must be there (floorcast topics). Nothing need be stopped for it, and twice is no harm.
    """
    counts = _run(settings, lambda kafka, prefix, say: backups.restore(kafka, prefix, file, say=say))
    typer.echo(f"added {_words(counts)}")


def _run(settings: Settings, work: BackupWork) -> Mapping[str, int]:
    target = target_of(settings)

    async def run() -> Mapping[str, int]:
        with progress_bar() as say:
            return await work(target.broker, target.prefix, say)

    with kafka_of(target):
        try:
            return asyncio.run(run())
        except backups.BackupError as error:
            fail([str(error)], ExitCode.WRONG_USE)
        except backups.MissingTopicError as error:
            fail([f"{error}: floorcast topics makes it"], ExitCode.DIFFERENCES)


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in counts.items())
