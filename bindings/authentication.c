/* bindings/authentication.c - keys of hosts and connections (RFC 5925, RFC 2385), and the digests
 * themselves. */
#include "binding.h"
#include "crypto.h"

#include <string.h>

#define NO_CRYPTO "authentication: this build has no cryptography (Nettle was not found)"

/* nil, message, CODE. */
static int without_crypto(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, NO_CRYPTO);
    lua_pushstring(L, ltcp_status_code(LTCP_ERR_NOT_SUPPORTED));
    return 3;
}

/* ---- options of calls ----------------------------------------------------------------------- */

#define SCOPE_KEYS "peer", "prefix", "port", "local_port", "local_address"

/* The string stays on the stack. */
static const char *read_key(const struct bind_options *o, const char *name, size_t *length)
{
    const char *key = bind_option_string(o, name, length);
    if (key == NULL) bind_option_error(o, name, "a string of 1 to 255 octets is needed");
    if (*length == 0 || *length > LTCP_KEY_MOST)
        bind_option_error(o, name, "1 to 255 octets expected, got %I", (LUAI_UACINT)*length);
    return key;
}

static uint16_t read_port(const struct bind_options *o, const char *name)
{
    return (uint16_t)bind_option_integer(o, name, 0, 1, 65535);
}

/* `prefix` alone is the whole address's length. */
static void read_scope(const struct bind_options *o, struct ltcp_key_scope *scope)
{
    *scope = (struct ltcp_key_scope){.remote_port = read_port(o, "port"),
                                     .local_port = read_port(o, "local_port")};
    if (!bind_option_address(o, "peer", &scope->remote))
        bind_option_error(o, "peer", "an IP address is needed");
    const lua_Integer most = ltcp_address_is_v4(&scope->remote) ? 32 : 128;
    scope->prefix_length = (uint8_t)bind_option_integer(o, "prefix", most, 0, most);
    bind_option_address(o, "local_address", &scope->local);
}

static lua_Integer read_id(const struct bind_options *o, const char *name)
{
    if (!bind_option_present(o, name))
        bind_option_error(o, name, "an integer between 0 and 255 is needed");
    return bind_option_integer(o, name, 0, 0, 255); /* RFC5925:3.1-2 */
}

/* RFC5926:3.1.1.3-3: HMAC-SHA-1-96 where nothing is said; a KDF only belongs to its own MAC. */
static enum ltcp_ao_algorithm read_algorithm(const struct bind_options *o)
{
    const char *mac = bind_option_string(o, "mac", NULL), *kdf;
    enum ltcp_ao_algorithm algorithm = LTCP_AO_HMAC_SHA_1_96;
    while (mac != NULL && strcmp(mac, ltcp_ao_algorithm_name(algorithm)) != 0)
        if (++algorithm == LTCP_AO_ALGORITHM_COUNT)
            bind_option_error(o, "mac", "'%s' is neither HMAC-SHA-1-96 nor AES-128-CMAC-96", mac);
    kdf = bind_option_string(o, "kdf", NULL);
    if (kdf != NULL && strcmp(kdf, ltcp_ao_kdf_name(algorithm)) != 0)
        bind_option_error(o, "kdf", "%s goes with %s, got '%s'", ltcp_ao_kdf_name(algorithm),
                          ltcp_ao_algorithm_name(algorithm), kdf);
    lua_pop(o->L, 2);
    return algorithm;
}

/* ---- keys of a host ------------------------------------------------------------------------- */

int bind_md5_key(lua_State *L)
{
    static const char *const known[] = {SCOPE_KEYS, "key", NULL};
    struct ltcp_host *host = bind_host_of(bind_check_host(L, 1));
    struct bind_options o;
    struct ltcp_md5_key key;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    read_scope(&o, &key.scope);
    key.key = read_key(&o, "key", &key.key_length);
    if (ltcp_crypto() == NULL) return without_crypto(L);
    return bind_result(L, ltcp_host_add_md5_key(host, &key));
}

int bind_remove_md5_key(lua_State *L)
{
    static const char *const known[] = {SCOPE_KEYS, NULL};
    struct ltcp_host *host = bind_host_of(bind_check_host(L, 1));
    struct bind_options o;
    struct ltcp_key_scope scope;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    read_scope(&o, &scope);
    if (ltcp_crypto() == NULL) return without_crypto(L);
    return bind_result(L, ltcp_host_remove_md5_key(host, &scope));
}

int bind_ao_key(lua_State *L)
{
    static const char *const known[] = {SCOPE_KEYS, "send_id", "recv_id",         "key",
                                        "mac",      "kdf",     "include_options", NULL};
    struct ltcp_host *host = bind_host_of(bind_check_host(L, 1));
    struct bind_options o;
    struct ltcp_ao_key key;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    read_scope(&o, &key.scope);
    key.send_id = (uint8_t)read_id(&o, "send_id");
    key.recv_id = (uint8_t)read_id(&o, "recv_id");
    key.algorithm = read_algorithm(&o);
    key.exclude_options = !bind_option_flag(&o, "include_options", true);
    key.key = read_key(&o, "key", &key.key_length);
    if (ltcp_crypto() == NULL) return without_crypto(L);
    return bind_result(L, ltcp_host_add_ao_key(host, &key));
}

int bind_remove_ao_key(lua_State *L)
{
    static const char *const known[] = {SCOPE_KEYS, "send_id", "recv_id", NULL};
    struct ltcp_host *host = bind_host_of(bind_check_host(L, 1));
    struct bind_options o;
    struct ltcp_key_scope scope;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    read_scope(&o, &scope);
    const lua_Integer send_id = read_id(&o, "send_id"), recv_id = read_id(&o, "recv_id");
    if (ltcp_crypto() == NULL) return without_crypto(L);
    return bind_result(L,
                       ltcp_host_remove_ao_key(host, &scope, (uint8_t)send_id, (uint8_t)recv_id));
}

static void push_key(lua_State *L, const struct ltcp_key_scope *scope, const void *key,
                     size_t length)
{
    lua_createtable(L, 0, 11);
    bind_push_address(L, &scope->remote);
    lua_setfield(L, -2, "peer");
    bind_set_number(L, "prefix", scope->prefix_length);
    if (scope->remote_port != 0) bind_set_number(L, "port", scope->remote_port);
    if (scope->local_port != 0) bind_set_number(L, "local_port", scope->local_port);
    if (!ltcp_address_is_unspecified(&scope->local)) {
        bind_push_address(L, &scope->local);
        lua_setfield(L, -2, "local_address");
    }
    lua_pushlstring(L, key, length);
    lua_setfield(L, -2, "key");
}

/* { md5 = { ... }, ao = { ... } }, in the form in which they were given. RFC5925:7.1-3 */
int bind_keys(lua_State *L)
{
    const struct ltcp_host *host = bind_host_of(bind_check_host(L, 1));
    struct ltcp_md5_key md5;
    struct ltcp_ao_key ao;
    lua_createtable(L, 0, 2);
    lua_newtable(L);
    for (size_t i = 0; ltcp_host_md5_key(host, i, &md5); i++) {
        push_key(L, &md5.scope, md5.key, md5.key_length);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "md5");
    lua_newtable(L);
    for (size_t i = 0; ltcp_host_ao_key(host, i, &ao); i++) {
        push_key(L, &ao.scope, ao.key, ao.key_length);
        bind_set_number(L, "send_id", ao.send_id);
        bind_set_number(L, "recv_id", ao.recv_id);
        bind_set_flag(L, "include_options", !ao.exclude_options);
        lua_pushstring(L, ltcp_ao_algorithm_name(ao.algorithm));
        lua_setfield(L, -2, "mac");
        lua_pushstring(L, ltcp_ao_kdf_name(ao.algorithm));
        lua_setfield(L, -2, "kdf");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "ao");
    return 1;
}

/* In the table of counters on top. */
void bind_set_authentication_counters(lua_State *L, const struct ltcp_host *host)
{
    const struct ltcp_authentication_counters *c = ltcp_host_authentication_counters(host);
    lua_createtable(L, 0, 12);
#define NUMBER(name) bind_set_number(L, #name, c->name);
    NUMBER(md5_good)
    NUMBER(md5_bad)
    NUMBER(md5_missing)
    NUMBER(md5_unexpected)
    NUMBER(ao_good)
    NUMBER(ao_bad)
    NUMBER(ao_missing)
    NUMBER(ao_unexpected)
    NUMBER(ao_key_not_found)
    NUMBER(malformed)
    NUMBER(accepted)
    NUMBER(icmp_ignored)
#undef NUMBER
    lua_setfield(L, -2, "authentication");
}

/* ---- one connection ------------------------------------------------------------------------- */

/* In the table of info on top; nothing where a connection is not authenticated. */
void bind_set_authentication(lua_State *L, const struct ltcp_authentication_info *info)
{
    if (info->kind == LTCP_UNAUTHENTICATED) return;
    const bool ao = info->kind == LTCP_AUTHENTICATED_AO;
    lua_createtable(L, 0, 14);
    lua_pushstring(L, ao ? "TCP-AO" : "TCP MD5");
    lua_setfield(L, -2, "kind");
#define NUMBER(name) bind_set_number(L, #name, info->name);
    NUMBER(good)
    NUMBER(bad)
    NUMBER(missing)
    NUMBER(unexpected)
    if (ao) {
        NUMBER(keys)
        NUMBER(snd_sne)
        NUMBER(rcv_sne)
        NUMBER(key_not_found)
        NUMBER(icmp_ignored)
        bind_set_number(L, "current_key", info->current_send_id);
        bind_set_number(L, "rnext_key", info->rnext_recv_id);
        if (info->received) {
            bind_set_number(L, "key_id", info->received_key_id);
            bind_set_number(L, "rnext_key_id", info->received_rnext_key_id);
        }
    }
#undef NUMBER
    lua_setfield(L, -2, "authentication");
}

static struct ltcp_host *host_of(const struct bind_connection *c)
{
    return c->net->nodes[c->node].host;
}

static struct bind_connection *check_connection(lua_State *L)
{
    struct bind_connection *c = luaL_checkudata(L, 1, BIND_CONNECTION);
    bind_check_open(L, c->net);
    return c;
}

/* ao_keys { current_key = SendID, rnext_key = RecvID } */
int bind_connection_ao_keys(lua_State *L)
{
    static const char *const known[] = {"current_key", "rnext_key", NULL};
    const struct bind_connection *c = check_connection(L);
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    const lua_Integer current = bind_option_integer(&o, "current_key", -1, 0, 255);
    const lua_Integer next = bind_option_integer(&o, "rnext_key", -1, 0, 255);
    if (c->released) return bind_failure(L, LTCP_ERR_STALE);
    return bind_result(L, ltcp_set_ao_keys(host_of(c), c->handle, (int)current, (int)next));
}

/* What host:ao_restore takes. */
int bind_connection_ao_save(lua_State *L)
{
    const struct bind_connection *c = check_connection(L);
    struct ltcp_ao_state s;
    if (c->released) return bind_failure(L, LTCP_ERR_STALE);
    const enum ltcp_status status = ltcp_ao_save(host_of(c), c->handle, &s);
    if (status != LTCP_OK) return bind_failure(L, status);
    lua_createtable(L, 0, 12);
    bind_push_address(L, &s.local);
    lua_setfield(L, -2, "local_address");
    bind_push_address(L, &s.remote);
    lua_setfield(L, -2, "remote_address");
    bind_set_number(L, "local_port", s.local_port);
    bind_set_number(L, "remote_port", s.remote_port);
    bind_set_number(L, "iss", s.iss.n);
    bind_set_number(L, "irs", s.irs.n);
    bind_set_number(L, "snd_nxt", s.snd_nxt.n);
    bind_set_number(L, "rcv_nxt", s.rcv_nxt.n);
    bind_set_number(L, "snd_sne", s.snd_sne);
    bind_set_number(L, "rcv_sne", s.rcv_sne);
    bind_set_number(L, "current_key", s.current_send_id);
    bind_set_number(L, "rnext_key", s.rnext_recv_id);
    return 1;
}

static uint32_t read_word(const struct bind_options *o, const char *name)
{
    return (uint32_t)bind_option_integer(o, name, 0, 0, UINT32_MAX);
}

int bind_ao_restore(lua_State *L)
{
    static const char *const known[] = {
        "local_address", "remote_address", "local_port", "remote_port", "iss",
        "irs",           "snd_nxt",        "rcv_nxt",    "snd_sne",     "rcv_sne",
        "current_key",   "rnext_key",      NULL};
    struct ltcp_host *host = bind_host_of(bind_check_host(L, 1));
    struct bind_options o;
    struct ltcp_ao_state s;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    if (!bind_option_address(&o, "local_address", &s.local))
        bind_option_error(&o, "local_address", "an IP address is needed");
    if (!bind_option_address(&o, "remote_address", &s.remote))
        bind_option_error(&o, "remote_address", "an IP address is needed");
    s.local_port = read_port(&o, "local_port");
    s.remote_port = read_port(&o, "remote_port");
    s.iss = ltcp_seq_of(read_word(&o, "iss"));
    s.irs = ltcp_seq_of(read_word(&o, "irs"));
    s.snd_nxt = ltcp_seq_of(read_word(&o, "snd_nxt"));
    s.rcv_nxt = ltcp_seq_of(read_word(&o, "rcv_nxt"));
    s.snd_sne = read_word(&o, "snd_sne");
    s.rcv_sne = read_word(&o, "rcv_sne");
    s.current_send_id = (uint8_t)read_id(&o, "current_key");
    s.rnext_recv_id = (uint8_t)read_id(&o, "rnext_key");
    if (ltcp_crypto() == NULL) return without_crypto(L);
    return bind_result(L, ltcp_ao_restore(host, &s));
}

/* ---- the digests themselves ----------------------------------------------------------------- */

static int crypto_name(lua_State *L)
{
    lua_pushstring(L, ltcp_crypto() != NULL ? ltcp_crypto()->name : NULL);
    return 1;
}

/* The segment of an IP packet's bytes; raises. */
static void read_segment(lua_State *L, int arg, struct ltcp_ip *ip, struct ltcp_covered *out)
{
    size_t length;
    const uint8_t *bytes = (const uint8_t *)luaL_checklstring(L, arg, &length);
    enum ltcp_status status = ltcp_ip_decode_bytes(bytes, length, false, ip);
    if (status != LTCP_OK) luaL_argerror(L, arg, ltcp_status_message(status));
    luaL_argcheck(L, ip->protocol == LTCP_PROTOCOL_TCP, arg, "no TCP segment");
    const size_t start = ip->header_length, end = ip->total_length;
    luaL_argcheck(L, end <= length && end >= start + 20u, arg, "packet is cut short");
    const size_t header = (size_t)(bytes[start + 12] >> 4) * 4;
    luaL_argcheck(L, header >= 20 && header <= end - start, arg, "data offset is wrong");
    *out = (struct ltcp_covered){.source = ip->source,
                                 .destination = ip->destination,
                                 .header = bytes + start,
                                 .header_length = header,
                                 .payload = bytes + start + header,
                                 .length = end - start - header};
}

/* md5_digest(packet, key): the digest of RFC 2385, whatever the packet's option holds. */
static int md5_digest_of(lua_State *L)
{
    struct ltcp_ip ip;
    struct ltcp_covered segment;
    uint8_t digest[LTCP_MD5_DIGEST];
    size_t length;
    read_segment(L, 1, &ip, &segment);
    const char *key = luaL_checklstring(L, 2, &length);
    if (ltcp_crypto() == NULL) return without_crypto(L);
    ltcp_md5_digest(ltcp_crypto(), &segment, key, length, digest);
    lua_pushlstring(L, (const char *)digest, sizeof digest);
    return 1;
}

/* Where TCP-AO begins in a header; 0: nowhere. */
static size_t find_ao(const struct ltcp_covered *s)
{
    size_t cursor = 0;
    struct ltcp_raw_option raw;
    while (ltcp_options_next(s->header + 20, s->header_length - 20, &cursor, &raw)) {
        if (raw.kind == LTCP_OPTION_END) break;
        if (raw.kind == LTCP_OPTION_AO && raw.data_length >= 2)
            return (size_t)(raw.data - 2 - s->header);
    }
    return 0;
}

/* ao_mac(packet, { traffic_key =, mac =, sne =, include_options = }) */
static int ao_mac_of(lua_State *L)
{
    static const char *const known[] = {"traffic_key",     "mac", "kdf", "sne",
                                        "include_options", NULL};
    struct ltcp_ip ip;
    struct ltcp_covered segment;
    struct bind_options o;
    uint8_t mac[LTCP_AO_MAC];
    size_t length = 0;
    read_segment(L, 1, &ip, &segment);
    bind_options_open(&o, L, 2, 2, "", known, 0);
    const enum ltcp_ao_algorithm algorithm = read_algorithm(&o);
    const size_t wanted = algorithm == LTCP_AO_HMAC_SHA_1_96 ? 20 : 16;
    const bool include = bind_option_flag(&o, "include_options", true);
    const uint32_t sne = read_word(&o, "sne");
    const char *key = bind_option_string(&o, "traffic_key", &length);
    if (key == NULL || length != wanted)
        bind_option_error(&o, "traffic_key", "%d octets expected", (int)wanted);
    const size_t option = find_ao(&segment);
    luaL_argcheck(L, option != 0, 1, "no TCP-AO");
    if (ltcp_crypto() == NULL) return without_crypto(L);
    ltcp_ao_mac(ltcp_crypto(), algorithm, &segment, option, (const uint8_t *)key, sne, !include,
                mac);
    lua_pushlstring(L, (const char *)mac, sizeof mac);
    return 1;
}

/* ao_traffic_key { key =, mac =, source =, destination =, source_port =, destination_port =,
 * source_isn =, destination_isn = } */
static int ao_traffic_key_of(lua_State *L)
{
    static const char *const known[] = {"key",
                                        "mac",
                                        "kdf",
                                        "source",
                                        "destination",
                                        "source_port",
                                        "source_isn",
                                        "destination_port",
                                        "destination_isn",
                                        NULL};
    struct bind_options o;
    struct ltcp_ao_context c;
    uint8_t out[LTCP_TRAFFIC_KEY_MOST];
    size_t length;
    bind_options_open(&o, L, 1, 1, "", known, 0);
    const enum ltcp_ao_algorithm algorithm = read_algorithm(&o);
    if (!bind_option_address(&o, "source", &c.source))
        bind_option_error(&o, "source", "an IP address is needed");
    if (!bind_option_address(&o, "destination", &c.destination))
        bind_option_error(&o, "destination", "an IP address is needed");
    c.source_port = read_port(&o, "source_port");
    c.destination_port = read_port(&o, "destination_port");
    c.source_isn = ltcp_seq_of(read_word(&o, "source_isn"));
    c.destination_isn = ltcp_seq_of(read_word(&o, "destination_isn"));
    const char *key = read_key(&o, "key", &length);
    if (ltcp_crypto() == NULL) return without_crypto(L);
    const size_t got = ltcp_ao_traffic_key(ltcp_crypto(), algorithm, key, length, &c, out);
    lua_pushlstring(L, (const char *)out, got);
    return 1;
}

void bind_open_authentication(lua_State *L)
{
    static const luaL_Reg functions[] = {{"crypto", crypto_name},
                                         {"md5_digest", md5_digest_of},
                                         {"ao_mac", ao_mac_of},
                                         {"ao_traffic_key", ao_traffic_key_of},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
