/* core/tcp/path_mtu.c - a packet of ours was too long for the path: RFC 1191, RFC 8201. */
#include "tcp/fast_open.h"

/* RFC 1191 section 7.1, for routers that do not say how long a packet may be. */
static uint32_t plateau_below(uint32_t length)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};
    for (size_t i = 0; i < sizeof plateaus / sizeof *plateaus; i++)
        if (plateaus[i] < length) return plateaus[i];
    return 68;
}

/* Only a SYN with data can be (RFC 7413): it goes again without, at once. */
static void syn_was_too_long(struct ltcp_connection *c)
{
    const struct ltcp_fast_open *f = fast_open_of(c);
    const uint32_t header = ltcp_address_is_v4(&c->flow.local) ? 40 : 60;
    if (settings_of(c)->mss_from_path && c->rcv_mss > c->path_mtu - header)
        c->rcv_mss = (uint16_t)(c->path_mtu - header);
    if (f == NULL || f->octets == 0 || c->out->unsent == c->out->head) return;
    scoreboard_lose(c, c->out->head);
    c->force_retransmit = true;
    connection_want_output(c);
}

/* As many segments as before, of the new size. RFC5681:3.1-6 */
static void scale_window(struct ltcp_connection *c, uint32_t old_mss)
{
    if (c->cc.cwnd == 0 || c->snd_mss >= old_mss) return;
    const uint32_t window = (uint32_t)((uint64_t)c->cc.cwnd * c->snd_mss / old_mss);
    c->cc.cwnd = window > c->snd_mss ? window : c->snd_mss;
}

/* What is in flight and too long goes again in smaller pieces, without a word to the congestion
 * control: nothing was lost to congestion. RFC7323:5.7-1 RFC5681:3.1-6 */
void path_mtu_lower(struct ltcp_connection *c, uint32_t mtu, uint32_t quoted_length)
{
    const uint32_t least = ltcp_address_is_v4(&c->flow.local) ? 68 : 1280;
    if (!settings_of(c)->path_mtu_discovery) return;
    if (mtu == 0) mtu = plateau_below(quoted_length);
    if (mtu < least) mtu = least;
    if (mtu >= c->path_mtu) return;
    c->path_mtu = (uint16_t)mtu;
    const uint32_t old_mss = c->snd_mss;
    connection_set_mss(c);
    scale_window(c, old_mss);
    struct ltcp_send_queue *q = c->out;
    if (c->state == LTCP_SYN_SENT) {
        syn_was_too_long(c);
        return;
    }
    if (q == NULL || c->state < LTCP_ESTABLISHED) return;
    for (uint32_t i = q->head; i != q->unsent; i++)
        if (record_at(q, i)->length > c->snd_mss) scoreboard_lose(c, i);
    c->force_retransmit = true;
    connection_want_output(c);
}
