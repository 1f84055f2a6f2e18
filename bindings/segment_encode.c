/* bindings/segment_encode.c - a table becomes an IP packet, well-formed or forged. */
#include "binding.h"

#include <string.h>

#define MOST_OPTIONS 40

/* ---- options one by one, as they stand ------------------------------------------------------ */

struct writer {
    const struct bind_options *o; /* of the packet, for messages */
    uint8_t bytes[MOST_OPTIONS];
    size_t length;
};

static void put(struct writer *w, const void *bytes, size_t length)
{
    if (length > MOST_OPTIONS - w->length)
        bind_option_error(w->o, "options", "they do not fit %d octets", MOST_OPTIONS);
    memcpy(w->bytes + w->length, bytes, length);
    w->length += length;
}

static void put_number(uint8_t *out, uint64_t value, int octets)
{
    for (int i = octets - 1; i >= 0; i--, value >>= 8)
        out[i] = (uint8_t)value;
}

static uint32_t read_u32(const struct bind_options *o, const char *key)
{
    return (uint32_t)bind_option_integer(o, key, 0, 0, UINT32_MAX);
}

/* An array of {left =, right =} (or {left, right}) is on top. Gives how many. */
static int read_blocks(const struct bind_options *o, const char *key,
                       struct ltcp_sack_block *blocks)
{
    static const char *const known[] = {"left", "right", NULL};
    lua_State *L = o->L;
    if (!lua_istable(L, -1))
        bind_option_error(o, key, "array of blocks expected, got %s", luaL_typename(L, -1));
    lua_Integer n = luaL_len(L, -1);
    if (n < 1 || n > 4) bind_option_error(o, key, "1 to 4 blocks expected");
    for (lua_Integer i = 0; i < n; i++) {
        struct bind_options b;
        uint32_t edge[2];
        lua_geti(L, -1, i + 1);
        bind_options_open(&b, L, -1, o->arg, "block", known, 2);
        for (int j = 0; j < 2; j++) {
            if (bind_option_push(&b, known[j]) == LUA_TNIL) {
                lua_pop(L, 1);
                bind_option_push_index(&b, j + 1);
            }
            edge[j] = (uint32_t)bind_value_integer(&b, known[j], 0, UINT32_MAX);
            lua_pop(L, 1);
        }
        blocks[i] = (struct ltcp_sack_block){ltcp_seq_of(edge[0]), ltcp_seq_of(edge[1])};
        lua_pop(L, 1);
    }
    return (int)n;
}

/* The option's data from its values; -1: it has none that are known, take `data`. */
static int item_values(const struct bind_options *item, int kind, uint8_t *out)
{
    lua_State *L = item->L;
    bool has_value = bind_option_present(item, "value");
    switch (kind) {
    case LTCP_OPTION_MSS:
    case LTCP_OPTION_USER_TIMEOUT:
        if (!has_value) return -1;
        put_number(out, (uint64_t)bind_option_integer(item, "value", 0, 0, 65535), 2);
        return 2;
    case LTCP_OPTION_WINDOW_SCALE:
        if (!has_value) return -1;
        out[0] = (uint8_t)bind_option_integer(item, "value", 0, 0, 255);
        return 1;
    case LTCP_OPTION_TIMESTAMPS:
        if (!has_value) return -1;
        put_number(out, read_u32(item, "value"), 4);
        put_number(out + 4, read_u32(item, "echo"), 4);
        return 8;
    case LTCP_OPTION_SACK: {
        struct ltcp_sack_block blocks[4];
        int n = 0;
        if (bind_option_push(item, "blocks") != LUA_TNIL) n = read_blocks(item, "blocks", blocks);
        lua_pop(L, 1);
        for (int i = 0; i < n; i++) {
            put_number(out + 8 * i, blocks[i].left.n, 4);
            put_number(out + 8 * i + 4, blocks[i].right.n, 4);
        }
        return n > 0 ? 8 * n : -1;
    }
    default:
        if (has_value) bind_option_error(item, "value", "this kind has no value but its data");
        return -1;
    }
}

static int item_kind(const struct bind_options *item)
{
    int kind = -1;
    if (bind_option_present(item, "kind")) return (int)bind_option_integer(item, "kind", 0, 0, 255);
    const char *name = bind_option_string(item, "name", NULL);
    if (name == NULL)
        bind_option_error(item, "kind", "kind or name expected");
    else
        kind = bind_option_kind(name);
    if (kind < 0) bind_option_error(item, "name", "unknown option '%s'", name);
    lua_pop(item->L, 1);
    return kind;
}

/* The item, a table, is on top. */
static void put_item(struct writer *w)
{
    static const char *const known[] = {"kind", "name",   "value",  "echo",
                                        "data", "blocks", "length", NULL};
    struct bind_options item;
    lua_State *L = w->o->L;
    bind_options_open(&item, L, -1, w->o->arg, "option", known, 0);
    uint8_t kind = (uint8_t)item_kind(&item);
    bool forged = bind_option_present(&item, "length");
    if ((kind == LTCP_OPTION_END || kind == LTCP_OPTION_NOP) && !forged) {
        put(w, &kind, 1);
        return;
    }
    uint8_t values[MOST_OPTIONS];
    const void *data = values;
    size_t length = 0;
    int n = item_values(&item, kind, values);
    if (n >= 0) {
        length = (size_t)n;
    } else {
        const char *text = bind_option_string(&item, "data", &length);
        if (text != NULL) data = text; /* it stays on the stack until the caller pops the item */
    }
    if (length > MOST_OPTIONS - 2)
        bind_option_error(&item, "data", "at most %d octets", MOST_OPTIONS - 2);
    uint8_t total = (uint8_t)bind_option_integer(&item, "length", (lua_Integer)length + 2, 0, 255);
    put(w, &kind, 1);
    put(w, &total, 1);
    put(w, data, length);
}

/* The array is on top. */
static void put_array(struct writer *w, lua_Integer n)
{
    lua_State *L = w->o->L;
    int top = lua_gettop(L);
    for (lua_Integer i = 1; i <= n; i++) {
        int type = lua_geti(L, top, i);
        if (type == LUA_TTABLE) {
            put_item(w);
        } else {
            int kind = -1;
            if (type == LUA_TSTRING)
                kind = bind_option_kind(lua_tostring(L, -1));
            else if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 0 &&
                     lua_tointeger(L, -1) <= 255)
                kind = (int)lua_tointeger(L, -1);
            if (kind < 0)
                bind_option_error(w->o, "options", "unknown option '%s'",
                                  luaL_tolstring(L, -1, NULL));
            uint8_t bytes[2] = {(uint8_t)kind, 2};
            put(w, bytes, kind <= LTCP_OPTION_NOP ? 1 : 2);
        }
        lua_settop(L, top);
    }
}

/* ---- options by name ------------------------------------------------------------------------ */

static const char *const named[] = {"mss",
                                    "window_scale",
                                    "sack_permitted",
                                    "sack",
                                    "timestamps",
                                    "user_timeout",
                                    "md5",
                                    "ao",
                                    "fast_open",
                                    "accecn",
                                    "malformed",
                                    "fast_open_experimental",
                                    "repeated",
                                    NULL};

static const uint8_t *read_octets(const struct bind_options *o, const char *key, size_t least,
                                  size_t most, uint8_t *length)
{
    size_t n = 0;
    const char *text = bind_option_string(o, key, &n);
    if (text == NULL) {
        lua_pop(o->L, 1);
        return NULL;
    }
    if (n < least || n > most)
        bind_option_error(o, key, "%d to %d octets expected", (int)least, (int)most);
    *length = (uint8_t)n;
    return (const uint8_t *)text; /* still on the stack */
}

static void read_timestamps(const struct bind_options *o, struct ltcp_options *out)
{
    static const char *const known[] = {"value", "echo", NULL};
    struct bind_options t;
    if (bind_option_push(o, "timestamps") != LUA_TNIL) {
        bind_options_open(&t, o->L, -1, o->arg, "options.timestamps", known, 0);
        out->ts_value = read_u32(&t, "value");
        out->ts_echo = read_u32(&t, "echo");
        out->present |= LTCP_HAS_TIMESTAMPS;
    }
    lua_pop(o->L, 1);
}

static void read_accecn(const struct bind_options *o, struct ltcp_options *out)
{
    static const char *const known[] = {"kind", NULL};
    struct bind_options a;
    if (bind_option_push(o, "accecn") != LUA_TNIL) {
        bind_options_open(&a, o->L, -1, o->arg, "options.accecn", known, 3);
        out->accecn_kind = (uint8_t)bind_option_integer(&a, "kind", LTCP_OPTION_ACCECN0, 0, 255);
        if (out->accecn_kind != LTCP_OPTION_ACCECN0 && out->accecn_kind != LTCP_OPTION_ACCECN1)
            bind_option_error(&a, "kind", "172 or 174 expected");
        lua_Integer n = luaL_len(o->L, -1);
        for (int i = 0; i < n && i < 3; i++) {
            bind_option_push_index(&a, i + 1);
            out->accecn[i] = (uint32_t)bind_value_integer(&a, "counter", 0, 0xFFFFFF);
            out->accecn_count++;
            lua_pop(o->L, 1);
        }
        out->present |= LTCP_HAS_ACCECN;
    }
    lua_pop(o->L, 1);
}

/* Octets that `out` points to stay on the stack. */
static void read_named(const struct bind_options *o, struct ltcp_options *out)
{
    uint8_t ignored = 0;
    if (bind_option_present(o, "mss")) {
        out->mss = (uint16_t)bind_option_integer(o, "mss", 0, 0, 65535);
        out->present |= LTCP_HAS_MSS;
    }
    if (bind_option_present(o, "window_scale")) {
        out->window_scale = (uint8_t)bind_option_integer(o, "window_scale", 0, 0, 255);
        out->present |= LTCP_HAS_WINDOW_SCALE;
    }
    if (bind_option_present(o, "user_timeout")) {
        out->user_timeout = (uint16_t)bind_option_integer(o, "user_timeout", 0, 0, 65535);
        out->present |= LTCP_HAS_USER_TIMEOUT;
    }
    if (bind_option_flag(o, "sack_permitted", false)) out->present |= LTCP_HAS_SACK_PERMITTED;
    if (bind_option_push(o, "sack") != LUA_TNIL) {
        out->sack_count = (uint8_t)read_blocks(o, "sack", out->sack);
        out->present |= LTCP_HAS_SACK;
    }
    lua_pop(o->L, 1);
    read_timestamps(o, out);
    read_accecn(o, out);
    if ((out->md5 = read_octets(o, "md5", 16, 16, &ignored)) != NULL) out->present |= LTCP_HAS_MD5;
    if ((out->ao = read_octets(o, "ao", 2, 38, &out->ao_length)) != NULL)
        out->present |= LTCP_HAS_AO;
    if ((out->fast_open = read_octets(o, "fast_open", 0, 38, &out->fast_open_length)) != NULL)
        out->present |= LTCP_HAS_FAST_OPEN;
    out->fast_open_experimental = bind_option_flag(o, "fast_open_experimental", false);
}

static void put_named(struct writer *w, const struct bind_options *o)
{
    struct ltcp_options want, got;
    memset(&want, 0, sizeof want);
    memset(&got, 0, sizeof got);
    luaL_checkstack(o->L, 10, NULL);
    read_named(o, &want);
    const uint8_t order[] = {
        LTCP_OPTION_MSS,        LTCP_OPTION_SACK_PERMITTED,
        LTCP_OPTION_TIMESTAMPS, LTCP_OPTION_WINDOW_SCALE,
        LTCP_OPTION_SACK,       LTCP_OPTION_USER_TIMEOUT,
        LTCP_OPTION_FAST_OPEN,  LTCP_OPTION_MD5,
        LTCP_OPTION_AO,         want.accecn_kind != 0 ? want.accecn_kind : LTCP_OPTION_ACCECN0};
    w->length = ltcp_options_encode(&want, order, sizeof order, w->bytes);
    /* The encoder leaves out what has no room; a script is told. */
    if (w->length > 0) ltcp_options_decode(w->bytes, w->length, &got);
    if (got.present != want.present || got.sack_count != want.sack_count)
        bind_option_error(w->o, "options", "they do not fit %d octets", MOST_OPTIONS);
}

static void read_options(struct writer *w)
{
    const struct bind_options *o = w->o;
    lua_State *L = o->L;
    size_t n = 0;
    switch (bind_option_push(o, "options")) {
    case LUA_TNIL: break;
    case LUA_TSTRING: {
        const char *bytes = lua_tolstring(L, -1, &n);
        put(w, bytes, n);
        break;
    }
    case LUA_TTABLE: {
        struct bind_options by_name;
        lua_Integer count = luaL_len(L, -1);
        bind_options_open(&by_name, L, -1, o->arg, "options", named, count);
        if (count > 0)
            put_array(w, count);
        else
            put_named(w, &by_name);
        break;
    }
    default:
        bind_option_error(o, "options", "table or bytes expected, got %s", luaL_typename(L, -1));
    }
    while (w->length % 4 != 0) /* RFC9293:MUST-69 */
        w->bytes[w->length++] = LTCP_OPTION_END;
}

/* ---- the packet ----------------------------------------------------------------------------- */

/* What is passed over comes out of decode and follows from the rest. */
static const char *const known[] = {
    "source", "destination", "source_port", "destination_port", "seq", "ack", "flags", "window",
    "urgent", "options", "payload", "ttl", "dscp", "ecn", "ip_id", "flow_label", "dont_fragment",
    "more_fragments", "fragment_offset", "ip_options", "reserved", "checksum", "ip_checksum",
    "header_length", "total_length", "icmp", "protocol",
    /* passed over */
    "version", "final_destination", "flag_letters", "ip_header_length", "ip_checksum_ok",
    "checksum_ok", "length", "segment_length", "time", "first", "notes", "link", "direction",
    "packet_id", NULL};

static void read_ip(const struct bind_options *o, struct ltcp_ip *ip)
{
    memset(ip, 0, sizeof *ip);
    if (!bind_option_address(o, "source", &ip->source))
        bind_option_error(o, "source", "address expected, got nil");
    if (!bind_option_address(o, "destination", &ip->destination))
        bind_option_error(o, "destination", "address expected, got nil");
    bool v4 = ltcp_address_is_v4(&ip->source);
    if (v4 != ltcp_address_is_v4(&ip->destination))
        bind_option_error(o, "destination", "of another family than source");
    ip->version = v4 ? 4 : 6;
    ip->protocol = LTCP_PROTOCOL_TCP;
    ip->ttl = (uint8_t)bind_option_integer(o, "ttl", 64, 0, 255);
    ip->dscp = (uint8_t)bind_option_integer(o, "dscp", 0, 0, 63);
    ip->ecn = (uint8_t)bind_option_integer(o, "ecn", 0, 0, 3);
    ip->identification = (uint16_t)bind_option_integer(o, "ip_id", 0, 0, 65535);
    ip->flow_label = (uint32_t)bind_option_integer(o, "flow_label", 0, 0, 0xFFFFF);
    ip->dont_fragment = bind_option_flag(o, "dont_fragment", true);
    ip->more_fragments = bind_option_flag(o, "more_fragments", false);
    lua_Integer offset = bind_option_integer(o, "fragment_offset", 0, 0, 65528);
    if (offset % 8 != 0) bind_option_error(o, "fragment_offset", "multiple of 8 expected");
    ip->fragment_offset = (uint16_t)offset;
    size_t n = 0;
    const char *options = bind_option_string(o, "ip_options", &n);
    if (n > 0 && !v4) bind_option_error(o, "ip_options", "not with IPv6");
    if (n > 40) bind_option_error(o, "ip_options", "at most 40 octets");
    ip->options = (const uint8_t *)options; /* still on the stack */
    ip->options_length = (uint16_t)n;
}

static void read_tcp(const struct bind_options *o, struct ltcp_segment *tcp)
{
    memset(tcp, 0, sizeof *tcp);
    tcp->source_port = (uint16_t)bind_option_integer(o, "source_port", 0, 0, 65535);
    tcp->destination_port = (uint16_t)bind_option_integer(o, "destination_port", 0, 0, 65535);
    tcp->seq = ltcp_seq_of(read_u32(o, "seq"));
    tcp->ack = ltcp_seq_of(read_u32(o, "ack"));
    tcp->window = (uint16_t)bind_option_integer(o, "window", 65535, 0, 65535);
    tcp->urgent_pointer = (uint16_t)bind_option_integer(o, "urgent", 0, 0, 65535);
    tcp->reserved = (uint8_t)bind_option_integer(o, "reserved", 0, 0, 7);
    if (bind_option_push(o, "flags") != LUA_TNIL) {
        int flags = bind_to_flags(o->L, -1, NULL);
        if (flags < 0)
            bind_option_error(o, "flags", "letters of FSRPAUEWN expected, got %s",
                              luaL_tolstring(o->L, -1, NULL));
        tcp->flags = (uint16_t)flags;
    }
    lua_pop(o->L, 1);
}

/* What decode said to be right is worked out anew; what it said to be wrong stays wrong. */
static bool is_forged(const struct bind_options *o, const char *key, const char *right)
{
    return bind_option_present(o, key) && !bind_option_flag(o, right, false);
}

static void store_16(uint8_t *out, lua_Integer value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static void store_sum(uint8_t *out, uint32_t sum)
{
    uint16_t checksum = ltcp_sum_finish(sum);
    memcpy(out, &checksum, 2);
}

/* Puts in what the script wants otherwise than it should be. */
static void forge(const struct bind_options *o, const struct ltcp_ip *ip,
                  struct ltcp_packet *packet, size_t start)
{
    uint8_t *head = packet->head, *tcp = head + start;
    bool decoded = bind_option_present(o, "segment_length");
    if (!decoded && bind_option_present(o, "total_length")) {
        lua_Integer total = bind_option_integer(o, "total_length", 0, 0, 65535);
        if (ip->version == 6 && total < 40)
            bind_option_error(o, "total_length", "at least 40 with IPv6");
        store_16(ip->version == 4 ? head + 2 : head + 4, ip->version == 4 ? total : total - 40);
    }
    if (!decoded && bind_option_present(o, "header_length")) {
        lua_Integer offset = bind_option_integer(o, "header_length", 0, 0, 60);
        if (offset % 4 != 0) bind_option_error(o, "header_length", "multiple of 4 expected");
        tcp[12] = (uint8_t)(offset / 4 << 4 | (tcp[12] & 15));
    }
    size_t tcp_head = packet->head_length - start; /* even: a multiple of 4 */
    memset(tcp + 16, 0, 2);
    const struct ltcp_address to = ltcp_ip_final_destination(ip);
    uint32_t sum =
        ltcp_pseudo_sum(&ip->source, &to, LTCP_PROTOCOL_TCP, tcp_head + packet->payload_length);
    sum = ltcp_sum(sum, tcp, tcp_head);
    if (packet->payload_length > 0) sum = ltcp_sum(sum, packet->payload, packet->payload_length);
    store_sum(tcp + 16, sum);
    if (is_forged(o, "checksum", "checksum_ok"))
        store_16(tcp + 16, bind_option_integer(o, "checksum", 0, 0, 65535));
    if (ip->version != 4) return;
    memset(head + 10, 0, 2);
    store_sum(head + 10, ltcp_sum(0, head, start));
    if (is_forged(o, "ip_checksum", "ip_checksum_ok"))
        store_16(head + 10, bind_option_integer(o, "ip_checksum", 0, 0, 65535));
}

static int push_bytes(lua_State *L, const struct ltcp_packet *packet)
{
    luaL_Buffer b;
    luaL_buffinitsize(L, &b, ltcp_packet_length(packet));
    luaL_addlstring(&b, (const char *)packet->head, packet->head_length);
    if (packet->payload_length > 0)
        luaL_addlstring(&b, (const char *)packet->payload, packet->payload_length);
    luaL_pushresult(&b);
    return 1;
}

/* ---- ICMP, which a peer may want to send ---------------------------------------------------- */

static void *resize_by_lua(void *context, void *old, size_t old_size, size_t size)
{
    void *data;
    lua_Alloc allocate = lua_getallocf(context, &data);
    return allocate(data, old, old == NULL ? 0 : old_size, size);
}

static void read_icmp(const struct bind_options *o, struct ltcp_icmp *icmp)
{
    static const char *const keys[] = {"kind",    "type",     "code",  "mtu", "pointer",
                                       "echo_id", "echo_seq", "quote", NULL};
    struct bind_options i;
    bind_options_open(&i, o->L, -1, o->arg, "icmp", keys, 0);
    memset(icmp, 0, sizeof *icmp);
    icmp->kind = LTCP_ICMP_OTHER;
    const char *kind = bind_option_string(&i, "kind", NULL);
    if (kind != NULL) {
        int found = 0;
        while (found < LTCP_ICMP_OTHER &&
               strcmp(ltcp_icmp_name((enum ltcp_icmp_kind)found), kind) != 0)
            found++;
        icmp->kind = (enum ltcp_icmp_kind)found;
        if (icmp->kind == LTCP_ICMP_OTHER && strcmp(kind, ltcp_icmp_name(LTCP_ICMP_OTHER)) != 0)
            bind_option_error(&i, "kind", "unknown kind '%s', such as 'too big'", kind);
    } else if (!bind_option_present(&i, "type")) {
        bind_option_error(&i, "kind", "kind, or type and code expected");
    }
    icmp->type = (uint8_t)bind_option_integer(&i, "type", 0, 0, 255);
    icmp->code = (uint8_t)bind_option_integer(&i, "code", 0, 0, 255);
    icmp->mtu = read_u32(&i, "mtu");
    icmp->pointer = read_u32(&i, "pointer");
    icmp->echo_id = (uint16_t)bind_option_integer(&i, "echo_id", 0, 0, 65535);
    icmp->echo_seq = (uint16_t)bind_option_integer(&i, "echo_seq", 0, 0, 65535);
    icmp->quote = (const uint8_t *)bind_option_string(&i, "quote", &icmp->quote_length);
    if (icmp->quote == NULL) icmp->quote = (const uint8_t *)"";
}

/* The icmp table is on top. */
static int encode_icmp(const struct bind_options *o)
{
    lua_State *L = o->L;
    struct ltcp_ip ip;
    struct ltcp_icmp icmp;
    uint8_t bytes[2048];
    size_t length = 0;
    read_icmp(o, &icmp);
    read_ip(o, &ip);
    ip.protocol = ip.version == 4 ? LTCP_PROTOCOL_ICMP : LTCP_PROTOCOL_ICMPV6;
    /* No Lua between making the pool and freeing it. */
    const struct ltcp_allocator allocator = {resize_by_lua, L};
    struct ltcp_pool *pool = ltcp_pool_create(&allocator);
    if (pool != NULL) {
        struct ltcp_packet *packet = ltcp_icmp_encode(pool, &ip, &icmp);
        if (packet != NULL) length = ltcp_packet_bytes(packet, bytes, sizeof bytes);
        ltcp_packet_unref(packet);
        ltcp_pool_destroy(pool);
    }
    if (length == 0) return luaL_error(L, "not enough memory");
    lua_pushlstring(L, (const char *)bytes, length);
    return 1;
}

int bind_encode(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_checkstack(L, 40, NULL);
    struct bind_options o;
    bind_options_open(&o, L, 1, 1, "", known, 0);
    if (bind_option_push(&o, "icmp") != LUA_TNIL) return encode_icmp(&o);
    if (bind_option_push(&o, "protocol") != LUA_TNIL &&
        (lua_type(L, -1) != LUA_TSTRING || strcmp(lua_tostring(L, -1), "tcp") != 0))
        return bind_option_error(&o, "protocol", "only 'tcp' can be written");

    struct ltcp_ip ip;
    struct ltcp_segment tcp;
    struct ltcp_packet packet;
    struct writer writer = {.o = &o, .length = 0};
    memset(&packet, 0, sizeof packet);
    read_ip(&o, &ip);
    read_tcp(&o, &tcp);
    read_options(&writer);
    tcp.options_bytes = writer.bytes;
    tcp.options_length = (uint8_t)writer.length;
    size_t length = 0;
    const char *payload = bind_option_string(&o, "payload", &length);
    size_t start = ip.version == 4 ? 20 + ((size_t)ip.options_length + 3) / 4 * 4 : 40;
    if (length > 65535 - start - 20 - writer.length)
        return bind_option_error(&o, "payload", "the packet would be longer than 65535 octets");
    packet.refs = 1;
    packet.payload = (uint8_t *)payload; /* nobody writes to it */
    packet.payload_length = (uint32_t)length;
    ltcp_segment_encode(&packet, &ip, &tcp);
    forge(&o, &ip, &packet, start);
    return push_bytes(L, &packet);
}
