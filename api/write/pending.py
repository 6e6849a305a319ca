"""What waits for Kafka: a delivery, and the batch in which a producer holds it."""

import asyncio
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from api.write.refusals import REFUSAL, RETRY_AFTER, UnacknowledgedError
from schemas.tracing import Headers


@dataclass(slots=True)
class PendingDelivery:
    """A message that Kafka has not acknowledged."""

    message: bytes
    stored: "asyncio.Future[str]"
    """What became of it: its id, else a RefusedError. Done earlier where whoever waited has gone."""
    arrived: float
    headers: Headers = ()
    goes_alone: bool = False
    """It may have been what made a batch too large."""

    def accept(self, id: str) -> None:
        """It is stored."""
        if not self.stored.done():
            self.stored.set_result(id)

    def refuse(self, why: str = REFUSAL) -> None:
        """It is not known to be stored."""
        if not self.stored.done():
            self.stored.set_exception(UnacknowledgedError(why, retry_after=RETRY_AFTER))


@dataclass(slots=True, eq=False)
class PendingBatch:
    """What a producer holds of one partition, whether or not its deliveries have been refused."""

    producer: AIOKafkaProducer
    partition: int
    deliveries: list[PendingDelivery]
    size: int
    sent: float
    storing: "asyncio.Task[RecordMetadata]"
    leader: int | None = None
    """Who led the partition when it was late."""

    @property
    def failure(self) -> BaseException | None:
        """Why it will never be stored; to be asked once `storing` is done."""
        return asyncio.CancelledError() if self.storing.cancelled() else self.storing.exception()
