"""What is unpacked of an answer is what aiokafka's parser reads from it; damaged bytes are refused and nothing else."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from processor import native
from processor.native import unpacking as compiled_unpacking
from processor.transport.fetched import Stored, StoredRecords
from processor.transport.unpacking import Unpack, offset_after, offset_after_parsed, parse, unpack
from schemas.topics import FENCE

NOW = 1_764_144_000_000
EVERYTHING = 2**62
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

GZIP = 1  # the others need a library that floorcast does not bring
LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20

Row = tuple[int, int, bytes | None, bytes | None]

both = pytest.mark.parametrize(
    ("unpacks", "offsets"), [(unpack, offset_after), (parse, offset_after_parsed)], ids=["compiled", "aiokafka"]
)


@dataclass(frozen=True)
class Written:
    """One batch as it lies in a log, after compaction."""

    records: Sequence[tuple[bytes | None, bytes | None, int, list[tuple[str, bytes | None]]]]
    kept: Sequence[bool]
    """Of each record, whether compaction has left it."""
    gap: int = 0
    """Offsets before it of which nothing is left."""
    codec: int = 0
    attributes: int = 0


def sealed(batch: bytearray) -> bytes:
    """With the checksum of what is in it."""
    struct.pack_into(">I", batch, 17, calc_crc32c(bytes(batch[21:])))
    return bytes(batch)


def batch_of(written: Written, base: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=written.codec, is_transactional=0, producer_id=7, producer_epoch=1, base_sequence=0,
        batch_size=2**30,
    )  # fmt: skip
    for delta, ((key, value, timestamp, headers), kept) in enumerate(zip(written.records, written.kept, strict=False)):
        if kept:
            builder.append(delta, timestamp, key, value, headers)
    batch = builder.build()
    struct.pack_into(">q", batch, 0, base)
    struct.pack_into(">i", batch, 23, len(written.records) - 1)  # compaction leaves the range of offsets as it was
    batch[22] |= written.attributes
    return sealed(batch)


def log_of(batches: Sequence[Written], first: int = 0) -> bytes:
    data, base = b"", first
    for written in batches:
        base += written.gap
        data += batch_of(written, base)
        base += len(written.records)
    return data


def naive(data: bytes, start: int, end: int, wanted: Callable[[bytes], bool] | None) -> list[Row]:
    """All at once, by aiokafka."""
    found: list[Row] = []
    batches = MemoryRecords(data)
    while batches.has_next():
        batch = batches.next_batch()
        assert batch is not None
        rows = [(record.offset, record.timestamp, record.key, record.value) for record in batch]
        if batch.is_control_batch or not rows:
            continue
        key = rows[0][2]
        if wanted is None or key is None or wanted(key):
            found += [row for row in rows if start <= row[0] < end]
    return found


def unpack_all(
    unpacks: Unpack, data: bytes, start: int, end: int, most: int, wanted: Callable[[bytes], bool] | None = None
) -> list[StoredRecords]:
    found, at = [], 0
    while True:
        records, after = unpacks(data, at, start=start, end=end, most=most, wanted=wanted)
        if records is not None:
            found.append(records)
        if after == at:
            return found
        at = after


def rows_of(pieces: Sequence[StoredRecords]) -> list[Row]:
    found: list[Row] = []
    for records in pieces:
        rows: list[Stored] = list(records)
        assert len(rows) == len(records) > 0
        found += [(row.offset, row.timestamp, row.key, row.value) for row in rows]
    return found


KEYS = st.one_of(st.none(), st.sampled_from([FENCE, b"", b"a", b"ab", b"abc", b"b"]), st.binary(max_size=200))
VALUES = st.one_of(st.none(), st.binary(max_size=30), st.integers(0, 20_000).map(bytes))
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.one_of(st.none(), st.binary(max_size=5))), max_size=2)
RECORDS = st.tuples(KEYS, VALUES, st.integers(NOW - 10**10, NOW + 10**10), HEADERS)
BATCHES = st.builds(
    Written,
    records=st.lists(RECORDS, min_size=1, max_size=8),
    kept=st.one_of(st.just([True] * 8), st.lists(st.booleans(), min_size=8, max_size=8), st.just([False] * 8)),
    gap=st.one_of(st.just(0), st.integers(0, 5)),
    codec=st.sampled_from([0, 0, 0, GZIP]),
    attributes=st.sampled_from([0, 0, 0, TRANSACTIONAL, LOG_APPEND_TIME, CONTROL | TRANSACTIONAL]),
)
LOGS = st.lists(BATCHES, max_size=8)
OFFSETS = st.integers(0, 60)


def test_what_is_tested_is_what_is_used() -> None:
    assert native.STATE == "compiled"
    records, _ = unpack(log_of([Written([(b"k", b"v", NOW, [])], [True])]), 0, start=0, end=1, most=1)
    assert isinstance(records, compiled_unpacking.Records)
    assert offset_after is compiled_unpacking.offset_after


@CALM
@given(LOGS, OFFSETS, OFFSETS, st.integers(1, 20), st.sampled_from([None, b"a", b"b"]))
@example([Written([(b"a", b"1", NOW, [])] * 8, [True] * 8)] * 3, 3, 20, 1, None)
def test_any_range_of_any_log_is_read_as_aiokafka_reads_it(
    log: list[Written], start: int, end: int, most: int, begins: bytes | None
) -> None:
    data = log_of(log)
    wanted = None if begins is None else lambda key: key.startswith(begins)
    expected = naive(data, start, end, wanted)
    for unpacks in (unpack, parse):
        assert rows_of(unpack_all(unpacks, data, start, end, most, wanted)) == expected


@CALM
@given(LOGS, OFFSETS, OFFSETS, st.integers(1, 20), st.sampled_from([b"", b"a", b"ab"]))
def test_a_table_holds_the_last_value_of_each_key(
    log: list[Written], start: int, end: int, most: int, prefix: bytes
) -> None:
    data = log_of(log)
    before = {b"a": b"before", b"abc": b"before", b"zz": b"before"}
    expected = dict(before)
    for _, _, key, value in naive(data, start, end, None):
        if key is not None and key != FENCE and key.startswith(prefix):
            if value is None:
                expected.pop(key, None)
            else:
                expected[key] = value
    for unpacks in (unpack, parse):
        table = dict(before)
        for records in unpack_all(unpacks, data, start, end, most):
            records.fold_into(table, prefix)
        assert table == expected
        assert list(table) == list(expected)


@CALM
@given(LOGS, st.integers(0, 2_000))
def test_what_is_cut_off_is_left_for_the_next_fetch(log: list[Written], missing: int) -> None:
    whole = log_of(log)
    data = whole[: max(0, len(whole) - missing)]
    expected = naive(data, 0, EVERYTHING, None)
    batches = []
    at = 0
    while at + 12 <= len(data) and (after := at + 12 + struct.unpack_from(">i", data, at + 8)[0]) <= len(data):
        batches.append(struct.unpack_from(">q", data, at)[0] + struct.unpack_from(">i", data, at + 23)[0] + 1)
        at = after
    for unpacks, offsets in ((unpack, offset_after), (parse, offset_after_parsed)):
        assert rows_of(unpack_all(unpacks, data, 0, EVERYTHING, 5)) == expected
        assert offsets(data) == (batches[-1] if batches else -1)


@both
@pytest.mark.parametrize("magic", [0, 1])
def test_what_was_written_in_a_format_before_is_read(
    unpacks: Unpack, offsets: Callable[[bytes], int], magic: int
) -> None:
    builder = LegacyRecordBatchBuilder(magic, 0, 2**20)
    for offset in range(3):
        builder.append(offset, timestamp=NOW, key=b"k%d" % offset, value=b"old")
    data = bytes(builder.build()) + batch_of(Written([(b"k3", b"new", NOW, [])], [True]), 3)
    found = rows_of(unpack_all(unpacks, data, 1, EVERYTHING, 10))
    assert [(offset, key, value) for offset, _, key, value in found] == [
        (1, b"k1", b"old"), (2, b"k2", b"old"), (3, b"k3", b"new"),
    ]  # fmt: skip
    assert offsets(data) == 4


@both
def test_a_wrong_checksum_is_an_error_that_says_where(unpacks: Unpack, offsets: Callable[[bytes], int]) -> None:
    good = batch_of(Written([(b"k", b"value", NOW, [])], [True]), 41)
    bad = bytearray(batch_of(Written([(b"k", b"value", NOW, [])], [True]), 42))
    bad[-3] ^= 1
    with pytest.raises(CorruptRecordException, match="42 has a wrong checksum"):
        unpack_all(unpacks, good + bytes(bad), 0, EVERYTHING, 10)
    assert offsets(good + bytes(bad)) == 43


@both
@pytest.mark.parametrize(
    ("at", "form", "value"),
    [(8, ">i", -1), (8, ">i", 0), (8, ">i", 48), (8, ">i", -(2**31)), (0, ">q", -1), (0, ">q", 2**63 - 1),
     (16, ">b", 3), (16, ">b", -1), (23, ">i", -5)],
)  # fmt: skip
def test_a_head_that_cannot_be_is_refused(
    unpacks: Unpack, offsets: Callable[[bytes], int], at: int, form: str, value: int
) -> None:
    batch = bytearray(batch_of(Written([(b"k", b"value", NOW, [])], [True]), 7))
    struct.pack_into(form, batch, at, value)
    data = sealed(batch)
    with pytest.raises(CorruptRecordException):
        unpack_all(unpacks, data, 0, EVERYTHING, 10)
    with pytest.raises(CorruptRecordException):
        offsets(data)


def hurt(batch: bytes, wounds: Sequence[tuple[int, int]], cut: int, count: int | None) -> bytes:
    """Records that are damaged under a checksum and a length that are right."""
    body = bytearray(batch[: len(batch) - cut] if cut < len(batch) - 61 else batch)
    for place, byte in wounds:
        body[61 + place % max(1, len(body) - 61) if len(body) > 61 else 60] = byte
    struct.pack_into(">i", body, 8, len(body) - 12)
    if count is not None:
        struct.pack_into(">i", body, 57, count)
    return sealed(body)


@settings(CALM, max_examples=400)
@given(
    st.lists(RECORDS, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=4),
    st.integers(0, 50),
    st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1), st.integers(0, 6)),
    st.integers(0, 5),
)
def test_damaged_records_are_refused_or_read_and_nothing_else(
    records: list[tuple[bytes | None, bytes | None, int, list[tuple[str, bytes | None]]]],
    wounds: list[tuple[int, int]],
    cut: int,
    count: int | None,
    start: int,
) -> None:
    data = hurt(batch_of(Written(records, [True] * 4), 0), wounds, cut, count)
    for begins in (None, b"a"):
        wanted = None if begins is None else lambda key: key.startswith(b"a")
        try:
            found, _ = compiled_unpacking.take(data, 0, start=start, end=EVERYTHING, most=10, wanted=wanted)
            rows = list(found or ())
            table: dict[bytes, bytes] = {}
            if found is not None:
                found.fold_into(table)
        except CorruptRecordException as error:
            assert "batch at offset 0" in str(error)  # noqa: PT017 - it may also be read
        else:
            assert sum(len(row.value or b"") + len(row.key or b"") for row in rows) <= len(data)


@pytest.mark.parametrize(
    "record",
    [
        b"",  # nothing
        b"\x80",  # a length that does not end
        b"\x0e" + bytes(3),  # shorter than it says
        b"\x01" + bytes(7),  # a length below nothing
        b"\xff" * 10 + b"\x01",  # one of more than 64 bits
        b"\x10\x00\x00\x00\x7e\x61\x01\x00\x00",  # a key that is longer than the record
        b"\x10\x00\x00\x00\x02\x61\x7e\x00\x00",  # a value that is
        b"\x0e\x00\x00\x00\x01\x01\x7e\x00",  # more headers than bytes
        b"\x0e\x00\x00\x00\x01\x01\x01\x00",  # fewer than none
        b"\x12\x00\x00\x00\x01\x01\x02\x01\x01\x00",  # a header without a name
        b"\x0e\x00\x00\x00\x01\x01\x00\x00",  # longer than what is in it
        b"\x0c\x00\x00\x00\x01\x01\x00\x00",  # something after the last record
        b"\x0c\x81\x00\x00\x01\x01\x00",  # attributes of more than a byte
        b"\xfe\xff\xff\xff\x0f" + bytes(10),  # 2 GiB
        b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" + bytes(10),  # all there is
    ],
)
def test_a_record_that_is_not_whole_is_refused(record: bytes) -> None:
    batch = bytearray(batch_of(Written([(None, None, NOW, [])], [True]), 5)[:61] + record)
    struct.pack_into(">i", batch, 8, len(batch) - 12)
    records, _ = unpack(sealed(batch), 0, start=0, end=EVERYTHING, most=1)
    assert records is not None
    for use in (list, lambda found: found.fold_into({})):
        with pytest.raises(CorruptRecordException, match="batch at offset 5"):
            use(records)


@pytest.mark.parametrize("at", [-1, 1000])
def test_nothing_is_read_outside_of_what_was_fetched(at: int) -> None:
    with pytest.raises(IndexError):
        compiled_unpacking.take(bytes(100), at, start=0, end=1, most=1)
