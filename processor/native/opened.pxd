# A pane as numbers, while it changes: its cells, and the bytes that they are read from and written to.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from processor.native.plan cimport COUNT, ID, PENDING, CompiledPlan, half_of, key_of, value_of
from processor.native.wire cimport (
    read_array,
    read_integer,
    read_map,
    read_number,
    write_head,
    write_integer,
    write_number,
)

cdef enum:
    INLINE = 6
    CELL_SIZE = 9 + 5 + 19 + 9  # a name, the head of an array, a key, an amount: at most
    SMALL = 4096

cdef struct Cell:
    uint32_t cell
    uint64_t key
    uint64_t low
    int64_t amount

cdef struct Opened:
    # A pane as numbers: its cells in their order, none of them 0. The first few lie in it.
    int64_t window
    PyObject *rep    # borrowed from `_reps`
    int count
    int room
    Cell *cells
    Cell own[INLINE]

cdef inline void empty(Opened *pane) noexcept:
    pane.count = 0

cdef inline int make_room(Opened *pane) except -1:
    """Of twice as many cells and more; those in the pane itself come out first."""
    cdef Cell *cells
    if pane.cells == pane.own:
        cells = <Cell *>PyMem_Malloc(4 * INLINE * sizeof(Cell))
        if cells != NULL:
            memcpy(cells, pane.own, pane.count * sizeof(Cell))
            pane.room = 4 * INLINE
    else:
        cells = <Cell *>PyMem_Realloc(pane.cells, 2 * pane.room * sizeof(Cell))
        if cells != NULL:
            pane.room *= 2
    if cells == NULL:
        raise MemoryError
    pane.cells = cells
    return 0

cdef inline int add_to(Opened *pane, uint32_t cell, uint64_t key, uint64_t low, int64_t amount) except -1:
    """Put so much in; what becomes 0 is gone."""
    cdef int first = 0, last = pane.count, middle
    cdef Cell *held
    while first < last:
        middle = (first + last) >> 1
        held = &pane.cells[middle]
        if held.cell < cell or (
            held.cell == cell and (held.key < key or (held.key == key and held.low < low))
        ):
            first = middle + 1
        else:
            last = middle
    held = &pane.cells[first]
    if first < pane.count and held.cell == cell and held.key == key and held.low == low:
        held.amount += amount
        if not held.amount:
            pane.count -= 1
            memmove(held, held + 1, (pane.count - first) * sizeof(Cell))
        return 0
    if not amount:
        return 0
    if pane.count == pane.room:
        make_room(pane)
        held = &pane.cells[first]
    memmove(held + 1, held, (pane.count - first) * sizeof(Cell))
    held.cell, held.key, held.low, held.amount = cell, key, low, amount
    pane.count += 1
    return 0

cdef inline int read_pane(Opened *pane, CompiledPlan plan, bytes value) except -1:
    """Put in what `write_pane` wrote."""
    cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(value)
    cdef const uint8_t *end = at + PyBytes_GET_SIZE(value)
    cdef const uint8_t *id
    cdef uint32_t entries, parts
    cdef uint64_t name
    cdef int64_t key, amount, other
    cdef bint is_negative
    cdef uint32_t size
    cdef int cell = -1
    if not read_map(&at, end, &entries):
        raise ValueError(value)
    for _ in range(entries):
        if not read_number(&at, end, &name, &is_negative):
            raise ValueError(value)
        cell = plan.find(name, cell + 1)
        if cell < 0:
            raise ValueError(value)
        if plan.forms[cell] == COUNT:
            if not read_integer(&at, end, &amount):
                raise ValueError(value)
            add_to(pane, cell, 0, 0, amount)
            continue
        if not read_array(&at, end, &parts):
            raise ValueError(value)
        for _ in range(parts // 2):
            if plan.forms[cell] == ID:
                if end - at < 18 or at[0] != 0xC4 or at[1] != 16:
                    raise ValueError(value)
                id = at + 2
                at += 18
                if not read_integer(&at, end, &amount):
                    raise ValueError(value)
                add_to(pane, cell, half_of(id), half_of(id + 8), amount)
                continue
            if plan.forms[cell] == PENDING:
                if (
                    not read_array(&at, end, &size) or size != 2 or not read_integer(&at, end, &key)
                    or not read_integer(&at, end, &other) or not read_integer(&at, end, &amount)
                ):
                    raise ValueError(value)
                add_to(pane, cell, key_of(key), key_of(other), amount)
                continue
            if not read_integer(&at, end, &key) or not read_integer(&at, end, &amount):
                raise ValueError(value)
            add_to(pane, cell, key_of(key), 0, amount)
    return 0

cdef inline int write_id(uint8_t *to, uint64_t key, uint64_t low) noexcept:
    """Sixteen bytes, as msgpack writes them."""
    cdef int place
    to[0], to[1] = 0xC4, 16
    for place in range(8):
        to[2 + place] = <uint8_t>(key >> (56 - 8 * place))
        to[10 + place] = <uint8_t>(low >> (56 - 8 * place))
    return 18

cdef inline bytes write_pane(const Opened *pane, CompiledPlan plan):
    """As `encode_pane`; None for an empty pane."""
    cdef uint8_t small[SMALL]
    cdef uint8_t *out = small
    cdef uint8_t *to
    cdef const Cell *held
    cdef int place, last, cells = 0
    cdef uint32_t cell
    if not pane.count:
        return None
    for place in range(pane.count):
        cells += place == 0 or pane.cells[place].cell != pane.cells[place - 1].cell
    if pane.count * CELL_SIZE + 5 > SMALL:
        out = <uint8_t *>PyMem_Malloc(pane.count * CELL_SIZE + 5)
        if out == NULL:
            raise MemoryError
    to = out + write_head(out, 0x80, 16, 0xDE, cells)
    place = 0
    while place < pane.count:
        cell = pane.cells[place].cell
        to += write_number(to, plan.names[cell])
        if plan.forms[cell] == COUNT:
            to += write_integer(to, pane.cells[place].amount)
            place += 1
            continue
        last = place
        while last < pane.count and pane.cells[last].cell == cell:
            last += 1
        to += write_head(to, 0x90, 16, 0xDC, 2 * (last - place))
        while place < last:
            held = &pane.cells[place]
            if plan.forms[cell] == ID:
                to += write_id(to, held.key, held.low)
            elif plan.forms[cell] == PENDING:
                to[0] = 0x92
                to += 1
                to += write_integer(to, value_of(held.key))
                to += write_integer(to, value_of(held.low))
            else:
                to += write_integer(to, value_of(held.key))
            to += write_integer(to, held.amount)
            place += 1
    try:
        return PyBytes_FromStringAndSize(<char *>out, to - out)
    finally:
        if out != small:
            PyMem_Free(out)
