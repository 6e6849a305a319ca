"""Answers as deliveries in the log: an answer is in it, acknowledged, before anything counts as answered."""

from collections.abc import Awaitable, Callable, Sequence

from deploy.lookups.comparing import parts
from processor.transport.writing import Writer
from schemas.connectors.asking import Envelope, encode_envelope
from schemas.deliveries import ASKED_AT, BROUGHT_BY, Delivery, encode_delivery
from schemas.topics import DELIVERIES

MOST = 700_000
"""Bytes of the records in one delivery, unless one alone has more."""

Append = Callable[[Sequence[Delivery]], Awaitable[None]]
"""Stores deliveries; comes back when they are acknowledged."""


def appending(writer: Writer, prefix: str) -> Append:
    """What appends to the log in Kafka."""
    topic = DELIVERIES.full_name(prefix)

    async def append(deliveries: Sequence[Delivery]) -> None:
        await writer.write(topic, [encode_delivery(delivery) for delivery in deliveries])

    return append


def answer_deliveries(
    envelope: Envelope, *, connection: str, source: str, asked_at: int, received_at: int, more: dict[str, str]
) -> list[Delivery]:
    """An answer as deliveries, none of them too large."""
    headers = {"content-type": "application/json", BROUGHT_BY: source, ASKED_AT: str(asked_at), **more}
    return [
        Delivery(connection, received_at, headers, encode_envelope(part))
        for part in parts(envelope, lambda record: len(encode_envelope(Envelope(object="", records=[record]))), MOST)
        if part.records or part.missing or part.gone
    ]
