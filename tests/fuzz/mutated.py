"""Bodies like those of each CRM with something wrong in them: a number of them, the same for a seed.

`python -m tests.fuzz.mutated --bodies 100000` tries so many of each kind, and is what `make fuzz-bodies` runs; the
suite tries few. The law: a body never raises, and none goes uncounted.
"""

import argparse
import json
import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from schemas.connectors.base import Connector
from schemas.deliveries import Delivery
from tests.fuzz.outside import connection_of
from tests.strategies import NOW

FIXTURES = Path(__file__).parents[1] / "fixtures" / "crm"
KINDS = ("aircall", "close", "hubspot", "pipedrive", "salesforce", "zoho")
_TYPES = {".json": "application/json", ".xml": "text/xml"}
_JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**70, 1.5, 1e308, "", " ", "x", "\ud83d", "null", "2026-03-18", "2026-03-18T09:00:00Z",
    "9999-99-99T99:99:99Z", [], [None], [[]], {}, {"id": {}}, {"value": []}, "a" * 2000,
)  # fmt: skip


def bodies(kind: str, number: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """(content type, body) of so many."""
    dice = random.Random(f"{kind} {seed}")
    sources = [path for path in sorted((FIXTURES / kind).iterdir()) if path.suffix in _TYPES]
    found = [(_TYPES[path.suffix], path.read_bytes()) for path in sources]
    for _ in range(number):
        media, raw = dice.choice(found)
        yield media, _changed(raw, dice) if media.endswith("json") and dice.random() < 0.8 else _damaged(raw, dice)


def _changed(raw: bytes, dice: random.Random) -> bytes:
    """Some members are others, or gone, or there twice."""
    body = json.loads(raw)
    for _ in range(dice.randint(1, 4)):
        holders = list(_holders(body))
        if not holders:
            break
        holder = dice.choice(holders)
        key = dice.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if dice.random() < 0.2:
            del holder[key]
        else:
            holder[key] = deepcopy(dice.choice(_JUNK))  # what is put in may be changed next
    return json.dumps(body).encode()


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)


def _damaged(raw: bytes, dice: random.Random) -> bytes:
    """Bytes are others, gone or doubled."""
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(raw) + 1)
        to = min(len(raw), at + dice.randrange(8))
        raw = raw[:at] + dice.choice([b"", bytes([dice.randrange(256)]), raw[at:to] * 2, b"\0", b"}"]) + raw[to:]
    return raw


def check(kind: str, connector: Connector, number: int, seed: int = 1) -> None:
    """Try so many. Raises AssertionError, or what the connector raises."""
    for media, body in bodies(kind, number, seed):
        parsed = connector.parse(Delivery(kind, NOW, {"content-type": media}, body))
        said = parsed.changes or parsed.problems or parsed.ignored
        assert said or body.strip() in {b"[]", b""}, f"{kind}: nothing is said of {body!r}"
        assert all("\n" not in problem.detail for problem in parsed.problems)


def main() -> None:
    """Try them, kind by kind."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bodies", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=1)
    said = arguments.parse_args()
    for kind in KINDS:
        check(kind, connection_of(kind), said.bodies, said.seed)
        print(f"{kind}: {said.bodies} bodies", flush=True)  # noqa: T201 - the command's output


if __name__ == "__main__":
    main()
