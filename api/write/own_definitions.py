"""By which definitions this api goes: said beside a delivery once a minute, and at once where they have changed.

Owns the pace. A worker that goes by others has no other way to hear of it (processor/core/apis_heard.py).
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from schemas.config import Config, ConfigError, load_config
from schemas.definitions import definitions_digest
from schemas.spoken_definitions import definitions_headers
from schemas.tracing import Headers

log = structlog.get_logger("api")

EVERY_SECONDS = 60.0
_NOTHING: Headers = ()


class SpokenDefinitions:
    """What is said of our definitions, and when it was said last."""

    def __init__(self, ours: Callable[[], str]) -> None:
        """`ours`: the digest by which this api goes now; asked for each delivery."""
        self._ours = ours
        self._said = ""
        self._due = 0.0

    def headers(self, now: float) -> Headers:
        """For the message of a delivery that is taken now (monotonic seconds); mostly none."""
        ours = self._ours()
        if ours == self._said and now < self._due:
            return _NOTHING
        self._said, self._due = ours, now + EVERY_SECONDS
        return definitions_headers(ours)


class FileDefinitions:
    """Those of the files, for an api that serves nothing: it reads them at its start, and again when it is told to."""

    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        self._loop: asyncio.AbstractEventLoop | None = None
        self.definitions = definitions_digest(config)

    async def start(self) -> None:
        """Be ready to read again."""
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """Nothing is under way."""

    def ask_reload(self) -> None:
        """Read both files again; from a signal handler. Before `start` they are read anyway."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._reload)

    def _reload(self) -> None:
        try:
            self.definitions = definitions_digest(load_config(self._path, os.environ))
        except ConfigError as error:
            log.error("reload.refused", problems=error.problems)
