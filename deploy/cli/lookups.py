"""`floorcast lookups`: asking the CRMs' own APIs."""

import typer

from deploy.cli.common import checked_config, group, settings_of, target_of
from deploy.cli.flags import BrokerFlag, ConfigFlag, DataFlag, PrefixFlag

app = group()


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
    from processor.logs import configure_logging  # noqa: PLC0415

    configure_logging()
    settings = settings_of(config=config, broker=broker, prefix=prefix, data=data)
    target = target_of(settings)
    checked_config(target.config)
    raise typer.Exit(main(target, settings.data / "lookups"))
