"""The topic `access` as this api knows it, read from its beginning and then followed; and what the data folder adds.

Owns that keys which were made or taken away in the folder come into the topic before
anybody is answered. What a record means is schemas/devices.py's; who may do what is asked by routes.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog
from aiokafka.errors import KafkaError

from api.read.small_topics import following
from api.read.topics import WHO_MAY
from api.settings import Settings
from schemas import tasks
from schemas.devices import AccessBook, Command, HashedKey, key_of
from schemas.keys import KeyStore

log = structlog.get_logger("api")

_PAUSE_SECONDS = 1.0
_ASK_SECONDS = 5.0


class AccessWriter(Protocol):
    """Where entries are written: see api/write/access_log.py."""

    async def put(self, key: bytes, value: bytes | None) -> None: ...


class AccessReader:
    """Keeps a book up to date; a service of the api. `log`: where what the folder says is written."""

    def __init__(self, settings: Settings, book: AccessBook, keys: KeyStore, log: AccessWriter) -> None:
        self._settings = settings
        self._book = book
        self._keys = keys
        self._log = log
        self._task: asyncio.Task[None] | None = None
        self.on_command: Callable[[Command], None] = lambda _command: None
        """Told what devices are to do."""
        self.on_revoked: Callable[[], None] = lambda: None
        """Told that a key or a device may have been taken away."""

    async def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(tasks.without_end(self._follow, "access", pause=_PAUSE_SECONDS), name="access")

    async def stop(self) -> None:
        """End it."""
        await tasks.end([self._task])

    def problems(self) -> list[str]:
        """What is missing before every key and device is known."""
        return [] if self._book.is_known else ["API keys and paired screens have not been read from Kafka yet"]

    async def _follow(self) -> None:
        try:
            await self._read()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("access.interrupted", error=type(error).__name__)

    async def _read(self) -> None:
        async with following(self._settings.kafka, WHO_MAY.full_name(self._settings.prefix)) as found:
            async for records, is_whole in found:
                for record in records:
                    if record.key is not None:
                        self._take(record.key, record.value)
                if is_whole:
                    await self._add_missing()
        # `floorcast topics` makes it; until then there are the keys of the folder.
        self._book.is_known = True

    async def _add_missing(self) -> None:
        """Write what the folder says of keys and the topic does not."""
        for entry in self._book.missing(*self._keys.kept()):
            key, value = key_of(entry), msgspec.json.encode(entry)
            try:
                await self._log.put(key, value)
            except Exception:
                # Whatever it was, it is tried again in a moment.
                log.exception("keys.not_shared", key=entry.id)
                return
            self._book.apply(key, value)
            log.info("keys.shared", key=entry.id, revoked=entry.key is None)
        self._book.is_known = True

    def _take(self, key: bytes, value: bytes | None) -> None:
        try:
            entry = self._book.apply(key, value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            # Of a newer build, or of nobody: whoever it is about is not let in by it.
            log.error("access.unreadable", kind=key.partition(b"|")[0].decode("ascii", "replace")[:20])
            return
        if isinstance(entry, Command):
            self.on_command(entry)
        elif entry is None or isinstance(entry, HashedKey):
            self.on_revoked()


async def are_keys_missing(settings: Settings) -> bool:
    """Whether the topic `access` is known to hold no API key. False also where Kafka does not answer: nobody knows."""
    book, topic = AccessBook(), WHO_MAY.full_name(settings.prefix)
    try:
        async with asyncio.timeout(_ASK_SECONDS), following(settings.kafka, topic) as found:
            async for records, is_whole in found:
                for record in records:
                    if record.key is not None:
                        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                            book.apply(record.key, record.value)
                if is_whole:
                    break
    except (KafkaError, OSError, TimeoutError):
        return False
    return not book.has_keys
