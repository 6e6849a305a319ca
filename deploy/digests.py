"""Pin the images of others by digest: `python -m deploy.digests`, where there is a registry; `--check` only looks.

Owns where images are named and how a digest is written beside a version. It asks `skopeo`, or else Docker's buildx, for
the digest of the whole image, which holds for every processor; it downloads nothing.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = "floorcast"
"""Its image is built from here, so its digest is whoever builds it's to know."""

_IMAGE = re.compile(
    r"^(?P<before>(?:FROM|\s*(?:-\s+)?image:)[ \t]+)(?P<name>[\w.$/{}-]+(?::[0-9]+/[\w./-]+)?):(?P<tag>[\w.${}:-]+?)"
    r"(?P<digest>@sha256:[0-9a-f]{64})?(?P<after>[ \t]+AS[ \t]+\S+)?[ \t]*$",
    re.MULTILINE,
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ASKING: Sequence[Sequence[str]] = (
    ("skopeo", "inspect", "--no-tags", "--format", "{{.Digest}}", "docker://IMAGE"),
    ("docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", "IMAGE"),
)
_SECONDS = 60

AskDigest = Callable[[str], str]
"""Gives the digest of an image by name and tag. Raises NoDigestError."""


class NoDigestError(Exception):
    """Nobody here could say the digest of an image."""

    def __init__(self, image: str, why: str) -> None:
        super().__init__(f"{image}: {why}")


def files_with_images(root: Path) -> Iterator[Path]:
    """Everything that names an image."""
    yield root / "docker-compose.yml"
    yield root / "deploy" / "Dockerfile"
    yield from sorted((root / "deploy" / "kubernetes").rglob("*.yaml"))


def images(text: str) -> Iterator[tuple[str, bool]]:
    """(name and tag, whether a digest stands beside it) of each image of others in a file."""
    for found in _IMAGE.finditer(text):
        if _is_others(found):
            yield f"{found['name']}:{found['tag']}", found["digest"] is not None


def pinned(text: str, ask: AskDigest) -> str:
    """The same file with the digest of each image as it is now. The version stays beside it, for people."""

    def write(found: re.Match[str]) -> str:
        if not _is_others(found):
            return found[0]
        image = f"{found['name']}:{found['tag']}"
        return f"{found['before']}{image}@{ask(image)}{found['after'] or ''}"

    return _IMAGE.sub(write, text)


def _is_others(found: re.Match[str]) -> bool:
    return found["name"] != OURS and "$" not in found[0]


def ask_a_registry(image: str) -> str:
    """The digest of an image, from the first tool here that reaches a registry. Raises NoDigestError."""
    registry, slash, _ = image.partition("/")
    whole = image if slash and "." in registry else f"docker.io/{'' if slash else 'library/'}{image}"
    why = "neither skopeo nor docker is here"
    for command in _ASKING:
        try:
            answer = subprocess.run(  # noqa: S603 - names of images stand in our own files
                [part.replace("IMAGE", whole) for part in command],
                capture_output=True, text=True, timeout=_SECONDS, check=True,
            ).stdout  # fmt: skip
        except FileNotFoundError:
            continue
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            why = f"{command[0]} was told no digest by the registry"
            continue
        found = _DIGEST.fullmatch(answer.strip())
        if found is not None:
            return found[0]
        why = f"{command[0]} gave no digest"
    raise NoDigestError(image, why)


def main(arguments: Sequence[str] | None = None, *, root: Path = ROOT, ask: AskDigest = ask_a_registry) -> int:
    """0: all are pinned; 1: some are not; 3: nobody here knows a digest, and no file was changed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.digests", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; name the images without a digest")
    if parser.parse_args(arguments).check:
        return _check(root)
    known: dict[str, str] = {}

    def once(image: str) -> str:
        if image not in known:
            known[image] = ask(image)
        return known[image]

    try:
        made = {path: pinned(path.read_text(), once) for path in files_with_images(root)}
    except NoDigestError as error:
        sys.stderr.write(f"{error}; nothing was changed\n")
        return 3
    for path, text in made.items():
        if text != path.read_text():
            path.write_text(text)
            sys.stdout.write(f"{path.relative_to(root)} is pinned\n")
    return 0


def _check(root: Path) -> int:
    found = [
        (path, image)
        for path in files_with_images(root)
        for image, has_digest in images(path.read_text())
        if not has_digest
    ]
    for path, image in found:
        sys.stdout.write(f"{path.relative_to(root)}: {image} has no digest\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
