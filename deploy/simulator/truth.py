"""The true metrics of what was posted, as a file: what `floorcast simulate --truth` writes.

Owns the file's shape. The metrics are the batch recount's (`deploy.verification.recount`).
"""

from collections.abc import Iterable
from pathlib import Path

import orjson

from deploy.simulator.posting import Post
from deploy.verification.recount import recount
from schemas.config import Config
from schemas.connectors import build_connector
from schemas.instants import format_instant
from schemas.numbers import NONE_KEPT
from schemas.records import RecordChange, with_places

WINDOWS = ("today", "1h", "24h", "7d")


def changes_of(posts: Iterable[Post], config: Config, connection: str, now: int) -> list[RecordChange]:
    """Read deliveries as the processor will.

    Without numbers, which it hides: of two words of one instant their hashes decide, and those say nothing of a number.
    """
    connector = build_connector(config.connections[connection])
    changes: list[RecordChange] = []
    for post in posts:
        said = with_places(connector.parse(post.as_received(connection, now)).changes)
        changes += NONE_KEPT.hidden(connection, said)
    return changes


def write_truth(path: Path, changes: list[RecordChange], config: Config, now: int) -> None:
    """Write `{"changes", "as_of", "rows": {window: rows}}`; `changes` counts each version of a record once."""
    books = recount(changes, config)
    truth = {
        "changes": len({(change.kind, change.id, change.version) for change in changes}),
        "as_of": format_instant(now),
        "rows": {window: books.rows(now=now, window=window) for window in WINDOWS},
    }
    path.write_bytes(orjson.dumps(truth, option=orjson.OPT_INDENT_2))
