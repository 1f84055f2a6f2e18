/* core/test/time_wait_test.c - very many in TIME-WAIT: what each holds, that each still answers,
 * and that each ends in its time. */
#include "check.h"
#include "pair.h"

#ifdef __OPTIMIZE__
#define MANY 1000000u
#else
#define MANY 50000u
#endif
#define PORTS     16000u
#define LISTENERS (MANY / PORTS + 1)

static ltcp_handle listener[LISTENERS];

/* The client closes first, and lets go at once. */
static void open_and_close(struct pair *p, uint32_t i)
{
    ltcp_handle client, server;
    const uint16_t port = (uint16_t)(80 + i / PORTS);
    ltcp_connect(p->host[0], p->now,
                 &(struct ltcp_open){.remote = p->address[1],
                                     .remote_port = port,
                                     .local_port = (uint16_t)(1024 + i % PORTS)},
                 &client);
    pair_settle(p);
    ltcp_accept(p->host[1], listener[i / PORTS], &server);
    ltcp_close(p->host[0], p->now, client);
    ltcp_release(p->host[0], client);
    pair_settle(p);
    ltcp_close(p->host[1], p->now, server);
    ltcp_release(p->host[1], server);
    pair_settle(p);
}

/* The server's FIN once more, as if the last ACK had been lost. */
static bool answers(struct pair *p, uint32_t i)
{
    struct ltcp_packet *packet = ltcp_packet_create(p->pool), *out[4];
    const struct ltcp_ip ip = {.source = p->address[1],
                               .destination = p->address[0],
                               .protocol = LTCP_PROTOCOL_TCP,
                               .ttl = 64};
    struct ltcp_segment s = {.source_port = (uint16_t)(80 + i / PORTS),
                             .destination_port = (uint16_t)(1024 + i % PORTS),
                             .seq = ltcp_seq_of(7001), /* the server's ISN is 7000 */
                             .ack = ltcp_seq_of(3002),
                             .flags = LTCP_FIN | LTCP_ACK};
    packet->time = p->now;
    ltcp_segment_encode(packet, &ip, &s);
    ltcp_host_receive(p->host[0], p->now, packet);
    ltcp_packet_unref(packet);
    const size_t n = ltcp_host_transmit(p->host[0], p->now, out, 4);
    bool good = n == 1 && ltcp_ip_decode(out[0], &(struct ltcp_ip){0}) == LTCP_OK;
    struct ltcp_ip back;
    if (good) good = ltcp_ip_decode(out[0], &back) == LTCP_OK;
    if (good) good = ltcp_segment_decode(out[0], &back, &s) == LTCP_OK;
    for (size_t k = 0; k < n; k++)
        ltcp_packet_unref(out[k]);
    return good && s.flags == LTCP_ACK && s.seq.n == 3002 && s.ack.n == 7002;
}

int main(void)
{
    struct pair p;
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.timestamps = false;
    settings.isn = 3000;
    pair_open_with(&p, &settings, 1500);
    settings.isn = 7000;
    ltcp_host_set_settings(p.host[1], &settings);
    for (uint32_t i = 0; i < LISTENERS; i++)
        ltcp_listen(p.host[1], p.now, &(struct ltcp_open){.local_port = (uint16_t)(80 + i)},
                    &listener[i]);
    open_and_close(&p, 0);
    ltcp_pool_trim(p.pool);
    const size_t before = p.held;
    const ltcp_time begun = p.now;
    for (uint32_t i = 1; i < MANY; i++) {
        p.now += LTCP_MICROSECOND;
        open_and_close(&p, i);
    }
    ltcp_pool_trim(p.pool);
    const struct ltcp_host_counters *c = ltcp_host_counters(p.host[0]);
    CHECK_EQUAL(c->connections, 0);
    CHECK_EQUAL(c->time_waits, MANY);
    CHECK_EQUAL(c->time_wait_records, MANY);
    CHECK_EQUAL(c->time_waits_cut, 0);
    CHECK_EQUAL(ltcp_host_counters(p.host[1])->connections, 0);
    const double each = (double)(p.held - before) / MANY;
    printf("%u in TIME-WAIT: %.1f octets each, with tables\n", MANY, each);
    CHECK(each < 160);

    for (uint32_t i = 0; i < MANY; i += MANY / 1000)
        CHECK(answers(&p, i));
    /* One more than is allowed is none. */
    if (MANY == settings.time_wait_most) {
        open_and_close(&p, MANY);
        ltcp_host_advance(p.host[0], p.now);
        CHECK_EQUAL(ltcp_host_counters(p.host[0])->time_waits, MANY);
        CHECK_EQUAL(ltcp_host_counters(p.host[0])->time_waits_cut, 1);
    }
    /* After 2 MSL only those are left that were asked since, or are younger; later none. */
    p.now = begun + 240 * LTCP_SECOND + MANY / 2 * LTCP_MICROSECOND;
    ltcp_host_advance(p.host[0], p.now);
    CHECK_EQUAL(ltcp_host_counters(p.host[0])->time_waits, MANY - MANY / 2 + 500);
    p.now += 240 * LTCP_SECOND;
    ltcp_host_advance(p.host[0], p.now);
    CHECK_EQUAL(ltcp_host_counters(p.host[0])->time_waits, 0);
    CHECK_EQUAL(ltcp_host_counters(p.host[0])->time_wait_records, 0);
    CHECK(ltcp_host_next_deadline(p.host[0]) == LTCP_NEVER);
    pair_close(&p);
    CHECK_EQUAL(p.held, 0);
    return check_finish();
}
