/* core/wire/digest.h
 *
 * A 64-bit digest of values, taken in one by one: it tells states of hosts and networks apart
 * (ltcp_host_digest). Not for secrets. */
#ifndef LUNATCP_WIRE_DIGEST_H
#define LUNATCP_WIRE_DIGEST_H

#include <string.h>

#include "lunatcp/packet.h"

struct digest {
    uint64_t a, b;
};

static inline struct digest digest_begin(void)
{
    return (struct digest){UINT64_C(0x6A09E667F3BCC908), UINT64_C(0xBB67AE8584CAA73B)};
}
static inline void digest_word(struct digest *d, uint64_t word)
{
    d->a = (d->a ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    d->a ^= d->a >> 29;
    d->b = (d->b + d->a) * UINT64_C(0xD6E8FEB86659FD93);
    d->b ^= d->b >> 32;
}
static inline uint64_t digest_end(struct digest d)
{
    digest_word(&d, UINT64_C(0x3C6EF372FE94F82B));
    digest_word(&d, d.b);
    return d.a ^ d.b;
}
static inline void digest_seq(struct digest *d, ltcp_seq seq)
{
    digest_word(d, seq.n);
}
/* A time as seen from now. Never and long ago (INT64_MIN) are the same at any time. */
static inline void digest_time(struct digest *d, ltcp_time now, ltcp_time time)
{
    const bool is_never = time == LTCP_NEVER || time == INT64_MIN;
    digest_word(d, is_never ? (uint64_t)time : (uint64_t)(time - now));
}
void digest_bytes(struct digest *d, const void *bytes, size_t length);
void digest_address(struct digest *d, const struct ltcp_address *address);
/* What the receiver of a packet can learn from it: all of its bytes but an IPv4 header's
 * identification and checksum, which differ from run to run and decide nothing. */
void digest_packet(struct digest *d, const struct ltcp_packet *packet);

#endif
