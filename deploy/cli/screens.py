"""`floorcast screens`: pairs the screens on the walls, lists and revokes them."""

from typing import Annotated

import typer

from deploy import screens
from deploy.cli.common import checked_config, group, now, settings_of, target_of
from deploy.cli.flags import BrokerFlag, ConfigFlag, DataFlag, PrefixFlag

app = group("The screens on the walls.")


@app.command("pair")
def screens_pair(
    code: Annotated[str, typer.Argument(metavar="CODE", help="As it stands on the screen.")],
    *,
    screen: Annotated[str, typer.Option(help="Which of `screens` it shows.")],
    team: Annotated[str | None, typer.Option(help="Show this team alone. [default: those of the screen]")] = None,
    name: Annotated[str | None, typer.Option(help="What people call it, such as Lobby.")] = None,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Pair the screen that shows this code."""
    target = target_of(settings_of(config=config, broker=broker, prefix=prefix, data=data))
    checked = checked_config(target.config)
    raise typer.Exit(screens.run_pair(target, checked, code, screen=screen, team=team, name=name, now=now()))


@app.command("list")
def screens_list(
    *, config: ConfigFlag = None, broker: BrokerFlag = None, prefix: PrefixFlag = None, data: DataFlag = None
) -> None:
    """List the screens that were paired, with what each said of itself last."""
    target = target_of(settings_of(config=config, broker=broker, prefix=prefix, data=data))
    raise typer.Exit(screens.run_list(target, now=now()))


@app.command("revoke")
def screens_revoke(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="As screens list shows it.")],
    *,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Take a screen off the wall, for good."""
    target = target_of(settings_of(config=config, broker=broker, prefix=prefix, data=data))
    raise typer.Exit(screens.run_revoke(target, device))
