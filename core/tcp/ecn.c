/* core/tcp/ecn.c - Explicit Congestion Notification, RFC 3168 section 6.1 (RFC9293:SHLD-8), and the
 * echo that RFC 8257 section 3.2 makes of it for DCTCP. Where both ends know RFC 9768, it is
 * accecn.c's. */
#include "tcp/accecn.h"

enum { ECN_OFF, ECN_ASK, ECN_AGREE, ACCECN_ASK, ACCECN_AGREE_ECN_ASK, ACCECN_AGREE };

/* What a SYN or SYN-ACK says by its three flags, as one number: AE, CWR, ECE. */
enum { SAYS_NOTHING = 0, SAYS_CLASSIC_SYNACK = 1, SAYS_CLASSIC_SYN = 3 };

static bool knows_accecn(const struct ltcp_connection *c)
{
    return settings_of(c)->ecn >= ACCECN_ASK;
}

static bool asks_classic(const struct ltcp_connection *c)
{
    const int64_t mode = settings_of(c)->ecn;
    return mode == ECN_ASK || mode == ACCECN_AGREE_ECN_ASK;
}

/* Section 6.1.1. A SYN that was not answered goes again without the request, in case the path drops
 * it for that (6.1.1.1). RFC3168:6.1.1-4 RFC3168:6.1.1.1-1 */
uint16_t ecn_syn_flags(struct ltcp_connection *c, bool again)
{
    if (c->state == LTCP_SYN_SENT) {
        if (settings_of(c)->ecn == ACCECN_ASK) return accecn_syn_flags(c);
        return asks_classic(c) && !again ? LTCP_ECE | LTCP_CWR : 0;
    }
    if (c->accecn) return accecn_synack_flags(c);
    return c->ecn ? LTCP_ECE : 0;
}

/* An ECN-setup SYN-ACK has ECE alone. RFC3168:6.1.1-3 */
static void synack_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const uint16_t both = a->segment->flags & (LTCP_ECE | LTCP_CWR);
    if (c->out == NULL) return;
    if (settings_of(c)->ecn == ACCECN_ASK) {
        accecn_synack_arrives(c, a);
        return;
    }
    const bool asked = asks_classic(c) && record_at(c->out, c->out->head)->transmissions <= 1;
    c->ecn = asked && both == LTCP_ECE;
}

/* An ECN-setup SYN has both flags; the other combinations are AccECN's, also those that mean
 * nothing yet (RFC9768:3.1.3-1). RFC3168:6.1.1-1 RFC9768:3.1.2-3 RFC9768:3.1.2-4 */
void ecn_syn_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const uint16_t flags = a->segment->flags;
    const unsigned says = accecn_ace(flags);
    const uint16_t both = flags & (LTCP_ECE | LTCP_CWR);
    if (flags & LTCP_ACK)
        synack_arrives(c, a);
    else if (knows_accecn(c) && says != SAYS_NOTHING && says != SAYS_CLASSIC_SYN)
        accecn_accept(c, a);
    else
        c->ecn = settings_of(c)->ecn != ECN_OFF && both == (LTCP_ECE | LTCP_CWR);
}

/* RFC9768:3.1.5-6: a SYN of each kind in one handshake. RFC9768:3.1.5-10 */
bool ecn_syn_contradicts(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const unsigned says = accecn_ace(a->segment->flags);
    if (!knows_accecn(c) || !c->ecn || says == SAYS_NOTHING) {
        if (c->accecn) accecn_syn_again(c, a);
        return false;
    }
    if (c->accecn == (says == SAYS_CLASSIC_SYN)) return true;
    if (c->accecn) accecn_syn_again(c, a);
    return false;
}

/* RFC 8257 goes by exact echoes of what RFC 3168 negotiated. */
static bool echoes_exactly(const struct ltcp_connection *c)
{
    return c->cc.ops->ecn == LTCP_CC_ECN_DCTCP;
}

void ecn_reaction(struct ltcp_connection *c)
{
    struct ltcp_rare *r = rare_of(c);
    r->ecn_point = c->snd_nxt;
    r->ecn_reacted = true;
}

bool ecn_reacted_since(const struct ltcp_connection *c, ltcp_seq seq)
{
    return c->rare != NULL && c->rare->ecn_reacted && seq_lt(seq, c->rare->ecn_point);
}

/* Section 6.1.2: as for a lost packet, once for each window of data. DCTCP does so by itself, but
 * says CWR as others do (RFC 8257 section 3.3). RFC3168:6.1.2-1 RFC3168:6.1.2-2 */
static void congestion_experienced(struct ltcp_connection *c, ltcp_time now)
{
    rare_of(c)->ece_received++;
    if (c->recovery != LTCP_RECOVERY_NONE || ecn_reacted_since(c, c->snd_una)) return;
    if (flight_size(c) == 0 || c->cc.cwnd == 0) return;
    rare_of(c)->ecn_reductions++;
    ecn_reaction(c);
    c->ecn_reduced = true;
    if (echoes_exactly(c)) return;
    ecn_reduce(c, now, flight_size(c));
    remark_response(c, now, "a mark's echo");
}

/* Section 6.1.2: CWR follows a reduction for whatever reason, and an echo of the same window is no
 * reason for another. */
void ecn_window_reduced(struct ltcp_connection *c)
{
    if (!c->ecn || c->accecn) return;
    ecn_reaction(c);
    c->ecn_reduced = true;
}

/* RFC8257:3.2-1: DCTCP.CE is what the last data met, and each change of it is told at once. */
static void echo_exactly(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const bool met = a->ip->ecn == LTCP_ECN_CE;
    if (met) rare_of(c)->ce_received++;
    if (a->length == 0 || met == c->ecn_echo) return;
    c->ecn_echo = met;
    c->ack_now = true;
    connection_want_output(c);
}

/* RFC3168:6.1.3-1 */
static void echo_until_reduced(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    if (a->flags & LTCP_CWR) c->ecn_echo = false;
    if (a->ip->ecn != LTCP_ECN_CE) return;
    rare_of(c)->ce_received++;
    c->ecn_echo = true;
}

/* Section 6.1.3. */
void ecn_segment_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    if (!c->ecn || c->accecn || (a->flags & LTCP_SYN)) return;
    if (echoes_exactly(c))
        echo_exactly(c, a);
    else
        echo_until_reduced(c, a);
    if ((a->flags & (LTCP_ECE | LTCP_ACK)) == (LTCP_ECE | LTCP_ACK))
        congestion_experienced(c, a->now);
}

/* What of AccECN is given up: the path or the peer does not keep to it. */
static const char *what_fails(const struct ltcp_accecn *x)
{
    if (x->deaf) return "the peer counts no marks: they are not responded to";
    if (x->not_ect) return "marks do not come through: nothing more leaves ECN-capable";
    return x->options_zeroed ? "the peer's options count nothing: they are ignored" : NULL;
}

void ecn_remark(const struct ltcp_connection *c, ltcp_time now)
{
    const char *fails = c->accecn ? what_fails(accecn_of(c)) : NULL;
    connection_remark(c, now, LTCP_REMARK_ECN,
                      c->accecn ? "agreed, with accurate feedback" : "agreed", 0, 0);
    if (fails != NULL) connection_remark(c, now, LTCP_REMARK_ECN, fails, 0, 0);
}

static void take_feedback(struct ltcp_connection *c, const struct ltcp_arrival *a,
                          struct ltcp_ack_sample *sample, uint32_t newly)
{
    const char *before = what_fails(accecn_of(c));
    accecn_acknowledged(c, a, sample, newly);
    const char *now = what_fails(accecn_of(c));
    if (now != before) connection_remark(c, a->now, LTCP_REMARK_ECN, now, 0, 0);
}

/* RFC8257:3.3-1: an ACK with ECE says that all it acknowledges met CE. */
void ecn_acknowledged(struct ltcp_connection *c, const struct ltcp_arrival *a,
                      struct ltcp_ack_sample *sample, uint32_t newly)
{
    if (c->accecn) {
        take_feedback(c, a, sample, newly);
        return;
    }
    sample->ece = (a->segment->flags & (LTCP_ECE | LTCP_SYN)) == LTCP_ECE;
    if (sample->ece && echoes_exactly(c)) sample->ce_bytes = newly;
}

/* RFC 3168 sections 6.1.4 to 6.1.6: neither ACKs, nor retransmissions, nor window probes.
 * RFC3168:6.1.1-2 RFC3168:6.1.1-5 RFC3168:6.1.4-1 RFC3168:6.1.5-1 RFC3168:6.1.6-1 */
static bool is_capable(const struct ltcp_connection *c, const struct ltcp_packet *packet)
{
    const bool fresh_data = packet->payload_length > 0 && packet->notes == 0;
    if (!c->ecn || !fresh_data || c->loss_timer == LTCP_TIMER_PERSIST) return false;
    return !c->accecn || !accecn_of(c)->not_ect; /* RFC9768:3.1.5-11 */
}

/* RFC3168:6.1.2-4 */
uint8_t ecn_codepoint(const struct ltcp_connection *c, const struct ltcp_packet *packet)
{
    if (!is_capable(c, packet)) return LTCP_ECN_NOT_ECT;
    /* RFC 9331 section 4.2: ECT(1) only with feedback that counts every mark. */
    return c->accecn && c->cc.ops->ecn == LTCP_CC_ECN_L4S ? LTCP_ECN_ECT1 : LTCP_ECN_ECT0;
}

/* RFC3168:6.1.2-3 */
uint16_t ecn_flags(struct ltcp_connection *c, ltcp_time now, const struct ltcp_packet *packet,
                   uint16_t flags)
{
    const uint32_t payload = packet->payload_length;
    if (!c->ecn || (flags & LTCP_SYN)) return 0;
    if (c->accecn)
        return accecn_flags(c, now, flags, payload,
                            (packet->notes & LTCP_NOTE_RETRANSMISSION) != 0);
    if (flags & LTCP_RST) return 0;
    const uint16_t echo = c->ecn_echo ? LTCP_ECE : 0;
    if (payload == 0 || packet->notes != 0 || !c->ecn_reduced) return echo;
    c->ecn_reduced = false;
    return echo | LTCP_CWR;
}
