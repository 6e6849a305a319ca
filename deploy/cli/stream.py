"""`floorcast stream NAME`: events that floorcast fetches itself."""

from typing import Annotated

import typer

from deploy.cli.common import checked_config, group, settings_of, target_of
from deploy.cli.flags import BrokerFlag, ConfigFlag, DataFlag, PrefixFlag

app = group()


@app.command()
def stream(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The connection.")],
    *,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Read a connection's events as they happen, where its CRM has a stream of them; up starts one for each.

    One such process reads a connection: a second one ends with 75.
    """
    from deploy.streaming.stream import main  # noqa: PLC0415
    from processor.logs import configure_logging  # noqa: PLC0415

    configure_logging()
    settings = settings_of(config=config, broker=broker, prefix=prefix, data=data)
    target = target_of(settings)
    checked_config(target.config)
    raise typer.Exit(main(target, name))
