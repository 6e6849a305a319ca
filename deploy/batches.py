"""Things in lists that are below a size, such as what goes into one message. Pure."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def batches(
    items: Iterable[_T], size_of: Callable[[_T], int], most: int, *, count: int = sys.maxsize
) -> Iterator[list[_T]]:
    """The same in their order, of each list at most so many and so much, unless one alone is larger."""
    batch: list[_T] = []
    total = 0
    for item in items:
        size = size_of(item)
        if batch and (len(batch) >= count or total + size > most):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size
    if batch:
        yield batch
