/* core/test/connection_test.c - two hosts in memory: what the Lua specs cannot see from outside. */
#include <stdio.h>

#include "check.h"
#include "lunatcp/random.h"
#include "pair.h"

static struct pair p;
static ltcp_handle conn[2];

static struct ltcp_info info(unsigned i)
{
    struct ltcp_info out;
    CHECK(ltcp_info(p.host[i], conn[i], &out) == LTCP_OK);
    return out;
}

static void opens_and_closes(void)
{
    pair_open(&p);
    CHECK(pair_connect(&p, conn) == LTCP_OK);
    CHECK(info(0).state == LTCP_ESTABLISHED);
    CHECK(info(1).state == LTCP_ESTABLISHED);
    CHECK(seq_eq(info(0).snd_nxt, info(1).rcv_nxt));
    size_t n;
    char text[16];
    CHECK(ltcp_write(p.host[0], p.now, conn[0], "hello", 5, 0, &n) == LTCP_OK && n == 5);
    pair_settle(&p);
    CHECK(ltcp_read(p.host[1], p.now, conn[1], text, sizeof text, 0, &n) == LTCP_OK && n == 5);
    CHECK(memcmp(text, "hello", 5) == 0);
    CHECK(ltcp_close(p.host[0], p.now, conn[0]) == LTCP_OK);
    pair_settle(&p);
    CHECK(info(0).state == LTCP_FIN_WAIT_2 && info(1).state == LTCP_CLOSE_WAIT);
    CHECK(ltcp_read(p.host[1], p.now, conn[1], text, sizeof text, 0, &n) == LTCP_END);
    CHECK(ltcp_close(p.host[1], p.now, conn[1]) == LTCP_OK);
    pair_settle(&p);
    CHECK(info(0).state == LTCP_TIME_WAIT && info(1).state == LTCP_CLOSED);
    const ltcp_time began = p.now;
    while (pair_wait(&p))
        pair_settle(&p);
    CHECK(info(0).state == LTCP_CLOSED);
    CHECK(p.now - began == 2 * ltcp_profile_rfc.msl);
    ltcp_release(p.host[0], conn[0]);
    struct ltcp_info gone;
    CHECK(ltcp_info(p.host[0], conn[0], &gone) == LTCP_ERR_STALE);
    pair_close(&p);
    CHECK(p.held == 0);
}

/* Moves `total` octets from host 0 to host 1 while `spoil` chooses what is lost. */
static void transfers(uint64_t seed, unsigned percent, const struct ltcp_settings *settings)
{
    enum { TOTAL = 300000 };
    static uint8_t sent[TOTAL], got[TOTAL + 1];
    struct ltcp_random random;
    ltcp_random_seed(&random, seed, 7);
    for (size_t i = 0; i < TOTAL; i++)
        sent[i] = (uint8_t)ltcp_random_next(&random);
    pair_open_with(&p, settings, 1500);
    CHECK(pair_connect(&p, conn) == LTCP_OK);
    size_t out = 0, in = 0, rounds = 0;
    bool closed = false;
    for (; rounds < 400000; rounds++) {
        size_t n;
        if (out < TOTAL) {
            size_t want = (size_t)(1 + ltcp_random_below(&random, 5000));
            if (want > TOTAL - out) want = TOTAL - out;
            if (ltcp_write(p.host[0], p.now, conn[0], sent + out, want, 0, &n) == LTCP_OK) out += n;
        } else if (!closed) {
            closed = true;
            CHECK(ltcp_shutdown(p.host[0], p.now, conn[0]) == LTCP_OK);
        }
        pair_collect(&p, 0);
        pair_collect(&p, 1);
        for (unsigned i = 0; i < 2; i++) {
            size_t kept = 0;
            for (size_t k = 0; k < p.count[i]; k++) {
                struct ltcp_packet *packet = p.queue[i][k];
                const uint64_t fate = ltcp_random_below(&random, 100);
                if (fate < percent) { /* lost */
                    ltcp_packet_unref(packet);
                } else if (fate < 2 * percent && rounds % 64 != 0) { /* late */
                    p.queue[i][kept++] = packet;
                } else {
                    packet->time = p.now;
                    ltcp_host_receive(p.host[i], p.now, packet);
                    if (fate < 3 * percent) ltcp_host_receive(p.host[i], p.now, packet); /* twice */
                    ltcp_packet_unref(packet);
                }
            }
            p.count[i] = kept;
            CHECK(ltcp_host_check(p.host[i]) == NULL);
        }
        if (ltcp_random_below(&random, 3) != 0)
            while (ltcp_read(p.host[1], p.now, conn[1], got + in, TOTAL + 1 - in, 0, &n) == LTCP_OK)
                in += n;
        const bool silent = p.count[0] + p.count[1] == 0 && !ltcp_host_has_output(p.host[0]) &&
                            !ltcp_host_has_output(p.host[1]);
        if (silent && in == TOTAL && info(0).fin_acked) break;
        if (silent)
            pair_wait(&p);
        else
            p.now += LTCP_MILLISECOND;
        ltcp_host_advance(p.host[0], p.now);
        ltcp_host_advance(p.host[1], p.now);
    }
    CHECK(in == TOTAL);
    CHECK(memcmp(sent, got, TOTAL) == 0);
    if (in != TOTAL)
        printf("seed %llu: %zu octets, %s, %s\n", (unsigned long long)seed, in,
               ltcp_status_name(info(0).error), ltcp_status_name(info(1).error));
    pair_close(&p);
    CHECK(p.held == 0);
}

/* RFC 1122 section 3.2.2.1: what a host that has only TCP says to anything else. */
static void refuses_other_protocols(void)
{
    static const struct {
        uint8_t protocol;
        enum ltcp_icmp_kind answer;
    } cases[] = {{LTCP_PROTOCOL_UDP, LTCP_ICMP_PORT_UNREACHABLE},
                 {132, LTCP_ICMP_PROTOCOL_UNREACHABLE}};
    pair_open(&p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[28] = {0};
        const struct ltcp_ip ip = {.source = p.address[0],
                                   .destination = p.address[1],
                                   .protocol = cases[i].protocol,
                                   .ttl = 64};
        ltcp_ip_encode(&ip, 8, bytes);
        struct ltcp_packet *packet = ltcp_packet_from_bytes(p.pool, bytes, sizeof bytes);
        CHECK_STATUS(ltcp_host_receive(p.host[1], p.now, packet), LTCP_ERR_PROTOCOL);
        ltcp_packet_unref(packet);
        struct ltcp_packet *answer = NULL;
        CHECK(ltcp_host_transmit(p.host[1], p.now, &answer, 1) == 1);
        struct ltcp_ip back;
        struct ltcp_icmp icmp;
        CHECK_STATUS(ltcp_ip_decode(answer, &back), LTCP_OK);
        CHECK_STATUS(ltcp_icmp_decode(answer, &back, &icmp), LTCP_OK);
        CHECK(icmp.kind == cases[i].answer);
        CHECK(icmp.quote_length == sizeof bytes && memcmp(icmp.quote, bytes, sizeof bytes) == 0);
        ltcp_packet_unref(answer);
    }
    pair_close(&p);
    CHECK(p.held == 0);
}

int main(void)
{
    refuses_other_protocols();
    opens_and_closes();
    struct ltcp_settings plain = ltcp_profile_rfc;
    plain.sack = plain.timestamps = plain.window_scaling = false;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        transfers(seed, 0, NULL);
        transfers(seed, 5, NULL);
        transfers(seed, 5, &plain);
        transfers(seed, 15, seed % 2 ? NULL : &ltcp_profile_linux);
    }
    return check_finish();
}
