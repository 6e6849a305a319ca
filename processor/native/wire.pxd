# The msgpack of rows and panes: integers, texts and heads, read within bounds and written as short as msgspec does.
#
# A header: it is compiled into whoever uses it. Readers move `at`; False is anything else than what is asked for.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from processor.native.varints cimport put_big, read_big

cdef extern from "Python.h":
    object PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)


cdef inline bint read_number(const uint8_t **at, const uint8_t *end, uint64_t *value, bint *is_negative) noexcept:
    """An integer of msgpack: its value, or its two's complement where it is negative."""
    cdef const uint8_t *here = at[0]
    cdef uint8_t head
    cdef int size
    if here >= end:
        return False
    head = here[0]
    is_negative[0] = False
    if head < 0x80:
        value[0] = head
        at[0] = here + 1
        return True
    if head >= 0xE0:
        value[0] = <uint64_t><int64_t>(<int>head - 256)
        is_negative[0] = True
        at[0] = here + 1
        return True
    if head < 0xCC or head > 0xD3:
        return False
    size = 1 << (head & 3)
    if end - here < size + 1:
        return False
    value[0] = read_big(here + 1, size)
    if head >= 0xD0:
        if size == 1:
            value[0] = <uint64_t><int64_t>(<signed char>value[0])
        elif size == 2:
            value[0] = <uint64_t><int64_t>(<short>value[0])
        elif size == 4:
            value[0] = <uint64_t><int64_t>(<int>value[0])
        is_negative[0] = <int64_t>value[0] < 0
    at[0] = here + 1 + size
    return True


cdef inline bint read_integer(const uint8_t **at, const uint8_t *end, int64_t *value) noexcept:
    cdef uint64_t number
    cdef bint is_negative
    if not read_number(at, end, &number, &is_negative):
        return False
    if not is_negative and number >> 63:
        return False
    value[0] = <int64_t>number
    return True


cdef inline bint _read_head(const uint8_t **at, const uint8_t *end, uint8_t fix, int bits, uint8_t wide, uint32_t *size) noexcept:
    """The head of an array, map or text: `fix` with so many bits of length, or `wide` and `wide` + 1 (16 and 32)."""
    cdef const uint8_t *here = at[0]
    if here >= end:
        return False
    if here[0] >> bits == fix >> bits:
        size[0] = here[0] & ((1 << bits) - 1)
        at[0] = here + 1
        return True
    if here[0] == wide:
        if end - here < 3:
            return False
        size[0] = <uint32_t>read_big(here + 1, 2)
        at[0] = here + 3
        return True
    if here[0] == wide + 1:
        if end - here < 5:
            return False
        size[0] = <uint32_t>read_big(here + 1, 4)
        at[0] = here + 5
        return True
    return False


cdef inline bint read_array(const uint8_t **at, const uint8_t *end, uint32_t *size) noexcept:
    return _read_head(at, end, 0x90, 4, 0xDC, size)


cdef inline bint read_map(const uint8_t **at, const uint8_t *end, uint32_t *size) noexcept:
    return _read_head(at, end, 0x80, 4, 0xDE, size)


cdef inline bint read_text(const uint8_t **at, const uint8_t *end, const uint8_t **text, uint32_t *size) noexcept:
    cdef const uint8_t *here = at[0]
    if here < end and here[0] == 0xD9:
        if end - here < 2:
            return False
        size[0] = here[1]
        at[0] = here + 2
    elif not _read_head(at, end, 0xA0, 5, 0xDA, size):
        return False
    if end - at[0] < <Py_ssize_t>size[0]:
        return False
    text[0] = at[0]
    at[0] += size[0]
    return True


cdef inline bint skip_scalar(const uint8_t **at, const uint8_t *end) noexcept:
    cdef const uint8_t *text
    cdef uint32_t size
    cdef uint64_t number
    cdef bint is_negative
    cdef uint8_t head
    if at[0] >= end:
        return False
    head = at[0][0]
    if head == 0xC0 or head == 0xC2 or head == 0xC3:
        at[0] += 1
        return True
    if head >> 5 == 5 or 0xD9 <= head <= 0xDB:
        return read_text(at, end, &text, &size)
    return read_number(at, end, &number, &is_negative)


cdef inline bint skip_any(const uint8_t **at, const uint8_t *end) noexcept:
    """Whatever there may be: also floats, bytes, extensions, and what is nested."""
    cdef const uint8_t *here
    cdef uint64_t left = 1, size
    cdef uint8_t head
    cdef int width
    while left:
        here = at[0]
        if here >= end:
            return False
        left -= 1
        head = here[0]
        size = 0
        here += 1
        if head < 0x80 or head >= 0xE0 or head == 0xC0 or head == 0xC2 or head == 0xC3:
            pass
        elif head < 0x90:
            left += 2 * (head & 15)
        elif head < 0xA0:
            left += head & 15
        elif head < 0xC0:
            size = head & 31
        elif head == 0xCA:
            size = 4
        elif head == 0xCB:
            size = 8
        elif 0xCC <= head <= 0xD3:
            size = 1 << (head & 3)
        elif 0xD4 <= head <= 0xD8:
            size = 1 + (1 << (head - 0xD4))
        elif 0xC4 <= head <= 0xC9 or 0xD9 <= head <= 0xDF:
            # With a length of its own: of 1, 2 and 4 bytes, or of 2 and 4 for arrays and maps.
            width = 1 << ((head - 0xC4) % 3 if head < 0xCA else head - 0xD9 if head < 0xDC else (head & 1) + 1)
            if end - here < width:
                return False
            size = read_big(here, width)
            here += width
            if head >= 0xDC:
                left += size if head < 0xDE else 2 * size
                size = 0
            elif 0xC7 <= head <= 0xC9:
                size += 1  # the type of an extension
        else:
            return False
        if <uint64_t>(end - here) < size:
            return False
        at[0] = here + size
    return True


cdef inline bint is_ascii(const uint8_t *text, Py_ssize_t size) noexcept:
    cdef uint64_t eight
    while size >= 8:
        memcpy(&eight, text, 8)
        if eight & 0x8080808080808080:
            return False
        text += 8
        size -= 8
    while size:
        if text[0] & 0x80:
            return False
        text += 1
        size -= 1
    return True


cdef inline bint is_text(const uint8_t *text, Py_ssize_t size) except -1:
    """Whether it is UTF-8, as Python has it."""
    if is_ascii(text, size):
        return True
    try:
        PyUnicode_DecodeUTF8(<const char *>text, size, NULL)
    except UnicodeDecodeError:
        return False
    return True


cdef inline Py_ssize_t write_integer(uint8_t *to, int64_t value) noexcept:
    """The shortest way to write it; at most 9 bytes. Returns how many."""
    if value >= 0:
        return write_number(to, <uint64_t>value)
    if value >= -32:
        to[0] = <uint8_t>value
        return 1
    if value >= -128:
        return write_wide(to, 0xD0, <uint64_t>value, 1)
    if value >= -32768:
        return write_wide(to, 0xD1, <uint64_t>value, 2)
    if value >= -2147483648:
        return write_wide(to, 0xD2, <uint64_t>value, 4)
    return write_wide(to, 0xD3, <uint64_t>value, 8)


cdef inline Py_ssize_t write_number(uint8_t *to, uint64_t value) noexcept:
    if value < 0x80:
        to[0] = <uint8_t>value
        return 1
    if value < 0x100:
        return write_wide(to, 0xCC, value, 1)
    if value < 0x10000:
        return write_wide(to, 0xCD, value, 2)
    if value < 0x100000000:
        return write_wide(to, 0xCE, value, 4)
    return write_wide(to, 0xCF, value, 8)


cdef inline Py_ssize_t write_wide(uint8_t *to, uint8_t head, uint64_t value, int size) noexcept:
    to[0] = head
    put_big(to + 1, value, size)
    return size + 1


cdef inline Py_ssize_t write_head(uint8_t *to, uint8_t fix, uint32_t room, uint8_t wide, uint32_t size) noexcept:
    if size < room:
        to[0] = fix | <uint8_t>size
        return 1
    if size < 0x10000:
        return write_wide(to, wide, size, 2)
    return write_wide(to, wide + 1, size, 4)


cdef inline Py_ssize_t write_text(uint8_t *to, const uint8_t *text, uint32_t size) noexcept:
    cdef Py_ssize_t head
    if 32 <= size < 0x100:
        head = write_wide(to, 0xD9, size, 1)
    else:
        head = write_head(to, 0xA0, 32, 0xDA, size)
    memcpy(to + head, text, size)
    return head + size
