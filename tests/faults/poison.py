"""Authentic deliveries that nobody can read. Owns how they are spoiled."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import orjson

from deploy.simulator.posting import Post

_JSON = {"content-type": "application/json"}
_WORDS = (
    b"",
    b"42",
    b'"call"',
    b'{"record": "call", "id"',
    b"\xff\xfe\x00",
    b"[" * 2000,
    b'{"record": "call", "id": "p"}',
)


def poison(count: int, *, seed: int, size: int = 0) -> Iterator[Post]:
    """So many, all due at once; `size` bytes long each at least."""
    random = Random(f"poison {seed}")
    for number in range(count):
        yield Post(0, f"poison-{seed}-{number}", _JSON, _body(random, number) + b" " * size, 0)


def _body(random: Random, number: int) -> bytes:
    kind = random.randrange(4)
    if kind == 0:
        return random.randbytes(random.randrange(1, 400))
    if kind == 1:
        return random.choice(_WORDS)
    event = {"record": "call", "id": f"poison-{number}", "changed_at": "2026-03-18T16:41:30.344Z", "fields": {}}
    if kind == 2:
        return orjson.dumps(event | {"changed_at": "yesterday"})
    return orjson.dumps(event | {"fields": {"rep": "r-1", "outcome": "splendid"}})
