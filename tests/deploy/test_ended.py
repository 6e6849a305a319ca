"""What a process beside the stream says that several tasks of it were ended by."""

import pytest
from structlog.testing import capture_logs

from deploy.ended import ended_by
from processor.transport.following import MissingTopicError
from schemas.exit_codes import ExitCode
from schemas.kafka_facts import KafkaError
from tests.ports import refused_port


def test_a_kafka_that_went_away_is_named_and_not_the_tasks_that_it_ended() -> None:
    error = ExceptionGroup("tasks", [ExceptionGroup("of them", [KafkaError("gone")]), ValueError("later")])

    with refused_port() as port, capture_logs() as log:
        assert ended_by("lookups", f"127.0.0.1:{port}", error) == ExitCode.UNREACHABLE

    assert [(line["event"], line["code"]) for line in log] == [("process.ended", ExitCode.UNREACHABLE)]
    assert "Kafka" in log[0]["why"]


def test_a_topic_that_is_gone_is_named() -> None:
    with capture_logs() as log:
        assert ended_by("stream", "127.0.0.1:1", MissingTopicError("floorcast.deliveries")) == ExitCode.UNREACHABLE

    assert log[0]["why"] == "topic floorcast.deliveries is not there"


def test_what_nobody_foresaw_is_raised_whole() -> None:
    error = ExceptionGroup("tasks", [KeyError("place")])

    with pytest.raises(ExceptionGroup) as raised:
        ended_by("lookups", "127.0.0.1:1", error)

    assert raised.value is error
