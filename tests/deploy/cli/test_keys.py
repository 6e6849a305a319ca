"""`floorcast keys`: what is printed where, and that a secret is shown once only."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app, keys
from schemas.instants import DAY
from schemas.keys import ApiScope, KeyStore, create_key, list_keys

NOW = 1_774_000_000_000_000
CONFIG = """\
organisation: {name: Acme, timezone: UTC, currency: USD}
connections:
  feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
teams:
  north: {name: North}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("FLOORCAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def floorcast(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments])


def test_the_token_stands_alone_on_stdout_and_opens_the_api(folder: Path) -> None:
    result = floorcast("create", "--scope", "read", "--team", "north", "--expires", "90d")

    token = result.stdout.removesuffix("\n")
    key = KeyStore(folder / ".floorcast" / "keys.json", loopback=True).find(token, NOW)
    assert result.exit_code == 0
    assert key is not None
    assert (key.scope, key.team) == (ApiScope.READ, "north")
    assert key.expires_at is not None
    assert key.expires_at - key.created_at == 90 * DAY
    assert key.id in result.stderr
    assert token not in result.stderr


def test_a_key_of_one_rep_opens_their_page(folder: Path) -> None:
    result = floorcast("create", "--scope", "rep", "--rep", "r-17")

    key = KeyStore(folder / ".floorcast" / "keys.json", loopback=True).find(result.stdout.strip(), NOW)
    assert key is not None
    assert (key.scope, key.rep, key.team) == (ApiScope.REP, "r-17", None)
    assert "/me?token=" in result.stderr
    assert floorcast("list").stdout.splitlines()[1].split()[:4] == [key.id, "rep", "-", "r-17"]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--scope", "rep"),
        ("--scope", "rep", "--rep", " "),
        ("--scope", "read", "--rep", "r-17"),
        ("--scope", "rep", "--rep", "r-17", "--team", "north"),
    ],
)
def test_a_rep_belongs_to_the_scope_rep_and_to_nothing_else(folder: Path, wrong: tuple[str, ...]) -> None:
    result = floorcast("create", *wrong)

    assert result.exit_code == 2
    assert "--rep" in result.stderr or "--team" in result.stderr
    assert not (folder / ".floorcast" / "keys.json").exists()


def test_a_token_is_never_listed_again(folder: Path) -> None:
    token = floorcast("create", "--scope", "admin").stdout.strip()
    key_id, _, secret = token.removeprefix("fc_").partition(".")

    listed = floorcast("list").stdout

    assert listed.splitlines()[1].split()[:3] == [key_id, "admin", "-"]
    assert secret not in listed
    stored = json.loads((folder / ".floorcast" / "keys.json").read_text())["keys"][0]
    assert stored["sha256"] not in listed


def test_an_expired_key_is_listed_as_such(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    for expires_at in (NOW + DAY, None):
        create_key(path, ApiScope.BOARD, now=NOW, expires_at=expires_at)

    lines = keys.keys_table(list_keys(path), NOW + DAY)

    assert [line.split()[-1] for line in lines] == ["EXPIRED", "yes", "no"]
    assert "2026-03-" in lines[1]


def test_a_revoked_key_opens_nothing_any_more(folder: Path) -> None:
    token = floorcast("create", "--scope", "board").stdout.strip()
    store = KeyStore(folder / ".floorcast" / "keys.json", loopback=False)
    assert store.find(token, NOW) is not None

    result = floorcast("revoke", token.removeprefix("fc_").partition(".")[0])

    assert (result.exit_code, result.stdout) == (0, "")
    assert store.find(token, NOW) is None


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["revoke", "nobody"], "there is no key 'nobody'"),
        (["create", "--scope", "root"], "--scope"),
        (["create"], "--scope"),
        (["create", "--scope", "read", "--expires", "soon"], "--expires"),
        (["create", "--scope", "read", "--expires", "0d"], "--expires"),
        (["create", "--scope", "read", "--expires", "99999999999d"], "--expires"),
        (["create", "--scope", "read", "--team", " "], "--team"),
    ],
)
def test_wrong_use_is_exit_code_2_and_makes_nothing(folder: Path, arguments: list[str], word: str) -> None:
    result = floorcast(*arguments)

    assert result.exit_code == 2
    assert word in result.stderr
    assert not (folder / ".floorcast" / "keys.json").exists()


def test_a_broken_file_of_keys_is_named_and_left_alone(folder: Path) -> None:
    path = folder / ".floorcast" / "keys.json"
    path.parent.mkdir()
    path.write_text("{")

    for arguments in (["list"], ["create", "--scope", "read"], ["revoke", "a"]):
        result = floorcast(*arguments)

        assert result.exit_code == 2
        assert "keys.json" in result.stderr
        assert path.read_text() == "{"


@pytest.mark.parametrize(
    ("team", "config", "warning"),
    [
        ("north", CONFIG, None),
        ("south", CONFIG, "names no team 'south' (there are north)"),
        ("south", "nonsense: [", "see floorcast check"),
        ("south", None, None),
    ],
    ids=["known", "unknown", "unreadable", "no file"],
)
def test_a_team_is_looked_up_and_only_warned_of(
    folder: Path, team: str, config: str | None, warning: str | None
) -> None:
    if config is not None:
        (folder / "floorcast.yaml").write_text(config)

    result = floorcast("create", "--scope", "board", "--team", team)

    assert result.exit_code == 0
    assert result.stdout.startswith("fc_")
    warned = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warned) == (warning is not None)
    assert warning is None or warning in warned[0]


def test_keys_lie_in_the_folder_that_the_api_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOORCAST_DATA", "elsewhere")

    floorcast("create", "--scope", "read")

    assert (folder / "elsewhere" / "keys.json").exists()
