"""What a person sees in a browser where a program gets a problem document.

Asked by whoever answers an error. Owns the words of these pages, and which addresses people open.
"""

from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from api.http.board_page import pairing_page
from api.http.people.problems import is_of_people, problem_page

_PEOPLE_OPEN = ("/board",)
_PAGE = Template((Path(__file__).parents[1] / "templates" / "error.html").read_text("utf-8"))


class _Words(NamedTuple):
    heading: str
    text: str


_BY_STATUS = {
    401: _Words(
        "This screen needs a valid key",
        "Its key is missing or not valid, has expired, or was revoked. Whoever runs floorcast makes one with"
        " “floorcast keys create --scope board”. Open this page here once with ?token= and that key at the end of its"
        " address.",
    ),
    403: _Words("The key of this screen is not for this page", "Ask whoever runs floorcast for another one."),
    404: _Words(
        "There is no such screen",
        "Look at the last part of the address. The screen that every floorcast has is /board/floor.",
    ),
    503: _Words("floorcast is not ready yet", "This page tries again by itself."),
}
_OTHERS = _Words("This page cannot be shown", "Look at the address. This page tries again by itself.")


def _language(scope: Scope, path: str) -> str:
    """Of the screen that is asked for; of others English."""
    screen = scope["app"].state.config.screens.get(path.removeprefix("/board/"))
    return "en" if screen is None else str(screen.language)


def error_page(
    scope: Scope, status: int, detail: str, *, field: str | None, headers: dict[str, str]
) -> Response | None:
    """The page that says what is wrong; None where a problem document is the right answer."""
    path: str = scope["path"]
    if is_of_people(path) and "text/html" in Headers(scope=scope).get("accept", ""):
        return problem_page(scope, status, detail, field=field, headers=headers)
    if not any(path == opened or path.startswith(opened + "/") for opened in _PEOPLE_OPEN):
        return None
    if "text/html" not in Headers(scope=scope).get("accept", ""):
        return None
    if status == 401 and path.startswith("/board/") and field != "token":
        head = {"cache-control": "no-store", "vary": "accept", **headers}
        return HTMLResponse(pairing_page(_language(scope, path)), status_code=status, headers=head)
    words = _BY_STATUS.get(status, _OTHERS)
    # How a program shows its key is nothing that helps a person.
    hint = "" if field == "authorization" else detail
    body = _PAGE.substitute(heading=escape(words.heading), text=escape(words.text), hint=escape(hint))
    return HTMLResponse(body, status_code=status, headers={"cache-control": "no-store", "vary": "accept", **headers})
