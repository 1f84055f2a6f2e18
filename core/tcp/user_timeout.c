/* core/tcp/user_timeout.c
 *
 * RFC 5482: each end tells the other how long it would wait for an acknowledgment. ENABLED is the
 * setting uto, CHANGEABLE uto_changeable, ADV_UTO uto_advertise, L_LIMIT and U_LIMIT uto_least and
 * uto_most. */
#include "tcp/user_timeout.h"

#include "tcp/authentication.h"

#define MINUTES    0x8000u /* the granularity bit */
#define VALUE_MOST 0x7FFF
#define MINUTE     (60 * LTCP_SECOND)
#define GLOBAL     (300 * LTCP_SECOND) /* RFC 9293 section 3.9.1.1 */
#define SYNS_WITH  2                   /* so many SYNs carry it; later ones may be lost for it */

/* ---- values -----------------------------------------------------------------------------------
 */

/* RFC5482:3-2: USER_TIMEOUT is the application's own once it is set, if nothing else is said. */
static bool is_changeable(const struct ltcp_settings *s)
{
    return s->uto_changeable >= 0 ? s->uto_changeable != 0 : s->user_timeout == 0;
}

/* RFC5482:3-1: what was not specified is the default. */
static ltcp_time advertised(const struct ltcp_settings *s)
{
    if (s->uto_advertise != 0) return s->uto_advertise;
    if (s->user_timeout != 0) return s->user_timeout;
    return s->r2_time != 0 ? s->r2_time : GLOBAL;
}

/* RFC5482:3.3-1, RFC5482:3.3-2: seconds, or minutes where those are too many; rounded up, and so
 * never 0 (RFC5482:3.4-1). */
static uint16_t encode(ltcp_time time)
{
    const ltcp_time seconds = (time + LTCP_SECOND - 1) / LTCP_SECOND;
    if (seconds <= VALUE_MOST) return (uint16_t)(seconds > 0 ? seconds : 1);
    const ltcp_time minutes = (time + MINUTE - 1) / MINUTE;
    return (uint16_t)(MINUTES | (minutes < VALUE_MOST ? (unsigned)minutes : VALUE_MOST));
}

static ltcp_time decode(uint16_t field)
{
    return (field & VALUE_MOST) * (field & MINUTES ? MINUTE : LTCP_SECOND);
}

/* RFC5482:3.1-4, RFC5482:3.1-5: USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)),
 * with an L_LIMIT beyond the present RTO (RFC5482:3.1-7). RFC5482:3.3-3: in synchronized states
 * only; RFC5482:3.1-3, RFC5482:3.1-6: the limits are settings, 100 s at the least by default. */
ltcp_time user_timeout_adopted(const struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    if (!s->uto || !is_changeable(s) || c->state < LTCP_ESTABLISHED) return 0; /* RFC5482:3.1-1 */
    ltcp_time adopted = advertised(s);
    const ltcp_time remote = c->rare != NULL ? decode(c->rare->uto.received) : 0;
    if (adopted < remote) adopted = remote;
    if (adopted < s->uto_least) adopted = s->uto_least;
    const ltcp_time rto = rtt_timeout(c);
    if (adopted <= rto) adopted = rto + LTCP_SECOND;
    return adopted < s->uto_most ? adopted : s->uto_most;
}

/* RFC5482:4.2-1: keep-alives do not end what the user timeout would let live. */
ltcp_time user_timeout_keepalive_idle(const struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    if (!s->uto) return s->keepalive_idle;
    const ltcp_time adopted = user_timeout_adopted(c);
    const ltcp_time own = adopted != 0 ? adopted : s->user_timeout;
    return s->keepalive_idle > own ? s->keepalive_idle : own + LTCP_SECOND;
}

/* ---- sending ----------------------------------------------------------------------------------
 */

static void write(const struct ltcp_connection *c, struct ltcp_options *o)
{
    o->present |= LTCP_HAS_USER_TIMEOUT;
    o->user_timeout = encode(advertised(settings_of(c)));
}

/* RFC5482:3-3, RFC5482:3.2-2. A path that drops what it does not know is not to keep the connection
 * from opening (section 4.1). */
void user_timeout_write_syn(const struct ltcp_connection *c, struct ltcp_options *o)
{
    if (settings_of(c)->uto && c->unanswered < SYNS_WITH) write(c, o);
}

/* It is not worth a shorter segment: the next one that has room will do (RFC5482:3.2-1). */
bool user_timeout_write(const struct ltcp_connection *c, uint32_t payload, struct ltcp_options *o)
{
    const uint32_t taken = payload + (c->stamping ? 12u : 0u) + authentication_room(c) + 4u;
    if (!user_timeout_is_due(c) || connection_send_room(c) < taken) return false;
    write(c, o);
    return true;
}

void user_timeout_sent(struct ltcp_connection *c, const struct ltcp_segment *s)
{
    struct ltcp_raw_option raw;
    size_t cursor = 0;
    while (ltcp_options_next(s->options_bytes, s->options_length, &cursor, &raw)) {
        if (raw.kind != LTCP_OPTION_USER_TIMEOUT) continue;
        c->rare->uto.due = false;
        c->rare->uto.sent = (uint16_t)(raw.data[0] << 8 | raw.data[1]);
    }
}

/* RFC5482:3-4: the first segment without SYN; RFC5482:3-5: and the next one when the timeout is
 * another. */
void user_timeout_advertise(struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    if (!s->uto || c->state < LTCP_ESTABLISHED || c->state == LTCP_TIME_WAIT) return;
    struct ltcp_uto *uto = &rare_of(c)->uto;
    if (uto->sent != encode(advertised(s))) uto->due = true;
}

/* ---- receiving --------------------------------------------------------------------------------
 */

/* RFC5482:3-6, RFC5482:3-7: not looked at unless it is enabled. RFC5482:3.4-2: 0 is reserved.
 * RFC5482:3.1-2: the user hears of a new value, whether it is adopted or not. */
void user_timeout_arrives(struct ltcp_connection *c, const struct ltcp_options *o)
{
    if (!settings_of(c)->uto || !(o->present & LTCP_HAS_USER_TIMEOUT)) return;
    struct ltcp_uto *uto = &rare_of(c)->uto;
    if ((o->user_timeout & VALUE_MOST) == 0) {
        uto->ignored++;
        return;
    }
    if (uto->received == o->user_timeout) return;
    const ltcp_time before = user_timeout_adopted(c);
    uto->received = o->user_timeout;
    if (c->state >= LTCP_ESTABLISHED && user_timeout_adopted(c) != before) uto->due = true;
    connection_event(c, LTCP_EVENT_USER_TIMEOUT);
}

void user_timeout_info(const struct ltcp_connection *c, struct ltcp_info *out)
{
    out->user_timeout = timers_user_timeout(c);
    if (c->rare == NULL) return;
    out->uto_received = decode(c->rare->uto.received);
    out->uto_sent = decode(c->rare->uto.sent);
    out->uto_ignored = c->rare->uto.ignored;
}
