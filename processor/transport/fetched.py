"""What the stages see of a Kafka record, so that they need not know the client library."""

from typing import Protocol


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


class Fetched(Stored, Protocol):
    """One fetched record."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
