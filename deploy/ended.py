"""Why a process beside the stream (look-ups, a stream) has ended: the last line of its log, and its exit code."""

import asyncio

from processor.logs import refuse
from processor.transport.following import MissingTopicError
from schemas.exit_codes import ExitCode
from schemas.kafka import Address
from schemas.kafka_facts import KafkaError
from schemas.kafka_refusals import what_failed

ENDS: tuple[type[Exception], ...] = (ExceptionGroup, MissingTopicError, KafkaError, OSError)
"""What such a process is ended by: alone, or of several tasks."""


def ended_by(command: str, broker: Address, error: Exception) -> int:
    """Say that Kafka, or a topic, was not there, and give the code. Raises the error itself where it says neither."""
    first = _first_of(error)
    if isinstance(first, MissingTopicError):
        return refuse(command, ExitCode.UNREACHABLE, str(first))
    if isinstance(first, KafkaError | OSError):
        return refuse(command, ExitCode.UNREACHABLE, asyncio.run(what_failed(broker, first)))
    raise error


def _first_of(error: Exception) -> Exception:
    """What several tasks that ran together were ended by: what the first of them raised."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
