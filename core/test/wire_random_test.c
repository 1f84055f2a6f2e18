/* core/test/wire_random_test.c - generators against published numbers. */
#include "check.h"
#include "lunatcp/random.h"

/* The first outputs of xoshiro256** from the state 1, 2, 3, 4, as its authors' code gives them. */
static void xoshiro(void)
{
    struct ltcp_random r = {{1, 2, 3, 4}};
    static const uint64_t want[] = {UINT64_C(11520),
                                    UINT64_C(0),
                                    UINT64_C(1509978240),
                                    UINT64_C(1215971899390074240),
                                    UINT64_C(1216172134540287360),
                                    UINT64_C(607988272756665600),
                                    UINT64_C(16172922978634559625),
                                    UINT64_C(8476171486693032832),
                                    UINT64_C(10595114339597558777),
                                    UINT64_C(2904607092377533576)};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        CHECK_EQUAL(ltcp_random_next(&r), want[i]);
}

static void streams_differ_and_repeat(void)
{
    struct ltcp_random a, b, c;
    ltcp_random_seed(&a, 42, ltcp_random_stream("loss"));
    ltcp_random_seed(&b, 42, ltcp_random_stream("loss"));
    ltcp_random_seed(&c, 42, ltcp_random_stream("jitter"));
    for (int i = 0; i < 100; i++) {
        uint64_t value = ltcp_random_next(&a);
        CHECK_EQUAL(ltcp_random_next(&b), value);
        CHECK(ltcp_random_next(&c) != value);
        CHECK_EQUAL(ltcp_random_at(1, 2, (uint64_t)i), ltcp_random_at(1, 2, (uint64_t)i));
        CHECK(ltcp_random_at(1, 2, (uint64_t)i) != ltcp_random_at(2, 1, (uint64_t)i));
        CHECK(ltcp_random_at(1, 2, (uint64_t)i) != ltcp_random_at(1, 2, (uint64_t)i + 1));
        CHECK(ltcp_random_at(1, 2, (uint64_t)i) != ltcp_random_at(1, 3, (uint64_t)i));
    }
    ltcp_random_seed(&a, 0, 0);
    CHECK((a.state[0] | a.state[1] | a.state[2] | a.state[3]) != 0);
}

/* Golden numbers: a change of them changes every run's fate. */
static void golden(void)
{
    CHECK_EQUAL(ltcp_random_at(0, 0, 0), UINT64_C(0x568a9b0b1a2c05ec));
    CHECK_EQUAL(ltcp_random_at(42, ltcp_random_stream("loss"), 7), UINT64_C(0x58426c688ce610f1));
}

static void below(void)
{
    struct ltcp_random r;
    ltcp_random_seed(&r, 1, 1);
    CHECK_EQUAL(ltcp_random_below(&r, 0), 0);
    CHECK_EQUAL(ltcp_random_below(&r, 1), 0);
    unsigned counts[6] = {0};
    for (int i = 0; i < 60000; i++)
        counts[ltcp_random_below(&r, 6)]++;
    for (int i = 0; i < 6; i++)
        CHECK(counts[i] > 9600 && counts[i] < 10400);
    for (int i = 0; i < 1000; i++)
        CHECK(ltcp_random_below(&r, UINT64_C(3) << 62) < UINT64_C(3) << 62);
}

/* What an impairment asks: is the n-th packet lost? About one in a hundred, whatever the seed. */
static void at_is_spread_evenly(void)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        unsigned lost = 0, bits[64] = {0};
        for (uint64_t i = 0; i < 10000; i++) {
            uint64_t value = ltcp_random_at(seed, 1, i);
            lost += value < UINT64_MAX / 100;
            for (int b = 0; b < 64; b++)
                bits[b] += (unsigned)(value >> b & 1);
        }
        CHECK(lost > 60 && lost < 140);
        for (int b = 0; b < 64; b++)
            CHECK(bits[b] > 4750 && bits[b] < 5250);
    }
}

static void fnv(void)
{
    CHECK_EQUAL(ltcp_random_stream(""), UINT64_C(0xcbf29ce484222325));
    CHECK_EQUAL(ltcp_random_stream("a"), UINT64_C(0xaf63dc4c8601ec8c));
    CHECK_EQUAL(ltcp_random_stream("foobar"), UINT64_C(0x85944171f73967e8));
}

/* The designers' vectors: key 00 01 .. 0f, message 00 01 .. of growing length, output in its
 * little-endian bytes. */
static void siphash(void)
{
    static const char *const want[] = {
        "310e0edd47db6f72", "fd67dc93c539f874", "5a4fa9d909806c0d", "2d7efbd796666785",
        "b7877127e09427cf", "8da699cd64557618", "cee3fe586e46c9cb", "37d1018bf50002ab",
        "6224939a79f5f593", "b0e4a90bdf82009e", "f3b9dd94c5bb5d7a", "a7ad6b22462fb3f4",
        "fbe50e86bc8f1e75", "903d84c02756ea14", "eef27a8e90ca23f7", "e545be4961ca29a1",
    };
    const struct ltcp_siphash_key key = {UINT64_C(0x0706050403020100),
                                         UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t buffer[24];
    for (size_t length = 0; length < sizeof want / sizeof want[0]; length++) {
        for (size_t at = 0; at < 8; at++) {
            for (size_t i = 0; i < length; i++)
                buffer[at + i] = (uint8_t)i;
            uint64_t hash = ltcp_siphash(&key, buffer + at, length);
            uint8_t bytes[8];
            for (int i = 0; i < 8; i++)
                bytes[i] = (uint8_t)(hash >> (8 * i));
            CHECK_BYTES(bytes, 8, want[length]);
        }
    }
}

int main(void)
{
    xoshiro();
    streams_differ_and_repeat();
    golden();
    below();
    at_is_spread_evenly();
    fnv();
    siphash();
    return check_finish();
}
