/* core/test/wire_address_test.c - status words, sequence numbers, addresses. */
#include "check.h"

static void status_words(void)
{
    CHECK_TEXT(ltcp_status_name(LTCP_OK), "LTCP_OK");
    CHECK_TEXT(ltcp_status_message(LTCP_OK), "success");
    CHECK_TEXT(ltcp_status_name(LTCP_ERR_RESET), "LTCP_ERR_RESET");
    CHECK_TEXT(ltcp_status_code(LTCP_ERR_RESET), "ECONNRESET");
    CHECK_TEXT(ltcp_status_message(LTCP_ERR_RESET), "connection reset by peer");
    CHECK_TEXT(ltcp_status_code(LTCP_AGAIN), "EAGAIN");
    CHECK_TEXT(ltcp_status_name(LTCP_ERR_ADDRESS), "LTCP_ERR_ADDRESS");
    for (int i = 0; i < LTCP_STATUS_COUNT + 2; i++) {
        enum ltcp_status status = (enum ltcp_status)i;
        CHECK(ltcp_status_name(status) != NULL && ltcp_status_name(status)[0] != '\0');
        CHECK(ltcp_status_code(status) != NULL);
        CHECK(ltcp_status_message(status) != NULL && ltcp_status_message(status)[0] != '\0');
    }
}

/* RFC 9293 section 3.4: modulo 2^32. */
static void sequence_numbers(void)
{
    ltcp_seq low = ltcp_seq_of(0xFFFFFFF0), high = ltcp_seq_of(0x10);
    CHECK(seq_lt(low, high) && !seq_lt(high, low) && !seq_lt(low, low));
    CHECK(seq_le(low, low) && seq_le(low, high) && !seq_le(high, low));
    CHECK(seq_gt(high, low) && seq_ge(high, high));
    CHECK(seq_eq(seq_add(low, 0x20), high) && seq_eq(seq_sub(high, 0x20), low));
    CHECK_EQUAL(seq_diff(high, low), 0x20);
    CHECK(seq_eq(seq_max(low, high), high) && seq_eq(seq_min(low, high), low));
}

/* RFC 4291 section 2.2 and RFC 5952: what is read, and how it is written again. */
static void texts(void)
{
    static const char *const pairs[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::ffff:192.0.2.33", "192.0.2.33"},
        {"::FFFF:C000:0221", "192.0.2.33"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"0:0:0:0:0:0:0:0", "::"},
        {"ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", "abcd:ef01:2345:6789:abcd:ef01:2345:6789"},
        {"2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"},
        {"FF01:0:0:0:0:0:0:101", "ff01::101"},
        {"0:0:0:0:0:0:13.1.68.3", "::d01:4403"},
        {"::13.1.68.3", "::d01:4403"},
        {"1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        /* RFC 5952 section 4.2.2: one zero group is not shortened */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        /* 4.2.3: the longest run, the first of equals */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        /* 4.1: no leading zeros; 4.3: lower case */
        {"2001:0db8::0001", "2001:db8::1"},
        {"2001:db8::AaAa", "2001:db8::aaaa"},
        {"1:0:0:4:5:6:0:0", "1::4:5:6:0:0"},
        {"0:0:3:4:5:0:0:0", "0:0:3:4:5::"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct ltcp_address a, b;
        char text[LTCP_ADDRESS_TEXT];
        CHECK_STATUS(ltcp_address_parse(pairs[i][0], &a), LTCP_OK);
        CHECK_EQUAL(ltcp_address_format(&a, text), strlen(pairs[i][1]));
        CHECK_TEXT(text, pairs[i][1]);
        CHECK_STATUS(ltcp_address_parse(text, &b), LTCP_OK);
        CHECK(ltcp_address_equal(&a, &b));
    }
}

static void not_addresses(void)
{
    static const char *const texts[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "01.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.4444",
        "a.b.c.d",
        "1.2.3.-4",
        "0x1.2.3.4",
        ":",
        ":::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8",
        "1::2::3",
        "12345::",
        "g::",
        "1:2:3:4:5:6:7:",
        ":1:2:3:4:5:6:7:8",
        "::1.2.3",
        "::1.2.3.4.5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3.4:5",
        "fe80::1%eth",
        "[::1]",
        "::1/64",
        "1:2:3:4:5:6:1.2.3.400",
        "1:::2",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct ltcp_address a;
        if (!CHECK_STATUS(ltcp_address_parse(texts[i], &a), LTCP_ERR_INVALID))
            printf("    \"%s\"\n", texts[i]);
    }
}

static void classes(void)
{
    static const struct {
        const char *text;
        bool v4, unspecified, multicast, broadcast;
    } rows[] = {
        {"0.0.0.0", true, true, false, false},
        {"223.255.255.255", true, false, false, false},
        {"224.0.0.1", true, false, true, false},
        {"239.255.255.255", true, false, true, false},
        {"240.0.0.0", true, false, false, false},
        {"255.255.255.254", true, false, false, false},
        {"255.255.255.255", true, false, false, true},
        {"::", false, true, false, false},
        {"::1", false, false, false, false},
        {"ff02::1", false, false, true, false},
        {"fe80::1", false, false, false, false},
        {"::fffe:1.2.3.4", false, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ltcp_address a;
        CHECK_STATUS(ltcp_address_parse(rows[i].text, &a), LTCP_OK);
        CHECK_EQUAL(ltcp_address_is_v4(&a), rows[i].v4);
        CHECK_EQUAL(ltcp_address_is_unspecified(&a), rows[i].unspecified);
        CHECK_EQUAL(ltcp_address_is_multicast(&a), rows[i].multicast);
        CHECK_EQUAL(ltcp_address_is_broadcast(&a), rows[i].broadcast);
    }
    struct ltcp_address a = ltcp_address_v4(192, 0, 2, 1);
    CHECK_BYTES(a.bytes, 16, "00000000 00000000 0000ffff c0000201");
}

/* Every address that is made of zero and nonzero groups comes back from its text. */
static void round_trips(void)
{
    uint32_t state = 7;
    for (int turn = 0; turn < 20000; turn++) {
        struct ltcp_address a, b;
        for (int i = 0; i < 8; i++) {
            uint32_t value = turn >> i & 1 ? check_random(&state) & 0xFFFF : 0;
            if (turn >> 8 & 1) value &= 0xF;
            a.bytes[2 * i] = (uint8_t)(value >> 8);
            a.bytes[2 * i + 1] = (uint8_t)value;
        }
        char text[LTCP_ADDRESS_TEXT];
        size_t length = ltcp_address_format(&a, text);
        CHECK(length < LTCP_ADDRESS_TEXT && strlen(text) == length);
        CHECK_STATUS(ltcp_address_parse(text, &b), LTCP_OK);
        CHECK(ltcp_address_equal(&a, &b));
    }
}

int main(void)
{
    status_words();
    sequence_numbers();
    texts();
    not_addresses();
    classes();
    round_trips();
    return check_finish();
}
