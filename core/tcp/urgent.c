/* core/tcp/urgent.c
 *
 * The urgent mechanism on receipt (RFC9293:MUST-30, MUST-31), section 3.10.7.4, sixth step. The
 * pointer names the octet after the urgent data (RFC9293:MUST-62), however long that is. */
#include "tcp/connection.h"

/* RFC9293:MUST-32: the user hears of it when urgent data appears or the pointer advances, and once
 * for a continuous run. */
void urgent_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    if (!(a->flags & LTCP_URG) || a->segment->urgent_pointer == 0) return;
    const ltcp_seq up = seq_add(a->segment->seq, a->segment->urgent_pointer);
    if (seq_le(up, c->rcv_read)) return; /* behind what the user has consumed */
    if (c->urgent_mark && seq_le(up, c->rcv_up)) return;
    c->rcv_up = up;
    c->urgent_mark = true;
    c->oob_taken = false;
    connection_trace(c, a->now, LTCP_TRACE_URGENT, (int64_t)seq_diff(up, c->rcv_read));
    connection_event(c, LTCP_EVENT_URGENT);
}
