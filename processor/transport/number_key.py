"""The key by which telephone numbers are hidden: made once for a deployment, at random, and kept in `generations`.

Owns its reading and its making. All who read deliveries hide by the same one, whoever starts first: each that finds
none writes one of its own under a name of its own, and the first one that lies in the topic is everybody's.
"""

import secrets
import time

from processor.transport.appending import Appender, Stored
from processor.transport.fetched import Fetched
from processor.transport.following import Follower
from schemas.config import Config
from schemas.kafka import Address
from schemas.numbers import KEY_SIZE, NONE_KEPT, Numbers, compared
from schemas.topics import GENERATIONS

_NAMED = b"number-key|"


async def read_numbers(bootstrap: Address, prefix: str, config: Config) -> Numbers:
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
            await appender.append(Stored((0, -1), name, made, time.time_ns() // 1_000_000, ()))
        key = await _first(bootstrap, topic)
    return Numbers(key or b"", connections)


async def _first(bootstrap: Address, topic: str) -> bytes | None:
    found: list[bytes] = []

    def apply(_partition: int, records: list[Fetched]) -> None:
        found.extend(each.value for each in records if each.key and each.key.startswith(_NAMED) and each.value)

    async with Follower(bootstrap, topic) as follower:
        await follower.read_to(await follower.ends(), apply)
    return found[0] if found else None
