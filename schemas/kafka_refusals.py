"""Why a Kafka does not let us in, in a line: what commands, workers and the api say of it.

Owns the words. Opens no connection: who asks hands over how (`Ask`). The errors of aiokafka are known by their names,
as this package knows no client of Kafka.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from schemas.kafka import Address, kafka_options

SECONDS = 5.0

Ask = Callable[[str, int, Mapping[str, Any]], Awaitable[None]]
"""Connects to a host and port with these options, logs in and puts one question."""

_RIGHTS = {
    "TopicAuthorizationFailedError": "its topics",
    "GroupAuthorizationFailedError": "its consumer groups",
    "ClusterAuthorizationFailedError": "describing the cluster, or writing idempotently",
    "TransactionalIdAuthorizationFailed": "its producers",
    "TransactionalIdAuthorizationFailedError": "its producers",
}


async def why_not(kafka: Address, ask: Ask) -> str | None:
    """Try the addresses in turn. None as soon as one lets us in, else what the last one said, without any secret."""
    options = kafka_options(kafka)
    addresses = str(options.pop("bootstrap_servers"))
    user = "" if isinstance(kafka, str) else kafka.security.username
    problem = ""
    for one in addresses.split(","):
        place = one.strip()
        host, _, port = place.rpartition(":")
        try:
            async with asyncio.timeout(SECONDS):
                await ask(host.strip("[]"), int(port), options)
        except ssl.SSLCertVerificationError as error:
            problem = f"the certificate of Kafka at {place} is not trusted: {error.verify_message}"
        except ssl.SSLError as error:
            problem = f"Kafka at {place} does not speak TLS with us: {error.reason or 'it ended the connection'}"
        except (OSError, TimeoutError):
            problem = f"no Kafka answers at {place}: is it running, and is the address right?"
        except Exception as error:
            names = {cls.__name__ for cls in type(error).__mro__}
            if "KafkaError" not in names:
                raise
            if names & {"AuthenticationFailedError", "SaslAuthenticationFailed"}:
                problem = f"Kafka at {place} refuses the login of {user!r}"
            elif "UnsupportedSaslMechanismError" in names:
                problem = f"Kafka at {place} does not take {options.get('sasl_mechanism')} for a login"
            else:
                problem = f"Kafka at {place} ends the connection: does it ask for a login, or for TLS?"
        else:
            return None
    return problem


def missing_right(kafka: Address, error: str) -> str | None:
    """Which right an error of this name says is missing there; None: it speaks of something else."""
    right = _RIGHTS.get(error)
    if right is None:
        return None
    user = "" if isinstance(kafka, str) else kafka.security.username
    return f"Kafka at {kafka} does not give {user or 'us'!r} the right to {right} ({error})"
