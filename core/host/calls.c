/* core/host/calls.c - the user's calls of RFC 9293 section 3.10, by handle. */
#include "host/fast_open.h"

/* ---- OPEN, section 3.10.1
 * -------------------------------------------------------------------------- */

static enum ltcp_status choose_socket(struct ltcp_host *host, const struct ltcp_open *open,
                                      struct ltcp_flow *flow, uint32_t *interface)
{
    /* RFC9293:MUST-46 */
    if (!address_is_peer(host, &open->remote) || open->remote_port == 0) return LTCP_ERR_ADDRESS;
    if (open->source_route_count > LTCP_SOURCE_ROUTE_MOST) return LTCP_ERR_INVALID;
    struct ltcp_address remote = open->remote, local = open->local;
    const uint32_t zone = scope_zone(&remote) != 0 ? scope_zone(&remote) : scope_zone(&local);
    if (zone != 0 && scope_zone(&remote) == 0) scope_set(&remote, zone - 1);
    if (zone != 0 && scope_zone(&local) == 0) scope_set(&local, zone - 1);
    if (!address_give_zone(host, &remote) || !address_give_zone(host, &local))
        return LTCP_ERR_INVALID;
    for (uint8_t i = 0; i < open->source_route_count; i++)
        if (!ltcp_address_is_v4(&open->source_route[i]) || !ltcp_address_is_v4(&open->remote))
            return LTCP_ERR_NOT_SUPPORTED;
    const struct ltcp_address *next =
        open->source_route_count > 0 ? &open->source_route[0] : &remote;
    if (!address_choose(host, next, &flow->local, interface)) return LTCP_ERR_NO_ROUTE;
    if (!ltcp_address_is_unspecified(&open->local)) { /* RFC9293:MUST-43 */
        if (!address_is_local(host, &local)) return LTCP_ERR_ADDRESS_NOT_AVAILABLE;
        flow->local = local;
    }
    flow->remote = remote;
    flow->remote_port = open->remote_port;
    flow->local_port = open->local_port;
    if (open->local_port == 0 &&
        !port_choose(host, &flow->local, &flow->remote, flow->remote_port, &flow->local_port))
        return LTCP_ERR_ADDRESS_NOT_AVAILABLE;
    return LTCP_OK;
}

/* An old connection in TIME-WAIT may make room for a new active OPEN (RFC 6191; RFC 1122,
 * 4.2.2.13): the new ISN lies beyond all that the old one used. */
static bool make_room(struct ltcp_host *host, const struct ltcp_flow *flow, ltcp_time now,
                      ltcp_seq *after, bool *replaced)
{
    struct ltcp_flow *old =
        demultiplexer_find(host, &flow->local, flow->local_port, &flow->remote, flow->remote_port);
    if (old == NULL) return true;
    *replaced = time_wait_makes_room(host, old, now, after);
    return *replaced;
}

/* RFC9293:3.10.1-1; a pair of sockets that is taken: RFC9293:3.10.1-3. */
enum ltcp_status ltcp_connect(struct ltcp_host *host, ltcp_time now, const struct ltcp_open *open,
                              ltcp_handle *out)
{
    struct ltcp_flow flow = {0};
    uint32_t interface = 0;
    ltcp_seq after = {0};
    bool replaced = false;
    *out = 0;
    const struct ltcp_settings *wanted =
        open->settings != NULL ? open->settings : &host->share->settings;
    if (open->fast_open != NULL && !(wanted->fast_open_mode & FAST_OPEN_CLIENT))
        return LTCP_ERR_NOT_SUPPORTED;
    const enum ltcp_status chosen = choose_socket(host, open, &flow, &interface);
    if (chosen != LTCP_OK) return chosen;
    if (authentication_lacks_ao(host, wanted, &flow)) return LTCP_ERR_AUTHENTICATION;
    if (!make_room(host, &flow, now, &after, &replaced)) return LTCP_ERR_CONNECTED;
    struct ltcp_share *own = NULL;
    if (open->settings != NULL && (own = share_create(&host->engine, open->settings)) == NULL)
        return LTCP_ERR_NO_MEMORY;
    struct ltcp_connection *c = host_connection_create(host, own != NULL ? own : host->share);
    share_unref(&host->engine, own);
    if (c == NULL) return LTCP_ERR_NO_MEMORY;
    c->flow = flow;
    source_route_set(c, open->source_route, open->source_route_count);
    host_connection_start(host, c, now, interface,
                          &(struct ltcp_arrival){.replaces = replaced, .beyond = after});
    if (c->out == NULL || !demultiplexer_add(host, &c->flow)) {
        host_connection_destroy(host, c);
        return LTCP_ERR_NO_MEMORY;
    }
    if (open->fast_open != NULL) /* RFC7413:2-1 */
        fast_open_start(c, now, open);
    connection_set_state(c, now, LTCP_SYN_SENT);
    connection_want_output(c);
    *out = c->handle;
    host_settle(host);
    return LTCP_OK;
}

static uint16_t free_listening_port(const struct ltcp_host *host, const struct ltcp_address *local)
{
    for (uint32_t port = 49152; port < 65536; port++)
        if (listener_find(host, local, (uint16_t)port) == NULL) return (uint16_t)port;
    return 0;
}

enum ltcp_status ltcp_listen(struct ltcp_host *host, ltcp_time now, const struct ltcp_open *open,
                             ltcp_handle *out)
{
    (void)now;
    *out = 0;
    struct ltcp_address local = open->local;
    const bool any = ltcp_address_is_unspecified(&local);
    if (!address_give_zone(host, &local)) return LTCP_ERR_INVALID;
    if (!any && !address_is_local(host, &local)) return LTCP_ERR_ADDRESS_NOT_AVAILABLE;
    uint16_t port = open->local_port;
    if (port == 0) port = free_listening_port(host, &local);
    if (port == 0) return LTCP_ERR_ADDRESS_NOT_AVAILABLE;
    if (listener_at(host, &local, port) != NULL)
        return LTCP_ERR_ADDRESS_IN_USE; /* RFC9293:3.10.1-2 */
    struct ltcp_listener *l = engine_zeroed(&host->engine, sizeof *l);
    if (l == NULL) return LTCP_ERR_NO_MEMORY;
    l->host = host;
    l->local = local;
    l->local_port = port;
    l->backlog = open->backlog != 0 ? open->backlog : 128;
    l->share = open->settings != NULL ? share_create(&host->engine, open->settings)
                                      : share_ref(host->share);
    l->handle = l->share != NULL ? handle_create(host, l, LTCP_SLOT_LISTENER) : 0;
    if (l->handle == 0 || !listener_add(host, l)) {
        handle_destroy(host, l->handle);
        share_unref(&host->engine, l->share);
        engine_resize(&host->engine, l, sizeof *l, 0);
        return LTCP_ERR_NO_MEMORY;
    }
    host->engine.changes[LTCP_CLOSED] |= 1u << LTCP_LISTEN;
    *out = l->handle;
    return LTCP_OK;
}

/* ---- SEND, RECEIVE, CLOSE, ABORT
 * --------------------------------------------------------------------- */

enum ltcp_status ltcp_write(struct ltcp_host *host, ltcp_time now, ltcp_handle handle,
                            const void *bytes, size_t length, unsigned flags, size_t *taken)
{
    struct ltcp_connection *c = handle_connection(host, handle);
    *taken = 0;
    return c == NULL ? LTCP_ERR_STALE : user_write(c, now, bytes, length, flags, taken);
}

enum ltcp_status ltcp_push(struct ltcp_host *host, ltcp_time now, ltcp_handle handle)
{
    struct ltcp_connection *c = handle_connection(host, handle);
    (void)now;
    return c == NULL ? LTCP_ERR_STALE : user_push(c);
}

enum ltcp_status ltcp_read(struct ltcp_host *host, ltcp_time now, ltcp_handle handle, void *out,
                           size_t room, unsigned flags, size_t *got)
{
    struct ltcp_connection *c = handle_connection(host, handle);
    *got = 0;
    return c == NULL ? LTCP_ERR_STALE : user_read(c, now, out, room, flags, got);
}

enum ltcp_status ltcp_shutdown(struct ltcp_host *host, ltcp_time now, ltcp_handle handle)
{
    struct ltcp_connection *c = handle_connection(host, handle);
    if (c == NULL) return LTCP_ERR_STALE;
    const enum ltcp_status status = user_shutdown(c, now);
    host_settle(host);
    return status;
}

enum ltcp_status ltcp_close(struct ltcp_host *host, ltcp_time now, ltcp_handle handle)
{
    struct ltcp_listener *l = handle_listener(host, handle);
    struct ltcp_connection *c = handle_connection(host, handle);
    enum ltcp_status status = LTCP_ERR_STALE;
    if (c != NULL) status = user_close(c, now);
    if (l != NULL) {
        listener_close(l, now);
        status = LTCP_OK;
    }
    host_settle(host);
    return status;
}

enum ltcp_status ltcp_abort(struct ltcp_host *host, ltcp_time now, ltcp_handle handle)
{
    struct ltcp_connection *c = handle_connection(host, handle);
    if (c == NULL)
        return handle_listener(host, handle) ? ltcp_close(host, now, handle) : LTCP_ERR_STALE;
    const enum ltcp_status status = user_abort(c, now);
    host_settle(host);
    return status;
}

enum ltcp_status ltcp_flush(struct ltcp_host *host, ltcp_handle handle, size_t *dropped)
{
    struct ltcp_connection *c = handle_connection(host, handle);
    *dropped = 0;
    if (c == NULL) return LTCP_ERR_STALE;
    if (c->state == LTCP_CLOSED)
        return c->error != LTCP_OK ? (enum ltcp_status)c->error : LTCP_ERR_NOT_CONNECTED;
    *dropped = user_flush(c);
    host_settle(host);
    return LTCP_OK;
}

enum ltcp_status ltcp_release(struct ltcp_host *host, ltcp_handle handle)
{
    struct ltcp_connection *c = handle_connection(host, handle);
    if (c == NULL) return LTCP_ERR_STALE;
    c->released = true;
    connection_forget_event(c);
    connection_changed(c);
    host_settle(host);
    return LTCP_OK;
}

/* ---- STATUS and settings
 * ------------------------------------------------------------------------------- */

static void listener_info(const struct ltcp_listener *l, struct ltcp_info *out)
{
    *out = (struct ltcp_info){.state = LTCP_LISTEN,
                              .local = l->local,
                              .local_port = l->local_port,
                              .passive = true,
                              .unread = l->waiting,
                              .congestion = l->share->settings.congestion->name,
                              .retransmission_deadline = LTCP_NEVER,
                              .persist_deadline = LTCP_NEVER,
                              .delayed_ack_deadline = LTCP_NEVER,
                              .keepalive_deadline = LTCP_NEVER,
                              .time_wait_deadline = LTCP_NEVER};
}

enum ltcp_status ltcp_info(const struct ltcp_host *host, ltcp_handle handle, struct ltcp_info *out)
{
    const struct ltcp_listener *l = handle_listener(host, handle);
    const struct ltcp_connection *c = handle_connection(host, handle);
    if (l != NULL)
        listener_info(l, out);
    else if (c != NULL)
        connection_info(c, out);
    return l != NULL || c != NULL ? LTCP_OK : LTCP_ERR_STALE;
}

enum ltcp_status ltcp_outstanding(const struct ltcp_host *host, ltcp_time now, ltcp_handle handle,
                                  struct ltcp_outstanding *out)
{
    const struct ltcp_connection *c = handle_connection(host, handle);
    if (c == NULL) return LTCP_ERR_STALE;
    connection_outstanding(c, now, out);
    return LTCP_OK;
}

enum ltcp_status ltcp_settings_of(const struct ltcp_host *host, ltcp_handle handle,
                                  struct ltcp_settings *out)
{
    const struct ltcp_listener *l = handle_listener(host, handle);
    const struct ltcp_connection *c = handle_connection(host, handle);
    if (l == NULL && c == NULL) return LTCP_ERR_STALE;
    *out = l != NULL ? l->share->settings : c->share->settings;
    return LTCP_OK;
}

enum ltcp_status ltcp_set_settings(struct ltcp_host *host, ltcp_time now, ltcp_handle handle,
                                   const struct ltcp_settings *settings)
{
    struct ltcp_listener *l = handle_listener(host, handle);
    struct ltcp_connection *c = handle_connection(host, handle);
    if (c != NULL) return user_set_settings(c, now, settings);
    if (l == NULL) return LTCP_ERR_STALE;
    struct ltcp_share *share = share_create(&host->engine, settings);
    if (share == NULL) return LTCP_ERR_NO_MEMORY;
    share_unref(&host->engine, l->share);
    l->share = share;
    return LTCP_OK;
}
