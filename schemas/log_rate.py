"""How often the log says the same: a Kafka that is away for an hour is worth some lines, and not a full disk.

Owns the limit of api and worker. Lines below a warning (such as one for each request) are their owner's affair, and
what ends a process is always said.
"""

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

MOST = 10
PER_SECONDS = 30.0
_KINDS = 1_000
"""Of lines that are remembered; beyond that all is forgotten."""


class LogRate(logging.Filter):
    """Lets `most` warnings or errors of a kind pass in `per` seconds; the next one says how many were left out.

    A filter of logging, where a kind is a message before its arguments, and a processor of structlog, where it is an
    event.
    """

    def __init__(
        self, *, most: int = MOST, per: float = PER_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._most = most
        self._per = per
        self._clock = clock
        self._passed: dict[str, tuple[float, int, int]] = {}
        """Kind -> when its time began, how many have passed in it, how many were left out since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written; called by a handler, also of structlog's lines where they go through logging."""
        if not logging.WARNING <= record.levelno < logging.CRITICAL:
            return True
        said = record.msg if isinstance(record.msg, dict) else None
        left_out = self._left_out(str(record.msg if said is None else said.get("event")))
        if left_out is None:
            return False
        if left_out and said is not None:
            said["left_out"] = left_out
        elif left_out:
            record.msg = f"{record.msg} ({left_out} like it were left out)"
        return True

    def __call__(self, _logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """As a processor. Raises DropEvent."""
        if method not in {"warning", "warn", "error", "exception"}:
            return event
        left_out = self._left_out(str(event.get("event")))
        if left_out is None:
            raise structlog.DropEvent
        if left_out:
            event["left_out"] = left_out
        return event

    def _left_out(self, kind: str) -> int | None:
        """How many of the kind were left out before this one, which passes; None: it does not."""
        now = self._clock()
        began, passed, left_out = self._passed.get(kind, (now, 0, 0))
        if now - began >= self._per:
            began, passed = now, 0
        if passed >= self._most:
            self._passed[kind] = began, passed, left_out + 1
            return None
        if len(self._passed) >= _KINDS and kind not in self._passed:
            self._passed.clear()
        self._passed[kind] = began, passed + 1, 0
        return left_out
