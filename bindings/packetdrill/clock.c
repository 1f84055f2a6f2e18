/* bindings/packetdrill/clock.c - virtual time, and the packets that come and go in it. */
#include "object.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* packetdrill turns on the clock while it waits for a moment that is near: it must move by itself.
 */
#define TICK LTCP_MICROSECOND
/* Beyond this nothing is waited for. */
#define END (BEGINNING + 10 * 24 * 3600 * LTCP_SECOND)

/* ---- calls that go on -------------------------------------------------------------------------
 */

/* The other thread gets to read the clock before it moves. A thread that never does so (none of
 * packetdrill's) is waited for a second. */
static void let_it_stamp(struct object *o)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    while (o->stamps)
        if (pthread_cond_timedwait(&o->changed, &o->lock, &until) == ETIMEDOUT) o->stamps = false;
}

static bool step_waiters(struct object *o)
{
    bool any = false;
    for (struct waiter *w = o->waiters; w != NULL; w = w->next) {
        if (w->woken || !ltcp_call_step(o->sockets, o->now, w->call)) continue;
        w->woken = true;
        any = true;
    }
    if (!any) return false;
    o->stamps = true; /* the thread itself says which one it is, as it leaves its call */
    pthread_cond_broadcast(&o->changed);
    let_it_stamp(o);
    return true;
}

/* ---- packets ----------------------------------------------------------------------------------
 */

static bool transmit(struct object *o)
{
    struct ltcp_packet *packets[64];
    const size_t n = ltcp_host_transmit(o->host, o->now, packets, 64);
    for (size_t i = 0; i < n; i++) {
        packets[i]->time = o->now;
        packets[i]->next = NULL;
        if (o->out_first == NULL)
            o->out_first = packets[i];
        else
            o->out_last->next = packets[i];
        o->out_last = packets[i];
    }
    return n > 0;
}

void clock_pump(struct object *o)
{
    struct ltcp_event event;
    do {
        while (transmit(o))
            continue;
        while (ltcp_host_next_event(o->host, &event))
            continue; /* the socket layer looks for itself */
    } while (step_waiters(o) || ltcp_host_has_output(o->host));
}

/* ---- time -------------------------------------------------------------------------------------
 */

static ltcp_time next_deadline(const struct object *o)
{
    ltcp_time when = ltcp_host_next_deadline(o->host);
    for (const struct waiter *w = o->waiters; w != NULL; w = w->next)
        if (!w->woken && w->call->deadline < when) when = w->call->deadline;
    return when;
}

static void advance(struct object *o, ltcp_time when)
{
    if (when > o->now) o->now = when;
    ltcp_host_advance(o->host, o->now);
    ltcp_sockets_advance(o->sockets, o->now);
    clock_pump(o);
}

void clock_run(struct object *o, ltcp_time when)
{
    ltcp_time next;
    clock_pump(o);
    while ((next = next_deadline(o)) <= when)
        advance(o, next);
    if (when > o->now) o->now = when;
}

bool clock_next(struct object *o)
{
    const ltcp_time next = next_deadline(o);
    if (next == LTCP_NEVER || next > END) return false;
    advance(o, next);
    return true;
}

/* ---- the members ------------------------------------------------------------------------------
 */

int member_gettimeofday(void *userdata, struct timeval *time, struct timezone *zone)
{
    struct object *o = userdata;
    (void)zone;
    pthread_mutex_lock(&o->lock);
    if (o->stamps && pthread_equal(pthread_self(), o->stamping)) {
        o->stamps = false;
        pthread_cond_broadcast(&o->changed);
    } else if (!o->stamps) {
        clock_run(o, o->now + TICK);
    }
    time->tv_sec = (time_t)(o->now / LTCP_SECOND);
    time->tv_usec = (suseconds_t)(o->now % LTCP_SECOND / LTCP_MICROSECOND);
    pthread_mutex_unlock(&o->lock);
    return 0;
}

int member_usleep(void *userdata, useconds_t microseconds)
{
    struct object *o = userdata;
    threads_settle(o);
    pthread_mutex_lock(&o->lock);
    clock_run(o, o->now + (ltcp_time)microseconds * LTCP_MICROSECOND);
    pthread_mutex_unlock(&o->lock);
    return 0;
}

/* Whatever address it is sent to is ours. */
static void adopt_destination(struct object *o, const struct ltcp_packet *packet)
{
    struct ltcp_ip ip;
    if (ltcp_ip_decode(packet, &ip) == LTCP_OK) object_adopt(o, &ip.destination);
}

int member_netdev_send(void *userdata, const void *bytes, size_t count)
{
    struct object *o = userdata;
    int result = -1;
    threads_settle(o);
    pthread_mutex_lock(&o->lock);
    clock_run(o, o->now);
    struct ltcp_packet *packet = ltcp_packet_from_bytes(o->pool, bytes, count);
    if (packet != NULL) {
        packet->time = o->now;
        packet->interface = o->interface_number;
        adopt_destination(o, packet);
        ltcp_host_receive(o->host, o->now, packet);
        ltcp_packet_unref(packet);
        clock_pump(o);
        result = 0;
    }
    pthread_mutex_unlock(&o->lock);
    return result;
}

/* Nothing will ever leave: no packet of no octets, at which packetdrill's script fails at once. */
int member_netdev_receive(void *userdata, void *bytes, size_t *count, long long *microseconds)
{
    struct object *o = userdata;
    threads_settle(o);
    pthread_mutex_lock(&o->lock);
    clock_pump(o);
    while (o->out_first == NULL && clock_next(o))
        continue;
    struct ltcp_packet *packet = o->out_first;
    *microseconds = o->now / LTCP_MICROSECOND;
    if (packet == NULL) {
        *count = 0;
    } else {
        o->out_first = packet->next;
        packet->next = NULL;
        *microseconds = packet->time / LTCP_MICROSECOND;
        *count = ltcp_packet_bytes(packet, bytes, *count);
        ltcp_packet_unref(packet);
    }
    pthread_mutex_unlock(&o->lock);
    return 0;
}
