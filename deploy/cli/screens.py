"""`floorcast screens`: pairs the screens on the walls, lists and revokes them.

Reads and writes the topic `access` itself, so it needs no api and no key.
"""

from typing import Annotated

import typer

from deploy.access import PutEntry, with_book
from deploy.cli.common import (
    announce,
    checked_config,
    columns,
    fail,
    group,
    say,
    target_of,
    with_settings,
)
from deploy.settings import Settings
from schemas.devices import AccessBook, Device, new_device
from schemas.documents.errors import suggestion
from schemas.exit_codes import ExitCode
from schemas.instants import format_instant
from schemas.machine_clock import machine_clock

app = group("The screens on the walls.")


@app.command("pair")
@with_settings()
def screens_pair(
    settings: Settings,
    code: Annotated[str, typer.Argument(metavar="CODE", help="As it stands on the screen.")],
    *,
    screen: Annotated[str, typer.Option(help="Which of `screens` it shows.")],
    team: Annotated[str | None, typer.Option(help="Show this team alone. [default: those of the screen]")] = None,
    name: Annotated[str | None, typer.Option(help="What people call it, such as Lobby.")] = None,
) -> None:
    """Pair the screen that shows this code."""
    target = target_of(settings)
    config = checked_config(target.config)
    if screen not in config.screen_names:
        fail([f"there is no screen {screen!r}{suggestion(screen, config.screen_names)}"], ExitCode.WRONG_USE)
    if team is not None and config.teams and team not in config.teams:
        fail([f"there is no team {team!r}{suggestion(team, config.teams)}"], ExitCode.WRONG_USE)

    async def pair(book: AccessBook, put: PutEntry) -> None:
        found = book.open_code(code, machine_clock())
        if found is None:
            fail(["there is no such code; it may be used or expired"], ExitCode.WRONG_USE)
        paired, device = new_device(found, screen, team=team, name=name, now=machine_clock())
        await put(device, True)
        await put(paired, True)
        announce(f"screen {device.id} shows {screen}{f' for team {team}' if team else ''} in a moment")

    with_book(target, pair)


@app.command("list")
@with_settings()
def screens_list(settings: Settings) -> None:
    """List the screens that were paired, with what each said of itself last."""
    target = target_of(settings)

    async def show(book: AccessBook, _put: PutEntry) -> None:
        if not book.devices:
            say("no screen has been paired")
            return
        for line in _table(book, machine_clock()):
            announce(line)

    with_book(target, show)


@app.command("revoke")
@with_settings()
def screens_revoke(
    settings: Settings,
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="As screens list shows it.")],
) -> None:
    """Take a screen off the wall, for good."""
    target = target_of(settings)

    async def revoke(book: AccessBook, put: PutEntry) -> None:
        found = book.devices.get(device)
        if found is None:
            fail([f"there is no screen {device!r}{suggestion(device, book.devices)}"], ExitCode.WRONG_USE)
        for entry in (found, book.heartbeats.get(device), book.commands.get(device)):
            if entry is not None:
                await put(entry, False)
        announce(f"screen {device} is revoked: it shows nothing any more")

    with_book(target, revoke)


def _table(book: AccessBook, now: int) -> list[str]:
    """Lines with a heading."""
    head = ("DEVICE", "SCREEN", "NAME", "TEAM", "PAIRED", "LAST SEEN", "ONLINE", "SCENE", "SIZE")
    devices = sorted(book.devices.values(), key=lambda each: each.paired_at)
    return columns([head, *(_row(book, device, now) for device in devices)])


def _row(book: AccessBook, device: Device, now: int) -> tuple[str, ...]:
    heard = book.heartbeats.get(device.id)
    return (
        device.id,
        device.screen,
        device.name or "-",
        device.team or "-",
        format_instant(device.paired_at),
        "-" if heard is None else format_instant(heard.at),
        "yes" if book.is_online(device.id, now) else "no",
        (heard.scene if heard is not None else "") or "-",
        (heard.size if heard is not None else "") or "-",
    )
