"""Images by digest: which are found, what is written, and that nothing is written where a digest is not known."""

import re
import shutil
from pathlib import Path

import pytest

from deploy.digests import ROOT, NoDigestError, ask_a_registry, files_with_images, images, main, pinned

ONE, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
FORMS = """FROM python:3.11-slim-bookworm AS build
FROM registry.example:5000/base/debian:12
  image: floorcast:${FLOORCAST_VERSION:-0.1.0}
    image: apache/kafka:4.3.0
        - image: floorcast:0.1.0
          image: quay.io/some/thing:v1.2@sha256:%s
    # image: nobody/reads:this
""" % ("c" * 64)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of all that names an image."""
    for path in files_with_images(ROOT):
        to = tmp_path / path.relative_to(ROOT)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
    return tmp_path


def _ask(image: str) -> str:
    return ONE if "kafka" in image else OTHER


def test_each_image_of_others_is_found_and_ours_is_not() -> None:
    assert list(images(FORMS)) == [
        ("python:3.11-slim-bookworm", False),
        ("registry.example:5000/base/debian:12", False),
        ("apache/kafka:4.3.0", False),
        ("quay.io/some/thing:v1.2", True),
    ]


def test_a_digest_stands_beside_the_version_and_a_newer_one_in_its_place() -> None:
    assert pinned(FORMS, _ask).splitlines() == [
        f"FROM python:3.11-slim-bookworm@{OTHER} AS build",
        f"FROM registry.example:5000/base/debian:12@{OTHER}",
        "  image: floorcast:${FLOORCAST_VERSION:-0.1.0}",
        f"    image: apache/kafka:4.3.0@{ONE}",
        "        - image: floorcast:0.1.0",
        f"          image: quay.io/some/thing:v1.2@{OTHER}",
        "    # image: nobody/reads:this",
    ]


def test_every_image_that_we_start_from_is_among_them_and_the_check_says_so(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {image for path in files_with_images(tree) for image, _ in images(path.read_text())}

    assert {name.partition(":")[0] for name in named} == {
        "apache/kafka", "grafana/grafana", "prom/alertmanager", "prom/prometheus", "python",
    }  # fmt: skip
    assert main([], root=tree, ask=_ask) == 0
    assert "docker-compose.yml is pinned" in capsys.readouterr().out
    assert main(["--check"], root=tree) == 0
    compose = (tree / "docker-compose.yml").read_text()
    assert f"apache/kafka:4.3.0@{ONE}" in compose
    (tree / "docker-compose.yml").write_text(compose.replace(f"@{ONE}", ""))
    assert main(["--check"], root=tree) == 1
    assert "docker-compose.yml: apache/kafka:" in capsys.readouterr().out


def test_where_one_digest_is_not_known_no_file_is_changed(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_text() for path in files_with_images(tree)}

    def ask(image: str) -> str:
        if image.startswith("python"):
            raise NoDigestError(image, "no registry answers")
        return ONE

    assert main([], root=tree, ask=ask) == 3
    assert {path: path.read_text() for path in files_with_images(tree)} == before
    assert "no registry answers; nothing was changed" in capsys.readouterr().err


def test_a_tool_is_asked_for_the_whole_name_and_what_is_no_digest_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    skopeo = tmp_path / "skopeo"
    skopeo.write_text(
        f'#!/bin/sh\ncase "$*" in *docker://docker.io/library/python:3.11) echo {ONE};; *) echo no;; esac\n'
    )
    skopeo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert ask_a_registry("python:3.11") == ONE
    with pytest.raises(NoDigestError, match=r"quay\.io/one/two:1"):
        ask_a_registry("quay.io/one/two:1")


def test_each_image_of_others_has_a_version_a_digest_and_the_same_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    digests: dict[str, set[str]] = {}
    for path in files_with_images(ROOT):
        for image, digest in re.findall(r"([\w./:-]+)@(sha256:\w+)", path.read_text()):
            digests.setdefault(image, set()).add(digest)
        for image, _ in images(path.read_text()):
            name, _, version = image.rpartition(":")
            versions.setdefault(name, set()).add(version)

    assert main(["--check"]) == 0
    assert all(len(found) == 1 for found in [*versions.values(), *digests.values()]), (versions, digests)
    for name, (version,) in versions.items():
        # Of Python the newest patch of a minor version, which mends what is found in it; of others one release.
        parts = 2 if name == "python" else 3
        assert re.match(rf"v?\d+(\.\d+){{{parts - 1}}}(?![\d.])", version), f"{name}:{version}"
