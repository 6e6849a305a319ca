"""The written pages as tests look at them: files, code blocks, links, headings.

Owns the reading of Markdown. Knows nothing of what a page is about.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
WRITTEN = [page for page in PAGES if page.parent.name != "reference" and page != DOCS / "metrics.md"]
"""Pages that are not made from the code."""

_CODE = re.compile(r"`[^`\n]*`")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code."""

    page: Path
    language: str
    text: str

    @property
    def name(self) -> str:
        """For the names of parametrized tests."""
        first = self.text.strip().splitlines()[0]
        return f"{name_of(self.page)}: {first[:40]}"


def name_of(page: Path) -> str:
    """The path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(*languages: str) -> list[Block]:
    """All blocks of these languages on written pages."""
    return [block for page in WRITTEN for block in blocks_of(page) if block.language in languages]


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks of a page, in order."""
    for language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        yield Block(page, language, text)


def code_of(page: Path) -> list[str]:
    """Everything on a page that is set as code: inline, and the lines of its blocks."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in _BLOCK.findall(text) for line in block[1].splitlines()]
    return _CODE.findall(_BLOCK.sub("", text)) + lines


def links_of(page: Path) -> list[str]:
    """Where a page leads to."""
    return _LINK.findall(_CODE.sub("", _BLOCK.sub("", page.read_text(encoding="utf-8"))))


def anchors_of(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = _HEADING.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def column_of(page: Path, head: str) -> list[str]:
    """The code in the first column of the table whose first heading this is."""
    found: list[str] = []
    is_inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"| {head} |"):
            is_inside = True
        elif is_inside and not line.startswith("|"):
            break
        elif is_inside and not line.startswith("|-"):
            cell = line.split("|")[1]
            found += _CODE.findall(cell) or [cell.strip()]
    return found
