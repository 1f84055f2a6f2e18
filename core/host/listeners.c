/* core/host/listeners.c - LISTEN: RFC 9293 section 3.10.7.2, and the connections that come of it.
 */
#include "host/fast_open.h"
#include "tcp/authentication.h"

/* "Set RCV.NXT to SEG.SEQ+1, IRS is set to SEG.SEQ ... ISS should be selected and a SYN segment
 * sent of the form <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>". An existing connection is not touched
 * (RFC9293:MUST-41, MUST-42). */
enum ltcp_status listener_open_child(struct ltcp_listener *l, struct ltcp_arrival *a,
                                     struct ltcp_connection **out)
{
    struct ltcp_host *host = l->host;
    const struct ltcp_route *route = route_find(host, &a->ip->source);
    /* Without a route the answer goes where the SYN came from, as its source route may say. */
    const uint32_t interface = route != NULL ? route->interface : a->packet->interface;
    if (interface >= host->interface_count) return LTCP_ERR_NO_ROUTE;
    struct ltcp_connection *c = host_connection_create(host, l->share);
    if (c == NULL) return LTCP_ERR_NO_MEMORY;
    c->flow.local = a->ip->destination;
    c->flow.local_port = a->segment->destination_port;
    c->flow.remote = a->ip->source;
    c->flow.remote_port = a->segment->source_port;
    c->passive = true;
    c->listener = l;
    c->state = LTCP_LISTEN;
    if (!demultiplexer_add(host, &c->flow)) {
        host_connection_destroy(host, c);
        return LTCP_ERR_NO_MEMORY;
    }
    host_connection_start(host, c, a->now, interface, a);
    if (c->out == NULL) {
        host_connection_destroy(host, c);
        return LTCP_ERR_NO_MEMORY;
    }
    if (a->replaces && rare_of(c) == c->rare) {
        c->rare->replaced = a->replaced;
        c->rare->aside = a->aside;
        c->rare->aside_until = a->aside_until;
        a->taken = true;
    }
    if (c->authenticated) authentication_syn_arrives(c, a->segment);
    segment_syn_arrives(c, a);
    connection_set_state(c, a->now, LTCP_SYN_RECEIVED);
    if (a->from_cookie || !fast_open_arrives(l, c, a)) {
        l->half_open++;
        host->half_open++;
        children_add(l, c);
    }
    *out = c;
    return LTCP_OK;
}

/* RFC4987:3.2-1: what waits in SYN-RECEIVED is bounded, for each listener and for all. */
static bool queue_holds(const struct ltcp_listener *l, uint32_t half_open, uint32_t of_all)
{
    const int64_t own = l->share->settings.syn_queue;
    const int64_t most = l->host->share->settings.half_open_most;
    return half_open <= (own != 0 ? own : l->backlog) && (most == 0 || of_all <= most);
}
static bool queue_is_full(const struct ltcp_listener *l)
{
    return !queue_holds(l, l->half_open + 1, l->host->half_open + 1);
}
/* The ACK of a SYN cookie brings one more. */
static bool queue_overflows(const struct ltcp_listener *l)
{
    return !queue_holds(l, l->half_open, l->host->half_open);
}

/* third: RFC9293:3.10.7.2-3. Cookies are for a full queue, or for all by a setting:
 * RFC4987:3.6-8. */
static enum ltcp_status syn_arrives(struct ltcp_listener *l, struct ltcp_arrival *a)
{
    struct ltcp_connection *c;
    const int64_t cookies = authentication_applies(l->host, a) ? 0 : l->share->settings.syn_cookies;
    const bool full = queue_is_full(l);
    if (l->host->engine.memory.used >= l->host->engine.memory.most) {
        l->host->counters.memory_refused++;
        return LTCP_ERR_NO_BUFFERS;
    }
    /* Not for one that replaces TIME-WAIT, where the ACK would find the old connection. */
    if (!a->replaces && l->waiting < l->backlog && (cookies == 2 || (cookies == 1 && full)))
        return syn_cookie_answer(l, a);
    if (full || l->waiting >= l->backlog) {
        l->host->counters.listen_overflows++;
        return LTCP_ERR_NO_BUFFERS; /* the peer tries again */
    }
    const enum ltcp_status status = listener_open_child(l, a, &c);
    if (status == LTCP_OK) connection_want_output(c);
    return status;
}

enum ltcp_status listener_segment_arrives(struct ltcp_listener *l, struct ltcp_arrival *a)
{
    if (a->flags & LTCP_RST) return LTCP_OK; /* first: RFC9293:3.10.7.2-1 */
    if (authentication_required_is_missing(l->host, &l->share->settings, a))
        return LTCP_ERR_AUTHENTICATION;
    if (a->flags & LTCP_ACK) { /* second: RFC9293:3.10.7.2-2 */
        enum ltcp_status status = LTCP_OK;
        a->reset = authentication_applies(l->host, a) || !syn_cookie_returns(l, a, &status);
        return status;
    }
    if (!(a->flags & LTCP_SYN)) return LTCP_OK; /* fourth: RFC9293:3.10.7.2-4 */
    return syn_arrives(l, a);
}

static void one_less_half_open(struct ltcp_listener *l)
{
    l->host->half_open--;
    if (--l->half_open == 0) children_none(l);
}

/* With defer_accept (Linux's TCP_DEFER_ACCEPT) a connection is kept from its user until the peer
 * has spoken, so that who would read first need not wait for each one that is silent. It is
 * ESTABLISHED meanwhile, and counts as one that is half open, so that silent peers are bounded as
 * those are. Data, the peer's FIN or the end of the time show it. */
static bool keeps_back(const struct ltcp_listener *l, struct ltcp_connection *c)
{
    const ltcp_time most = settings_of(c)->defer_accept;
    if (c->unread > 0 || c->state != LTCP_ESTABLISHED || queue_overflows(l)) return false;
    if (c->deferred) return c->long_deadline != LTCP_NEVER;
    if (most == 0) return false;
    c->deferred = true;
    l->host->counters.accepts_deferred++;
    timers_set_long(c, c->last_heard >= LTCP_NEVER - most ? LTCP_NEVER - 1 : c->last_heard + most);
    return true;
}

void listener_child_ready(struct ltcp_connection *c)
{
    struct ltcp_listener *l = c->listener;
    if (c->in_accept_queue) return;
    if (keeps_back(l, c)) return;
    one_less_half_open(l);
    listener_offer_child(l, c);
    if (c->deferred) timers_end_deferral(c);
}

void listener_offer_child(struct ltcp_listener *l, struct ltcp_connection *c)
{
    l->waiting++;
    c->in_accept_queue = true;
    c->next_accept = NULL;
    if (l->accept_first == NULL)
        l->accept_first = c;
    else
        l->accept_last->next_accept = c;
    l->accept_last = c;
    listener_event(l, LTCP_EVENT_ACCEPT);
}

void listener_child_gone(struct ltcp_connection *c)
{
    struct ltcp_listener *l = c->listener;
    one_less_half_open(l);
    c->listener = NULL;
    c->released = true;
}

enum ltcp_status ltcp_accept(struct ltcp_host *host, ltcp_handle listener, ltcp_handle *out)
{
    struct ltcp_listener *l = handle_listener(host, listener);
    *out = 0;
    if (l == NULL) return LTCP_ERR_STALE;
    struct ltcp_connection *c = l->accept_first;
    if (c == NULL) return LTCP_AGAIN;
    l->accept_first = c->next_accept;
    l->waiting--;
    c->in_accept_queue = false;
    c->listener = NULL;
    *out = c->handle;
    if (c->events != 0) connection_event(c, 0);
    if (l->accept_first != NULL) listener_event(l, LTCP_EVENT_ACCEPT);
    return LTCP_OK;
}

static void drop_child(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_listener *l = c->listener;
    if (!c->in_accept_queue) l->host->half_open--;
    c->in_accept_queue = false;
    c->listener = NULL;
    c->released = true;
    connection_forget_event(c);
    user_abort(c, now);
    connection_changed(c);
}

/* CLOSE or ABORT of a passive OPEN: what nobody accepted is reset. RFC9293:3.10.4-2,
 * RFC9293:3.10.5-2 */
void listener_close(struct ltcp_listener *l, ltcp_time now)
{
    struct ltcp_host *host = l->host;
    children_drop(l, now, drop_child);
    listener_remove(host, l);
    handle_destroy(host, l->handle);
    share_unref(&host->engine, l->share);
    host->engine.changes[LTCP_LISTEN] |= 1u << LTCP_CLOSED;
    engine_resize(&host->engine, l, sizeof *l, 0);
}
