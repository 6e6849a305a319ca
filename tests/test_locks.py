"""The three locks: each names exact versions with hashes, and what developers have is what users have, and more."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")
_ENTRY = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?: \\\n    --hash=sha256:[0-9a-f]{64})+$", re.MULTILINE
)
# Each is large and of use to developers alone.
NOT_FOR_USERS = {"cython", "hypothesis", "matplotlib", "mypy", "playwright", "pytest", "ruff", "setuptools", "uv"}


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text()
    return {found["name"]: found["version"] for found in _ENTRY.finditer(text)}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_for_all_it_names_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert len(pins(lock)) == text.count("==") > 0
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]),
        ("requirements-build.lock", PROJECT["build-system"]["requires"]),
    ],
)
def test_a_lock_has_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    locked = pins(lock)

    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


def test_what_builds_is_written_twice_and_the_same() -> None:
    assert PROJECT["dependency-groups"]["build"] == PROJECT["build-system"]["requires"]


def test_developers_run_what_users_run() -> None:
    users, developers = pins("requirements.lock"), pins("requirements-dev.lock")

    assert {name: developers.get(name) for name in users} == users
    assert not NOT_FOR_USERS & users.keys()


def test_the_image_is_installed_by_the_locks_alone() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    commands = [command for line in lines if line.startswith("RUN ") for command in line.split("&&")]
    installing = [command for command in commands if "pip install" in command]

    assert len(installing) == 3
    assert all("--require-hashes" in one or "--no-build-isolation --no-deps ." in one for one in installing)
