/* core/socket/state.c - a socket, and what its connection has become. Nothing is told by the
 * engine: what is new is found by comparing with the time before. */
#include <string.h>

#include "socket/table.h"

struct socket *socket_create(struct ltcp_sockets *t, uint16_t domain)
{
    struct socket *s = table_zeroed(t, sizeof *s);
    if (s == NULL) return NULL;
    s->serial = ++t->serial;
    s->domain = domain;
    s->ao_current = s->ao_rnext = -1;
    s->settings = *ltcp_host_settings(t->host);
    if (t->not_sent_low != 0) s->settings.not_sent_low = t->not_sent_low;
    s->not_sent_low = s->settings.not_sent_low;
    s->options = (struct socket_options){.receive_low = 1,
                                         .receive_timeout = LTCP_NEVER,
                                         .send_timeout = LTCP_NEVER,
                                         .max_pacing = UINT64_MAX,
                                         .tos = (int32_t)(s->settings.dscp << 2),
                                         .ttl = -1,
                                         .hops = -1,
                                         .mtu_discover = LTCP_IP_PMTUDISC_WANT,
                                         .flow_label = 1};
    s->options.traffic_class = s->options.tos;
    if (!s->settings.path_mtu_discovery) s->options.mtu_discover = LTCP_IP_PMTUDISC_DONT;
    s->next = t->sockets;
    if (s->next != NULL) s->next->previous = s;
    t->sockets = s;
    return s;
}

void socket_destroy(struct ltcp_sockets *t, struct socket *s)
{
    socket_unbind(t, s);
    if (s->next != NULL) s->next->previous = s->previous;
    if (s->previous != NULL)
        s->previous->next = s->next;
    else
        t->sockets = s->next;
    table_resize(t, s, sizeof *s, 0);
}

bool state_has_synchronized(enum ltcp_state state)
{
    return state != LTCP_CLOSED && state != LTCP_LISTEN && state != LTCP_SYN_SENT &&
           state != LTCP_SYN_RECEIVED;
}

/* What the program hears of the end. After the peer's FIN a reset is a broken pipe, as nothing is
 * left that could be read. */
static int error_of_death(const struct ltcp_info *info)
{
    if (info->error == LTCP_ERR_RESET && info->fin_received && !info->fin_sent) return LTCP_EPIPE;
    return ltcp_errno_of(info->error);
}

static void look_at_listener(const struct ltcp_sockets *t, struct socket *s)
{
    const uint32_t waiting = socket_waiting(t, s);
    if (waiting > s->seen_waiting) s->wakes.in++;
    s->seen_waiting = waiting;
}

/* Who was told to wait is woken later: when less than half of what may wait unsent does. */
static bool has_enough_room(const struct socket *s, const struct ltcp_info *info)
{
    if (s->not_sent_low != 0 && 2 * (uint64_t)info->unsent >= s->not_sent_low) return false;
    return socket_writable(s, info);
}

void socket_look(struct ltcp_sockets *t, ltcp_time now, struct socket *s, struct ltcp_info *info)
{
    (void)now;
    if (s->handle == 0 || ltcp_info(t->host, s->handle, info) != LTCP_OK) {
        memset(info, 0, sizeof *info);
        info->state = LTCP_CLOSED;
        return;
    }
    if (s->role == ROLE_LISTENING) {
        look_at_listener(t, s);
        return;
    }
    if (info->state == LTCP_CLOSED && !s->died) {
        s->died = true;
        s->shut = SHUT_RECEIVE | SHUT_SEND;
        if (info->error != LTCP_OK) s->error = error_of_death(info);
        s->wakes.all++;
    }
    const bool established = state_has_synchronized(info->state);
    if (established != state_has_synchronized((enum ltcp_state)s->seen_state) ||
        info->fin_received != s->seen_fin)
        s->wakes.all++;
    if (info->fin_received) s->shut |= SHUT_RECEIVE;
    if (info->rcv_nxt.n != s->seen_rcv_nxt && info->unread >= (uint32_t)s->options.receive_low)
        s->wakes.in++;
    if (socket_urgent(s, info) && !s->seen_urgent) s->wakes.in++;
    if (s->no_space && has_enough_room(s, info)) {
        s->no_space = false;
        s->wakes.out++;
    }
    s->seen_state = (uint8_t)info->state;
    s->seen_fin = info->fin_received;
    s->seen_urgent = socket_urgent(s, info);
    s->seen_rcv_nxt = info->rcv_nxt.n;
}

int socket_take_error(struct socket *s)
{
    const int error = s->error;
    s->error = 0;
    return -error;
}

uint32_t socket_send_buffer(const struct socket *s)
{
    return s->options.send_buffer != 0 ? (uint32_t)s->options.send_buffer : s->settings.send_buffer;
}

/* Before there is a connection it is the one that it will begin with. */
uint32_t socket_send_limit(const struct socket *s, const struct ltcp_info *info)
{
    return info->send_buffer != 0 ? info->send_buffer : socket_send_buffer(s);
}

bool socket_has_room(const struct socket *s, const struct ltcp_info *info)
{
    const uint32_t low = s->not_sent_low;
    if (low != 0 && info->unsent >= low) return false;
    return info->send_memory < socket_send_limit(s, info);
}

bool socket_writable(const struct socket *s, const struct ltcp_info *info)
{
    const uint32_t held = info->send_memory, limit = socket_send_limit(s, info);
    return socket_has_room(s, info) && limit - held >= held / 2;
}

bool socket_readable(const struct socket *s, const struct ltcp_info *info, uint32_t target)
{
    return info->unread >= target || (s->shut & SHUT_RECEIVE) != 0;
}

bool socket_urgent(const struct socket *s, const struct ltcp_info *info)
{
    return info->urgent_remaining > 0 && !(s->urgent_taken && s->urgent_at == info->rcv_up.n);
}

int socket_apply(struct ltcp_sockets *t, ltcp_time now, struct socket *s)
{
    if (s->handle == 0 || s->died) return 0;
    const enum ltcp_status status = ltcp_set_settings(t->host, now, s->handle, &s->settings);
    return -ltcp_errno_of(status);
}

void sockaddr_of(struct ltcp_sockaddr *out, uint16_t domain, const struct ltcp_address *address,
                 uint16_t port)
{
    *out = (struct ltcp_sockaddr){.length = domain == LTCP_AF_INET6 ? 28 : 16,
                                  .family = domain,
                                  .port = port,
                                  .address = *address};
}

/* ---- what accept would give -------------------------------------------------------------------
 */

uint32_t socket_waiting(const struct ltcp_sockets *t, const struct socket *s)
{
    struct ltcp_info info;
    return ltcp_info(t->host, s->handle, &info) == LTCP_OK ? info.unread : 0;
}

ltcp_handle socket_take(struct ltcp_sockets *t, struct socket *s)
{
    ltcp_handle handle;
    return ltcp_accept(t->host, s->handle, &handle) == LTCP_OK ? handle : 0;
}
