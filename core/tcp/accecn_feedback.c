/* core/tcp/accecn_feedback.c - the Data Sender of RFC 9768: what the ACE field and the AccECN
 * option of an acknowledgment say of the CE marks that our segments met (sections 3.2.2.2
 * to 3.2.2.5, 3.2.3.2 and appendix A), and what the congestion control is told. */
#include "tcp/accecn.h"

#define CE_BIT (1u << LTCP_ECN_CE)

/* ---- what the congestion control is told
 * --------------------------------------------------------- */

void accecn_respond(struct ltcp_connection *c, ltcp_time now, uint32_t flight)
{
    if (c->cc.cwnd == 0 || flight == 0) return;
    rare_of(c)->ecn_reductions++;
    ecn_reaction(c);
    pacing_hold(c, now);
    c->cc.ops->on_ecn(&c->cc, now, settings_of(c)->reduce_from_window ? c->cc.cwnd : flight);
    remark_response(c, now, "marks that were counted");
}

/* RFC 3168 section 6.1.2 as RFC 9768 section 4 updates it: as for a lost packet, once for each
 * window of data. */
static void tell_of_packets(struct ltcp_connection *c, ltcp_time now)
{
    if (c->cc.ops->ecn != LTCP_CC_ECN_CLASSIC) return;
    if (c->recovery != LTCP_RECOVERY_NONE || ecn_reacted_since(c, seq_sub(c->snd_una, 1))) return;
    accecn_respond(c, now, accecn_of(c)->flight);
}

/* Exactly, where the option counts them; else by the size of the segments that were acknowledged
 * (appendix A.3). What was estimated too low or too high is made good by the next option. */
static uint32_t newly_marked_bytes(const struct ltcp_connection *c, uint32_t packets,
                                   uint32_t segments, uint32_t newly, bool counted)
{
    struct ltcp_accecn *x = accecn_of(c);
    if (counted) {
        const uint64_t total = x->s_bytes[LTCP_ECN_CE];
        const uint64_t more = total > x->ce_told ? total - x->ce_told : 0;
        x->ce_told = total;
        return (uint32_t)more;
    }
    const uint64_t size = segments > 0 ? newly / segments : c->snd_mss;
    uint64_t bytes = packets * size;
    if (newly > 0 && bytes > newly) bytes = newly;
    x->ce_told += bytes;
    return (uint32_t)bytes;
}

static void tell_of_bytes(struct ltcp_accecn *x, struct ltcp_ack_sample *sample, uint32_t newly)
{
    sample->ce_bytes = x->ce_owed < newly ? x->ce_owed : newly;
    x->ce_owed -= sample->ce_bytes;
}

/* ---- the ACE field
 * ------------------------------------------------------------------------------- */

/* Appendix A.2.2: whether the least increment explains the CE bytes; SAFETY_FACTOR is 2. */
static bool bytes_confirm(const struct ltcp_connection *c, uint64_t bytes, uint32_t least,
                          uint32_t safer)
{
    return bytes <= (uint64_t)c->snd_mss * least && bytes / safer < c->snd_mss / 2u;
}

/* Section 3.2.2.5.2 by appendix A.2: the field may have cycled where one ACK acknowledges eight
 * segments or more. RFC9768:3.2.2.5.2-1 RFC9768:3.2.2.2-6 RFC9768:3.2.3.2.3-1 */
static uint32_t newly_marked_packets(const struct ltcp_connection *c, unsigned ace,
                                     uint32_t segments, uint32_t newly,
                                     const struct accecn_news *news)
{
    const struct ltcp_accecn *x = accecn_of(c);
    const uint32_t least = (ace - x->s_cep) & ACCECN_ACE_MASK;
    if (segments <= ACCECN_ACE_MASK)
        return least; /* also fewer than `least`: RFC9768:3.2.2.5.2-2 */
    const uint32_t safer = segments - (segments - least) % 8;
    if (news->present != 0 && x->option_before) {
        const uint32_t ect = news->growth[LTCP_ECN_ECT0] + news->growth[LTCP_ECN_ECT1];
        const uint32_t rest = newly > ect ? newly - ect : 0; /* at most so much met CE */
        const uint32_t bytes = news->present & CE_BIT ? news->growth[LTCP_ECN_CE] : rest;
        return bytes_confirm(c, bytes, least, safer) ? least : safer;
    }
    /* "it would be reasonable to only use dSafer.cep ... if the moving average ... was well below
     * 8": where ACKs are always thinned out, a long one says nothing. */
    return x->acked_average < 4 * 16 ? safer : least;
}

static void average_segments(struct ltcp_accecn *x, uint32_t segments)
{
    const uint32_t sample = (segments < 1024 ? segments : 1024) * 16;
    if (segments == 0) return;
    const uint32_t sum = x->acked_average * 7u + sample;
    x->acked_average = (uint16_t)(x->acked_average == 0 ? sample : sum / 8);
}

/* RFC9768:3.2.3.2.5-1: bytes met CE, but no packet did. */
static void check_consistency(struct ltcp_accecn *x, const struct accecn_news *news,
                              uint32_t segments)
{
    const uint32_t since = x->segments_at_option + segments;
    x->segments_at_option = since < UINT16_MAX ? since : UINT16_MAX;
    if (!(news->present & CE_BIT)) return;
    const bool certain = x->segments_at_option <= ACCECN_ACE_MASK;
    if (news->growth[LTCP_ECN_CE] > 0 && x->s_cep == x->cep_at_option && certain) x->not_ect = true;
    x->cep_at_option = x->s_cep;
    x->segments_at_option = 0;
}

/* ---- an acknowledgment
 * --------------------------------------------------------------------------- */

static bool is_pure(const struct ltcp_segment *s)
{
    return s->length == 0 && !(s->flags & LTCP_FIN) && !(s->options.present & LTCP_HAS_SACK);
}

/* newlyAckedB and newlyAckedT of appendix A.1; a duplicate ACK without SACK is news of a segment.
 */
static bool is_superseded(struct ltcp_connection *c, const struct ltcp_segment *s, uint32_t newly,
                          uint32_t segments)
{
    struct ltcp_accecn *x = accecn_of(c);
    const struct ltcp_options *o = &s->options;
    const bool stamped = c->stamping && (o->present & LTCP_HAS_TIMESTAMPS);
    const bool newer = stamped && (!x->stamped || (int32_t)(o->ts_value - x->stamp) > 0);
    if (newer) x->stamp = o->ts_value;
    if (stamped) x->stamped = true;
    return newly == 0 && !newer && (c->sacking || segments == 0);
}

/* Table 4, RFC9768:3.2.2.1-3; the SYN-ACK left Not-ECT, so it must have arrived so
 * (RFC9768:3.2.2.3-2). */
static void handshake_ack_arrives(struct ltcp_connection *c, ltcp_time now, unsigned ace)
{
    struct ltcp_accecn *x = accecn_of(c);
    if (ace == 0) x->deaf = true;
    if (ace == 0 || ace == 3 || ace == 4 || ace == 6) x->not_ect = true;
    if (ace != 6) return;
    x->s_cep = x->cep_at_option = ACCECN_CEP_FIRST + 1; /* RFC9768:3.2.2.2-4 */
    accecn_respond(c, now, c->cc.cwnd);
}

void accecn_acknowledged(struct ltcp_connection *c, const struct ltcp_arrival *a,
                         struct ltcp_ack_sample *sample, uint32_t newly)
{
    struct ltcp_accecn *x = accecn_of(c);
    const struct ltcp_segment *s = a->segment;
    const unsigned ace = accecn_ace(s->flags);
    const bool of_handshake = x->syn_received;
    x->syn_received = false;
    if (s->flags & LTCP_SYN) return; /* there is no ACE field: RFC9768:3.2.2-2 */
    const uint32_t left = accecn_outstanding(c);
    const uint32_t segments = x->outstanding > left ? x->outstanding - left : 0;
    const bool superseded = is_superseded(c, s, newly, segments);
    if (of_handshake && is_pure(s)) {
        handshake_ack_arrives(c, a->now, ace);
        x->option_before = accecn_option_read(c, s, true).present != 0;
        return;
    }
    if (superseded) { /* RFC9768:3.2.2.2-5 */
        tell_of_bytes(x, sample, newly);
        return;
    }
    if (!x->tested && ace == 0) x->not_ect = x->deaf = true; /* RFC9768:3.2.2.4-1 */
    x->tested = true;
    const struct accecn_news news = accecn_option_read(c, s, of_handshake);
    const uint32_t packets = newly_marked_packets(c, ace, segments, newly, &news);
    x->s_cep += packets;
    check_consistency(x, &news, segments);
    average_segments(x, segments);
    x->option_before = news.present != 0;
    x->ce_owed += newly_marked_bytes(c, packets, segments, newly, (news.present & CE_BIT) != 0);
    if (x->deaf) { /* RFC9768:3.2.2.1-4 */
        x->ce_owed = 0;
        return;
    }
    tell_of_bytes(x, sample, newly);
    if (packets > 0) tell_of_packets(c, a->now);
}
