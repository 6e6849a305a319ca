"""A loop with a clock of its own: what takes seconds takes none, and a slow machine changes nothing.

For what waits for nobody outside of the test's own process.

Private names used, of asyncio: `BaseEventLoop._run_once`, `._ready`, `._scheduled`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

P = ParamSpec("P")


class Clock(asyncio.SelectorEventLoop):
    """Its time goes on only where nothing else is to be done."""

    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        loop: Any = self
        if not loop._ready and loop._scheduled:
            # A little later than that: what comes due by a sum of floats is due.
            self._now = max(self._now, loop._scheduled[0].when() + 1e-6)
        super()._run_once()  # type: ignore[misc]


def on_a_clock_of_its_own(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Of a test: run by such a loop."""

    @wraps(test)
    def run(*args: P.args, **rest: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=Clock) as runner:
            runner.run(test(*args, **rest))

    return run
