"""What a person sees in a browser where a program gets a problem document.

Asked by whoever answers an error. Owns which addresses people open, and what is wrong with a wallboard's; of the pages
of people, people/problems.py says it.
"""

import re
from html import escape
from pathlib import Path
from string import Template

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from api.http.board_page import pairing_page, unknown_name
from api.http.people.problems import is_of_people, problem_page
from api.http.people.rendering import reader_words
from api.http.served import config_of
from api.words.texts import ReaderWords
from schemas.config.screens import ScreenConfig

_BOARD = "/board"
_PAGE = Template((Path(__file__).parents[1] / "templates" / "error.html").read_text("utf-8"))
_PLAIN = re.compile(r"[0-9]{1,9}")
_KEYS = {
    401: ("trouble.key.heading", "trouble.key.text"),
    403: ("problem.forbidden", None),
    404: ("problem.not_found", "problem.address"),
    422: ("problem.value", None),
    503: ("trouble.starting.heading", "trouble.starting.text"),
}
"""Heading and text by status."""
_NAMES = {"team": "problem.team", "metric": "problem.metrics"}
"""Heading by what the address names and nothing is called."""


def error_page(
    scope: Scope, status: int, detail: str, *, field: str | None, headers: dict[str, str]
) -> Response | None:
    """The page that says what is wrong; None where a problem document is the right answer."""
    path: str = scope["path"]
    if "text/html" not in Headers(scope=scope).get("accept", ""):
        return None
    if is_of_people(path):
        return problem_page(scope, status, detail, field=field, headers=headers)
    if path != _BOARD and not path.startswith(f"{_BOARD}/"):
        return None
    connection = HTTPConnection(scope)
    config = config_of(scope)
    name = path.removeprefix(_BOARD).removeprefix("/")
    screen = config.screens.get(name)
    words = reader_words(connection, config) if screen is None else ReaderWords(screen.language)
    head = {"cache-control": "no-store", "vary": "accept, accept-language", **headers}
    if status == 401 and name and field != "token":
        return HTMLResponse(pairing_page(words), status_code=status, headers=head)
    asked = connection.query_params.get(field or "", "")
    if field in _NAMES:
        _, asked = unknown_name(connection) or (field, asked)
    heading, text = _said(words, status, field, name, screen, asked)
    body = _PAGE.substitute(
        language=words.language,
        direction=words.direction,
        heading=escape(heading),
        text=escape(text),
        hint=escape(detail if status == 422 else ""),
    )
    return HTMLResponse(body, status_code=status, headers=head)


def _said(
    words: ReaderWords, status: int, field: str | None, name: str, screen: ScreenConfig | None, asked: str
) -> tuple[str, str]:
    """Heading and text. `asked`: what the address says of `field`."""
    if status == 404 and field == "scene" and screen is not None:
        names = ", ".join(scene.name for scene in screen.scenes)
        return words.say("problem.scene", name=asked), words.say("problem.scenes", names=names)
    heading, text = _KEYS.get(status, ("problem.other", None))
    if status == 404 and field in _NAMES:
        heading, text = _NAMES[field], f"trouble.{field}.text"
    elif status == 404:
        heading = "problem.tile" if field == "tile" else "problem.screen" if name else heading
    # As it was written, where that is a number by other rules than ours.
    number: int | str = int(asked) if _PLAIN.fullmatch(asked) else asked
    is_screen = status == 404 and field not in _NAMES
    said = words.say(heading, name=name if is_screen else asked, number=number)
    return said, "" if text is None else words.say(text)
