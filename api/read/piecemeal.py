"""Work that is done piece by piece: at one go, or with the event loop free between two pieces.

Owns how much of the time others have. What a piece is, is for whoever makes it to know.
"""

import asyncio
from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")
Piecemeal = Generator[None, None, T]
"""Something that is made piece by piece, with time for others after each."""

SHARE = 3
"""Times as long as a piece took, others have it to themselves where they are pressed."""


async def spread(pieces: Piecemeal[T], *, are_others_pressed: Callable[[], bool] = lambda: False) -> T:
    """Make it with the event loop free between two pieces; for longer, where others have very much to do."""
    clock = asyncio.get_running_loop().time
    try:
        while True:
            begun = clock()
            try:
                next(pieces)
            except StopIteration as end:
                made: T = end.value
                return made
            await asyncio.sleep(SHARE * (clock() - begun) if are_others_pressed() else 0)
    finally:
        pieces.close()


def at_once(pieces: Piecemeal[T]) -> T:
    """Make it without a pause."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            made: T = end.value
            return made
