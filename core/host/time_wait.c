/* core/host/time_wait.c - TIME-WAIT, RFC 9293 section 3.6.1, in small records.
 *
 * Once its user has let a connection go, all that TIME-WAIT can still do is to answer. So its
 * record is folded into a few octets, and unfolded on the stack for the time of a segment or of its
 * timer: what answers is the connection that it was, by the same steps. */
#include <string.h>

#include "host/host.h"
#include "tcp/accecn.h"
#include "tcp/digest.h"

#define REPLIES_MOST    1024 /* as for resets: a flood costs no memory */
#define WINDOW_UNIT     16384u
#define SINCE_UNIT      (LTCP_SECOND / 16)
#define CHALLENGES_MOST 127u

/* ---- folding ----------------------------------------------------------------------------------
 */

/* What TIME-WAIT may not forget and the small record has no room for. */
static bool folds(const struct ltcp_connection *c)
{
    return c->released && !c->pending && !c->queued_event && c->listener == NULL &&
           !c->authenticated && c->out == NULL &&
           (c->rare == NULL || (c->rare->route_length == 0 && c->rare->flow_label_changes == 0));
}

static uint16_t window_units(uint32_t octets)
{
    const uint32_t units = octets / WINDOW_UNIT + (octets % WINDOW_UNIT != 0);
    return (uint16_t)(units < 65535 ? units : 65535);
}

static void note_challenges(struct ltcp_time_wait *w, const struct ltcp_rare *rare)
{
    w->challenges =
        (rare->challenges < CHALLENGES_MOST ? rare->challenges : CHALLENGES_MOST) & 127u;
    w->challenge_since = (uint16_t)(rare->challenge_since / SINCE_UNIT);
}

void time_wait_fold(struct ltcp_host *host, struct ltcp_connection *c)
{
    struct ltcp_engine *e = &host->engine;
    if (!folds(c)) return;
    struct ltcp_time_wait *w = engine_zeroed(e, sizeof *w);
    if (w == NULL) return; /* the large one does as well */
    w->flow = c->flow;
    w->flow.kind = LTCP_FLOW_TIME_WAIT;
    if (!demultiplexer_replace(host, &c->flow, &w->flow)) { /* it stands aside */
        engine_resize(e, w, sizeof *w, 0);
        return;
    }
    w->share = share_ref(c->share);
    w->handle = c->handle;
    w->snd_nxt = c->snd_nxt;
    w->rcv_nxt = c->rcv_nxt;
    w->rcv_wnd = rcv_wnd(c);
    w->rcv_wscale = (uint8_t)(c->rcv_wscale & 15u) & 15u;
    w->max_snd_wnd = window_units(c->max_snd_wnd);
    w->stamping = c->stamping;
    w->accecn = c->accecn;
    if (c->accecn) w->ace = c->rare->accecn->r_cep & ACCECN_ACE_MASK;
    w->ts_offset = c->ts_offset;
    w->ts_recent = c->ts_recent;
    w->interface = c->interface;
    if (c->rare != NULL) note_challenges(w, c->rare);
    const ltcp_time until = c->long_deadline;
    host->time_wait_records++;
    e->time_waits++; /* the connection's going takes one off */
    handle_destroy(host, c->handle);
    host->counters.connections--;
    connection_destroy(c);
    deadlines_add_time_wait(e, w, until);
}

/* ---- unfolding --------------------------------------------------------------------------------
 */

struct unfolded {
    struct ltcp_connection c;
    struct ltcp_rare rare;
    struct ltcp_accecn accecn;
};

/* As it was, but in no list, table or heap, and never to enter one. */
static struct ltcp_connection *unfold(struct ltcp_host *host, const struct ltcp_time_wait *w,
                                      ltcp_time now, ltcp_time until, struct unfolded *u)
{
    struct ltcp_connection *c = &u->c;
    memset(u, 0, sizeof *u);
    c->flow = w->flow;
    c->engine = &host->engine;
    c->share = w->share;
    c->handle = w->handle;
    c->link_mtu = (uint16_t)host->interfaces[w->interface].least_mtu;
    c->path_mtu = (uint16_t)host->interfaces[w->interface].mtu;
    handshake_offer(c, now, w->snd_nxt, 0);
    c->interface = w->interface;
    c->state = LTCP_TIME_WAIT;
    c->pending = c->changed = c->released = c->user_closed = true;
    c->fin_wanted = c->fin_queued = c->fin_received = c->fin_processed = c->syn_acked = true;
    c->max_snd_wnd = w->max_snd_wnd * WINDOW_UNIT;
    c->rcv_nxt = c->rcv_read = c->rcv_up = c->last_ack_sent = w->rcv_nxt;
    c->rcv_fin = seq_sub(w->rcv_nxt, 1);
    c->rcv_adv = seq_add(w->rcv_nxt, w->rcv_wnd);
    c->rcv_wscale = w->rcv_wscale;
    c->scaling = c->sacking = false;
    c->stamping = w->stamping;
    c->ts_offset = w->ts_offset;
    c->ts_recent = w->ts_recent;
    c->ts_recent_valid = w->stamping;
    c->ts_recent_time = coarse_time(now);
    c->ack_deadline = LTCP_NEVER;
    c->long_deadline = until;
    c->armed = INT64_MIN;
    c->heap_index = UINT32_MAX;
    c->cc.ops = &ltcp_newreno;
    c->rare = &u->rare;
    const uint16_t since = (uint16_t)((uint16_t)(now / SINCE_UNIT) - w->challenge_since);
    if (w->accecn) { /* RFC9768:3.2.2-1: the counter goes on; its options are not needed any more */
        c->ecn = c->accecn = true;
        u->rare.accecn = &u->accecn;
        u->accecn.r_cep = w->ace;
        u->accecn.options_blocked = true;
    }
    u->rare.challenges = w->challenges;
    u->rare.challenge_since = now - since * SINCE_UNIT;
    host->engine.template_of = NULL; /* it knows connections by where they lie */
    return c;
}

void time_wait_free(struct ltcp_host *host, struct ltcp_time_wait *w)
{
    share_unref(&host->engine, w->share);
    engine_resize(&host->engine, w, sizeof *w, 0);
    host->time_wait_records--;
}

void time_wait_end(struct ltcp_host *host, struct ltcp_time_wait *w)
{
    demultiplexer_remove(host, &w->flow);
    deadlines_remove_time_wait(&host->engine, w);
    time_wait_free(host, w);
}

/* To CLOSED, as the trace will say. */
static void die(struct ltcp_host *host, const struct ltcp_time_wait *w, ltcp_time now)
{
    struct unfolded u;
    connection_die(unfold(host, w, now, now, &u), now, LTCP_OK);
}

void time_wait_expire(struct ltcp_host *host, struct ltcp_time_wait *w, ltcp_time now)
{
    die(host, w, now);
    demultiplexer_remove(host, &w->flow);
    time_wait_free(host, w);
}

/* ---- segments ---------------------------------------------------------------------------------
 */

/* A SYN that may replace TIME-WAIT: its timestamp or sequence number is past all that the old
 * connection used (RFC9293:MAY-2, SHLD-4). */
static bool is_newer(const struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const struct ltcp_options *o = &a->segment->options;
    const bool stamped = (o->present & LTCP_HAS_TIMESTAMPS) && settings_of(c)->timestamps;
    if ((a->flags & (LTCP_SYN | LTCP_ACK | LTCP_RST)) != LTCP_SYN) return false;
    if (!settings_of(c)->time_wait_reuse) return false;
    if (stamped && !c->stamping) return true; /* RFC6191:2-5 */
    if (stamped && c->ts_recent_valid) {
        const int32_t newer = (int32_t)(o->ts_value - c->ts_recent);
        if (newer != 0) return newer > 0; /* RFC6191:2-1 */
    }
    return seq_gt(a->segment->seq, c->rcv_nxt); /* RFC6191:2-2, RFC6191:2-3, RFC6191:2-6 */
}

static bool gives_way(struct ltcp_host *host, const struct ltcp_connection *c,
                      struct ltcp_arrival *a)
{
    if (!is_newer(c, a)) return false;
    if (listener_find(host, &a->ip->destination, a->segment->destination_port) == NULL)
        return false;
    a->replaces = true;
    a->beyond = c->snd_nxt;
    return true;
}

/* It steps aside until the new one is established, and is there again if none came of it. */
bool time_wait_gives_way(struct ltcp_host *host, struct ltcp_connection *c, struct ltcp_arrival *a,
                         enum ltcp_status *status)
{
    if (!gives_way(host, c, a)) return false;
    a->replaced = c->handle;
    demultiplexer_remove(host, &c->flow);
    *status = segment_to_listener(host, a);
    if (!a->taken) demultiplexer_add(host, &c->flow);
    return true;
}

static enum ltcp_status give_way(struct ltcp_host *host, struct ltcp_time_wait *w,
                                 struct ltcp_arrival *a)
{
    struct ltcp_engine *e = &host->engine;
    a->aside = w;
    a->aside_until = e->heap[w->heap_index].when;
    demultiplexer_remove(host, &w->flow);
    deadlines_remove_time_wait(e, w);
    const enum ltcp_status status = segment_to_listener(host, a);
    if (a->taken) return status;
    demultiplexer_add(host, &w->flow);
    deadlines_add_time_wait(e, w, a->aside_until);
    return status;
}

/* What the segment changed goes back into the small record; what it asked for leaves at once. */
static void fold_again(struct ltcp_host *host, struct ltcp_time_wait *w, struct unfolded *u,
                       ltcp_time now, ltcp_time until)
{
    struct ltcp_engine *e = &host->engine;
    if (u->c.state == LTCP_CLOSED) {
        time_wait_end(host, w);
        return;
    }
    if (u->c.ack_now && e->out_count < REPLIES_MOST) output_run(&u->c, now);
    e->template_of = NULL;
    w->ts_recent = u->c.ts_recent;
    w->ace = u->accecn.r_cep & ACCECN_ACE_MASK;
    w->rcv_wnd = rcv_wnd(&u->c);
    note_challenges(w, &u->rare);
    if (u->c.long_deadline != until) deadlines_move_time_wait(e, w, u->c.long_deadline);
}

enum ltcp_status time_wait_segment_arrives(struct ltcp_host *host, struct ltcp_time_wait *w,
                                           struct ltcp_arrival *a)
{
    struct unfolded u;
    const ltcp_time until = host->engine.heap[w->heap_index].when;
    struct ltcp_connection *c = unfold(host, w, a->now, until, &u);
    if (gives_way(host, c, a)) return give_way(host, w, a);
    segment_arrives(c, a);
    fold_again(host, w, &u, a->now, until);
    return LTCP_OK;
}

bool time_wait_makes_room(struct ltcp_host *host, struct ltcp_flow *flow, ltcp_time now,
                          ltcp_seq *beyond)
{
    struct unfolded u;
    struct ltcp_time_wait *w = flow_time_wait(flow);
    struct ltcp_connection *c = w != NULL ? unfold(host, w, now, now, &u) : flow_connection(flow);
    if (c->state != LTCP_TIME_WAIT || !settings_of(c)->time_wait_reuse || !c->stamping)
        return false;
    *beyond = c->snd_nxt;
    connection_die(c, now, LTCP_OK);
    if (w != NULL)
        time_wait_end(host, w);
    else
        demultiplexer_remove(host, flow);
    return true;
}

static void settle_small(struct ltcp_host *host, struct ltcp_time_wait *w, ltcp_time now,
                         ltcp_time until, bool ends)
{
    if (ends) {
        die(host, w, now);
        time_wait_free(host, w);
    } else {
        demultiplexer_add(host, &w->flow);
        deadlines_add_time_wait(&host->engine, w, until);
    }
}

static void settle_large(struct ltcp_host *host, struct ltcp_connection *old, ltcp_time now,
                         bool ends)
{
    if (ends) {
        connection_die(old, now, LTCP_OK);
    } else {
        demultiplexer_add(host, &old->flow);
        connection_changed(old);
    }
}

void time_wait_settle(struct ltcp_host *host, struct ltcp_connection *c)
{
    struct ltcp_rare *r = c->rare;
    if (r == NULL || c->state == LTCP_SYN_RECEIVED) return;
    const bool ends = c->state != LTCP_CLOSED;
    struct ltcp_connection *old = handle_any(host, r->replaced);
    if (r->aside != NULL) settle_small(host, r->aside, c->last_heard, r->aside_until, ends);
    if (old != NULL && old->state == LTCP_TIME_WAIT) settle_large(host, old, c->last_heard, ends);
    r->replaced = 0;
    r->aside = NULL;
}

void time_wait_digest(struct digest *d, const struct ltcp_time_wait *w, ltcp_time now)
{
    digest_address(d, &w->flow.local);
    digest_address(d, &w->flow.remote);
    digest_word(d, (uint64_t)w->flow.local_port << 16 | w->flow.remote_port);
    digest_seq(d, w->snd_nxt);
    digest_seq(d, w->rcv_nxt);
    digest_word(d, w->rcv_wnd);
    digest_word(d, (uint64_t)w->max_snd_wnd << 32 | (uint32_t)w->rcv_wscale << 8 |
                       (uint32_t)w->stamping << 4 | (uint32_t)w->accecn << 3 | w->ace);
    digest_word(d, (uint64_t)w->ts_recent << 32 |
                       (w->ts_offset + (uint32_t)(uint64_t)(now / LTCP_MILLISECOND)));
    digest_word(d, (uint64_t)w->interface << 8 | w->challenges);
    if (w->challenges > 0)
        digest_word(d, (uint16_t)((uint16_t)(now / SINCE_UNIT) - w->challenge_since));
}
