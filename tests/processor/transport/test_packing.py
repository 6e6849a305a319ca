"""Our record batches are aiokafka's byte for byte, and its parser reads from them what was packed."""

import struct
from collections.abc import Sequence
from itertools import pairwise

import pytest
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from processor import native
from processor.native import packing as compiled_packing
from processor.transport.packing import KeyAndValue, Pack, pack, pack_with_headers

NOW = 1_764_144_000_000
HEADER = 61
BATCH_BYTES = 900_000
MESSAGE_LIMIT = 2 * 1024 * 1024
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# Lengths around those where a varint gets longer, without Hypothesis drawing every byte.
LENGTHS = st.one_of(st.integers(0, 200), st.sampled_from([8_180, 8_191, 8_192, 20_000, 1_048_575, 1_048_576]))
FIELDS = st.one_of(st.none(), st.binary(max_size=20), LENGTHS.map(lambda size: bytes([size % 251]) * size))
MESSAGES = st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=40)
LIMITS = st.one_of(st.integers(0, 2_000), st.sampled_from([16_384, BATCH_BYTES, 2**31]))
STAMPS = st.tuples(
    st.integers(-1, 2**63 - 1),
    st.integers(-1, 2**15 - 1),
    st.integers(-1, 2**31 - 1),
)

both = pytest.mark.parametrize("packs", [compiled_packing.pack, pack_with_headers], ids=["compiled", "aiokafka"])


def pack_all(packs: Pack, messages: Sequence[KeyAndValue], limit: int) -> list[bytes]:
    """All batches, each sent by the same producer after the one before."""
    batches, place = [], 0
    while place < len(messages):
        packed, after = packs(messages, place, timestamp_ms=NOW, limit=limit)
        batch = packed.stamped(4711, 3, place)
        assert packed.count == after - place
        assert packed.size == len(batch)
        batches.append(batch)
        place = after
    return batches


def read(batch: bytes) -> list[KeyAndValue]:
    records = MemoryRecords(batch)
    parsed = records.next_batch()
    assert parsed is not None
    assert not records.has_next()
    assert parsed.validate_crc()
    found = list(parsed)
    assert [record.offset for record in found] == list(range(len(found)))
    assert all(record.headers == [] and record.timestamp == NOW and record.timestamp_type == 0 for record in found)
    assert parsed.next_offset == len(found)
    return [(record.key, record.value) for record in found]


def test_what_is_tested_is_what_is_used() -> None:
    assert native.STATE == "compiled"
    assert pack is compiled_packing.pack


@CALM
@given(MESSAGES, LIMITS)
@example([(b"", b""), (None, None), (b"deleted", None), (None, b"nobody's")], BATCH_BYTES)
@example([(b"key", b"%d" % place) for place in range(9000)], 16_384)  # offsets of one, two and three bytes
def test_what_was_packed_is_read(messages: list[KeyAndValue], limit: int) -> None:
    batches = pack_all(compiled_packing.pack, messages, limit)
    assert [message for batch in batches for message in read(batch)] == messages
    assert batches == pack_all(pack_with_headers, messages, limit)
    for batch in batches:
        assert len(batch) <= limit or len(read(batch)) == 1
    # As many as fit: what begins the next batch had no room in this one.
    for batch, following in pairwise(batches):
        with_one_more = [*read(batch), read(following)[0]]
        assert len(pack_all(pack_with_headers, with_one_more, 2**31)[0]) > limit


@CALM
@given(MESSAGES, STAMPS, STAMPS)
def test_a_stamp_leaves_what_was_given_before(
    messages: list[KeyAndValue], one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    ours, _ = compiled_packing.pack(messages, 0, timestamp_ms=NOW, limit=BATCH_BYTES)
    theirs, _ = pack_with_headers(messages, 0, timestamp_ms=NOW, limit=BATCH_BYTES)
    given = [(ours.stamped(*stamp), theirs.stamped(*stamp)) for stamp in (one, other, one)]
    assert all(mine == its for mine, its in given)
    assert given[0] == given[2]
    for batch, stamp in zip((mine for mine, _ in given), (one, other, one), strict=True):
        assert struct.unpack_from(">qhi", batch, 43) == stamp
        read(batch)


@both
def test_a_message_of_the_largest_size_goes_alone(packs: Pack) -> None:
    large = (b"k" * 100, bytes(MESSAGE_LIMIT - 100))
    messages = [(b"one", b"1"), large, (b"two", b"2")]
    batches = pack_all(packs, messages, BATCH_BYTES)
    assert [read(batch) for batch in batches] == [[message] for message in messages]


@both
def test_a_batch_may_be_filled_to_the_last_byte(packs: Pack) -> None:
    messages = [(b"k%03d" % place, bytes(50)) for place in range(10)]
    record = (len(pack_all(packs, messages, 2**20)[0]) - HEADER) // 10
    assert [len(read(batch)) for batch in pack_all(packs, messages, HEADER + 5 * record)] == [5, 5]
    assert [len(read(batch)) for batch in pack_all(packs, messages, HEADER + 5 * record - 1)] == [4, 4, 2]


@both
def test_a_batch_begins_where_it_is_told(packs: Pack) -> None:
    messages = ((b"one", b"1"), (b"two", None), (b"three", b"3"))  # any sequence
    packed, after = packs(messages, 1, timestamp_ms=NOW, limit=BATCH_BYTES)
    assert (packed.count, after) == (2, 3)
    assert read(packed.stamped(1, 0, 0)) == list(messages[1:])


@both
@pytest.mark.parametrize("first", [-1, 2, 3])
def test_there_is_no_batch_of_nothing(packs: Pack, first: int) -> None:
    with pytest.raises(IndexError, match=rf"no message {first} in 2"):
        packs([(b"one", b"1"), (b"two", b"2")], first, timestamp_ms=NOW, limit=BATCH_BYTES)


@both
@pytest.mark.parametrize("message", [("text", b""), (b"", 7), (b"", "text")])
def test_anything_but_bytes_is_refused(packs: Pack, message: tuple[object, object]) -> None:
    with pytest.raises(TypeError):
        packs([(b"", b""), message], 0, timestamp_ms=NOW, limit=BATCH_BYTES)  # type: ignore[list-item]


@pytest.mark.parametrize("message", [[b"", b""], (b"",), (b"", b"", b""), None])
def test_what_is_no_pair_is_refused(message: object) -> None:
    with pytest.raises(TypeError, match="tuple of key and value"):
        compiled_packing.pack([message], 0, timestamp_ms=NOW, limit=BATCH_BYTES)  # type: ignore[list-item]


def test_headers_go_with_every_message_that_is_built() -> None:
    headers = (("traceparent", b"00-1-2-01"), ("floorcast-requests", b"{}"))

    packed, after = pack_with_headers(
        [(None, b"a"), (b"k", None)], 0, timestamp_ms=NOW, limit=BATCH_BYTES, headers=headers
    )
    parsed = MemoryRecords(packed.stamped(4711, 3, 0)).next_batch()

    assert after == 2
    assert parsed is not None
    assert [(record.key, record.value, tuple(record.headers)) for record in parsed] == [
        (None, b"a", headers), (b"k", None, headers),
    ]  # fmt: skip
