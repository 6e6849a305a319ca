"""The key by which telephone numbers are hidden (HMAC): made once for a deployment, at random, kept in `generations`.

Owns its reading and its making. All who read deliveries hide by the same one, whoever starts first: each that finds
none writes one of its own under a name of its own, and the first one that lies in the topic is everybody's.
"""

import secrets
import time

from processor.transport.appending import Appender, LogMessage
from processor.transport.following import newest_of
from schemas.config import Config
from schemas.kafka import Address
from schemas.numbers import KEY_SIZE, NONE_KEPT, PhoneNumbers, compared
from schemas.topics import GENERATIONS

_NAMED = b"number-key|"


async def read_numbers(bootstrap: Address, prefix: str, config: Config) -> PhoneNumbers:
    """What is kept of telephone numbers. Raises KafkaError, TimeoutError, MissingTopicError."""
    connections = compared(config.connections)
    if not connections:
        return NONE_KEPT
    topic = GENERATIONS.full_name(prefix)
    key = await _first(bootstrap, topic)
    if key is None:
        async with Appender(bootstrap, topic) as appender:
            name = _NAMED + secrets.token_hex(8).encode()
            made = secrets.token_bytes(KEY_SIZE)
            await appender.append(LogMessage((0, -1), name, made, time.time_ns() // 1_000_000, ()))
        key = await _first(bootstrap, topic)
    return PhoneNumbers(key or b"", connections)


async def _first(bootstrap: Address, topic: str) -> bytes | None:
    found = await newest_of(bootstrap, topic)
    return next((value for name, value in found.items() if name.startswith(_NAMED)), None)
