/* core/socket/options_socket.c - options of the level SOL_SOCKET. */
#include <string.h>

#include "socket/table.h"

/* What Linux lets a program ask for, and the least it gives. */
#define BUFFER_MOST       4194304
#define SEND_BUFFER_LEAST 4608
#define RECEIVE_LEAST     2304

/* Options that are numbers, kept and given back; `flag`: only whether. `only`: those that a reader
 * may set are in this list, the others stand below. */
static int32_t *plain_option(struct socket *s, int name, bool *flag)
{
    struct socket_options *p = &s->options;
    *flag = true;
    switch (name) {
    case LTCP_SO_REUSEADDR: return &p->reuse_address;
    case LTCP_SO_REUSEPORT: return &p->reuse_port;
    case LTCP_SO_BROADCAST: return &p->broadcast;
    case LTCP_SO_DONTROUTE: return &p->dont_route;
    case LTCP_SO_DEBUG: return &p->debug;
    case LTCP_SO_NO_CHECK: return &p->no_check;
    case LTCP_SO_TIMESTAMP: return &p->timestamp;
    case LTCP_SO_RXQ_OVFL: return &p->rxq_ovfl;
    case LTCP_SO_PASSCRED: return &p->pass_cred;
    default: break;
    }
    *flag = false;
    switch (name) {
    case LTCP_SO_PRIORITY: return &p->priority;
    case LTCP_SO_MARK: return &p->mark;
    case LTCP_SO_BUSY_POLL: return &p->busy_poll;
    default: return NULL;
    }
}

/* ---- structs ----------------------------------------------------------------------------------
 */

static int set_linger(struct socket *s, const void *raw, size_t length)
{
    int value[2];
    if (length < sizeof value) return -LTCP_EINVAL;
    memcpy(value, raw, sizeof value);
    s->options.linger_on = value[0] != 0;
    s->options.linger_seconds = value[1] < 0 ? INT32_MAX : value[1];
    return 0;
}

/* struct timeval of this machine: two longs. */
static int read_timeout(const void *raw, size_t length, ltcp_time *out)
{
    long value[2];
    if (length < sizeof value) return -LTCP_EINVAL;
    memcpy(value, raw, sizeof value);
    const int64_t seconds = value[0], most = LTCP_NEVER / LTCP_SECOND / 2;
    if (value[1] < 0 || value[1] >= 1000000) return -LTCP_EDOM;
    if (seconds < 0)
        *out = 0;
    else if ((seconds == 0 && value[1] == 0) || seconds > most)
        *out = LTCP_NEVER;
    else
        *out = seconds * LTCP_SECOND + value[1] * LTCP_MICROSECOND;
    return 0;
}

static int give(void *raw, size_t *length, const void *value, size_t size)
{
    if (*length > size) *length = size;
    memcpy(raw, value, *length);
    return 1;
}

static int give_timeout(void *raw, size_t *length, ltcp_time timeout)
{
    long value[2] = {0, 0};
    if (timeout != LTCP_NEVER) {
        value[0] = (long)(timeout / LTCP_SECOND);
        value[1] = (long)(timeout % LTCP_SECOND / LTCP_MICROSECOND);
    }
    if (*length < sizeof value) return -LTCP_EINVAL;
    return give(raw, length, value, sizeof value);
}

static int give_meminfo(const struct option_call *o, void *raw, size_t *length)
{
    uint32_t value[LTCP_SK_MEMINFO_VARS] = {0};
    const struct ltcp_info *info = o->info;
    value[LTCP_SK_MEMINFO_RMEM_ALLOC] = info->unread + info->out_of_order;
    value[LTCP_SK_MEMINFO_RCVBUF] = o->s->options.receive_buffer != 0
                                        ? (uint32_t)o->s->options.receive_buffer
                                        : o->s->settings.receive_buffer;
    value[LTCP_SK_MEMINFO_WMEM_ALLOC] = info->unacked;
    value[LTCP_SK_MEMINFO_SNDBUF] = socket_send_limit(o->s, info);
    value[LTCP_SK_MEMINFO_WMEM_QUEUED] = info->send_memory;
    return give(raw, length, value, sizeof value);
}

/* ---- set --------------------------------------------------------------------------------------
 */

/* The kernel doubles what is asked for, to have room for its own records. What a program can write
 * before it must wait is the double all the same; what it is sent is bounded by half of it. */
static int set_buffer(const struct option_call *o, int64_t value, bool force)
{
    struct socket *s = o->s;
    const bool sending = o->name == LTCP_SO_SNDBUF || o->name == LTCP_SO_SNDBUFFORCE;
    const int64_t most = force ? INT32_MAX / 2 : BUFFER_MOST;
    const int64_t least = sending ? SEND_BUFFER_LEAST : RECEIVE_LEAST;
    /* A negative number is a large one to SO_SNDBUF, and none to SO_SNDBUFFORCE. */
    if (value < 0) value = force ? 0 : most;
    if (value > most) value = most;
    const int64_t doubled = 2 * value < least ? least : 2 * value;
    if (sending) {
        s->options.send_buffer = (int32_t)doubled;
        s->settings.send_buffer = (uint32_t)doubled;
        s->settings.tune_send_buffer = false; /* the program knows better */
    } else {
        s->options.receive_buffer = (int32_t)doubled;
        s->settings.receive_buffer = (uint32_t)(doubled / 2);
        s->settings.tune_receive_buffer = false;
    }
    return socket_apply(o->t, o->now, s);
}

int option_socket_set(const struct option_call *o, int64_t value, const void *raw, size_t length)
{
    struct socket *s = o->s;
    bool flag;
    int32_t *plain = plain_option(s, o->name, &flag);
    if (plain != NULL) {
        if (o->name == LTCP_SO_BUSY_POLL && value < 0) return -LTCP_EINVAL;
        *plain = flag ? value != 0 : (int32_t)value;
        return 0;
    }
    switch (o->name) {
    case LTCP_SO_SNDBUF:
    case LTCP_SO_RCVBUF: return set_buffer(o, value, false);
    case LTCP_SO_SNDBUFFORCE:
    case LTCP_SO_RCVBUFFORCE: return set_buffer(o, value, true);
    case LTCP_SO_KEEPALIVE:
        s->settings.keepalive = value != 0;
        return socket_apply(o->t, o->now, s);
    case LTCP_SO_OOBINLINE:
        s->settings.urgent_inline = value != 0;
        return socket_apply(o->t, o->now, s);
    case LTCP_SO_LINGER: return set_linger(s, raw, length);
    case LTCP_SO_RCVLOWAT:
        s->options.receive_low = value < 0 ? INT32_MAX : value == 0 ? 1 : (int32_t)value;
        return 0;
    case LTCP_SO_RCVTIMEO: return read_timeout(raw, length, &s->options.receive_timeout);
    case LTCP_SO_SNDTIMEO: return read_timeout(raw, length, &s->options.send_timeout);
    case LTCP_SO_MAX_PACING_RATE:
        s->options.max_pacing = value == -1 ? UINT64_MAX : (uint32_t)value;
        if (length >= sizeof(uint64_t)) memcpy(&s->options.max_pacing, raw, sizeof(uint64_t));
        return 0;
    case LTCP_SO_BINDTODEVICE: return length == 0 || *(const char *)raw == '\0' ? 0 : -LTCP_ENODEV;
    case LTCP_SO_TIMESTAMPING:
    case LTCP_SO_ZEROCOPY: /* what they put on the error queue is not made */
        return value == 0 ? 0 : -LTCP_EOPNOTSUPP;
    default: return -LTCP_ENOPROTOOPT;
    }
}

/* ---- get --------------------------------------------------------------------------------------
 */

int option_socket_get(const struct option_call *o, int64_t *value, void *raw, size_t *length)
{
    struct socket *s = o->s;
    const struct socket_options *p = &s->options;
    bool flag;
    const int32_t *plain = plain_option(s, o->name, &flag);
    if (plain != NULL) {
        *value = *plain;
        return 0;
    }
    switch (o->name) {
    case LTCP_SO_TYPE: *value = LTCP_SOCK_STREAM; return 0;
    case LTCP_SO_DOMAIN: *value = s->domain; return 0;
    case LTCP_SO_PROTOCOL: *value = LTCP_IPPROTO_TCP; return 0;
    case LTCP_SO_ERROR: *value = -socket_take_error(s); return 0;
    case LTCP_SO_ACCEPTCONN: *value = s->role == ROLE_LISTENING; return 0;
    case LTCP_SO_SNDBUF: *value = socket_send_limit(s, o->info); return 0;
    case LTCP_SO_RCVBUF:
        *value = p->receive_buffer != 0 ? p->receive_buffer : (int64_t)s->settings.receive_buffer;
        return 0;
    case LTCP_SO_KEEPALIVE: *value = s->settings.keepalive; return 0;
    case LTCP_SO_OOBINLINE: *value = s->settings.urgent_inline; return 0;
    case LTCP_SO_RCVLOWAT: *value = p->receive_low; return 0;
    case LTCP_SO_SNDLOWAT: *value = 1; return 0;
    case LTCP_SO_TIMESTAMPING:
    case LTCP_SO_ZEROCOPY: *value = 0; return 0;
    case LTCP_SO_LINGER: {
        const int linger[2] = {p->linger_on, p->linger_seconds};
        return give(raw, length, linger, sizeof linger);
    }
    case LTCP_SO_RCVTIMEO: return give_timeout(raw, length, p->receive_timeout);
    case LTCP_SO_SNDTIMEO: return give_timeout(raw, length, p->send_timeout);
    case LTCP_SO_COOKIE:
        if (*length < sizeof s->serial) return -LTCP_EINVAL;
        return give(raw, length, &s->serial, sizeof s->serial);
    case LTCP_SO_MAX_PACING_RATE:
        if (*length >= sizeof p->max_pacing)
            return give(raw, length, &p->max_pacing, sizeof p->max_pacing);
        *value = p->max_pacing > UINT32_MAX ? UINT32_MAX : (int64_t)p->max_pacing;
        return 0;
    case LTCP_SO_MEMINFO: return give_meminfo(o, raw, length);
    default: return -LTCP_ENOPROTOOPT;
    }
}
