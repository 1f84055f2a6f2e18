/* core/test/network_host_test.c - hosts in a network: who is asked when, and who is told what. */
#include "network_samples.h"

static struct lab lab;
static struct ltcp_host *client, *server;
static uint32_t client_node, server_node;

static struct ltcp_host *add_host(uint64_t secret, uint32_t *node)
{
    struct ltcp_host_config config = {
        .pool = lab.pool, .trace = lab.trace, .secret = {secret, secret}, .id = (uint32_t)secret};
    struct ltcp_host *host = ltcp_host_create(&config);
    CHECK_STATUS(ltcp_network_add_host(lab.network, host, node), LTCP_OK);
    return host;
}

static void begin(void)
{
    lab_open(&lab, 1);
    client = add_host(1, &client_node);
    server = add_host(2, &server_node);
}

static void end(void)
{
    ltcp_host_destroy(client);
    ltcp_host_destroy(server);
    lab_close(&lab);
}

static ltcp_time now(void)
{
    return ltcp_network_now(lab.network);
}

static ltcp_handle listen_at(uint16_t port)
{
    ltcp_handle handle = 0;
    struct ltcp_open open = {.local_port = port};
    CHECK_STATUS(ltcp_listen(server, now(), &open, &handle), LTCP_OK);
    ltcp_network_touch(lab.network, server_node);
    return handle;
}

static ltcp_handle connect_to(const struct ltcp_address *remote, uint16_t port)
{
    ltcp_handle handle = 0;
    struct ltcp_open open = {.remote = *remote, .remote_port = port};
    CHECK_STATUS(ltcp_connect(client, now(), &open, &handle), LTCP_OK);
    ltcp_network_touch(lab.network, client_node);
    return handle;
}

/* Goes on until a host is told one of `bits`; takes all events on the way. */
static bool run_to(uint32_t node, uint32_t bits)
{
    struct ltcp_step_detail detail;
    for (int i = 0; i < 100000; i++) {
        enum ltcp_step step = lab_step(&lab, &detail);
        if (step == LTCP_STEP_IDLE) return false;
        if (step != LTCP_STEP_EVENTS) continue;
        struct ltcp_event event;
        bool found = false;
        struct ltcp_host *host = detail.node == client_node ? client : server;
        while (ltcp_host_next_event(host, &event))
            found = found || (detail.node == node && (event.bits & bits) != 0);
        if (found) return true;
    }
    return false;
}

/* SYN, SYN and ACK, ACK over 10 ms each way: one end is ESTABLISHED after 20 ms, the other after
 * 30. */
static void handshake_takes_its_time(void)
{
    for (int version = 4; version <= 6; version += 2) {
        begin();
        const struct ltcp_path_config path = {.delay = 10 * LTCP_MILLISECOND};
        lab_link(&lab, client_node, server_node, 0, &path);
        ltcp_handle listener = listen_at(80), accepted;
        struct ltcp_address remote = ltcp_address_v4(10, 0, 0, 2);
        if (version == 6) remote = (struct ltcp_address){{0xfd, [15] = 2}};
        connect_to(&remote, 80);
        CHECK(run_to(client_node, LTCP_EVENT_CONNECTED));
        CHECK_EQUAL(now(), 20 * LTCP_MILLISECOND);
        CHECK(run_to(server_node, LTCP_EVENT_ACCEPT));
        CHECK_EQUAL(now(), 30 * LTCP_MILLISECOND);
        CHECK_STATUS(ltcp_accept(server, listener, &accepted), LTCP_OK);
        end();
    }
}

/* A host's events are told until they are taken. */
static void events_are_told_until_taken(void)
{
    begin();
    lab_link(&lab, client_node, server_node, 0, NULL);
    struct ltcp_address remote = ltcp_address_v4(10, 0, 0, 2);
    connect_to(&remote, 80); /* nobody listens */
    struct ltcp_step_detail detail;
    struct ltcp_event event = {0};
    for (int i = 0; i < 3; i++) {
        enum ltcp_step step = lab_step(&lab, &detail);
        while (step == LTCP_STEP_EVENTS && detail.node == server_node) {
            while (ltcp_host_next_event(server, &event)) {
            }
            step = lab_step(&lab, &detail);
        }
        CHECK_EQUAL(step, LTCP_STEP_EVENTS);
        CHECK_EQUAL(detail.node, client_node);
        CHECK_EQUAL(now(), 0);
    }
    bool closed = false;
    do {
        while (ltcp_host_next_event(client, &event))
            closed = closed ||
                     ((event.bits & LTCP_EVENT_CLOSED) != 0 && event.status == LTCP_ERR_REFUSED);
    } while (lab_step(&lab, &detail) == LTCP_STEP_EVENTS);
    CHECK(closed);
    /* Timers that no longer run do not let time go on. */
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_IDLE);
    CHECK_EQUAL(now(), 0);
    end();
}

/* A server with two links answers by the one of its most specific route to the client; the numbers
 * of interfaces are the hosts' own. */
static void two_links_and_a_router(void)
{
    begin();
    uint32_t router = lab_router(&lab), far = lab_peer(&lab);
    const struct ltcp_path_config path = {.delay = LTCP_MILLISECOND, .rate = 10000000};
    uint32_t unused = lab_link(&lab, server_node, far, 9, NULL);
    uint32_t first = lab_link(&lab, client_node, router, 0, &path);
    uint32_t second = lab_link(&lab, router, server_node, 1, &path);
    CHECK_EQUAL(ltcp_network_interface(lab.network, server_node, unused), 0);
    CHECK_EQUAL(ltcp_network_interface(lab.network, server_node, second), 1);
    const struct ltcp_address everything = ltcp_address_v4(0, 0, 0, 0);
    const struct ltcp_address clients = ltcp_address_v4(10, 0, 0, 0);
    ltcp_network_add_route(lab.network, client_node, &everything, 0, first);
    ltcp_network_add_route(lab.network, server_node, &clients, 24, second);
    ltcp_network_add_route(lab.network, server_node, &everything, 0, unused);
    ltcp_handle listener = listen_at(80), accepted = 0;
    struct ltcp_address remote = ltcp_address_v4(10, 0, 1, 2);
    ltcp_handle connection = connect_to(&remote, 80);
    CHECK(run_to(server_node, LTCP_EVENT_ACCEPT));
    CHECK_STATUS(ltcp_accept(server, listener, &accepted), LTCP_OK);

    static uint8_t sent[20000], received[20000];
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 7 + i / 251);
    size_t written = 0, got = 0;
    for (int i = 0; i < 1000 && got < sizeof received; i++) {
        size_t count = 0;
        if (written < sizeof sent && ltcp_write(client, now(), connection, sent + written,
                                                sizeof sent - written, 0, &count) == LTCP_OK)
            written += count;
        ltcp_network_touch(lab.network, client_node);
        if (!run_to(server_node, LTCP_EVENT_READABLE)) break;
        while (ltcp_read(server, now(), accepted, received + got, sizeof received - got, 0,
                         &count) == LTCP_OK)
            if ((got += count) == sizeof received) break;
        ltcp_network_touch(lab.network, server_node);
    }
    CHECK_EQUAL(got, sizeof received);
    CHECK(memcmp(sent, received, sizeof sent) == 0);
    CHECK_EQUAL(ltcp_path_counters(ltcp_network_path(lab.network, unused, 0))->packets, 0);
    CHECK(ltcp_path_counters(ltcp_network_path(lab.network, second, 1))->packets > 2);
    end();
}

/* Path MTU discovery: the router's answer reaches the host that sent too much. */
static void too_big_reaches_the_host(void)
{
    begin();
    uint32_t router = lab_router(&lab);
    uint32_t first = lab_link(&lab, client_node, router, 0, NULL);
    uint32_t second = lab_link(&lab, router, server_node, 1, NULL), narrow = 900;
    uint32_t peer = lab_peer(&lab), third = lab_link(&lab, router, peer, 2, NULL);
    const struct ltcp_address everything = ltcp_address_v4(0, 0, 0, 0);
    ltcp_network_add_route(lab.network, client_node, &everything, 0, first);
    ltcp_network_add_route(lab.network, server_node, &everything, 0, second);
    CHECK_STATUS(ltcp_network_set_mtu(lab.network, third, narrow), LTCP_OK);
    /* Behind the narrow link a peer plays a host with an MSS of 1,460. */
    struct ltcp_address remote = ltcp_address_v4(10, 0, 2, 2);
    ltcp_handle connection = connect_to(&remote, 80);
    struct ltcp_step_detail detail;
    while (lab_step(&lab, &detail) == LTCP_STEP_EVENTS)
        for (struct ltcp_event event; ltcp_host_next_event(client, &event);) {
        }
    CHECK_EQUAL(detail.node, peer);
    struct ltcp_packet *syn = ltcp_network_peer_receive(lab.network, peer);
    struct ltcp_ip ip;
    struct ltcp_segment segment;
    CHECK(syn != NULL);
    CHECK_STATUS(ltcp_ip_decode(syn, &ip), LTCP_OK);
    CHECK_STATUS(ltcp_segment_decode(syn, &ip, &segment), LTCP_OK);
    static const uint8_t mss_1460[4] = {2, 4, 0x05, 0xb4};
    struct ltcp_segment reply = {.source_port = 80,
                                 .destination_port = segment.source_port,
                                 .seq = {500},
                                 .ack = seq_add(segment.seq, 1),
                                 .flags = LTCP_SYN | LTCP_ACK,
                                 .window = 65535,
                                 .options_bytes = mss_1460,
                                 .options_length = 4};
    struct ltcp_ip back = {.source = ip.destination,
                           .destination = ip.source,
                           .protocol = LTCP_PROTOCOL_TCP,
                           .ttl = 64};
    struct ltcp_packet *packet = ltcp_packet_create(lab.pool);
    ltcp_segment_encode(packet, &back, &reply);
    ltcp_packet_unref(syn);
    lab_send(&lab, peer, packet);
    CHECK(run_to(client_node, LTCP_EVENT_CONNECTED));

    static uint8_t data[4000];
    size_t taken;
    CHECK_STATUS(ltcp_write(client, now(), connection, data, sizeof data, 0, &taken), LTCP_OK);
    ltcp_network_touch(lab.network, client_node);
    /* The first flight is dropped; what comes after it fits. */
    uint32_t longest = 0;
    for (int i = 0; i < 200 && longest == 0 && lab_step(&lab, &detail) != LTCP_STEP_IDLE; i++) {
        for (struct ltcp_event event; ltcp_host_next_event(client, &event);) {
        }
        while ((packet = ltcp_network_peer_receive(lab.network, peer)) != NULL) {
            if (packet->payload_length > longest) longest = packet->payload_length;
            ltcp_packet_unref(packet);
        }
    }
    CHECK(longest > 0 && longest <= narrow - 40);
    struct ltcp_info info;
    CHECK_STATUS(ltcp_info(client, connection, &info), LTCP_OK);
    CHECK_EQUAL(info.path_mtu, narrow);
    end();
}

/* Hosts that retransmit into a link that is down: their timers fire at their times, alarms in
 * between at theirs. */
static void timers_and_alarms(void)
{
    begin();
    uint32_t link = lab_link(&lab, client_node, server_node, 0, NULL);
    ltcp_path_set_up(ltcp_network_path(lab.network, link, 0), false);
    struct ltcp_address remote = ltcp_address_v4(10, 0, 0, 2);
    connect_to(&remote, 80);
    struct ltcp_step_detail detail;
    ltcp_network_set_alarm(lab.network, 2 * LTCP_SECOND, 5);
    enum ltcp_step step;
    while ((step = ltcp_network_step(lab.network, 8 * LTCP_SECOND, 0, &detail)) == LTCP_STEP_EVENTS)
        for (struct ltcp_event event; ltcp_host_next_event(client, &event);) {
        }
    CHECK_EQUAL(step, LTCP_STEP_ALARM);
    CHECK_EQUAL(now(), 2 * LTCP_SECOND);
    while ((step = ltcp_network_step(lab.network, 8 * LTCP_SECOND, 0, &detail)) == LTCP_STEP_EVENTS)
        for (struct ltcp_event event; ltcp_host_next_event(client, &event);) {
        }
    CHECK_EQUAL(step, LTCP_STEP_LIMIT);
    CHECK_EQUAL(now(), 8 * LTCP_SECOND);
    /* RFC 6298: the first timeout is 1 s, and doubles: SYNs at 0, 1, 3 and 7 s. */
    static const ltcp_time times[] = {0, LTCP_SECOND, 3 * LTCP_SECOND, 7 * LTCP_SECOND};
    unsigned syns = 0;
    uint64_t serial = 0;
    for (const struct ltcp_trace_packet *r;
         (r = ltcp_trace_next_packet(lab.trace, &serial)) != NULL;)
        if (r->kind == LTCP_TRACE_SENT) {
            if (syns < 4) CHECK_EQUAL(r->time, times[syns]);
            syns++;
        }
    CHECK_EQUAL(syns, 4);
    end();
}

int main(void)
{
    handshake_takes_its_time();
    events_are_told_until_taken();
    two_links_and_a_router();
    too_big_reaches_the_host();
    timers_and_alarms();
    return check_finish();
}
