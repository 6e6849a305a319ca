# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Messages packed into one record batch, in two passes: what fits and how long it is, then the bytes, in their place.

The format is version 2 (KIP-98): a header of 61 bytes, then records without headers, all of one instant.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.sequence cimport PySequence_Fast, PySequence_Fast_GET_ITEM, PySequence_Fast_GET_SIZE
from cpython.tuple cimport PyTuple_Check, PyTuple_GET_SIZE
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from processor.native.checksum cimport can_sum, crc32c_of
from processor.native.layout cimport (
    ATTRIBUTES_AT, BASE_SEQUENCE_AT, CHECKSUM_AT, COUNT_AT, FIRST_TIMESTAMP_AT, HEADER, LAST_OFFSET_AT, LEADER_EPOCH_AT,
    LENGTH_AT, MAGIC_AT, MAX_TIMESTAMP_AT, PRODUCER_EPOCH_AT, PRODUCER_ID_AT,
)
from processor.native.varints cimport length_size, put_big, put_length

from aiokafka.record.util import calc_crc32c

cdef extern from "Python.h":
    PyObject *PyTuple_GET_ITEM(object values, Py_ssize_t place)

cdef bint CAN_SUM = can_sum()

cdef enum:
    OVERHEAD = 3  # attributes, the difference of the instant, the number of headers: a byte each, and all are 0
    LARGEST = 0x7FFFFFFF


cdef class Packed:
    """A batch that lacks its producer and its checksum."""

    cdef readonly Py_ssize_t count
    cdef readonly Py_ssize_t size
    cdef bytes _batch
    cdef bint _is_given

    def stamped(self, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence):
        # The first stamp is put where the batch lies, which is nobody else's yet; later ones on copies.
        cdef bytes batch = self._batch
        cdef uint8_t *at
        cdef uint32_t sum
        if self._is_given:
            batch = PyBytes_FromStringAndSize(PyBytes_AS_STRING(batch), self.size)
        at = <uint8_t *>PyBytes_AS_STRING(batch)
        put_big(at + PRODUCER_ID_AT, <uint64_t>producer_id, 8)
        put_big(at + PRODUCER_EPOCH_AT, <uint64_t>producer_epoch, 2)
        put_big(at + BASE_SEQUENCE_AT, <uint64_t>base_sequence, 4)
        if CAN_SUM:
            sum = crc32c_of(at + ATTRIBUTES_AT, self.size - ATTRIBUTES_AT)
        else:
            sum = calc_crc32c(memoryview(batch)[ATTRIBUTES_AT:])
        put_big(at + CHECKSUM_AT, sum, 4)
        self._is_given = True
        return batch


cdef inline Py_ssize_t _field(PyObject *field) except -1:
    """Its size in a record, with the length before it; that of None is -1 and takes a byte."""
    cdef Py_ssize_t size
    if field == <PyObject *>None:
        return 1
    if not PyBytes_Check(<object>field):
        raise TypeError(f"key and value of a message are bytes or None, not {type(<object>field).__name__}")
    size = PyBytes_GET_SIZE(<object>field)
    return length_size(<uint64_t>size) + size


cdef inline uint8_t *_put_field(uint8_t *to, PyObject *field) noexcept:
    cdef Py_ssize_t size
    if field == <PyObject *>None:
        to[0] = 1
        return to + 1
    size = PyBytes_GET_SIZE(<object>field)
    to = put_length(to, <uint64_t>size)
    memcpy(to, PyBytes_AS_STRING(<object>field), size)
    return to + size


cdef inline Py_ssize_t _body(PyObject *message, Py_ssize_t place) except -1:
    """The size of a record after its length."""
    if not PyTuple_Check(<object>message) or PyTuple_GET_SIZE(<object>message) != 2:
        raise TypeError("a message is a tuple of key and value")
    return (
        OVERHEAD
        + length_size(<uint64_t>place)
        + _field(PyTuple_GET_ITEM(<object>message, 0))
        + _field(PyTuple_GET_ITEM(<object>message, 1))
    )


def pack(messages, Py_ssize_t first, *, int64_t timestamp_ms, Py_ssize_t limit):
    cdef object rows = PySequence_Fast(messages, "messages are a sequence")
    cdef Py_ssize_t total = PySequence_Fast_GET_SIZE(rows)
    cdef Py_ssize_t count = 0, size = HEADER, body, record
    cdef PyObject *message
    cdef Packed packed
    cdef uint8_t *at
    cdef uint8_t *to
    if not 0 <= first < total:
        raise IndexError(f"there is no message {first} in {total}")
    limit = min(limit, <Py_ssize_t>LARGEST)
    while first + count < total:
        body = _body(PySequence_Fast_GET_ITEM(rows, first + count), count)
        record = length_size(<uint64_t>body) + body
        if size + record > limit and count:
            break
        if size + record > LARGEST:
            raise OverflowError(f"a message of {body} bytes is more than a batch can hold")
        size += record
        count += 1
    packed = Packed.__new__(Packed)
    packed.count = count
    packed.size = size
    packed._batch = PyBytes_FromStringAndSize(NULL, size)
    at = <uint8_t *>PyBytes_AS_STRING(packed._batch)
    memset(at, 0, HEADER)  # the broker counts the offset; a checksum comes with the stamp
    put_big(at + LENGTH_AT, <uint64_t>(size - LEADER_EPOCH_AT), 4)
    put_big(at + LEADER_EPOCH_AT, <uint64_t>-1, 4)
    at[MAGIC_AT] = 2
    put_big(at + LAST_OFFSET_AT, <uint64_t>(count - 1), 4)
    put_big(at + FIRST_TIMESTAMP_AT, <uint64_t>timestamp_ms, 8)
    put_big(at + MAX_TIMESTAMP_AT, <uint64_t>timestamp_ms, 8)
    put_big(at + COUNT_AT, <uint64_t>count, 4)
    to = at + HEADER
    for place in range(count):
        message = PySequence_Fast_GET_ITEM(rows, first + place)
        to = put_length(to, <uint64_t>_body(message, place))
        to[0] = 0
        to[1] = 0
        to = put_length(to + 2, <uint64_t>place)
        to = _put_field(to, PyTuple_GET_ITEM(<object>message, 0))
        to = _put_field(to, PyTuple_GET_ITEM(<object>message, 1))
        to[0] = 0
        to += 1
    return packed, first + count
