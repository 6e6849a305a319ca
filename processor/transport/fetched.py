"""What the stages see of a Kafka record, so that they need not know the client library."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from schemas.topics import FENCE


class Stored(Protocol):
    """One record of a partition that is read back."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch, as the producer gave them."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


def headers_of(record: Stored) -> Iterable[tuple[str, bytes]]:
    """Those of a message as it was fetched; what a load reads back is read without."""
    found: Iterable[tuple[str, bytes]] = getattr(record, "headers", ())
    return found


class StoredRecords(Protocol):
    """Records of one partition that are read back, in the order of their offsets; at least one.

    They are unpacked when they are asked for: a table that wants the last value of each key gets it without an object
    for each.
    """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Stored]: ...

    def fold_into(self, values: dict[bytes, bytes], prefix: bytes = b"") -> None:
        """As the function of this name."""


def fold_into(values: dict[bytes, bytes], records: Iterable[Stored], prefix: bytes = b"") -> None:
    """Bring a table up to date: the last value of each key that begins with `prefix`, without the fences."""
    for record in records:
        key, value = record.key, record.value
        if key is None or key == FENCE or not key.startswith(prefix):
            continue
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value


class Fetched(Stored, Protocol):
    """One fetched record."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
