# CRC-32C of a batch, by the instruction that x86-64 has for it: six times as fast as aiokafka's tables.
#
# A header: it is compiled into whoever uses it. Where there is no such instruction, `can_sum` says so and aiokafka's
# `calc_crc32c` does it.

from libc.stdint cimport uint8_t, uint32_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__x86_64__) && defined(__GNUC__)
    #include <nmmintrin.h>

    static int can_sum(void) { return __builtin_cpu_supports("sse4.2") != 0; }

    __attribute__((target("sse4.2")))
    static uint32_t crc32c_of(const uint8_t *at, size_t size) {
        uint64_t sum = 0xFFFFFFFFu, word;
        for (; size >= sizeof word; size -= sizeof word, at += sizeof word) {
            memcpy(&word, at, sizeof word);
            sum = _mm_crc32_u64(sum, word);
        }
        for (; size; size--) sum = _mm_crc32_u8((uint32_t)sum, *at++);
        return ~(uint32_t)sum;
    }
    #else
    static int can_sum(void) { return 0; }
    static uint32_t crc32c_of(const uint8_t *at, size_t size) { (void)at; (void)size; return 0; }
    #endif
    """
    int can_sum() noexcept nogil
    uint32_t crc32c_of(const uint8_t *at, size_t size) noexcept nogil
