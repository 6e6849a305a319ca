"""`/docs/runbooks`: what an alert means and what to do, from this process alone, when nothing else answers.

Owns how the pages of docs/runbooks are shown. Alerts of Prometheus name them by `runbook_url`. Who may read them is
everybody, as they are part of the product.
"""

import re
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Annotated

import yaml
from fastapi import APIRouter, Path
from markdown_it import MarkdownIt
from markdown_it.token import Token
from starlette.responses import Response

from api.http.errors import NotFoundError

router = APIRouter(include_in_schema=False)

INDEX = "README"
_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{title} - floorcast</title>
  <link rel="icon" href="data:,">
</head>
<body>
{body}</body>
</html>
"""
_BESIDE = re.compile(r"([\w-]+)\.md(#[\w-]+)?")
"""A link to another of these pages; others lead out of what an api has, and are shown as their words."""


@router.get("/docs/runbooks/{name}.md")
def page(name: Annotated[str, Path(max_length=64)]) -> Response:
    """The page of an alert; `README` has all of them, and what exit codes mean."""
    if name not in _pages():
        raise NotFoundError(detail="there is no such page; /docs/runbooks/README.md has all of them")
    return Response(_rendered(name), media_type="text/html", headers={"cache-control": "public, max-age=3600"})


@router.get("/docs/runbooks")
@router.get("/docs/runbooks/")
def index() -> Response:
    """All of them."""
    return Response(status_code=307, headers={"location": f"/docs/runbooks/{INDEX}.md"})


@cache
def _pages() -> dict[str, str]:
    """Name -> Markdown, as docs/generate.py has packed them."""
    found: dict[str, str] = yaml.safe_load(files("api").joinpath("runbooks.yaml").read_text(encoding="utf-8"))
    return found


@cache
def _rendered(name: str) -> str:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(_pages()[name])
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            before.attrSet("id", re.sub(r"[^\w]+", "-", token.content.lower()).strip("-"))
        _keep_links(token.children or [])
    title = _pages()[name].partition("\n")[0].removeprefix("# ")
    return _PAGE.format(title=title, body=markdown.renderer.render(tokens, markdown.options, {}))


def _keep_links(words: list[Token]) -> None:
    """Take away what leads nowhere here."""
    inside = False
    for word in words:
        if word.type == "link_open":
            named = _BESIDE.fullmatch(str(word.attrGet("href")))
            inside = named is None or named[1] not in _pages()
        if word.type in ("link_open", "link_close") and inside:
            word.tag, word.attrs = "span", {}
