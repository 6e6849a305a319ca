"""What tests of definitions share: a metric written as in metrics.yaml, and what a floor's changes make of it."""

from collections.abc import Iterable
from typing import Any

from deploy.verification.books import Books
from deploy.verification.definitions import Definitions, merged
from deploy.verification.measures import Exact
from deploy.verification.recount import recount
from deploy.verification.shapes import RecountedWindow
from schemas.config import Config
from schemas.documents.text import read_document
from schemas.records import RecordChange
from tests.builders import instant, make_config

NOON = "2026-03-18T12:00Z"
"""A Wednesday."""


def definitions(text: str) -> Definitions:
    """What a metrics.yaml says, without what is shipped."""
    return merged(read_document(text, "metrics.yaml").value)


def one(entry: str) -> Definitions:
    """A single metric `m`, written as a mapping in one line."""
    return definitions(f"metrics: {{m: {entry}}}")


def books(changes: Iterable[RecordChange], by: Definitions | str, config: Config | None = None) -> Books:
    """All that counts by definitions, or by a single metric `m`."""
    return recount(changes, config or make_config(), one(by) if isinstance(by, str) else by)


def value(
    changes: Iterable[RecordChange],
    by: Definitions | str,
    metric: str = "m",
    *,
    now: str | int = NOON,
    window: RecountedWindow = "today",
    config: Config | None = None,
    **scope: Any,
) -> Exact:
    """What a metric comes to, exactly."""
    return books(changes, by, config).value(metric, now=instant(now), window=window, **scope)
