/* core/tcp/accecn_option.c - the AccECN option, RFC 9768 section 3.2.3: which segments carry it,
 * with which of the byte counters, and what one that arrives says. */
#include "tcp/accecn.h"

enum { ACK_PERIOD = 3 }; /* RFC9768:3.2.3.3-6's n */
enum { BYTES_UNSAID_MOST = 1 << 22 };
/* So often in a row, with so few segments of new data in between, is "always". */
enum { DUPLICATES_MOST = 4, DATA_BETWEEN_MOST = 8 };
enum { LEVEL_NEVER, LEVEL_SPARING, LEVEL_USEFUL, LEVEL_STUBBORN }; /* of the setting */

/* The fields of order 0 (kind 172) and order 1 (kind 174). */
static const uint8_t order[2][3] = {{LTCP_ECN_ECT0, LTCP_ECN_CE, LTCP_ECN_ECT1},
                                    {LTCP_ECN_ECT1, LTCP_ECN_CE, LTCP_ECN_ECT0}};

static unsigned bit(unsigned codepoint)
{
    return 1u << codepoint;
}

/* ---- when it leaves
 * ------------------------------------------------------------------------------ */

static bool is_time_for_beacon(const struct ltcp_connection *c, const struct ltcp_accecn *x,
                               ltcp_time now)
{
    const int64_t beacon = settings_of(c)->accecn_beacon;
    return x->changed != 0 && beacon > 0 && c->srtt > 0 && now - x->option_sent >= c->srtt / beacon;
}

/* "Recommended Simple Scheme": where a byte counter has grown since the last ACK,
 * RFC9768:3.2.3.3-2. Sparing, it is what "SHOULD" says of the single rules. RFC9768:3.2.3.3-7 */
static bool is_useful(const struct ltcp_connection *c, const struct ltcp_accecn *x, ltcp_time now)
{
    if (is_time_for_beacon(c, x, now)) return true;
    if (x->changed_now == 0) return false;
    if (settings_of(c)->accecn_option >= LEVEL_USEFUL) return true;
    return (x->changed_since & bit(LTCP_ECN_CE)) != 0 || x->repetitions > 0 ||
           x->acks_without + 1 >= ACK_PERIOD || x->bytes_unsaid >= BYTES_UNSAID_MOST;
}

static bool may_leave(const struct ltcp_connection *c, const struct ltcp_accecn *x)
{
    const int64_t level = settings_of(c)->accecn_option;
    if (level == LEVEL_NEVER || (level == LEVEL_SPARING && !x->option_seen)) return false;
    return !x->options_blocked || level == LEVEL_STUBBORN;
}

/* The last ACK of the handshake and the initiator's first data test the path: RFC9768:3.2.3.2.1-3.
 * A retransmission goes without: RFC9768:3.2.3.2.2-3 RFC9768:3.2.3.2.3-2 */
void accecn_option_choose(struct ltcp_connection *c, ltcp_time now, uint32_t payload,
                          bool retransmission, bool handshake)
{
    struct ltcp_accecn *x = accecn_of(c);
    const bool first_data = payload > 0 && !x->first_data_sent && !x->responder;
    if (payload > 0) x->first_data_sent = true;
    x->option_due = ACCECN_DUE_NONE;
    if (!retransmission && may_leave(c, x)) {
        if (handshake || first_data)
            x->option_due = ACCECN_DUE_ALL;
        else if (is_useful(c, x, now))
            x->option_due = ACCECN_DUE_CHANGES;
    }
    if (x->option_due == ACCECN_DUE_NONE && x->acks_without < UINT8_MAX) x->acks_without++;
}

/* Data that was acknowledged comes again. Where it always does after an ACK with the option, those
 * ACKs do not arrive: RFC9768:3.2.3.2.2-4 */
void accecn_option_unheard(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_accecn *x = accecn_of(c);
    if (!x->data_ack_had || settings_of(c)->accecn_option == LEVEL_STUBBORN) return;
    x->data_ack_had = false;
    if (x->data_since_duplicate > DATA_BETWEEN_MOST) x->duplicates = 0;
    x->data_since_duplicate = 0;
    if (x->duplicates < DUPLICATES_MOST) x->duplicates++;
    const bool blocked = x->duplicates == DUPLICATES_MOST;
    if (blocked && !x->options_blocked)
        connection_remark(c, now, LTCP_REMARK_ECN, "options do not come through: they are left out",
                          0, 0);
    x->options_blocked = blocked;
}

/* ---- with what
 * --------------------------------------------------------------------------------- */

/* With as few fields as have all of `set` among them, RFC9768:3.2.3-2: table 5. */
static void put(const struct ltcp_accecn *x, unsigned set, struct ltcp_options *o)
{
    const bool second = (set & bit(LTCP_ECN_ECT1)) != 0 && !(set & bit(LTCP_ECN_ECT0));
    uint8_t count = 3;
    while (count > 0 && !(set & bit(order[second][count - 1])))
        count--;
    o->accecn_kind = second ? LTCP_OPTION_ACCECN1 : LTCP_OPTION_ACCECN0;
    o->accecn_count = count;
    for (uint8_t i = 0; i < count; i++) /* RFC9768:3.2.3.1-1 */
        o->accecn[i] = (uint32_t)(x->r_bytes[order[second][i]] & ACCECN_COUNTER_MASK);
}

static uint32_t octets_of(const struct ltcp_options *o)
{
    return (2u + 3u * o->accecn_count + 3) / 4 * 4;
}

static uint32_t octets_of_sack(uint32_t blocks)
{
    return blocks > 0 ? 4 + 8 * blocks : 0;
}

/* RFC9768:3.2.3.2.1-4 */
static bool choose_fields(const struct ltcp_accecn *x, uint32_t room, struct ltcp_options *o)
{
    const unsigned all = bit(LTCP_ECN_ECT0) | bit(LTCP_ECN_CE) | bit(LTCP_ECN_ECT1);
    /* What has changed since the last option is not left out: RFC9768:3.2.3.3-3 */
    const unsigned sets[3] = {all, x->changed, x->changed_since};
    for (unsigned i = x->option_due == ACCECN_DUE_ALL ? 0 : 1; i < 3; i++) {
        put(x, sets[i], o);
        if (octets_of(o) <= room) return true;
    }
    return false;
}

/* Two SACK blocks come before it, RFC9768:3.2.3.3-1; it comes before the third. */
void accecn_option_write(const struct ltcp_connection *c, ltcp_time now, uint32_t payload,
                         struct ltcp_options *o)
{
    struct ltcp_accecn *x = accecn_of(c);
    if (x == NULL || x->option_due == ACCECN_DUE_NONE) return;
    const uint32_t space = connection_send_room(c), taken = c->stamping ? 12 : 0;
    uint32_t room = space > payload ? space - payload : 0;
    if (room > 40) room = 40;
    room = room > taken ? room - taken : 0;
    const uint32_t blocks = o->present & LTCP_HAS_SACK ? o->sack_count : 0;
    const uint32_t first = octets_of_sack(blocks > 2 ? 2 : blocks);
    if (room < first || !choose_fields(x, room - first, o)) return;
    o->present |= LTCP_HAS_ACCECN;
    while (o->present & LTCP_HAS_SACK && octets_of_sack(o->sack_count) + octets_of(o) > room)
        o->sack_count--;
    x->changed_since = 0;
    x->bytes_unsaid = 0;
    x->acks_without = 0;
    x->option_sent = now;
    x->data_ack_had = true;
    if (x->repetitions > 0) x->repetitions--;
}

/* RFC9768:3.2.3.2.1-2; once, and without it where that was not answered: RFC9768:3.2.3.2.2-1 */
void accecn_option_write_synack(const struct ltcp_connection *c, struct ltcp_options *o)
{
    struct ltcp_accecn *x = accecn_of(c);
    if (x == NULL || x->synacks_sent++ > 0) {
        if (x != NULL) x->synacks_sent = 2;
        return;
    }
    if (settings_of(c)->accecn_option == LEVEL_NEVER) return;
    put(x, bit(LTCP_ECN_ECT0) | bit(LTCP_ECN_CE) | bit(LTCP_ECN_ECT1), o);
    o->present |= LTCP_HAS_ACCECN;
}

/* ---- what one says
 * ------------------------------------------------------------------------------- */

/* RFC9768:3.2.3.2.4-1: in the handshake neither counter of ECT bytes can be 0. */
static bool is_zeroed(const struct ltcp_options *o, const uint8_t fields[3])
{
    for (uint8_t i = 0; i < o->accecn_count; i++)
        if (fields[i] != LTCP_ECN_CE && o->accecn[i] == 0) return true;
    return false;
}

/* Appendix A.1: each counter grows by the least that makes its 24 bits so. RFC9768:3.2.3.1-2
 * RFC9768:3.2.3.2.1-1 RFC9768:3.2.3.2.3-3 */
struct accecn_news accecn_option_read(struct ltcp_connection *c, const struct ltcp_segment *s,
                                      bool first)
{
    struct ltcp_accecn *x = accecn_of(c);
    const struct ltcp_options *o = &s->options;
    struct accecn_news news = {0};
    if (!(o->present & LTCP_HAS_ACCECN)) return news;
    const uint8_t *fields = order[o->accecn_kind == LTCP_OPTION_ACCECN1];
    x->option_seen = true;
    if (first && is_zeroed(o, fields)) x->options_zeroed = true;
    if (x->options_zeroed) return news;
    for (uint8_t i = 0; i < o->accecn_count; i++) {
        const uint8_t codepoint = fields[i];
        const uint32_t known = (uint32_t)(x->s_bytes[codepoint] & ACCECN_COUNTER_MASK);
        news.growth[codepoint] = (o->accecn[i] - known) & ACCECN_COUNTER_MASK;
        news.present |= (uint8_t)bit(codepoint);
        x->s_bytes[codepoint] += news.growth[codepoint];
    }
    return news;
}

bool accecn_option_is_due(const struct ltcp_connection *c)
{
    return accecn_of(c)->option_due != ACCECN_DUE_NONE;
}
