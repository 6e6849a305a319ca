"""Whether a Kafka lets us in, and if not, why: in a line, before anything else is tried there.

A client of aiokafka says only that it could not connect; a single connection says what stood in its way.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from schemas.kafka import Address, kafka_options

SECONDS = 5.0


async def why_not(kafka: Address) -> str | None:
    """Try the addresses in turn. None as soon as one lets us in, else what the last one said, without any secret."""
    options = kafka_options(kafka)
    addresses = str(options.pop("bootstrap_servers"))
    user = "" if isinstance(kafka, str) else kafka.security.username
    problem = ""
    for one in addresses.split(","):
        host, _, port = one.strip().rpartition(":")
        try:
            async with asyncio.timeout(SECONDS):
                await _ask(host.strip("[]"), int(port), options)
        except (AuthenticationFailedError, SaslAuthenticationFailed):
            problem = f"Kafka at {one.strip()} refuses the login of {user!r}"
        except UnsupportedSaslMechanismError:
            problem = f"Kafka at {one.strip()} does not take {options.get('sasl_mechanism')} for a login"
        except ssl.SSLCertVerificationError as error:
            problem = f"the certificate of Kafka at {one.strip()} is not trusted: {error.verify_message}"
        except ssl.SSLError as error:
            problem = f"Kafka at {one.strip()} does not speak TLS with us: {error.reason or 'it ended the connection'}"
        except KafkaError:
            problem = f"Kafka at {one.strip()} ends the connection: does it ask for a login, or for TLS?"
        except (OSError, TimeoutError):
            problem = f"no Kafka answers at {one.strip()}: is it running, and is the address right?"
        else:
            return None
    return problem


async def _ask(host: str, port: int, options: Mapping[str, Any]) -> None:
    """Connect, log in and put one question."""
    connection = await create_conn(host, port, client_id="floorcast-probe", **options)
    try:
        await connection.send(MetadataRequest([]))
    finally:
        connection.close()
