"""How a process of Faust ends: told from outside, or of itself, to begin anew.

Owns SIGTERM and SIGINT, whether one of them came, and how long the end may take. Both ways end alike: what is done is
committed. A Kafka that is away cannot be told, and whatever waits for it would wait as long: who was told to end then
ends without. Nothing is lost by it, what was not committed is done again.

Private names used, all in mode-streaming 0.4.1: `Worker._on_sigint`, `._on_sigterm`, `._gather_all`, `._sentinel_task`.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import structlog
from mode import Worker

from processor.told_to_end import end_as_told

END_SECONDS = 8.0
"""From being told on. Whoever supervises a worker waits a little longer before it kills it."""
_LEFT_SECONDS = 1.0
"""For what is left to close its connections."""

log = structlog.get_logger(__name__)


class EndingWorker(Worker):
    """A worker that knows afterwards whether somebody told it to end: who did waits for that, and it must not go on."""

    was_told = False
    """SIGTERM or SIGINT came, also while it was ending of itself."""

    def install_signal_handlers(self) -> None:
        """Called by mode at the first start. Of the loop's own handlers nothing is heard once it has stopped."""
        super().install_signal_handlers()
        self._lead(signal.SIGINT, self._on_sigint)
        self._lead(signal.SIGTERM, self._on_sigterm)

    def end_itself(self) -> None:
        """End as by SIGTERM, though nobody told it to. Called on its loop."""
        self._on_sigterm()

    def _gather_all(self) -> None:
        """Called when all services have stopped. mode waits for a second here, for readers that end only when told."""
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left, timeout=_LEFT_SECONDS))

    async def _sentinel_task(self) -> None:
        """Called last, to let transports close. mode gives them a second of which nobody needs more than a round."""
        await asyncio.sleep(0)

    def _lead(self, number: signal.Signals, end: Callable[[], Any]) -> None:
        def hear(_number: int, _frame: FrameType | None) -> None:
            if not self.was_told:
                # A thread's, since the loop may have stopped, or stop while something is left to be waited for.
                limit = threading.Timer(END_SECONDS, _end_unfinished)
                limit.daemon = True
                limit.start()
            self.was_told = True
            if not self.loop.is_closed():
                self.loop.call_soon_threadsafe(end)

        self.loop.remove_signal_handler(number)
        signal.signal(number, hear)


def _end_unfinished() -> None:
    """Called in a thread when a worker that was told to end has not ended in time: end without a commit."""
    log.warning("worker.ended_unfinished", seconds=END_SECONDS)
    end_as_told()
