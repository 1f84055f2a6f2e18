/* core/wire/random.c - seeded generators and the keyed hash. */
#include "lunatcp/random.h"
#include "bytes.h"

static uint64_t rotate_left(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

/* ---- SplitMix64 (Steele, Lea and Flood 2014): a counter and a mixing function ------------------
 */

#define GOLDEN_GAMMA UINT64_C(0x9E3779B97F4A7C15)

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* One number of (seed, stream): mixed in between, so that neighbouring seeds and neighbouring
 * streams do not meet. */
static uint64_t stream_key(uint64_t seed, uint64_t stream)
{
    return mix(mix(seed + GOLDEN_GAMMA) + stream * GOLDEN_GAMMA);
}

uint64_t ltcp_random_at(uint64_t seed, uint64_t stream, uint64_t index)
{
    return mix(stream_key(seed, stream) + (index + 1) * GOLDEN_GAMMA);
}

/* ---- xoshiro256** (Blackman and Vigna 2018) -----------------------------------------------------
 */

void ltcp_random_seed(struct ltcp_random *random, uint64_t seed, uint64_t stream)
{
    /* Four values of SplitMix64 in a row are never all zero: its mixing function is a bijection. */
    uint64_t counter = stream_key(seed, stream);
    for (int i = 0; i < 4; i++)
        random->state[i] = mix(counter += GOLDEN_GAMMA);
}

uint64_t ltcp_random_next(struct ltcp_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t ltcp_random_below(struct ltcp_random *random, uint64_t bound)
{
    if (bound == 0) return 0;
    /* The lowest 2^64 mod bound values would make some results likelier than others. */
    uint64_t lowest = (0 - bound) % bound, value;
    do
        value = ltcp_random_next(random);
    while (value < lowest);
    return value % bound;
}

uint64_t ltcp_random_stream(const char *name)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001B3);
    return hash;
}

/* ---- SipHash-2-4 (Aumasson and Bernstein 2012)
 * --------------------------------------------------- */

struct sip {
    uint64_t v0, v1, v2, v3;
};

static void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rotate_left(s->v2, 32);
}

static void sip_compress(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

uint64_t ltcp_siphash(const struct ltcp_siphash_key *key, const void *bytes, size_t length)
{
    struct sip s = {
        key->k0 ^ UINT64_C(0x736F6D6570736575),
        key->k1 ^ UINT64_C(0x646F72616E646F6D),
        key->k0 ^ UINT64_C(0x6C7967656E657261),
        key->k1 ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *p = bytes;
    uint64_t last = (uint64_t)length << 56;
    for (; length >= 8; p += 8, length -= 8)
        sip_compress(&s, load_le64(p));
    for (size_t i = 0; i < length; i++)
        last |= (uint64_t)p[i] << (8 * i);
    sip_compress(&s, last);
    s.v2 ^= 0xFF;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
