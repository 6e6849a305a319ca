"""Producers of aiokafka, as the api makes them and lets go of them. Knows nothing of what is sent.

Private names used (aiokafka 0.14.0): `AIOKafkaProducer._closed`, `._sender`.
"""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer

from api.settings import Settings
from schemas.kafka_patience import limit_waiting
from schemas.topics import MAX_MESSAGE

log = structlog.get_logger("api")

_BATCH = 512 << 10
_SILENT_SECONDS = 1.0
"""Longer than a leader waits for its followers a broker is waited for: whoever says nothing then hangs itself."""
# First the time for an orderly end, then for each cancellation: aiokafka swallows some.
_CLOSE_SECONDS = (0.3, 0.1, 0.1)


def delivery_producer(settings: Settings) -> AIOKafkaProducer:
    """One of the deliveries of this api; not started."""
    producer = AIOKafkaProducer(
        **settings.kafka.options(),
        client_id="floorcast-ingest",
        enable_idempotence=True,
        acks="all",
        max_batch_size=_BATCH,
        max_request_size=MAX_MESSAGE,
        # A leader that waits for a follower says so after this time, and the request is sent again; it is known by its
        # sequence number. One that says nothing a little later is asked on another connection.
        request_timeout_ms=int(settings.produce_timeout_seconds * 1000),
        metadata_max_age_ms=60_000,
    )
    limit_waiting(producer.client, settings.produce_timeout_seconds + _SILENT_SECONDS)
    return producer


async def close_producer(producer: AIOKafkaProducer) -> None:
    """Let go at once. Its own stop() would wait for ever for batches that nobody takes."""
    producer._closed = True
    closing = {asyncio.create_task(producer._sender.close()), asyncio.create_task(producer.client.close())}
    for seconds in _CLOSE_SECONDS:
        done, closing = await asyncio.wait(closing, timeout=seconds)
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.warning("producer.close_failed", reason=type(error).__name__)
        if not closing:
            return
        for task in closing:
            # The sender waits for the request under way, a connection for a peer that no longer reads.
            task.cancel()
