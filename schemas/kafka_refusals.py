"""Why a Kafka does not let us in, in a line: what commands, workers and the api say of it.

Owns the words. Opens no connection: who asks hands over how (`Ask`). The errors of aiokafka are known by their names,
as this package knows no client of Kafka.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from schemas.kafka import PLAIN, Address, Kafka, TokenError, kafka_options

SECONDS = 5.0

Ask = Callable[[str, int, Mapping[str, Any]], Awaitable[int]]
"""Connects to a host and port with these options, logs in and asks for the brokers: how many there are."""

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


def missing_right(kafka: Address | None, error: str) -> str | None:
    """Which right an error of this name says is missing there (None: at the one in use); None: it tells of no right."""
    right = _RIGHTS.get(error)
    if right is None:
        return None
    place = "Kafka" if kafka is None else f"Kafka at {kafka}"
    who = kafka.security.who if isinstance(kafka, Kafka) else PLAIN.who
    return f"{place} does not give {who!r} the right to {right} ({error})"


def missing_right_within(error: BaseException | None) -> str | None:
    """Which right is missing by this error, by what caused it, or by one of those that it is a group of."""
    if error is None:
        return None
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    found = (missing_right_within(part) for part in (*parts, error.__cause__))
    return missing_right(None, type(error).__name__) or next(filter(None, found), None)
