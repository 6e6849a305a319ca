"""`floorcast digest`: what the digest would say now."""

from typing import Annotated

import typer

from deploy.cli.common import fail, group, settings_of, target_of
from deploy.cli.flags import BrokerFlag, ConfigFlag, DataFlag, PrefixFlag
from deploy.digest import DigestError, fetch_digest
from schemas.exit_codes import ExitCode

app = group()


@app.command()
def digest(
    *,
    print_: Annotated[bool, typer.Option("--print", help="Print it; no channel is told anything.")] = False,
    channel: Annotated[
        str | None, typer.Option(help="As this channel would be told. [default: the first of the digest]")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Address of the api. [default: the up that runs on --data]")] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="API key of scope read; better in the variable, as others see the process list.",
            envvar="FLOORCAST_API_KEY",
            show_envvar=True,
        ),
    ] = None,
    config: ConfigFlag = None,
    broker: BrokerFlag = None,
    prefix: PrefixFlag = None,
    data: DataFlag = None,
) -> None:
    """Print what the digest would say now: the day so far, from the api."""
    if not print_:
        fail(["digest is told by the worker at its hour; --print says what it would say now"], ExitCode.WRONG_USE)
    if url is None:
        url = target_of(settings_of(config=config, broker=broker, prefix=prefix, data=data)).url
    if url is None:
        fail(["no up runs on --data: say --url"], ExitCode.WRONG_USE)
    try:
        typer.echo(fetch_digest(url, key or None, channel))
    except DigestError as error:
        fail([str(error)], error.code)
