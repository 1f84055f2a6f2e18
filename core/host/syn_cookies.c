/* core/host/syn_cookies.c - SYN cookies, RFC 4987 section 3.6.
 *
 * A SYN is answered and forgotten: what the connection needs comes back with the ACK. The ISN of
 * the SYN-ACK, our cookie, is
 *     1 bit   the period of 64 s in which it was made, even or odd
 *     3 bits  the MSS of the SYN, as an index into a table
 *     28 bits SipHash-2-4 of the pair of sockets, the peer's ISN and those 3 bits
 * under a key of that period. Window scale, SACK and ECN are in the low bits of our timestamp,
 * which the peer echoes; a peer without timestamps does without them. */
#include <string.h>

#include "host/host.h"
#include "tcp/flow_label.h"
#include "wire/bytes.h"

#define PERIOD       (64 * LTCP_SECOND)
#define STAMP_BITS   6
#define STAMP_MASK   ((1u << STAMP_BITS) - 1)
#define STAMP_SCALE  0x0Fu /* 15: no window scale */
#define STAMP_SACK   0x10u
#define STAMP_ECN    0x20u
#define REPLIES_MOST 1024 /* as for resets: a flood costs no memory */

/* RFC4987:3.6-3: the least that is usable, both families' defaults, and what links of Ethernet,
 * PPPoE, tunnels and jumbo frames make. */
static const uint16_t mss_of[8] = {48, 536, 1024, 1220, 1360, 1440, 1460, 8940};

static uint32_t mss_index(uint32_t mss)
{
    uint32_t i = 7;
    while (i > 0 && mss_of[i] > mss)
        i--;
    return i;
}

/* ---- the number -------------------------------------------------------------------------------
 */

static struct ltcp_siphash_key key_of(const struct ltcp_host *host, uint64_t period)
{
    uint8_t text[10] = "k";
    store_be32(text + 1, (uint32_t)(period >> 32));
    store_be32(text + 5, (uint32_t)period);
    const uint64_t k0 = ltcp_siphash(&host->secret, text, sizeof text);
    text[9] = 1;
    return (struct ltcp_siphash_key){k0, ltcp_siphash(&host->secret, text, sizeof text)};
}

/* The secret behind the cookies is another one every period; who learns one learns no other.
 * RFC4987:3.6-5 */
static void choose_keys(struct ltcp_host *host, uint64_t period)
{
    struct ltcp_cookie_keys *keys = &host->cookie;
    if (keys->known && keys->period == period) return;
    *keys = (struct ltcp_cookie_keys){period, key_of(host, period), key_of(host, period - 1), true};
}

/* The function of which a cookie holds 28 bits. */
static uint64_t hash_of(const struct ltcp_siphash_key *key, const struct ltcp_flow *flow,
                        ltcp_seq irs, uint32_t index)
{
    uint8_t text[41];
    memcpy(text, flow->local.bytes, 16);
    memcpy(text + 16, flow->remote.bytes, 16);
    store_be16(text + 32, flow->local_port);
    store_be16(text + 34, flow->remote_port);
    store_be32(text + 36, irs.n);
    text[40] = (uint8_t)index;
    return ltcp_siphash(key, text, sizeof text);
}

static ltcp_seq cookie_of(uint64_t hash, uint64_t period, uint32_t index)
{
    return ltcp_seq_of((uint32_t)(period & 1) << 31 | index << 28 | ((uint32_t)hash & 0x0FFFFFFF));
}

/* RFC4987:3.6-6. Of this period of the keys or the one before: 64 to 128 s old at most. *hash tells
 * one from all others. */
static bool is_ours(const struct ltcp_host *host, const struct ltcp_flow *flow, ltcp_seq irs,
                    ltcp_seq cookie, uint64_t *hash)
{
    const struct ltcp_cookie_keys *keys = &host->cookie;
    const uint32_t index = cookie.n >> 28 & 7;
    const bool current = (keys->period & 1) == cookie.n >> 31;
    *hash = hash_of(current ? &keys->now : &keys->before, flow, irs, index);
    return seq_eq(cookie, cookie_of(*hash, cookie.n >> 31, index));
}

/* ---- what was played already --------------------------------------------------------------------
 */

/* RFC4987:3.6-5. The cookie made a connection, and that is over: should the ACK come again, from
 * the network or from a peer that has not heard of the end, then it is an ACK of no connection. A
 * thousand are remembered, the latest of each of 256 groups; that is as long as a cookie is good
 * where no more than about eight a second end so. What ends in TIME-WAIT needs none of it. */
void syn_cookie_spend(struct ltcp_host *host, const struct ltcp_connection *c)
{
    uint64_t hash;
    if (!c->passive || !is_ours(host, &c->flow, c->irs, c->iss, &hash)) return;
    if (host->spent == NULL) host->spent = engine_zeroed(&host->engine, sizeof *host->spent);
    if (host->spent == NULL) return;
    uint64_t *group = host->spent->groups[hash >> 56];
    if (group[0] == hash) return;
    memmove(group + 1, group, (SPENT_IN_A_GROUP - 1) * sizeof *group);
    group[0] = hash;
}

static bool is_spent(const struct ltcp_host *host, uint64_t hash)
{
    if (host->spent == NULL) return false;
    const uint64_t *group = host->spent->groups[hash >> 56];
    for (int i = 0; i < SPENT_IN_A_GROUP; i++)
        if (group[i] == hash) return true;
    return false;
}

/* ---- the answer to a SYN ----------------------------------------------------------------------
 */

/* RFC4987:3.6-4: the newest value of the clock, no later than now, that ends in those bits. */
static uint32_t stamp_with(uint32_t clock, uint32_t bits)
{
    const uint32_t stamp = (clock & ~STAMP_MASK) | bits;
    return (int32_t)(stamp - clock) > 0 ? stamp - (1u << STAMP_BITS) : stamp;
}

/* A connection that lives as long as its answer takes, so that all is agreed on as it always is. */
static void negotiate(struct ltcp_host *host, struct ltcp_connection *c, uint32_t interface,
                      const struct ltcp_arrival *a, bool ecn)
{
    c->flow.local = a->ip->destination;
    c->flow.remote = a->ip->source;
    c->flow.local_port = a->segment->destination_port;
    c->flow.remote_port = a->segment->source_port;
    c->link_mtu = (uint16_t)host->interfaces[interface].least_mtu;
    c->path_mtu = (uint16_t)host->interfaces[interface].mtu;
    handshake_offer(c, a->now, ltcp_seq_of(0),
                    timestamp_choose(host, &c->flow, settings_of(c), a->now));
    c->rcv_nxt = c->rcv_adv = seq_add(a->segment->seq, 1);
    handshake_read_options(c, a->segment, a->now);
    c->ecn = ecn && c->stamping;
    if (c->stamping) return;
    c->scaling = c->sacking = false; /* nothing would remember them */
    c->rcv_wscale = 0;
}

static void write_options(const struct ltcp_connection *c, ltcp_time now, struct ltcp_options *o)
{
    memset(o, 0, sizeof *o);
    handshake_write_options(c, now, o);
    if (!c->stamping) return;
    const uint32_t bits = (c->scaling ? c->snd_wscale : STAMP_SCALE) |
                          (c->sacking ? STAMP_SACK : 0) | (c->ecn ? STAMP_ECN : 0);
    o->ts_value = stamp_with(o->ts_value, bits);
}

static void send(struct ltcp_host *host, struct ltcp_connection *c, const struct ltcp_arrival *a,
                 ltcp_seq cookie, struct ltcp_packet *packet)
{
    const struct ltcp_settings *s = settings_of(c);
    uint8_t bytes[40];
    struct ltcp_options options;
    write_options(c, a->now, &options);
    struct ltcp_segment out;
    memset(&out, 0, sizeof out);
    out.source_port = c->flow.local_port;
    out.destination_port = c->flow.remote_port;
    out.seq = cookie;
    out.ack = c->rcv_nxt;
    out.flags = (uint16_t)(LTCP_SYN | LTCP_ACK | (c->ecn ? LTCP_ECE : 0));
    out.window = window_advertise(c, true);
    out.options_bytes = bytes;
    out.options_length =
        (uint8_t)ltcp_options_encode(&options, s->syn_options, s->syn_options_count, bytes);
    struct ltcp_ip ip;
    memset(&ip, 0, sizeof ip);
    ip.source = c->flow.local;
    ip.destination = c->flow.remote;
    ip.identification = host->engine.next_identification++;
    ip.protocol = LTCP_PROTOCOL_TCP;
    ip.ttl = (uint8_t)s->ttl;
    ip.dscp = (uint8_t)s->dscp;
    ip.dont_fragment = s->path_mtu_discovery;
    ip.flow_label = flow_label(c);
    packet->time = a->now;
    ltcp_segment_encode(packet, &ip, &out);
    engine_enqueue(&host->engine, packet);
}

/* RFC4987:3.6-1. What the SYN carried beside its options is not acknowledged, and so comes again:
 * RFC4987:3.6-7. */
enum ltcp_status syn_cookie_answer(struct ltcp_listener *l, const struct ltcp_arrival *a)
{
    struct ltcp_host *host = l->host;
    const struct ltcp_route *route = route_find(host, &a->ip->source);
    const uint32_t interface = route != NULL ? route->interface : a->packet->interface;
    if (interface >= host->interface_count) return LTCP_ERR_NO_ROUTE;
    if (host->engine.out_count >= REPLIES_MOST) return LTCP_ERR_NO_BUFFERS;
    struct ltcp_packet *packet = ltcp_packet_create(host->engine.pool);
    if (packet == NULL) return LTCP_ERR_NO_MEMORY;
    packet->interface = interface;
    struct ltcp_connection c;
    struct ltcp_rare rare;
    memset(&c, 0, sizeof c);
    memset(&rare, 0, sizeof rare);
    c.engine = &host->engine;
    c.share = l->share;
    c.rare = &rare;
    c.pending = c.changed = c.released = true; /* it never enters a list: it is gone in a moment */
    const uint16_t asks = LTCP_ECE | LTCP_CWR;
    negotiate(host, &c, interface, a, settings_of(&c)->ecn != 0 && (a->flags & asks) == asks);
    const uint64_t period = (uint64_t)(a->now / PERIOD);
    choose_keys(host, period);
    const uint32_t index = mss_index(c.peer_mss);
    const uint64_t hash = hash_of(&host->cookie.now, &c.flow, a->segment->seq, index);
    send(host, &c, a, cookie_of(hash, period, index), packet);
    l->cookies_until = ((ltcp_time)period + 2) * PERIOD;
    host->counters.syn_cookies_sent++;
    return LTCP_OK;
}

/* ---- the ACK that comes back ------------------------------------------------------------------
 */

/* The SYN as it was, as far as cookie and timestamp have kept it. RFC4987:3.6-2 */
static struct ltcp_segment syn_again(const struct ltcp_segment *ack)
{
    struct ltcp_segment syn;
    memset(&syn, 0, sizeof syn);
    syn.source_port = ack->source_port;
    syn.destination_port = ack->destination_port;
    syn.seq = seq_sub(ack->seq, 1);
    syn.flags = LTCP_SYN;
    syn.window = ack->window;
    syn.options.present = LTCP_HAS_MSS;
    syn.options.mss = mss_of[seq_sub(ack->ack, 1).n >> 28 & 7];
    if (!(ack->options.present & LTCP_HAS_TIMESTAMPS)) return syn;
    const uint32_t bits = ack->options.ts_echo & STAMP_MASK;
    syn.options.present |= LTCP_HAS_TIMESTAMPS;
    syn.options.ts_value = ack->options.ts_value;
    if ((bits & STAMP_SCALE) != STAMP_SCALE) {
        syn.options.present |= LTCP_HAS_WINDOW_SCALE;
        syn.options.window_scale = (uint8_t)(bits & STAMP_SCALE);
    }
    if (bits & STAMP_SACK) syn.options.present |= LTCP_HAS_SACK_PERMITTED;
    if (bits & STAMP_ECN) syn.flags |= LTCP_ECE | LTCP_CWR;
    return syn;
}

/* The SYN-ACK left long ago and is acknowledged: straight on to ESTABLISHED, without an RTT sample,
 * since nobody knows when that was. */
static void establish(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    send_queue_close(c);
    c->snd_una = c->snd_nxt = c->snd_up = a->segment->ack;
    c->snd_wnd = (uint32_t)a->segment->window << c->snd_wscale;
    c->snd_wl1 = a->segment->seq;
    c->snd_wl2 = a->segment->ack;
    c->max_snd_wnd = c->snd_wnd;
    c->segments_sent = c->segments_received = 1;
    connection_established(c, a->now);
}

bool syn_cookie_returns(struct ltcp_listener *l, struct ltcp_arrival *a, enum ltcp_status *status)
{
    struct ltcp_host *host = l->host;
    const ltcp_seq cookie = seq_sub(a->segment->ack, 1), irs = seq_sub(a->segment->seq, 1);
    if (a->now >= l->cookies_until || (a->flags & LTCP_SYN)) return false;
    const struct ltcp_flow flow = {.local = a->ip->destination,
                                   .local_port = a->segment->destination_port,
                                   .remote = a->ip->source,
                                   .remote_port = a->segment->source_port};
    uint64_t hash;
    choose_keys(host, (uint64_t)(a->now / PERIOD));
    if (!is_ours(host, &flow, irs, cookie, &hash) || is_spent(host, hash)) {
        host->counters.syn_cookies_refused++;
        return false;
    }
    if (l->waiting >= l->backlog) {
        host->counters.listen_overflows++;
        *status = LTCP_ERR_NO_BUFFERS;
        return true;
    }
    const struct ltcp_segment syn = syn_again(a->segment);
    struct ltcp_arrival first = *a;
    first.segment = &syn;
    first.seq = syn.seq;
    first.flags = syn.flags;
    first.length = 0;
    first.from_cookie = true;
    first.cookie = cookie;
    struct ltcp_connection *c;
    *status = listener_open_child(l, &first, &c);
    if (*status != LTCP_OK) return true;
    host->counters.syn_cookies_accepted++;
    establish(c, a);
    segment_arrives(c, a);
    return true;
}
