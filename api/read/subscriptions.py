"""A client of the stream: what it asks for, and what is queued for it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.read.discretion import Discretion
from api.read.view import Scope

QUEUE = 256
"""Events that a client may be behind before it gets a snapshot instead."""
QUEUE_BYTES = 8 << 20
COMMANDS = 16
"""The newest commands that a screen is given when it reads again."""


class Selection(NamedTuple):
    """Whose rows are shown: of these teams and who is in them, and of these reps. None of both: everybody's."""

    teams: frozenset[str] | None = None
    reps: frozenset[str] | None = None

    def has(self, scope: Scope, team: str | None) -> bool:
        """Whether rows of this scope are. `team`: the rep's own, today."""
        if self.teams is None and self.reps is None:
            return True
        if scope.kind == "rep":
            return self.has_rep(scope.id, team)
        return scope.kind == "team" and self.teams is not None and scope.id in self.teams

    def has_rep(self, rep: str | None, team: str | None) -> bool:
        """Whether what is of this rep is shown."""
        if self.teams is None and self.reps is None:
            return True
        return (self.teams is not None and team in self.teams) or (self.reps is not None and rep in self.reps)


EVERYBODY = Selection()


@dataclass(frozen=True, slots=True)
class Filter:
    """What a client asks for. None: everything of it."""

    windows: tuple[str, ...] = ("today",)
    teams: frozenset[str] | None = None
    reps: frozenset[str] | None = None
    metrics: tuple[str, ...] | None = None
    discretion: Discretion | None = None
    """What of people is kept from it."""
    device: str | None = None
    """The screen on the wall that looks."""
    wins: bool = True
    """Whether it is told what is won."""

    def wants(self, scope: Scope, team: str | None) -> bool:
        """Whether rows of this scope are asked for. `team`: the rep's own, today."""
        return self.selection.has(scope, team)

    @property
    def selection(self) -> Selection:
        """Whose rows it asks for."""
        return Selection(self.teams, self.reps)

    def wants_lead(self, rep: str | None, team: str | None) -> bool:
        """Whether leads of this rep are asked for."""
        return self.selection.has_rep(rep, team)

    def wants_win(self, win: Mapping[str, Any]) -> bool:
        """Whether this win is told."""
        return self.wins and self.wants_lead(win["rep"], win["team"])


class Subscription:
    """One client's queue of encoded events."""

    def __init__(self, wanted: Filter) -> None:
        self.wanted = wanted
        self.is_lagging = False
        """Whether it is to be given a snapshot: until it has that, nothing is queued for it."""
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._commands: deque[bytes] = deque(maxlen=COMMANDS)
        self._ready = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Queue an event; too many, and the client gets a snapshot instead."""
        if len(self._queue) >= QUEUE or (self._queue and self._size + len(event) > QUEUE_BYTES):
            self.fall_behind()
        if not self.is_lagging:
            self._queue.append(event)
            self._size += len(event)
            self._ready.set()

    def command(self, event: bytes) -> None:
        """Queue what the client is to do: no snapshot says it."""
        self._commands.append(event)
        self._ready.set()

    def fall_behind(self) -> None:
        """What it was told is void, or too much to be told: it gets a snapshot (`caught_up`)."""
        self._clear()
        self.is_lagging = True
        self._ready.set()

    def wake(self) -> None:
        """Let `take` give what there is, be it nothing."""
        self._ready.set()

    async def caught_up(self, snapshot: Awaitable[bytes]) -> bytes:
        """The snapshot that it gets, which holds all that is told while it is made."""
        made = await snapshot
        self.is_lagging = False
        return made

    async def take(self) -> bytes:
        """Everything queued, in one piece; waits until there is something. Empty: see `is_lagging` and `wake`."""
        await self._ready.wait()
        return self.drain()

    def drain(self) -> bytes:
        """Everything queued, without waiting."""
        self._ready.clear()
        events = b"".join([*self._queue, *self._commands])
        self._clear()
        self._commands.clear()
        return events

    def _clear(self) -> None:
        self._queue.clear()
        self._size = 0
