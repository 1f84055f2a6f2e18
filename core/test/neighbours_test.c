/* core/test/neighbours_test.c - the neighbours of an Ethernet inside a tunnel: who is asked, when,
 * and what is believed (RFC 826, RFC 4861 section 7). Frames are literal octets. */
#include "check.h"
#include "lunatcp/neighbours.h"
#include "lunatcp/wire.h"

static struct check_memory memory;
static struct ltcp_pool *pool;
static struct ltcp_neighbours *table;
static const struct ltcp_mac mine = {{2, 0, 10, 0, 0, 1}};

#define MINE  "02000a000001"
#define HIS   "02000a000002"
#define OTHER "02000a000003"
#define FD1   "fd000000 00000000 00000000 00000001"
#define FD2   "fd000000 00000000 00000000 00000002"
#define NONE  "00000000 00000000 00000000 00000000"
#define NODE1 "ff020000 00000000 00000001 ff000001"
#define NODE2 "ff020000 00000000 00000001 ff000002"
#define ALL   "ff020000 00000000 00000000 00000001"

static struct ltcp_address address_of(const char *text)
{
    struct ltcp_address address = {{0}};
    CHECK_STATUS(ltcp_address_parse(text, &address), LTCP_OK);
    return address;
}

static void open_table(void)
{
    struct ltcp_allocator allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    table = ltcp_neighbours_create(&allocator, &mine);
    struct ltcp_address four = address_of("10.0.0.1"), six = address_of("fd00::1");
    CHECK_STATUS(ltcp_neighbours_add_local(table, &four), LTCP_OK);
    CHECK_STATUS(ltcp_neighbours_add_local(table, &six), LTCP_OK);
}

static void close_table(void)
{
    ltcp_neighbours_destroy(table);
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
}

/* The next frame is that one, to that peer; NULL: there is none. */
static void frame_is(const char *want, uint32_t peer, int line)
{
    struct ltcp_neighbour_frame frame;
    bool there = ltcp_neighbours_next_frame(table, &frame);
    check_that(there == (want != NULL), __FILE__, line, "a frame");
    if (!there || want == NULL) return;
    check_bytes(frame.bytes, frame.length, want, __FILE__, line);
    check_equal(frame.peer, peer, __FILE__, line, "peer");
}
#define FRAME(want, peer) frame_is((want), (peer), __LINE__)
#define NO_FRAME()        frame_is(NULL, 0, __LINE__)

/* Octets with the checksum of ICMPv6 put in. */
static size_t icmpv6(const char *text, uint8_t *bytes)
{
    size_t length = hex_bytes(text, bytes);
    uint32_t sum = (uint32_t)(length - 40) + 58;
    bytes[42] = bytes[43] = 0;
    for (size_t i = 8; i < length; i += 2)
        sum += (uint32_t)(bytes[i] << 8 | (i + 1 < length ? bytes[i + 1] : 0));
    while (sum >> 16 != 0)
        sum = (sum & 0xFFFF) + (sum >> 16);
    bytes[42] = (uint8_t)(~sum >> 8);
    bytes[43] = (uint8_t)~sum;
    return length;
}

static const char *hear(ltcp_time now, const char *text, uint32_t peer)
{
    uint8_t bytes[256];
    size_t length = hex_bytes(text, bytes);
    if (bytes[0] >> 4 != 6)
        return ltcp_status_name(ltcp_neighbours_hear_arp(table, now, bytes, length, peer));
    length = icmpv6(text, bytes);
    return ltcp_status_name(ltcp_neighbours_hear(table, now, bytes, length, peer));
}
#define HEAR(now, text, peer) CHECK_TEXT(hear((now), (text), (peer)), "LTCP_OK")

static void frame_v6_is(const char *ethernet, const char *packet, uint32_t peer, int line)
{
    uint8_t bytes[256];
    size_t length = icmpv6(packet, bytes);
    struct ltcp_neighbour_frame frame;
    if (!check_that(ltcp_neighbours_next_frame(table, &frame), __FILE__, line, "a frame")) return;
    check_bytes(frame.bytes, 14, ethernet, __FILE__, line);
    check_equal(frame.length, (int64_t)length + 14, __FILE__, line, "length");
    check_that(memcmp(frame.bytes + 14, bytes, length) == 0, __FILE__, line, packet);
    check_equal(frame.peer, peer, __FILE__, line, "peer");
}
#define FRAME_V6(ethernet, packet, peer) frame_v6_is((ethernet), (packet), (peer), __LINE__)

/* Is it known where that address is? -1: no; else the last octet there. */
static int where(ltcp_time now, const char *destination, struct ltcp_packet *packet)
{
    struct ltcp_address to = address_of(destination);
    struct ltcp_address from = address_of(ltcp_address_is_v4(&to) ? "10.0.0.1" : "fd00::1");
    struct ltcp_mac mac;
    uint32_t peer;
    return ltcp_neighbours_find(table, now, &from, &to, packet, &mac, &peer) ? mac.bytes[5] : -1;
}

#define SECONDS(n) ((ltcp_time)(n)*LTCP_SECOND)

/* ---- ARP ----------------------------------------------------------------------------------------
 */

#define ARP(operation, from_mac, from, to_mac, to)                                                 \
    "0001 0800 06 04 " operation " " from_mac " " from " " to_mac " " to

/* RFC826:5-1 a request is broadcast, with our addresses and the protocol address that is sought;
 * RFC826:6-4 the reply is believed */
static void arp_asks(void)
{
    open_table();
    CHECK_EQUAL(where(0, "10.0.0.2", NULL), -1);
    FRAME("ffffffffffff" MINE "0806" ARP("0001", MINE, "0a000001", "000000000000", "0a000002"),
          LTCP_EVERY_PEER);
    NO_FRAME();
    CHECK_EQUAL(where(1, "10.0.0.2", NULL), -1); /* once is enough */
    NO_FRAME();
    HEAR(2, ARP("0002", HIS, "0a000002", MINE, "0a000001"), 5);
    CHECK_EQUAL(where(3, "10.0.0.2", NULL), 2);
    CHECK_EQUAL(ltcp_neighbours_counters(table).learned, 1);
    close_table();
}

/* RFC826:6-3 RFC826:6-7: the reply has the addresses swapped, and goes to who asked; RFC826:6-5 who
 * asks is noted; RFC826:6-6: nothing is answered for others */
static void arp_answers(void)
{
    open_table();
    HEAR(0, ARP("0001", HIS, "0a000002", "000000000000", "0a000001"), 4);
    FRAME(HIS MINE "0806" ARP("0002", MINE, "0a000001", HIS, "0a000002"), 4);
    CHECK_EQUAL(where(0, "10.0.0.2", NULL), 2);
    NO_FRAME();
    HEAR(0, ARP("0001", OTHER, "0a000003", "000000000000", "0a000009"), 4);
    HEAR(0, ARP("0002", OTHER, "0a000003", HIS, "0a000009"), 4);
    NO_FRAME();
    CHECK_EQUAL(ltcp_neighbours_counters(table).entries, 1);
    /* RFC826:6-5: whom we know already is updated by any request of his */
    HEAR(0, ARP("0001", OTHER, "0a000002", "000000000000", "0a000009"), 4);
    CHECK_EQUAL(where(0, "10.0.0.2", NULL), 3);
    /* RFC 5227 section 2.1.1: a probe is answered, and is nobody's address */
    HEAR(0, ARP("0001", OTHER, "00000000", "000000000000", "0a000001"), 4);
    FRAME(OTHER MINE "0806" ARP("0002", MINE, "0a000001", OTHER, "00000000"), 4);
    CHECK_EQUAL(ltcp_neighbours_counters(table).entries, 1);
    close_table();
}

/* RFC826:6-1 RFC826:6-2: another hardware or protocol is let be. */
static void arp_refuses(void)
{
    open_table();
    static const char *const bad[] = {
        "0006 0800 06 04 0001 " HIS " 0a000002 000000000000 0a000001",
        "0001 86dd 06 04 0001 " HIS " 0a000002 000000000000 0a000001",
        "0001 0800 08 04 0001 " HIS " 0a000002 000000000000 0a000001",
        "0001 0800 06 10 0001 " HIS " 0a000002 000000000000 0a000001",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_TEXT(hear(0, bad[i], 0), "LTCP_ERR_NOT_SUPPORTED");
    CHECK_TEXT(hear(0, ARP("0001", HIS, "0a000001", "000000000000", "0a000001"), 0),
               "LTCP_ERR_ADDRESS"); /* he says that he is us */
    CHECK_TEXT(hear(0, ARP("0001", "03000a000002", "0a000002", "000000000000", "0a000001"), 0),
               "LTCP_ERR_FRAMING");
    NO_FRAME();
    CHECK_EQUAL(ltcp_neighbours_counters(table).entries, 0);
    close_table();
}

/* ---- neighbour discovery ------------------------------------------------------------------------
 */

#define IP6(length, from, to) "60000000 " length "3aff" from to
#define ASK(from, to, target, option)                                                              \
    IP6("0020", from, to) "8700 0000 00000000" target "0101" option
#define TELL(from, to, flags, target, option)                                                      \
    IP6("0020", from, to) "8800 0000" flags "000000" target "0201" option

/* RFC4861:7.2.2-1 the solicited-node group is asked; RFC4861:7.2.2-3 from the packet's source;
 * RFC4861:7.2.2-4 with our Ethernet address */
static void solicits(void)
{
    open_table();
    CHECK_EQUAL(where(0, "fd00::2", NULL), -1);
    FRAME_V6("3333ff000002" MINE "86dd", ASK(FD1, NODE2, FD2, MINE), LTCP_EVERY_PEER);
    HEAR(1, TELL(FD2, FD1, "60", FD2, HIS), 7);
    CHECK_EQUAL(where(1, "fd00::2", NULL), 2);
    NO_FRAME();
    close_table();
}

/* RFC4861:7.2.2-5 and RFC4861:7.2.2-6: again every second, no sooner, three times in all;
 * RFC4861:7.2.2-7: then who waits hears of it */
static void asks_again(void)
{
    open_table();
    struct ltcp_packet *packet = ltcp_packet_create(pool), *back;
    struct ltcp_mac mac;
    uint32_t peer;
    bool failed = false;
    CHECK_EQUAL(where(0, "fd00::2", packet), -1);
    for (int i = 1; i <= 3; i++) {
        FRAME_V6("3333ff000002" MINE "86dd", ASK(FD1, NODE2, FD2, MINE), LTCP_EVERY_PEER);
        NO_FRAME();
        ltcp_neighbours_advance(table, SECONDS(i) - 1);
        NO_FRAME();
        CHECK(ltcp_neighbours_next_packet(table, &mac, &peer, &failed) == NULL);
        CHECK_EQUAL(ltcp_neighbours_deadline(table), SECONDS(i));
        ltcp_neighbours_advance(table, SECONDS(i));
    }
    NO_FRAME();
    back = ltcp_neighbours_next_packet(table, &mac, &peer, &failed);
    CHECK(back == packet && failed);
    ltcp_packet_unref(back);
    ltcp_packet_unref(packet);
    CHECK_EQUAL(ltcp_neighbours_deadline(table), LTCP_NEVER);
    CHECK_EQUAL(ltcp_neighbours_counters(table).failed, 1);
    CHECK_EQUAL(where(SECONDS(9), "fd00::2", NULL), -1); /* anew */
    FRAME_V6("3333ff000002" MINE "86dd", ASK(FD1, NODE2, FD2, MINE), LTCP_EVERY_PEER);
    close_table();
}

/* RFC4861:7.2.2-2: one packet waits, the latest, and goes when the answer comes. */
static void a_packet_waits(void)
{
    open_table();
    struct ltcp_packet *first = ltcp_packet_create(pool), *second = ltcp_packet_create(pool);
    struct ltcp_mac mac;
    uint32_t peer = 0;
    bool failed = true;
    where(0, "fd00::2", first);
    where(0, "fd00::2", second);
    CHECK_EQUAL(first->refs, 1);
    HEAR(1, TELL(FD2, FD1, "60", FD2, HIS), 7);
    struct ltcp_packet *back = ltcp_neighbours_next_packet(table, &mac, &peer, &failed);
    CHECK(back == second && !failed && peer == 7 && mac.bytes[5] == 2);
    CHECK(ltcp_neighbours_next_packet(table, &mac, &peer, &failed) == NULL);
    ltcp_packet_unref(back);
    ltcp_packet_unref(first);
    ltcp_packet_unref(second);
    close_table();
}

/* RFC4861:7.2.3-1 others' addresses are let be; RFC4861:7.2.3-3 who asks is noted;
 * RFC4861:7.2.4-1, -2, -3, -5: the answer has our address, no R, O, and S */
/* RFC4861:7.2.4-2 RFC4861:7.2.4-3 RFC4861:7.2.4-5 */
static void answers(void)
{
    open_table();
    HEAR(0, ASK(FD2, NODE1, FD1, HIS), 3);
    FRAME_V6(HIS MINE "86dd", TELL(FD1, FD2, "60", FD1, MINE), 3);
    CHECK_EQUAL(where(0, "fd00::2", NULL), 2);
    HEAR(0, ASK(FD2, FD1, FD1, OTHER), 3); /* asked of us alone, and he has moved */
    FRAME_V6(OTHER MINE "86dd", TELL(FD1, FD2, "60", FD1, MINE), 3);
    CHECK_EQUAL(where(0, "fd00::2", NULL), 3);
    HEAR(0, ASK(FD2, NODE2, FD2, HIS), 3);
    NO_FRAME();
    close_table();
}

/* RFC4861:7.2.4-4 RFC4861:7.2.3-2: to nobody in particular the answer goes to all nodes, without S,
 * and nothing is noted */
static void answers_nobody(void)
{
    open_table();
    HEAR(0, IP6("0018", NONE, NODE1) "8700 0000 00000000" FD1, 3);
    FRAME_V6("333300000001" MINE "86dd", TELL(FD1, ALL, "20", FD1, MINE), LTCP_EVERY_PEER);
    CHECK_EQUAL(ltcp_neighbours_counters(table).entries, 0);
    close_table();
}

/* RFC4861:7.2.4-7: who did not say where he is, is asked first. RFC4861:7.2-1: his message makes no
 * entry that has an address */
static void answers_the_unknown(void)
{
    open_table();
    HEAR(0, IP6("0018", FD2, NODE1) "8700 0000 00000000" FD1, 3);
    FRAME_V6("3333ff000002" MINE "86dd", ASK(FD1, NODE2, FD2, MINE), LTCP_EVERY_PEER);
    NO_FRAME();
    HEAR(1, TELL(FD2, FD1, "60", FD2, HIS), 3);
    FRAME_V6(HIS MINE "86dd", TELL(FD1, FD2, "60", FD1, MINE), 3);
    close_table();
}

/* RFC4861:7.2.5-1 what nobody asked about is let be; RFC4861:7.2.5-2 as is one without an address;
 * RFC4861:7.2.5-3: O does not matter to who waits */
static void believes_who_was_asked(void)
{
    open_table();
    HEAR(0, TELL(FD2, FD1, "60", FD2, HIS), 3);
    CHECK_EQUAL(ltcp_neighbours_counters(table).entries, 0);
    where(0, "fd00::2", NULL);
    HEAR(1, IP6("0018", FD2, FD1) "8800 0000 60000000" FD2, 3);
    CHECK_EQUAL(where(1, "fd00::2", NULL), -1);
    HEAR(1, TELL(FD2, FD1, "40", FD2, HIS), 3);
    CHECK_EQUAL(where(1, "fd00::2", NULL), 2);
    close_table();
}

/* RFC4861:7.2.5-4: without O another address is not taken; RFC4861:7.2.5-5: with O it is, and
 * RFC4861:7.2.5-6: S says whether it was verified */
static void overrides(void)
{
    open_table();
    where(0, "fd00::2", NULL);
    HEAR(1, TELL(FD2, FD1, "60", FD2, HIS), 3);
    HEAR(2, TELL(FD2, ALL, "00", FD2, OTHER), 3);
    CHECK_EQUAL(where(2, "fd00::2", NULL), 2);
    CHECK_EQUAL(ltcp_neighbours_deadline(table), 2 + SECONDS(5)); /* doubted: DELAY */
    HEAR(3, TELL(FD2, FD1, "40", FD2, OTHER), 3);
    CHECK_EQUAL(where(3, "fd00::2", NULL), 2);
    HEAR(4, TELL(FD2, FD1, "40", FD2, HIS), 3);
    CHECK_EQUAL(ltcp_neighbours_deadline(table), LTCP_NEVER);
    HEAR(5, TELL(FD2, ALL, "20", FD2, OTHER), 3);
    CHECK_EQUAL(where(5, "fd00::2", NULL), 3);
    CHECK_EQUAL(ltcp_neighbours_deadline(table), 5 + SECONDS(5));
    HEAR(6, TELL(FD2, FD1, "60", FD2, HIS), 3);
    CHECK_EQUAL(where(6, "fd00::2", NULL), 2);
    CHECK_EQUAL(ltcp_neighbours_deadline(table), LTCP_NEVER);
    close_table();
}

/* RFC4861:7.3.3-1: after 30 s it is doubted when it is used, and 5 s later RFC4861:7.3.3-2 asked,
 * it alone; RFC4861:7.3.3-3: three times, then it is forgotten */
static void doubts(void)
{
    open_table();
    where(0, "fd00::2", NULL);
    struct ltcp_neighbour_frame frame;
    CHECK(ltcp_neighbours_next_frame(table, &frame));
    HEAR(0, TELL(FD2, FD1, "60", FD2, HIS), 3);
    CHECK_EQUAL(where(SECONDS(30) - 1, "fd00::2", NULL), 2);
    CHECK_EQUAL(ltcp_neighbours_deadline(table), LTCP_NEVER);
    CHECK_EQUAL(where(SECONDS(30), "fd00::2", NULL), 2);
    CHECK_EQUAL(ltcp_neighbours_deadline(table), SECONDS(35));
    NO_FRAME();
    for (int i = 0; i < 3; i++) {
        ltcp_neighbours_advance(table, SECONDS(35 + i));
        FRAME_V6(HIS MINE "86dd", ASK(FD1, FD2, FD2, MINE), 3);
        CHECK_EQUAL(where(SECONDS(35 + i), "fd00::2", NULL), 2);
    }
    ltcp_neighbours_advance(table, SECONDS(38));
    CHECK_EQUAL(where(SECONDS(38), "fd00::2", NULL), -1);
    FRAME_V6("3333ff000002" MINE "86dd", ASK(FD1, NODE2, FD2, MINE), LTCP_EVERY_PEER);
    close_table();
}

/* RFC4861:7.2-2: groups are never asked for. */
static void groups(void)
{
    open_table();
    CHECK_EQUAL(where(0, "ff02::5", NULL), 5);
    CHECK_EQUAL(where(0, "224.0.0.7", NULL), 7);
    CHECK_EQUAL(where(0, "255.255.255.255", NULL), 255);
    NO_FRAME();
    CHECK_EQUAL(ltcp_neighbours_counters(table).entries, 0);
    close_table();
}

/* ---- bounds -------------------------------------------------------------------------------------
 */

static void stays_within_its_bounds(void)
{
    open_table();
    size_t before = memory.live;
    struct ltcp_address fixed = address_of("10.9.9.9");
    const struct ltcp_mac mac = {{2, 0, 0, 0, 0, 9}};
    CHECK_STATUS(ltcp_neighbours_add_static(table, &fixed, &mac, 1), LTCP_OK);
    for (unsigned i = 0; i < 100000; i++) {
        char text[160];
        snprintf(text, sizeof text, ARP("0001", "0200%08x", "0a%06x", "000000000000", "0a000001"),
                 i, i + 256);
        HEAR((ltcp_time)i, text, i);
    }
    CHECK_EQUAL(memory.live, before);
    struct ltcp_neighbours_counters counters = ltcp_neighbours_counters(table);
    CHECK(counters.entries <= LTCP_NEIGHBOURS && counters.forgotten > 90000);
    CHECK_EQUAL(counters.dropped, 100000 - LTCP_NEIGHBOUR_FRAMES);
    CHECK_EQUAL(where(100001, "10.9.9.9", NULL), 9);
    /* nor can it be overwritten */
    HEAR(100002, ARP("0001", HIS, "0a090909", "000000000000", "0a000001"), 0);
    CHECK_EQUAL(where(100003, "10.9.9.9", NULL), 9);
    close_table();
}

static void out_of_memory(void)
{
    struct ltcp_allocator allocator = check_allocator(&memory);
    memory.remaining = 0;
    CHECK(ltcp_neighbours_create(&allocator, &mine) == NULL);
    ltcp_neighbours_destroy(NULL);
}

int main(void)
{
    arp_asks();
    arp_answers();
    arp_refuses();
    solicits();
    asks_again();
    a_packet_waits();
    answers();
    answers_nobody();
    answers_the_unknown();
    believes_who_was_asked();
    overrides();
    doubts();
    groups();
    stays_within_its_bounds();
    out_of_memory();
    return check_finish();
}
