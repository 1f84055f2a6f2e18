/* core/tcp/ecn.c - Explicit Congestion Notification, RFC 3168 section 6.1 (RFC9293:SHLD-8). */
#include "tcp/connection.h"

enum { ECN_OFF, ECN_ASK, ECN_AGREE };

/* Section 6.1.1. A SYN that was not answered goes again without the request, in case the path drops
 * it for that (6.1.1.1). */
uint16_t ecn_syn_flags(const struct ltcp_connection *c, bool again)
{
    if (c->state == LTCP_SYN_SENT)
        return settings_of(c)->ecn == ECN_ASK && !again ? LTCP_ECE | LTCP_CWR : 0;
    return c->ecn ? LTCP_ECE : 0;
}

/* An ECN-setup SYN has both flags; an ECN-setup SYN-ACK has ECE alone. */
void ecn_syn_arrives(struct ltcp_connection *c, const struct ltcp_segment *s)
{
    const uint16_t both = s->flags & (LTCP_ECE | LTCP_CWR);
    const int64_t mode = settings_of(c)->ecn;
    if (s->flags & LTCP_ACK) {
        const bool asked = mode == ECN_ASK && c->out != NULL &&
                           record_at(c->out, c->out->head)->transmissions <= 1;
        c->ecn = asked && both == LTCP_ECE;
    } else {
        c->ecn = mode != ECN_OFF && both == (LTCP_ECE | LTCP_CWR);
    }
    c->ecn_point = c->snd_una;
}

/* Section 6.1.2: as for a lost packet, once for each window of data. */
static void congestion_experienced(struct ltcp_connection *c, ltcp_time now)
{
    rare_of(c)->ece_received++;
    if (c->recovery != LTCP_RECOVERY_NONE || seq_lt(c->snd_una, c->ecn_point)) return;
    if (flight_size(c) == 0 || c->cc.cwnd == 0) return;
    rare_of(c)->ecn_reductions++;
    c->ecn_point = c->snd_nxt;
    c->ecn_reduced = true;
    c->cc.ops->on_ecn(&c->cc, now, flight_size(c));
}

/* Section 6.1.3. */
void ecn_segment_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    if (!c->ecn || (a->flags & LTCP_SYN)) return;
    if (a->flags & LTCP_CWR) c->ecn_echo = false;
    if (a->ip->ecn == LTCP_ECN_CE) {
        rare_of(c)->ce_received++;
        c->ecn_echo = true;
    }
    if ((a->flags & (LTCP_ECE | LTCP_ACK)) == (LTCP_ECE | LTCP_ACK))
        congestion_experienced(c, a->now);
}

uint16_t ecn_flags(struct ltcp_connection *c, bool fresh_data)
{
    uint16_t flags = c->ecn_echo ? LTCP_ECE : 0;
    if (!fresh_data || !c->ecn_reduced) return flags;
    c->ecn_reduced = false;
    return flags | LTCP_CWR;
}
