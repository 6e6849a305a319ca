"""A vendor's limits on requests, kept by all processes that share a data folder: the owner of look-ups, back-fills.

Owns the file and the rule. A request takes a place from before it is sent until the stretch after its answer is over,
so that whatever the way takes, the vendor never sees more of them in a stretch than it allows.
"""

import fcntl
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import msgspec

from schemas.connectors.asking import Pace
from schemas.instants import SECOND

LONGEST = 90 * SECOND
"""A place is held for so long at most while its request is under way: whoever took it may be dead."""

_Places: TypeAlias = dict[str, dict[str, int]]
"""Limit -> request -> when its place is free again (microseconds)."""
_read = msgspec.json.Decoder(_Places).decode
_write = msgspec.json.Encoder().encode


class SharedPace:
    """The places of one connection. Blocks for no longer than another process holds the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, limits: Mapping[str, Pace], now: int) -> str | int:
        """A place under each of these limits; else how long to wait before asking again (microseconds, above 0)."""
        with self._places(now) as places:
            wait = max((_wait(places.get(name, {}), pace, now) for name, pace in limits.items()), default=0)
            if wait:
                return wait
            place = secrets.token_hex(8)
            for name, pace in limits.items():
                places.setdefault(name, {})[place] = now + LONGEST + pace.per
            return place

    def give_back(self, place: str, limits: Mapping[str, Pace], now: int) -> None:
        """Its request is answered, or has failed."""
        with self._places(now) as places:
            for name, pace in limits.items():
                if place in places.get(name, {}):
                    places[name][place] = now + pace.per

    @contextmanager
    def _places(self, now: int) -> Iterator[_Places]:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go with the file
            written = file.read()
            try:
                found = _read(written or b"{}")
            except msgspec.MsgspecError:
                found = {}  # half written by who was killed: as if all places were free, which retries put right
            found = {name: {place: free for place, free in held.items() if free > now} for name, held in found.items()}
            yield found
            file.seek(0)
            # Blanks over the rest of what stood there: cutting a file off is slow on some disks.
            file.write(_write(found).ljust(len(written)))


def _wait(held: Mapping[str, int], pace: Pace, now: int) -> int:
    if len(held) < pace.requests:
        return 0
    return max(1, sorted(held.values())[len(held) - pace.requests] - now)


def backoff(attempt: int, chance: float) -> float:
    """Seconds before the next attempt, the first being 0: twice as long each time, spread by `chance` (0 to 1)."""
    return min(60.0, math.ldexp(1.0, attempt)) * (0.5 + chance / 2)
