"""How many streams this process has open, and which share of them one key may have.

A wall of screens that share a key is far below it; a program that opens streams and lets none go leaves the rest to
others.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from api.http.errors import TooManyRequestsError, UnavailableError

_RETRY_AFTER = 5


class OpenStreams:
    """Counts them from before a stream begins until it has ended, however it does."""

    def __init__(self, *, most: int, most_of_key: int) -> None:
        self._most = most
        self._most_of_key = most_of_key
        self._of_key: Counter[str | None] = Counter()

    @contextmanager
    def one_of(self, key: str | None) -> Iterator[None]:
        """One more, of the key of this id; None: no key is asked for, so that nobody can be told from another.

        Raises TooManyRequestsError, UnavailableError.
        """
        if key is not None and self._of_key[key] >= self._most_of_key:
            raise TooManyRequestsError(detail="too many streams of this key are open", retry_after=_RETRY_AFTER)
        if self._of_key.total() >= self._most:
            raise UnavailableError(detail="too many streams are open", retry_after=_RETRY_AFTER)
        self._of_key[key] += 1
        try:
            yield
        finally:
            self._of_key[key] -= 1
            if not self._of_key[key]:
                del self._of_key[key]
