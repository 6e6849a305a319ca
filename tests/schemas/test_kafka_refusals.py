"""Which right is missing, by what a client of Kafka raised."""

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from processor.transport.rights import TopicRightError, doing, raise_missing_right
from schemas.kafka import Kafka, Security
from schemas.kafka_refusals import missing_right
from schemas.kafka_rights import RIGHTS

KAFKA = Kafka("kafka:9093", Security("SASL_PLAINTEXT", "PLAIN", "floor", "hidden"))
REFUSED = TopicAuthorizationFailedError.errno


@pytest.mark.parametrize(
    ("error", "right"),
    [
        (TopicAuthorizationFailedError("a.deliveries"), "Topic Read on a.deliveries"),
        (TopicRightError("a.late", "AlterConfigs"), "Topic AlterConfigs on a.late"),
        (GroupAuthorizationFailedError("a.g1.processor"), "Group Read on a.g1.processor"),
        (TransactionalIdAuthorizationFailed("a.owner"), "TransactionalId Write on a.owner"),
        (ClusterAuthorizationFailedError(), "Topic Write"),
    ],
)
def test_a_missing_right_is_named_as_kafka_s_tools_name_it(error: KafkaError, right: str) -> None:
    said = missing_right(KAFKA, error)
    assert said is not None
    assert said.startswith(f"Kafka at kafka:9093 does not give 'floor' the right {right} (")
    assert right.split(" on ", maxsplit=1)[0] in {f"{each.resource} {each.operation}" for each in RIGHTS}


def test_a_missing_right_is_found_in_what_caused_an_error_or_beside_others() -> None:
    outer = KafkaError("while sending")
    outer.__cause__ = TopicRightError("a.late", "Write")
    said = missing_right(None, ExceptionGroup("two", [ValueError("another"), outer]))
    assert said is not None
    assert "Topic Write on a.late" in said


def test_an_error_of_which_only_the_name_is_known_is_told_with_what_was_to_be_done() -> None:
    said = missing_right(KAFKA, "TopicAuthorizationFailedError", operation="Write", topic="a.deliveries")
    assert said is not None
    assert "Topic Write on a.deliveries" in said


@pytest.mark.parametrize("error", [None, "KafkaConnectionError", KafkaError("of another kind"), OSError("gone")])
def test_an_error_of_another_kind_tells_of_no_right(error: BaseException | str | None) -> None:
    assert missing_right(KAFKA, error) is None


def test_what_kafka_refuses_says_what_was_to_be_done() -> None:
    with pytest.raises(TopicRightError) as refused, doing("Alter", "a.late"):
        raise TopicAuthorizationFailedError("Could not create partitions")
    assert (refused.value.args, refused.value.operation) == (("a.late",), "Alter")
    with pytest.raises(TopicRightError) as refused:
        raise_missing_right("a.late", REFUSED, "Delete")
    assert refused.value.operation == "Delete"
    raise_missing_right("a.late", TopicAlreadyExistsError.errno, "Create")
