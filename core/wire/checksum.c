/* core/wire/checksum.c - the Internet checksum (RFC 1071, RFC 1624).
 *
 * Everything is arithmetic modulo 2^16 - 1, of which 2^32 - 1 and 2^64 - 1 are multiples: so words
 * of 32 and 64 bits may be added in place of words of 16, as long as carries come back in below,
 * and turning a sum by 8 bits exchanges the bytes of every word in it. */
#include "sum.h"

/* What one turn of the loop takes. */
#define LANES  8
#define STRIDE (8 * LANES)

/* The sum of `blocks` times 64 bytes. Each lane keeps the sum of its 64-bit words modulo 2^64, and
 * beside it the exact sum of their upper halves; what is exact of the lower halves follows from the
 * two. That is one operation less for each word than taking both halves apart. */
static uint64_t sum_strides(const uint8_t *p, size_t strides)
{
    uint64_t whole[LANES] = {0}, upper[LANES] = {0};
    while (strides-- > 0) {
        for (int i = 0; i < LANES; i++) {
            uint64_t word = load_64(p + 8 * i);
            whole[i] += word;
            upper[i] += word >> 32;
        }
        p += STRIDE;
    }
    uint64_t sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += upper[i] + (whole[i] - (upper[i] << 32));
    return sum;
}

static uint64_t copy_strides(uint8_t *restrict to, const uint8_t *restrict p, size_t strides)
{
    uint64_t whole[LANES] = {0}, upper[LANES] = {0};
    while (strides-- > 0) {
        for (int i = 0; i < LANES; i++) {
            uint64_t word = load_64(p + 8 * i);
            memcpy(to + 8 * i, &word, sizeof word);
            whole[i] += word;
            upper[i] += word >> 32;
        }
        p += STRIDE;
        to += STRIDE;
    }
    uint64_t sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += upper[i] + (whole[i] - (upper[i] << 32));
    return sum;
}

uint32_t ltcp_sum(uint32_t sum, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    uint64_t total = sum;
    if (length >= STRIDE) {
        size_t strides = length / STRIDE;
        total += sum_strides(p, strides);
        p += strides * STRIDE;
        length %= STRIDE;
    }
    return sum_fold(sum_tail(total, p, length));
}

uint32_t ltcp_sum_copy(uint32_t sum, void *restrict to, const void *restrict from, size_t length)
{
    const uint8_t *p = from;
    uint8_t *q = to;
    uint64_t total = sum;
    if (length >= STRIDE) {
        size_t strides = length / STRIDE;
        total += copy_strides(q, p, strides);
        p += strides * STRIDE;
        q += strides * STRIDE;
        length %= STRIDE;
    }
    if (length > 0) memcpy(q, p, length);
    return sum_fold(sum_tail(total, p, length));
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
