/* core/tcp/loss_probe.c
 *
 * Tail loss probes, RFC 8985 section 7: one segment after about two round trips of silence, so that
 * what was lost at the end of a flight is found by RACK and not by the RTO. */
#include "tcp/connection.h"

/* Section 7.2: not in recovery, nothing SACKed. Section 7.3: no other probe is unanswered, and the
 * RTT was sampled since the last one. RFC8985:7.2-1, 7.3-1 */
bool loss_probe_may(const struct ltcp_connection *c)
{
    return settings_of(c)->tlp && uses_rack(c) && c->state >= LTCP_ESTABLISHED &&
           c->recovery == LTCP_RECOVERY_NONE && c->out != NULL && c->out->sacked == 0 &&
           flight_size(c) > 0 && !c->probe_unsampled && !(c->rare != NULL && c->rare->probed);
}

/* RFC8985:7.2-2, TLP_calc_PTO. */
void loss_probe_schedule(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL) return;
    q->probe_deadline = LTCP_NEVER;
    if (!loss_probe_may(c)) return;
    ltcp_time timeout = c->srtt > 0 ? 2 * c->srtt : LTCP_SECOND;
    if (c->srtt > 0 && q->unsent - q->head == 1) timeout += settings_of(c)->tlp_max_ack_delay;
    q->probe_deadline = now + timeout;
}

/* RFC8985:7.3-2 */
void loss_probe_sent(struct ltcp_connection *c, ltcp_time now, const struct ltcp_record *r,
                     bool retransmission)
{
    struct ltcp_rare *rare = rare_of(c);
    rare->loss_probes++;
    rare->probed = true;
    rare->probe_retransmitted = retransmission;
    rare->probe_seq = r->seq;
    rare->probe_end = c->snd_nxt;
    c->probe_unsampled = true;
    c->out->probe_deadline = LTCP_NEVER;
    c->out->timer_started = now; /* the RTO counts anew */
    connection_trace_text(c, now, LTCP_TRACE_PROBE, (int64_t)rare->loss_probes, "tail loss");
}

/* The probe repaired a loss that nothing else tells of: the congestion control hears of it. */
static void respond(struct ltcp_connection *c, ltcp_time now)
{
    if (c->recovery != LTCP_RECOVERY_NONE || c->cc.cwnd == 0) return;
    c->cc.ops->on_loss(&c->cc, now, flight_size(c));
    c->cc.ops->on_recovered(&c->cc, now);
    ecn_window_reduced(c);
    remark_response(c, now, "a loss that a probe repaired");
}

static void judge(struct ltcp_connection *c, ltcp_time now, const char *what)
{
    c->rare->probed = false;
    connection_remark(c, now, LTCP_REMARK_TAIL_PROBE, what, c->rare->probe_end.n, 0);
}

/* RFC8985:7.4-1, TLP_process_ack. */
void loss_probe_acknowledged(struct ltcp_connection *c, ltcp_time now, ltcp_seq ack, bool advanced,
                             bool has_sack, const struct ltcp_times *times)
{
    struct ltcp_rare *r = c->rare;
    if (r == NULL || !r->probed || seq_lt(ack, r->probe_end)) return;
    const bool twice = times->duplicate_told && seq_eq(times->duplicate.right, r->probe_end) &&
                       seq_le(times->duplicate.left, r->probe_seq);
    if (!r->probe_retransmitted) {
        judge(c, now, "new data arrived");
    } else if (twice || (seq_eq(ack, r->probe_end) && !advanced && !has_sack)) {
        judge(c, now, "both copies arrived"); /* as a DSACK says, or a duplicate ACK */
    } else if (seq_gt(ack, r->probe_end)) {
        judge(c, now, "a loss was repaired");
        respond(c, now);
    }
}
