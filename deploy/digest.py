"""What the digest would say now, from the api. Owns the question and what may go wrong with it."""

import httpx

from schemas.exit_codes import ExitCode

_SECONDS = 30.0


class DigestError(Exception):
    """It could not be had; in words, with the exit code."""

    def __init__(self, reason: str, code: ExitCode) -> None:
        super().__init__(reason)
        self.code = code


def fetch_digest(url: str, key: str | None, channel: str | None) -> str:
    """The lines of it. Raises DigestError."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    asked = {} if channel is None else {"channel": channel}
    try:
        answer = httpx.get(f"{url}/v1/digest", params=asked, headers=headers, timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        msg = f"{url} does not answer ({type(error).__name__})"
        raise DigestError(msg, ExitCode.UNREACHABLE) from None
    if answer.is_success:
        return str(answer.json()["text"])
    code = ExitCode.UNREACHABLE if answer.is_server_error else ExitCode.WRONG_USE
    if answer.status_code in {401, 403}:
        msg = f"{url} needs an API key of scope read: set FLOORCAST_API_KEY"
        raise DigestError(msg, code)
    raise DigestError(_detail(answer), code)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"answered {answer.status_code}"
