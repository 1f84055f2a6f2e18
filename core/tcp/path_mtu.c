/* core/tcp/path_mtu.c - a packet of ours was too long for the path: RFC 1191, RFC 8201. */
#include "tcp/connection.h"

/* RFC 1191 section 7.1, for routers that do not say how long a packet may be. */
static uint32_t plateau_below(uint32_t length)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};
    for (size_t i = 0; i < sizeof plateaus / sizeof *plateaus; i++)
        if (plateaus[i] < length) return plateaus[i];
    return 68;
}

/* What is in flight and too long goes again in smaller pieces, without a word to the congestion
 * control: nothing was lost to congestion. */
void path_mtu_lower(struct ltcp_connection *c, uint32_t mtu, uint32_t quoted_length)
{
    const uint32_t least = ltcp_address_is_v4(&c->flow.local) ? 68 : 1280;
    if (!settings_of(c)->path_mtu_discovery) return;
    if (mtu == 0) mtu = plateau_below(quoted_length);
    if (mtu < least) mtu = least;
    if (mtu >= c->path_mtu) return;
    c->path_mtu = (uint16_t)mtu;
    connection_set_mss(c);
    struct ltcp_send_queue *q = c->out;
    if (q == NULL || c->state < LTCP_ESTABLISHED) return;
    for (uint32_t i = q->head; i != q->unsent; i++)
        if (record_at(q, i)->length > c->snd_mss) scoreboard_lose(c, i);
    c->force_retransmit = true;
    connection_want_output(c);
}
