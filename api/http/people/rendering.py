"""How a page of people is made of its template: escaped, in one language, with the headers of a page that has forms.

Owns the templates' environment and the answer to a browser. What stands on a page, others say.
"""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from api.http.headers import CONTENT_SECURITY_POLICY
from api.words.texts import ReaderWords, words_for
from schemas.config import Config
from schemas.config.screens import LANGUAGES

_HEADERS = {
    "cache-control": "no-store",
    "vary": "accept, accept-language, cookie",
    # Its forms go to the api itself, and say where they come from.
    "content-security-policy": CONTENT_SECURITY_POLICY.replace("form-action 'none'", "form-action 'self'"),
    "referrer-policy": "same-origin",
}


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parents[2] / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(
    template: str, words: ReaderWords, *, status: int = 200, headers: dict[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """The page as an answer."""
    body = _environment().get_template(f"people/{template}.html").render(words=words, **context)
    return HTMLResponse(body, status_code=status, headers={**_HEADERS, **(headers or {})})


def reader_words(request: HTTPConnection, config: Config) -> ReaderWords:
    """The language of whoever asks: of the address, else of their browser, else of the first screen on the wall."""
    asked = request.query_params.get("language")
    screens = [str(screen.language) for screen in config.screens.values()]
    accepts = Headers(scope=request.scope).get("accept-language", "")
    return words_for(asked if asked in LANGUAGES else None, accepts, screens[0] if screens else "en")
