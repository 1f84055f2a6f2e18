/* core/test/network_router_test.c - forwarding and the ICMP errors of routers (RFC 1812, 4443).
 *
 * left --- 10.0.0/24 --- router --- 10.0.1/24 --- right, and fd00::0:x/112, fd00::100:x/112. */
#include "network_samples.h"

static struct lab lab;
static uint32_t left, router, right, near_link, far_link;

static struct ltcp_address v6(uint8_t subnet, uint8_t node)
{
    return (struct ltcp_address){{0xfd, [13] = subnet, [15] = node}};
}

static void begin(void)
{
    lab_open(&lab, 1);
    left = lab_peer(&lab);
    router = lab_router(&lab);
    right = lab_peer(&lab);
    near_link = lab_link(&lab, left, router, 0, NULL);
    far_link = lab_link(&lab, router, right, 1, NULL);
}

/* From left to right. */
static struct sample across(void)
{
    return (struct sample){.source = ltcp_address_v4(10, 0, 0, 1),
                           .destination = ltcp_address_v4(10, 0, 1, 2),
                           .source_port = 1000,
                           .destination_port = 80,
                           .flags = LTCP_ACK,
                           .length = 100};
}

static struct ltcp_packet *run_and_take(uint32_t node)
{
    lab_run(&lab);
    return ltcp_network_peer_receive(lab.network, node);
}

static void expect_nothing(void)
{
    lab_run(&lab);
    CHECK(ltcp_network_peer_receive(lab.network, left) == NULL);
    CHECK(ltcp_network_peer_receive(lab.network, right) == NULL);
}

/* The error that comes back to left; what it quotes is what left had sent. */
static struct ltcp_icmp expect_error(const struct ltcp_packet *sent, enum ltcp_icmp_kind kind,
                                     const struct ltcp_address *from)
{
    struct ltcp_ip ip;
    struct ltcp_icmp icmp = {.kind = LTCP_ICMP_OTHER};
    struct ltcp_packet *packet = run_and_take(left);
    if (!CHECK(packet != NULL)) return icmp;
    CHECK_STATUS(ltcp_ip_decode(packet, &ip), LTCP_OK);
    CHECK_STATUS(ltcp_icmp_decode(packet, &ip, &icmp), LTCP_OK);
    CHECK_EQUAL(icmp.kind, kind);
    CHECK(ltcp_address_equal(&ip.source, from));
    CHECK_EQUAL(ip.ttl, 64);
    CHECK_EQUAL(ip.dscp, 48);
    uint8_t bytes[2048];
    size_t length = ltcp_packet_bytes(sent, bytes, sizeof bytes);
    size_t most = ip.version == 4 ? 576 - 28 : 1280 - 48;
    CHECK_EQUAL(icmp.quote_length, length < most ? length : most);
    CHECK(memcmp(icmp.quote, bytes, icmp.quote_length) == 0);
    ltcp_packet_unref(packet);
    CHECK(ltcp_network_peer_receive(lab.network, left) == NULL);
    return icmp;
}

static void send_and_keep(struct ltcp_packet *packet)
{
    CHECK_STATUS(ltcp_network_send(lab.network, left, LTCP_NOWHERE, packet), LTCP_OK);
}

static void forwarding(void)
{
    begin();
    struct sample sample = across();
    for (int version = 4; version <= 6; version += 2) {
        if (version == 6) {
            sample.source = v6(0, 1);
            sample.destination = v6(1, 2);
        }
        lab_send(&lab, left, sample_packet(lab.pool, &sample));
        struct ltcp_packet *packet = run_and_take(right);
        struct ltcp_ip ip;
        struct ltcp_segment segment;
        CHECK(packet != NULL);
        CHECK_STATUS(ltcp_ip_decode(packet, &ip), LTCP_OK); /* the header's checksum too */
        CHECK_EQUAL(ip.version, version);
        CHECK_EQUAL(ip.ttl, 63);
        CHECK_STATUS(ltcp_segment_decode(packet, &ip, &segment), LTCP_OK);
        CHECK_EQUAL(segment.length, 100);
        CHECK_EQUAL(packet->id, version == 4 ? 1 : 2); /* the id that the first link gave */
        ltcp_packet_unref(packet);
    }
    /* Back again. */
    sample = across();
    sample.source = ltcp_address_v4(10, 0, 1, 2);
    sample.destination = ltcp_address_v4(10, 0, 0, 1);
    lab_send(&lab, right, sample_packet(lab.pool, &sample));
    struct ltcp_packet *packet = run_and_take(left);
    CHECK(packet != NULL);
    ltcp_packet_unref(packet);
    lab_close(&lab);
}

static void time_exceeded(void)
{
    begin();
    const struct ltcp_address router4 = ltcp_address_v4(10, 0, 0, 2), router6 = v6(0, 2);
    struct sample sample = across();
    sample.ttl = 2;
    lab_send(&lab, left, sample_packet(lab.pool, &sample));
    struct ltcp_packet *packet = run_and_take(right);
    CHECK(packet != NULL);
    ltcp_packet_unref(packet);

    sample.ttl = 1;
    sample.length = 1400;
    packet = sample_packet(lab.pool, &sample);
    send_and_keep(packet);
    expect_error(packet, LTCP_ICMP_TIME_EXCEEDED, &router4);
    ltcp_packet_unref(packet);

    sample.source = v6(0, 1);
    sample.destination = v6(1, 2);
    packet = sample_packet(lab.pool, &sample);
    send_and_keep(packet);
    expect_error(packet, LTCP_ICMP_TIME_EXCEEDED, &router6);
    ltcp_packet_unref(packet);
    CHECK(ltcp_network_peer_receive(lab.network, right) == NULL);
    lab_close(&lab);
}

static void too_big(void)
{
    begin();
    const struct ltcp_address router4 = ltcp_address_v4(10, 0, 0, 2), router6 = v6(0, 2);
    CHECK_STATUS(ltcp_network_set_mtu(lab.network, far_link, 1300), LTCP_OK);
    struct sample sample = across();
    sample.length = 1260;
    lab_send(&lab, left, sample_packet(lab.pool, &sample));
    struct ltcp_packet *packet = run_and_take(right);
    CHECK(packet != NULL); /* 1,300 octets */
    ltcp_packet_unref(packet);

    sample.length = 1261;
    for (int i = 0; i < 2; i++) {
        if (i == 1) {
            sample.source = v6(0, 1);
            sample.destination = v6(1, 2);
        }
        packet = sample_packet(lab.pool, &sample);
        send_and_keep(packet);
        struct ltcp_icmp icmp =
            expect_error(packet, LTCP_ICMP_TOO_BIG, i == 1 ? &router6 : &router4);
        CHECK_EQUAL(icmp.mtu, 1300);
        ltcp_packet_unref(packet);
    }
    /* A path's own limit is a black hole. */
    CHECK_STATUS(ltcp_network_set_mtu(lab.network, far_link, 1500), LTCP_OK);
    struct ltcp_path_config config = {.mtu = 1300};
    CHECK_STATUS(ltcp_path_configure(ltcp_network_path(lab.network, far_link, 0), &config),
                 LTCP_OK);
    lab_send(&lab, left, sample_packet(lab.pool, &sample));
    expect_nothing();
    lab_close(&lab);
}

static void unreachable(void)
{
    begin();
    const struct ltcp_address router4 = ltcp_address_v4(10, 0, 0, 2);
    struct sample sample = across();
    sample.destination = ltcp_address_v4(192, 0, 2, 1);
    struct ltcp_packet *packet = sample_packet(lab.pool, &sample);
    send_and_keep(packet);
    expect_error(packet, LTCP_ICMP_NET_UNREACHABLE, &router4);
    ltcp_packet_unref(packet);
    uint64_t serial = 0;
    const struct ltcp_trace_packet *record, *last = NULL;
    unsigned drops = 0;
    while ((record = ltcp_trace_next_packet(lab.trace, &serial)) != NULL)
        if (record->kind == LTCP_TRACE_DROPPED) {
            last = record;
            drops++;
        }
    CHECK(drops == 1 && last->reason == LTCP_DROP_ROUTE && last->link == near_link);

    /* A TCP that the router itself does not have, and a port. */
    sample.destination = ltcp_address_v4(10, 0, 1, 1);
    packet = sample_packet(lab.pool, &sample);
    send_and_keep(packet);
    expect_error(packet, LTCP_ICMP_PROTOCOL_UNREACHABLE, &router4);
    ltcp_packet_unref(packet);
    lab_close(&lab);
}

static void routes(void)
{
    begin();
    const struct ltcp_address everything = ltcp_address_v4(0, 0, 0, 0),
                              ten = {{[10] = 0xff, [11] = 0xff, [12] = 10}};
    const struct ltcp_address one = ltcp_address_v4(10, 9, 9, 9);
    const struct ltcp_address everything6 = {{0}};
    struct sample sample = across();
    struct ltcp_network *n = lab.network;
    sample.destination = ltcp_address_v4(192, 0, 2, 1);
    /* IPv6's default route is not IPv4's. */
    CHECK_STATUS(ltcp_network_add_route(n, router, &everything6, 0, far_link), LTCP_OK);
    lab_send(&lab, left, sample_packet(lab.pool, &sample));
    struct ltcp_packet *packet = run_and_take(right);
    CHECK(packet == NULL);
    ltcp_packet_unref(ltcp_network_peer_receive(n, left));
    CHECK_STATUS(ltcp_network_add_route(n, router, &everything, 0, far_link), LTCP_OK);
    lab_send(&lab, left, sample_packet(lab.pool, &sample));
    packet = run_and_take(right);
    CHECK(packet != NULL);
    ltcp_packet_unref(packet);
    sample.destination = ltcp_address_v4(10, 9, 9, 8);
    lab_send(&lab, left, sample_packet(lab.pool, &sample));
    packet = run_and_take(right);
    CHECK(packet != NULL);
    ltcp_packet_unref(packet);

    /* The longest prefix wins, whatever the order: 10/8 back to the left, 10.9.9.9 to the right. */
    CHECK_STATUS(ltcp_network_add_route(n, router, &one, 32, far_link), LTCP_OK);
    CHECK_STATUS(ltcp_network_add_route(n, router, &ten, 8, near_link), LTCP_OK);
    sample.destination = one;
    lab_send(&lab, left, sample_packet(lab.pool, &sample));
    packet = run_and_take(right);
    CHECK(packet != NULL);
    ltcp_packet_unref(packet);
    sample.destination = ltcp_address_v4(10, 9, 9, 8);
    lab_send(&lab, left, sample_packet(lab.pool, &sample));
    packet = run_and_take(left);
    CHECK(packet != NULL && packet->head[8] == 63);
    ltcp_packet_unref(packet);

    CHECK_STATUS(ltcp_network_add_route(n, router, &ten, 33, far_link), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_add_route(n, router, &everything6, 129, far_link), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_add_route(n, left, &ten, 8, far_link), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_add_route(n, 99, &ten, 8, far_link), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_add_route(n, router, &ten, 8, 99), LTCP_ERR_INVALID);
    lab_close(&lab);
}

/* ---- RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 (e): when there is no answer ----------------
 */

static void resum(struct ltcp_packet *packet)
{
    packet->head[10] = packet->head[11] = 0;
    uint16_t checksum = ltcp_sum_finish(ltcp_sum(0, packet->head, 20));
    memcpy(packet->head + 10, &checksum, 2);
}

static void no_errors_about_errors(void)
{
    begin();
    struct ltcp_ip ip = {.source = ltcp_address_v4(10, 0, 0, 1),
                         .destination = ltcp_address_v4(10, 0, 1, 2),
                         .ttl = 1};
    struct ltcp_ip ip6 = {.source = v6(0, 1), .destination = v6(1, 2), .ttl = 1};
    static const uint8_t quote[64] = {0x45};
    static const enum ltcp_icmp_kind errors[] = {LTCP_ICMP_NET_UNREACHABLE, LTCP_ICMP_TOO_BIG,
                                                 LTCP_ICMP_TIME_EXCEEDED,
                                                 LTCP_ICMP_PARAMETER_PROBLEM};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct ltcp_icmp icmp = {.kind = errors[i], .quote = quote, .quote_length = sizeof quote};
        lab_send(&lab, left, ltcp_icmp_encode(lab.pool, &ip, &icmp));
        expect_nothing();
        lab_send(&lab, left, ltcp_icmp_encode(lab.pool, &ip6, &icmp));
        expect_nothing();
    }
    /* A question may be answered with an error. */
    struct ltcp_icmp echo = {.kind = LTCP_ICMP_ECHO};
    const struct ltcp_address router4 = ltcp_address_v4(10, 0, 0, 2), router6 = v6(0, 2);
    struct ltcp_packet *packet = ltcp_icmp_encode(lab.pool, &ip, &echo);
    send_and_keep(packet);
    expect_error(packet, LTCP_ICMP_TIME_EXCEEDED, &router4);
    ltcp_packet_unref(packet);
    packet = ltcp_icmp_encode(lab.pool, &ip6, &echo);
    send_and_keep(packet);
    expect_error(packet, LTCP_ICMP_TIME_EXCEEDED, &router6);
    ltcp_packet_unref(packet);
    lab_close(&lab);
}

static void no_errors_about_these(void)
{
    begin();
    const struct ltcp_address unspecified = {{0}};
    const struct ltcp_address group6 = {{0xff, 0x02, [15] = 1}}, loopback6 = {{[15] = 1}};
    const struct {
        struct ltcp_address source, destination;
    } cases[] = {
        {ltcp_address_v4(10, 0, 0, 1), ltcp_address_v4(224, 0, 0, 1)},
        {ltcp_address_v4(10, 0, 0, 1), ltcp_address_v4(255, 255, 255, 255)},
        {ltcp_address_v4(10, 0, 0, 1), ltcp_address_v4(10, 0, 1, 255)}, /* directed broadcast */
        {ltcp_address_v4(0, 0, 0, 0), ltcp_address_v4(192, 0, 2, 1)},
        {ltcp_address_v4(127, 0, 0, 1), ltcp_address_v4(192, 0, 2, 1)},
        {ltcp_address_v4(224, 0, 0, 1), ltcp_address_v4(192, 0, 2, 1)},
        {ltcp_address_v4(240, 0, 0, 1), ltcp_address_v4(192, 0, 2, 1)},
        {v6(0, 1), group6},
        {unspecified, v6(9, 1)},
        {group6, v6(9, 1)},
        {loopback6, v6(9, 1)},
    };
    /* There is a route back: errors would take it. */
    const struct ltcp_address all4 = ltcp_address_v4(0, 0, 0, 0), all6 = {{0}};
    CHECK_STATUS(ltcp_network_add_route(lab.network, router, &all4, 0, near_link), LTCP_OK);
    CHECK_STATUS(ltcp_network_add_route(lab.network, router, &all6, 0, near_link), LTCP_OK);
    struct sample sample = across();
    sample.ttl = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sample.source = cases[i].source;
        sample.destination = cases[i].destination;
        lab_send(&lab, left, sample_packet(lab.pool, &sample));
        expect_nothing();
    }

    /* The first fragment is answered, the others are not. */
    sample = across();
    sample.ttl = 1;
    const struct ltcp_address router4 = ltcp_address_v4(10, 0, 0, 2);
    struct ltcp_packet *packet = sample_packet(lab.pool, &sample);
    packet->head[6] = 0x20;
    resum(packet);
    send_and_keep(packet);
    expect_error(packet, LTCP_ICMP_TIME_EXCEEDED, &router4);
    ltcp_packet_unref(packet);
    packet = sample_packet(lab.pool, &sample);
    packet->head[6] = 0x20;
    packet->head[7] = 8;
    resum(packet);
    lab_send(&lab, left, packet);
    expect_nothing();
    /* A broken header is not answered; it may not even be the sender's address. */
    packet = sample_packet(lab.pool, &sample);
    packet->head[10] ^= 1;
    lab_send(&lab, left, packet);
    expect_nothing();
    lab_close(&lab);
}

/* RFC 1812 section 4.3.2.8: 64 at once, then one each millisecond. */
static void rate_limit(void)
{
    begin();
    struct sample sample = across();
    sample.ttl = 1;
    struct ltcp_step_detail detail;
    static const unsigned expected[] = {64, 10, 0, 64};
    static const ltcp_time pauses[] = {0, 10 * LTCP_MILLISECOND, LTCP_MILLISECOND - 1, LTCP_SECOND};
    for (int i = 0; i < 4; i++) {
        ltcp_network_step(lab.network, ltcp_network_now(lab.network) + pauses[i], 0, &detail);
        for (int j = 0; j < 100; j++)
            lab_send(&lab, left, sample_packet(lab.pool, &sample));
        lab_run(&lab);
        unsigned answers = 0;
        for (struct ltcp_packet *p; (p = ltcp_network_peer_receive(lab.network, left)) != NULL;
             answers++)
            ltcp_packet_unref(p);
        CHECK_EQUAL(answers, expected[i]);
    }
    lab_close(&lab);
}

static void echo(void)
{
    begin();
    uint8_t data[1400];
    memset(data, 0x5C, sizeof data);
    struct ltcp_icmp request = {.kind = LTCP_ICMP_ECHO,
                                .echo_id = 7,
                                .echo_seq = 9,
                                .quote = data,
                                .quote_length = sizeof data};
    for (int version = 4; version <= 6; version += 2) {
        struct ltcp_ip ip = {.source = ltcp_address_v4(10, 0, 0, 1),
                             .destination = ltcp_address_v4(10, 0, 1, 1),
                             .ttl = 1}; /* a packet that has arrived needs no more */
        if (version == 6) {
            ip.source = v6(0, 1);
            ip.destination = v6(1, 1);
        }
        lab_send(&lab, left, ltcp_icmp_encode(lab.pool, &ip, &request));
        struct ltcp_packet *packet = run_and_take(left);
        struct ltcp_ip got;
        struct ltcp_icmp reply = {0};
        CHECK(packet != NULL);
        CHECK_STATUS(ltcp_ip_decode(packet, &got), LTCP_OK);
        CHECK(ltcp_address_equal(&got.source, &ip.destination));
        CHECK_STATUS(ltcp_icmp_decode(packet, &got, &reply), LTCP_OK);
        CHECK(reply.kind == LTCP_ICMP_ECHO_REPLY && reply.echo_id == 7 && reply.echo_seq == 9);
        CHECK(reply.quote_length == sizeof data && memcmp(reply.quote, data, sizeof data) == 0);
        ltcp_packet_unref(packet);
    }
    lab_close(&lab);
}

/* ---- source routes: RFC 791 section 3.1, RFC 1812 section 5.3.13.4 ------------------------------
 */

enum { LOOSE = 131, STRICT = 137, OPTION = 21 }; /* behind a NOP: at an odd place */

/* From left to `destination`, with NOP and an option of `count` addresses (10.0.x.y: x << 8 | y).
 */
static struct ltcp_packet *routed(struct ltcp_address destination, uint8_t kind, uint8_t pointer,
                                  size_t count, const uint16_t *addresses, uint8_t ttl)
{
    uint8_t options[40] = {1, kind, (uint8_t)(3 + 4 * count), pointer};
    for (size_t i = 0; i < count; i++) {
        options[4 + 4 * i] = 10;
        options[6 + 4 * i] = (uint8_t)(addresses[i] >> 8);
        options[7 + 4 * i] = (uint8_t)addresses[i];
    }
    struct ltcp_packet *packet = ltcp_packet_create(lab.pool);
    const struct ltcp_ip ip = {.source = ltcp_address_v4(10, 0, 0, 1),
                               .destination = destination,
                               .protocol = LTCP_PROTOCOL_TCP,
                               .ttl = ttl,
                               .options = options,
                               .options_length = (uint16_t)(4 + 4 * count)};
    const struct ltcp_segment segment = {.source_port = 1, .destination_port = 2};
    ltcp_segment_encode(packet, &ip, &segment);
    return packet;
}

/* What right got; its option's octets are compared, and its checksums verified. */
static void expect_routed(uint8_t pointer, size_t count, const uint16_t *addresses)
{
    struct ltcp_ip ip;
    struct ltcp_segment segment;
    struct ltcp_packet *packet = run_and_take(right);
    if (!CHECK(packet != NULL)) return;
    CHECK_STATUS(ltcp_ip_decode(packet, &ip), LTCP_OK);
    CHECK_EQUAL(ip.ttl, 63);
    CHECK_EQUAL(packet->head[OPTION + 2], pointer);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *a = packet->head + OPTION + 3 + 4 * i;
        CHECK(a[0] == 10 && a[1] == 0);
        CHECK_EQUAL(a[2] << 8 | a[3], addresses[i]);
    }
    if (pointer > packet->head[OPTION + 1]) {
        const struct ltcp_address right4 = ltcp_address_v4(10, 0, 1, 2);
        CHECK(ltcp_address_equal(&ip.destination, &right4));
        CHECK_STATUS(ltcp_segment_decode(packet, &ip, &segment), LTCP_OK);
    }
    ltcp_packet_unref(packet);
    CHECK(ltcp_network_peer_receive(lab.network, left) == NULL);
}

static void source_route_forwarding(void)
{
    begin();
    const struct ltcp_address near4 = ltcp_address_v4(10, 0, 0, 2),
                              right4 = ltcp_address_v4(10, 0, 1, 2);
    const uint8_t kinds[] = {LOOSE, STRICT};
    for (size_t i = 0; i < 2; i++) {
        /* The address "as known in the environment into which this datagram is being forwarded". */
        struct ltcp_packet *packet = routed(near4, kinds[i], 4, 1, (const uint16_t[]){0x102}, 64);
        uint8_t before[128], after[128];
        const size_t length = ltcp_packet_bytes(packet, before, sizeof before);
        send_and_keep(packet);
        expect_routed(8, 1, (const uint16_t[]){0x101});
        ltcp_packet_bytes(packet, after, sizeof after);
        CHECK(memcmp(before, after, length) == 0); /* the sender's own is not changed */
        ltcp_packet_unref(packet);

        /* Further addresses stay as they are. */
        lab_send(&lab, left,
                 routed(near4, kinds[i], 8, 3, (const uint16_t[]){0x909, 0x102, 0x707}, 64));
        expect_routed(12, 3, (const uint16_t[]){0x909, 0x101, 0x707});

        /* The router's own other address is next. */
        lab_send(&lab, left, routed(near4, kinds[i], 4, 2, (const uint16_t[]){0x101, 0x102}, 64));
        expect_routed(12, 2, (const uint16_t[]){0x101, 0x101});

        /* A route that is for others, or used up, is not touched. */
        lab_send(&lab, left, routed(right4, kinds[i], 4, 1, (const uint16_t[]){0x909}, 64));
        expect_routed(4, 1, (const uint16_t[]){0x909});
        lab_send(&lab, left, routed(right4, kinds[i], 8, 1, (const uint16_t[]){0x002}, 64));
        expect_routed(8, 1, (const uint16_t[]){0x002});
    }
    lab_close(&lab);
}

static void source_route_errors(void)
{
    begin();
    const struct ltcp_address near4 = ltcp_address_v4(10, 0, 0, 2),
                              far4 = ltcp_address_v4(10, 0, 7, 0);
    const struct {
        uint8_t kind, pointer;
        uint16_t next;
        uint8_t ttl;
        enum ltcp_icmp_kind error;
        uint32_t octet;
    } cases[] = {
        {LOOSE, 4, 0x909, 64, LTCP_ICMP_SOURCE_ROUTE_FAILED, 0},  /* no route */
        {LOOSE, 4, 0x1FF, 64, LTCP_ICMP_SOURCE_ROUTE_FAILED, 0},  /* a broadcast */
        {STRICT, 4, 0x701, 64, LTCP_ICMP_SOURCE_ROUTE_FAILED, 0}, /* not a neighbour */
        {LOOSE, 4, 0x102, 1, LTCP_ICMP_TIME_EXCEEDED, 0},
        {LOOSE, 3, 0x102, 64, LTCP_ICMP_PARAMETER_PROBLEM, OPTION + 2},
        {LOOSE, 5, 0x102, 64, LTCP_ICMP_PARAMETER_PROBLEM, OPTION + 2},
        {LOOSE, 7, 0x102, 64, LTCP_ICMP_PARAMETER_PROBLEM, OPTION + 2},
        {LOOSE, 8, 0x102, 64, LTCP_ICMP_PROTOCOL_UNREACHABLE, 0}, /* used up: for the router */
        {LOOSE, 4, 0x101, 64, LTCP_ICMP_PROTOCOL_UNREACHABLE, 0}, /* its own address is the last */
    };
    CHECK_STATUS(ltcp_network_add_route(lab.network, router, &far4, 24, far_link), LTCP_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ltcp_packet *packet =
            routed(near4, cases[i].kind, cases[i].pointer, 1, &cases[i].next, cases[i].ttl);
        send_and_keep(packet);
        struct ltcp_icmp icmp = expect_error(packet, cases[i].error, &near4);
        if (cases[i].error == LTCP_ICMP_PARAMETER_PROBLEM)
            CHECK_EQUAL(icmp.pointer, cases[i].octet);
        ltcp_packet_unref(packet);
        CHECK(ltcp_network_peer_receive(lab.network, right) == NULL);
    }
    /* By a loose route it gets there. */
    lab_send(&lab, left, routed(near4, LOOSE, 4, 2, (const uint16_t[]){0x701, 0x102}, 64));
    expect_routed(8, 2, (const uint16_t[]){0x101, 0x102});
    lab_close(&lab);
}

/* Two routers that send a packet to each other: its TTL ends that. */
static void routing_loop(void)
{
    begin();
    uint32_t other = lab_router(&lab), loop = lab_link(&lab, router, other, 2, NULL);
    const struct ltcp_address lost = ltcp_address_v4(192, 0, 2, 0),
                              home = ltcp_address_v4(10, 0, 0, 0);
    CHECK_STATUS(ltcp_network_add_route(lab.network, router, &lost, 24, loop), LTCP_OK);
    CHECK_STATUS(ltcp_network_add_route(lab.network, other, &lost, 24, loop), LTCP_OK);
    CHECK_STATUS(ltcp_network_add_route(lab.network, other, &home, 24, loop), LTCP_OK);
    struct sample sample = across();
    sample.destination = ltcp_address_v4(192, 0, 2, 1);
    sample.ttl = 255;
    struct ltcp_packet *packet = sample_packet(lab.pool, &sample);
    send_and_keep(packet);
    lab_run(&lab);
    struct ltcp_packet *error = ltcp_network_peer_receive(lab.network, left);
    struct ltcp_ip ip;
    struct ltcp_icmp icmp;
    CHECK(error != NULL);
    CHECK_STATUS(ltcp_ip_decode(error, &ip), LTCP_OK);
    CHECK_STATUS(ltcp_icmp_decode(error, &ip, &icmp), LTCP_OK);
    CHECK_EQUAL(icmp.kind, LTCP_ICMP_TIME_EXCEEDED);
    CHECK_EQUAL(icmp.quote[8], 1);
    uint64_t hops = ltcp_path_counters(ltcp_network_path(lab.network, loop, 0))->packets +
                    ltcp_path_counters(ltcp_network_path(lab.network, loop, 1))->packets;
    CHECK_EQUAL(hops, 254);
    ltcp_packet_unref(error);
    ltcp_packet_unref(packet);
    lab_close(&lab);
}

/* Bytes of any kind, also cut short: through rules, a router and corruption. */
static void garbage(void)
{
    begin();
    const struct ltcp_rule rule = {.direction = -1, .first = LTCP_FIRST_ONLY, .nth = 9};
    struct ltcp_path_config config = {.corrupt = LTCP_CERTAIN / 2, .corrupt_bits = 40};
    uint32_t id, random = 7;
    CHECK_STATUS(ltcp_network_add_rule(lab.network, near_link, &rule, &id), LTCP_OK);
    CHECK_STATUS(ltcp_path_configure(ltcp_network_path(lab.network, near_link, 0), &config),
                 LTCP_OK);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[200];
        struct sample sample = across();
        struct ltcp_packet *packet = sample_packet(lab.pool, &sample);
        size_t length = ltcp_packet_bytes(packet, bytes, sizeof bytes);
        ltcp_packet_unref(packet);
        for (uint32_t n = check_random(&random) % 6; n > 0; n--)
            bytes[check_random(&random) % 60] = (uint8_t)check_random(&random);
        if (i % 3 != 0) { /* a header that passes, so that what lies behind it is looked at */
            size_t header = (size_t)(bytes[0] & 15) * 4;
            bytes[10] = bytes[11] = 0;
            uint16_t checksum = ltcp_sum_finish(ltcp_sum(0, bytes, header));
            memcpy(bytes + 10, &checksum, 2);
        }
        if (i % 5 == 0) length = check_random(&random) % (length + 1);
        packet = ltcp_packet_from_bytes(lab.pool, bytes, length);
        CHECK_STATUS(ltcp_network_send(lab.network, left, near_link, packet), LTCP_OK);
        ltcp_packet_unref(packet);
        lab_run(&lab);
        for (struct ltcp_packet *p; (p = ltcp_network_peer_receive(lab.network, left)) != NULL;)
            ltcp_packet_unref(p);
        for (struct ltcp_packet *p; (p = ltcp_network_peer_receive(lab.network, right)) != NULL;)
            ltcp_packet_unref(p);
    }
    lab_close(&lab);
}

int main(void)
{
    forwarding();
    time_exceeded();
    too_big();
    unreachable();
    routes();
    no_errors_about_errors();
    no_errors_about_these();
    rate_limit();
    echo();
    source_route_forwarding();
    source_route_errors();
    routing_loop();
    garbage();
    return check_finish();
}
