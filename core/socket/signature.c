/* core/socket/signature.c - TCP_MD5SIG and TCP_MD5SIG_EXT: struct tcp_md5sig of Linux, read octet
 * by octet. The key is the host's, for the local port that the socket is bound to, and stays after
 * it: what a listener has accepted goes on under it. */
#include <string.h>

#include "lunatcp/authentication.h"
#include "socket/table.h"
#include "wire/bytes.h"

enum {
    ADDRESS = 0,  /* struct sockaddr_storage */
    FLAGS = 128,  /* of TCP_MD5SIG_EXT */
    PREFIX = 129, /* the same */
    LENGTH = 130, /* 16 bits, of the machine */
    KEY = 136,
    KEY_MOST = 80,
    SIZE = KEY + KEY_MOST,
    FLAG_PREFIX = 1
};

/* False: not of the socket's family. */
static bool read_address(const struct socket *s, const uint8_t *raw, struct ltcp_address *out)
{
    const uint16_t family = load_16(raw + ADDRESS);
    if (family != s->domain) return false;
    if (family == LTCP_AF_INET)
        *out = ltcp_address_v4(raw[4], raw[5], raw[6], raw[7]);
    else
        memcpy(out->bytes, raw + 8, sizeof out->bytes);
    return true;
}

int signature_set(const struct option_call *o, const void *value, size_t length)
{
    const uint8_t *raw = value;
    struct ltcp_md5_key key = {.scope = {.local_port = o->s->bound ? o->s->local.port : 0}};
    if (length < SIZE) return -LTCP_EINVAL;
    if (!read_address(o->s, raw, &key.scope.remote)) return -LTCP_EINVAL;
    const uint8_t whole = ltcp_address_is_v4(&key.scope.remote) ? 32 : 128;
    key.scope.prefix_length = whole;
    if (o->name == LTCP_TCP_MD5SIG_EXT) {
        if (raw[FLAGS] & ~FLAG_PREFIX) return -LTCP_EINVAL; /* no interfaces by number */
        if (raw[FLAGS] & FLAG_PREFIX) key.scope.prefix_length = raw[PREFIX];
        if (key.scope.prefix_length > whole) return -LTCP_EINVAL;
    }
    key.key = raw + KEY;
    key.key_length = load_16(raw + LENGTH);
    if (key.key_length > KEY_MOST) return -LTCP_EINVAL;
    const enum ltcp_status status = key.key_length == 0
                                        ? ltcp_host_remove_md5_key(o->t->host, &key.scope)
                                        : ltcp_host_add_md5_key(o->t->host, &key);
    switch (status) {
    case LTCP_OK: return 0;
    case LTCP_ERR_NOT_SUPPORTED: return -LTCP_ENOPROTOOPT; /* as a kernel without it says */
    case LTCP_ERR_NO_KEY: return -LTCP_ENOENT;
    default: return -ltcp_errno_of(status);
    }
}
