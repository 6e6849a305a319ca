"""Why a Kafka does not let us in, in a line: what commands, workers and the api say of it.

A client of aiokafka says only that it could not connect; a single connection says what stood in its way. Its errors are
known by their names: who words one need not load the client.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

from schemas.kafka import PLAIN, Address, Kafka, TokenError, kafka_options
from schemas.kafka_rights import TopicOperation

SECONDS = 5.0

_RIGHTS = {
    "TopicAuthorizationFailedError": "Topic {operation}",
    "GroupAuthorizationFailedError": "Group Read",
    # Of a producer that asks for its number: whoever may write to any topic is given one.
    "ClusterAuthorizationFailedError": "Topic Write",
    "TransactionalIdAuthorizationFailed": "TransactionalId Write",
    "TransactionalIdAuthorizationFailedError": "TransactionalId Write",
}
"""As Kafka's own tools name them (kafka_rights.py)."""


async def what_failed(kafka: Address, error: BaseException) -> str:
    """What stood in the way of whoever got this error from a client of Kafka, in a line."""
    does_not = f"Kafka at {kafka} does not do what it is asked for: {type(error).__name__}"
    return await what_refuses(kafka, error) or does_not


async def what_refuses(
    kafka: Address, error: BaseException | str, *, operation: TopicOperation = "Read", topic: str = ""
) -> str | None:
    """The same where Kafka does not let us in, or to something; None: it does, the error is about something else.

    `error` may be the name of one. `operation`: what the client does to `topic`.
    """
    return missing_right(kafka, error, operation=operation, topic=topic) or await why_not(kafka)


async def why_not(kafka: Address) -> str | None:
    """Try the addresses in turn. None as soon as one lets us in, else what the last one said, without any secret."""
    options = kafka_options(kafka)
    addresses = str(options.pop("bootstrap_servers"))
    who = PLAIN.who if isinstance(kafka, str) else kafka.security.who
    by_token = options.get("sasl_mechanism") == "OAUTHBEARER"
    problem = ""
    for one in addresses.split(","):
        place = one.strip()
        host, _, port = place.rpartition(":")
        refused = f"Kafka at {place} refuses the login of {who!r}"
        try:
            async with asyncio.timeout(SECONDS):
                brokers = await _ask(host.strip("[]"), int(port), options)
        except ssl.SSLCertVerificationError as error:
            problem = f"the certificate of Kafka at {place} is not trusted: {error.verify_message}"
        except ssl.SSLError as error:
            problem = f"Kafka at {place} does not speak TLS with us: {error.reason or 'it ended the connection'}"
        except TokenError as error:
            return str(error)
        except (OSError, TimeoutError):
            problem = f"no Kafka answers at {place}: is it running, and is the address right?"
        except Exception as error:
            names = {cls.__name__ for cls in type(error).__mro__}
            if "KafkaError" not in names:
                raise
            if "UnsupportedSaslMechanismError" in names:
                problem = f"Kafka at {place} does not take {options.get('sasl_mechanism')} for a login"
            elif names & {"AuthenticationFailedError", "SaslAuthenticationFailed"} or by_token:
                problem = refused
            else:
                problem = f"Kafka at {place} ends the connection: does it ask for a login, or for TLS?"
        else:
            # aiokafka does not read the answer to a token, and takes the refusal for a broker that knows no other.
            if brokers or not by_token:
                return None
            problem = refused
    return problem


async def _ask(host: str, port: int, options: Mapping[str, Any]) -> int:
    """Connect, log in and ask for the brokers: how many there are."""
    from aiokafka.conn import create_conn  # noqa: PLC0415
    from aiokafka.protocol.metadata import MetadataRequest  # noqa: PLC0415

    connection = await create_conn(host, port, client_id="floorcast-probe", **options)
    try:
        return len((await connection.send(MetadataRequest([]))).brokers)
    finally:
        connection.close()


def missing_right(
    kafka: Address | None, error: BaseException | str | None, *, operation: TopicOperation = "Read", topic: str = ""
) -> str | None:
    """Which right is missing there by this error, by what caused it, or by one of those that it is a group of.

    None: it tells of no right. Where only the name of an error is known, `topic` says what it was about. `operation`:
    what was to be done to a topic, where the error does not say it itself. `kafka`: None: the one in use.
    """
    if isinstance(error, str) or error is None:
        return _words(kafka, error or "", operation, topic)
    for cls in type(error).__mro__:
        name = ", ".join(each for each in error.args if isinstance(each, str))
        found = _words(kafka, cls.__name__, getattr(error, "operation", operation), name or topic)
        if found is not None:
            return found
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    causes = [cause for cause in (*parts, error.__cause__) if cause is not None]
    return next(filter(None, (missing_right(kafka, one, operation=operation, topic=topic) for one in causes)), None)


def _words(kafka: Address | None, error: str, operation: str, name: str) -> str | None:
    right = _RIGHTS.get(error)
    if right is None:
        return None
    place = "Kafka" if kafka is None else f"Kafka at {kafka}"
    who = kafka.security.who if isinstance(kafka, Kafka) else PLAIN.who
    on = f" on {name}" if name else ""
    return f"{place} does not give {who!r} the right {right.format(operation=operation)}{on} ({error})"
