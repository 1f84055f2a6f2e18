/* core/tcp/rate.c
 *
 * How fast data is delivered, draft-ietf-ccwg-bbr section 4.1: what a segment remembers when it
 * leaves, and what its delivery then says; and how fast it may leave, where it is paced. */
#include "tcp/connection.h"

/* ---- delivery rate ------------------------------------------------------------------------------
 */

static void remark_limit(const struct ltcp_connection *c, ltcp_time now, const char *what)
{
    if (!is_traced(c)) return;
    connection_remark(c, now, LTCP_REMARK_APP_LIMITED, what, pipe_size(c), c->cc.cwnd);
}

/* C.app_limited, as long as what left while there was too little to send is not delivered. */
static void hold(struct ltcp_connection *c, ltcp_time now)
{
    const uint64_t until = delivered(c) + pipe_size(c);
    if (c->out->app_limited == 0) remark_limit(c, now, "begins");
    c->out->app_limited = until > 0 ? until : 1;
}

/* Section 4.1.2.2: what a record that leaves now is to remember; it is not yet in the pipe. */
struct ltcp_sending rate_sending(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_send_queue *q = c->out;
    const uint32_t pipe = pipe_size(c);
    if (pipe == 0) {
        if (c->cc.ops->on_restart != NULL && c->cc.cwnd != 0)
            c->cc.ops->on_restart(&c->cc, now, q->app_limited != 0);
        if (c->cc.tells != 0) congestion_tells(c, now);
        q->delivered_time = q->first_sent_time = now;
    }
    return (struct ltcp_sending){.now = now,
                                 .delivered = delivered(c),
                                 .delivered_time = q->delivered_time,
                                 .first_sent_time = q->first_sent_time,
                                 .pipe = pipe,
                                 .lost = (uint32_t)lost_so_far(c),
                                 .mark = q->app_limited != 0 ? LTCP_MARK_APP_LIMITED : 0};
}

/* Section 4.1.2.3, UpdateRateSample: of all that an acknowledgment delivers the segment that was
 * sent last speaks. */
void rate_delivered(struct ltcp_connection *c, const struct ltcp_record *r,
                    struct ltcp_times *times)
{
    struct ltcp_ack_sample *s = times->sample;
    c->segments_delivered++;
    if (r->last_sent < times->rate_sent ||
        (r->last_sent == times->rate_sent && seq_lt(r->seq, times->rate_seq)))
        return;
    times->rate_sent = r->last_sent;
    times->rate_seq = r->seq;
    const ltcp_time send_elapsed = r->last_sent - r->first_sent_time;
    const ltcp_time ack_elapsed = times->arrived - r->delivered_time;
    s->prior_delivered = r->delivered;
    s->interval = send_elapsed > ack_elapsed ? send_elapsed : ack_elapsed;
    s->app_limited = (r->marks & LTCP_MARK_APP_LIMITED) != 0;
    s->tx_in_flight = r->tx_in_flight;
    s->prior_lost = lost_so_far(c) - (uint32_t)((uint32_t)lost_so_far(c) - r->lost_before);
    c->out->first_sent_time = r->last_sent;
}

/* What is told: the newest sample; of those that the application limited only what is no lower. */
static void note_rate(const struct ltcp_connection *c, uint64_t octets,
                      const struct ltcp_ack_sample *s)
{
    struct ltcp_send_queue *q = c->out;
    const bool lower =
        octets * (uint64_t)q->rate_interval < (uint64_t)q->rate_octets * (uint64_t)s->interval;
    if (s->app_limited && q->rate_interval > 0 && lower) return;
    q->rate_octets = octets < UINT32_MAX ? (uint32_t)octets : UINT32_MAX;
    q->rate_interval = s->interval;
    if (is_traced(c))
        connection_remark(c, s->now, LTCP_REMARK_RATE, NULL, (int64_t)delivery_rate(c),
                          s->interval);
}

uint64_t delivery_rate(const struct ltcp_connection *c)
{
    const struct ltcp_send_queue *q = c->out;
    if (q == NULL || q->rate_interval == 0) return 0;
    return (uint64_t)q->rate_octets * (uint64_t)LTCP_SECOND / (uint64_t)q->rate_interval;
}

/* Section 4.1.2.3, GenerateRateSample. A sample over less than a round trip would be too high. */
void rate_generate(struct ltcp_connection *c, struct ltcp_ack_sample *s)
{
    struct ltcp_send_queue *q = c->out;
    if (q != NULL && q->app_limited != 0 && delivered(c) > q->app_limited) {
        q->app_limited = 0;
        remark_limit(c, s->now, "ends");
    }
    if (s->interval < c->min_rtt) s->interval = 0;
    s->lost = lost_so_far(c);
    if (s->interval == 0)
        s->prior_lost = s->lost;
    else if (q != NULL)
        note_rate(c, delivered(c) - s->prior_delivered, s);
}

/* Section 4.1.2.4: less than a segment waits, the window has room, and nothing lost waits. */
void rate_look_for_limit(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_send_queue *q = c->out;
    if (q == NULL || q->unsent_octets >= c->snd_mss || c->pace_held) return;
    if (pipe_size(c) >= c->cc.cwnd || q->lost > q->retransmitted) return;
    hold(c, now);
}

/* A window that is not used says nothing of the network (RFC 7661 section 4.3): what counts is the
 * most of a round trip, not the moment at which an acknowledgment finds it half empty. */
void rate_note_usage(struct ltcp_connection *c, bool sent)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL) return;
    const uint32_t pipe = pipe_size(c);
    const bool limited = c->cwnd_limited || pipe + c->snd_mss > c->cc.cwnd;
    if (settings_of(c)->usage_when_sent && !sent && !limited) return;
    if (seq_lt(c->snd_una, q->usage_end) && !limited && (q->usage_limited || pipe <= q->usage_most))
        return;
    q->usage_limited = limited;
    q->usage_most = pipe;
    q->usage_end = c->snd_nxt;
}

/* In slow start a window twice as large as what was used does no harm. */
bool rate_window_is_used(const struct ltcp_connection *c)
{
    const struct ltcp_send_queue *q = c->out;
    if (q == NULL) return false;
    if (q->usage_limited) return true;
    return c->cc.cwnd < c->cc.ssthresh && c->cc.cwnd / 2 < q->usage_most;
}

void rate_queue_ends(const struct ltcp_connection *c, ltcp_time now)
{
    if (c->out->app_limited == 0 && is_traced(c))
        connection_remark(c, now, LTCP_REMARK_APP_LIMITED, "begins", 0, c->cc.cwnd);
}

void rate_hold_back(struct ltcp_connection *c, ltcp_time now)
{
    if (c->out != NULL) hold(c, now);
}

/* A record that counted as in the pipe is now held to be lost. */
void rate_lost(struct ltcp_connection *c, const struct ltcp_record *r, ltcp_time now)
{
    rare_of(c)->lost += record_span(r);
    if (c->cc.ops->on_segment_lost == NULL || c->cc.cwnd == 0) return;
    const uint64_t lost = lost_so_far(c);
    const struct ltcp_loss_sample sample = {
        .now = now,
        .bytes = record_span(r),
        .tx_in_flight = r->tx_in_flight,
        .lost = lost,
        .prior_lost = lost - (uint32_t)((uint32_t)lost - r->lost_before),
        .delivered = delivered(c),
        .app_limited = (r->marks & LTCP_MARK_APP_LIMITED) != 0,
    };
    c->cc.ops->on_segment_lost(&c->cc, &sample);
}

/* ---- pacing -------------------------------------------------------------------------------------
 */

/* Octets a second; 0: not paced. Without a rate of the algorithm's own, a little more than a window
 * each round trip, twice as much in slow start. */
uint64_t pacing_rate(const struct ltcp_connection *c)
{
    if (c->cc.pacing_rate != 0) return c->cc.pacing_rate;
    if (!settings_of(c)->pacing || c->srtt <= 0) return 0;
    /* Linux's fq slows down before slow start ends. */
    const uint32_t fast = settings_of(c)->pacing_fair_queue ? c->cc.ssthresh / 2 : c->cc.ssthresh;
    const uint64_t percent = c->cc.cwnd < fast ? 200 : 120;
    return (uint64_t)c->cc.cwnd * percent * (LTCP_SECOND / 100) / (uint64_t)c->srtt;
}

/* As much as a millisecond carries leaves at once, so that fast flows need no timer a packet.
 * RFC9937:6.4-1 */
static uint64_t quantum(const struct ltcp_connection *c, uint64_t rate)
{
    const uint64_t octets = rate / 1000;
    if (settings_of(c)->pacing_fair_queue) return (uint64_t)output_burst_size(c) * c->snd_mss;
    if (octets < c->snd_mss) return c->snd_mss;
    return octets < 65536 ? octets : 65536;
}

/* Whether something may leave now; if not, when. RFC7661:4.4.2-1 */
bool pacing_allows(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_send_queue *q = c->out;
    const uint64_t rate = pacing_rate(c);
    c->pace_held = false;
    if (q->burst > 0 || (rate == 0 && q->pace_time <= now)) return true;
    if (q->pace_time > now) {
        c->pace_held = true;
        if (is_traced(c) && q->pace_deadline != q->pace_time)
            connection_remark(c, now, LTCP_REMARK_PACING, "held", q->pace_time, (int64_t)rate);
        timers_set_pace(c, q->pace_time);
        return false;
    }
    q->burst = quantum(c, rate);
    q->pace_credit = settings_of(c)->pacing_fair_queue ? now - q->pace_time : 0;
    return true;
}

/* The window cannot become less than a segment; the rate can: the next one leaves when a
 * retransmission timer that began now would fire (RFC 3168 section 6.1.2). The timer backs off as
 * long as marks go on at that window. RFC9438:4.6-5 */
void pacing_hold(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_rare *r = rare_of(c);
    if (c->out == NULL || c->cc.cwnd > c->cc.mss) {
        r->marks_at_least = 0;
        return;
    }
    const ltcp_time most = settings_of(c)->rto_max;
    ltcp_time wait = rtt_rto(c);
    for (unsigned i = 0; i < r->marks_at_least && wait < most; i++)
        wait *= 2;
    if (r->marks_at_least < UINT8_MAX) r->marks_at_least++;
    c->out->pace_time = now + (wait < most ? wait : most);
    c->out->burst = 0;
}

/* As Linux's fq spaces packets: the first ten of a connection not at all, and what leaves later
 * than it could have is followed so much sooner, by half of its time at most. */
#define UNPACED 10
static ltcp_time sooner(const struct ltcp_connection *c, ltcp_time length)
{
    struct ltcp_send_queue *q = c->out;
    if (!settings_of(c)->pacing_fair_queue) return length;
    if (c->data_segments_sent < UNPACED) return 0;
    const ltcp_time cut = length / 2 < q->pace_credit ? length / 2 : q->pace_credit;
    q->pace_credit -= cut;
    return length - cut;
}

/* What has left pushes on the time of the next burst. An idle flow saves up nothing. */
void pacing_sent(struct ltcp_connection *c, uint32_t octets, ltcp_time now)
{
    struct ltcp_send_queue *q = c->out;
    const uint64_t rate = pacing_rate(c);
    if (rate == 0) return;
    if (q->pace_time < now) q->pace_time = now;
    const uint64_t scaled = (uint64_t)octets * (uint64_t)LTCP_SECOND / rate;
    q->pace_time += sooner(c, scaled < (uint64_t)LTCP_SECOND ? (ltcp_time)scaled : LTCP_SECOND);
    q->burst = q->burst > octets ? q->burst - octets : 0;
}
