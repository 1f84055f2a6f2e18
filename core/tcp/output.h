/* core/tcp/output.h - what output.c and burst.c both ask before something leaves. */
#ifndef LUNATCP_TCP_OUTPUT_H
#define LUNATCP_TCP_OUTPUT_H

#include "tcp/connection.h"

/* The right edge of what the peer takes; it may have moved left (RFC9293:MUST-34). RFC7323:2.4-1
 * RFC9937:3-1 */
static inline ltcp_seq peer_edge(const struct ltcp_connection *c)
{
    /* A SYN needs no room in it. */
    return seq_add(c->snd_una, c->snd_wnd + !c->syn_acked);
}

/* What the congestion window holds already: the pipe, or all that is unacknowledged where a segment
 * that has left the network makes no room before recovery begins (RFC3042:2-1, RFC3042:2-3). */
static inline uint32_t held_by_window(const struct ltcp_connection *c)
{
    if (c->recovery == LTCP_RECOVERY_NONE && !settings_of(c)->limited_transmit)
        return flight_size(c);
    const uint32_t pipe = pipe_size(c);
    return !c->syn_acked && pipe > 0 ? pipe - 1 : pipe;
}

/* burst.c: segments that differ in nothing but their text */
/* What has just left, a full segment in its turn, may be the model of others. */
void burst_model(struct ltcp_connection *c, ltcp_time now);
/* As many full segments after such a model as may leave now, `most` at most; the next one has to go
 * the long way, or must not leave. */
uint32_t burst_send(struct ltcp_connection *c, ltcp_time now, uint32_t most);

#endif
