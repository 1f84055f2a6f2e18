/* core/include/lunatcp/random.h
 *
 * Seeded generators. Every stream is a function of (seed, stream name, index), so that two runs
 * whose scripts differ elsewhere still meet the same losses. */
#ifndef LUNATCP_RANDOM_H
#define LUNATCP_RANDOM_H

#include "lunatcp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A sequential stream (xoshiro256**; not for secrets). */
struct ltcp_random {
    uint64_t state[4];
};
/* `stream` separates purposes under one seed: a hash of a name, or a number. */
void ltcp_random_seed(struct ltcp_random *random, uint64_t seed, uint64_t stream);
uint64_t ltcp_random_next(struct ltcp_random *random);
/* 0 <= result < bound, unbiased; bound 0 gives 0. */
uint64_t ltcp_random_below(struct ltcp_random *random, uint64_t bound);
/* A stream's value at an index, without the ones before it: what impairments use, so that the
 * n-th packet's fate does not depend on how many draws came before. */
uint64_t ltcp_random_at(uint64_t seed, uint64_t stream, uint64_t index);
/* FNV-1a of a name, for `stream`. */
uint64_t ltcp_random_stream(const char *name);

/* Keyed PRF, SipHash-2-4 (Aumasson and Bernstein): ISNs (RFC 6528), ports (RFC 6056). */
struct ltcp_siphash_key {
    uint64_t k0, k1;
};
uint64_t ltcp_siphash(const struct ltcp_siphash_key *key, const void *bytes, size_t length);

#ifdef __cplusplus
}
#endif
#endif
