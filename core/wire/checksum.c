/* core/wire/checksum.c - the Internet checksum (RFC 1071, RFC 1624).
 *
 * Everything is arithmetic modulo 2^16 - 1, of which 2^32 - 1 and 2^64 - 1 are multiples: so words
 * of 32 and 64 bits may be added in place of words of 16, as long as carries come back in below,
 * and turning a sum by 8 bits exchanges the bytes of every word in it. */
#include "sum.h"

/* ---- strides ------------------------------------------------------------------------------------
 * A loop over words of 64 bits, 64 bytes at a time. Each lane keeps the sum of its words modulo
 * 2^64, and beside it the exact sum of their upper halves; what is exact of the lower halves
 * follows from the two. That is one operation less for each word than taking both halves apart.
 * Where `to` is not NULL, the words are stored there as they pass: a copy costs no second walk. */
#if defined(__GNUC__) && !defined(LTCP_PLAIN_C)

/* GNU vectors are plain C to gcc and clang on every machine: where there are none, the compiler
 * makes words of them. */
typedef uint64_t lanes_2 __attribute__((vector_size(16)));

static inline uint64_t strides_64(uint8_t *to, const uint8_t *p, size_t strides)
{
    lanes_2 whole[4] = {{0}}, upper[4] = {{0}};
    for (; strides > 0; strides--, p += sizeof whole) {
        lanes_2 word[4];
        memcpy(word, p, sizeof word);
        if (to != NULL) {
            memcpy(to, word, sizeof word);
            to += sizeof word;
        }
        for (int i = 0; i < 4; i++) {
            whole[i] += word[i];
            upper[i] += word[i] >> 32;
        }
    }
    lanes_2 exact = (upper[0] + upper[1]) + (upper[2] + upper[3]);
    exact += (whole[0] + whole[1]) + (whole[2] + whole[3]) - (exact << 32);
    return exact[0] + exact[1];
}

#else

static inline uint64_t strides_64(uint8_t *to, const uint8_t *p, size_t strides)
{
    uint64_t whole = 0, upper = 0;
    for (size_t i = 0; i < 8 * strides; i++) {
        uint64_t word = load_64(p + 8 * i);
        if (to != NULL) memcpy(to + 8 * i, &word, sizeof word);
        whole += word;
        upper += word >> 32;
    }
    return upper + (whole - (upper << 32));
}

#endif

/* ---- strides twice as wide ----------------------------------------------------------------------
 * An x86-64 may have vectors of 32 bytes, and an instruction that adds their signed words of 16
 * bits in pairs. With the upper bit turned, a word is signed and too small by 2^15. */
#if defined(__GNUC__) && defined(__x86_64__) && !defined(LTCP_PLAIN_C)

#define AVX2     __attribute__((target("avx2")))
#define AVX2_ALL __attribute__((target("avx2"), always_inline))
/* So much at a time that the loop turns once and no lane overflows. */
enum { WIDE = 32, STRIDE = 4 * WIDE, WIDE_LEAST = STRIDE, WIDE_MOST = 65536 };

typedef int16_t words_16 __attribute__((vector_size(WIDE)));
typedef int32_t pairs_8 __attribute__((vector_size(WIDE)));
typedef int32_t pairs_4 __attribute__((vector_size(WIDE / 2)));

AVX2_ALL static inline words_16 load_wide(const void *p)
{
    words_16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Volatile, so that they are loaded once, and not made anew wherever they are used. */
static const volatile words_16 ones = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const volatile words_16 upper_bits = {
    INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN,
    INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN, INT16_MIN};

AVX2_ALL static inline pairs_8 pairs_of(words_16 v, words_16 turn, words_16 one)
{
    return (pairs_8)__builtin_ia32_pmaddwd256(v ^ turn, one);
}

AVX2_ALL static inline words_16 stored(uint8_t *to, words_16 v, const bool copies)
{
    if (copies) memcpy(to, &v, sizeof v);
    return v;
}

/* The sum of `length` bytes; with `copies` they are copied to `to`, which may lie in front of `p`.
 * What is left behind the last whole vector is the end of one more, which was loaded before
 * anything was stored, and whose other words are cleared for the sum. */
AVX2_ALL static inline uint64_t sum_vectors(uint8_t *to, const uint8_t *p, size_t length,
                                            const bool copies)
{
    static const int16_t keep[2 * WIDE / 2] = {[16] = -1, -1, -1, -1, -1, -1, -1, -1,
                                               -1,        -1, -1, -1, -1, -1, -1, -1};
    const size_t even = length & ~(size_t)1, left = even % WIDE, whole = even - left;
    const uint8_t *const strides = p + length / STRIDE * STRIDE, *const vectors = p + whole;
    const words_16 rest = load_wide(p + even - WIDE);
    const uint8_t odd = length & 1 ? p[even] : 0;
    const words_16 one = ones, turn = upper_bits;
    pairs_8 a = {0}, b = {0}, c = {0}, d = {0};

    do {
        const words_16 v = load_wide(p), w = load_wide(p + WIDE);
        const words_16 x = load_wide(p + 2 * WIDE), y = load_wide(p + 3 * WIDE);
        a += pairs_of(stored(to, v, copies), turn, one);
        b += pairs_of(stored(to + WIDE, w, copies), turn, one);
        c += pairs_of(stored(to + 2 * WIDE, x, copies), turn, one);
        d += pairs_of(stored(to + 3 * WIDE, y, copies), turn, one);
        p += STRIDE;
        if (copies) to += STRIDE;
    } while (p != strides);
    for (; p != vectors; p += WIDE) {
        a += pairs_of(stored(to, load_wide(p), copies), turn, one);
        if (copies) to += WIDE;
    }
    b += pairs_of(rest & load_wide((const uint8_t *)keep + left), turn, one);
    if (copies) memcpy(to + left - WIDE, &rest, sizeof rest);
    if (copies && (length & 1)) to[left] = odd;

    pairs_4 halves[2];
    a = (a + b) + (c + d);
    memcpy(halves, &a, sizeof a);
    halves[0] += halves[1];
    const int32_t sum = (halves[0][0] + halves[0][1]) + (halves[0][2] + halves[0][3]);
    return (uint64_t)(sum + ((int64_t)(whole + WIDE) << 14)) + odd;
}

AVX2 static uint64_t sum_wide(const uint8_t *p, size_t length)
{
    return sum_vectors(NULL, p, length, false);
}

AVX2 static uint64_t move_wide(uint8_t *to, const uint8_t *p, size_t length)
{
    return sum_vectors(to, p, length, true);
}

static inline bool has_wide(size_t length)
{
    return length >= WIDE_LEAST && length <= WIDE_MOST && __builtin_cpu_supports("avx2");
}

#else

static uint64_t sum_wide(const uint8_t *p, size_t length)
{
    return sum_tail(0, p, length);
}

static uint64_t move_wide(uint8_t *to, const uint8_t *p, size_t length)
{
    memmove(to, p, length);
    return sum_tail(0, p, length);
}

static inline bool has_wide(size_t length)
{
    (void)length;
    return false;
}

#endif

uint32_t ltcp_sum(uint32_t sum, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    if (has_wide(length)) return sum_fold(sum + sum_wide(p, length));
    const size_t strides = length / 64;
    const uint64_t total = strides > 0 ? sum + strides_64(NULL, p, strides) : sum;
    return sum_fold(sum_tail(total, p + 64 * strides, length % 64));
}

/* Strides are loaded whole before they are stored, so what lies behind may move to the front. */
uint32_t ltcp_sum_move(uint32_t sum, void *to, const void *from, size_t length)
{
    const uint8_t *p = from;
    uint8_t *q = to;
    if (has_wide(length)) return sum_fold(sum + move_wide(q, p, length));
    const size_t strides = length / 64, left = length % 64;
    uint64_t total = strides > 0 ? sum + strides_64(q, p, strides) : sum;
    total = sum_tail(total, p + 64 * strides, left);
    if (left > 0) memmove(q + 64 * strides, p + 64 * strides, left);
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
