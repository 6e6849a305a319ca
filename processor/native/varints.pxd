# Integers in bytes: big-endian in headers of Kafka's record batches, in msgpack and in panes, else zigzag varints.
#
# A header: it is compiled into whoever uses it. Whoever writes has made room before.

from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef inline void put_big(uint8_t *to, uint64_t value, int size) noexcept:
    cdef int place
    for place in range(size):
        to[place] = <uint8_t>(value >> 8 * (size - 1 - place))


cdef inline int length_size(uint64_t length) noexcept:
    """Bytes of the varint of something that is not negative."""
    cdef int size = 1
    length <<= 1
    while length >= 0x80:
        length >>= 7
        size += 1
    return size


cdef inline uint8_t *put_length(uint8_t *to, uint64_t length) noexcept:
    length <<= 1
    while length >= 0x80:
        to[0] = <uint8_t>(length | 0x80)
        length >>= 7
        to += 1
    to[0] = <uint8_t>length
    return to + 1


cdef inline uint64_t read_big(const uint8_t *at, int size) noexcept:
    cdef uint64_t value = 0
    cdef int place
    for place in range(size):
        value = value << 8 | at[place]
    return value


cdef inline bint read_varint(const uint8_t **at, const uint8_t *end, int64_t *value) noexcept:
    """Moves `at`; False where it does not end before `end`, or has more than 64 bits."""
    cdef const uint8_t *here = at[0]
    cdef uint64_t found = 0
    cdef int shift = 0
    while here < end and shift < 64:
        found |= <uint64_t>(here[0] & 0x7F) << shift
        here += 1
        if here[-1] < 0x80:
            value[0] = <int64_t>(found >> 1) ^ -<int64_t>(found & 1)
            at[0] = here
            return True
        shift += 7
    return False
