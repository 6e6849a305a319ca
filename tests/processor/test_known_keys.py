"""Keys that lie in Kafka, as a worker comes to know them."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from processor.known_keys import follow_keys
from schemas.devices import AccessBook, HashedKey, key_of
from schemas.keys import ApiScope, new_key
from schemas.topics import ACCESS
from tests.processor.transport.floor import create_topics, produce

pytestmark = pytest.mark.kafka

_PATIENCE_SECONDS = 60.0


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not is_so():
            await asyncio.sleep(0.05)


async def test_keys_made_and_taken_away_are_known_once_the_topic_was_read(kafka: str, prefix: str) -> None:
    topic, book = ACCESS.full_name(prefix), AccessBook()
    first, second = (new_key(ApiScope.BOARD, now=1)[0] for _ in range(2))

    def said(id: str, entry: HashedKey) -> tuple[bytes, bytes]:
        return key_of(HashedKey(id)), msgspec.json.encode(entry)

    await create_topics(kafka, [topic], partitions=1, configs={})
    await produce(kafka, topic, 0, [said(first.id, HashedKey(first.id, first))])
    following = asyncio.create_task(follow_keys(kafka, prefix, book))
    try:
        await _until(lambda: book.is_known)
        assert book.find(first.id) == first

        news = [said(second.id, HashedKey(second.id, second)), said(first.id, HashedKey(first.id))]
        await produce(kafka, topic, 0, news)
        await _until(lambda: book.is_revoked(first.id))
        assert book.find(second.id) == second
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
