# Fields of rows that hold one id or several: read within bounds, from msgpack.
#
# A header, as wire.pxd is.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

from processor.native.wire cimport read_array, read_text, skip_scalar

cdef enum:
    MOST_LISTED = 32  # ids in a list that is plain


cdef inline bint is_name(const uint8_t *text, uint32_t size) noexcept:
    """Whether it may be part of a key: nothing that cannot be shown."""
    cdef uint32_t place
    for place in range(size):
        if text[place] < 0x20 or text[place] == 0x7F:
            return False
        if text[place] > 0x7F:
            return is_shown(text, size)
    return size > 0


cdef inline bint is_shown(const uint8_t *text, uint32_t size) noexcept:
    """The same of any script: what can be shown, Python knows."""
    try:
        return (<const char *>text)[:size].decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


cdef inline bint skip_value(const uint8_t **at, const uint8_t *end) noexcept:
    """What `fits`: a list of texts, or anything that has no parts."""
    cdef const uint8_t *text
    cdef uint32_t count, size
    if at[0] >= end or not (at[0][0] >> 4 == 9 or at[0][0] == 0xDC):
        return skip_scalar(at, end)
    if not read_array(at, end, &count):
        return False
    for _ in range(count):
        if not read_text(at, end, &text, &size):
            return False
    return True


cdef inline bint is_list(const uint8_t *at, const uint8_t *end) noexcept:
    """Whether it is a list of a few ids, each once."""
    cdef const uint8_t *texts[MOST_LISTED]
    cdef uint32_t sizes[MOST_LISTED]
    cdef uint32_t count, place, other
    if not read_array(&at, end, &count) or not 0 < count <= MOST_LISTED:
        return False
    for place in range(count):
        if not read_text(&at, end, &texts[place], &sizes[place]) or not is_name(texts[place], sizes[place]):
            return False
        for other in range(place):
            if sizes[other] == sizes[place] and memcmp(texts[other], texts[place], sizes[place]) == 0:
                return False
    return True
