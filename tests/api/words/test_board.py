"""The wallboard's modules of texts say what the files of the languages say."""

from pathlib import Path

import pytest

from api.words.board import FOLDER, module, write_boards
from schemas.config.screens import LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_module_is_that_of_its_language(language: str) -> None:
    held = (FOLDER / f"{language}.js").read_text("utf-8")

    assert held == module(language), "change schemas/words, then run `python -m api.words.board`"


def test_all_of_them_are_written(tmp_path: Path) -> None:
    write_boards(tmp_path)

    assert {path.stem for path in tmp_path.iterdir()} == set(LANGUAGES)
