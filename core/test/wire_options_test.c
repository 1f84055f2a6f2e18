/* core/test/wire_options_test.c - TCP options, RFC 9293 section 3.2 and the RFCs of each kind. */
#include "check.h"
#include "lunatcp/wire.h"

static enum ltcp_status decode(const char *text, struct ltcp_options *out)
{
    uint8_t bytes[256];
    static uint8_t kept[64];
    size_t length = hex_bytes(text, bytes);
    memcpy(kept, bytes, length);
    memset(out, 0xA5, sizeof *out);
    return ltcp_options_decode(kept, length, out);
}

static void each_kind(void)
{
    struct ltcp_options o;
    CHECK_STATUS(decode("", &o), LTCP_OK);
    CHECK_EQUAL(o.present, 0);
    CHECK_STATUS(decode("020405b4", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_MSS);
    CHECK_EQUAL(o.mss, 1460);
    CHECK_STATUS(decode("01 03030e", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_WINDOW_SCALE);
    CHECK_EQUAL(o.window_scale, 14);
    CHECK_STATUS(decode("0303ff 00", &o), LTCP_OK);
    CHECK_EQUAL(o.window_scale, 255);

    CHECK_STATUS(decode("0402 0000", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_SACK_PERMITTED);

    CHECK_STATUS(decode("0101 0522 00000001 00000002 00000003 00000004 fffffff0 00000010 "
                        "00000007 00000008",
                        &o),
                 LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_SACK);
    CHECK_EQUAL(o.sack_count, 4);
    CHECK_EQUAL(o.sack[0].left.n, 1);
    CHECK_EQUAL(o.sack[2].left.n, 0xFFFFFFF0);
    CHECK_EQUAL(o.sack[2].right.n, 0x10);
    CHECK_EQUAL(o.sack[3].right.n, 8);

    CHECK_STATUS(decode("0101 080a 01020304 fffefdfc", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_TIMESTAMPS);
    CHECK_EQUAL(o.ts_value, 0x01020304);
    CHECK_EQUAL(o.ts_echo, 0xFFFEFDFC);

    CHECK_STATUS(decode("1312 000102030405060708090a0b0c0d0e0f 0000", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_MD5);
    CHECK_BYTES(o.md5, 16, "000102030405060708090a0b0c0d0e0f");

    CHECK_STATUS(decode("1c04 8005", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_USER_TIMEOUT);
    CHECK_EQUAL(o.user_timeout, 0x8005);

    CHECK_STATUS(decode("1d10 3d54 0102030405060708090a0b0c", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_AO);
    CHECK_BYTES(o.ao, o.ao_length, "3d54 0102030405060708090a0b0c");
}

static void fast_open(void)
{
    struct ltcp_options o;
    CHECK_STATUS(decode("2202 0101", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_FAST_OPEN);
    CHECK_EQUAL(o.fast_open_length, 0);
    CHECK(!o.fast_open_experimental);
    CHECK_STATUS(decode("2206 0a0b0c0d 0000", &o), LTCP_OK);
    CHECK_BYTES(o.fast_open, o.fast_open_length, "0a0b0c0d");
    CHECK_STATUS(decode("2212 000102030405060708090a0b0c0d0e0f", &o), LTCP_OK);
    CHECK_EQUAL(o.fast_open_length, 16);
    CHECK_STATUS(decode("fe0c f989 0102030405060708", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_FAST_OPEN);
    CHECK(o.fast_open_experimental);
    CHECK_BYTES(o.fast_open, o.fast_open_length, "0102030405060708");
    CHECK_STATUS(decode("fd04 f989", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_FAST_OPEN);
    CHECK_EQUAL(o.fast_open_length, 0);
    /* another experiment */
    CHECK_STATUS(decode("fd04 abcd", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_UNKNOWN);
}

static void accecn(void)
{
    struct ltcp_options o;
    CHECK_STATUS(decode("ac0b 000001 000002 ffffff 00", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_ACCECN);
    CHECK_EQUAL(o.accecn_kind, 172);
    CHECK_EQUAL(o.accecn_count, 3);
    CHECK_EQUAL(o.accecn[0], 1);
    CHECK_EQUAL(o.accecn[2], 0xFFFFFF);
    CHECK_STATUS(decode("ae08 000001 000002", &o), LTCP_OK);
    CHECK_EQUAL(o.accecn_kind, 174);
    CHECK_EQUAL(o.accecn_count, 2);
    CHECK_STATUS(decode("ae02 0000", &o), LTCP_OK);
    CHECK_EQUAL(o.accecn_count, 0);
    /* an odd length: the whole counters in it count */
    CHECK_STATUS(decode("ae07 000001 0000 00", &o), LTCP_OK);
    CHECK_EQUAL(o.accecn_count, 1);
}

/* RFC9293:MUST-64 options begin on any octet boundary. */
static void at_any_alignment(void)
{
    for (unsigned nops = 0; nops < 8; nops++) {
        uint8_t bytes[40];
        size_t length = nops;
        memset(bytes, LTCP_OPTION_NOP, nops);
        length += hex_bytes("020405b4 0402 080a0000000a00000014 030307 1c040007", bytes + length);
        struct ltcp_options o;
        CHECK_STATUS(ltcp_options_decode(bytes, length, &o), LTCP_OK);
        CHECK_EQUAL(o.present, LTCP_HAS_MSS | LTCP_HAS_SACK_PERMITTED | LTCP_HAS_TIMESTAMPS |
                                   LTCP_HAS_WINDOW_SCALE | LTCP_HAS_USER_TIMEOUT);
        CHECK_EQUAL(o.mss, 1460);
        CHECK_EQUAL(o.ts_value, 10);
        CHECK_EQUAL(o.ts_echo, 20);
        CHECK_EQUAL(o.window_scale, 7);
        CHECK_EQUAL(o.user_timeout, 7);
    }
}

/* RFC9293:MUST-6 an unknown kind is skipped by its length. */
static void unknown_kinds(void)
{
    struct ltcp_options o;
    CHECK_STATUS(decode("4705ffffff 02040218 0600", &o), LTCP_ERR_OPTION_LENGTH);
    CHECK_STATUS(decode("4705ffffff 02040218 0602 00", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_UNKNOWN | LTCP_HAS_MSS);
    CHECK_EQUAL(o.mss, 0x218);
    for (unsigned kind = 0; kind < 256; kind++) {
        uint8_t bytes[8] = {(uint8_t)kind, 4, 0, 0, LTCP_OPTION_MSS, 4, 2, 0x18};
        enum ltcp_status status = ltcp_options_decode(bytes, sizeof bytes, &o);
        if (kind == LTCP_OPTION_END)
            CHECK_EQUAL(o.present, 0);
        else if (kind == LTCP_OPTION_NOP)
            CHECK_STATUS(status, LTCP_ERR_OPTION_LENGTH);
        else
            CHECK(status == LTCP_OK && (o.present & LTCP_HAS_MSS) != 0 && o.mss == 0x218);
    }
}

/* RFC9293:MUST-7 lengths of 0 and 1 and beyond the header; what came before is kept. */
static void illegal_lengths(void)
{
    struct ltcp_options o;
    static const char *const bad[] = {
        "020405b4 0300 0000", "020405b4 0301 0000", "020405b4 03030703", "020405b4 0304 07",
        "020405b4 080a 0000", "020405b4 47ff 0000", "020405b4 01010108", "020405b4 4705 0000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_STATUS(decode(bad[i], &o), LTCP_ERR_OPTION_LENGTH);
        CHECK((o.present & LTCP_HAS_MSS) != 0 && o.mss == 1460);
    }
    /* behind the end of the list nothing is looked at */
    CHECK_STATUS(decode("020405b4 0003 0000", &o), LTCP_OK);
    CHECK_EQUAL(o.present, LTCP_HAS_MSS);
    CHECK_STATUS(decode("00 020405b4 000000", &o), LTCP_OK);
    CHECK_EQUAL(o.present, 0);
}

/* A known kind whose length is not its own is skipped, and what follows is read. */
static void wrong_lengths(void)
{
    struct ltcp_options o;
    static const char *const wrong[] = {
        "0203ff",
        "020500ffff",
        "0302",
        "03040707",
        "0403aa",
        "0502",
        "050300",
        "050900010203040506",
        "080902030405060708",
        "080b02030405060708090a",
        "1303ff",
        "052a 0001020304050607 0001020304050607 0001020304050607 0001020304050607 0001020304050607",
        "1c03ff",
        "1d03ff",
        "220300",
        "22050a0b0c",
        "22070a0b0c0d0e",
        "2214000102030405060708090a0b0c0d0e0f1011",
        "fd0300",
        "fe06f9890a0b",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s 020405b4", wrong[i]);
        if (!CHECK_STATUS(decode(text, &o), LTCP_OK)) printf("    %s\n", text);
        const bool fast_open = wrong[i][0] == '2' || wrong[i][1] == 'e';
        CHECK_EQUAL(o.present, (unsigned)LTCP_HAS_MALFORMED | LTCP_HAS_MSS |
                                   (fast_open ? LTCP_HAS_BAD_FAST_OPEN : 0u));
        CHECK_EQUAL(o.mss, 1460);
    }
}

static void walking(void)
{
    uint8_t bytes[40];
    size_t length = hex_bytes("01 4705aabbcc 0402 00 ff", bytes), cursor = 0;
    struct ltcp_raw_option raw;
    CHECK(ltcp_options_next(bytes, length, &cursor, &raw));
    CHECK(raw.kind == LTCP_OPTION_NOP && raw.data_length == 0 && cursor == 1);
    CHECK(ltcp_options_next(bytes, length, &cursor, &raw));
    CHECK(raw.kind == 0x47 && cursor == 6);
    CHECK_BYTES(raw.data, raw.data_length, "aabbcc");
    CHECK(ltcp_options_next(bytes, length, &cursor, &raw));
    CHECK(raw.kind == LTCP_OPTION_SACK_PERMITTED && raw.data_length == 0);
    CHECK(ltcp_options_next(bytes, length, &cursor, &raw));
    CHECK(raw.kind == LTCP_OPTION_END && cursor == 9);
    CHECK(!ltcp_options_next(bytes, length, &cursor, &raw));
    CHECK_EQUAL(cursor, 9);
    cursor = 10;
    CHECK(!ltcp_options_next(bytes, length, &cursor, &raw));
}

/* Every content of a few bytes: no crash, and the walk ends. */
static void all_short_ones(void)
{
    static const uint8_t values[] = {0, 1, 2, 3, 4, 5, 8, 10, 19, 28, 29, 34, 172, 253, 255};
    enum { VALUES = sizeof values, LENGTH = 5 };
    unsigned total = 1;
    for (int i = 0; i < LENGTH; i++)
        total *= VALUES;
    for (unsigned n = 0; n < total; n++) {
        /* from the heap, so that the address sanitizer sees a read behind the end */
        uint8_t *bytes = malloc(LENGTH);
        unsigned rest = n;
        for (int i = 0; i < LENGTH; i++, rest /= VALUES)
            bytes[i] = values[rest % VALUES];
        struct ltcp_options o;
        enum ltcp_status status = ltcp_options_decode(bytes, LENGTH, &o);
        if (status != LTCP_OK && status != LTCP_ERR_OPTION_LENGTH) CHECK(false);
        free(bytes);
    }
    CHECK(true);
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static const struct ltcp_options syn = {
    .mss = 1460, .window_scale = 7, .ts_value = 10, .ts_echo = 0};

static void check_layout(struct ltcp_options o, unsigned present, const char *order,
                         const char *want)
{
    uint8_t kinds_in_order[40], out[40];
    size_t count = hex_bytes(order, kinds_in_order);
    o.present = (uint16_t)present;
    size_t length = ltcp_options_encode(&o, kinds_in_order, count, out);
    CHECK_BYTES(out, length, want);
}

static void linux_layouts(void)
{
    unsigned all =
        LTCP_HAS_MSS | LTCP_HAS_SACK_PERMITTED | LTCP_HAS_TIMESTAMPS | LTCP_HAS_WINDOW_SCALE;
    const char *order = "02 04 08 03 05";
    check_layout(syn, all, order, "020405b4 0402 080a0000000a00000000 01 030307");
    check_layout(syn, all & ~(unsigned)LTCP_HAS_TIMESTAMPS, order, "020405b4 0101 0402 01 030307");
    check_layout(syn, LTCP_HAS_TIMESTAMPS, order, "0101 080a 0000000a 00000000");
    check_layout(syn, LTCP_HAS_MSS, order, "020405b4");
    check_layout(syn, LTCP_HAS_MSS | LTCP_HAS_WINDOW_SCALE, order, "020405b4 01 030307");
    check_layout(syn, LTCP_HAS_MSS | LTCP_HAS_TIMESTAMPS | LTCP_HAS_WINDOW_SCALE, order,
                 "020405b4 0101 080a0000000a00000000 01 030307");
    check_layout(syn, 0, order, "");
    check_layout(syn, all, "", "");
    /* the order is the caller's; a kind that comes twice is written once */
    check_layout(syn, all, "03 03 02", "01 030307 020405b4");
    /* what the caller does not list is not written, what is not present neither */
    check_layout(syn, LTCP_HAS_MSS, "03 04 fe 00 01 02", "020405b4");
}

static void room_for_sack(void)
{
    struct ltcp_options o = {.sack_count = 4, .ts_value = 1, .ts_echo = 2};
    for (unsigned i = 0; i < 4; i++) {
        o.sack[i].left.n = 0x10 * i;
        o.sack[i].right.n = 0x10 * i + 8;
    }
    /* RFC 2018 section 3: four blocks in 40 bytes, three beside timestamps */
    check_layout(o, LTCP_HAS_SACK, "08 05",
                 "0101 0522 00000000 00000008 00000010 00000018 00000020 00000028 00000030 "
                 "00000038");
    check_layout(o, LTCP_HAS_SACK | LTCP_HAS_TIMESTAMPS, "08 05",
                 "0101 080a 00000001 00000002 0101 051a 00000000 00000008 00000010 00000018 "
                 "00000020 00000028");
    static const uint8_t md5[16] = {0};
    o.md5 = md5;
    check_layout(o, LTCP_HAS_MD5 | LTCP_HAS_TIMESTAMPS | LTCP_HAS_SACK, "13 08 05",
                 "0101 1312 00000000 00000000 00000000 00000000 0101 080a 00000001 00000002");
}

static void other_kinds_written(void)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct ltcp_options o = {.user_timeout = 0x8005,
                             .ao = bytes,
                             .ao_length = 6,
                             .fast_open = bytes,
                             .fast_open_length = 8};
    check_layout(o, LTCP_HAS_USER_TIMEOUT, "1c", "1c04 8005");
    check_layout(o, LTCP_HAS_AO, "1d", "1d08 010203040506");
    check_layout(o, LTCP_HAS_FAST_OPEN, "22", "220a 0102030405060708 0101");
    o.fast_open_experimental = true;
    check_layout(o, LTCP_HAS_FAST_OPEN, "22", "fe0c f989 0102030405060708");
    o.fast_open = NULL;
    o.fast_open_length = 0;
    check_layout(o, LTCP_HAS_FAST_OPEN, "22", "fe04 f989");
    o.fast_open_experimental = false;
    check_layout(o, LTCP_HAS_FAST_OPEN, "22", "2202 0101");
    o.accecn_kind = LTCP_OPTION_ACCECN1;
    o.accecn_count = 3;
    o.accecn[0] = 1;
    o.accecn[1] = 0x020304;
    o.accecn[2] = 0xFFFFFF;
    check_layout(o, LTCP_HAS_ACCECN, "ac ae", "01 ae0b 000001 020304 ffffff");
    o.accecn_count = 0;
    check_layout(o, LTCP_HAS_ACCECN, "ae", "0101 ae02");
}

/* An option of any length ends the header on a 32-bit boundary, or is left out. */
static void room_for_long_ones(void)
{
    static const uint8_t bytes[40] = {0};
    struct ltcp_options o = {.ao = bytes, .ao_length = 35, .window_scale = 1};
    uint8_t order[] = {LTCP_OPTION_AO, LTCP_OPTION_WINDOW_SCALE}, out[41];
    o.present = LTCP_HAS_AO | LTCP_HAS_WINDOW_SCALE;
    memset(out, 0xEE, sizeof out);
    CHECK_EQUAL(ltcp_options_encode(&o, order, 2, out), 40);
    CHECK(out[0] == 1 && out[1] == 1 && out[2] == 1 && out[3] == LTCP_OPTION_AO);
    CHECK_EQUAL(out[40], 0xEE);
    o.ao_length = 38;
    CHECK_EQUAL(ltcp_options_encode(&o, order, 2, out), 40);
    o.ao_length = 39; /* cannot be: left out, the other one is not */
    CHECK_EQUAL(ltcp_options_encode(&o, order, 2, out), 4);
    o.ao_length = 32;
    memset(out, 0xEE, sizeof out);
    CHECK_EQUAL(ltcp_options_encode(&o, order, 2, out), 40);
    CHECK_BYTES(out + 34, 6, "000001030301");
}

/* RFC9293:MUST-69 what fills up the header is zero.
 * A short option that counted on its successor to fill the word, which then had no room. */
static void end_of_list(void)
{
    static const uint8_t bytes[28] = {0};
    struct ltcp_options o = {.ao = bytes, .ao_length = 28};
    uint8_t order[] = {LTCP_OPTION_AO, LTCP_OPTION_SACK_PERMITTED, LTCP_OPTION_TIMESTAMPS}, out[40];
    o.present = LTCP_HAS_AO | LTCP_HAS_SACK_PERMITTED | LTCP_HAS_TIMESTAMPS;
    memset(out, 0xEE, sizeof out);
    CHECK_EQUAL(ltcp_options_encode(&o, order, 3, out), 36);
    CHECK_BYTES(out + 32, 4, "0402 0000");
}

static uint8_t cookie[16] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6};

/* Whatever is written is read again, and nothing else. */
static void decode_of_encode(void)
{
    static const uint8_t order[] = {2, 4, 8, 3, 5, 19, 28, 29, 34, 172};
    uint32_t state = 5;
    for (int turn = 0; turn < 50000; turn++) {
        struct ltcp_options o = {.md5 = cookie, .ao = cookie, .fast_open = cookie};
        o.present = check_random(&state) & check_random(&state) & 0x3FF;
        o.mss = (uint16_t)check_random(&state);
        o.window_scale = (uint8_t)check_random(&state);
        o.sack_count = (uint8_t)(1 + check_random(&state) % 4);
        for (unsigned i = 0; i < 4; i++) {
            o.sack[i].left.n = check_random(&state) << 8;
            o.sack[i].right.n = check_random(&state) << 4;
        }
        o.ts_value = check_random(&state) * 3u;
        o.ts_echo = check_random(&state) * 257u;
        o.user_timeout = (uint16_t)check_random(&state);
        o.ao_length = (uint8_t)(2 + check_random(&state) % 15);
        o.fast_open_length = (uint8_t)(check_random(&state) % 8 * 2);
        if (o.fast_open_length > 0) o.fast_open_length = (uint8_t)(o.fast_open_length + 2);
        o.fast_open_experimental = check_random(&state) % 2 == 0;
        o.accecn_kind = check_random(&state) % 2 == 0 ? 172 : 174;
        o.accecn_count = (uint8_t)(check_random(&state) % 4);
        for (unsigned i = 0; i < 3; i++)
            o.accecn[i] = check_random(&state);

        uint8_t *out = malloc(40);
        struct ltcp_options back;
        size_t length = ltcp_options_encode(&o, order, sizeof order, out);
        CHECK(length <= 40 && length % 4 == 0);
        CHECK_STATUS(ltcp_options_decode(out, length, &back), LTCP_OK);
        unsigned has = back.present;
        CHECK((has & ~(unsigned)o.present) == 0);
        if (has & LTCP_HAS_MSS) CHECK_EQUAL(back.mss, o.mss);
        if (has & LTCP_HAS_WINDOW_SCALE) CHECK_EQUAL(back.window_scale, o.window_scale);
        if (has & LTCP_HAS_SACK) {
            CHECK(back.sack_count >= 1 && back.sack_count <= o.sack_count);
            for (unsigned i = 0; i < back.sack_count; i++)
                CHECK(seq_eq(back.sack[i].left, o.sack[i].left) &&
                      seq_eq(back.sack[i].right, o.sack[i].right));
        }
        if (has & LTCP_HAS_TIMESTAMPS)
            CHECK(back.ts_value == o.ts_value && back.ts_echo == o.ts_echo);
        if (has & LTCP_HAS_MD5) CHECK(memcmp(back.md5, cookie, 16) == 0);
        if (has & LTCP_HAS_USER_TIMEOUT) CHECK_EQUAL(back.user_timeout, o.user_timeout);
        if (has & LTCP_HAS_AO)
            CHECK(back.ao_length == o.ao_length && memcmp(back.ao, cookie, o.ao_length) == 0);
        if (has & LTCP_HAS_FAST_OPEN)
            CHECK(back.fast_open_length == o.fast_open_length &&
                  back.fast_open_experimental == o.fast_open_experimental &&
                  memcmp(back.fast_open, cookie, o.fast_open_length) == 0);
        if (has & LTCP_HAS_ACCECN) {
            CHECK(back.accecn_kind == o.accecn_kind && back.accecn_count == o.accecn_count);
            for (unsigned i = 0; i < back.accecn_count; i++)
                CHECK_EQUAL(back.accecn[i], o.accecn[i]);
        }
        free(out);
    }
}

int main(void)
{
    each_kind();
    fast_open();
    accecn();
    at_any_alignment();
    unknown_kinds();
    illegal_lengths();
    wrong_lengths();
    walking();
    all_short_ones();
    linux_layouts();
    room_for_sack();
    other_kinds_written();
    room_for_long_ones();
    end_of_list();
    decode_of_encode();
    return check_finish();
}
