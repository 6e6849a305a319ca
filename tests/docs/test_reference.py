"""The reference pages are those that the code makes."""

import pytest

from docs.generate import CONNECTORS, PAGES, REFERENCE, _series, connector_page
from schemas.catalogue.series import PREFIX, is_taken
from schemas.connectors import KINDS, kind_of


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_reference_page_says_what_the_code_says(name: str) -> None:
    written = (REFERENCE / name).read_text(encoding="utf-8")

    assert written == PAGES[name](), f"docs/reference/{name} is out of date: python docs/generate.py"


def test_every_reference_page_is_made_from_the_code() -> None:
    assert {page.name for page in REFERENCE.iterdir()} == {name for name in PAGES if not name.startswith("../")}


@pytest.mark.parametrize("name", ["configuration.md", "settings.md", "metrics.md"])
def test_every_row_of_a_reference_page_says_what_it_means(name: str) -> None:
    rows = [line.strip("|").split(" | ") for line in PAGES[name]().splitlines() if line.startswith("| `")]

    assert rows
    assert [row[0] for row in rows if not row[-1].strip(" |")] == []


def test_no_metric_can_take_the_name_of_a_series_of_the_pipeline() -> None:
    assert [name for name, _, _ in _series() if not is_taken(name.removeprefix(PREFIX))] == []


@pytest.mark.parametrize("kind", sorted(kind for kind in KINDS if kind_of(kind).objects or kind == "hubspot"))
def test_the_page_of_a_connector_says_what_becomes_what(kind: str) -> None:
    written = (CONNECTORS / f"{kind}.md").read_text(encoding="utf-8")

    assert written == connector_page(kind), f"docs/connectors/{kind}.md is out of date: python docs/generate.py"
