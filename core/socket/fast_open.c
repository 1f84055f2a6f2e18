/* core/socket/fast_open.c
 *
 * TCP Fast Open as programs know it (RFC 7413 appendix A, and Linux): MSG_FASTOPEN connects and
 * sends in one call; with TCP_FASTOPEN_CONNECT it is connect that waits for the first write, where
 * the server's cookie is known. */
#include <string.h>

#include "socket/table.h"

enum { CLIENT = 0x1, SEND_ALWAYS = 0x4, ACCEPT_ALWAYS = 0x200 };
enum { FIRST, BEGUN_HERE, BEGAN_BEFORE }; /* stages */
#define SYN_MOST 1460

/* The host's word is looked at anew each time, as the kernel's sysctl is. */
void fast_open_refresh(const struct ltcp_sockets *t, struct socket *s)
{
    int64_t mode = ltcp_host_settings(t->host)->fast_open_mode;
    if (s->options.fast_open_no_cookie) mode |= SEND_ALWAYS | ACCEPT_ALWAYS;
    s->settings.fast_open_mode = mode;
}

bool fast_open_is_on(const struct ltcp_sockets *t)
{
    return (ltcp_host_settings(t->host)->fast_open_mode & CLIENT) != 0;
}

/* Whether connect leaves the SYN to the first write: it will carry data. */
bool fast_open_defers(struct ltcp_sockets *t, struct socket *s, const struct ltcp_sockaddr *to)
{
    static const struct ltcp_address anywhere;
    struct ltcp_fast_open_memory known;
    fast_open_refresh(t, s);
    if (!s->options.fast_open_connect || !(s->settings.fast_open_mode & CLIENT)) return false;
    if (s->settings.fast_open_mode & SEND_ALWAYS) return true;
    const struct ltcp_address *from = s->bound ? &s->local.address : &anywhere;
    return ltcp_fast_open_known(t->host, from, &to->address, &known) && known.cookie_length > 0;
}

/* The first octets of the call's pieces, as one run. */
static size_t gather(const struct ltcp_call *call, uint8_t out[SYN_MOST])
{
    size_t got = 0, left;
    const uint8_t *from;
    while (got < SYN_MOST && (from = call_piece(call, got, &left)) != NULL) {
        if (left > SYN_MOST - got) left = SYN_MOST - got;
        memcpy(out + got, from, left);
        got += left;
    }
    return got;
}

static int64_t begin(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call,
                     struct socket *s, bool waits)
{
    uint8_t bytes[SYN_MOST];
    struct ltcp_info info;
    const struct ltcp_sockaddr to = s->deferred ? s->deferred_to : call->address;
    const size_t length = gather(call, bytes);
    s->deferred = false;
    size_t waiting = 0;
    for (size_t i = 0; waits && i < call->iov_count; i++)
        waiting += call->iov[i].length;
    const int error = socket_connect(t, now, s, &to, bytes, length, waiting);
    if (error < 0) return error;
    socket_look(t, now, s, &info);
    call->progress.moved = info.fast_open_octets;
    call->progress.stage = BEGUN_HERE;
    return 0;
}

/* As connect does, but for what the SYN took of the data. */
int64_t fast_open_send(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call,
                       struct socket *s, bool waits)
{
    struct ltcp_info info;
    if (call->progress.stage == FIRST) {
        const bool flagged = call->op >= LTCP_CALL_SEND && (call->flags & LTCP_MSG_FASTOPEN);
        if (flagged && (!fast_open_is_on(t) ||
                        (call->address.length >= 2 && call->address.family == LTCP_AF_UNSPEC)))
            return -LTCP_EOPNOTSUPP;
        if (s->role == ROLE_CONNECTED || s->role == ROLE_LISTENING) return -LTCP_EISCONN;
        call->progress.stage = BEGAN_BEFORE;
        if (s->role == ROLE_IDLE || s->deferred) {
            if (call_points_nowhere(call)) return -LTCP_EFAULT;
            const int64_t error = begin(t, now, call, s, waits);
            if (error < 0) return error;
        }
    }
    socket_look(t, now, s, &info);
    if (info.state == LTCP_SYN_SENT || info.state == LTCP_SYN_RECEIVED) {
        if (waits && call_wait(call, now, s->options.send_timeout)) return CALL_WAITS;
        if (call->progress.stage == BEGAN_BEFORE) return -LTCP_EALREADY;
        return call->progress.moved > 0 ? (int64_t)call->progress.moved : -LTCP_EINPROGRESS;
    }
    if (info.state == LTCP_CLOSED) {
        const int error = socket_take_error(s);
        return error < 0 ? error : -LTCP_ECONNABORTED;
    }
    s->role = ROLE_CONNECTED;
    return FAST_OPEN_DONE;
}

/* ---- options ------------------------------------------------------------------------------------
 */

static bool is_new(const struct socket *s)
{
    return s->handle == 0 && !s->deferred;
}

static int set_keys(const struct option_call *o, const void *raw, size_t length)
{
    struct socket *s = o->s;
    if (length != sizeof s->fast_open_keys && length != sizeof s->fast_open_keys / 2)
        return -LTCP_EINVAL;
    memcpy(s->fast_open_keys, raw, length);
    s->fast_open_keys_length = (uint32_t)length;
    fast_open_hand_over(o->t, s);
    return 0;
}

/* A listener's own keys go with it. */
void fast_open_hand_over(struct ltcp_sockets *t, const struct socket *s)
{
    if (s->role == ROLE_LISTENING && s->fast_open_keys_length > 0)
        ltcp_fast_open_set_keys(t->host, s->handle, s->fast_open_keys, s->fast_open_keys_length);
}

static int set_connect(const struct option_call *o, int64_t value)
{
    if (value < 0 || value > 1) return -LTCP_EINVAL;
    if (!fast_open_is_on(o->t)) return -LTCP_EOPNOTSUPP;
    if (!is_new(o->s)) return -LTCP_EINVAL;
    o->s->options.fast_open_connect = (int32_t)value;
    return 0;
}

static int set_no_cookie(const struct option_call *o, int64_t value)
{
    if (value < 0 || value > 1) return -LTCP_EINVAL;
    if (!is_new(o->s) && o->s->role != ROLE_LISTENING) return -LTCP_EINVAL;
    o->s->options.fast_open_no_cookie = (int32_t)value;
    fast_open_refresh(o->t, o->s);
    return socket_apply(o->t, o->now, o->s);
}

static int set_queue(const struct option_call *o, int64_t value)
{
    const struct ltcp_setting *setting = ltcp_setting_find("fast_open_queue");
    if (value < 0 || (!is_new(o->s) && o->s->role != ROLE_LISTENING)) return -LTCP_EINVAL;
    o->s->settings.fast_open_queue = value < setting->most ? value : setting->most;
    return socket_apply(o->t, o->now, o->s);
}

int fast_open_set(const struct option_call *o, int64_t value, const void *raw, size_t length)
{
    if (o->name == LTCP_TCP_FASTOPEN_KEY) return set_keys(o, raw, length);
    if (length < sizeof(int)) return -LTCP_EINVAL;
    switch (o->name) {
    case LTCP_TCP_FASTOPEN: return set_queue(o, value);
    case LTCP_TCP_FASTOPEN_CONNECT: return set_connect(o, value);
    case LTCP_TCP_FASTOPEN_NO_COOKIE: return set_no_cookie(o, value);
    default: return -LTCP_ENOPROTOOPT;
    }
}

/* 1: it was given as it is. */
int fast_open_get(const struct option_call *o, int64_t *value, void *raw, size_t *length)
{
    const struct socket *s = o->s;
    uint8_t keys[32];
    switch (o->name) {
    case LTCP_TCP_FASTOPEN: *value = s->settings.fast_open_queue; return 0;
    case LTCP_TCP_FASTOPEN_CONNECT: *value = s->options.fast_open_connect; return 0;
    case LTCP_TCP_FASTOPEN_NO_COOKIE: *value = s->options.fast_open_no_cookie; return 0;
    case LTCP_TCP_FASTOPEN_KEY: {
        size_t size = s->fast_open_keys_length;
        if (size > 0)
            memcpy(keys, s->fast_open_keys, size);
        else
            size = ltcp_fast_open_keys(o->t->host, 0, keys);
        if (*length > size) *length = size;
        memcpy(raw, keys, *length);
        return 1;
    }
    default: return -LTCP_ENOPROTOOPT;
    }
}
