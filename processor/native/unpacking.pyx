# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Record batches as they were fetched, unpacked into no more Python objects than somebody keeps.

Format 2 without compression; the rest is left to whoever calls. What is read lies within its record, what is a record
within its batch, and a batch within the answer that brought it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Contains, PyDict_DelItem, PyDict_SetItem
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.buffer cimport PyBUF_READ
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcmp

from processor.native.checksum cimport can_sum, crc32c_of
from processor.native.layout cimport (
    AFTER_LENGTH, ATTRIBUTES_AT, CHECKSUM_AT, COUNT_AT, FIRST_TIMESTAMP_AT, HEADER, LAST_OFFSET_AT, LENGTH_AT, MAGIC_AT,
    MAX_TIMESTAMP_AT,
)
from processor.native.varints cimport read_big, read_varint

from aiokafka.errors import CorruptRecordException
from aiokafka.record.util import calc_crc32c

from schemas.topics import FENCE as _FENCE

cdef bytes FENCE = _FENCE
cdef bint CAN_SUM = can_sum()

cdef enum:
    SMALLEST = 49  # length of a batch
    SMALLEST_BEFORE = 14  # of a message of the formats before
    COMPRESSION = 0x07
    LOG_APPEND_TIME = 0x08
    CONTROL = 0x20

cdef int64_t OFFSETS = <int64_t>1 << 62

cdef enum Kind:
    CUT_OFF
    PLAIN
    FOREIGN

cdef struct Batch:
    int64_t first  # offset
    int64_t last
    int64_t first_timestamp
    int64_t max_timestamp
    int32_t count
    int16_t attributes
    const uint8_t *head
    const uint8_t *at  # its records
    const uint8_t *end

cdef struct Fields:
    int64_t offset  # from the batch's first
    int64_t timestamp
    const uint8_t *key  # NULL: None
    Py_ssize_t key_size
    const uint8_t *value
    Py_ssize_t value_size


cdef int _refuse(int64_t offset, str what) except -1:
    raise CorruptRecordException(f"the batch at offset {offset} {what}")


cdef Kind _read_head(const uint8_t *at, Py_ssize_t left, Batch *batch) except *:
    """The batch at `at`, of which `left` bytes follow; of a foreign one `head`, `end` and `last` only."""
    cdef int32_t length
    cdef int8_t magic
    if left <= MAGIC_AT:
        return CUT_OFF
    batch.head = at
    batch.first = <int64_t>read_big(at, 8)
    length = <int32_t>read_big(at + LENGTH_AT, 4)
    magic = <int8_t>at[MAGIC_AT]
    if not 0 <= magic <= 2:
        _refuse(batch.first, f"is of format {magic}")
    if length < (SMALLEST if magic == 2 else SMALLEST_BEFORE):
        _refuse(batch.first, f"has a length of {length}")
    if not 0 <= batch.first < OFFSETS:
        _refuse(batch.first, "has no offset")
    if length > left - AFTER_LENGTH:
        return CUT_OFF
    batch.end = at + AFTER_LENGTH + length
    if magic < 2:
        batch.last = batch.first
        return FOREIGN
    batch.attributes = <int16_t>read_big(at + ATTRIBUTES_AT, 2)
    batch.last = batch.first + <int32_t>read_big(at + LAST_OFFSET_AT, 4)
    batch.first_timestamp = <int64_t>read_big(at + FIRST_TIMESTAMP_AT, 8)
    batch.max_timestamp = <int64_t>read_big(at + MAX_TIMESTAMP_AT, 8)
    batch.count = <int32_t>read_big(at + COUNT_AT, 4)
    batch.at = at + HEADER
    if batch.last < batch.first or batch.count < 0:
        _refuse(batch.first, "has fewer records than none")
    return FOREIGN if batch.attributes & COMPRESSION else PLAIN


cdef inline int _check_sum(const Batch *batch) except -1:
    cdef const uint8_t *covered = batch.head + ATTRIBUTES_AT
    cdef uint32_t found
    if CAN_SUM:
        found = crc32c_of(covered, batch.end - covered)
    else:
        found = calc_crc32c(PyMemoryView_FromMemory(<char *>covered, batch.end - covered, PyBUF_READ))
    if found != <uint32_t>read_big(batch.head + CHECKSUM_AT, 4):
        _refuse(batch.first, "has a wrong checksum")
    return 0


cdef inline bint _read_bytes(const uint8_t **at, const uint8_t *end, const uint8_t **found, Py_ssize_t *size) noexcept:
    cdef int64_t length
    if not read_varint(at, end, &length) or length > end - at[0]:
        return False
    if length < 0:
        found[0] = NULL
        size[0] = 0
        return True
    found[0] = at[0]
    size[0] = <Py_ssize_t>length
    at[0] += length
    return True


cdef bint _read_record(const uint8_t **at, const uint8_t *end, Fields *fields) noexcept:
    """Moves `at` behind it; False where it is not whole, or longer or shorter than it says."""
    cdef int64_t length, headers
    cdef const uint8_t *ignored
    cdef Py_ssize_t size
    if not read_varint(at, end, &length) or not 0 < length <= end - at[0]:
        return False
    end = at[0] + length
    if at[0][0] & 0x80:  # attributes, of which there are none: of a byte that goes on aiokafka reads the next one too
        return False
    at[0] += 1
    if not (
        read_varint(at, end, &fields.timestamp)
        and read_varint(at, end, &fields.offset)
        and _read_bytes(at, end, &fields.key, &fields.key_size)
        and _read_bytes(at, end, &fields.value, &fields.value_size)
        and read_varint(at, end, &headers)
    ):
        return False
    if not 0 <= headers <= end - at[0]:
        return False
    for _ in range(headers):
        if not _read_bytes(at, end, &ignored, &size) or ignored == NULL:
            return False
        if not _read_bytes(at, end, &ignored, &size):
            return False
    return at[0] == end


cdef inline bytes _bytes(const uint8_t *at, Py_ssize_t size):
    return None if at == NULL else PyBytes_FromStringAndSize(<const char *>at, size)


@cython.final
@cython.freelist(1000)
cdef class StoredRecord:
    """One record of a partition."""

    cdef readonly int64_t offset
    cdef readonly int64_t timestamp
    cdef readonly bytes key
    cdef readonly bytes value


@cython.final
cdef class Records:
    """Those of some batches of an answer whose offsets lie in [start, end)."""

    cdef bytes _data
    cdef int64_t _start
    cdef int64_t _end
    cdef Py_ssize_t _count
    cdef Py_ssize_t *_places
    cdef Py_ssize_t _batches
    cdef Py_ssize_t _room

    def __dealloc__(self):
        PyMem_Free(self._places)

    def __len__(self):
        return self._count

    def __iter__(self):
        return iter(self._unpacked())

    def fold_into(self, dict values, bytes prefix=b""):
        cdef Batch batch
        cdef Fields fields
        cdef Py_ssize_t place, size = PyBytes_GET_SIZE(prefix), fence = PyBytes_GET_SIZE(FENCE)
        cdef const char *begins = PyBytes_AS_STRING(prefix)
        cdef int32_t number
        cdef bint is_inside
        cdef bytes key
        for place in range(self._batches):
            is_inside = self._open(place, &batch)
            for number in range(batch.count):
                self._read(&batch, &fields)
                if fields.key == NULL or not self._has(&batch, &fields, is_inside):
                    continue
                if fields.key_size < size or memcmp(fields.key, begins, size) != 0:
                    continue
                if fields.key_size == fence and memcmp(fields.key, PyBytes_AS_STRING(FENCE), fence) == 0:
                    continue
                key = _bytes(fields.key, fields.key_size)
                if fields.value != NULL:
                    PyDict_SetItem(values, key, _bytes(fields.value, fields.value_size))
                elif PyDict_Contains(values, key):
                    PyDict_DelItem(values, key)
            self._close(&batch)

    cdef list _unpacked(self):
        cdef Batch batch
        cdef Fields fields
        cdef Py_ssize_t place
        cdef int32_t number
        cdef bint is_inside
        cdef StoredRecord record
        cdef list found = []
        for place in range(self._batches):
            is_inside = self._open(place, &batch)
            for number in range(batch.count):
                self._read(&batch, &fields)
                if not self._has(&batch, &fields, is_inside):
                    continue
                record = StoredRecord.__new__(StoredRecord)
                record.offset = batch.first + fields.offset
                if batch.attributes & LOG_APPEND_TIME:
                    record.timestamp = batch.max_timestamp
                else:
                    record.timestamp = batch.first_timestamp + fields.timestamp
                record.key = _bytes(fields.key, fields.key_size)
                record.value = _bytes(fields.value, fields.value_size)
                found.append(record)
            self._close(&batch)
        return found

    cdef bint _open(self, Py_ssize_t place, Batch *batch) except -1:
        """Whether all its records are in [start, end)."""
        cdef Py_ssize_t at = self._places[place]
        cdef const uint8_t *data = <const uint8_t *>PyBytes_AS_STRING(self._data)
        _read_head(data + at, PyBytes_GET_SIZE(self._data) - at, batch)
        return self._start <= batch.first and batch.last < self._end

    cdef inline int _read(self, Batch *batch, Fields *fields) except -1:
        if not _read_record(&batch.at, batch.end, fields):
            return _refuse(batch.first, "has a record that is not whole")
        return 0

    cdef inline bint _has(self, const Batch *batch, const Fields *fields, bint is_inside) noexcept:
        """Whether it lies in its batch, and that or itself in [start, end)."""
        if not 0 <= fields.offset <= batch.last - batch.first:
            return False
        return is_inside or self._start <= batch.first + fields.offset < self._end

    cdef inline int _close(self, const Batch *batch) except -1:
        if batch.at != batch.end:
            return _refuse(batch.first, "goes on after its last record")
        return 0

    cdef int _take(self, Py_ssize_t place, Py_ssize_t count) except -1:
        if self._batches == self._room:
            places = <Py_ssize_t *>PyMem_Realloc(self._places, (2 * self._room + 8) * sizeof(Py_ssize_t))
            if places == NULL:
                raise MemoryError
            self._places = places
            self._room = 2 * self._room + 8
        self._places[self._batches] = place
        self._batches += 1
        self._count += count
        return 0

    cdef Py_ssize_t _count_of(self, Batch batch) except -1:
        """How many of a batch lie in [start, end): of one that is cut by an end each is read."""
        cdef Fields fields
        cdef Py_ssize_t found = 0
        cdef int32_t number
        if self._start <= batch.first and batch.last < self._end:
            return batch.count
        for number in range(batch.count):
            self._read(&batch, &fields)
            found += self._has(&batch, &fields, False)
        return found


def take(bytes data, Py_ssize_t at, *, int64_t start, int64_t end, Py_ssize_t most, wanted=None):
    cdef const uint8_t *bytes_ = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), place, count
    cdef Records records
    cdef Batch batch
    cdef Batch first
    cdef Fields fields
    if not 0 <= at <= size:
        raise IndexError(f"there is no byte {at} in {size}")
    records = Records.__new__(Records)
    records._data = data
    records._start = start
    records._end = end
    while records._count < most:
        if _read_head(bytes_ + at, size - at, &batch) != PLAIN:
            break
        _check_sum(&batch)
        place = at
        at = batch.end - bytes_
        if batch.attributes & CONTROL or batch.last < start or batch.first >= end or batch.count == 0:
            continue
        if wanted is not None:
            first = batch
            records._read(&first, &fields)
            if fields.key != NULL and not wanted(_bytes(fields.key, fields.key_size)):
                continue
        count = records._count_of(batch)
        if count:
            records._take(place, count)
    return records if records._count else None, at


def offset_after(bytes data):
    cdef const uint8_t *bytes_ = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), at = 0
    cdef int64_t found = -1
    cdef Batch batch
    while _read_head(bytes_ + at, size - at, &batch) != CUT_OFF:
        found = batch.last + 1
        at = batch.end - bytes_
    return found
