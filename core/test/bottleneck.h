/* core/test/bottleneck.h
 *
 * One flow over one bottleneck, for tests of congestion controls without a connection: a drop-tail
 * queue before a link, a delay, an acknowledgment for each segment, losses found three segments
 * later. The rate samples are made as draft-ietf-ccwg-bbr section 4.1 says. Everything counts in
 * segments of MSS octets. */
#ifndef LUNATCP_TEST_BOTTLENECK_H
#define LUNATCP_TEST_BOTTLENECK_H

#include <math.h>

#include "check.h"
#include "lunatcp/congestion.h"

#define MSS        1000u
#define MS         LTCP_MILLISECOND
#define RING       65536u
#define REORDERING 3u

struct flight {
    ltcp_time sent, arrives; /* at the sender again; LTCP_NEVER: dropped */
    uint64_t delivered, lost;
    ltcp_time delivered_time, first_sent_time;
    uint32_t tx_in_flight;
    bool app_limited, gone, marked;
};

struct bottleneck {
    struct ltcp_congestion cc;
    uint64_t state[256];
    /* the path */
    uint64_t rate;        /* octets a second */
    ltcp_time delay;      /* both ways together */
    uint32_t queue;       /* octets that may wait */
    uint32_t loss;        /* of 2^24: chance of a segment to be lost behind the queue */
    uint32_t random;      /* of the losses */
    uint32_t mark_queue;  /* octets waiting from which on a segment is marked; 0: never */
    ltcp_time link_free;  /* when the link has sent what waits */
    uint32_t application; /* octets the application lets be in flight; 0: no bound */
    /* the sender */
    ltcp_time now, next_send, srtt, min_rtt, delivered_time, first_sent_time;
    uint64_t sent, una; /* segments: next to be sent, oldest not known to have arrived */
    uint64_t delivered, lost, app_limited_until, recovery_point, found;
    uint64_t drops;
    uint32_t in_flight;
    bool in_recovery, cwnd_limited;
    struct flight ring[RING];
};

static inline void bottleneck_open(struct bottleneck *p, const struct ltcp_congestion_ops *ops,
                                   uint64_t rate, ltcp_time delay, uint32_t queue)
{
    memset(p, 0, sizeof *p);
    p->rate = rate;
    p->delay = delay;
    p->queue = queue;
    p->random = 1;
    p->now = LTCP_SECOND;
    p->delivered_time = p->first_sent_time = p->now;
    p->cc = (struct ltcp_congestion){.ops = ops,
                                     .state = p->state,
                                     .cwnd = 10 * MSS,
                                     .ssthresh = INT32_MAX,
                                     .mss = MSS,
                                     .initial_window = 10 * MSS,
                                     .seed = 77};
    CHECK(ops->state_size <= sizeof p->state);
    ops->init(&p->cc, p->now);
}

static inline struct ltcp_congestion_value bottleneck_value(const struct bottleneck *p,
                                                            const char *name)
{
    struct ltcp_congestion_value v = {0};
    for (size_t i = 0; p->cc.ops->info(&p->cc, i, &v); i++)
        if (strcmp(v.name, name) == 0) return v;
    CHECK_TEXT("no such value", name);
    return v;
}

static inline struct flight *flight_at(struct bottleneck *p, uint64_t i)
{
    return &p->ring[i % RING];
}

/* When a segment that enters now is acknowledged. */
static inline ltcp_time through_the_path(struct bottleneck *p, bool *marked)
{
    const ltcp_time free = p->link_free > p->now ? p->link_free : p->now;
    const uint64_t waiting = (uint64_t)(free - p->now) * p->rate / LTCP_SECOND;
    *marked = p->mark_queue != 0 && waiting >= p->mark_queue;
    if (waiting + MSS > p->queue + MSS) {
        p->drops++;
        return LTCP_NEVER;
    }
    p->link_free = free + (ltcp_time)(MSS * (uint64_t)LTCP_SECOND / p->rate);
    if ((check_random(&p->random) & 0xffffff) < p->loss) return LTCP_NEVER;
    return p->link_free + p->delay;
}

static inline bool bottleneck_may_send(struct bottleneck *p)
{
    p->cwnd_limited = p->in_flight + MSS > p->cc.cwnd;
    const bool held = p->application != 0 && p->in_flight + MSS > p->application;
    if (held && !p->cwnd_limited)
        p->app_limited_until = p->delivered + p->in_flight > 0 ? p->delivered + p->in_flight : 1;
    return !p->cwnd_limited && !held && p->sent - p->una < RING - 1;
}

static inline void bottleneck_send(struct bottleneck *p)
{
    if (p->in_flight == 0) {
        if (p->cc.ops->on_restart != NULL)
            p->cc.ops->on_restart(&p->cc, p->now, p->app_limited_until != 0);
        p->delivered_time = p->first_sent_time = p->now;
    }
    p->in_flight += MSS;
    struct flight *f = flight_at(p, p->sent++);
    *f = (struct flight){.sent = p->now,
                         .delivered = p->delivered,
                         .lost = p->lost,
                         .delivered_time = p->delivered_time,
                         .first_sent_time = p->first_sent_time,
                         .tx_in_flight = p->in_flight,
                         .app_limited = p->app_limited_until != 0};
    f->arrives = through_the_path(p, &f->marked);
    if (p->cc.pacing_rate == 0) return;
    if (p->next_send < p->now) p->next_send = p->now;
    p->next_send += (ltcp_time)(MSS * (uint64_t)LTCP_SECOND / p->cc.pacing_rate);
}

/* What was sent three segments before the newest that arrived, and did not arrive, is lost; it is
 * sent again as new data, which is the same to a congestion control. */
static inline uint32_t bottleneck_find_losses(struct bottleneck *p, uint64_t newest)
{
    uint32_t lost = 0;
    for (; p->found + REORDERING <= newest; p->found++) {
        struct flight *f = flight_at(p, p->found);
        if (f->arrives != LTCP_NEVER || f->gone) continue;
        f->gone = true;
        p->in_flight -= MSS;
        p->lost += MSS;
        lost += MSS;
        const struct ltcp_loss_sample loss = {.now = p->now,
                                              .seq = ltcp_seq_of((uint32_t)(p->found * MSS)),
                                              .bytes = MSS,
                                              .tx_in_flight = f->tx_in_flight,
                                              .lost = p->lost,
                                              .prior_lost = f->lost,
                                              .delivered = p->delivered,
                                              .app_limited = f->app_limited};
        if (p->cc.ops->on_segment_lost != NULL) p->cc.ops->on_segment_lost(&p->cc, &loss);
        if (p->in_recovery) continue;
        p->in_recovery = true;
        p->recovery_point = p->sent;
        p->cc.ops->on_loss(&p->cc, p->now, (uint32_t)((p->sent - p->una) * MSS));
    }
    return lost;
}

static inline void bottleneck_acknowledge(struct bottleneck *p, uint64_t i)
{
    struct flight *f = flight_at(p, i);
    const uint32_t before = p->in_flight;
    const ltcp_time rtt = p->now - f->sent;
    f->gone = true;
    p->in_flight -= MSS;
    p->delivered += MSS;
    p->delivered_time = p->now;
    p->srtt = p->srtt == 0 ? rtt : p->srtt + (rtt - p->srtt) / 8;
    if (p->min_rtt == 0 || rtt < p->min_rtt) p->min_rtt = rtt;
    if (p->app_limited_until != 0 && p->delivered > p->app_limited_until) p->app_limited_until = 0;
    const ltcp_time send_elapsed = f->sent - f->first_sent_time,
                    ack_elapsed = p->now - f->delivered_time;
    p->first_sent_time = f->sent;
    const uint32_t lost = bottleneck_find_losses(p, i);
    while (p->una < p->sent && flight_at(p, p->una)->gone)
        p->una++;
    if (p->in_recovery && p->una >= p->recovery_point) {
        p->in_recovery = false;
        p->cc.ops->on_recovered(&p->cc, p->now);
    }
    const struct ltcp_ack_sample ack = {
        .now = p->now,
        .rtt = rtt,
        .srtt = p->srtt,
        .min_rtt = p->min_rtt,
        .una = ltcp_seq_of((uint32_t)(p->una * MSS)),
        .nxt = ltcp_seq_of((uint32_t)(p->sent * MSS)),
        .bytes_acked = MSS,
        .advanced = MSS,
        .bytes_lost = lost,
        .ce_bytes = f->marked ? MSS : 0,
        .in_flight = p->in_flight,
        .prior_in_flight = before,
        .tx_in_flight = f->tx_in_flight,
        .delivered = p->delivered,
        .lost = p->lost,
        .prior_delivered = f->delivered,
        .prior_lost = f->lost,
        .interval = send_elapsed > ack_elapsed ? send_elapsed : ack_elapsed,
        .cwnd_limited = p->cwnd_limited,
        .app_limited = f->app_limited,
        .in_recovery = p->in_recovery,
        .ece = f->marked,
    };
    p->cc.ops->on_ack(&p->cc, &ack);
    if (p->cc.tells & LTCP_CC_HOLDS_BACK) {
        p->cc.tells = 0;
        p->app_limited_until = p->delivered + p->in_flight;
    }
}

/* Goes on for `time`; what arrives is in the order of sending. Stops early, saying false, when
 * everything in flight was dropped: there is no timer. */
static inline bool bottleneck_run(struct bottleneck *p, ltcp_time time)
{
    const ltcp_time end = p->now + time;
    for (;;) {
        uint64_t next = p->una;
        while (next < p->sent &&
               (flight_at(p, next)->gone || flight_at(p, next)->arrives == LTCP_NEVER))
            next++;
        const ltcp_time arrival = next < p->sent ? flight_at(p, next)->arrives : LTCP_NEVER;
        const bool may = bottleneck_may_send(p);
        const ltcp_time sending = !may ? LTCP_NEVER : p->next_send > p->now ? p->next_send : p->now;
        const ltcp_time at = arrival < sending ? arrival : sending;
        if (at == LTCP_NEVER && p->in_flight > 0) {
            for (; p->found < p->sent; p->found++) { /* the tail was lost: a probe finds it */
                struct flight *f = flight_at(p, p->found);
                if (!f->gone) p->in_flight -= MSS;
                f->gone = true;
            }
            p->una = p->sent;
            continue;
        }
        if (at > end) break;
        p->now = at;
        if (at == arrival)
            bottleneck_acknowledge(p, next);
        else
            bottleneck_send(p);
    }
    p->now = end;
    return true;
}

#endif
