# A pane as numbers, while it changes: its cells, and the bytes that they are read from and written to.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from processor.native.plan cimport COUNT, ID, CompiledPlan, key_of, value_of
from processor.native.varints cimport put_big, read_big
from processor.native.wire cimport (
    read_array,
    read_integer,
    read_number,
    write_head,
    write_integer,
    write_number,
    write_wide,
)

cdef extern from *:
    bint __builtin_sub_overflow(int64_t one, int64_t other, int64_t *result) nogil

cdef enum:
    INLINE = 6
    NAME = 5  # bytes
    CELL_SIZE = NAME + 5 + 7 + 28 + 9  # a name, the head of an array, a unit or the head of ids, a key, an amount: at most
    SECONDS = 1000000
    MILLISECONDS = 1000
    SMALL = 4096

cdef struct Cell:
    uint32_t cell
    uint64_t key
    uint64_t low
    uint64_t last  # of what waits for the clock, the third number; else 0
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

cdef inline int add_to(
    Opened *pane, uint32_t cell, uint64_t key, uint64_t low, int64_t amount, uint64_t last = 0
) except -1:
    """Put so much in; what becomes 0 is gone."""
    cdef int first = 0, end = pane.count, middle
    cdef Cell *held
    while first < end:
        middle = (first + end) >> 1
        held = &pane.cells[middle]
        if held.cell < cell or (
            held.cell == cell
            and (held.key < key or (held.key == key and (held.low < low or (held.low == low and held.last < last))))
        ):
            first = middle + 1
        else:
            end = middle
    held = &pane.cells[first]
    if first < pane.count and held.cell == cell and held.key == key and held.low == low and held.last == last:
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
    held.cell, held.key, held.low, held.last, held.amount = cell, key, low, last, amount
    pane.count += 1
    return 0

cdef inline bint read_unit(const uint8_t **at, const uint8_t *end, int64_t *unit) noexcept:
    """What keys are multiples of; False where none is written."""
    cdef uint8_t head
    if at[0] >= end:
        return False
    head = at[0][0]
    if head != 0xC0 and head != 0xC2 and head != 0xC3:
        return False
    unit[0] = SECONDS if head == 0xC3 else MILLISECONDS if head == 0xC2 else 1
    at[0] += 1
    return True

cdef inline bint read_bytes(const uint8_t **at, const uint8_t *end, const uint8_t **data, uint32_t *size) noexcept:
    cdef const uint8_t *here = at[0]
    cdef int width
    if here >= end or not 0xC4 <= here[0] <= 0xC6:
        return False
    width = 1 << (here[0] - 0xC4)
    if end - here < width + 1:
        return False
    size[0] = <uint32_t>read_big(here + 1, width)
    here += 1 + width
    if end - here < <Py_ssize_t>size[0]:
        return False
    data[0] = here
    at[0] = here + size[0]
    return True

cdef inline bint read_ids(Opened *pane, int cell, const uint8_t **at, const uint8_t *end) except -1:
    """Ids that are there once, or a list of ids and amounts."""
    cdef const uint8_t *ids
    cdef uint32_t size, parts = 0, place
    cdef int64_t amount = 1
    cdef bint is_list = read_array(at, end, &parts)
    if not read_bytes(at, end, &ids, &size) or size % 16 or (is_list and parts != size // 16 + 1):
        return False
    for place in range(size // 16):
        if is_list and not read_integer(at, end, &amount):
            return False
        add_to(pane, cell, read_big(ids + 16 * place, 8), read_big(ids + 16 * place + 8, 8), amount)
    return True

cdef inline bint read_instants(
    Opened *pane, int cell, int numbers, const uint8_t **at, const uint8_t *end, uint32_t parts
) except -1:
    """Pairs that are there once, by their differences, or two or three numbers and amounts."""
    cdef int64_t unit = 1, amount, key, other, third
    cdef uint64_t start = 0
    cdef uint32_t size, place
    if not read_array(at, end, &size):
        return False
    if size == 1:
        if not read_unit(at, end, &unit):
            return False
        for place in range((parts - 1) // 2):
            if not read_integer(at, end, &key) or not read_integer(at, end, &other):
                return False
            start += <uint64_t>(key * unit)
            add_to(pane, cell, key_of(<int64_t>start), key_of(<int64_t>(start + <uint64_t>(other * unit))), 1)
        return True
    for place in range(parts // 2):
        if (
            (place and not read_array(at, end, &size)) or size != <uint32_t>numbers
            or not read_integer(at, end, &key) or not read_integer(at, end, &other)
            or (numbers == 3 and not read_integer(at, end, &third)) or not read_integer(at, end, &amount)
        ):
            return False
        add_to(pane, cell, key_of(key), key_of(other), amount, key_of(third) if numbers == 3 else 0)
    return True

cdef inline bint read_keys(Opened *pane, int cell, const uint8_t **at, const uint8_t *end, uint32_t parts) except -1:
    """Keys by their differences, as often as they are there, or keys and amounts."""
    cdef int64_t unit, key, amount
    cdef uint64_t number, last = 0
    cdef bint is_negative
    cdef uint32_t place
    if read_unit(at, end, &unit):
        for place in range(parts - 1):
            if not read_number(at, end, &number, &is_negative):
                return False
            last += number * <uint64_t>unit
            add_to(pane, cell, key_of(<int64_t>last), 0, 1)
        return True
    for place in range(parts // 2):
        if not read_integer(at, end, &key) or not read_integer(at, end, &amount):
            return False
        add_to(pane, cell, key_of(key), 0, amount)
    return True

cdef inline int read_pane(Opened *pane, CompiledPlan plan, bytes value) except -1:
    """Put in what `write_pane` wrote."""
    cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(value)
    cdef const uint8_t *end = at + PyBytes_GET_SIZE(value)
    cdef const uint8_t *names
    cdef uint32_t entries, size, place, parts
    cdef int64_t amount
    cdef int cell = -1
    cdef bint is_read
    if not read_array(&at, end, &entries) or not read_bytes(&at, end, &names, &size) or size != NAME * (entries - 1):
        raise ValueError(value)
    for place in range(entries - 1):
        cell = plan.find(read_big(names + NAME * place, NAME), cell + 1)
        if cell < 0:
            raise ValueError(value)
        if plan.forms[cell] == COUNT:
            is_read = read_integer(&at, end, &amount)
            if is_read:
                add_to(pane, cell, 0, 0, amount)
        elif plan.forms[cell] == ID:
            is_read = read_ids(pane, cell, &at, end)
        else:
            is_read = read_array(&at, end, &parts) and parts and (
                read_instants(pane, cell, plan.instants[cell], &at, end, parts) if plan.instants[cell]
                else read_keys(pane, cell, &at, end, parts)
            )
        if not is_read:
            raise ValueError(value)
    return 0

cdef inline Py_ssize_t write_bytes_head(uint8_t *to, uint32_t size) noexcept:
    if size < 0x100:
        return write_wide(to, 0xC4, size, 1)
    if size < 0x10000:
        return write_wide(to, 0xC5, size, 2)
    return write_wide(to, 0xC6, size, 4)

cdef inline Py_ssize_t write_ids(uint8_t *to, const Cell *cells, int count) noexcept:
    cdef uint8_t *at = to
    cdef bint are_single = True
    cdef int place
    for place in range(count):
        are_single = are_single and cells[place].amount == 1
    if not are_single:
        at += write_head(at, 0x90, 16, 0xDC, count + 1)
    at += write_bytes_head(at, 16 * count)
    for place in range(count):
        put_big(at, cells[place].key, 8)
        put_big(at + 8, cells[place].low, 8)
        at += 16
    if not are_single:
        for place in range(count):
            at += write_integer(at, cells[place].amount)
    return at - to

cdef inline int64_t unit_of(const Cell *cells, int count, bint are_pairs) noexcept:
    """The largest of the units that all keys are multiples of."""
    cdef int64_t unit = SECONDS, key, low
    cdef int place
    for place in range(count):
        key, low = value_of(cells[place].key), value_of(cells[place].low) if are_pairs else 0
        while unit > 1 and (key % unit or low % unit):
            unit //= 1000
    return unit

cdef inline uint8_t mark_of(int64_t unit) noexcept:
    return 0xC3 if unit == SECONDS else 0xC2 if unit == MILLISECONDS else 0xC0

cdef inline Py_ssize_t write_instants(uint8_t *to, const Cell *cells, int count, int numbers) noexcept:
    cdef uint8_t *at = to
    cdef bint are_short = numbers == 2
    cdef int64_t unit, key, gap
    cdef int place
    for place in range(count):
        are_short = are_short and cells[place].amount == 1 and not __builtin_sub_overflow(
            value_of(cells[place].low), value_of(cells[place].key), &gap
        )
    if are_short:
        unit = unit_of(cells, count, True)
        at += write_head(at, 0x90, 16, 0xDC, 2 * count + 1)
        at[0], at[1] = 0x91, mark_of(unit)
        at += 2
        for place in range(count):
            key = value_of(cells[place].key)
            if place:
                at += write_number(at, (cells[place].key - cells[place - 1].key) // <uint64_t>unit)
            else:
                at += write_integer(at, key // unit)
            at += write_integer(at, (value_of(cells[place].low) - key) // unit)
        return at - to
    at += write_head(at, 0x90, 16, 0xDC, 2 * count)
    for place in range(count):
        at[0] = <uint8_t>(0x90 + numbers)
        at += 1
        at += write_integer(at, value_of(cells[place].key))
        at += write_integer(at, value_of(cells[place].low))
        if numbers == 3:
            at += write_integer(at, value_of(cells[place].last))
        at += write_integer(at, cells[place].amount)
    return at - to

cdef inline Py_ssize_t write_keys(uint8_t *to, const Cell *cells, int count) noexcept:
    cdef uint8_t *at = to
    cdef int64_t unit, total = 0, again
    cdef int place
    for place in range(count):
        # More than twice as many as there are keys: by turns with their amounts they are shorter.
        total = 2 * count + 1 if not 0 < cells[place].amount <= 2 * count - total else total + cells[place].amount
        if total > 2 * count:
            break
    if total <= 2 * count:
        unit = unit_of(cells, count, False)
        at += write_head(at, 0x90, 16, 0xDC, <uint32_t>total + 1)
        at[0] = mark_of(unit)
        at += 1
        for place in range(count):
            if place:
                at += write_number(at, (cells[place].key - cells[place - 1].key) // <uint64_t>unit)
            else:
                at += write_integer(at, value_of(cells[place].key) // unit)
            for again in range(1, cells[place].amount):
                at[0] = 0
                at += 1
        return at - to
    at += write_head(at, 0x90, 16, 0xDC, 2 * count)
    for place in range(count):
        at += write_integer(at, value_of(cells[place].key))
        at += write_integer(at, cells[place].amount)
    return at - to

cdef inline bytes write_pane(const Opened *pane, CompiledPlan plan):
    """As `encode_pane`; None for an empty pane."""
    cdef uint8_t small[SMALL]
    cdef uint8_t *out = small
    cdef uint8_t *to
    cdef int place, last, cells = 0
    cdef uint32_t cell
    if not pane.count:
        return None
    for place in range(pane.count):
        cells += place == 0 or pane.cells[place].cell != pane.cells[place - 1].cell
    if pane.count * CELL_SIZE + 10 > SMALL:
        out = <uint8_t *>PyMem_Malloc(pane.count * CELL_SIZE + 10)
        if out == NULL:
            raise MemoryError
    to = out + write_head(out, 0x90, 16, 0xDC, cells + 1)
    to += write_bytes_head(to, NAME * cells)
    for place in range(pane.count):
        cell = pane.cells[place].cell
        if place == 0 or cell != pane.cells[place - 1].cell:
            put_big(to, plan.names[cell], NAME)
            to += NAME
    place = 0
    while place < pane.count:
        cell = pane.cells[place].cell
        last = place
        while last < pane.count and pane.cells[last].cell == cell:
            last += 1
        if plan.forms[cell] == COUNT:
            to += write_integer(to, pane.cells[place].amount)
        elif plan.forms[cell] == ID:
            to += write_ids(to, &pane.cells[place], last - place)
        elif plan.instants[cell]:
            to += write_instants(to, &pane.cells[place], last - place, plan.instants[cell])
        else:
            to += write_keys(to, &pane.cells[place], last - place)
        place = last
    try:
        return PyBytes_FromStringAndSize(<char *>out, to - out)
    finally:
        if out != small:
            PyMem_Free(out)
