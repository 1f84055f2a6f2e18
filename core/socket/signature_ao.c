/* core/socket/signature_ao.c - TCP_AO_ADD_KEY, TCP_AO_DEL_KEY, TCP_AO_INFO and TCP_AO_GET_KEYS:
 * Linux's structures, read octet by octet (bit fields as machines have them that store the low
 * octet first). Keys are the host's, for the local port that the socket is bound to, as those of
 * TCP_MD5SIG are; what is no key of the engine (VRFs, MACs of another length, sockets that take
 * nothing unsigned) is refused. */
#include <string.h>

#include "lunatcp/authentication.h"
#include "socket/table.h"
#include "wire/bytes.h"

enum { ADDRESS = 0, NAME = 128, NAME_ROOM = 64, KEY_MOST = 80 };
/* struct tcp_ao_add */
enum {
    ADD_INTERFACE = 192, /* 32 bits */
    ADD_FLAGS = 196,     /* 32 bits: */
    FLAG_CURRENT = 1,
    FLAG_RNEXT = 2,
    ADD_RESERVED = 200, /* 16 bits */
    ADD_PREFIX = 202,
    ADD_SEND_ID = 203,
    ADD_RECV_ID = 204,
    ADD_MAC = 205,
    ADD_KEY_FLAGS = 206,
    KEY_FLAG_EXCLUDE = 2,
    ADD_KEY_LENGTH = 207,
    ADD_KEY = 208,
    ADD_SIZE = ADD_KEY + KEY_MOST
};
/* struct tcp_ao_del */
enum {
    DEL_INTERFACE = 128,
    DEL_FLAGS = 132,
    FLAG_ASYNC = 4,
    DEL_RESERVED = 136,
    DEL_PREFIX = 138,
    DEL_SEND_ID = 139,
    DEL_RECV_ID = 140,
    DEL_CURRENT = 141,
    DEL_RNEXT = 142,
    DEL_KEY_FLAGS = 143,
    DEL_SIZE = 144
};
/* struct tcp_ao_info_opt */
enum {
    FLAG_REQUIRED = 4,
    FLAG_COUNTERS = 8,
    FLAG_ICMPS = 16,
    INFO_RESERVED = 4,
    INFO_CURRENT = 6,
    INFO_RNEXT = 7,
    INFO_COUNTERS = 8, /* 64 bits each: good, bad, key not found, not signed, ICMP dropped */
    INFO_SIZE = 48
};
/* struct tcp_ao_getsockopt */
enum {
    GET_KEY = 192,
    GET_COUNT = 272, /* 32 bits */
    GET_FLAGS = 276, /* 16 bits */
    FLAG_ALL = 4,
    GET_SEND_ID = 278,
    GET_RECV_ID = 279,
    GET_PREFIX = 280,
    GET_MAC = 281,
    GET_KEY_FLAGS = 282,
    GET_KEY_LENGTH = 283,
    GET_INTERFACE = 284,
    GET_GOOD = 288, /* 64 bits, and so are those that failed */
    GET_SIZE = 304
};

static const char *const names[LTCP_AO_ALGORITHM_COUNT][2] = {
    [LTCP_AO_HMAC_SHA_1_96] = {"hmac(sha1)", "hmac(sha1)"},
    [LTCP_AO_AES_128_CMAC_96] = {"cmac(aes128)", "cmac(aes)"},
};

static int errno_of(enum ltcp_status status)
{
    switch (status) {
    case LTCP_OK: return 0;
    case LTCP_ERR_NOT_SUPPORTED: return -LTCP_ENOPROTOOPT; /* as a kernel without it says */
    case LTCP_ERR_NO_KEY: return -LTCP_ENOENT;
    default: return -ltcp_errno_of(status);
    }
}

/* RFC5925:7.1-1: a connection that began without keys gets none. */
static int may_begin(const struct option_call *o)
{
    const bool closed = o->s->role == ROLE_IDLE || o->s->role == ROLE_LISTENING;
    return closed || o->s->signs ? 0 : -LTCP_EISCONN;
}

static uint16_t port_of(const struct socket *s)
{
    return s->bound || s->role == ROLE_CONNECTED ? s->local.port : 0;
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
    uint8_t any = 0;
    for (size_t i = 0; i < length; i++)
        any |= bytes[i];
    return any == 0;
}

/* The address of a key, which has no bits beyond its prefix and no port, and 0 octets where the
 * prefix is 0. `family`: what it has to be; 0: either. */
static int read_scope(uint16_t family, const uint8_t *raw, uint8_t prefix,
                      struct ltcp_key_scope *out)
{
    const uint16_t own = load_16(raw + ADDRESS);
    if (own != LTCP_AF_INET && own != LTCP_AF_INET6)
        return family != 0 ? -LTCP_EINVAL : -LTCP_EAFNOSUPPORT;
    if (family != 0 && own != family) return -LTCP_EINVAL;
    if (load_be16(raw + 2) != 0) return -LTCP_EINVAL;
    if (own == LTCP_AF_INET)
        out->remote = ltcp_address_v4(raw[4], raw[5], raw[6], raw[7]);
    else
        memcpy(out->remote.bytes, raw + 8, sizeof out->remote.bytes);
    out->prefix_length = prefix;
    const bool v4 = ltcp_address_is_v4(&out->remote);
    const uint8_t *bytes = out->remote.bytes + (v4 ? 12 : 0);
    const size_t length = v4 ? 4 : 16;
    if (prefix > 8 * length || is_zero(bytes, length) != (prefix == 0)) return -LTCP_EINVAL;
    for (size_t bit = prefix; bit < 8 * length; bit++)
        if (bytes[bit / 8] >> (7 - bit % 8) & 1) return -LTCP_EINVAL;
    return 0;
}

static bool same_prefix(const struct ltcp_address *a, const struct ltcp_address *b, uint8_t prefix)
{
    const size_t from = ltcp_address_is_v4(a) ? 96 : 0;
    if (ltcp_address_is_v4(a) != ltcp_address_is_v4(b)) return false;
    for (size_t bit = from; bit < from + prefix; bit++)
        if ((a->bytes[bit / 8] ^ b->bytes[bit / 8]) >> (7 - bit % 8) & 1) return false;
    return true;
}

static bool is_of_socket(const struct socket *s, const struct ltcp_key_scope *scope)
{
    return scope->local_port == 0 || scope->local_port == port_of(s);
}

/* A key for TCP MD5 and one for TCP-AO cannot both be for a peer. */
static bool meets_md5(const struct option_call *o, const struct ltcp_key_scope *scope)
{
    struct ltcp_md5_key other;
    for (size_t i = 0; ltcp_host_md5_key(o->t->host, i, &other); i++) {
        const uint8_t less = other.scope.prefix_length < scope->prefix_length
                                 ? other.scope.prefix_length
                                 : scope->prefix_length;
        if (is_of_socket(o->s, &other.scope) &&
            same_prefix(&other.scope.remote, &scope->remote, less))
            return true;
    }
    return false;
}

/* current_key by SendID and rnext_key by RecvID; -1 leaves one as it is. Before there is a
 * connection they are kept for it. */
static int choose(const struct option_call *o, int current, int rnext)
{
    struct socket *s = o->s;
    struct ltcp_ao_key key;
    bool has_current = current < 0, has_rnext = rnext < 0;
    if (current < 0 && rnext < 0) return 0;
    if (s->handle != 0) return errno_of(ltcp_set_ao_keys(o->t->host, s->handle, current, rnext));
    for (size_t i = 0; ltcp_host_ao_key(o->t->host, i, &key); i++) {
        if (!is_of_socket(s, &key.scope)) continue;
        has_current = has_current || key.send_id == current;
        has_rnext = has_rnext || key.recv_id == rnext;
    }
    if (!has_current || !has_rnext) return -LTCP_ENOENT;
    if (current >= 0) s->ao_current = (int16_t)current;
    if (rnext >= 0) s->ao_rnext = (int16_t)rnext;
    return 0;
}

static int add_key(const struct option_call *o, const uint8_t *raw, size_t length)
{
    struct ltcp_ao_key key = {.scope = {.local_port = port_of(o->s)}};
    if (length < ADD_SIZE || raw[ADD_KEY_LENGTH] > KEY_MOST) return -LTCP_EINVAL;
    const uint32_t flags = load_32(raw + ADD_FLAGS);
    if ((flags & ~(uint32_t)(FLAG_CURRENT | FLAG_RNEXT)) || load_16(raw + ADD_RESERVED) != 0)
        return -LTCP_EINVAL;
    const int scope = read_scope(o->s->domain, raw, raw[ADD_PREFIX], &key.scope);
    if (scope < 0) return scope;
    const uint8_t mac = raw[ADD_MAC];
    if ((raw[ADD_KEY_FLAGS] & ~KEY_FLAG_EXCLUDE) || load_32(raw + ADD_INTERFACE) != 0 ||
        (flags != 0 && o->s->role == ROLE_LISTENING) || (mac != 0 && mac != LTCP_AO_MAC))
        return -LTCP_EINVAL;
    if (meets_md5(o, &key.scope)) return -LTCP_EKEYREJECTED;
    char name[NAME_ROOM + 1] = {0};
    memcpy(name, raw + NAME, NAME_ROOM);
    while (key.algorithm < LTCP_AO_ALGORITHM_COUNT && strcmp(name, names[key.algorithm][0]) != 0 &&
           strcmp(name, names[key.algorithm][1]) != 0)
        key.algorithm++;
    if (key.algorithm == LTCP_AO_ALGORITHM_COUNT) return -LTCP_ENOENT;
    key.send_id = raw[ADD_SEND_ID];
    key.recv_id = raw[ADD_RECV_ID];
    key.exclude_options = (raw[ADD_KEY_FLAGS] & KEY_FLAG_EXCLUDE) != 0;
    key.key = raw + ADD_KEY;
    key.key_length = raw[ADD_KEY_LENGTH];
    const int added = errno_of(ltcp_host_add_ao_key(o->t->host, &key));
    if (added < 0) return added;
    o->s->signs = true;
    return choose(o, flags & FLAG_CURRENT ? key.send_id : -1,
                  flags & FLAG_RNEXT ? key.recv_id : -1);
}

static int del_key(const struct option_call *o, const uint8_t *raw, size_t length)
{
    struct ltcp_key_scope wanted = {.local_port = 0};
    struct ltcp_ao_key key;
    if (length < DEL_SIZE) return -LTCP_EINVAL;
    const uint32_t flags = load_32(raw + DEL_FLAGS);
    const bool listens = o->s->role == ROLE_LISTENING;
    if ((flags & ~(uint32_t)(FLAG_CURRENT | FLAG_RNEXT | FLAG_ASYNC)) ||
        load_16(raw + DEL_RESERVED) != 0 || raw[DEL_KEY_FLAGS] != 0 ||
        load_32(raw + DEL_INTERFACE) != 0 || ((flags & (FLAG_CURRENT | FLAG_RNEXT)) && listens))
        return -LTCP_EINVAL;
    if (!o->s->signs) return -LTCP_ENOENT;
    const int chosen = choose(o, flags & FLAG_CURRENT ? raw[DEL_CURRENT] : -1,
                              flags & FLAG_RNEXT ? raw[DEL_RNEXT] : -1);
    if (chosen < 0) return chosen;
    if ((flags & FLAG_ASYNC) && !listens) return -LTCP_EINVAL;
    const int scope = read_scope(0, raw, raw[DEL_PREFIX], &wanted);
    if (scope < 0) return -LTCP_EINVAL;
    for (size_t i = 0; ltcp_host_ao_key(o->t->host, i, &key); i++)
        if (key.send_id == raw[DEL_SEND_ID] && key.recv_id == raw[DEL_RECV_ID] &&
            key.scope.prefix_length == wanted.prefix_length &&
            ltcp_address_equal(&key.scope.remote, &wanted.remote) && is_of_socket(o->s, &key.scope))
            return errno_of(
                ltcp_host_remove_ao_key(o->t->host, &key.scope, key.send_id, key.recv_id));
    return -LTCP_ENOENT;
}

/* In the order of the structure; of what was counted before set_counters nothing. */
static void counters_of(const struct option_call *o, uint64_t out[SOCKET_AO_COUNTERS])
{
    const struct ltcp_authentication_info *a = &o->info->authentication;
    const bool connection = o->s->handle != 0 && o->s->role != ROLE_LISTENING;
    const uint64_t all[SOCKET_AO_COUNTERS] = {a->good, a->bad, a->key_not_found, a->missing,
                                              a->icmp_ignored};
    for (size_t i = 0; i < SOCKET_AO_COUNTERS; i++)
        out[i] = connection ? all[i] : 0;
}

static int set_info(const struct option_call *o, const uint8_t *raw, size_t length)
{
    struct socket *s = o->s;
    if (length < INFO_SIZE) return -LTCP_EINVAL;
    const uint32_t flags = load_32(raw);
    const uint32_t known = FLAG_CURRENT | FLAG_RNEXT | FLAG_REQUIRED | FLAG_COUNTERS | FLAG_ICMPS;
    if ((flags & (FLAG_CURRENT | FLAG_RNEXT)) && s->role == ROLE_LISTENING) return -LTCP_EINVAL;
    if ((flags & ~known) || load_16(raw + INFO_RESERVED) != 0) return -LTCP_EINVAL;
    const int chosen = choose(o, flags & FLAG_CURRENT ? raw[INFO_CURRENT] : -1,
                              flags & FLAG_RNEXT ? raw[INFO_RNEXT] : -1);
    if (chosen < 0) return chosen;
    if (flags & FLAG_COUNTERS) {
        uint64_t now[SOCKET_AO_COUNTERS];
        counters_of(o, now);
        for (size_t i = 0; i < SOCKET_AO_COUNTERS; i++)
            s->ao_base[i] = load_64(raw + INFO_COUNTERS + 8 * i) - now[i];
    }
    s->signs = true;
    s->settings.ao_required = (flags & FLAG_REQUIRED) != 0;
    s->settings.ao_ignore_icmp = !(flags & FLAG_ICMPS);
    return socket_apply(o->t, o->now, s);
}

int signature_ao_set(const struct option_call *o, const void *raw, size_t length)
{
    if (o->name == LTCP_TCP_AO_REPAIR) return -LTCP_EPERM; /* TCP_REPAIR is not on */
    if (!ltcp_host_has_crypto(o->t->host)) return -LTCP_ENOPROTOOPT;
    const int begins = may_begin(o);
    if (begins < 0) return begins;
    switch (o->name) {
    case LTCP_TCP_AO_ADD_KEY: return add_key(o, raw, length);
    case LTCP_TCP_AO_DEL_KEY: return del_key(o, raw, length);
    default: return set_info(o, raw, length);
    }
}

/* The IDs of current_key and rnext_key; -1: none. */
static void present_keys(const struct option_call *o, int *current, int *rnext)
{
    const struct ltcp_authentication_info *a = &o->info->authentication;
    const bool connection = a->kind == LTCP_AUTHENTICATED_AO && a->keys > 0;
    *current = connection ? a->current_send_id : o->s->ao_current;
    *rnext = connection ? a->rnext_recv_id : o->s->ao_rnext;
}

static int get_info(const struct option_call *o, uint8_t *raw, size_t *length)
{
    uint8_t out[INFO_SIZE] = {0};
    uint64_t counters[SOCKET_AO_COUNTERS];
    int current, rnext;
    present_keys(o, &current, &rnext);
    uint32_t flags = o->s->settings.ao_ignore_icmp ? 0 : FLAG_ICMPS;
    if (o->s->settings.ao_required) flags |= FLAG_REQUIRED;
    if (current >= 0) flags |= FLAG_CURRENT;
    if (rnext >= 0) flags |= FLAG_RNEXT;
    memcpy(out, &flags, sizeof flags);
    out[INFO_CURRENT] = (uint8_t)(current < 0 ? 0 : current);
    out[INFO_RNEXT] = (uint8_t)(rnext < 0 ? 0 : rnext);
    counters_of(o, counters);
    for (size_t i = 0; i < SOCKET_AO_COUNTERS; i++) {
        const uint64_t count = counters[i] + o->s->ao_base[i];
        memcpy(out + INFO_COUNTERS + 8 * i, &count, sizeof count);
    }
    if (*length > INFO_SIZE) *length = INFO_SIZE;
    memcpy(raw, out, *length);
    return 1;
}

static void give_key(const struct ltcp_ao_key *key, int current, int rnext, uint8_t *out)
{
    const bool v4 = ltcp_address_is_v4(&key->scope.remote);
    const uint16_t family = v4 ? LTCP_AF_INET : LTCP_AF_INET6;
    const uint16_t flags = (uint16_t)((key->send_id == current ? FLAG_CURRENT : 0) |
                                      (key->recv_id == rnext ? FLAG_RNEXT : 0));
    const char *name = names[key->algorithm][1];
    memset(out, 0, GET_SIZE);
    memcpy(out, &family, sizeof family);
    memcpy(out + (v4 ? 4 : 8), key->scope.remote.bytes + (v4 ? 12 : 0), v4 ? 4 : 16);
    memcpy(out + NAME, name, strlen(name));
    memcpy(out + GET_KEY, key->key, key->key_length < KEY_MOST ? key->key_length : KEY_MOST);
    memcpy(out + GET_FLAGS, &flags, sizeof flags);
    out[GET_SEND_ID] = key->send_id;
    out[GET_RECV_ID] = key->recv_id;
    out[GET_PREFIX] = key->scope.prefix_length;
    out[GET_MAC] = LTCP_AO_MAC;
    out[GET_KEY_FLAGS] = key->exclude_options ? KEY_FLAG_EXCLUDE : 0;
    out[GET_KEY_LENGTH] = (uint8_t)key->key_length;
}

/* `length` is the room for all of them, so that nothing is written beyond it; the number of keys
 * that match stands in the first. */
static int get_keys(const struct option_call *o, uint8_t *raw, size_t *length)
{
    struct ltcp_key_scope wanted = {.local_port = 0};
    struct ltcp_ao_key key;
    int current, rnext;
    uint8_t in[GET_SIZE];
    uint32_t matched = 0, most;
    if (*length < GET_SIZE) return -LTCP_EINVAL;
    memcpy(in, raw, sizeof in);
    memcpy(&most, in + GET_COUNT, sizeof most);
    const uint16_t flags = load_16(in + GET_FLAGS);
    const bool chosen = (flags & (FLAG_CURRENT | FLAG_RNEXT)) != 0;
    if (!is_zero(in + GET_GOOD, 16) || in[GET_KEY_FLAGS] != 0 || load_32(in + GET_INTERFACE) != 0 ||
        (flags & ~(FLAG_CURRENT | FLAG_RNEXT | FLAG_ALL)) || ((flags & FLAG_ALL) && chosen))
        return -LTCP_EINVAL;
    if (flags == 0) {
        const int scope = read_scope(0, in, in[GET_PREFIX], &wanted);
        if (scope < 0) return scope;
    } else if (load_16(in) != 0 || in[GET_PREFIX] != 0 || in[GET_SEND_ID] != 0 ||
               in[GET_RECV_ID] != 0) {
        return -LTCP_EINVAL;
    }
    if (most > *length / GET_SIZE) most = (uint32_t)(*length / GET_SIZE);
    present_keys(o, &current, &rnext);
    for (size_t i = 0; ltcp_host_ao_key(o->t->host, i, &key); i++) {
        if (!is_of_socket(o->s, &key.scope)) continue;
        const bool named = key.send_id == in[GET_SEND_ID] && key.recv_id == in[GET_RECV_ID] &&
                           key.scope.prefix_length == wanted.prefix_length &&
                           ltcp_address_equal(&key.scope.remote, &wanted.remote);
        if (!(flags & FLAG_ALL) && !((flags & FLAG_CURRENT) && key.send_id == current) &&
            !((flags & FLAG_RNEXT) && key.recv_id == rnext) && !(flags == 0 && named))
            continue;
        if (matched < most) give_key(&key, current, rnext, raw + matched * (size_t)GET_SIZE);
        matched++;
    }
    memcpy(raw + GET_COUNT, &matched, sizeof matched);
    *length = GET_SIZE * (size_t)(matched < most ? matched > 0 ? matched : 1 : most > 0 ? most : 1);
    return 1;
}

int signature_ao_get(const struct option_call *o, void *raw, size_t *length)
{
    if (o->name == LTCP_TCP_AO_REPAIR) return -LTCP_EPERM;
    if (!ltcp_host_has_crypto(o->t->host)) return -LTCP_ENOPROTOOPT;
    if (*length == 0) return -LTCP_EINVAL;
    if (!o->s->signs) return -LTCP_ENOENT;
    return o->name == LTCP_TCP_AO_INFO ? get_info(o, raw, length) : get_keys(o, raw, length);
}

void signature_ao_begin(const struct ltcp_sockets *t, const struct socket *s)
{
    if (s->ao_current >= 0 || s->ao_rnext >= 0)
        ltcp_set_ao_keys(t->host, s->handle, s->ao_current, s->ao_rnext);
}
