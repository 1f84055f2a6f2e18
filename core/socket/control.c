/* core/socket/control.c - fcntl, ioctl, and what getsockopt and setsockopt do before they look at
 * the level. */
#include <string.h>

#include "socket/table.h"

int64_t call_fcntl(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    struct file *f = table_file(t, call->fd);
    const uint32_t settable = LTCP_O_NONBLOCK | LTCP_O_APPEND;
    (void)now;
    if (f == NULL) return -LTCP_EBADF;
    switch (call->arg[0]) {
    case LTCP_F_GETFD: return f->close_on_exec ? LTCP_FD_CLOEXEC : 0;
    case LTCP_F_SETFD: f->close_on_exec = (call->arg[1] & LTCP_FD_CLOEXEC) != 0; return 0;
    case LTCP_F_GETFL: return f->status;
    case LTCP_F_SETFL:
        f->status = (f->status & ~settable) | ((uint32_t)call->arg[1] & settable);
        return 0;
    default: return -LTCP_EINVAL;
    }
}

/* ---- ioctl ------------------------------------------------------------------------------------
 */

/* Octets to the urgent mark, or all of them. */
static int readable_octets(const struct socket *s, const struct ltcp_info *info)
{
    if (is_opening(info)) return 0;
    const uint32_t to_mark = info->urgent_remaining;
    if (!s->settings.urgent_inline && to_mark > 0 && to_mark - 1 < info->unread && to_mark > 1)
        return (int)(to_mark - 1);
    return (int)info->unread;
}

static int queued_octets(const struct ltcp_info *info, bool unsent_only)
{
    if (is_opening(info)) return 0;
    const uint32_t fin = info->fin_sent && !info->fin_acked;
    return (int)(info->unsent + (unsent_only ? 0 : info->unacked + fin));
}

static int64_t give(struct ltcp_call *call, int value)
{
    memcpy(call->value, &value, sizeof value);
    return 0;
}

int64_t call_ioctl(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error, value = 0;
    struct ltcp_info info;
    struct file *f = table_file(t, call->fd);
    if (f == NULL) return -LTCP_EBADF;
    if (call->value == NULL || call->length < sizeof value) return -LTCP_EFAULT;
    if (call->arg[0] == LTCP_FIONBIO) {
        memcpy(&value, call->value, sizeof value);
        f->status &= ~(uint32_t)LTCP_O_NONBLOCK;
        if (value != 0) f->status |= LTCP_O_NONBLOCK;
        return 0;
    }
    if (f->kind == FILE_PIPE_READ && call->arg[0] == LTCP_FIONREAD)
        return give(call, (int)((const struct pipe *)f->object)->count);
    struct socket *s = table_socket(t, call->fd, &error);
    if (s == NULL) return -LTCP_ENOTTY;
    const int64_t request = call->arg[0];
    if (request != LTCP_SIOCINQ && request != LTCP_SIOCOUTQ && request != LTCP_SIOCOUTQNSD &&
        request != LTCP_SIOCATMARK)
        return -LTCP_ENOTTY;
    if (s->role == ROLE_LISTENING && request != LTCP_SIOCATMARK) return -LTCP_EINVAL;
    socket_look(t, now, s, &info);
    switch (request) {
    case LTCP_SIOCINQ: return give(call, readable_octets(s, &info));
    case LTCP_SIOCOUTQ: return give(call, queued_octets(&info, false));
    case LTCP_SIOCOUTQNSD: return give(call, queued_octets(&info, true));
    default: return give(call, info.urgent_remaining == 1);
    }
}

/* ---- options ----------------------------------------------------------------------------------
 */

/* The option's argument as a number: an int, or what there is of one where less may be given. */
static bool read_number(const struct ltcp_call *call, int64_t *value)
{
    int whole;
    uint8_t octet;
    *value = 0;
    if (call->length >= sizeof whole) {
        memcpy(&whole, call->value, sizeof whole);
        *value = whole;
        return true;
    }
    if (call->length == 0 || call->value == NULL) return false;
    memcpy(&octet, call->value, 1);
    *value = octet;
    return true;
}

static int64_t set_option(const struct option_call *o, struct ltcp_call *call)
{
    int64_t value;
    const int level = (int)call->arg[0];
    const bool number = read_number(call, &value), whole = call->length >= sizeof(int);
    switch (level) {
    case LTCP_SOL_SOCKET:
        if (!whole && o->name != LTCP_SO_BINDTODEVICE) return -LTCP_EINVAL;
        return option_socket_set(o, value, call->value, call->length);
    case LTCP_SOL_TCP: return option_tcp_set(o, value, call->value, call->length);
    case LTCP_SOL_IP: return number ? option_ip_set(o, level, value) : -LTCP_EINVAL;
    case LTCP_SOL_IPV6:
        if (o->s->domain != LTCP_AF_INET6) return -LTCP_ENOPROTOOPT;
        return whole ? option_ip_set(o, level, value) : -LTCP_EINVAL;
    default: return -LTCP_ENOPROTOOPT;
    }
}

int64_t call_setsockopt(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error;
    struct ltcp_info info;
    struct socket *s = table_socket(t, call->fd, &error);
    if (s == NULL) return error;
    if (call->length > INT32_MAX) return -LTCP_EINVAL;
    if (call->value == NULL && call->length > 0) return -LTCP_EFAULT;
    socket_look(t, now, s, &info);
    const struct option_call o = {t, now, s, &info, (int)call->arg[1]};
    return set_option(&o, call);
}

/* A number is given as an int, cut to the room; IP gives a single octet when there is room for less
 * than an int and the value fits. */
static int64_t give_number(struct ltcp_call *call, int level, int64_t value)
{
    const int whole = (int)(uint32_t)((uint64_t)value & 0xFFFFFFFF);
    const uint8_t octet = (uint8_t)value;
    if (level == LTCP_SOL_IP && call->length > 0 && call->length < sizeof whole && value >= 0 &&
        value <= 255) {
        memcpy(call->value, &octet, 1);
        call->length = 1;
        return 0;
    }
    if (call->length > sizeof whole) call->length = sizeof whole;
    memcpy(call->value, &whole, call->length);
    return 0;
}

int64_t call_getsockopt(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error;
    struct ltcp_info info;
    struct socket *s = table_socket(t, call->fd, &error);
    if (s == NULL) return error;
    if (call->length > INT32_MAX) return -LTCP_EINVAL;
    if (call->value == NULL) return -LTCP_EFAULT;
    socket_look(t, now, s, &info);
    const struct option_call o = {t, now, s, &info, (int)call->arg[1]};
    const int level = (int)call->arg[0];
    const size_t room = call->length;
    int64_t value = 0;
    int result;
    switch (level) {
    case LTCP_SOL_SOCKET: result = option_socket_get(&o, &value, call->value, &call->length); break;
    case LTCP_SOL_TCP: result = option_tcp_get(&o, &value, call->value, &call->length); break;
    case LTCP_SOL_IP: result = option_ip_get(&o, level, &value); break;
    case LTCP_SOL_IPV6:
        result = s->domain == LTCP_AF_INET6 ? option_ip_get(&o, level, &value) : -LTCP_ENOPROTOOPT;
        break;
    default: result = -LTCP_ENOPROTOOPT; break;
    }
    if (result < 0) return result;
    if (result > 0) return 0; /* given already */
    call->length = room;
    return give_number(call, level, value);
}
