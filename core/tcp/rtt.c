/* core/tcp/rtt.c
 *
 * Round-trip times and the retransmission timeout, RFC 6298; the timestamp clock, RFC 7323. All in
 * integer nanoseconds, with arrival times as the packets carry them. */
#include "tcp/connection.h"

static ltcp_time clamp(ltcp_time value, ltcp_time least, ltcp_time most)
{
    return value < least ? least : value > most ? most : value;
}

#define LEAST_RTT_LASTS (300 * LTCP_SECOND)

/* What was not met for so long is forgotten, for a path may become longer. The reordering window
 * goes by it, and who has met none of what that is for keeps no account. RFC8985:6.2-1 */
static void note_least(struct ltcp_connection *c, ltcp_time now, ltcp_time sample)
{
    struct ltcp_rare *r = c->rare;
    if (sample <= 0) sample = 1;
    if (c->min_rtt == 0 || sample <= c->min_rtt) {
        c->min_rtt = sample;
        if (r != NULL) r->least_since = 0;
        return;
    }
    if (r == NULL) return;
    if (r->least_since == 0) {
        r->least_since = now > 0 ? now : 1;
        r->least_next = sample;
    }
    if (sample < r->least_next) r->least_next = sample;
    if (now - r->least_since < LEAST_RTT_LASTS) return;
    c->min_rtt = r->least_next;
    r->least_since = 0;
}

static void follow(struct ltcp_connection *c, ltcp_time sample)
{
    c->srtt += (sample - c->srtt) / 8;
    if (c->srtt <= 0) c->srtt = 1;
}

/* RFC 6298 section 2 (RFC9293:MUST-18). Every sample counts for the least RTT; one a round trip is
 * smoothed, so that the gains mean what the RFC says. RFC6298:2-2 RFC6298:2-3 RFC6298:2-4
 * RFC8985:6.2-1 */
void rtt_sample(struct ltcp_connection *c, ltcp_time now, ltcp_time sample, bool smooth)
{
    if (sample < 0) return;
    c->latest_rtt = sample;
    note_least(c, now, sample);
    connection_trace(c, now, LTCP_TRACE_RTT, sample);
    if (c->srtt != 0 && !smooth) { /* the variance keeps its gain: a window's samples are alike */
        if (settings_of(c)->smooth_every_rtt) follow(c, sample);
        return;
    }
    if (c->srtt == 0) { /* (2.2) */
        c->srtt = sample > 0 ? sample : 1;
        c->rttvar = sample / 2;
    } else { /* (2.3): beta 1/4, alpha 1/8 */
        const ltcp_time error = c->srtt > sample ? c->srtt - sample : sample - c->srtt;
        c->rttvar += (error - c->rttvar) / 4;
        follow(c, sample);
    }
}

/* (2.1) before the first sample, (2.3) after it, within (2.4) and (2.5); three seconds for data
 * after a SYN that timed out (5.7). RFC6298:2-1 RFC6298:2-5 RFC6298:2-6 RFC6298:4-1 RFC6298:5-8 */
ltcp_time rtt_rto(const struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    if (c->srtt == 0) {
        const bool syn_timed_out = c->syn_acked && c->rare != NULL && c->rare->timeouts > 0;
        const ltcp_time least = syn_timed_out ? 3 * LTCP_SECOND : 0;
        return s->rto_initial > least ? s->rto_initial : least;
    }
    const ltcp_time g = s->rto_granularity;
    return clamp(c->srtt + (4 * c->rttvar > g ? 4 * c->rttvar : g), s->rto_min, s->rto_max);
}

/* (5.5): doubled for each timeout of the same data, up to the most that is set. RFC6298:2-7
 * RFC6298:5-6 */
ltcp_time rtt_timeout(const struct ltcp_connection *c)
{
    const ltcp_time most = settings_of(c)->rto_max;
    ltcp_time rto = rtt_rto(c);
    for (unsigned i = 0; i < c->backoff && rto < most; i++)
        rto *= 2;
    return rto < most ? rto : most;
}

/* RFC 7323 section 5.4: a clock of 1 ms, begun at an offset that outsiders cannot know.
 * RFC7323:4.1-1 RFC7323:5.4-1 */
uint32_t timestamp_now(const struct ltcp_connection *c, ltcp_time now)
{
    return c->ts_offset + (uint32_t)(uint64_t)(now / LTCP_MILLISECOND);
}
