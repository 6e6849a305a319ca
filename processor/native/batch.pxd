from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from processor.native.rows cimport Kind

cdef struct Item:
    # A change. What is plain points into its frame; of anything else there is the object alone.
    PyObject *change
    const uint8_t *begin
    Py_ssize_t size
    Kind kind
    const uint8_t *id
    uint32_t id_size
    int64_t changed_at
    uint64_t digest
    int64_t received_at
    const uint8_t *fields
    uint32_t entries
    Py_ssize_t codes

cdef class ChangeBatch:
    cdef Item *items
    cdef Py_ssize_t count
    cdef Py_ssize_t _room
    # Of all fields of all plain changes, one after the other.
    cdef uint8_t *codes
    cdef Py_ssize_t _codes_count
    cdef Py_ssize_t _codes_room
    cdef list _frames
    cdef list _changes

    cdef object change(self, Py_ssize_t place)
    cdef int _take(self, bytes frame) except -1
    cdef bint _read(self, const uint8_t **at, const uint8_t *end) except -1
    cdef int _append(self, object change) except -1
    cdef Item *_next(self) except NULL
    cdef int _make_room(self) except -1
    cdef int _copy(self, ChangeBatch other, const Item *item) except -1
    cdef int _cut(self, Py_ssize_t count, Py_ssize_t codes, Py_ssize_t changes) except -1
