/* bindings/uv_udp_options.c - what loop:udp, loop:tun and tunnel:add_peer take.
 *
 * loop:udp {
 *   link =           of a network, made with tunnel = true
 *   direction = 1    1 or 2: whose packets leave here. The tunnel stands at end 1 or end 2 of the
 *                    link; what comes in goes to the node there
 *   bind =           "127.0.0.1:0", "[::1]:9000": numbers only; port 0: any
 *   peer =           the same for the far socket, which alone is listened to; without it packets
 *                    are dropped and counted until set_peer
 *   peers =          or a list of several, each { peer =, address =, mac = }: where it is, its
 *                    inner address (vxlan asks for it, rawip can learn it), its Ethernet address
 *                    (vxlan asks for that too)
 *   learn = false    with no peer: whoever sends the first valid packet becomes it; or how many
 *                    may become one (with `peers`, beside those)
 *   framing = "plain" | "rawip" | "vxlan" | "cheshire"
 *   checksum = "inner" | "udp"         of `plain`: who answers for the segment
 *   local_address =, remote_address =  of `plain` and `cheshire`: the inner addresses of this end
 *                    and the far one; of several learned ones the first, and the next ones follow
 *   local_addresses =                  of `vxlan`: a list of ours, answered for by ARP and
 *                    neighbour discovery
 *   vni =, mac =     of `vxlan`: the network's number (0 to 16777215), our Ethernet address
 *   batch = "auto" | "gso" | "mmsg" | "plain"
 *   fragments = false  true: a datagram that is longer than the path takes may be cut on its way
 * }
 * loop:tun { link =, direction =, name = "tun%d", batch = "auto" } */
#include "uv_classes.h"

#include <errno.h>
#include <string.h>

/* The value of `key` as one of `words`; `otherwise` when absent. */
static int option_word(const struct bind_options *o, const char *key, const char *const *words,
                       int otherwise)
{
    const char *word = bind_option_string(o, key, NULL);
    int found = word == NULL ? otherwise : -1;
    for (int i = 0; found < 0 && words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0) found = i;
    if (found < 0) {
        luaL_Buffer b;
        luaL_buffinit(o->L, &b);
        for (int i = 0; words[i] != NULL; i++) {
            if (i > 0) luaL_addstring(&b, ", ");
            luaL_addstring(&b, words[i]);
        }
        luaL_pushresult(&b);
        bind_option_error(o, key, "one of %s expected, got '%s'", lua_tostring(o->L, -1), word);
    }
    lua_pop(o->L, 1);
    return found;
}

int bind_no_socket(lua_State *L, const char *key, const char *text)
{
    lua_pushnil(L);
    lua_pushfstring(L, "%s '%s': no ADDRESS:PORT of numbers, as 127.0.0.1:9000 or [::1]:9000", key,
                    text);
    lua_pushliteral(L, "EINVAL");
    return 3;
}

bool bind_parse_peer(const char *text, struct udp_address *out)
{
    return udp_address_parse(text, out) && udp_address_port(out) != 0;
}

/* False: the text is no address, and nil, message, CODE are pushed. */
static bool option_socket(const struct bind_options *o, const char *key, struct udp_address *out)
{
    const char *text = bind_option_string(o, key, NULL);
    bool far = strcmp(key, "peer") == 0; /* of one's own, port 0 is any */
    if (text != NULL && !(far ? bind_parse_peer(text, out) : udp_address_parse(text, out))) {
        bind_no_socket(o->L, key, text);
        return false;
    }
    lua_pop(o->L, 1);
    return true;
}

/* Of the value on top: an IP address as text. */
static void value_address(const struct bind_options *o, const char *key, struct ltcp_address *out)
{
    const char *text = lua_type(o->L, -1) == LUA_TSTRING ? lua_tostring(o->L, -1) : NULL;
    if (text == NULL || ltcp_address_parse(text, out) != LTCP_OK)
        bind_option_error(o, key, "'%s' is not an IP address", luaL_tolstring(o->L, -1, NULL));
}

static bool option_mac(const struct bind_options *o, const char *key, struct ltcp_mac *out)
{
    const char *text = bind_option_string(o, key, NULL);
    if (text != NULL && ltcp_mac_parse(text, out) != LTCP_OK)
        bind_option_error(o, key, "'%s' is not a station's Ethernet address", text);
    lua_pop(o->L, 1);
    return text != NULL;
}

static void read_inner_addresses(const struct bind_options *o, struct ltcp_tunnel_config *config)
{
    bool local = bind_option_address(o, "local_address", &config->local);
    bool remote = bind_option_address(o, "remote_address", &config->remote);
    if (config->framing != LTCP_FRAMING_PLAIN && config->framing != LTCP_FRAMING_CHESHIRE) return;
    const char *framing = config->framing == LTCP_FRAMING_PLAIN ? "plain" : "cheshire";
    if (!local) bind_option_error(o, "local_address", "needed for framing '%s'", framing);
    if (!remote && config->several && config->learn == 0) return; /* each of `peers` says its own */
    if (!remote) bind_option_error(o, "remote_address", "needed for framing '%s'", framing);
    if (ltcp_address_is_v4(&config->local) != ltcp_address_is_v4(&config->remote))
        bind_option_error(o, "remote_address", "of another family than local_address");
}

/* Our addresses on the Ethernet. */
static void read_ethernet(const struct bind_options *o, struct ltcp_tunnel_config *config)
{
    lua_State *L = o->L;
    config->vni = (uint32_t)bind_option_integer(o, "vni", 0, 0, LTCP_VXLAN_VNI_MAX);
    if (!option_mac(o, "mac", &config->mac)) config->mac = ltcp_mac_broadcast();
    if (config->framing != LTCP_FRAMING_VXLAN) return;
    if (bind_option_push(o, "local_addresses") == LUA_TNIL) {
        lua_pop(L, 1);
        if (ltcp_address_is_unspecified(&config->local))
            bind_option_error(o, "local_addresses", "needed for framing 'vxlan'");
        config->locals[config->local_count++] = config->local;
        return;
    }
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_Integer count = luaL_len(L, -1);
    if (count < 1 || count > LTCP_NEIGHBOUR_LOCALS)
        bind_option_error(o, "local_addresses", "1 to %d addresses expected",
                          LTCP_NEIGHBOUR_LOCALS);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, -1, i);
        value_address(o, "local_addresses", &config->locals[config->local_count++]);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void read_learn(const struct bind_options *o, struct ltcp_tunnel_config *config)
{
    lua_State *L = o->L;
    config->several = bind_option_present(o, "peers");
    int type = bind_option_push(o, "learn");
    if (type == LUA_TNUMBER)
        config->learn = (uint32_t)bind_value_integer(o, "learn", 0, 1 << 20);
    else if (type == LUA_TNIL || type == LUA_TBOOLEAN)
        config->learn = lua_toboolean(L, -1) ? 1 : 0;
    else
        bind_option_error(o, "learn", "boolean or integer expected, got %s", lua_typename(L, type));
    lua_pop(L, 1);
    if (config->learn > 1) config->several = true;
}

bool bind_read_peer(lua_State *L, int index, int arg, const char *where, struct bind_peer *out)
{
    static const char *const known[] = {"peer", "address", "mac", NULL};
    struct bind_options o;
    luaL_checktype(L, index, LUA_TTABLE);
    bind_options_open(&o, L, index, arg, where, known, 0);
    memset(out, 0, sizeof *out);
    if (!bind_option_present(&o, "peer")) bind_option_error(&o, "peer", "address expected");
    bind_option_address(&o, "address", &out->inner);
    out->has_mac = option_mac(&o, "mac", &out->mac);
    return option_socket(&o, "peer", &out->outer);
}

/* Calls for each of `peers` of the options at `index`: with `t` to add, without to check. 0, or an
 * errno value; -1: nil, message, CODE are pushed. */
static int each_peer(lua_State *L, int index, struct ltcp_tunnel *t)
{
    int error = 0;
    if (lua_getfield(L, index, "peers") == LUA_TNIL) {
        lua_pop(L, 1);
        return 0;
    }
    luaL_argcheck(L, lua_istable(L, -1), index, "peers: table expected");
    lua_Integer count = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= count && error == 0; i++) {
        struct bind_peer peer;
        lua_geti(L, -1, i);
        luaL_argcheck(L, lua_istable(L, -1), index, "peers: tables expected");
        if (!bind_read_peer(L, lua_gettop(L), index, "peers", &peer)) return -1;
        if (t != NULL)
            error =
                ltcp_tunnel_add_peer(t, &peer.outer, &peer.inner, peer.has_mac ? &peer.mac : NULL);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return error;
}

int bind_add_peers(lua_State *L, int index, struct ltcp_tunnel *t)
{
    return each_peer(L, index, t);
}

/* Leaves the link on the stack. */
static void read_link(const struct bind_options *o, struct ltcp_tunnel_config *config)
{
    lua_State *L = o->L;
    bind_option_push(o, "link");
    if (luaL_testudata(L, -1, BIND_LINK) == NULL)
        bind_option_error(o, "link", "%s expected, got %s", BIND_LINK, luaL_typename(L, -1));
    const struct bind_link *link = bind_check_link(L, lua_absindex(L, -1));
    config->network = link->net->network;
    config->pool = link->net->pool;
    config->tunnels = &link->net->tunnels;
    config->link = link->id;
    config->direction = (unsigned)bind_option_integer(o, "direction", 1, 1, 2) - 1;
    config->impaired = link->net->links[link->id].node[1 - config->direction] == LTCP_NOWHERE;
}

static const char *const batches[] = {"auto", "gso", "mmsg", "plain", NULL};

static bool read_udp(lua_State *L, struct ltcp_tunnel_config *config)
{
    static const char *const known[] = {"link",
                                        "direction",
                                        "bind",
                                        "peer",
                                        "peers",
                                        "learn",
                                        "framing",
                                        "batch",
                                        "checksum",
                                        "local_address",
                                        "remote_address",
                                        "vni",
                                        "local_addresses",
                                        "fragments",
                                        "mac",
                                        NULL};
    static const char *const framings[] = {"plain", "rawip", "vxlan", "cheshire", NULL};
    static const char *const checksums[] = {"inner", "udp", NULL};
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    config->framing = (enum ltcp_framing)option_word(&o, "framing", framings, 0);
    config->checksum = (enum ltcp_inner_checksum)option_word(&o, "checksum", checksums, 0);
    config->batch = (enum udp_batch)option_word(&o, "batch", batches, 0);
    config->fragments = bind_option_flag(&o, "fragments", false);
    read_learn(&o, config);
    read_inner_addresses(&o, config);
    read_ethernet(&o, config);
    if (!bind_option_present(&o, "bind")) bind_option_error(&o, "bind", "address expected");
    if (config->several && bind_option_present(&o, "peer"))
        bind_option_error(&o, "peer", "either one peer, or several");
    if (!option_socket(&o, "bind", &config->bind)) return false;
    if (!option_socket(&o, "peer", &config->peer)) return false;
    if (each_peer(L, 2, NULL) != 0) return false;
    read_link(&o, config);
    return true;
}

static void read_tun(lua_State *L, struct ltcp_tunnel_config *config)
{
    static const char *const known[] = {"link", "direction", "name", "batch", NULL};
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    size_t length = 0;
    const char *name = bind_option_string(&o, "name", &length);
    if (name == NULL) name = "tun%d";
    if (length >= sizeof config->tun_name || strlen(name) < length)
        bind_option_error(&o, "name", "at most %d octets", (int)sizeof config->tun_name - 1);
    strcpy(config->tun_name, name);
    lua_pop(L, 1);
    config->tun = true;
    config->framing = LTCP_FRAMING_RAWIP;
    config->batch = (enum udp_batch)option_word(&o, "batch", batches, 0);
    read_link(&o, config);
}

bool bind_read_tunnel(lua_State *L, bool tun, struct ltcp_tunnel_config *config)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    *config = (struct ltcp_tunnel_config){0};
    if (!tun) return read_udp(L, config);
    read_tun(L, config);
    return true;
}
