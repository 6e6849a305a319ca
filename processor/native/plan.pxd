from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from processor.native.rows cimport Kind, Row

cdef enum:
    KINDS = 4
    REGISTERS = 256
    CONDITIONS = 2048
    ALWAYS = 0x7FFFFFFF
    MOST_NAMES = 128       # whom a row counts for, or ids that it holds; of more Python says it

cdef enum:
    # What the keys of a cell are: `schemas.catalogue.plan.Form`.
    COUNT = 0
    NUMBER = 1
    DECIMAL = 2
    SAMPLE = 3
    PENDING = 4
    ID = 5
    PENDING_DECIMAL = 6

cdef enum Standing:
    NOTHING = 0            # the plan counts nothing of this kind
    HERE = 1
    ELSEWHERE = 2          # what it counts is for Python

cdef struct Entry:
    # So much more of a key in a cell, in the panes of a person and instant.
    uint32_t site
    uint32_t line
    uint32_t cell
    uint32_t rep_size
    const uint8_t *rep     # UTF-8, in the row or an alias; NULL: nobody
    int64_t at
    uint64_t key
    uint64_t low           # of an id, the second half; big-endian both
    int64_t amount

cdef struct Entries:
    Entry *data
    int count
    int room

cdef struct Op:
    # How a register or a condition is made; what `one` and `other` are depends on that.
    int code
    int one
    int other
    int64_t number

cdef struct Text:
    const uint8_t *data    # as msgpack writes it
    uint32_t size

cdef struct Line:
    int when
    int form
    uint32_t cell
    int register           # of ids: where their fields begin among the numbers
    int ids                # how many numbers those are
    int people_in

cdef struct Name:
    const uint8_t *text    # UTF-8, in the row or an alias; NULL: nobody
    uint32_t size

cdef struct Site:
    int at
    int credit, credits    # where its fields begin among the numbers, and how many numbers those are
    int line, lines

cdef struct Program:
    Standing standing
    int register, registers
    int condition, conditions
    int site, sites
    uint64_t reads         # a change of other fields alone changes nothing

cdef class CompiledPlan:
    cdef Program program[KINDS]
    cdef Op *_ops
    cdef int *_numbers
    cdef Text *_texts
    cdef Line *_lines
    cdef Site *_sites
    cdef uint64_t *names   # of cells, ascending
    cdef int *forms
    cdef int *instants     # of how many numbers the keys of what waits for the clock are, two or three; of others: 0
    cdef int cells
    cdef list _held
    cdef dict _aliases
    cdef dict _digests
    cdef dict cell_of
    cdef int *keeps        # for how many days a cell is kept; 0: as long as records. NULL: none is kept shorter

    cdef int evaluate(self, const Row *row, Entries *out) except -2
    cdef int _chosen(self, const Row *row, int first, int numbers, int people_in, Name *found) except -2
    cdef int _resolve(self, Name *name) except -1
    cdef int _identify(self, const Name *name, Entry *entry) except -1
    cdef int find(self, uint64_t name, int first) noexcept

cdef inline uint64_t key_of(int64_t value) noexcept:
    """Keys are in the order of their values: unsigned, with the sign turned round."""
    return <uint64_t>value ^ <uint64_t>1 << 63

cdef inline int64_t value_of(uint64_t key) noexcept:
    return <int64_t>(key ^ <uint64_t>1 << 63)
