/* core/tcp/handshake.c
 *
 * What two SYNs agree on: MSS (RFC 9293 section 3.7.1), window scale and timestamps (RFC 7323),
 * SACK (RFC 2018). */
#include <string.h>

#include "tcp/authentication.h"
#include "tcp/fast_open.h"
#include "tcp/user_timeout.h"

/* RFC8200:8.3-1 */
static uint32_t header_octets(const struct ltcp_connection *c)
{
    return ltcp_address_is_v4(&c->flow.local) ? 20u + 20u : 40u + 20u;
}

/* RFC9293:MUST-67: MMS_R - 20, which is the interface's MTU without the fixed headers; the least
 * MTU that it has had, where that varies (RFC9293:SHLD-6). */
static uint16_t mss_of_interface(const struct ltcp_connection *c)
{
    const uint32_t mtu = c->link_mtu;
    uint32_t mss = mtu > header_octets(c) ? mtu - header_octets(c) : 1;
    const uint32_t wanted = settings_of(c)->mss;
    if (wanted != 0 && wanted < mss) mss = wanted;
    return (uint16_t)(mss > 65535 ? 65535 : mss);
}

/* Octets of options and text that a segment may have: what the peer and the path take. */
uint32_t connection_send_room(const struct ltcp_connection *c)
{
    const uint32_t overhead = header_octets(c);
    const uint32_t room = c->path_mtu > overhead ? c->path_mtu - overhead : 1;
    return c->peer_mss < room ? c->peer_mss : room;
}

/* RFC9293:MUST-16: Eff.snd.MSS = min(SendMSS, what IP lets us send) - option octets. */
void connection_set_mss(struct ltcp_connection *c)
{
    uint32_t mss = connection_send_room(c);
    const uint32_t route =
        c->rare != NULL && c->rare->route_length > 0 ? c->rare->route_length + 4u : 0;
    const uint32_t options = (c->stamping ? 12 : 0) + route + authentication_room(c);
    mss = mss > options + 8 ? mss - options : 8;
    c->snd_mss = (uint16_t)mss;
    c->cc.mss = mss;
}

/* The least shift that lets the field express the whole buffer, also when it has grown; at most 14
 * (RFC 7323, 2.3). A buffer that begins small still has two units of the field: what is less than
 * one would be a window of zero, for ever. */
static uint8_t scale_for(const struct ltcp_settings *s)
{
    if (s->window_scale >= 0) return (uint8_t)s->window_scale;
    uint32_t most = s->receive_buffer;
    if (s->tune_receive_buffer && s->receive_buffer_most > most) most = s->receive_buffer_most;
    uint8_t shift = 0;
    while (shift < 14 && (most >> shift) > 65535 && (s->receive_buffer >> shift) >= 4)
        shift++;
    return shift;
}

void handshake_offer(struct ltcp_connection *c, ltcp_time now, ltcp_seq iss,
                     uint32_t first_timestamp)
{
    const struct ltcp_settings *s = settings_of(c);
    c->iss = c->snd_una = c->snd_nxt = c->snd_up = iss;
    c->rcv_mss = mss_of_interface(c);
    /* RFC9293:MUST-15: what holds until the peer says otherwise. */
    c->peer_mss = ltcp_address_is_v4(&c->flow.local) ? 536 : 1220;
    c->scaling = s->window_scaling;
    c->stamping = s->timestamps;
    c->sacking = s->sack;
    if (!c->passive && authentication_forbids_timestamps(c)) c->stamping = false;
    c->rcv_wscale = c->scaling ? scale_for(s) : 0;
    c->ts_offset = first_timestamp - (uint32_t)(uint64_t)(now / LTCP_MILLISECOND);
    c->quick_acks = (uint16_t)s->quick_acks;
    c->last_heard = c->last_sent = now;
    c->cc.ssthresh = s->initial_ssthresh;
    connection_set_mss(c);
}

/* RFC7323:7-1 */
void handshake_start(struct ltcp_connection *c, ltcp_time now, ltcp_seq iss,
                     uint32_t first_timestamp)
{
    handshake_offer(c, now, iss, first_timestamp);
    struct ltcp_record *syn = send_queue_append(c);
    if (syn == NULL) return;
    syn->seq = iss;
    syn->flags = LTCP_SYN;
}

/* Only what both sides offer is used. A SYN is read before our SYN-ACK is written, so the answer
 * offers no more than the SYN did. RFC7323:2.2-1 RFC7323:2.2-2 RFC7323:2.3-3 */
void handshake_read_options(struct ltcp_connection *c, const struct ltcp_segment *s, ltcp_time now)
{
    const struct ltcp_options *o = &s->options;
    struct ltcp_option_counters *n = &c->engine->options;
    if ((o->present & LTCP_HAS_MSS) && o->mss < 48) n->invalid++;
    if ((o->present & LTCP_HAS_WINDOW_SCALE) && o->window_scale > 14)
        n->invalid++; /* RFC7323:2.3-4 */
    if (o->present & LTCP_HAS_SACK) n->misplaced++;
    if (o->present & LTCP_HAS_MSS) /* RFC9293:MUST-14; a silly value is raised to what is usable */
        c->peer_mss = o->mss < 48 ? 48 : o->mss;
    const struct ltcp_settings *own = settings_of(c);
    if (own->mss_both_ways && own->mss != 0 && own->mss < c->peer_mss)
        c->peer_mss = (uint16_t)own->mss;
    c->scaling = c->scaling && (o->present & LTCP_HAS_WINDOW_SCALE);
    if (c->scaling)
        c->snd_wscale = o->window_scale > 14 ? 14 : o->window_scale; /* RFC 7323 section 2.3 */
    else
        c->snd_wscale = c->rcv_wscale = 0;
    c->stamping = c->stamping && (o->present & LTCP_HAS_TIMESTAMPS);
    if (c->stamping) {
        c->ts_recent = o->ts_value;
        c->ts_recent_time = coarse_time(now);
        c->ts_recent_valid = true;
    }
    c->sacking = c->sacking && (o->present & LTCP_HAS_SACK_PERMITTED);
    if (authentication_forbids_timestamps(c)) c->stamping = false;
    connection_set_mss(c);
    user_timeout_arrives(c, o);
}

/* RFC2018:2-1 RFC7323:2.3-1 RFC7323:3.2-1 RFC7323:3.2-3 */
void handshake_write_options(const struct ltcp_connection *c, ltcp_time now, struct ltcp_options *o)
{
    /* RFC9293:SHLD-5, MAY-3: always sent, also where it equals the default. */
    o->present = LTCP_HAS_MSS;
    o->mss = c->rcv_mss;
    if (c->scaling) {
        o->present |= LTCP_HAS_WINDOW_SCALE;
        o->window_scale = c->rcv_wscale;
    }
    if (c->sacking) o->present |= LTCP_HAS_SACK_PERMITTED;
    if (c->stamping) {
        o->present |= LTCP_HAS_TIMESTAMPS;
        o->ts_value = timestamp_now(c, now);
        o->ts_echo = c->ts_recent_valid ? c->ts_recent : 0;
    }
    if (c->accecn) accecn_option_write_synack(c, o);
    user_timeout_write_syn(c, o);
    fast_open_write(c, o);
}
