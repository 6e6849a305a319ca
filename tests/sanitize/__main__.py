"""`make sanitize`: what is compiled, built under AddressSanitizer and UBSan, and every test that is about it.

The sources are copied to `build/sanitized` and compiled there, so the libraries that floorcast runs with stay as they
are. `--short` draws a tenth of the examples, for CI. Needs gcc with its sanitizers (Debian: in libgcc-*-dev).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPY = ROOT / "build" / "sanitized"
TOOLS = ROOT / "build" / "tools"
COPIED = ("api", "deploy", "processor", "schemas", "tests")
FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer")
# What only ends the report early or speaks of CPython itself: its arenas would hide a read past the end of an object,
# and what it keeps until the process ends is no leak of ours.
ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:halt_on_error=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "PYTHONMALLOC": "malloc",
    "PYTHONDONTWRITEBYTECODE": "1",
}
FUZZED = ("changes", "rows", "panes", "record-batches")
_TEXTS = "from hypothesis import strategies; strategies.text().example()"
_MENTIONS = re.compile(r"^\s*(?:from processor import native\b|(?:from|import) processor\.native\b)", re.MULTILINE)


def main(arguments: list[str]) -> int:
    """Build, test; the exit code of the tests, or 2 where it cannot be built."""
    short = "--short" in arguments
    try:
        preloaded = [_runtime(name) for name in ("libasan.so", "libubsan.so")]
        copy_sources()
        _build()
    except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
        print(f"make sanitize: {error}", file=sys.stderr)  # noqa: T201 - a command's output
        return 2
    environment = os.environ | ENVIRONMENT | {"LD_PRELOAD": " ".join(preloaded), "PYTHONPATH": str(COPY)}
    used = [sys.executable, "-c", "from processor import native; print(native.__file__, native.STATE)"]
    if _said(used, environment).split() != [str(COPY / "processor" / "native" / "__init__.py"), "compiled"]:
        print("make sanitize: the tests would not use what was compiled", file=sys.stderr)  # noqa: T201 - as above
        return 2
    # What Hypothesis knows of Unicode, which it keeps: worked out under the sanitizers that takes twenty times as long.
    subprocess.run([sys.executable, "-W", "ignore", "-c", _TEXTS], cwd=COPY, check=True)
    chosen = [str(path.relative_to(ROOT)) for path in tests_of_native()]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *chosen]
    if short:
        command += ["--hypothesis-profile", "short"]
    code = subprocess.run(command, cwd=COPY, env=environment, check=False).returncode
    fuzz = [sys.executable, "-m", "tests.fuzz", *FUZZED, "--seconds", "5" if short else "60"]
    return code or subprocess.run(fuzz, cwd=COPY, env=environment, check=False).returncode


def tests_of_native() -> list[Path]:
    """Every test file that imports what is compiled; none of them may need Kafka or start a process."""
    found = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if _MENTIONS.search(path.read_text())]
    return [path for path in found if "mark.kafka" not in path.read_text()]


def copy_sources() -> None:
    """Copy what has changed, with its times: what is compiled of the rest stays."""
    for name in COPIED:
        for source in (ROOT / name).rglob("*"):
            # Of bytecode there are files for a moment, where tests run meanwhile.
            if source.is_dir() or source.suffix in {".so", ".c"} or source.parent.name == "__pycache__":
                continue
            target = COPY / source.relative_to(ROOT)
            if not target.exists() or target.stat().st_mtime != source.stat().st_mtime:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        for old in (COPY / name).rglob("*.py*"):
            if not (ROOT / old.relative_to(COPY)).exists():
                old.unlink()
    # For reports with lines.
    project = (ROOT / "pyproject.toml").read_text().replace('"-O2", "-g0"', '"-O1", "-g"')
    (COPY / "pyproject.toml").write_text(project)


def _build() -> None:
    environment = os.environ | {
        "CFLAGS": " ".join(FLAGS),
        "LDFLAGS": " ".join(FLAGS[:1]),
        "PYTHONPATH": str(TOOLS),
        "PYTHONWARNINGS": "ignore",
    }
    build = [sys.executable, "-c", "from setuptools import setup; setup()", "-q", "build_ext", "--inplace"]
    subprocess.run(build, cwd=COPY, env=environment, check=True)
    native = COPY / "processor" / "native"
    missing = [source.stem for source in native.glob("*.pyx") if not list(native.glob(f"{source.stem}.*.so"))]
    if missing:
        msg = f"not compiled: {', '.join(missing)}"
        raise RuntimeError(msg)
    for library in native.glob("*.so"):
        if b"__asan_init" not in library.read_bytes():
            msg = f"{library.name} was compiled without a sanitizer"
            raise RuntimeError(msg)
        library.touch()  # It is of these sources, also where it did not have to be compiled again.


def _said(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True, check=True).stdout


def _runtime(name: str) -> str:
    """Where gcc has that library."""
    found = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    path = found.stdout.strip()
    if not Path(path).is_absolute():
        msg = f"gcc has no {name}"
        raise RuntimeError(msg)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
