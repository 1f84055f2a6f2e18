/* core/tcp/window.c
 *
 * The window that is advertised: RFC 9293 section 3.8.6.2.2 (receiver's silly window avoidance,
 * RFC9293:MUST-39), RFC 7323 section 2.3. Its right edge never moves left (RFC9293:SHLD-14); all
 * arithmetic is in 32 bits (RFC9293:REC-1). */
#include "tcp/connection.h"

static inline uint32_t buffer_of(const struct ltcp_connection *c)
{
    const bool fixed = tuning_of(c) == NULL && !c->engine->memory.pressed;
    return fixed ? settings_of(c)->receive_buffer : tuning_receive_buffer(c);
}

/* A window that begins small: two segments more for each that has come. */
static inline uint32_t limit(const struct ltcp_connection *c, uint32_t start)
{
    const uint64_t grown = start + 2 * (uint64_t)c->rcv_mss * c->data_segments_received;
    return grown < UINT32_MAX ? (uint32_t)grown : UINT32_MAX;
}

static inline uint32_t left_of(const struct ltcp_connection *c, uint32_t buffer)
{
    return buffer > c->unread ? buffer - c->unread : 0;
}

/* The longest window there can be by now. */
static inline uint32_t greatest(const struct ltcp_connection *c, uint32_t buffer)
{
    const uint32_t start = settings_of(c)->window_start;
    if (start == 0) return buffer;
    const uint32_t most = limit(c, start);
    return buffer < most ? buffer : most;
}

static inline uint32_t room(const struct ltcp_connection *c, uint32_t buffer)
{
    const uint32_t most = greatest(c, buffer), left = left_of(c, buffer);
    return left < most ? left : most;
}

/* As far as the field reaches. */
static ltcp_seq farthest(const struct ltcp_connection *c)
{
    return seq_add(c->rcv_nxt, (uint32_t)65535 << c->rcv_wscale);
}

/* How far the right edge can go, or where it already is, for as long as nobody reads
 * (RFC9293:MAY-8): it moves by at least min(Fr * RCV.BUFF, Eff.snd.MSS) with Fr = 1/2, or not at
 * all. A window that begins small is all of the buffer, or it would never open again. */
static inline ltcp_seq right_edge(const struct ltcp_connection *c, uint32_t buffer)
{
    const ltcp_seq edge = seq_add(c->rcv_nxt, room(c, buffer));
    if (seq_le(edge, c->rcv_adv)) return seq_max(c->rcv_adv, c->rcv_nxt);
    const uint32_t half = greatest(c, buffer) / 2;
    const uint32_t step = half < c->snd_mss ? half : c->snd_mss;
    return seq_diff(edge, c->rcv_adv) >= step ? edge : seq_max(c->rcv_adv, c->rcv_nxt);
}

/* All was read, and yet the field would say 0: all of the room is less than a unit of the scale. It
 * would say so for ever. */
static inline bool scaled_away(const struct ltcp_connection *c)
{
    return c->rcv_wscale > 0 && c->unread == 0 && rcv_wnd(c) >> c->rcv_wscale == 0;
}

/* To a whole unit of the field, if that much can be held: Linux has it so. */
static void round_up(struct ltcp_connection *c)
{
    const uint32_t unit = (uint32_t)1 << c->rcv_wscale;
    const uint32_t window = seq_diff(c->rcv_adv, c->rcv_nxt);
    const uint32_t up = (window + unit - 1) & ~(unit - 1);
    if (window > 0 && up <= left_of(c, buffer_of(c)))
        c->rcv_adv = seq_max(c->rcv_adv, seq_min(seq_add(c->rcv_nxt, up), farthest(c)));
}

/* The field is cut off to a multiple of the scale (RFC 7323 section 2.3). The peer may so see an
 * edge that moves left by less than one unit; what was offered before is accepted all the same,
 * since rcv_adv keeps the edge that was meant (section 2.4). One unit is offered also where the
 * buffer is shorter. */
uint16_t window_advertise(struct ltcp_connection *c, bool syn)
{
    if (syn) {
        const uint32_t left = room(c, buffer_of(c));
        const uint16_t field = (uint16_t)(left < 65535 ? left : 65535);
        c->rcv_adv = seq_max(c->rcv_adv, seq_add(c->rcv_nxt, field));
        return field;
    }
    c->rcv_adv = seq_max(c->rcv_adv, seq_min(right_edge(c, buffer_of(c)), farthest(c)));
    if (scaled_away(c)) c->rcv_adv = seq_add(c->rcv_nxt, UINT32_C(1) << c->rcv_wscale);
    if (settings_of(c)->window_round_up) round_up(c);
    const uint32_t field = seq_diff(c->rcv_adv, c->rcv_nxt) >> c->rcv_wscale;
    return (uint16_t)(field < 65535 ? field : 65535);
}

/* Reading has made so much room that the peer should hear of it at once: two segments, or half of
 * the buffer, or any room at all after the window was closed. */
bool window_update_wanted(const struct ltcp_connection *c)
{
    if (scaled_away(c)) return true;
    const uint32_t buffer = buffer_of(c);
    const ltcp_seq edge = seq_min(right_edge(c, buffer), farthest(c));
    if (seq_le(edge, c->rcv_adv)) return false;
    const uint32_t gain = seq_diff(edge, c->rcv_adv);
    const uint32_t half = buffer / 2;
    if (settings_of(c)->window_update_doubles) {
        /* What only the field of a SYN could not say is no news. */
        const bool said = c->acks_sent > 0 || c->data_segments_sent > 0;
        return gain >= rcv_wnd(c) && gain > 0 && (said || rcv_wnd(c) < c->rcv_mss);
    }
    return rcv_wnd(c) < c->rcv_mss || gain >= 2u * c->rcv_mss || gain >= half;
}
