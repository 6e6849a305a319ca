"""By which definitions does an api go that takes webhooks? It says so to workers, beside a delivery, now and then.

Owns the words for a difference, whoever notices it, and the header of the message in Kafka that carries the digest. It
is no part of the delivery: nobody outside can send it, no replay reads it, and what a delivery says stays as it came.
"""

from collections.abc import Iterable
from string import hexdigits

from schemas.tracing import Headers

DEFINITIONS = "floorcast-definitions"
_LONGEST = 64


def words_of_difference(others: str, by: str, we: str, ours: str) -> str:
    """What is said where others go by other files than we: `others` is who and does what, `we` is api or worker."""
    return (
        f"{others} by definitions {by} and the files of this {we} say {ours}: give both the same floorcast.yaml "
        "and metrics.yaml"
    )


def definitions_headers(digest: str) -> Headers:
    """For the message of a delivery."""
    return ((DEFINITIONS, digest.encode()),)


def definitions_said(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """The digest that is said beside a delivery; None: none is, or what is there is no digest."""
    for name, value in headers:
        if name == DEFINITIONS:
            digest = value.decode("ascii", "replace")
            return digest if 0 < len(digest) <= _LONGEST and all(each in hexdigits for each in digest) else None
    return None
