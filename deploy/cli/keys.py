"""`floorcast keys`: makes, lists and takes away API keys and display tokens.

Owns what is printed, and where a change goes: into the topic `access` where a Kafka is named, else into the file of the
data folder, from which the `up` or `api` that runs on it, or starts next, writes it there. What a key may do is the
api's (schemas/keys.py). A token is printed once, on stdout and alone, so that it can be piped into a file; nothing
prints it again.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from deploy.access import PutEntry, with_book
from deploy.cli.common import announce, columns, fail, group, say, target_of, with_settings
from deploy.local.target import Instance, find_running
from deploy.settings import Settings
from schemas.config import ConfigError, load_config
from schemas.devices import AccessBook, HashedKey
from schemas.exit_codes import ExitCode
from schemas.instants import DAY, format_instant, parse_duration
from schemas.keys import ApiKey, ApiScope, KeyFileError, UnknownKeyError, create_key, list_keys, new_key, revoke_key
from schemas.machine_clock import machine_clock

app = group("API keys and display tokens.")

_LONGEST = 36_500 * DAY
_REQUESTS = (
    "the manager's page opens with /floor?token=TOKEN",
    "requests carry it as Authorization: Bearer TOKEN, floorcast verify takes it from FLOORCAST_API_KEY",
)
_OPENS: Mapping[ApiScope, Sequence[str]] = {
    ApiScope.BOARD: ("a wallboard opens with /board/SCREEN?token=TOKEN",),
    ApiScope.REP: ("their own page opens with /me?token=TOKEN",),
    ApiScope.READ: _REQUESTS,
    ApiScope.ADMIN: _REQUESTS,
}
"""What is said of a new key."""


def unknown_team(config: Path, team: str, environment: Mapping[str, str]) -> str | None:
    """A warning if the configuration can be read and does not know the team. Records may bring teams it does not."""
    if not config.is_file():
        return None
    try:
        teams = load_config(config, environment).teams
    except ConfigError:
        return f"{config} cannot be read, so nobody knows whether there is a team {team!r}: see floorcast check"
    if team in teams:
        return None
    known = f"there are {', '.join(sorted(teams))}" if teams else "there are none"
    return f"{config} names no team {team!r} ({known}); the key shows nothing until a rep record does"


def keys_table(keys: list[ApiKey], now: int) -> list[str]:
    """Lines with a heading; never anything of the secret."""
    rows = [("ID", "SCOPE", "TEAM", "REP", "CREATED", "EXPIRES", "EXPIRED")]
    rows += [
        (
            key.id,
            str(key.scope),
            key.team or "-",
            key.rep or "-",
            format_instant(key.created_at),
            format_instant(key.expires_at) if key.expires_at is not None else "-",
            "yes" if key.is_expired(now) else "no",
        )
        for key in keys
    ]
    return columns(rows)


@contextmanager
def _file_of_keys() -> Iterator[None]:
    """Ends the command where the file cannot be used."""
    try:
        yield
    except (KeyFileError, TimeoutError) as error:
        fail([str(error)], ExitCode.WRONG_USE)


def _file(settings: Settings) -> Path:
    return settings.data / "keys.json"


def _reachable(settings: Settings) -> Instance | None:
    """The Kafka that is named, or that of the `up` that runs on the folder."""
    return target_of(settings) if settings.broker is not None or find_running(settings.data) is not None else None


@app.command("create")
@with_settings()
def keys_create(
    settings: Settings,
    *,
    scope: Annotated[
        Literal["read", "board", "rep", "admin"],
        typer.Option(help="What it may do; board: wallboards only; rep: one person's own page."),
    ],
    team: Annotated[str | None, typer.Option(help="Show what belongs to this team only. [default: all]")] = None,
    rep: Annotated[str | None, typer.Option(help="Whose page it opens; with --scope rep.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="90d", help="Valid for so long. [default: for ever]")] = None,
) -> None:
    """Make a key and print its token: this once.

    It lies in Kafka where one is named, else in the data folder until an up or api runs on that.
    """
    try:
        lasts = None if expires is None else parse_duration(expires)
    except ValueError as error:
        fail([f"--expires: {error}"], ExitCode.WRONG_USE)
    if lasts is not None and not 0 < lasts <= _LONGEST:
        fail(["--expires: must be more than nothing and at most 36500d"], ExitCode.WRONG_USE)
    if team is not None and not team.strip():
        fail(["--team: must not be empty"], ExitCode.WRONG_USE)
    _check_rep(scope, team, rep)
    warning = None if team is None else unknown_team(settings.config, team, os.environ)
    if warning is not None:
        say(f"warning: {warning}")
    now = machine_clock()
    expires_at = None if lasts is None else now + lasts
    said: dict[str, Any] = {"now": now, "team": team, "expires_at": expires_at, "rep": rep}
    target = None if settings.broker is None else target_of(settings)
    if target is None:
        with _file_of_keys():
            token = create_key(_file(settings), ApiScope(scope), **said)
    else:
        key, token = new_key(ApiScope(scope), **said)

        async def add(_book: AccessBook, put: PutEntry) -> None:
            await put(HashedKey(key.id, key), True)

        with_book(target, add)
    announce(token)
    key_id = token.removeprefix("fc_").partition(".")[0]
    until = "until it is revoked" if expires_at is None else f"until {format_instant(expires_at)}"
    whose = f" for rep {rep}" if rep else f" for team {team}" if team else ""
    say(f"key {key_id} of scope {scope}{whose}, valid {until}; it is not shown again")
    for line in _OPENS[ApiScope(scope)]:
        say(line)


def _check_rep(scope: str, team: str | None, rep: str | None) -> None:
    """A key of a person is of one person and nothing else."""
    if (scope == "rep") != (rep is not None):
        fail(["--rep: belongs to --scope rep, which needs the id of the person"], ExitCode.WRONG_USE)
    if rep is not None and not rep.strip():
        fail(["--rep: must not be empty"], ExitCode.WRONG_USE)
    if rep is not None and team is not None:
        fail(["--team: a key of one rep shows no team"], ExitCode.WRONG_USE)


@app.command("list")
@with_settings("broker", "prefix", "data")
def keys_list(settings: Settings) -> None:
    """List the keys: id, scope, team, rep, when made, until when valid."""
    path, target = _file(settings), _reachable(settings)
    with _file_of_keys():
        keys = {key.id: key for key in list_keys(path)}
    if target is not None:

        async def add(book: AccessBook, _put: PutEntry) -> None:
            for id, shared in book.keys.items():
                if shared.key is None:
                    keys.pop(id, None)
                else:
                    keys[id] = shared.key

        with_book(target, add)
    if not keys:
        say(f"there are no keys in {path}{'' if target is None else f', nor in Kafka at {target.broker}'}")
        return
    for line in keys_table(sorted(keys.values(), key=lambda key: key.created_at), machine_clock()):
        announce(line)


@app.command("revoke")
@with_settings("broker", "prefix", "data")
def keys_revoke(
    settings: Settings,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As keys list shows it.")],
) -> None:
    """Take a key away: every running api refuses it in a moment."""
    path, target = _file(settings), _reachable(settings)
    unknown: str | None = None
    with _file_of_keys():
        try:
            revoke_key(path, key_id)
        except UnknownKeyError as error:
            unknown = str(error)
        left = len(list_keys(path))
    if target is not None:

        async def take_away(book: AccessBook, put: PutEntry) -> None:
            nonlocal unknown, left
            shared = book.keys.get(key_id)
            if unknown is not None and (shared is None or shared.key is None):
                return
            unknown = None
            await put(HashedKey(key_id), True)
            left += sum(key.key is not None for id, key in book.keys.items() if id != key_id)

        with_book(target, take_away)
    if unknown is not None:
        fail([unknown], ExitCode.WRONG_USE)
    say(f"key {key_id} is revoked: every api refuses it in a moment")
    if not left:
        say("that was the last key: an api on loopback is open to this machine again")
