"""Whether Kafka lets the api in, and if not, why: what `/readyz` says."""

from collections.abc import Mapping
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.protocol.metadata import MetadataRequest

from schemas import kafka_refusals
from schemas.kafka import Address
from schemas.kafka_rights import TopicOperation


async def what_refuses(
    kafka: Address, error: BaseException | str, *, operation: TopicOperation = "Read", topic: str = ""
) -> str | None:
    """What stood in the way of a client of Kafka that got this error (or one of this name), in a line, no secret in it.

    None: Kafka lets us in, and the error is about something else. `operation`: what the client does to `topic`.
    """
    right = kafka_refusals.missing_right(kafka, error, operation=operation, topic=topic)
    return right or await kafka_refusals.why_not(kafka, _ask)


async def _ask(host: str, port: int, options: Mapping[str, Any]) -> int:
    """Connect, log in and ask for the brokers: how many there are."""
    connection = await create_conn(host, port, client_id="floorcast-probe", **options)
    try:
        return len((await connection.send(MetadataRequest([]))).brokers)
    finally:
        connection.close()
