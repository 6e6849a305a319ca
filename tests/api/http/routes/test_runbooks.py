"""Runbooks are pages of the api: whole, open to everybody, and without a link that leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.api.fakes import FakeIngest
from tests.api.live import make_app, make_settings
from tests.api.test_app import get

PAGES = Path(__file__).parents[4] / "docs" / "runbooks"
NAMES = sorted(page.stem for page in PAGES.glob("*.md"))


@pytest.fixture
def ingest() -> FakeIngest:
    return FakeIngest()


@pytest.mark.parametrize("name", NAMES)
async def test_every_page_is_served_with_links_that_lead_somewhere(
    name: str, tmp_path: Path, ingest: FakeIngest
) -> None:
    app = make_app(make_settings(tmp_path), ingest)

    answer = await get(app, f"/docs/runbooks/{name}.md")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    title = (PAGES / f"{name}.md").read_text().partition("\n")[0].removeprefix("# ")
    assert re.search(rf"<h1[^>]*>{title}</h1>", answer.text)
    assert "<script" not in answer.text
    for target, _, part in (link.partition("#") for link in re.findall(r'<a href="([^"]*)"', answer.text)):
        page = await get(app, f"/docs/runbooks/{target}")
        assert page.status_code == 200, target
        assert not part or f'id="{part}"' in page.text


async def test_what_leads_out_of_the_pages_is_shown_as_its_words(tmp_path: Path, ingest: FakeIngest) -> None:
    page = (await get(make_app(make_settings(tmp_path), ingest), "/docs/runbooks/PipelineStale.md")).text

    assert "see <span>sizing</span>" in page


async def test_the_index_is_found_and_an_unknown_page_is_a_problem(tmp_path: Path, ingest: FakeIngest) -> None:
    app = make_app(make_settings(tmp_path), ingest)

    assert (await get(app, "/docs/runbooks")).headers["location"] == "/docs/runbooks/README.md"
    unknown = await get(app, "/docs/runbooks/Nowhere.md")

    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
