"""The floor of each test here."""

from pathlib import Path

import pytest

from tests.deploy.files.imports import CONFIG, Imports


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    return Imports(CONFIG, tmp_path)
