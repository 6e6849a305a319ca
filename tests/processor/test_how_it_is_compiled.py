"""What pyproject.toml tells the compiler. That the modules do what the core does is tested beside each of them."""

import re
import tomllib
from pathlib import Path

from processor.transport import unpacking

ROOT = Path(__file__).parents[2]


def test_every_module_asks_for_optimisation_itself() -> None:
    """A CFLAGS in the environment takes the place of Python's own flags, `-O3` among them: 1.6 times the recovery."""
    modules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]

    sources = {Path(source) for module in modules for source in module["sources"]}
    assert sources == {path.relative_to(ROOT) for path in (ROOT / "processor").rglob("*.pyx")}
    assert {tuple(module["extra-compile-args"]) for module in modules} == {("-O2", "-g0", "-fwrapv")}


def test_the_header_of_a_record_batch_is_the_same_in_both_languages() -> None:
    """What is hard-coded for the compiler is what Python names, where both read it."""
    layout = _numbers(ROOT / "processor" / "native" / "layout.pxd")
    unpacked = _numbers(ROOT / "processor" / "native" / "unpacking.pyx")

    assert (layout["AFTER_LENGTH"], layout["LAST_OFFSET_AT"]) == (unpacking._AFTER_LENGTH, unpacking._LAST_OFFSET_AT)
    assert layout["MAGIC_AT"] + 1 == unpacking._HEAD.size
    assert unpacked["SMALLEST"] == unpacking._SMALLEST[2] == layout["HEADER"] - layout["AFTER_LENGTH"]
    assert unpacked["SMALLEST_BEFORE"] == unpacking._SMALLEST[0] == unpacking._SMALLEST[1]


def _numbers(source: Path) -> dict[str, int]:
    return {
        name: int(number) for name, number in re.findall(r"^    ([A-Z_]+) = (\d+)\b", source.read_text(), re.MULTILINE)
    }
