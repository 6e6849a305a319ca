"""What a person sees on `/floor` and `/me` where something is wrong: a sentence in their language, or the door.

Asked by pages.py. Owns which words an error has; which errors there are, errors.py says.
"""

from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from api.http.people.rendering import reader_words, rendered
from api.http.scopes import PAGES
from api.http.served import config_of
from api.read.view import View
from api.words.texts import ReaderWords
from schemas.keys import ApiKey, ApiScope, KeyStore

_DATES = frozenset({"from", "to"})


def is_of_people(path: str) -> bool:
    """Whether an address is one of these pages, or below one."""
    return path.removeprefix("/").partition("/")[0] in PAGES


def problem_page(scope: Scope, status: int, detail: str, *, field: str | None, headers: dict[str, str]) -> Response:
    """The page that says what is wrong."""
    path: str = scope["path"]
    page = path.removeprefix("/").partition("/")[0]
    connection = HTTPConnection(scope)
    words = reader_words(connection, config_of(scope))
    query = parse_qsl(scope["query_string"].decode("latin-1"))
    if status == 401 or (status == 403 and path == f"/{page}" and field not in {"origin", "team"}):
        key = _key_of(scope, page, query)
        refusal = _refusal(words, status, field, key, is_unknown=key is None and bool(dict(query).get("token")))
        context: dict[str, Any] = {"page": page, "title": words.say(f"key.heading.{page}"), "refusal": refusal}
        return rendered("key", words, status=status, headers=headers, here=_here(path, page, query), **context)
    heading, text, hint = _words(scope, words, status, field, dict(query), detail)
    back = f"/{page}" if status in {403, 404, 422} else None
    return rendered(
        "problem", words, status=status, headers=headers, title=heading, heading=heading, text=text, hint=hint,
        back=back,
    )  # fmt: skip


def _here(path: str, page: str, query: list[tuple[str, str]]) -> str:
    """The address to go to once the door is open."""
    rest = urlencode([(name, value) for name, value in query if name != "token"])
    return f"/{page}?{rest}" if rest and path == f"/{page}" else f"/{page}"


def _refusal(words: ReaderWords, status: int, field: str | None, key: ApiKey | None, *, is_unknown: bool) -> str:
    """Why the door stays closed; empty where nobody has shown a key yet.

    `is_unknown`: the address has one that nobody knows, which is no error where everything is open.
    """
    if is_unknown:
        return words.say("key.refused")
    if status == 401:
        return words.say("key.refused") if field == "token" else ""
    if key is None:
        return ""
    kinds = {ApiScope.BOARD: "key.of_boards", ApiScope.REP: "key.of_reps"}
    return words.say(kinds.get(key.scope, "key.of_managers"))


def _key_of(scope: Scope, page: str, query: list[tuple[str, str]]) -> ApiKey | None:
    """The key that was shown and is not for this page."""
    cookies = SimpleCookie()
    try:
        cookies.load(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        cookies.clear()
    cookie = cookies.get(PAGES[page])
    token = dict(query).get("token") or (None if cookie is None else cookie.value)
    store: KeyStore = scope["app"].state.keys
    return None if token is None else store.find(token, scope["app"].state.clock())


def _words(
    scope: Scope, words: ReaderWords, status: int, field: str | None, query: dict[str, str], detail: str
) -> tuple[str, str, str]:
    """Heading and text; and what a program is told, where that says more: what may be asked instead."""
    asked = query.get(field or "", "")
    if field in {"metrics", "metric"}:
        catalogue = _catalogue(scope)
        names = [name for name in query.get("metrics", query.get("sort", "")).split(",") if name.strip()]
        unknown = next((name.strip() for name in names if name.strip() not in catalogue), asked)
        return words.say("problem.metrics", name=unknown), "", ""
    if field == "team" and status == 404:
        return words.say("problem.team", name=asked), "", ""
    if field == "rep":
        return words.say("problem.rep"), "", ""
    if field in _DATES:
        kind = "problem.date" if asked and "date" in detail else "problem.dates"
        return words.say(kind, name=asked), "", ""
    if field == "window":
        return words.say("problem.window", name=asked), "", detail
    found = {
        403: "problem.elsewhere" if field == "origin" else "problem.forbidden",
        404: "problem.not_found",
        422: "problem.value",
        503: "problem.starting",
    }.get(status, "problem.other")
    text = words.say("problem.starting.text") if status == 503 else ""
    return words.say(found, name=asked), text, detail if status == 422 else ""


def _catalogue(scope: Scope) -> frozenset[str]:
    view: View = scope["app"].state.read_side.view
    return frozenset(view.catalogue)
