/* core/test/network_burst_test.c - bursts that leave a network as one packet: only where they were
 * asked for and nobody looks at single packets, and with the same octets in them. */
#include "host/host.h"
#include "network_samples.h"

enum { OCTETS = 600 * 1000, READ = 4096 };

static struct lab lab;
static struct ltcp_host *host[2];
static uint32_t node[2], link;
static ltcp_handle conn[2];
static unsigned bursts, packets;

static uint8_t octet(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

/* Two hosts at the ends of a link whose packets leave and come in again. */
static void begin(bool gather)
{
    lab.allocator = check_allocator(&lab.memory);
    lab.pool = ltcp_pool_create(&lab.allocator);
    lab.trace = NULL;
    lab.network = ltcp_network_create(&(struct ltcp_network_config){.pool = lab.pool, .seed = 1});
    struct ltcp_settings settings = ltcp_profile_linux;
    settings.initial_window = 200;
    for (unsigned i = 0; i < 2; i++) {
        host[i] = ltcp_host_create(&(struct ltcp_host_config){
            .pool = lab.pool, .settings = &settings, .secret = {1 + i, 2}, .id = i});
#if defined(LTCP_CHECK) && LTCP_CHECK
        host[i]->engine.short_ways = true;
#endif
        CHECK_STATUS(ltcp_network_add_host(lab.network, host[i], &node[i]), LTCP_OK);
    }
    struct ltcp_link_config config = lab_link_config(node[0], node[1], 0, NULL);
    config.tunnel = true;
    CHECK_STATUS(ltcp_network_add_link(lab.network, &config, &link), LTCP_OK);
    ltcp_network_gather(lab.network, link, 0, gather, 0);
    bursts = packets = 0;
}

static void end(void)
{
    ltcp_network_destroy(lab.network);
    for (unsigned i = 0; i < 2; i++)
        ltcp_host_destroy(host[i]);
    CHECK_EQUAL(ltcp_pool_usage(lab.pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(lab.pool).blocks_live, 0);
    ltcp_pool_destroy(lab.pool);
    CHECK_EQUAL(lab.memory.live, 0);
}

static void enter(unsigned direction, struct ltcp_packet *packet)
{
    packets++;
    CHECK_STATUS(ltcp_network_enter(lab.network, link, direction, packet, false), LTCP_OK);
    ltcp_packet_unref(packet);
}

static void carry(unsigned direction)
{
    struct ltcp_packet *packet, *one;
    while ((packet = ltcp_network_exit(lab.network, link, direction)) != NULL) {
        if (packet->burst == NULL) {
            enter(direction, packet);
            continue;
        }
        bursts++;
        while ((one = ltcp_burst_take(packet)) != NULL)
            enter(direction, one);
        ltcp_packet_unref(packet);
    }
}

static void take_events(unsigned i)
{
    struct ltcp_event event;
    while (ltcp_host_next_event(host[i], &event))
        if (event.bits & LTCP_EVENT_ACCEPT)
            CHECK_STATUS(ltcp_accept(host[i], event.handle, &conn[i]), LTCP_OK);
    ltcp_network_touch(lab.network, node[i]);
}

/* `looks` at what leaves: called whenever something has, before it is carried. */
static void run(void (*looks)(void))
{
    struct ltcp_step_detail detail;
    for (unsigned bound = 0; bound < 100000; bound++)
        switch (lab_step(&lab, &detail)) {
        case LTCP_STEP_EXIT:
            if (looks != NULL) looks();
            carry(detail.direction);
            break;
        case LTCP_STEP_EVENTS: take_events(detail.node == node[0] ? 0 : 1); break;
        default: return;
        }
}

static void connect(void)
{
    ltcp_handle listener;
    const struct ltcp_open passive = {.local_port = 80};
    const struct ltcp_open active = {.remote = ltcp_address_v4(10, 0, 0, 2), .remote_port = 80};
    CHECK_STATUS(ltcp_listen(host[1], 0, &passive, &listener), LTCP_OK);
    CHECK_STATUS(ltcp_connect(host[0], 0, &active, &conn[0]), LTCP_OK);
    ltcp_network_touch(lab.network, node[0]);
    run(NULL);
}

/* All of it arrives as it was written. */
static void transfer(void (*looks)(void))
{
    static uint8_t text[OCTETS], room[READ];
    size_t written = 0, read = 0, n;
    bool same = true;
    for (size_t i = 0; i < OCTETS; i++)
        text[i] = octet(i);
    for (unsigned turn = 0; turn < 1000 && read < OCTETS; turn++) {
        const ltcp_time now = ltcp_network_now(lab.network);
        if (written < OCTETS &&
            ltcp_write(host[0], now, conn[0], text + written, OCTETS - written, 0, &n) == LTCP_OK)
            written += n;
        ltcp_network_touch(lab.network, node[0]);
        run(looks);
        for (; ltcp_read(host[1], now, conn[1], room, READ, 0, &n) == LTCP_OK; read += n)
            for (size_t i = 0; i < n; i++)
                same = same && room[i] == octet(read + i);
        ltcp_network_touch(lab.network, node[1]);
    }
    CHECK_EQUAL(read, OCTETS);
    CHECK(same);
}

static void counts_say_the_same(void)
{
    const uint64_t sent = ltcp_host_counters(host[0])->packets_sent;
    const struct ltcp_path_counters *passed =
        ltcp_path_counters(ltcp_network_path(lab.network, link, 0));
    CHECK_EQUAL(passed->packets, sent);
    CHECK_EQUAL(passed->delivered, sent);
    CHECK_EQUAL(ltcp_host_counters(host[1])->packets_received, sent);
}

static void leave_together_where_asked_for(void)
{
    begin(true);
    connect();
    transfer(NULL);
    CHECK(bursts > 5);
    CHECK(packets > OCTETS / 1460);
    counts_say_the_same();
    end();
}

static void leave_alone_where_not(void)
{
    begin(false);
    connect();
    transfer(NULL);
    CHECK_EQUAL(bursts, 0);
    end();
}

static void leave_alone_in_a_capture(void)
{
    begin(true);
    connect();
    ltcp_network_capture(lab.network, 10000);
    transfer(NULL);
    CHECK_EQUAL(bursts, 0);
    struct ltcp_captured captured;
    unsigned texts = 0;
    while (ltcp_network_next_captured(lab.network, &captured)) {
        texts += captured.kind == LTCP_TRACE_SENT && captured.packet->payload_length > 0;
        ltcp_packet_unref(captured.packet);
    }
    CHECK(texts >= OCTETS / 1460);
    end();
}

static void asks_no_more(void)
{
    ltcp_network_gather(lab.network, link, 0, false, 0);
}

/* Who has taken over the exit finds single packets, in order. */
static void are_untied_for_who_did_not_ask(void)
{
    begin(true);
    connect();
    transfer(asks_no_more);
    CHECK_EQUAL(bursts, 0);
    CHECK(packets > OCTETS / 1460);
    counts_say_the_same();
    end();
}

/* What was made as one before somebody began to look goes as single packets. */
static void are_untied_where_somebody_looks(void)
{
    begin(true);
    connect();
    size_t n;
    static const uint8_t text[50000];
    CHECK_STATUS(ltcp_write(host[0], 0, conn[0], text, sizeof text, 0, &n), LTCP_OK);
    ltcp_host_gather(host[0], 1, 0);
    struct ltcp_packet *lost;
    CHECK_EQUAL(ltcp_host_transmit(host[0], 0, &lost, 1), 1);
    ltcp_packet_unref(lost);
    CHECK(host[0]->engine.out_first != NULL && host[0]->engine.out_first->burst != NULL);
    ltcp_network_capture(lab.network, 1000);
    packets = 0;
    ltcp_network_touch(lab.network, node[0]);
    run(NULL);
    CHECK_EQUAL(bursts, 0);
    size_t read = 0;
    static uint8_t room[sizeof text];
    while (ltcp_read(host[1], 0, conn[1], room, sizeof room, 0, &n) == LTCP_OK)
        read += n;
    CHECK_EQUAL(read, sizeof text);
    struct ltcp_captured captured;
    while (ltcp_network_next_captured(lab.network, &captured))
        ltcp_packet_unref(captured.packet);
    end();
}

int main(void)
{
    leave_together_where_asked_for();
    leave_alone_where_not();
    leave_alone_in_a_capture();
    are_untied_for_who_did_not_ask();
    are_untied_where_somebody_looks();
    return check_finish();
}
