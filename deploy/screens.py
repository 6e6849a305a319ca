"""`floorcast screens`: pairs the screens on the walls, lists and revokes them.

Owns what is printed. Reads and writes the topic `access` itself, so it needs no api and no key.
"""

import sys

from deploy.access import Put, run_with_book
from deploy.local.target import Target
from schemas.config import Config
from schemas.devices import AccessBook, Device, new_device
from schemas.documents.errors import suggestion
from schemas.exit_codes import ExitCode
from schemas.instants import format_instant


def run_pair(
    target: Target, config: Config, code: str, *, screen: str, team: str | None, name: str | None, now: int
) -> int:
    """Pair the screen that shows this code. Exit code 0, 2 where there is no such code, screen or team, or 3."""
    there = config.screen_names
    if screen not in there:
        return _fail(f"there is no screen {screen!r}{suggestion(screen, there)}", ExitCode.WRONG_USE)
    if team is not None and config.teams and team not in config.teams:
        return _fail(f"there is no team {team!r}{suggestion(team, config.teams)}", ExitCode.WRONG_USE)

    async def pair(book: AccessBook, put: Put) -> int:
        found = book.open_code(code, now)
        if found is None:
            return _fail("there is no such code; it may be used or expired", ExitCode.WRONG_USE)
        paired, device = new_device(found, screen, team=team, name=name, now=now)
        await put(device, True)
        await put(paired, True)
        _print(f"screen {device.id} shows {screen}{f' for team {team}' if team else ''} in a moment")
        return 0

    return run_with_book(target, pair, _fail)


def run_list(target: Target, *, now: int) -> int:
    """Print a line for each device. Exit code 0 or 3."""

    async def show(book: AccessBook, _put: Put) -> int:
        if not book.devices:
            _fail("no screen has been paired", 0)
            return 0
        for line in table(book, now):
            _print(line)
        return 0

    return run_with_book(target, show, _fail)


def run_revoke(target: Target, device: str) -> int:
    """Take a device off. Exit code 0, 2 where there is none of that id, or 3."""

    async def revoke(book: AccessBook, put: Put) -> int:
        found = book.devices.get(device)
        if found is None:
            return _fail(f"there is no screen {device!r}{suggestion(device, book.devices)}", ExitCode.WRONG_USE)
        for entry in (found, book.heartbeats.get(device), book.commands.get(device)):
            if entry is not None:
                await put(entry, False)
        _print(f"screen {device} is revoked: it shows nothing any more")
        return 0

    return run_with_book(target, revoke, _fail)


def table(book: AccessBook, now: int) -> list[str]:
    """Lines with a heading."""
    rows: list[tuple[str, ...]] = [
        ("DEVICE", "SCREEN", "NAME", "TEAM", "PAIRED", "LAST SEEN", "ONLINE", "SCENE", "SIZE")
    ]
    rows += [_line(book, device, now) for device in sorted(book.devices.values(), key=lambda each: each.paired_at)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _line(book: AccessBook, device: Device, now: int) -> tuple[str, str, str, str, str, str, str, str, str]:
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


def _print(line: str) -> None:
    print(line)  # noqa: T201 - the command's output


def _fail(problem: str, code: int) -> int:
    print(f"floorcast screens: {problem}", file=sys.stderr)  # noqa: T201 - the command's output
    return code
