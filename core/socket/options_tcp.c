/* core/socket/options_tcp.c - options of the level SOL_TCP. Most are settings of the connection;
 * their ranges are Linux's. */
#include <string.h>

#include "socket/table.h"

#define LEAST_MSS       88
#define MOST_MSS        32767
#define MOST_KEEPALIVE  32767
#define MOST_COUNT      127
#define MOST_TIMEOUT    86400000 /* milliseconds: what the engine's setting takes */
#define MOST_LINGER2    120
#define RETRANSMISSION  1   /* seconds until the first SYN-ACK is repeated ... */
#define RETRANSMIT_MOST 120 /* ... and between two at the most */
#define LEAST_CLAMP     1152
#define NAME_ROOM       16 /* of a congestion control, with its NUL */

/* ---- set --------------------------------------------------------------------------------------
 */

static int apply(const struct option_call *o)
{
    return socket_apply(o->t, o->now, o->s);
}

static int set_time(const struct option_call *o, ltcp_time *setting, int64_t value, int64_t least,
                    int64_t most, ltcp_time unit)
{
    if (value < least || value > most) return -LTCP_EINVAL;
    *setting = value * unit;
    return apply(o);
}

static int set_count(const struct option_call *o, int64_t *setting, int64_t value)
{
    if (value < 1 || value > MOST_COUNT) return -LTCP_EINVAL;
    *setting = value;
    return apply(o);
}

/* It only says what the next SYN offers; of a connection that is there it is told, not used. */
static int set_mss(const struct option_call *o, int64_t value)
{
    if (value != 0 && (value < LEAST_MSS || value > MOST_MSS)) return -LTCP_EINVAL;
    o->s->options.mss = (int32_t)value;
    if (o->s->handle != 0 && o->s->role != ROLE_LISTENING) return 0;
    o->s->settings.mss = (uint32_t)value;
    return apply(o);
}

static int set_cork(const struct option_call *o, bool on)
{
    const bool opened = o->s->options.cork && !on;
    o->s->options.cork = on;
    if (opened && o->s->handle != 0) ltcp_push(o->t->host, o->now, o->s->handle);
    return 0;
}

/* Switching it on pushes what waits, corked or not. */
static int set_nodelay(const struct option_call *o, bool on)
{
    o->s->settings.nagle = !on;
    const int result = apply(o);
    if (on && o->s->handle != 0) ltcp_push(o->t->host, o->now, o->s->handle);
    return result;
}

static int set_linger2(const struct option_call *o, int64_t value)
{
    struct socket *s = o->s;
    if (value < 0) {
        s->options.linger2 = -1;
        s->settings.fin_wait_2_timeout = 1; /* FIN-WAIT-2 is not waited in */
        return apply(o);
    }
    s->options.linger2 = (int32_t)(value > MOST_LINGER2 ? MOST_LINGER2 : value);
    s->settings.fin_wait_2_timeout = s->options.linger2 > 0
                                         ? s->options.linger2 * LTCP_SECOND
                                         : ltcp_host_settings(o->t->host)->fin_wait_2_timeout;
    return apply(o);
}

/* In the kernel it becomes a number of repetitions of the SYN-ACK, and those the time again. */
static int32_t rounded_deferral(int64_t seconds)
{
    int64_t period = RETRANSMISSION, timeout = RETRANSMISSION;
    if (seconds <= 0) return 0;
    for (int repetitions = 1; seconds > period && repetitions < 255; repetitions++) {
        timeout = 2 * timeout > RETRANSMIT_MOST ? RETRANSMIT_MOST : 2 * timeout;
        period += timeout;
    }
    return (int32_t)period;
}

static int set_clamp(const struct option_call *o, int64_t value)
{
    struct socket *s = o->s;
    if (value == 0 && s->handle != 0) return -LTCP_EINVAL;
    if (value != 0 && value < LEAST_CLAMP) value = LEAST_CLAMP;
    s->options.window_clamp = (int32_t)value;
    if (value > 0 && s->settings.receive_buffer > (uint32_t)value)
        s->settings.receive_buffer = (uint32_t)value;
    if (value > 0 && s->settings.receive_buffer_most > (uint32_t)value)
        s->settings.receive_buffer_most = (uint32_t)value;
    return apply(o);
}

/* Programs know RFC 5681's algorithm by another name. */
#define PROGRAMS_NEWRENO "reno"

static int set_congestion(const struct option_call *o, const char *raw, size_t length)
{
    char name[NAME_ROOM] = {0};
    if (length < 1) return -LTCP_EINVAL;
    for (size_t i = 0; i + 1 < sizeof name && i < length && raw[i] != '\0'; i++)
        name[i] = raw[i];
    const struct ltcp_congestion_ops *ops =
        strcmp(name, PROGRAMS_NEWRENO) == 0 ? &ltcp_newreno : ltcp_congestion_find(name);
    if (ops == NULL) return -LTCP_ENOENT;
    o->s->settings.congestion = ops;
    return apply(o);
}

static int set_quick_ack(const struct option_call *o, int64_t value)
{
    o->s->options.quick_ack = value != 0;
    o->s->settings.delayed_ack = value == 0;
    return apply(o);
}

static int set_flag(int32_t *field, int64_t value)
{
    if (value < 0 || value > 1) return -LTCP_EINVAL;
    *field = (int32_t)value;
    return 0;
}

/* None of its own: the table's, or the host's. More than a gigabyte is no bound. */
#define NOT_SENT_MOST 1073741824u
static int set_not_sent_low(const struct option_call *o)
{
    struct socket *s = o->s;
    const uint32_t inherited =
        o->t->not_sent_low != 0 ? o->t->not_sent_low : ltcp_host_settings(o->t->host)->not_sent_low;
    const uint32_t own = s->options.not_sent_low;
    const uint32_t low = own != 0 ? own : inherited;
    s->not_sent_low = s->settings.not_sent_low = low <= NOT_SENT_MOST ? low : 0;
    return socket_apply(o->t, o->now, s);
}

int option_tcp_set(const struct option_call *o, int64_t value, const void *raw, size_t length)
{
    struct socket *s = o->s;
    struct ltcp_settings *settings = &s->settings;
    if (o->name == LTCP_TCP_CONGESTION) return set_congestion(o, raw, length);
    if (o->name == LTCP_TCP_MD5SIG || o->name == LTCP_TCP_MD5SIG_EXT)
        return signature_set(o, raw, length);
    if (is_ao_option(o->name)) return signature_ao_set(o, raw, length);
    if (o->name == LTCP_TCP_FASTOPEN_KEY) return fast_open_set(o, value, raw, length);
    if (o->name == LTCP_TCP_ULP) return -LTCP_ENOPROTOOPT;
    if (length < sizeof(int)) return -LTCP_EINVAL;
    switch (o->name) {
    case LTCP_TCP_NODELAY: return set_nodelay(o, value != 0);
    case LTCP_TCP_MAXSEG: return set_mss(o, value);
    case LTCP_TCP_CORK: return set_cork(o, value != 0);
    case LTCP_TCP_KEEPIDLE:
        return set_time(o, &settings->keepalive_idle, value, 1, MOST_KEEPALIVE, LTCP_SECOND);
    case LTCP_TCP_KEEPINTVL:
        return set_time(o, &settings->keepalive_interval, value, 1, MOST_KEEPALIVE, LTCP_SECOND);
    case LTCP_TCP_KEEPCNT: return set_count(o, &settings->keepalive_count, value);
    case LTCP_TCP_SYNCNT: return set_count(o, &settings->syn_r2_count, value);
    case LTCP_TCP_LINGER2: return set_linger2(o, value);
    case LTCP_TCP_DEFER_ACCEPT:
        s->options.defer_accept = rounded_deferral(value);
        s->settings.defer_accept = s->options.defer_accept * LTCP_SECOND;
        return apply(o);
    case LTCP_TCP_WINDOW_CLAMP: return set_clamp(o, value);
    case LTCP_TCP_QUICKACK: return set_quick_ack(o, value);
    case LTCP_TCP_USER_TIMEOUT:
        return set_time(o, &settings->user_timeout, value > MOST_TIMEOUT ? MOST_TIMEOUT : value, 0,
                        MOST_TIMEOUT, LTCP_MILLISECOND);
    case LTCP_TCP_NOTSENT_LOWAT:
        s->options.not_sent_low = (uint32_t)value;
        return set_not_sent_low(o);
    case LTCP_TCP_INQ: return set_flag(&s->options.inq, value);
    case LTCP_TCP_THIN_LINEAR_TIMEOUTS: return set_flag(&s->options.thin_linear, value);
    case LTCP_TCP_THIN_DUPACK: return set_flag(&s->options.thin_dupack, value);
    case LTCP_TCP_RTO_MAX_MS:
        return set_time(o, &settings->rto_max, value, 1000, 120000, LTCP_MILLISECOND);
    case LTCP_TCP_RTO_MIN_US:
        return set_time(o, &settings->rto_min, value, 1, 200000, LTCP_MICROSECOND);
    case LTCP_TCP_DELACK_MAX_US:
        return set_time(o, &settings->delayed_ack_timeout, value, 1, 200000, LTCP_MICROSECOND);
    default: return fast_open_set(o, value, raw, length);
    }
}

/* ---- get --------------------------------------------------------------------------------------
 */

static int give(void *raw, size_t *length, const void *value, size_t size)
{
    if (*length > size) *length = size;
    memcpy(raw, value, *length);
    return 1;
}

static int64_t mss_of(const struct option_call *o)
{
    const bool open = o->s->handle != 0 && o->s->role != ROLE_LISTENING && !o->s->died;
    if (!open && o->s->options.mss != 0) return o->s->options.mss;
    return open && o->info->snd_mss != 0 ? o->info->snd_mss : 536;
}

static int give_congestion(const struct option_call *o, void *raw, size_t *length)
{
    char name[NAME_ROOM] = {0};
    const struct ltcp_congestion_ops *ops = o->s->settings.congestion;
    const char *from = ops == &ltcp_newreno ? PROGRAMS_NEWRENO : ops->name;
    for (size_t i = 0; i + 1 < sizeof name && from[i] != '\0'; i++)
        name[i] = from[i];
    return give(raw, length, name, sizeof name);
}

int option_tcp_get(const struct option_call *o, int64_t *value, void *raw, size_t *length)
{
    const struct socket *s = o->s;
    const struct socket_options *p = &s->options;
    const struct ltcp_settings *settings = &s->settings;
    struct ltcp_tcp_info info;
    if (is_ao_option(o->name)) return signature_ao_get(o, raw, length);
    switch (o->name) {
    case LTCP_TCP_NODELAY: *value = !settings->nagle; return 0;
    case LTCP_TCP_MAXSEG: *value = mss_of(o); return 0;
    case LTCP_TCP_CORK: *value = p->cork; return 0;
    case LTCP_TCP_KEEPIDLE: *value = settings->keepalive_idle / LTCP_SECOND; return 0;
    case LTCP_TCP_KEEPINTVL: *value = settings->keepalive_interval / LTCP_SECOND; return 0;
    case LTCP_TCP_KEEPCNT: *value = settings->keepalive_count; return 0;
    case LTCP_TCP_SYNCNT: *value = settings->syn_r2_count; return 0;
    case LTCP_TCP_LINGER2:
        *value = p->linger2 < 0 ? -1 : settings->fin_wait_2_timeout / LTCP_SECOND;
        return 0;
    case LTCP_TCP_DEFER_ACCEPT: *value = p->defer_accept; return 0;
    case LTCP_TCP_WINDOW_CLAMP: *value = p->window_clamp; return 0;
    case LTCP_TCP_QUICKACK: *value = !settings->delayed_ack; return 0;
    case LTCP_TCP_USER_TIMEOUT: *value = settings->user_timeout / LTCP_MILLISECOND; return 0;
    case LTCP_TCP_NOTSENT_LOWAT: *value = p->not_sent_low; return 0;
    case LTCP_TCP_INQ: *value = p->inq; return 0;
    case LTCP_TCP_THIN_LINEAR_TIMEOUTS: *value = p->thin_linear; return 0;
    case LTCP_TCP_THIN_DUPACK: *value = p->thin_dupack; return 0;
    case LTCP_TCP_RTO_MAX_MS: *value = settings->rto_max / LTCP_MILLISECOND; return 0;
    case LTCP_TCP_RTO_MIN_US: *value = settings->rto_min / LTCP_MICROSECOND; return 0;
    case LTCP_TCP_DELACK_MAX_US:
        *value = settings->delayed_ack_timeout / LTCP_MICROSECOND;
        return 0;
    case LTCP_TCP_IS_MPTCP: *value = 0; return 0;
    case LTCP_TCP_CONGESTION: return give_congestion(o, raw, length);
    case LTCP_TCP_CC_INFO: *length = 0; return 1; /* none of the algorithms tells anything */
    case LTCP_TCP_INFO:
        tcp_info_fill(o->t, s, o->now, o->info, &info);
        return give(raw, length, &info, sizeof info);
    default: return fast_open_get(o, value, raw, length);
    }
}
