/* core/test/syn_flood_test.c - a million forged SYNs, RFC 4987: memory stays flat, no timer runs
 * for them, and an honest client is served at once in between. */
#include "check.h"
#include "pair.h"

/* A SYN from one of 16 million addresses, with all options that a client has. */
static struct ltcp_packet *forged_syn(struct pair *p, uint32_t i, uint16_t port, uint32_t length)
{
    static const uint8_t options[20] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
                                        0, 9, 0, 0,   0, 0, 1, 3,  3, 7};
    struct ltcp_packet *packet = ltcp_packet_create(p->pool);
    const struct ltcp_ip ip = {
        .source = ltcp_address_v4(11, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i),
        .destination = p->address[1],
        .protocol = LTCP_PROTOCOL_TCP,
        .ttl = 60};
    const struct ltcp_segment s = {.source_port = (uint16_t)(1024 + i % 50000),
                                   .destination_port = port,
                                   .seq = ltcp_seq_of(i * 2654435761u),
                                   .flags = LTCP_SYN,
                                   .window = 65535,
                                   .options_bytes = options,
                                   .options_length = sizeof options};
    if (length > 0) {
        packet->block = ltcp_block_create(p->pool, length);
        memset(packet->block->data, 'x', length);
        packet->payload = packet->block->data;
        packet->payload_length = packet->block->length = length;
    }
    packet->time = p->now;
    ltcp_segment_encode(packet, &ip, &s);
    return packet;
}

/* What host 1 sends goes nowhere; how many packets. */
static size_t discard(struct pair *p)
{
    struct ltcp_packet *out[64];
    size_t n, all = 0;
    while ((n = ltcp_host_transmit(p->host[1], p->now, out, 64)) > 0)
        for (all += n; n > 0;)
            ltcp_packet_unref(out[--n]);
    return all;
}

static size_t flood(struct pair *p, uint32_t first, uint32_t count, uint16_t port, uint32_t length)
{
    size_t answered = 0;
    for (uint32_t i = first; i < first + count; i++) {
        struct ltcp_packet *syn = forged_syn(p, i, port, length);
        p->now += 2 * LTCP_MICROSECOND;
        ltcp_host_receive(p->host[1], p->now, syn);
        ltcp_packet_unref(syn);
        answered += discard(p);
    }
    return answered;
}

/* Connects, and is gone again. */
static bool honest_client(struct pair *p, ltcp_handle listener)
{
    ltcp_handle client = 0, server = 0;
    ltcp_connect(p->host[0], p->now,
                 &(struct ltcp_open){.remote = p->address[1], .remote_port = 80}, &client);
    pair_settle(p);
    const bool served = pair_state(p, 0, client) == LTCP_ESTABLISHED &&
                        ltcp_accept(p->host[1], listener, &server) == LTCP_OK;
    ltcp_abort(p->host[1], p->now, server);
    ltcp_release(p->host[1], server);
    pair_settle(p);
    ltcp_release(p->host[0], client);
    ltcp_pool_trim(p->pool);
    return served;
}

static void open_flooded(struct pair *p, int64_t cookies, ltcp_handle *listener)
{
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.syn_cookies = cookies;
    pair_open_with(p, &settings, 1500);
    const struct ltcp_address any = ltcp_address_v4(0, 0, 0, 0);
    ltcp_host_add_route(p->host[1], &any, 0, 0);
    ltcp_listen(p->host[1], p->now, &(struct ltcp_open){.local_port = 80, .backlog = 128},
                listener);
}

static void memory_is_flat(int64_t cookies, uint32_t syns)
{
    struct pair p;
    ltcp_handle listener;
    open_flooded(&p, cookies, &listener);
    const struct ltcp_host_counters *c = ltcp_host_counters(p.host[1]);
    flood(&p, 0, 1000, 80, 0); /* the queue fills, where there is one */
    CHECK(honest_client(&p, listener));
    const size_t held = p.held;
    const uint32_t connections = c->connections;
    for (uint32_t part = 0; part < 4; part++) {
        CHECK_EQUAL(flood(&p, 1000 + part * (syns / 4), syns / 4, 80, 0), syns / 4);
        ltcp_pool_trim(p.pool);
        CHECK_EQUAL(p.held, held);
        CHECK_EQUAL(c->connections, connections);
        /* At once: not a nanosecond passes, and no SYN goes twice. */
        const ltcp_time before = p.now;
        CHECK(honest_client(&p, listener));
        CHECK_EQUAL(p.now, before);
    }
    CHECK_EQUAL(connections, cookies == 2 ? 0 : 128);
    CHECK(c->syn_cookies_sent >= syns);
    CHECK_EQUAL(c->syn_cookies_accepted, 5);
    if (cookies == 2) CHECK(ltcp_host_next_deadline(p.host[1]) == LTCP_NEVER);
    pair_close(&p);
}

/* Whatever strangers send, and whether or not the host gets to send: so much, and no more. */
static void strangers_cost_a_fixed_amount(int64_t cookies)
{
    struct pair p;
    ltcp_handle listener;
    open_flooded(&p, cookies, &listener);
    size_t held = 0;
    for (uint32_t round = 0; round < 40; round++) {
        for (uint32_t i = 0; i < 2000; i++) {
            /* With data, to a closed port, and once more what came before. */
            struct ltcp_packet *syn = forged_syn(&p, round * 2000 + i - i % 3, i % 5 == 4 ? 81 : 80,
                                                 i % 2 == 0 ? 1400 : 0);
            ltcp_host_receive(p.host[1], p.now, syn);
            ltcp_packet_unref(syn);
        }
        p.now += 10 * LTCP_MILLISECOND;
        ltcp_host_advance(p.host[1], p.now);
        if (round % 4 == 3) discard(&p);
        ltcp_pool_trim(p.pool);
        if (round == 7) held = p.held;
        if (round > 7 && round % 4 == 3) CHECK(p.held <= held);
    }
    CHECK(ltcp_host_counters(p.host[1])->connections <= 128);
    pair_close(&p);
}

int main(void)
{
    memory_is_flat(2, 1000000);
    memory_is_flat(1, 100000);
    for (int64_t cookies = 0; cookies <= 2; cookies++)
        strangers_cost_a_fixed_amount(cookies);
    return check_finish();
}
