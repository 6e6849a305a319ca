"""Why a Kafka does not let us in, in a line: what commands, workers and the api say of it.

Owns the words. Opens no connection: who asks hands over how (`Ask`). The errors of aiokafka are known by their names,
as this package knows no client of Kafka.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from schemas.kafka import PLAIN, Address, Kafka, TokenError, kafka_options
from schemas.kafka_rights import TopicOperation

SECONDS = 5.0

Ask = Callable[[str, int, Mapping[str, Any]], Awaitable[int]]
"""Connects to a host and port with these options, logs in and asks for the brokers: how many there are."""

_RIGHTS = {
    "TopicAuthorizationFailedError": "Topic {operation}",
    "GroupAuthorizationFailedError": "Group Read",
    # Of a producer that asks for its number: whoever may write to any topic is given one.
    "ClusterAuthorizationFailedError": "Topic Write",
    "TransactionalIdAuthorizationFailed": "TransactionalId Write",
    "TransactionalIdAuthorizationFailedError": "TransactionalId Write",
}
"""As Kafka's own tools name them (kafka_rights.py)."""


async def why_not(kafka: Address, ask: Ask) -> str | None:
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
                brokers = await ask(host.strip("[]"), int(port), options)
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
