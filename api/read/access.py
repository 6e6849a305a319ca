"""The topic `access` as this api knows it, read from its beginning and then followed.

Owns a consumer outside any group. What a record means is schemas/devices.py's; who may do what is asked by routes.
"""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from api.client_lifecycle import begun_whole, stop_quietly
from api.settings import Settings
from schemas.devices import AccessBook, Command
from schemas.topics import ACCESS

log = structlog.get_logger("api")

_WAIT_MS = 500
_PAUSE_SECONDS = 1.0


class AccessReader:
    """Keeps a book up to date; a service of the api. `on_command` is told what devices are to do."""

    def __init__(self, settings: Settings, book: AccessBook, on_command: Callable[[Command], None]) -> None:
        self._settings = settings
        self._book = book
        self._on_command = on_command
        self._task: asyncio.Task[None] | None = None
        self.is_loaded = False

    async def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._follow(), name="access")

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def problems(self) -> list[str]:
        """What is missing before every device is known."""
        return [] if self.is_loaded else ["paired screens have not been read yet"]

    async def _follow(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("access.interrupted", error=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            **self._settings.kafka.options(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_WAIT_MS,
        )
        try:
            await begun_whole(consumer.start())
            partition = TopicPartition(ACCESS.full_name(self._settings.prefix), 0)
            if partition.topic not in await consumer.topics():
                # Of before there were screens to pair; `floorcast topics` makes it.
                self.is_loaded = True
                return
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            await consumer.seek_to_beginning(partition)
            while True:
                self.is_loaded |= await consumer.position(partition) >= end
                for records in (await consumer.getmany(timeout_ms=_WAIT_MS)).values():
                    for record in records:
                        if record.key is not None:
                            self._take(record.key, record.value)
        finally:
            await stop_quietly(consumer)

    def _take(self, key: bytes, value: bytes | None) -> None:
        entry = self._book.apply(key, value)
        if isinstance(entry, Command):
            self._on_command(entry)
