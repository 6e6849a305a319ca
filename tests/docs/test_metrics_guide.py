"""The guide on metrics of one's own: what it shows can be copied."""

import re
from pathlib import Path

import pytest

from deploy.catalogue.trial import Trial
from deploy.verification.definitions import with_own
from schemas.catalogue.reading import read_metrics, shipped
from schemas.documents.text import read_document

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "write-a-metric.md"
FILES = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", FILES)
def test_each_file_that_it_shows_is_right_and_its_examples_come_out(text: str) -> None:
    found = read_metrics(text, "metrics.yaml", shipped())
    definitions = with_own(read_document(text, "metrics.yaml").value)

    assert found.problems == []
    assert list(Trial(found.defined, "EUR", definitions).wrong(found.defined.own)) == []
