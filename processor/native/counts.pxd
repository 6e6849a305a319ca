from libc.stdint cimport int64_t, uint8_t, uint32_t

from processor.native.rows cimport Row

cdef struct Count:
    # One contribution: `rep` points at the text of a reference; NULL is nobody.
    const uint8_t *rep
    uint32_t rep_size
    int64_t at
    int values
    int measure[4]
    int64_t value[4]

cdef int counts_of(const Row *row, int64_t min_talk, Count *found) noexcept
cdef bint are_equal(const Count *one, int ones, const Count *other, int others) noexcept
cdef int speaks_of_the_past(const Row *row, int64_t horizon) noexcept
