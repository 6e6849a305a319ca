from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t

cdef enum:
    MEASURED = 16
    CHUNK = 1024
    DAYS = 1024

cdef struct Opened:
    int64_t window
    PyObject *rep    # borrowed from `_reps`
    PyObject *rich   # owned: the pane as a dict, where it holds more than small sums; else NULL
    int64_t sums[MEASURED]

cdef struct Quarter:
    int64_t bucket
    int64_t day

cdef class PaneTable:
    cdef readonly str origin
    cdef object _calendar, _horizon
    cdef int64_t _minutes_kept, _first_minute, _first_day
    cdef dict _panes, _reps
    cdef Opened **_chunks
    cdef Py_ssize_t _count, _chunk_room, _chunk_count, _mask
    cdef int32_t *_index
    cdef Quarter _quarters[DAYS]

    cdef PyObject *intern(self, object rep) except NULL
    cdef int apply(
        self, PyObject *rep, int64_t at, int values, const int *measure, const int64_t *value, int sign
    ) except -1
    cdef int64_t _day_of(self, int64_t at) except? -1
    cdef Opened *_open(self, int64_t window, PyObject *rep) except NULL
    cdef Opened *_find(self, int64_t window, PyObject *rep) noexcept
    cdef int _grow(self) except -1
    cdef int _apply_rich(self, object rep, int64_t at, object values, int sign) except -1
    cdef int _replace(self, object contributions, int sign) except -1
    cdef list _close(self, dict published)
    cdef void _forget(self) noexcept
