/* core/test/wire_checksum_test.c - RFC 1071 and RFC 1624 by their own numbers, and everything fast
 * against a sum of 16-bit words one by one. */
#include "check.h"
#include "lunatcp/wire.h"

static uint16_t swap16(uint16_t v)
{
    return (uint16_t)(v >> 8 | v << 8);
}

/* RFC 1071 section 4.1, in network order: bytes in the order of the wire. */
static uint16_t naive(const uint8_t *p, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    if (length % 2 == 1) sum += (uint32_t)p[length - 1] << 8;
    while (sum >> 16 != 0)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

/* The 16 bits that memcpy stores, read as the wire has them. */
static uint16_t on_wire(uint16_t finished)
{
    uint8_t bytes[2];
    memcpy(bytes, &finished, 2);
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void rfc_1071_section_3(void)
{
    const uint8_t bytes[] = {0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7};
    CHECK_EQUAL(on_wire(ltcp_sum_finish(ltcp_sum(0, bytes, 8))), (uint16_t)~0xDDF2);
    /* "Byte Groups" of the same section: in two pieces, the second behind three bytes. */
    uint32_t first = ltcp_sum(0, bytes, 3), second = ltcp_sum(0, bytes + 3, 5);
    CHECK_EQUAL(on_wire(ltcp_sum_finish(ltcp_sum_add(first, ltcp_sum_swap(second)))),
                (uint16_t)~0xDDF2);
}

static void rfc_1624_section_4(void)
{
    /* The example whose answer by equation 2 would be 0xFFFF. Byte order does not matter. */
    CHECK_EQUAL(ltcp_sum_update(0xDD2F, 0x5555, 0x3285), 0x0000);
    CHECK_EQUAL(ltcp_sum_update(swap16(0xDD2F), swap16(0x5555), swap16(0x3285)), 0x0000);
}

static void nothing_and_little(void)
{
    uint8_t zero[200] = {0}, ones[200];
    memset(ones, 0xFF, sizeof ones);
    CHECK_EQUAL(ltcp_sum_finish(ltcp_sum(0, zero, 0)), 0xFFFF);
    CHECK_EQUAL(ltcp_sum_finish(ltcp_sum(0, zero, 200)), 0xFFFF);
    CHECK_EQUAL(ltcp_sum_finish(ltcp_sum(0, ones, 200)), 0x0000);
    CHECK_EQUAL(on_wire(ltcp_sum_finish(ltcp_sum(0, "\x12", 1))), (uint16_t)~0x1200);
    CHECK_EQUAL(ltcp_sum_finish(ltcp_sum(0xFFFFFFFF, ones, 200)), 0x0000);
}

static uint8_t source[70000], target[70000];

static void fill(uint32_t *state, unsigned how)
{
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = how == 0 ? 0xFF : (uint8_t)check_random(state);
}

static void every_length_and_alignment(void)
{
    for (size_t length = 0; length <= 300; length++) {
        for (size_t at = 0; at < 16; at++) {
            uint16_t want = naive(source + at, length);
            CHECK_EQUAL(on_wire(ltcp_sum_finish(ltcp_sum(0, source + at, length))), want);
            memset(target, 0xAA, 512);
            uint32_t sum = ltcp_sum_copy(0, target + 15 - at, source + at, length);
            CHECK_EQUAL(on_wire(ltcp_sum_finish(sum)), want);
            CHECK(memcmp(target + 15 - at, source + at, length) == 0);
            CHECK_EQUAL(target[15 - at + length], 0xAA);
        }
    }
}

static void long_ones(void)
{
    static const size_t lengths[] = {1460, 1461, 8960, 65495, 65535, 69999};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint16_t want = naive(source + 1, lengths[i] - 1);
        CHECK_EQUAL(on_wire(ltcp_sum_finish(ltcp_sum(0, source + 1, lengths[i] - 1))), want);
        CHECK_EQUAL(on_wire(ltcp_sum_finish(ltcp_sum_copy(0, target, source + 1, lengths[i] - 1))),
                    want);
    }
}

/* Towards the front, over itself. */
static void moves(void)
{
    static const size_t lengths[] = {0, 1, 63, 64, 129, 255, 256, 300, 1448, 9001};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (size_t by = 0; by <= 96; by++) {
            const size_t length = lengths[i];
            memcpy(target, source, sizeof source < 20000 ? sizeof source : 20000);
            uint16_t want = naive(target + by, length);
            uint32_t sum = ltcp_sum_move(0, target, target + by, length);
            CHECK_EQUAL(on_wire(ltcp_sum_finish(sum)), want);
            CHECK(memcmp(target, source + by, length) == 0);
            CHECK(memcmp(target + length + by, source + length + by, 100) == 0);
        }
    }
}

static void pieces(uint32_t *state)
{
    for (int turn = 0; turn < 3000; turn++) {
        size_t length = check_random(state) % 4000, at = check_random(state) % 64;
        size_t cut = length == 0 ? 0 : check_random(state) % length;
        const uint8_t *p = source + at;
        uint32_t first = ltcp_sum(0, p, cut), second = ltcp_sum(0, p + cut, length - cut);
        if (cut % 2 == 1) second = ltcp_sum_swap(second);
        uint16_t want = naive(p, length);
        CHECK_EQUAL(on_wire(ltcp_sum_finish(ltcp_sum_add(first, second))), want);
        if (cut % 2 == 0)
            CHECK_EQUAL(on_wire(ltcp_sum_finish(ltcp_sum(first, p + cut, length - cut))), want);
    }
}

static void update_equals_summing_again(uint32_t *state)
{
    for (int turn = 0; turn < 20000; turn++) {
        uint8_t bytes[40];
        memcpy(bytes, source + check_random(state) % 60000, sizeof bytes);
        bytes[0] = 0x45;
        size_t field = 2 + 2 * (check_random(state) % 19);
        uint16_t before, after = (uint16_t)check_random(state);
        if (turn % 5 == 0) after = turn % 2 == 0 ? 0xFFFF : 0;
        memcpy(&before, bytes + field, 2);
        uint16_t checksum = ltcp_sum_finish(ltcp_sum(0, bytes, sizeof bytes));
        memcpy(bytes + field, &after, 2);
        CHECK_EQUAL(ltcp_sum_update(checksum, before, after),
                    ltcp_sum_finish(ltcp_sum(0, bytes, sizeof bytes)));
    }
}

int main(void)
{
    uint32_t state = 1;
    rfc_1071_section_3();
    rfc_1624_section_4();
    nothing_and_little();
    for (unsigned how = 0; how < 2; how++) {
        fill(&state, how);
        every_length_and_alignment();
        long_ones();
        moves();
        pieces(&state);
        update_equals_summing_again(&state);
    }
    return check_finish();
}
