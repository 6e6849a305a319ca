"""The image by `deploy/Dockerfile`, built by buildah in a store of its own."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
IMAGE = "floorcast:tried"
PROGRAMS = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
"""What is run -> the package of Debian that has it."""
_PACKAGES = ("python3-venv", "python3-pip", "python3-dev", "python-is-python3", "ca-certificates")
"""What the official image of Python has of the same."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_AUTHORITIES = Path("/etc/ssl/certs")


class ImageError(Exception):
    """It cannot be built here, or is not what it should be."""


class Store:
    """Images and containers below one folder, and nobody else's."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self._say = say
        self._common = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]

    def buildah(self, *words: str) -> str:
        """One command of buildah; what it says. Raises ImageError."""
        return _run(self.command(*words))

    def command(self, *words: str) -> list[str]:
        """The same as a command line."""
        return ["buildah", *self._common, *words]

    def build(self) -> None:
        """Base and image. Raises ImageError."""
        missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
        if missing or os.geteuid() != 0:
            wants = f"apt install {' '.join(missing)}" if missing else "root"
            msg = f"building an image here wants {wants}"
            raise ImageError(msg)
        text = DOCKERFILE.read_text(encoding="utf-8")
        base = _base_of(text)
        self._say(f"{base}: of Debian's packages")
        root = self.folder / "base.tar"
        if not root.is_file():
            release = base.rpartition("-")[2]
            unfinished = root.with_suffix(".part.tar")
            _run(["mmdebstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", release, str(unfinished)])
            unfinished.rename(root)
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", container, str(root), "/")
        self.buildah("config", "--env", f"PATH={_PATH}", container)
        self.buildah("commit", "--quiet", container, f"docker.io/library/{base}")
        self.buildah("rm", container)
        self._say(f"{IMAGE}: by {DOCKERFILE.relative_to(REPOSITORY)}")
        # The base made here has its own content, so it cannot be found by the digest of the published one.
        steps = self.folder / DOCKERFILE.name
        steps.write_text(re.sub(r"@sha256:[0-9a-f]{64}", "", text), encoding="utf-8")
        # Whoever stands between us and the index of packages is known to this machine, and so to the build.
        trusted = ["--volume", f"{_AUTHORITIES}:{_AUTHORITIES}:ro"] if _AUTHORITIES.is_dir() else []
        self.buildah(
            "build", "--pull-never", "--isolation", "chroot", "--network", "host", *trusted,
            "--env", f"PIP_CERT={_AUTHORITIES}/ca-certificates.crt", "--file", str(steps), "--tag", IMAGE,
            str(REPOSITORY),
        )  # fmt: skip


def _base_of(text: str) -> str:
    """The one image that all stages of a Dockerfile begin with."""
    found = {str(name) for name in re.findall(r"^FROM (\S+)", text, re.MULTILINE)}
    if len(found) != 1:
        msg = f"{DOCKERFILE.name}: begins with {', '.join(sorted(found))}, one base was expected"
        raise ImageError(msg)
    return str(found.pop()).partition("@")[0]


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join(f"{done.stdout}\n{done.stderr}".strip().splitlines()[-20:])
        msg = f"{' '.join(command[:1])} ended with {done.returncode}:\n{last}"
        raise ImageError(msg)
    return done.stdout
