"""How much may be under way at once, and how fast: plain counting, no clock and no I/O."""

from math import ceil

from schemas.instants import SECOND


class Budget:
    """A number of things and of bytes that may be held in memory at once."""

    def __init__(self, *, count: int, size: int) -> None:
        self._count = count
        self._size = size

    def take(self, size: int, *, count: int = 1) -> bool:
        """Set aside; False, and nothing set aside, if there is not enough left."""
        if count > self._count or size > self._size:
            return False
        self._count -= count
        self._size -= size
        return True

    def fits(self, size: int) -> bool:
        """Whether so much could be set aside now."""
        return size <= self._size

    def give_back(self, size: int, *, count: int = 1) -> None:
        """What was taken is free again."""
        self._count += count
        self._size += size


class TokenBucket:
    """At most `burst` at once and `per_second` in the long run."""

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._at: int | None = None

    def take(self, now: int) -> int:
        """0 if one more is fine at `now` (microseconds), else whole seconds until it is."""
        if self._at is not None and now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second / SECOND)
        # A clock that was set back refills nothing until it has caught up from there.
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return max(1, ceil((1 - self._tokens) / self._per_second))
