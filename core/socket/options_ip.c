/* core/socket/options_ip.c - options of the levels SOL_IP and SOL_IPV6. */
#include "socket/table.h"

/* ECN's two bits of the octet are TCP's own business (RFC 3168 section 6.1). */
#define ECN_BITS 3

/* Options that are kept and given back. `most` 0: a flag. */
static int32_t *plain_option(struct socket *s, int level, int name, int *most)
{
    struct socket_options *p = &s->options;
    *most = 0;
    if (level == LTCP_SOL_IP) {
        switch (name) {
        case LTCP_IP_RECVERR: return &p->receive_errors;
        case LTCP_IP_FREEBIND: return &p->free_bind;
        case LTCP_IP_TRANSPARENT: return &p->transparent;
        case LTCP_IP_BIND_ADDRESS_NO_PORT: return &p->bind_no_port;
        case LTCP_IP_RECVTOS: return &p->receive_tos;
        case LTCP_IP_RECVTTL: return &p->receive_ttl;
        case LTCP_IP_MINTTL: *most = 255; return &p->min_ttl;
        default: return NULL;
        }
    }
    switch (name) {
    case LTCP_IPV6_RECVERR: return &p->receive_errors6;
    case LTCP_IPV6_FREEBIND: return &p->free_bind;
    case LTCP_IPV6_RECVTCLASS: return &p->receive_class;
    case LTCP_IPV6_RECVHOPLIMIT: return &p->receive_hops;
    case LTCP_IPV6_AUTOFLOWLABEL: return &p->flow_label;
    case LTCP_IPV6_MINHOPCOUNT: *most = 255; return &p->min_hops;
    default: return NULL;
    }
}

/* What a segment carries is a setting of the engine, one for both families. */
static int set_class(const struct option_call *o, int32_t *field, int64_t value)
{
    if (value < 0 || value > 255) return -LTCP_EINVAL;
    *field = (int32_t)((value & ~(int64_t)ECN_BITS) | (*field & ECN_BITS));
    o->s->settings.dscp = value >> 2;
    return socket_apply(o->t, o->now, o->s);
}

static int set_hops(const struct option_call *o, int32_t *field, int64_t value, int64_t least)
{
    if (value != -1 && (value < least || value > 255)) return -LTCP_EINVAL;
    *field = (int32_t)value;
    o->s->settings.ttl = value > 0 ? value : ltcp_host_settings(o->t->host)->ttl;
    return socket_apply(o->t, o->now, o->s);
}

static int set_discovery(const struct option_call *o, int64_t value)
{
    if (value < LTCP_IP_PMTUDISC_DONT || value > LTCP_IP_PMTUDISC_OMIT) return -LTCP_EINVAL;
    o->s->options.mtu_discover = (int32_t)value;
    o->s->settings.path_mtu_discovery = value == LTCP_IP_PMTUDISC_WANT ||
                                        value == LTCP_IP_PMTUDISC_DO ||
                                        value == LTCP_IP_PMTUDISC_PROBE;
    return socket_apply(o->t, o->now, o->s);
}

/* Off, packets carry none (RFC 6437 section 3). */
static int set_labels(const struct option_call *o, bool automatic)
{
    o->s->options.flow_label = automatic;
    o->s->settings.flow_label = automatic ? -1 : 0;
    return socket_apply(o->t, o->now, o->s);
}

int option_ip_set(const struct option_call *o, int level, int64_t value)
{
    struct socket_options *p = &o->s->options;
    int most;
    int32_t *plain = plain_option(o->s, level, o->name, &most);
    if (plain == &p->flow_label) return set_labels(o, value != 0);
    if (plain != NULL) {
        if (most != 0 && (value < 0 || value > most)) return -LTCP_EINVAL;
        *plain = most != 0 ? (int32_t)value : value != 0;
        return 0;
    }
    if (level == LTCP_SOL_IP) {
        switch (o->name) {
        case LTCP_IP_TOS: return set_class(o, &p->tos, value & 255);
        case LTCP_IP_TTL: return set_hops(o, &p->ttl, value, 1);
        case LTCP_IP_MTU_DISCOVER: return set_discovery(o, value);
        default: return -LTCP_ENOPROTOOPT;
        }
    }
    switch (o->name) {
    case LTCP_IPV6_TCLASS: return set_class(o, &p->traffic_class, value == -1 ? 0 : value);
    case LTCP_IPV6_UNICAST_HOPS: return set_hops(o, &p->hops, value, 0);
    case LTCP_IPV6_MTU_DISCOVER: return set_discovery(o, value);
    case LTCP_IPV6_V6ONLY:
        if (o->s->bound || o->s->role != ROLE_IDLE) return -LTCP_EINVAL;
        p->only_v6 = value != 0;
        return 0;
    default: return -LTCP_ENOPROTOOPT;
    }
}

static int get_mtu(const struct option_call *o, int64_t *value)
{
    if (o->s->handle == 0 || o->s->role == ROLE_LISTENING || o->info->state == LTCP_CLOSED)
        return -LTCP_ENOTCONN;
    *value = o->info->path_mtu;
    return 0;
}

int option_ip_get(const struct option_call *o, int level, int64_t *value)
{
    const struct socket_options *p = &o->s->options;
    int most;
    const int32_t *plain = plain_option(o->s, level, o->name, &most);
    if (plain != NULL) {
        *value = *plain;
        return 0;
    }
    if (level == LTCP_SOL_IP) {
        switch (o->name) {
        case LTCP_IP_TOS: *value = p->tos; return 0;
        case LTCP_IP_TTL: *value = o->s->settings.ttl; return 0;
        case LTCP_IP_MTU_DISCOVER: *value = p->mtu_discover; return 0;
        case LTCP_IP_MTU: return get_mtu(o, value);
        default: return -LTCP_ENOPROTOOPT;
        }
    }
    switch (o->name) {
    case LTCP_IPV6_TCLASS: *value = p->traffic_class; return 0;
    case LTCP_IPV6_UNICAST_HOPS: *value = o->s->settings.ttl; return 0;
    case LTCP_IPV6_MTU_DISCOVER: *value = p->mtu_discover; return 0;
    case LTCP_IPV6_MTU: return get_mtu(o, value);
    case LTCP_IPV6_V6ONLY: *value = p->only_v6; return 0;
    default: return -LTCP_ENOPROTOOPT;
    }
}
