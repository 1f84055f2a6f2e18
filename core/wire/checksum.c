/* core/wire/checksum.c - the Internet checksum (RFC 1071, RFC 1624).
 *
 * Everything is arithmetic modulo 2^16 - 1, of which 2^32 - 1 and 2^64 - 1 are multiples: so words
 * of 32 and 64 bits may be added in place of words of 16, as long as carries come back in below,
 * and turning a sum by 8 bits exchanges the bytes of every word in it. */
#include "sum.h"

/* A loop over words of 64 bits, a stride at a time. Each lane keeps the sum of its words modulo
 * 2^64, and beside it the exact sum of their upper halves; what is exact of the lower halves
 * follows from the two. That is one operation less for each word than taking both halves apart.
 * Where `to` is not NULL, the words are stored there as they pass: a copy costs no second walk. */
#if defined(__GNUC__) && !defined(LTCP_PLAIN_C)

/* GNU vectors are plain C to gcc and clang on every machine: where there are none, the compiler
 * makes words of them. */
typedef uint64_t lanes_2 __attribute__((vector_size(16)));
typedef uint64_t lanes_4 __attribute__((vector_size(32)));

#define DEFINE_STRIDES(name, lanes, attributes)                                                    \
    attributes static inline uint64_t name(uint8_t *to, const uint8_t *p, size_t strides)          \
    {                                                                                              \
        lanes whole[4] = {{0}}, upper[4] = {{0}};                                                  \
        for (; strides > 0; strides--, p += sizeof whole) {                                        \
            lanes a, b, c, d;                                                                      \
            memcpy(&a, p, sizeof a);                                                               \
            memcpy(&b, p + sizeof a, sizeof a);                                                    \
            memcpy(&c, p + 2 * sizeof a, sizeof a);                                                \
            memcpy(&d, p + 3 * sizeof a, sizeof a);                                                \
            if (to != NULL) {                                                                      \
                memcpy(to, &a, sizeof a);                                                          \
                memcpy(to + sizeof a, &b, sizeof a);                                               \
                memcpy(to + 2 * sizeof a, &c, sizeof a);                                           \
                memcpy(to + 3 * sizeof a, &d, sizeof a);                                           \
                to += sizeof whole;                                                                \
            }                                                                                      \
            whole[0] += a;                                                                         \
            whole[1] += b;                                                                         \
            whole[2] += c;                                                                         \
            whole[3] += d;                                                                         \
            upper[0] += a >> 32;                                                                   \
            upper[1] += b >> 32;                                                                   \
            upper[2] += c >> 32;                                                                   \
            upper[3] += d >> 32;                                                                   \
        }                                                                                          \
        lanes exact = (upper[0] + upper[1]) + (upper[2] + upper[3]);                               \
        exact += (whole[0] + whole[1]) + (whole[2] + whole[3]) - (exact << 32);                    \
        uint64_t sum = 0;                                                                          \
        for (size_t i = 0; i < sizeof exact / 8; i++)                                              \
            sum += exact[i];                                                                       \
        return sum;                                                                                \
    }

DEFINE_STRIDES(strides_64, lanes_2, )

#else

static inline uint64_t strides_64(uint8_t *to, const uint8_t *p, size_t strides)
{
    uint64_t whole = 0, upper = 0;
    if (to != NULL) memcpy(to, p, 64 * strides);
    for (size_t i = 0; i < 8 * strides; i++) {
        uint64_t word = load_64(p + 8 * i);
        whole += word;
        upper += word >> 32;
    }
    return upper + (whole - (upper << 32));
}

#endif

/* An x86-64 may have vectors twice as wide as those that every one of them has. */
#if defined(__GNUC__) && defined(__x86_64__) && !defined(LTCP_PLAIN_C)

DEFINE_STRIDES(strides_128, lanes_4, __attribute__((target("avx2"))))

__attribute__((target("avx2"))) static uint64_t sum_wide(const uint8_t *p, size_t length)
{
    return strides_128(NULL, p, length / 128);
}

__attribute__((target("avx2"))) static uint64_t copy_wide(uint8_t *to, const uint8_t *p,
                                                          size_t length)
{
    return strides_128(to, p, length / 128);
}

static inline bool has_wide(void)
{
    return __builtin_cpu_supports("avx2");
}

#else

static uint64_t sum_wide(const uint8_t *p, size_t length)
{
    return strides_64(NULL, p, length / 64);
}

static uint64_t copy_wide(uint8_t *to, const uint8_t *p, size_t length)
{
    return strides_64(to, p, length / 64);
}

static inline bool has_wide(void)
{
    return false;
}

#endif

uint32_t ltcp_sum(uint32_t sum, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    uint64_t total = sum;
    if (length >= 256 && has_wide()) {
        size_t taken = length & ~(size_t)127;
        total += sum_wide(p, taken);
        p += taken;
        length -= taken;
    }
    if (length >= 64) {
        size_t taken = length & ~(size_t)63;
        total += strides_64(NULL, p, taken / 64);
        p += taken;
        length -= taken;
    }
    return sum_fold(sum_tail(total, p, length));
}

/* Strides are loaded whole before they are stored, so what lies behind may move to the front. */
uint32_t ltcp_sum_move(uint32_t sum, void *to, const void *from, size_t length)
{
    const uint8_t *p = from;
    uint8_t *q = to;
    uint64_t total = sum;
    if (length >= 256 && has_wide()) {
        size_t taken = length & ~(size_t)127;
        total += copy_wide(q, p, taken);
        p += taken;
        q += taken;
        length -= taken;
    }
    if (length >= 64) {
        size_t taken = length & ~(size_t)63;
        total += strides_64(q, p, taken / 64);
        p += taken;
        q += taken;
        length -= taken;
    }
    total = sum_tail(total, p, length);
    if (length > 0) memmove(q, p, length);
    return sum_fold(total);
}

uint32_t ltcp_sum_copy(uint32_t sum, void *restrict to, const void *restrict from, size_t length)
{
    return ltcp_sum_move(sum, to, from, length);
}

uint32_t ltcp_sum_add(uint32_t a, uint32_t b)
{
    return sum_fold((uint64_t)a + b);
}

uint32_t ltcp_sum_swap(uint32_t sum)
{
    return sum << 8 | sum >> 24;
}

uint16_t ltcp_sum_finish(uint32_t sum)
{
    return sum_finish(sum);
}

uint16_t ltcp_sum_update(uint16_t checksum, uint16_t old_field, uint16_t new_field)
{
    /* RFC 1624 equation 3: HC' = ~(~HC + ~m + m') */
    uint32_t sum = (uint32_t)(uint16_t)~checksum + (uint16_t)~old_field + new_field;
    return sum_finish(sum);
}
