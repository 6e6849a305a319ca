"""What a channel is told that is no alert: the day, and what was won. Words, a table, and the same for programs.

Owns the shape. Says nothing itself (schemas/digest_words.py, schemas/win_words.py), and escapes nothing: each channel
does, by its own markup.
"""

import unicodedata
from collections.abc import Sequence

import msgspec


class Notice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message, in plain text."""

    type: str
    """`digest` or `win`."""
    title: str
    table: tuple[tuple[str, ...], ...] = ()
    """Rows of cells, the first of headings."""
    lines: tuple[str, ...] = ()
    """Below the table."""
    data: str = "{}"
    """For programs: an object, in JSON."""
    language: str = "en"
    is_right_to_left: bool = False
    about: str = ""
    """What it is about, for whoever tells: `deal|d-17`."""


def table_lines(table: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines of text in columns."""
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def notice_lines(notice: Notice) -> list[str]:
    """All of it as lines of text."""
    lines = [notice.title]
    if notice.table:
        lines += ["", *table_lines(notice.table)]
    return [*lines, *(["", *notice.lines] if notice.lines else [])]


def _width(text: str) -> int:
    """In cells of a terminal: signs of Chinese take two, marks that sit on others none."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
