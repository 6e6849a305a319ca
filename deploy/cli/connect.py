"""`floorcast connect`: what a connection needs on its CRM's side, and its subscriptions, made and kept."""

import time
from typing import Annotated

import typer

from deploy.cli.common import announce, checked_config, fail, group, say, with_settings
from deploy.settings import Settings
from deploy.subscribing.asking import OnlineError
from deploy.subscribing.online import connect as subscribe
from deploy.subscribing.online import hook_url
from deploy.subscribing.steps import PLACE, steps
from deploy.subscribing.vendors import has_webhook_api
from schemas.connectors import KINDS, Connection
from schemas.documents.errors import suggestion
from schemas.exit_codes import ExitCode
from schemas.machine_clock import machine_clock

app = group()

_EVERY_SECONDS = 3600.0


@app.command()
@with_settings("config")
def connect(
    settings: Settings,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="A kind of connection, such as hubspot.")],
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Stay, look each hour, and mend or renew.")] = False,
) -> None:
    """Say how a CRM is set up, and make its subscriptions where it has an API for them.

    Zoho, Pipedrive, Close and Aircall have one: for each connection of that kind with api and public_url, what is
    missing is made and what was switched off is mended. Doing it again changes nothing.
    """
    if kind not in KINDS:
        fail([f"there is no kind {kind!r}{suggestion(kind, KINDS)}"], ExitCode.WRONG_USE)
    found: dict[str, Connection] = {}
    if settings.config.exists():
        known = checked_config(settings.config).connections
        found = {name: entry for name, entry in known.items() if entry.kind == kind}
    for url in [hook_url(name, entry) for name, entry in found.items()] or [f"{PLACE}/webhooks/NAME"]:
        for step in steps(kind, url):
            announce(step)
    while True:
        codes = [_subscribe(name, connection) for name, connection in found.items()]
        if not keep:
            raise typer.Exit(max(codes, default=0))
        time.sleep(_EVERY_SECONDS)


def _subscribe(name: str, connection: Connection) -> int:
    try:
        done = subscribe(name, connection, machine_clock())
    except OnlineError as error:
        say(f"connections.{name}: {error}")
        return ExitCode.UNREACHABLE if error.is_away else ExitCode.DIFFERENCES
    if done is None:
        lacks = [what for what in ("api", "public_url") if getattr(connection, what, None) is None]
        why = f"it needs {' and '.join(lacks)}" if lacks and has_webhook_api(connection) else "follow the steps above"
        say(f"connections.{name}: nothing is made by this command: {why}")
        return 0
    for action in done.actions or ["nothing had to be done"]:
        announce(f"connections.{name}: {action}")
    for secret in done.secrets:
        announce(f"connections.{name}.secrets: {secret}")
    return 0
