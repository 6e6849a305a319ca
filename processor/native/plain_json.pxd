# The plain part of JSON: texts of printable ASCII without escapes, small whole numbers, true, false, null.
#
# A header: it is compiled into whoever uses it. Readers move `at`, within bounds; False is anything that is not plain,
# be it JSON or not: whoever gets it leaves the whole text to a parser.

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp

cdef enum Scalar:
    NIL = 0
    FALSE = 1
    TRUE = 2
    NUMBER = 3  # not negative, no fraction, no exponent; `text` are its digits, at most 18
    TEXT = 4

cdef struct Item:
    # One scalar. Its text lies in what was read.
    Scalar what
    const uint8_t *text
    uint32_t size


cdef inline void skip_space(const uint8_t **at, const uint8_t *end) noexcept:
    while at[0] < end and (at[0][0] == 0x20 or at[0][0] == 0x0A or at[0][0] == 0x0D or at[0][0] == 0x09):
        at[0] += 1


cdef inline bint skip_sign(const uint8_t **at, const uint8_t *end, uint8_t sign) noexcept:
    """Space, this sign, and space again."""
    skip_space(at, end)
    if at[0] >= end or at[0][0] != sign:
        return False
    at[0] += 1
    skip_space(at, end)
    return True


cdef inline bint read_plain_text(const uint8_t **at, const uint8_t *end, const uint8_t **text, uint32_t *size) noexcept:
    cdef const uint8_t *here = at[0]
    if here >= end or here[0] != 0x22:
        return False
    here += 1
    text[0] = here
    while here < end and here[0] != 0x22:
        if here[0] < 0x20 or here[0] > 0x7E or here[0] == 0x5C:
            return False
        here += 1
    if here >= end or here - text[0] > 0xFFFF:
        return False
    size[0] = <uint32_t>(here - text[0])
    at[0] = here + 1
    return True


cdef inline bint read_item(const uint8_t **at, const uint8_t *end, Item *item) noexcept:
    cdef const uint8_t *here = at[0]
    if here >= end:
        return False
    if here[0] == 0x22:
        item.what = TEXT
        return read_plain_text(at, end, &item.text, &item.size)
    if 0x30 <= here[0] <= 0x39:
        item.what = NUMBER
        item.text = here
        while here < end and 0x30 <= here[0] <= 0x39:
            here += 1
        item.size = <uint32_t>(here - item.text) if here - item.text <= 18 else 19
        if item.size > 18 or (item.text[0] == 0x30 and item.size > 1):
            return False
        at[0] = here
        # A fraction or an exponent would follow at once.
        return here < end and here[0] != 0x2E and here[0] | 0x20 != 0x65
    if end - here >= 4 and memcmp(here, b"null", 4) == 0:
        item.what = NIL
        at[0] = here + 4
        return True
    if end - here >= 4 and memcmp(here, b"true", 4) == 0:
        item.what = TRUE
        at[0] = here + 4
        return True
    if end - here >= 5 and memcmp(here, b"false", 5) == 0:
        item.what = FALSE
        at[0] = here + 5
        return True
    return False


cdef inline int64_t value_of(const uint8_t *digits, uint32_t size) noexcept:
    """Of at most 18 digits."""
    cdef int64_t value = 0
    cdef uint32_t place
    for place in range(size):
        value = value * 10 + (digits[place] - 0x30)
    return value


cdef inline int _digits(const uint8_t *at, int size) noexcept:
    """The number that so many digits are; a negative one if one is none."""
    cdef int value = 0, place
    for place in range(size):
        if not 0x30 <= at[place] <= 0x39:
            return -1
        value = value * 10 + (at[place] - 0x30)
    return value


cdef inline bint read_instant(const uint8_t *text, uint32_t size, int64_t *instant) noexcept:
    """RFC 3339 with a Z, and without a fraction or with one of three or six digits, as microseconds.

    Of years that lie whole within what `schemas.instants` takes.
    """
    cdef int year, month, day, hour, minute, second, fraction = 0, last
    cdef int64_t days
    if size != 20 and size != 24 and size != 27:
        return False
    if text[4] != 0x2D or text[7] != 0x2D or text[10] != 0x54 or text[13] != 0x3A or text[16] != 0x3A:
        return False
    if text[size - 1] != 0x5A or (size > 20 and text[19] != 0x2E):
        return False
    year, month, day = _digits(text, 4), _digits(text + 5, 2), _digits(text + 8, 2)
    hour, minute, second = _digits(text + 11, 2), _digits(text + 14, 2), _digits(text + 17, 2)
    if size > 20:
        fraction = _digits(text + 20, <int>size - 21)
        if fraction < 0:
            return False
        if size == 24:
            fraction *= 1000
    if not 1902 <= year <= 2241 or not 1 <= month <= 12 or day < 1:
        return False
    if not 0 <= hour <= 23 or not 0 <= minute <= 59 or not 0 <= second <= 59:
        return False
    if month == 2:
        last = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    else:
        last = 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31
    if day > last:
        return False
    # Years that begin in March end with the day that comes and goes.
    if month <= 2:
        year -= 1
        month += 12
    days = 365 * <int64_t>year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719_469
    instant[0] = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + fraction
    return True
