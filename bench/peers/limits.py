"""What no engine in Python can pass: reading the topic and decoding each revision, and nothing else.

    python limits.py aiokafka|confluent BOOTSTRAP INPUT EVENTS

Prints `first` and `last` with their instants, and `sum` of all revision numbers, which proves that all were decoded.
"""

import asyncio
import sys
import time

import msgspec


class Revision(msgspec.Struct, gc=False):
    """One record at one revision."""

    record: str
    kind: str
    rep: str
    at: int
    revision: int
    connected: bool
    talk_seconds: int
    deleted: bool


decode = msgspec.json.Decoder(Revision).decode


async def with_aiokafka(bootstrap: str, topic: str, events: int) -> tuple[float, float, int]:
    """Whole fetches, as `getmany` gives them."""
    import aiokafka  # noqa: PLC0415 - not in the environment of the other one

    consumer = aiokafka.AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_wait_ms=10,
    )
    await consumer.start()
    try:
        first, seen, total = 0.0, 0, 0
        while seen < events:
            fetched = await consumer.getmany(timeout_ms=1000)
            if fetched and not first:
                first = time.time()
            for records in fetched.values():
                for record in records:
                    total += decode(record.value).revision
                seen += len(records)
        return first, time.time(), total
    finally:
        await consumer.stop()


def with_confluent(bootstrap: str, topic: str, events: int) -> tuple[float, float, int]:
    """`consume` of many; without the shorter back-off it waits a second whenever its queue was full."""
    import confluent_kafka  # noqa: PLC0415 - not in the environment of the other one

    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"limits-{time.time_ns()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 10,
        }
    )
    consumer.subscribe([topic])
    try:
        first, seen, total = 0.0, 0, 0
        while seen < events:
            messages = consumer.consume(10_000, 0.1)
            if messages and not first:
                first = time.time()
            for message in messages:
                if message.error() is not None:
                    raise SystemExit(str(message.error()))
                total += decode(message.value()).revision
            seen += len(messages)
        return first, time.time(), total
    finally:
        consumer.close()


def main() -> None:
    """Run one of them."""
    client, bootstrap, topic, events = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    if client == "aiokafka":
        first, last, total = asyncio.run(with_aiokafka(bootstrap, topic, events))
    else:
        first, last, total = with_confluent(bootstrap, topic, events)
    print(f"first {first}\nlast {last}\nsum {total}", flush=True)


if __name__ == "__main__":
    main()
