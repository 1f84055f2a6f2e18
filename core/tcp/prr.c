/* core/tcp/prr.c
 *
 * Proportional rate reduction, RFC 9937: how much may leave on each ACK of a fast recovery, so that
 * the pipe comes down to ssthresh in one round trip, neither in silence nor in a burst. */
#include "tcp/connection.h"

/* RFC8985:9.3-2 RFC9937:5-1 */
bool uses_prr(const struct ltcp_connection *c)
{
    return settings_of(c)->prr && c->sacking && !c->cc.ops->own_recovery;
}

/* Section 6: what was SACKed before the recovery will not be delivered during it. RFC9937:6-2
 * RFC9937:6.1-1 */
void prr_start(struct ltcp_connection *c, uint32_t newly_acked, uint32_t newly_sacked)
{
    struct ltcp_rare *r = rare_of(c);
    const uint32_t sacked_before =
        c->out->sacked > newly_sacked ? c->out->sacked - newly_sacked : 0;
    r->prr_delivered = r->prr_out = 0;
    r->recover_fs = (uint64_t)flight_size(c) - sacked_before + newly_acked;
    if (r->recover_fs == 0) r->recover_fs = 1;
}

/* What leaves is counted as it is sent (send_queue.c). RFC9937:6-1 RFC9937:6-3 RFC9937:6-4
 * RFC9937:6-5 */
void prr_on_ack(struct ltcp_connection *c, ltcp_time now, uint32_t delivered_data, bool safe)
{
    struct ltcp_rare *r = rare_of(c);
    const uint64_t in_flight = pipe_size(c), ssthresh = c->cc.ssthresh;
    int64_t count;
    if (r->recover_fs == 0) prr_start(c, 0, 0); /* there was no memory to note where it began */
    r->prr_delivered += delivered_data;
    if (in_flight > ssthresh) {
        /* Rounded up to whole segments: data leaves in no other pieces. */
        const uint64_t unit = r->recover_fs * c->cc.mss;
        const uint64_t share = (r->prr_delivered * ssthresh + unit - 1) / unit * c->cc.mss;
        count = (int64_t)(share - r->prr_out);
    } else {
        count = (int64_t)(r->prr_delivered - r->prr_out);
        if (count < (int64_t)delivered_data) count = delivered_data;
        if (safe) count += c->cc.mss;
        if (count > (int64_t)(ssthresh - in_flight)) count = (int64_t)(ssthresh - in_flight);
    }
    if (count < 0) count = 0;
    /* The first retransmission leaves whatever the arithmetic says. */
    if (r->prr_out == 0 && count < (int64_t)c->cc.mss) count = c->cc.mss;
    const uint64_t window = in_flight + (uint64_t)count;
    c->cc.cwnd = window > c->cc.mss ? (uint32_t)window : c->cc.mss;
    connection_remark(c, now, LTCP_REMARK_PRR,
                      in_flight > ssthresh ? "in proportion" : "as delivered", count, c->cc.cwnd);
}
