from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from processor.native.opened cimport Opened
from processor.native.plan cimport CompiledPlan, Entries, Entry

cdef enum:
    CHUNK = 1024
    DAYS = 1024

cdef struct Quarter:
    int64_t bucket
    int64_t day

cdef class PaneTable:
    cdef readonly str origin
    cdef CompiledPlan plan
    cdef object _calendar, _cutoff
    cdef int64_t _minutes_kept, _first_minute, _first_day, _log_day
    cdef dict _panes, _reps
    cdef Opened **_chunks
    cdef Py_ssize_t _count, _chunk_room, _chunk_count, _mask
    cdef int32_t *_index
    cdef Quarter _quarters[DAYS]
    # Entries of one site follow each other: whose panes were opened last, and which.
    cdef const uint8_t *_last_text
    cdef uint32_t _last_size
    cdef int64_t _last_at
    cdef bint _is_last_known
    cdef Opened *_last_day
    cdef int64_t _last_index
    cdef PyObject *_last_rep
    cdef Opened *_last_minute

    cdef int exchange(self, const Entries *before, const Entries *after) except -1
    cdef int _put(self, const Entry *entry, int64_t amount) except -1
    cdef int _open_both(self, object rep, int64_t at) except -1
    cdef int _add_to_day(
        self, uint32_t cell, uint64_t key, uint64_t low, int64_t amount, uint64_t last=*
    ) except -1
    cdef bint _is_over(self, int64_t window) noexcept
    cdef PyObject *intern(self, object rep) except NULL
    cdef int64_t _day_of(self, int64_t at) except? -1
    cdef Opened *_open(self, int64_t window, PyObject *rep) except NULL
    cdef Opened *_find(self, int64_t window, PyObject *rep) noexcept
    cdef int _grow(self) except -1
    cdef int _replace(self, object contributions, int sign) except -1
    cdef list _close(self, dict published)
    cdef void _forget(self) noexcept
