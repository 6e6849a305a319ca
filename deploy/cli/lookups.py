"""`floorcast lookups` and `floorcast backfill`: asking the CRMs' own APIs."""

from typing import Annotated

import typer

from deploy.cli.common import checked_config, fail, group, now, say, settings_of, target_of
from deploy.cli.flags import BrokerFlag, ConfigFlag, DataFlag, PrefixFlag
from schemas.exit_codes import ExitCode
from schemas.instants import parse_duration, parse_instant

app = group()
FOLDER = "lookups"
"""In the data folder: shared by all who ask."""


@app.command()
def lookups(
    *,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Ask the CRMs for what their webhooks only name or did not tell; up starts it where there is an api.

    One such process asks all connections.
    """
    from deploy.lookups.owner import main  # noqa: PLC0415

    settings = settings_of(config=config, broker=broker, prefix=prefix, data=data)
    target = target_of(settings)
    checked_config(target.config)
    raise typer.Exit(main(target, settings.data / FOLDER))


@app.command()
def backfill(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A connection of floorcast.yaml that has an api.")],
    *,
    since: Annotated[
        str, typer.Option(metavar="30d", help="What was changed since then: a duration, or an instant with an offset.")
    ] = "30d",
    records: Annotated[
        str | None, typer.Option(metavar="deal,call", help="Only records of these kinds. [default: all]")
    ] = None,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Take from a CRM's API what was there before its webhooks came.

    Stopped, the same command goes on where it was; run again, it changes nothing. No message and no celebration comes
    of it.
    """
    from deploy.lookups.backfill import main  # noqa: PLC0415

    settings = settings_of(config=config, broker=broker, prefix=prefix, data=data)
    begin = _since(since)
    target = target_of(settings)
    checked = checked_config(target.config)
    kinds = [kind.strip() for kind in records.split(",")] if records else []
    raise typer.Exit(main(target, checked, settings.data / FOLDER, name, since=begin, records=kinds, say=say))


def _since(text: str) -> int:
    try:
        return now() - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_instant(text)
    except ValueError:
        fail(["--since: must be a duration such as 30d, or an RFC 3339 instant with an offset"], ExitCode.WRONG_USE)
