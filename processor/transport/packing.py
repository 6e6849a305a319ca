"""Messages packed into record batches, as they travel to a partition and lie in it.

Owns how many go into one batch. Does not know who sends it where, nor what the messages mean. In C where that was
compiled (`processor.native`), by aiokafka otherwise: the same bytes.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from processor.native import COMPILED
from schemas.tracing import Headers

KeyAndValue = tuple[bytes | None, bytes | None]
"""Key and value; a value of None deletes the key in a compacted topic."""

NO_LIMIT = 2**31 - 1
"""For aiokafka's own limit: compiled it stops at a batch of that size, in Python above it."""


class Packed(Protocol):
    """A batch that lacks its producer and its checksum."""

    @property
    def count(self) -> int:
        """Messages in it, which is also how many numbers of its producer's sequence it takes."""

    @property
    def size(self) -> int:
        """Bytes, with the header."""

    def stamped(self, producer_id: int, producer_epoch: int, base_sequence: int) -> bytes:
        """Give the whole batch as sent by this producer. What was given before stays as it is."""


class Pack(Protocol):
    """How `pack` is called."""

    def __call__(
        self, messages: Sequence[KeyAndValue], first: int, *, timestamp_ms: int, limit: int
    ) -> tuple[Packed, int]: ...


class _Built:
    def __init__(self, builder: DefaultRecordBatchBuilder, count: int) -> None:
        self.count = count
        self.size: int = builder.size()
        self._builder = builder

    def stamped(self, producer_id: int, producer_epoch: int, base_sequence: int) -> bytes:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)
        return bytes(self._builder.build())


def pack_with_headers(
    messages: Sequence[KeyAndValue], first: int, *, timestamp_ms: int, limit: int, headers: Headers = ()
) -> tuple[Packed, int]:
    """As `pack`, by aiokafka; each message with these headers, which `pack` does not write."""
    if not 0 <= first < len(messages):
        msg = f"there is no message {first} in {len(messages)}"
        raise IndexError(msg)
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=NO_LIMIT,
    )
    place, carried = first, [*headers]
    while place < len(messages):
        key, value = messages[place]
        size = builder.size_in_bytes(place - first, timestamp_ms, key, value, carried)
        if place > first and builder.size() + size > limit:
            break
        builder.append(place - first, timestamp_ms, key, value, carried)
        place += 1
    return _Built(builder, place - first), place


def _choose() -> Pack:
    if COMPILED:
        from processor.native import packing  # noqa: PLC0415 - it may not be there

        return packing.pack
    return pack_with_headers


pack: Final = _choose()
"""Pack `messages[first:]` into one batch of up to `limit` bytes, as of `timestamp_ms`; the first always goes in.

Gives the batch and the index of the first message that did not go in. IndexError if there is no message `first`."""
