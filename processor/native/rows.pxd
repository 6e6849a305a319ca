from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    CODES = 64

cdef enum Kind:
    NOT_PLAIN = 0
    CALL = 1
    EMAIL = 2
    MEETING = 3

cdef enum Form:
    NO_FIELD = 0
    TEXT = 1
    FLAG = 2
    INSTANT = 3
    DURATION = 4
    REFERENCE = 5
    LISTED = 6

cdef enum Fold:
    STALE = 0
    NEWS = 1
    HAND_BACK = 2

cdef struct Slot:
    # The winning value of one field: msgpack, in the row or in a buffer of this module.
    int64_t at
    uint64_t digest
    const uint8_t *value
    uint32_t size

cdef struct Buffer:
    uint8_t *data
    Py_ssize_t size

cdef struct Row:
    # Zeroed by whoever makes it, and let go with `drop`.
    Kind kind
    uint64_t is_set
    Slot slots[CODES]
    Buffer values
    Buffer out

cdef Kind kind_of(object kind) except *
cdef Kind kind_of_text(const uint8_t *text, Py_ssize_t size) noexcept
cdef int code_of(const uint8_t *text, uint32_t size) noexcept
cdef void begin(Row *row, Kind kind) noexcept
cdef void drop(Row *row) noexcept
cdef bint fits(Kind kind, int code, const uint8_t *at, const uint8_t *end) noexcept
cdef bint read_row(Row *row, const uint8_t *at, Py_ssize_t size) noexcept
cdef Fold fold(
    Row *row, int64_t at, uint64_t digest, const uint8_t *fields, const uint8_t *end, uint32_t entries,
    const uint8_t *codes,
) except *
cdef bint is_sound(const Row *row) noexcept
cdef bytes write_row(Row *row)
cdef int64_t oldest_version(const Row *row) noexcept
cdef list groups_of(const Row *row)
cdef int speaks_of_the_past(const Row *row, int64_t cutoff) noexcept
