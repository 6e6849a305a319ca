"""A language is one file, and says everything: the wallboard, pages, messages, and what every metric is and counts."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import schemas.words
from schemas.catalogue.reading import shipped
from schemas.config.screens import LANGUAGES
from schemas.records import CHOICES
from schemas.words import language_file

OTHERS = [language for language in LANGUAGES if language != "en"]
PERSIAN = str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789")
ENGLISH = language_file("en")


def test_each_language_has_its_file_and_no_file_is_of_no_language() -> None:
    files = {path.stem for path in Path(schemas.words.__file__).parent.glob("*.yaml")}

    assert files == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_has_the_same_parts_in_the_same_order_with_the_same_places_to_fill_in(language: str) -> None:
    said = language_file(language)

    assert list(said) == list(ENGLISH)
    for part in ("board", "pages", "messages", "tags", "segments"):
        assert list(said[part]) == list(ENGLISH[part]), part
        for key, text in said[part].items():
            assert all(holes(each) == holes_of(ENGLISH[part][key]) for each in forms(text)), (part, key)


@pytest.mark.parametrize("language", OTHERS)
def test_every_shipped_metric_has_a_name_of_its_own_and_says_what_it_counts(language: str) -> None:
    metrics, catalogue = language_file(language)["metrics"], shipped().metrics

    assert list(metrics) == list(catalogue)
    labels = [entry["label"] for entry in metrics.values()]
    assert sorted(labels) == sorted(set(labels))
    for name, entry in metrics.items():
        assert set(entry) == {"label", "description"}, name
        assert len(entry["label"]) <= 60, name
        assert entry["description"] != catalogue[name].description, name
        assert entry["description"].rstrip()[-1] in ".。", name


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_figures_and_settings_of_the_definition(language: str) -> None:
    for name, entry in language_file(language)["metrics"].items():
        assert exact(entry["description"].translate(PERSIAN)) == exact(shipped().metrics[name].description), name


def test_every_tag_and_every_fixed_value_has_a_name() -> None:
    tags = {tag for entry in shipped().metrics.values() for tag in entry.tags}
    values = {f"{kind}.{field}.{value}" for (kind, field), held in CHOICES.items() for value in held}

    assert set(ENGLISH["tags"]) == tags
    assert {key for key in ENGLISH["segments"] if key.count(".") == 2} == values


def exact(text: str) -> list[str]:
    """Numbers and names of settings; `bounds` and addresses are of REST, which pages do not speak of."""
    return sorted(set(re.findall(r"`(?!bounds)[^`]+`|\d+", text.replace("/v1/funnels", ""))))


def forms(text: Any) -> Iterator[str]:
    yield from ([text] if isinstance(text, str) else text.values())


def holes(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def holes_of(text: Any) -> set[str]:
    return set().union(*map(holes, forms(text)))
