"""Which apis go by other definitions than this worker, as far as their deliveries say so; pure.

Owns when that is worth a line: while it is news, and then once in a while. A backlog and a replay tell of how things
were, so what was said long ago counts for nothing.
"""

from schemas.instants import MINUTE

RECENT = 2 * MINUTE
"""What was said longer ago may have changed since."""
AGAIN = 10 * MINUTE
"""Between two lines of the same definitions. An api says each minute by which it goes, and each may be another's."""


class ApisHeard:
    """What deliveries have said; one for all shards of a worker, so that it says it once."""

    def __init__(self) -> None:
        self._heard: dict[str, int] = {}
        """Digest -> when it was said last, since somebody asked."""
        self._told: dict[str, int] = {}
        """Digest -> when there was a line of it."""

    def hear(self, digest: str, at: int) -> None:
        """An api went by these at that instant (microseconds); of any order."""
        self._heard[digest] = max(at, self._heard.get(digest, at))

    def news(self, ours: str, now: int) -> list[str]:
        """Which other ones are to be told of now. Asked at each tick; what was heard until then is forgotten."""
        if not self._heard:
            return []
        heard, self._heard = self._heard, {}
        self._told = {digest: at for digest, at in self._told.items() if now < at + AGAIN}
        news = sorted(
            digest for digest, at in heard.items() if digest != ours and now < at + RECENT and digest not in self._told
        )
        self._told |= dict.fromkeys(news, now)
        return news
