/* core/tcp/accecn.c - Accurate ECN, RFC 9768: its negotiation (section 3.1), and the Data Receiver,
 * which counts what arrives and feeds it back in the ACE field (3.2.2). The option is
 * accecn_option.c's, what the peer feeds back is accecn_feedback.c's. */
#include "tcp/accecn.h"

#define ECN_FLAGS (LTCP_AE | LTCP_CWR | LTCP_ECE)

/* Tables 2 and 3: what says which IP-ECN field arrived on a SYN or a SYN-ACK. */
static const uint8_t handshake_encoding[4] = {
    [LTCP_ECN_NOT_ECT] = 2, [LTCP_ECN_ECT1] = 3, [LTCP_ECN_ECT0] = 4, [LTCP_ECN_CE] = 6};

static uint16_t flags_of_ace(unsigned ace)
{
    return (uint16_t)(ace << 6);
}

/* ---- negotiation
 * --------------------------------------------------------------------------------- */

/* RFC9768:3.1.1-5 */
static struct ltcp_accecn *enter(struct ltcp_connection *c)
{
    struct ltcp_rare *rare = rare_of(c);
    if (rare == c->engine->nobody) return NULL;
    if (rare->accecn == NULL) rare->accecn = engine_zeroed(c->engine, sizeof *rare->accecn);
    struct ltcp_accecn *x = rare->accecn;
    if (x == NULL) return NULL;
    /* RFC9768:3.2.1-1, RFC9768:3.2.1-2 */
    x->r_cep = x->s_cep = x->cep_at_option = ACCECN_CEP_FIRST;
    x->r_bytes[LTCP_ECN_ECT0] = x->r_bytes[LTCP_ECN_ECT1] = ACCECN_BYTES_FIRST;
    x->s_bytes[LTCP_ECN_ECT0] = x->s_bytes[LTCP_ECN_ECT1] = ACCECN_BYTES_FIRST;
    c->ecn = c->accecn = true;
    return x;
}

/* RFC9768:3.1.1-1; the second retransmission and those after it ask for nothing, lest a middlebox
 * drop it for that: RFC9768:3.1.4.1-1 */
uint16_t accecn_syn_flags(const struct ltcp_connection *c)
{
    return record_at(c->out, c->out->head)->transmissions <= 1 ? ECN_FLAGS : 0;
}

/* RFC9768:3.1.1-2: the IP-ECN field of the latest SYN (RFC9768:3.1.5-8). A SYN-ACK that was not
 * answered twice goes without: RFC9768:3.2.3.2.2-2 */
uint16_t accecn_synack_flags(struct ltcp_connection *c)
{
    struct ltcp_accecn *x = accecn_of(c);
    if (c->unanswered >= x->earlier_timeouts + 2u) {
        x->not_ect = true; /* RFC9768:3.1.5-13 */
        return 0;
    }
    return flags_of_ace(handshake_encoding[x->handshake_ecn]);
}

/* Also on a simultaneous open: RFC9768:3.1.2-6 */
bool accecn_accept(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const bool initiator = c->state == LTCP_SYN_SENT;
    const uint32_t asked = initiator ? record_at(c->out, c->out->head)->transmissions : 0;
    struct ltcp_accecn *x = enter(c);
    if (x == NULL) return false;
    x->responder = x->syn_received = true;
    x->handshake_ecn = a->ip->ecn;
    x->earlier_timeouts = (uint8_t)(c->unanswered < UINT8_MAX ? c->unanswered : UINT8_MAX);
    x->not_ect = asked > 2; /* one of our own SYNs asked for nothing: RFC9768:3.1.5-13 */
    return true;
}

/* RFC9768:3.2-2: payload octets, also of retransmissions. RFC9768:3.2.3.3-5 */
static void count_bytes(struct ltcp_accecn *x, uint8_t ecn, uint32_t octets)
{
    const uint8_t bit = (uint8_t)(1u << ecn);
    if (octets == 0 || ecn == LTCP_ECN_NOT_ECT) return;
    x->r_bytes[ecn] += octets;
    x->changed |= bit;
    x->changed_now |= bit;
    x->changed_since |= bit;
    x->bytes_unsaid += octets;
    /* RFC9768:3.2.3.3-4: on the next ACK, and (-5) on the one that follows. */
    if (ecn != x->last_data) x->repetitions = 2;
    x->last_data = ecn;
}

static void count_synack(struct ltcp_connection *c, struct ltcp_accecn *x, uint8_t ecn)
{
    x->handshake_ecn = ecn;
    x->handshake_ack = true; /* RFC9768:3.2.2.1-1 */
    if (ecn != LTCP_ECN_CE) return;
    rare_of(c)->ce_received++;
    if (!x->synack_ce) x->r_cep++; /* RFC9768:3.2.2.2-3 */
    x->synack_ce = true;
}

/* The column "SYN/ACK" of table 2. The SYN left Not-ECT, so it must have arrived so
 * (RFC9768:3.2.2.3-1); 1,0,1 is reserved, and taken to say that it did (RFC9768:3.1.3-2). */
void accecn_synack_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const unsigned answer = accecn_ace(a->segment->flags);
    c->ecn = answer == 1; /* RFC9768:3.1.2-1: Classic ECN; RFC9768:3.1.2-2: none, for 0 and 7 */
    if (answer < 2 || answer == 7) return;
    struct ltcp_accecn *x = enter(c);
    if (x == NULL) return;
    count_synack(c, x, a->ip->ecn);
    x->not_ect = answer != 5 && answer != handshake_encoding[LTCP_ECN_NOT_ECT];
    x->syn_met_ce = answer == handshake_encoding[LTCP_ECN_CE];
    (void)accecn_option_read(c, a->segment, true);
    count_bytes(x, a->ip->ecn, a->segment->length);
}

/* RFC9768:3.2.2.2-2: s.cep stays as it is, yet CE is responded to. */
void accecn_established(struct ltcp_connection *c, ltcp_time now)
{
    if (accecn_of(c)->syn_met_ce) accecn_respond(c, now, c->cc.cwnd);
}

/* RFC9768:3.1.5-8, RFC9768:3.1.5-13 */
void accecn_syn_again(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    struct ltcp_accecn *x = accecn_of(c);
    x->handshake_ecn = a->ip->ecn;
    if (accecn_ace(a->segment->flags) == 0) x->not_ect = true;
}

/* A SYN-ACK that comes again is answered in the handshake's encoding: RFC9768:3.2.2.1-2. */
void accecn_rejected(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    struct ltcp_accecn *x = accecn_of(c);
    const struct ltcp_segment *s = a->segment;
    const unsigned ace = accecn_ace(s->flags);
    if ((s->flags & (LTCP_SYN | LTCP_ACK)) == (LTCP_SYN | LTCP_ACK) && !x->responder) {
        const bool same = seq_eq(s->seq, c->irs) && seq_eq(s->ack, seq_add(c->iss, 1));
        if (same && ace >= 2 && ace != 7) count_synack(c, x, a->ip->ecn);
    } else if (s->length > 0 && seq_lt(s->seq, c->rcv_nxt)) {
        accecn_option_unheard(c, a->now);
    }
}

/* ---- the Data Receiver
 * --------------------------------------------------------------------------- */

/* Section 3.2.2.5.1. */
static void owe_acknowledgment(struct ltcp_connection *c, struct ltcp_accecn *x, uint8_t ecn,
                               bool data)
{
    const bool changed = data && ecn == LTCP_ECN_CE && x->last_packet != LTCP_ECN_CE;
    const bool unacknowledged = data || c->unacked_octets > 0;
    if (ecn == LTCP_ECN_CE && x->ce_unreported < UINT8_MAX) x->ce_unreported++;
    x->last_packet = ecn;
    if (changed) acknowledge_now(c);                         /* RFC9768:3.2.2.5.1-1 */
    if (x->ce_unreported < (unacknowledged ? 2 : 3)) return; /* RFC9768:3.2.2.5.1-2 */
    /* It must not be mistaken for a duplicate ACK: RFC9768:3.2.2.5.1-3 */
    x->acks_an_ack = !unacknowledged;
    acknowledge_now(c);
}

/* RFC9768:3.2-1; acceptable means: by RFC 9293's tests and by RFC 5961's. RFC9768:3.2-3 */
void accecn_segment_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    struct ltcp_accecn *x = accecn_of(c);
    x->flight = flight_size(c);
    x->outstanding = accecn_outstanding(c);
    if (a->segment->length > 0 && a->length == 0) return; /* the window has no room for any of it */
    if (a->segment->flags & LTCP_SYN) {                   /* the SYN-ACK of a simultaneous open */
        count_synack(c, x, a->ip->ecn);
    } else if (a->ip->ecn == LTCP_ECN_CE) {
        rare_of(c)->ce_received++;
        x->r_cep++;
    }
    count_bytes(x, a->ip->ecn, a->segment->length);
    owe_acknowledgment(c, x, a->ip->ecn, a->length > 0);
    if (a->length > 0 && x->data_since_duplicate < UINT8_MAX) x->data_since_duplicate++;
}

/* The ACE field: RFC9768:3.2.2-1, RFC9768:3.2.2.2-1; on the pure ACK of a SYN-ACK in its own
 * encoding, RFC9768:3.2.2.1-1. CWR is never what RFC 3168 means by it (RFC9768:3.1.5-16). */
uint16_t accecn_flags(struct ltcp_connection *c, ltcp_time now, uint16_t flags, uint32_t payload,
                      bool retransmission)
{
    struct ltcp_accecn *x = accecn_of(c);
    const bool pure = payload == 0 && !(flags & (LTCP_SYN | LTCP_FIN | LTCP_RST));
    const bool handshake = x->handshake_ack && pure;
    x->bare = pure && (handshake || x->acks_an_ack);
    accecn_option_choose(c, now, payload, retransmission, handshake);
    if (handshake) x->handshake_ack = false;
    if (flags & LTCP_ACK) {
        x->ce_unreported = 0;
        x->changed_now = 0;
        x->acks_an_ack = false;
    }
    return flags_of_ace(handshake ? handshake_encoding[x->handshake_ecn]
                                  : x->r_cep & ACCECN_ACE_MASK);
}

bool accecn_owes_handshake_ack(const struct ltcp_connection *c)
{
    return c->ack_now && accecn_of(c)->handshake_ack;
}

bool accecn_forbids_sack(const struct ltcp_connection *c)
{
    return accecn_of(c)->bare;
}

void accecn_release(struct ltcp_connection *c)
{
    c->accecn = false;
    engine_resize(c->engine, c->rare->accecn, sizeof *c->rare->accecn, 0);
    c->rare->accecn = NULL;
}
