/* core/test/ways_test.c
 *
 * Header prediction (prediction.c) and bursts (burst.c) are short ways to what the steps of RFC
 * 9293 section 3.10.7.4 and output.c would do. In a checked build, which can go either way: random
 * traffic with losses, reordering, small windows, PSH, urgent data and pauses, and the same again
 * the other way. Every packet is the same, bit for bit, and every state when all is over. */
#include "check.h"
#include "host/host.h"
#include "pair.h"

#if defined(LTCP_CHECK) && LTCP_CHECK

enum { TURNS = 700, MOST = 60000 };

struct outcome {
    uint64_t bytes;   /* of all packets, one after the other */
    uint64_t packets; /* how many */
    uint64_t state[2];
    uint64_t read[2];
};

static void look_at(struct outcome *o, const struct ltcp_packet *packet)
{
    uint8_t bytes[2048];
    const size_t n = ltcp_packet_bytes(packet, bytes, sizeof bytes);
    for (size_t i = 0; i < n; i++)
        o->bytes = (o->bytes ^ bytes[i]) * UINT64_C(0x100000001B3);
    o->packets++;
}

static void collect(struct pair *p, struct outcome *o, unsigned i)
{
    const size_t before = p->count[!i];
    pair_collect(p, i);
    for (size_t k = before; k < p->count[!i]; k++)
        look_at(o, p->queue[!i][k]);
}

/* Some of what is under way arrives: mostly in order, seldom not at all. */
static void deliver(struct pair *p, unsigned i, uint32_t *random, unsigned loss)
{
    size_t n = check_random(random) % (p->count[i] + 1);
    for (; n > 0 && p->count[i] > 0; n--) {
        const size_t k = check_random(random) % 50 == 0 ? p->count[i] - 1 : 0;
        struct ltcp_packet *packet = p->queue[i][k];
        memmove(p->queue[i] + k, p->queue[i] + k + 1,
                (p->count[i] - k - 1) * sizeof p->queue[i][0]);
        p->count[i]--;
        packet->time = p->now;
        if (check_random(random) % 1000 >= loss) ltcp_host_receive(p->host[i], p->now, packet);
        ltcp_packet_unref(packet);
    }
}

static void act(struct pair *p, ltcp_handle conn, unsigned i, struct outcome *o, uint32_t *random)
{
    static uint8_t room[MOST];
    size_t n = 0;
    const uint32_t what = check_random(random) % 64;
    const size_t length = check_random(random) % (what < 8 ? 2000 : MOST);
    if (what < 24) {
        const unsigned flags = what == 0   ? LTCP_WRITE_URGENT
                               : what == 1 ? LTCP_WRITE_MORE
                               : what == 2 ? LTCP_WRITE_BOUNDARY
                                           : 0;
        for (size_t k = 0; k < length; k++)
            room[k] = (uint8_t)(k * 31 + what);
        ltcp_write(p->host[i], p->now, conn, room, length, flags, &n);
    } else if (what < 56) {
        ltcp_read(p->host[i], p->now, conn, room, length + 1, 0, &n);
        o->read[i] += n;
    }
}

static struct outcome play(const struct ltcp_settings *settings, bool short_ways, uint32_t seed,
                           unsigned loss)
{
    struct pair *p = calloc(1, sizeof *p);
    struct outcome o = {.bytes = UINT64_C(0xCBF29CE484222325)};
    ltcp_handle conn[2];
    uint32_t random = seed;
    pair_open_with(p, settings, 1500);
    for (unsigned i = 0; i < 2; i++)
        p->host[i]->engine.short_ways = short_ways;
    CHECK_EQUAL(pair_connect(p, conn), LTCP_OK);
    for (int turn = 0; turn < TURNS; turn++) {
        p->now += check_random(&random) % (turn % 100 == 99 ? LTCP_SECOND : 2 * LTCP_MILLISECOND);
        for (unsigned i = 0; i < 2; i++)
            ltcp_host_advance(p->host[i], p->now);
        for (unsigned i = 0; i < 2; i++) {
            if (i == 0 || seed % 3 == 0) act(p, conn[i], i, &o, &random);
            act(p, conn[1], 1, &o, &random);
            collect(p, &o, i);
            deliver(p, !i, &random, loss);
            const char *broken = ltcp_host_check(p->host[i]);
            if (broken != NULL) CHECK_TEXT(broken, "");
        }
    }
    for (unsigned i = 0; i < 2; i++)
        o.state[i] = ltcp_host_digest(p->host[i], p->now);
    pair_close(p);
    free(p);
    return o;
}

static void compare(const struct ltcp_settings *settings, uint32_t seed, unsigned loss)
{
    const struct outcome a = play(settings, false, seed, loss);
    const struct outcome b = play(settings, true, seed, loss);
    bool same = CHECK(a.packets > 100);
    same = CHECK_EQUAL(a.packets, b.packets) && same;
    same = CHECK_EQUAL(a.bytes, b.bytes) && same;
    same = CHECK_EQUAL(a.read[1], b.read[1]) && same;
    same = CHECK_EQUAL(a.state[0], b.state[0]) && same;
    same = CHECK_EQUAL(a.state[1], b.state[1]) && same;
    if (!same) printf("    seed %u, loss %u of 1000\n", seed, loss);
}

int main(void)
{
    for (uint32_t seed = 1; seed <= 12; seed++) {
        struct ltcp_settings rfc = ltcp_profile_rfc, linux_like = ltcp_profile_linux;
        rfc.timestamps = seed % 2 == 0;
        rfc.receive_buffer = seed % 4 == 1 ? 20000 : 200000;
        rfc.send_buffer = 100000;
        linux_like.pacing = seed % 2 == 0;
        linux_like.ecn = seed % 4 == 3;
        if (seed % 3 == 1) rfc.congestion = linux_like.congestion = &ltcp_bbr;
        for (unsigned loss = 0; loss <= 20; loss += 10) {
            compare(&rfc, seed, loss);
            compare(&linux_like, seed, loss);
        }
    }
    return check_finish();
}

#else

int main(void)
{
    printf("this build goes the short ways only\n");
    return check_finish();
}

#endif
