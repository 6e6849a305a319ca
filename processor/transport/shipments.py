"""What owners hand over to be sent (outgoing.py), and what becomes of it."""

import asyncio
from dataclasses import dataclass

from schemas.log_marks import Place


class Shipment:
    """What one owner sends together: done when all of it is acknowledged, or one of it is refused."""

    __slots__ = ("_left", "_offsets", "outcome")

    def __init__(self, left: int) -> None:
        self.outcome: asyncio.Future[dict[Place, int]] = asyncio.get_running_loop().create_future()
        self.outcome.add_done_callback(_note_error)
        self._left = left
        self._offsets: dict[Place, int] = {}
        if not left:
            self.outcome.set_result(self._offsets)

    def acknowledge(self, place: Place, offset: int) -> None:
        self._offsets[place] = offset
        self._left -= 1
        if not self._left and not self.outcome.done():
            self.outcome.set_result(self._offsets)

    def refuse(self, error: BaseException) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


def _note_error(outcome: "asyncio.Future[dict[Place, int]]") -> None:
    # Whoever sent it may have been cancelled, and another batch of the same owner may have told it already.
    if not outcome.cancelled():
        outcome.exception()


@dataclass(frozen=True, slots=True, eq=False)
class ShippedBatch:
    """What one of them holds for one partition."""

    sender: object
    place: Place
    content: bytes
    shipment: Shipment
    at: float
    """When it was handed over (monotonic seconds)."""
