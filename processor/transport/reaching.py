"""Whether a Kafka lets us in, and if not, why: in a line, before anything else is tried there.

A client of aiokafka says only that it could not connect; a single connection says what stood in its way.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.protocol.metadata import MetadataRequest

from schemas import kafka_refusals
from schemas.kafka import Address


async def why_not(kafka: Address) -> str | None:
    """None if Kafka lets us in, else what it said, without any secret."""
    return await kafka_refusals.why_not(kafka, _ask)


async def what_failed(kafka: Address, error: BaseException) -> str:
    """What stood in the way of whoever got this error from a client of Kafka, in a line."""
    right = kafka_refusals.missing_right(kafka, error)
    does_not = f"Kafka at {kafka} does not do what it is asked for: {type(error).__name__}"
    return right or await why_not(kafka) or does_not


async def _ask(host: str, port: int, options: Mapping[str, Any]) -> int:
    """Connect, log in and ask for the brokers: how many there are."""
    connection = await create_conn(host, port, client_id="floorcast-probe", **options)
    try:
        return len((await connection.send(MetadataRequest([]))).brokers)
    finally:
        connection.close()
