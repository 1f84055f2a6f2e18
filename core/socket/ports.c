/* core/socket/ports.c
 *
 * Which local ports are taken: by sockets that are bound, and by connections whose sockets were
 * closed and that are not over (orphans). Both stand in buckets by port. */
#include "socket/table.h"

#define FIRST_PORT 32768
#define LAST_PORT  60999

static uint32_t bucket_of(uint16_t port)
{
    return port % PORT_BUCKETS;
}

/* ---- sockets that are bound ---------------------------------------------------------------------
 */

void socket_bind(struct ltcp_sockets *t, struct socket *s)
{
    struct socket **bucket = &t->bound[bucket_of(s->local.port)];
    s->bound = true;
    s->next_here = *bucket;
    *bucket = s;
}

void socket_unbind(struct ltcp_sockets *t, struct socket *s)
{
    if (!s->bound) return;
    struct socket **at = &t->bound[bucket_of(s->local.port)];
    while (*at != s)
        at = &(*at)->next_here;
    *at = s->next_here;
    s->bound = false;
}

static bool overlap(const struct ltcp_address *a, const struct ltcp_address *b)
{
    return ltcp_address_is_unspecified(a) || ltcp_address_is_unspecified(b) ||
           ltcp_address_equal(a, b);
}

/* One is for IPv6 alone, the other for IPv4. */
static bool apart(const struct socket *a, const struct socket *b)
{
    return a->domain != b->domain && (a->options.only_v6 || b->options.only_v6);
}

/* SO_REUSEADDR on both lets the new one share a port on which the other one does not listen;
 * SO_REUSEPORT on both always. */
static bool may_share(const struct socket *s, const struct socket *other)
{
    if (s->options.reuse_port && other->options.reuse_port) return true;
    return s->options.reuse_address && other->options.reuse_address &&
           other->role != ROLE_LISTENING;
}

/* ---- orphans ------------------------------------------------------------------------------------
 */

/* Whether it is over; then nobody needs it any more. */
static bool is_over(const struct ltcp_sockets *t, const struct orphan *o)
{
    struct ltcp_info info;
    if (ltcp_info(t->host, o->handle, &info) != LTCP_OK) return true;
    if (info.state != LTCP_CLOSED) return false;
    ltcp_release(t->host, o->handle);
    return true;
}

static struct orphan *take_first(struct ltcp_sockets *t)
{
    struct orphan *o = t->orphan_first;
    if (o == NULL) return NULL;
    t->orphan_first = o->next;
    if (o->next == NULL) t->orphan_last = NULL;
    return o;
}

static void put_last(struct ltcp_sockets *t, struct orphan *o)
{
    o->next = NULL;
    if (t->orphan_last != NULL)
        t->orphan_last->next = o;
    else
        t->orphan_first = o;
    t->orphan_last = o;
}

static void forget(struct ltcp_sockets *t, struct orphan *o)
{
    if (o->previous_here != NULL)
        o->previous_here->next_here = o->next_here;
    else
        t->closed[bucket_of(o->port)] = o->next_here;
    if (o->next_here != NULL) o->next_here->previous_here = o->previous_here;
    table_resize(t, o, sizeof *o, 0);
}

void table_sweep(struct ltcp_sockets *t)
{
    for (int kept = 0; kept < 2;) {
        struct orphan *o = take_first(t);
        if (o == NULL) return;
        if (is_over(t, o)) {
            forget(t, o);
        } else {
            put_last(t, o);
            kept++;
        }
    }
}

void table_orphan(struct ltcp_sockets *t, const struct socket *s)
{
    struct ltcp_info info;
    table_sweep(t);
    if (ltcp_info(t->host, s->handle, &info) != LTCP_OK) return;
    struct orphan *o = info.state != LTCP_CLOSED ? table_zeroed(t, sizeof *o) : NULL;
    if (o == NULL) {
        ltcp_release(t->host, s->handle);
        return;
    }
    struct orphan **bucket = &t->closed[bucket_of(info.local_port)];
    o->handle = s->handle;
    o->local = info.local;
    o->port = info.local_port;
    o->reuse = s->options.reuse_address != 0;
    o->next_here = *bucket;
    if (o->next_here != NULL) o->next_here->previous_here = o;
    *bucket = o;
    put_last(t, o);
}

void orphans_release(struct ltcp_sockets *t)
{
    struct orphan *o;
    while ((o = take_first(t)) != NULL) {
        ltcp_release(t->host, o->handle);
        forget(t, o);
    }
}

/* ---- what is free -------------------------------------------------------------------------------
 */

bool socket_may_bind(const struct ltcp_sockets *t, const struct socket *s,
                     const struct ltcp_address *address, uint16_t port)
{
    for (const struct socket *o = t->bound[bucket_of(port)]; o != NULL; o = o->next_here)
        if (o != s && o->local.port == port && !apart(s, o) &&
            overlap(&o->local.address, address) && !may_share(s, o))
            return false;
    for (const struct orphan *o = t->closed[bucket_of(port)]; o != NULL; o = o->next_here)
        if (o->port == port && overlap(&o->local, address) &&
            !(s->options.reuse_address && o->reuse) && !is_over(t, o))
            return false;
    return true;
}

bool socket_has_rival(const struct ltcp_sockets *t, const struct socket *s)
{
    for (const struct socket *o = t->bound[bucket_of(s->local.port)]; o != NULL; o = o->next_here)
        if (o != s && o->role == ROLE_LISTENING && o->local.port == s->local.port && !apart(s, o) &&
            overlap(&o->local.address, &s->local.address))
            return true;
    return false;
}

uint16_t socket_choose_port(struct ltcp_sockets *t, const struct socket *s,
                            const struct ltcp_address *address)
{
    for (int tries = FIRST_PORT; tries <= LAST_PORT; tries++) {
        const uint16_t port = t->next_port;
        t->next_port = (uint16_t)(port == LAST_PORT ? FIRST_PORT : port + 1);
        if (socket_may_bind(t, s, address, port)) return port;
    }
    return 0;
}
