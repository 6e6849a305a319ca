"""`floorcast digest`: what the digest would say now."""

from typing import Annotated

import httpx
import typer

from deploy.cli.common import announce, fail, group, target_of, with_settings
from deploy.cli.flags import KeyFlag, UrlFlag
from deploy.settings import Settings
from schemas.exit_codes import ExitCode

app = group()

_SECONDS = 30.0


@app.command()
@with_settings()
def digest(
    settings: Settings,
    *,
    print_: Annotated[bool, typer.Option("--print", help="Print it; no channel is told anything.")] = False,
    channel: Annotated[
        str | None, typer.Option(help="As this channel would be told. [default: the first of the digest]")
    ] = None,
    url: UrlFlag = None,
    key: KeyFlag = None,
) -> None:
    """Print what the digest would say now: the day so far, from the api."""
    if not print_:
        fail(["digest is told by the worker at its hour; --print says what it would say now"], ExitCode.WRONG_USE)
    if url is None:
        url = target_of(settings).url
    if url is None:
        fail(["no up runs on --data: say --url"], ExitCode.WRONG_USE)
    announce(_fetched(url, key or None, channel))


def _fetched(url: str, key: str | None, channel: str | None) -> str:
    """The lines of it. Ends the command where it cannot be had."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    asked = {} if channel is None else {"channel": channel}
    try:
        answer = httpx.get(f"{url}/v1/digest", params=asked, headers=headers, timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail([f"{url} does not answer ({type(error).__name__})"], ExitCode.UNREACHABLE)
    if answer.is_success:
        return str(answer.json()["text"])
    code = ExitCode.UNREACHABLE if answer.is_server_error else ExitCode.WRONG_USE
    if answer.status_code in {401, 403}:
        fail([f"{url} needs an API key of scope read: set FLOORCAST_API_KEY"], code)
    try:
        fail([str(answer.json()["detail"])], code)
    except (ValueError, KeyError, TypeError):
        fail([f"answered {answer.status_code}"], code)
