/* core/tcp/output.c
 *
 * What leaves now: lost segments first, then new data as far as the peer's window, the congestion
 * window, Nagle and the sender's silly window avoidance let it, then an ACK that is still owed. */
#include <string.h>

#include "tcp/authentication.h"
#include "tcp/fast_open.h"
#include "tcp/flow_label.h"
#include "tcp/output.h"
#include "tcp/user_timeout.h"
#include "wire/options.h"

#define BURST_TIME (INT64_C(1000000000) >> 10)

/* ---- making one segment -------------------------------------------------------------------------
 */

/* NOP, NOP, timestamps: what the encoder would write, without the walk. */
static uint8_t timestamps_alone(const struct ltcp_connection *c, ltcp_time now, uint8_t out[40])
{
    const uint32_t value = timestamp_now(c, now), echo = c->ts_recent;
    const uint8_t option[12] = {
        LTCP_OPTION_NOP,        LTCP_OPTION_NOP,        LTCP_OPTION_TIMESTAMPS, 10,
        (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),  (uint8_t)value,
        (uint8_t)(echo >> 24),  (uint8_t)(echo >> 16),  (uint8_t)(echo >> 8),   (uint8_t)echo};
    memcpy(out, option, sizeof option);
    return sizeof option;
}

/* RFC9293:MUST-16: options that only some segments carry take their room from the text; here the
 * text is cut already, so the blocks take what is left. Beside timestamps 3 fit at most, else 4
 * (RFC 2018 section 3). */
static uint8_t sack_blocks_that_fit(const struct ltcp_connection *c, uint32_t payload)
{
    const uint32_t room = connection_send_room(c);
    const uint32_t taken = payload + (c->stamping ? 12 : 0) + authentication_room(c) + 4;
    const uint32_t most = c->stamping ? 3 : 4;
    const uint32_t fit = room > taken ? (room - taken) / 8 : 0;
    return (uint8_t)(fit < most ? fit : most);
}

/* RFC2018:4-1 RFC2018:4-2 RFC7323:3.2-2 RFC7323:3.2-4 */
static uint8_t write_options(const struct ltcp_connection *c, ltcp_time now, uint16_t flags,
                             uint32_t payload, uint8_t *out, size_t room)
{
    const struct ltcp_settings *s = settings_of(c);
    const bool accecn = c->accecn && accecn_option_is_due(c);
    if (!(flags & LTCP_SYN) && c->ahead == NULL && !c->dsack_due && !accecn &&
        !user_timeout_is_due(c))
        return c->stamping && (!(flags & LTCP_RST) || s->reset_with_timestamps)
                   ? timestamps_alone(c, now, out)
                   : 0;
    if (flags & LTCP_RST) {
        const bool stamps = c->stamping && s->reset_with_timestamps;
        return stamps ? timestamps_alone(c, now, out) : 0;
    }
    struct ltcp_options o;
    o.present = 0;
    if (flags & LTCP_SYN) { /* RFC9293:MUST-65: MSS nowhere else */
        handshake_write_options(c, now, &o);
        return (uint8_t)options_encode_within(&o, s->syn_options, s->syn_options_count, out, room);
    }
    if (c->stamping) {
        o.present |= LTCP_HAS_TIMESTAMPS;
        o.ts_value = timestamp_now(c, now);
        o.ts_echo = c->ts_recent;
    }
    if (user_timeout_write(c, payload, &o)) payload += 4;
    if (c->sacking && !(c->accecn && accecn_forbids_sack(c))) {
        const uint8_t most = sack_blocks_that_fit(c, payload);
        uint8_t first = 0;
        if (c->dsack_due && most > 0) o.sack[first++] = c->rare->duplicate; /* RFC2883:4-1 */
        o.sack_count = first;
        o.sack_count += reassembly_sack_blocks(c, o.sack + first, (uint8_t)(most - first));
        if (o.sack_count > 0) o.present |= LTCP_HAS_SACK;
    }
    if (accecn) accecn_option_write(c, now, payload, &o);
    return (uint8_t)options_encode_within(&o, s->other_options, s->other_options_count, out, room);
}

/* RFC9293:MUST-62: the pointer names the octet after the urgent data. Farther than the field
 * reaches, it says as much as it can. */
static void point_at_urgent(const struct ltcp_connection *c, struct ltcp_segment *s)
{
    s->urgent_pointer = 0;
    if ((s->flags & (LTCP_SYN | LTCP_RST)) || seq_le(c->snd_up, s->seq)) return;
    if (seq_le(c->snd_up, c->snd_una)) return; /* all of it is acknowledged */
    const uint32_t distance = seq_diff(c->snd_up, s->seq);
    s->flags |= LTCP_URG;
    s->urgent_pointer = (uint16_t)(distance > 65535 ? 65535 : distance);
}

static struct ltcp_ip ip_header(const struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    /* RFC9293:MUST-45: the addresses never change. No extension headers: RFC8200:8.4-1. */
    struct ltcp_ip ip = {.source = c->flow.local, .destination = c->flow.remote};
    ip.protocol = LTCP_PROTOCOL_TCP;
    ip.dscp = (uint8_t)s->dscp; /* RFC9293:MUST-48, SHLD-22 */
    ip.ttl = (uint8_t)s->ttl;   /* RFC9293:MUST-49, RFC1122:3.2.1.7-3 */
    ip.dont_fragment = s->path_mtu_discovery;
    ip.flow_label = flow_label(c);
    return ip;
}

/* The headers of one connection's packets differ in little: the engine keeps the last one's. */
static void encode(struct ltcp_connection *c, struct ltcp_packet *packet, uint8_t ecn,
                   const struct ltcp_segment *s)
{
    struct ltcp_engine *e = c->engine;
    const uint16_t identification = e->next_identification++;
    if (c->rare != NULL && c->rare->route_length > 0) {
        uint8_t room[40];
        struct ltcp_ip ip = ip_header(c);
        ip.identification = identification;
        ip.ecn = ecn;
        source_route_apply(c, &ip, room);
        ltcp_segment_encode(packet, &ip, s);
        return;
    }
    if (e->template_of != c) {
        const struct ltcp_ip ip = ip_header(c);
        ltcp_template_make(&e->template, &ip, c->flow.local_port, c->flow.remote_port);
        e->template_of = c;
    }
    ltcp_template_encode(&e->template, packet, identification, ecn, s);
}

static bool has_received_syn(const struct ltcp_connection *c)
{
    return c->state != LTCP_SYN_SENT;
}

/* `packet` carries the payload, if any; false: there was no memory, or the device dropped it.
 * RFC7323:2.2-3 RFC7323:2.3-2 */
static bool send_packet(struct ltcp_connection *c, ltcp_time now, struct ltcp_packet *packet,
                        ltcp_seq seq, uint16_t flags)
{
    if (packet == NULL) return false;
    uint8_t options[40];
    struct ltcp_segment s;
    s.source_port = c->flow.local_port;
    s.destination_port = c->flow.remote_port;
    s.seq = seq;
    s.ack = flags & LTCP_ACK ? c->rcv_nxt : ltcp_seq_of(0);
    s.flags = flags;
    if (c->ecn) s.flags |= ecn_flags(c, now, packet, flags);
    s.reserved = 0;
    s.window = flags & LTCP_RST ? 0 : window_advertise(c, (flags & LTCP_SYN) != 0);
    s.options_bytes = options;
    const uint8_t signature = c->authenticated ? authentication_reserve(c, options) : 0;
    s.options_length = signature;
    s.options_length += write_options(c, now, flags, packet->payload_length, options + signature,
                                      sizeof options - signature);
    point_at_urgent(c, &s);
    packet->interface = c->interface;
    packet->time = now;
    encode(c, packet, c->ecn ? ecn_codepoint(c, packet) : LTCP_ECN_NOT_ECT, &s);
    if (signature > 0) authentication_sign(c, packet);
    const bool taken = engine_enqueue(c->engine, packet);
    if (taken) c->segments_sent++;
    if (user_timeout_is_due(c)) user_timeout_sent(c, &s);
    if (!(flags & LTCP_ACK)) return taken;
    c->last_ack_sent = c->rcv_nxt;
    c->ack_now = false;
    c->dsack_due = false; /* reported once (RFC 2883 section 4) */
    c->unacked_octets = 0;
    c->ack_deadline = LTCP_NEVER;
    return taken;
}

static bool send_record(struct ltcp_connection *c, ltcp_time now, uint32_t position)
{
    struct ltcp_send_queue *q = c->out;
    const struct ltcp_record *r = record_at(q, position);
    struct ltcp_packet *packet = ltcp_packet_create(c->engine->pool);
    if (packet == NULL) return false;
    /* The data of a SYN leaves once: RFC 7413 section 4.2.2. RFC7413:4.2.2-5 */
    const bool text = r->length > 0 && !((r->flags & LTCP_SYN) && r->transmissions > 0);
    if (text) {
        packet->block = ltcp_block_ref(r->block);
        packet->payload = r->block->data + r->offset;
        packet->payload_length = r->length;
        if (r->length == r->block->length && r->block->sum_valid) {
            packet->payload_sum = r->block->sum;
            packet->payload_sum_valid = true;
        }
    }
    if (r->transmissions > 0) packet->notes |= LTCP_NOTE_RETRANSMISSION;
    uint16_t flags = r->flags & (uint8_t)~LTCP_RECORD_ENDS;
    if (flags & LTCP_SYN)
        flags = (uint16_t)((flags & ~LTCP_PSH) | ecn_syn_flags(c, r->transmissions > 0));
    if (has_received_syn(c)) flags |= LTCP_ACK;
    /* RFC9293:MUST-61: the last segment that is buffered pushes, whatever the user said. */
    const bool last = position + 1 == q->tail && !q->piece_follows;
    if (r->length > 0 && last && !(flags & LTCP_SYN)) flags |= LTCP_PSH;
    if (r->marks & LTCP_MARK_QUIET) flags &= (uint16_t)~LTCP_PSH;
    if (!send_packet(c, now, packet, r->seq, flags)) {
        device_dropped(c, now, r->transmissions == 0);
        return false;
    }
    const bool rearm = position == q->head && r->transmissions > 0 && settings_of(c)->rto_rearm;
    send_queue_sent(c, position, now);
    if (rearm) q->timer_started = now;
    pacing_sent(c, record_span(record_at(q, position)), now);
    c->last_sent = now;
    return true;
}

static void send_acknowledgment(struct ltcp_connection *c, ltcp_time now)
{
    if (send_packet(c, now, ltcp_packet_create(c->engine->pool), c->snd_nxt, LTCP_ACK))
        c->acks_sent++;
}

/* <SEQ=SND.NXT><CTL=RST>, RFC 9293 section 3.10.5. */
void output_reset(struct ltcp_connection *c, ltcp_time now)
{
    const bool ack = settings_of(c)->reset_with_ack && has_received_syn(c);
    send_packet(c, now, ltcp_packet_create(c->engine->pool), c->snd_nxt,
                (uint16_t)(LTCP_RST | (ack ? LTCP_ACK : 0)));
}

/* <SEQ=SND.NXT-1> is not in the peer's window, so it is answered (RFC 9293 section 3.10.7.4). */
static void send_without_data(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_packet *packet = ltcp_packet_create(c->engine->pool);
    if (packet == NULL) return;
    packet->notes |= LTCP_NOTE_PROBE;
    if (send_packet(c, now, packet, seq_sub(c->snd_nxt, 1), LTCP_ACK)) rare_of(c)->probes_sent++;
}

/* RFC 9293 section 3.8.4: SEG.SEQ = SND.NXT - 1, without data (RFC9293:SHLD-12) unless the
 * configuration asks for one garbage octet (MAY-6). */
static void send_keepalive(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_packet *packet = ltcp_packet_create(c->engine->pool);
    c->keepalive_due = false;
    if (packet == NULL) return;
    if (settings_of(c)->keepalive_garbage &&
        (packet->block = ltcp_block_create(c->engine->pool, 1)) != NULL) {
        packet->payload = packet->block->data;
        packet->payload[0] = 0;
        packet->payload_length = packet->block->length = 1;
    }
    packet->notes |= LTCP_NOTE_PROBE;
    if (send_packet(c, now, packet, seq_sub(c->snd_nxt, 1), LTCP_ACK)) rare_of(c)->probes_sent++;
}

/* ---- deciding
 * ------------------------------------------------------------------------------------ */

/* RFC5681:2-1 RFC9406:3-1 RFC9937:3-2 RFC5681:3.2-4 RFC5681:3.2-5 RFC6675:5-4 */
static bool congestion_allows(const struct ltcp_connection *c, uint32_t octets)
{
    const uint32_t held = held_by_window(c);
    return held == 0 || held + octets <= c->cc.cwnd;
}

/* What leaves within 2^-10 seconds at the pace of two windows in a round trip of slow start, and of
 * 1.2 later: as much as a sender of bursts makes at a time. */
static uint64_t burst_by_pace(const struct ltcp_connection *c)
{
    const uint64_t fifths = c->cc.cwnd < c->cc.ssthresh / 2 ? 10 : 6;
    const uint32_t flight = flight_size(c);
    const uint64_t window = c->cc.cwnd > flight ? c->cc.cwnd : flight;
    if (c->srtt <= 0) return UINT32_MAX;
    return window * fifths * (uint64_t)BURST_TIME / (5 * (uint64_t)c->srtt);
}

/* As many segments as one burst has: by the pace, but not more than half of the peer's greatest
 * window, and what an IP packet could hold. */
uint32_t output_burst_size(const struct ltcp_connection *c)
{
    uint32_t most = c->max_snd_wnd / 2 < 65535 ? c->max_snd_wnd / 2 : 65535;
    const uint64_t least = (uint64_t)settings_of(c)->burst_least * c->snd_mss;
    uint64_t paced = burst_by_pace(c);
    if (paced < least) paced = least;
    if (paced < most) most = (uint32_t)paced;
    return most > c->snd_mss ? most / c->snd_mss : 1;
}

/* New data also leaves no more than half of the congestion window at a time. */
static uint32_t burst_most(const struct ltcp_connection *c)
{
    if (!settings_of(c)->push_bursts) return UINT32_MAX;
    const uint32_t most = output_burst_size(c), half = c->cc.cwnd / 2 / c->snd_mss;
    return half >= most ? most : half > 1 ? half : 1;
}

static bool bursts_retransmissions(const struct ltcp_connection *c)
{
    return c->out != NULL && settings_of(c)->push_bursts && settings_of(c)->write_pieces;
}

/* A receiver that gathers a burst hands it over at once if its last segment pushes (RFC9293:MAY-16:
 * PSH may come oftener than the user asks). */
static void push_last(struct ltcp_connection *c)
{
    ltcp_segment_push(c->engine->out_last);
    if (c->authenticated) authentication_sign(c, c->engine->out_last);
}

static uint32_t end_burst(struct ltcp_connection *c, uint32_t segments)
{
    if (segments > 0 && settings_of(c)->write_pieces) pieces_end(c->out, c->out->unsent - 1);
    if (segments > 1 && settings_of(c)->push_bursts) push_last(c);
    return 0;
}

/* Retransmissions that follow each other within one piece leave as a burst. */
struct run {
    uint32_t count, most, next;
};

static void end_run(struct ltcp_connection *c, struct run *run)
{
    if (run->count > 1) push_last(c);
    run->count = 0;
}

static void extend_run(struct ltcp_connection *c, struct run *run, uint32_t position)
{
    run->count++;
    run->next = position + 1;
    if (run->count == run->most) pieces_end(c->out, position);
    if (record_at(c->out, position)->flags & LTCP_RECORD_ENDS) end_run(c, run);
}

/* What was lost goes first. A segment beyond a shrunk window waits (RFC9293:SHLD-15, SHLD-16), but
 * the first one never does (MAY-7). RFC5681:4.3-2 RFC6675:5-11 RFC8985:9.3-1 */
static void send_each_lost(struct ltcp_connection *c, ltcp_time now, struct run *run)
{
    uint32_t position;
    struct ltcp_record *r;
    while ((r = scoreboard_next_lost(c, &position)) != NULL) {
        if (r->length > c->snd_mss && !(r->flags & LTCP_SYN)) {
            if (!send_queue_split(c, position, c->snd_mss)) return;
        } else if (r->length < c->snd_mss) {
            const bool follows = position == run->next;
            position = repackage_lost(c, position);
            if (follows) run->next = position;
        }
        r = record_at(c->out, position);
        const bool first = position == c->out->head;
        if (!first && seq_gt(record_end(r), peer_edge(c))) return;
        if (!c->force_retransmit && !congestion_allows(c, record_span(r))) {
            c->cwnd_limited = true;
            return;
        }
        if (!c->force_retransmit && !pacing_allows(c, now)) return;
        c->force_retransmit = false;
        if (position != run->next) end_run(c, run);
        if (!send_record(c, now, position)) return;
        if (run->most > 1) extend_run(c, run, position);
    }
}

static void send_lost(struct ltcp_connection *c, ltcp_time now)
{
    struct run run = {.most = bursts_retransmissions(c) ? output_burst_size(c) : 1};
    send_each_lost(c, now, &run);
    end_run(c, &run);
}

/* RFC9293:SHLD-7; with Minshall's change a small segment waits only for the ACK of a small one. */
static bool nagle_holds(const struct ltcp_connection *c)
{
    const struct ltcp_send_queue *q = c->out;
    const ltcp_seq una = c->syn_acked ? c->snd_una : seq_add(c->snd_una, 1); /* a SYN is no data */
    if (!settings_of(c)->nagle || seq_eq(c->snd_nxt, una)) return false;
    if (!settings_of(c)->minshall) return true;
    return q->small_sent && seq_gt(q->small_end, c->snd_una);
}

/* What the peer's window has left is less than a segment, and only its size is the reason: it
 * stands as wide open as ever, so it does not move in silly steps. One such segment is in flight at
 * most, whatever the peer does. */
static bool fills_window(const struct ltcp_connection *c, uint32_t n, uint32_t usable)
{
    const struct ltcp_send_queue *q = c->out;
    if (!settings_of(c)->fill_window || n < usable) return false;
    if (q->small_sent && seq_gt(q->small_end, c->snd_una)) return false;
    return c->snd_wnd >= c->max_snd_wnd;
}

/* RFC9293:MUST-16: how long new text may be beside the SACK blocks that go with it while something
 * is missing here (RFC 2018 section 4, RFC 6691). */
static uint32_t text_room(const struct ltcp_connection *c)
{
    if (c->ahead == NULL || !c->sacking || (c->accecn && accecn_forbids_sack(c))) return c->snd_mss;
    const uint32_t most = sack_blocks_that_fit(c, 0);
    const uint32_t blocks =
        c->ahead->count + (c->dsack_due ? 1u : 0u) + (c->fin_received ? 1u : 0u);
    const uint32_t octets = 4 + 8 * (blocks < most ? blocks : most);
    return c->snd_mss > octets + 8 ? c->snd_mss - octets : c->snd_mss;
}

/* RFC 9293 section 3.8.6.2.1 (RFC9293:MUST-38) with Nagle as the bracketed condition (SHLD-7,
 * MUST-17). How many octets of the first unsent record may go: 0 for none. RFC5681:2-1 */
static uint32_t sendable(const struct ltcp_connection *c, const struct ltcp_record *r, uint32_t mss)
{
    const struct ltcp_send_queue *q = c->out;
    const ltcp_seq edge = peer_edge(c);
    const uint32_t usable = seq_gt(edge, c->snd_nxt) ? seq_diff(edge, c->snd_nxt) : 0;
    const uint32_t span = record_span(r) < mss ? record_span(r) : mss;
    const uint32_t n = span < usable ? span : usable;
    const bool idle = !nagle_holds(c);
    const bool last = q->unsent + 1 == q->tail;
    if (n == 0) return 0;
    if (n >= mss) return n; /* (1) */
    if (r->flags & LTCP_FIN) return n == span ? n : 0;
    if (last && n == span && idle && (r->flags & LTCP_PSH)) return n; /* (2) */
    if (!last && n == span && (r->marks & LTCP_MARK_BOUNDARY)) return n;
    if (idle && n >= c->max_snd_wnd / 2) return n; /* (3) */
    return fills_window(c, n, usable) ? n : 0;
}

/* One octet of the first unsent record, or its FIN, although the window has no room for it; or what
 * the window takes of it, when only silly-window avoidance held it back (4). */
static void send_probe(struct ltcp_connection *c, ltcp_time now)
{
    c->probe_due = false;
    if (c->out == NULL) return;
    struct ltcp_send_queue *q = c->out;
    if (settings_of(c)->probe_repeats && flight_size(c) == 0 && c->snd_wnd == 0) {
        send_without_data(c, now);
        return;
    }
    uint32_t position = q->head;
    if (flight_size(c) == 0) {
        struct ltcp_record *r = record_at(q, q->unsent);
        const uint32_t usable = c->snd_wnd > 0 ? c->snd_wnd : 1;
        const uint32_t n = usable < c->snd_mss ? usable : c->snd_mss;
        if (r->length > n && !send_queue_split(c, q->unsent, n)) return;
        position = q->unsent;
        record_at(q, position)->marks &= (uint8_t)~LTCP_MARK_QUIET;
    }
    if (!send_record(c, now, position)) return;
    rare_of(c)->probes_sent++;
    c->engine->out_last->notes |= LTCP_NOTE_PROBE;
}

/* RFC 8985 section 7.3: new data as far as the window has room, or else the last segment again;
 * whatever the congestion window says. RFC8985:7.3-2 */
static void send_loss_probe(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_send_queue *q = c->out;
    c->loss_probe_due = false;
    if (!loss_probe_may(c)) return;
    uint32_t position = q->unsent - 1;
    if (has_unsent(c)) {
        const struct ltcp_record *r = record_at(q, q->unsent);
        const ltcp_seq edge = peer_edge(c);
        const uint32_t usable = seq_gt(edge, c->snd_nxt) ? seq_diff(edge, c->snd_nxt) : 0;
        const uint32_t n = r->length < c->snd_mss ? r->length : c->snd_mss;
        if (record_span(r) <= usable || (n > 0 && n <= usable)) {
            if (r->length > n && !send_queue_split(c, q->unsent, n)) return;
            position = q->unsent;
        }
    }
    const bool again = position != q->unsent;
    if (again && record_at(q, position)->length > c->snd_mss) {
        if (!send_queue_split(c, position, record_at(q, position)->length - c->snd_mss)) return;
        position++;
    }
    if (!send_record(c, now, position)) return;
    c->engine->out_last->notes |= LTCP_NOTE_PROBE;
    loss_probe_sent(c, now, record_at(q, position), again);
}

/* RFC5681:3.2-12 */
enum probing { NO_PROBE, PROBE_SENT, PROBE_WAITS };

/* RFC 4821: the next segment is made longer than the path is known to take. RFC4821:7.5-1 */
static enum probing send_mtu_probe(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_send_queue *q = c->out;
    const ltcp_seq edge = peer_edge(c), seq = c->snd_nxt;
    bool wait;
    path_mtu_look(c, now);
    const uint32_t length =
        mtu_search_probe(c, now, seq_gt(edge, seq) ? seq_diff(edge, seq) : 0, &wait);
    if (wait) c->cwnd_limited = true;
    if (length == 0) return wait ? PROBE_WAITS : NO_PROBE;
    if (!pacing_allows(c, now)) return PROBE_WAITS;
    send_queue_gather(c, length);
    const struct ltcp_record *r = record_at(q, q->unsent);
    if (r->length != length || (r->flags & LTCP_FIN)) return NO_PROBE;
    if (!send_record(c, now, q->unsent)) return PROBE_WAITS;
    c->engine->out_last->notes |= LTCP_NOTE_PROBE;
    mtu_search_sent(c, now, seq, length);
    return PROBE_SENT;
}

/* ---- new data ----------------------------------------------------------------------------------
 */

static bool keeps_bursts_whole(const struct ltcp_connection *c)
{
    return settings_of(c)->push_bursts || settings_of(c)->write_pieces;
}

/* As much has been made as is taken at once: the rest follows while that is still in the cache. A
 * burst is not cut. */
static bool is_enough(struct ltcp_connection *c, uint32_t burst)
{
    struct ltcp_engine *e = c->engine;
    if (e->out_count < e->out_room) return false;
    if (burst > 0 && keeps_bursts_whole(c)) return false;
    e->out_cut = true;
    return true;
}

/* How many may leave together where none is taken for enough. */
static uint32_t most_together(const struct ltcp_connection *c, uint32_t left, bool all)
{
    const struct ltcp_engine *e = c->engine;
    const uint32_t room = e->out_room - e->out_count;
    return !all || keeps_bursts_whole(c) || left < room ? left : room;
}

static bool piece_ends(const struct ltcp_send_queue *q)
{
    return record_at(q, q->unsent - 1)->flags & LTCP_RECORD_ENDS;
}

/* No more than so many bursts. */
static void send_new(struct ltcp_connection *c, ltcp_time now, uint32_t bursts)
{
    struct ltcp_send_queue *q = c->out;
    const uint32_t most = burst_most(c);
    const bool all = bursts == UINT32_MAX;
    const bool defers = all && most != UINT32_MAX && settings_of(c)->defer_bursts != 0;
    uint32_t burst = 0;
    bool fresh = false, alike = true;
    while (q != NULL && q->unsent != q->tail && bursts > 0) {
        if (all && is_enough(c, burst)) break;
        if (defers && burst == 0 && burst_waits(c, now)) {
            c->cwnd_limited = true;
            break;
        }
        const uint32_t left = most - burst;
        const uint32_t sent = alike ? burst_send(c, now, most_together(c, left, all)) : 0;
        if (sent > 0) {
            fresh = true;
            burst += sent;
            alike = sent == left || piece_ends(q);
            if (burst < most && !piece_ends(q)) continue;
            burst = end_burst(c, burst);
            bursts--;
            continue;
        }
        const enum probing probing = c->mtu_watched ? send_mtu_probe(c, now) : NO_PROBE;
        if (probing == PROBE_WAITS) break;
        if (probing == PROBE_SENT) {
            fresh = true;
            continue;
        }
        const struct ltcp_record *r = record_at(q, q->unsent);
        if (r->length < c->snd_mss && q->unsent + 1 != q->tail) send_queue_fill(c);
        const uint32_t mss = text_room(c);
        const uint32_t n = sendable(c, r, mss);
        if (n == 0) break;
        const bool bare_fin = r->length == 0 && q->unsent + 1 == q->tail; /* no data to limit */
        if (!bare_fin && !congestion_allows(c, n)) {
            c->cwnd_limited = true;
            break;
        }
        if (!pacing_allows(c, now)) break;
        if (r->length > n && !send_queue_split(c, q->unsent, n)) break;
        if (n < mss) {
            q->small_sent = true;
            q->small_end = seq_add(c->snd_nxt, n);
        }
        if (!send_record(c, now, q->unsent)) break;
        burst_model(c, now);
        alike = fresh = true;
        if (++burst < most && !piece_ends(q)) continue;
        burst = end_burst(c, burst);
        bursts--;
    }
    end_burst(c, burst);
    if (!fresh) return;
    if (c->duplicate_acks > 0) recovery_note_limited_transmit(c, now);
    loss_probe_schedule(c, now);
}

void output_burst(struct ltcp_connection *c, ltcp_time now)
{
    if (state_may_send(c->state)) send_new(c, now, 1);
}

/* RFC 5681 section 4.1. RFC5681:4.1-1 */
static void restart_after_idle(struct ltcp_connection *c, ltcp_time now)
{
    if (!has_unsent(c) || flight_size(c) > 0 || now - c->last_sent <= rtt_rto(c)) return;
    if (c->snd_wnd == 0) return; /* what leaves is a probe, and no data yet */
    if (!settings_of(c)->slow_start_after_idle) return;
    const uint32_t before = c->cc.cwnd;
    c->cc.ops->on_idle(&c->cc, now);
    if (c->cc.cwnd != before) remark_response(c, now, "idleness");
}

#define FIN_AGAIN (200 * LTCP_MILLISECOND)

static bool wants_fin(const struct ltcp_connection *c)
{
    return c->fin_wanted && !c->fin_queued && state_may_send(c->state);
}

/* The FIN has left: section 3.10.4, CLOSE-WAIT. */
static void after_fin_sent(struct ltcp_connection *c, ltcp_time now)
{
    if (c->fin_queued && !has_unsent(c) && c->state == LTCP_CLOSE_WAIT)
        connection_set_state(c, now, LTCP_LAST_ACK);
}

/* What was lost, what probes, what is new. */
static void send_queued(struct ltcp_connection *c, ltcp_time now)
{
    const uint32_t sent_before = c->data_segments_sent;
    restart_after_idle(c, now);
    if (c->out->lost != c->out->retransmitted && !undo_frto_waits(c)) send_lost(c, now);
    const bool dropped = c->probe_due && c->engine->device_full; /* once is enough for now */
    if (c->probe_due) send_probe(c, now);
    if (c->loss_probe_due) send_loss_probe(c, now);
    if (!dropped && !c->cwnd_limited && !c->pace_held && state_may_send(c->state))
        send_new(c, now, UINT32_MAX);
    if (c->engine->out_cut) return; /* there is more to come */
    rate_look_for_limit(c, now);
    rate_note_usage(c, c->data_segments_sent != sent_before);
}

/* The engine's out_cut says that it is to be called again, before any other. RFC6675:4-6
 * RFC6675:4-9 */
void output_run(struct ltcp_connection *c, ltcp_time now)
{
    if (c->state == LTCP_CLOSED || c->state == LTCP_LISTEN) return;
    if (c->state == LTCP_SYN_SENT || c->state == LTCP_SYN_RECEIVED) {
        if (c->out != NULL && c->out->unsent == c->out->head)
            send_record(c, now, c->out->head);
        else
            send_lost(c, now);
        const bool answered = c->out != NULL && c->out->unsent != c->out->head;
        if (answered && fast_opened(c)) { /* RFC7413:3-3: before the handshake has ended */
            c->cwnd_limited = c->pace_held = false;
            send_new(c, now, UINT32_MAX);
        }
    } else {
        if (c->accecn && accecn_owes_handshake_ack(c)) send_acknowledgment(c, now);
        if (wants_fin(c)) send_queue_fin(c);
        c->cwnd_limited = c->pace_held = false;
        if (c->out != NULL)
            send_queued(c, now);
        else
            c->probe_due = c->loss_probe_due = false;
        after_fin_sent(c, now);
        if (c->write_blocked && (settings_of(c)->not_sent_low != 0 || settings_of(c)->write_pieces))
            send_queue_tell_room(c);
    }
    if (c->keepalive_due) send_keepalive(c, now);
    if (c->ack_now) send_acknowledgment(c, now);
    /* There was no memory for the FIN's record: with no queue, no other timer would try again. */
    if (wants_fin(c) && c->out == NULL) timers_set_ack(c, now + FIN_AGAIN);
    timers_after_output(c, now);
    chronograph_look(c, now);
}
