"""What a fetch brought of a partition: record batches as they lie in it, unpacked some at a time.

Owns which batches are read and that none is read beyond its end. Does not know how they were fetched. In C where that
was compiled (`processor.native`), by aiokafka otherwise, and where a batch is compressed or of a format
before version 2.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords

from processor.native import COMPILED
from processor.transport.fetched import Stored, StoredRecords, fold_into

WantedKey = Callable[[bytes], bool]
"""Called with the first key of a batch: whether anything in that batch is wanted."""

_HEAD = struct.Struct(">qiib")
"""Offset, length of what follows it, epoch of the leader (in the formats before: a checksum), format."""
_AFTER_LENGTH = 12
_SMALLEST = {0: 14, 1: 14, 2: 49}
"""Length of a batch by its format."""
_HAS_FIRST = 2
"""The first format that says of a batch where it begins."""
_LAST_OFFSET = struct.Struct(">i")
_LAST_OFFSET_AT = 23


class Unpack(Protocol):
    """How `unpack` is called."""

    def __call__(
        self, data: bytes, at: int, *, start: int, end: int, most: int, wanted: WantedKey | None = None
    ) -> tuple[StoredRecords | None, int]: ...


class _Parsed:
    """Records that aiokafka has parsed."""

    def __init__(self, records: Sequence[Stored]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Stored]:
        return iter(self._records)

    def fold_into(self, values: dict[bytes, bytes], prefix: bytes = b"") -> None:
        fold_into(values, self._records, prefix)


def _size(data: bytes, at: int) -> int:
    """Of the batch at `at`; 0 where it is cut off."""
    if len(data) - at < _HEAD.size:
        return 0
    offset, length, _, magic = _HEAD.unpack_from(data, at)
    if magic not in _SMALLEST or length < _SMALLEST[magic] or not 0 <= offset < 2**62:
        msg = f"the batch at offset {offset} has a length of {length} and format {magic}"
        raise CorruptRecordException(msg)
    size = _AFTER_LENGTH + int(length)
    return size if size <= len(data) - at else 0


def _first(data: bytes, at: int) -> int:
    """No record of the batch at `at` has a smaller offset."""
    offset, _, _, magic = _HEAD.unpack_from(data, at)
    return int(offset) if magic >= _HAS_FIRST else 0


def _last(data: bytes, at: int) -> int:
    """Last offset of the batch at `at`."""
    offset, _, _, magic = _HEAD.unpack_from(data, at)
    delta = _LAST_OFFSET.unpack_from(data, at + _LAST_OFFSET_AT)[0] if magic >= 2 else 0
    if delta < 0:
        msg = f"the batch at offset {offset} ends before it begins"
        raise CorruptRecordException(msg)
    return int(offset + delta)


def parse(
    data: bytes, at: int, *, start: int, end: int, most: int, wanted: WantedKey | None = None
) -> tuple[StoredRecords | None, int]:
    """As `unpack`, by aiokafka."""
    found: list[Stored] = []
    while len(found) < most and (size := _size(data, at)):
        first_at, last = _first(data, at), _last(data, at)
        try:
            records = _parsed(data[at : at + size], wanted, is_passed=last < start)
            # No record lies outside its batch, whatever it says: another would be taken for one that is done.
            found.extend(record for record in records if max(start, first_at) <= record.offset < min(end, last + 1))
        except CorruptRecordException:
            raise
        except Exception as error:
            # aiokafka ends by whatever it comes to: a text that is none, a negative length, gzip's own errors.
            msg = f"the batch before offset {last + 1} cannot be parsed: {type(error).__name__}"
            raise CorruptRecordException(msg) from error
        at += size
    return (_Parsed(found) if found else None), at


def _parsed(data: bytes, wanted: WantedKey | None, *, is_passed: bool) -> Iterable[Stored]:
    """The records of one batch. Of one that is not wanted only the first is parsed; compaction leaves some without."""
    batch = MemoryRecords(data).next_batch()
    if not batch.validate_crc():
        msg = f"the batch at offset {batch.base_offset} has a wrong checksum"
        raise CorruptRecordException(msg)
    if is_passed or batch.is_control_batch:
        return ()
    records = iter(batch)
    first = next(records, None)
    if first is None or not (wanted is None or first.key is None or wanted(first.key)):
        return ()
    return (first, *iter(records.__next__, None))  # aiokafka's own cannot be iterated twice


def offset_after_parsed(data: bytes) -> int:
    """As `offset_after`."""
    at, found = 0, -1
    while size := _size(data, at):
        found = _last(data, at) + 1
        at += size
    return found


def _choose() -> tuple[Unpack, Callable[[bytes], int]]:
    if not COMPILED:
        return parse, offset_after_parsed
    from processor.native import unpacking  # noqa: PLC0415 - it may not be there

    def take(
        data: bytes, at: int, *, start: int, end: int, most: int, wanted: WantedKey | None = None
    ) -> tuple[StoredRecords | None, int]:
        records, after = unpacking.take(data, at, start=start, end=end, most=most, wanted=wanted)
        if after == at:  # the end, or a batch that is left to aiokafka
            return parse(data, at, start=start, end=end, most=1, wanted=wanted)
        return records, after

    return take, unpacking.offset_after


_unpack, _offset_after = _choose()
unpack: Final = _unpack
"""Unpack batches of `data` from byte `at` on, until `most` records are there or nothing whole is left.

Gives the records with offsets in [start, end), None where there are none, and the byte after them: `at` itself at the
end of what is whole. Control batches are passed over. CorruptRecordException where a batch is not what it says."""
offset_after: Final = _offset_after
"""The offset after the last whole batch of `data`; -1 if there is none. Their content is not looked at."""
