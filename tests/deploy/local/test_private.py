"""A data folder is its owner's alone, also one that was not before."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.login import make_login, read_login
from deploy.local.private import SharedFolderError, make_private, write_private
from deploy.local.supervisor import ChildProgram


@pytest.fixture(autouse=True)
def _own_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_new_folder_and_what_a_child_makes_in_it_later(tmp_path: Path) -> None:
    data = tmp_path / "a" / "data"
    make_private(data)
    script = "import os, pathlib; os.mkdir('kept'); pathlib.Path('kept/it').write_text('x')"
    child = ChildProgram(
        name="child", command=[sys.executable, "-c", f"import os; os.chdir({str(data)!r}); {script}"],
        log=data / "logs" / "child.log",
    )  # fmt: skip
    await child.start()
    assert await child.wait() == 0, child.last_words()

    assert mode(data) == 0o700
    assert mode(data / "kept") == 0o700
    assert mode(data / "kept" / "it") == 0o600
    assert mode(data / "logs" / "child.log") == 0o600


def test_a_folder_of_an_earlier_version(tmp_path: Path) -> None:
    for name in ("kafka/deliveries-0/0.log", "logs/api.log", "up.json", "keys.json", "worker-id", "kafka.properties"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)

    make_private(tmp_path)

    assert mode(tmp_path) == 0o700
    assert {mode(path) for path in tmp_path.rglob("*") if path.is_dir()} == {0o700}
    assert {mode(path) for path in tmp_path.rglob("*") if path.is_file()} == {0o600}


def test_what_else_lies_there_stays_what_it_is_for_its_owner(tmp_path: Path) -> None:
    script, notes, elsewhere = tmp_path / "run.sh", tmp_path / "notes", tmp_path.parent / "elsewhere"
    for path, rights in ((script, 0o755), (notes, 0o444), (elsewhere, 0o644)):
        path.write_text("x")
        path.chmod(rights)
    (tmp_path / "kafka").symlink_to(elsewhere)

    make_private(tmp_path)

    assert (mode(script), mode(notes), mode(elsewhere)) == (0o700, 0o400, 0o644)


def test_a_folder_that_is_everybodys_is_not_taken_from_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)

    with pytest.raises(SharedFolderError):
        make_private(tmp_path)

    assert mode(tmp_path) == 0o1777
    tmp_path.chmod(0o700)


def test_a_file_that_lay_there_open_does_not_stay_open(tmp_path: Path) -> None:
    (tmp_path / "up.json.new").write_text("left over")
    (tmp_path / "up.json.new").chmod(0o666)

    write_private(tmp_path / "up.json", b"new")

    assert mode(tmp_path / "up.json") == 0o600
    assert (tmp_path / "up.json").read_bytes() == b"new"


def test_the_login_is_made_once_and_is_a_file_of_settings(tmp_path: Path) -> None:
    assert read_login(tmp_path) is None
    made = make_login(tmp_path)

    assert make_login(tmp_path) == read_login(tmp_path) == made
    assert mode(tmp_path / "kafka.env") == 0o600
    assert (made.password or "") not in repr(made)
    assert len(made.password or "") >= 32
