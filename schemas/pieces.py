"""Which stored windows there are, and of what long spans are merged: blocks and single windows, without the empty ones.

Owns the blocks: an hour of minutes, four weeks of days. What lies in the windows is for merged_panes.py.
"""

from collections.abc import Sequence

from schemas.windows import Span, Window, index_of, is_day

MINUTES_IN_BLOCK = 60
DAYS_IN_BLOCK = 28
_SPANS_REMEMBERED = 256


class Pieces:
    """The windows that hold anything."""

    def __init__(self) -> None:
        self._there: set[int] = set()
        self._windows_in: dict[int, int] = {}
        """Block -> in how many of its windows there is a pane."""
        self._of: dict[tuple[bool, int, int], Sequence[tuple[int, bool]]] = {}
        """(days, first, last) -> the pieces of such a span, until a window comes or goes."""

    def __len__(self) -> int:
        return len(self._there)

    def add(self, window: Window) -> None:
        """There is something in it, where nothing was."""
        self._there.add(window)
        block = block_of(window)
        self._windows_in[block] = self._windows_in.get(block, 0) + 1
        self._of.clear()

    def drop(self, window: Window) -> bool:
        """There is nothing in it any more; whether there is nothing in its block either."""
        self._there.discard(window)
        block = block_of(window)
        self._windows_in[block] -= 1
        self._of.clear()
        if self._windows_in[block]:
            return False
        del self._windows_in[block]
        return True

    def has_block(self, block: int) -> bool:
        """Whether there is anything in a block."""
        return block in self._windows_in

    def pieces(self, span: Span) -> Sequence[tuple[int, bool]]:
        """The blocks and single windows of a span in which there is anything: (number, whether it is a block).

        Most of a span is empty, and it is asked for once for each rep.
        """
        key = (span.days, span.first, span.last)
        held = self._of.get(key)
        if held is not None:
            return held
        size, kind = (DAYS_IN_BLOCK, 1) if span.days else (MINUTES_IN_BLOCK, 0)
        found: list[tuple[int, bool]] = []
        index = span.first
        while index <= span.last:
            is_block = index % size == 0 and index + size - 1 <= span.last
            number = (index // size if is_block else index) * 2 + kind
            if number in (self._windows_in if is_block else self._there):
                found.append((number, is_block))
            index += size if is_block else 1
        if len(self._of) >= _SPANS_REMEMBERED:
            self._of.clear()
        self._of[key] = found
        return found


def block_of(window: Window) -> int:
    """Number of the block that holds the window; odd for days, as the windows are."""
    size = DAYS_IN_BLOCK if is_day(window) else MINUTES_IN_BLOCK
    return index_of(window) // size * 2 + (window & 1)
