"""Rights to topics that Kafka does not give, with what was to be done: of itself Kafka says only to which topic."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import ClusterAuthorizationFailedError, TopicAuthorizationFailedError, for_code

from schemas.kafka_rights import TopicOperation


class TopicRightError(TopicAuthorizationFailedError):  # type: ignore[misc]  # aiokafka is untyped
    """Kafka does not let us do this to a topic."""

    def __init__(self, topic: str, operation: TopicOperation) -> None:
        super().__init__(topic)
        self.operation = operation


def raise_missing_right(topic: str, code: int, operation: TopicOperation) -> None:
    """Raise TopicRightError where Kafka has answered so: no topic differs then, and none is missing."""
    if for_code(code) in (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
        raise TopicRightError(topic, operation)


@contextmanager
def doing(operation: TopicOperation, topic: str) -> Iterator[None]:
    """What a client of aiokafka is not let do in here is this."""
    try:
        yield
    except TopicAuthorizationFailedError as error:
        raise TopicRightError(topic, operation) from error
