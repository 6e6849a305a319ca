"""Answers that are encoded once for a revision of the view, not once for each screen that asks.

Owns what is kept of them and the ETag of values. What an answer holds is made in rows.py.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson


class KnownAnswer(NamedTuple):
    """An answer that is known but for the instant that it is as of: what stands on both sides of it, and its ETag."""

    before: bytes
    after: bytes
    tag: str


class ResponseCache:
    """Answers that are made once for a revision of the view, not once for each screen that asks.

    For what does not depend on the clock; what does must be part of the key.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._revision = -1
        self._known: OrderedDict[Hashable, KnownAnswer] = OrderedDict()

    def known(self, revision: int, key: Hashable, make: Callable[[], dict[str, Any]]) -> KnownAnswer:
        """The answer of that key, as the view is at this revision."""
        if revision != self._revision:
            self._known.clear()
            self._revision = revision
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = known(make())
            if len(self._known) > self._most:
                # The one that was not asked for longest.
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return found


def known(payload: dict[str, Any]) -> KnownAnswer:
    """An answer whose `as_of` is left empty, and is the only one; no other field of it moves by itself."""
    # In text a quotation mark is escaped, so this can only be the member itself.
    before, member, after = orjson.dumps(payload).partition(b'"as_of":"')
    return KnownAnswer(before + member, after, tag_of(before + after))


def tag_of(values: bytes) -> str:
    """The ETag of encoded values."""
    return f'"{blake2b(values, digest_size=12).hexdigest()}"'
