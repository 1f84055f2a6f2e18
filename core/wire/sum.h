/* core/wire/sum.h
 *
 * The inline half of the checksum: sums of headers, which are too short for a call. A sum in the
 * making is 64 bits wide, so that 2^32 words of 32 bits add without a thought for carries. */
#ifndef LUNATCP_WIRE_SUM_H
#define LUNATCP_WIRE_SUM_H

#include "lunatcp/wire.h"
#include "bytes.h"
#include "scope.h"

/* 64 bits to the 32 of a running sum; a sum other than 0 stays other than 0. Both halves come twice
 * to the addition, so that the carry of the lower sum comes into the upper one: around the end. */
static inline uint32_t sum_fold(uint64_t sum)
{
    return (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);
}

static inline uint16_t sum_finish(uint32_t sum)
{
    return (uint16_t) ~((sum + (sum << 16 | sum >> 16)) >> 16);
}

/* Stores a word given in host order and adds it to the sum of what is stored. */
static inline uint64_t put_word(uint8_t *out, uint32_t word, uint64_t sum)
{
    uint32_t stored = to_be32(word);
    store_32(out, stored);
    return sum + stored;
}

/* `length` is a multiple of 4. */
static inline uint64_t sum_words(uint64_t sum, const uint8_t *p, size_t length)
{
    for (size_t i = 0; i < length; i += 4)
        sum += load_32(p + i);
    return sum;
}

/* Any length; an odd one is made even by a zero byte (RFC 1071). */
static inline uint64_t sum_tail(uint64_t sum, const uint8_t *p, size_t length)
{
    for (; length >= 8; p += 8, length -= 8)
        sum += (uint64_t)load_32(p) + load_32(p + 4);
    if (length & 4) {
        sum += load_32(p);
        p += 4;
    }
    if (length & 2) {
        sum += load_16(p);
        p += 2;
    }
    if (length & 1) {
        const uint8_t last[2] = {*p, 0};
        sum += load_16(last);
    }
    return sum;
}

/* RFC8200:8.1-1. The prefix of a mapped address has the word 0xFFFF, which is zero in this
 * arithmetic: so the pseudo header of IPv6 has the right sum for IPv4 too. With `version` 4 the
 * zeros are left out. */
static inline uint64_t sum_pseudo(const struct ltcp_address *source,
                                  const struct ltcp_address *destination, unsigned version,
                                  uint8_t protocol, size_t length)
{
    uint64_t sum = (uint64_t)to_be32((uint32_t)length) + to_be32(protocol);
    if (version == 4) return sum + load_32(source->bytes + 12) + load_32(destination->bytes + 12);
    if (address_is_link_local(source) || address_is_link_local(destination)) {
        const struct ltcp_address from = scope_cleared(*source), to = scope_cleared(*destination);
        return sum_words(sum_words(sum, from.bytes, 16), to.bytes, 16);
    }
    sum = sum_words(sum, source->bytes, 16);
    return sum_words(sum, destination->bytes, 16);
}

/* The sum of what lies behind a packet's first `start` bytes, up to `end`, wherever it was split.
 */
uint32_t ltcp_packet_sum(uint32_t sum, const struct ltcp_packet *packet, size_t start, size_t end);

#endif
