/* bindings/segment_decode.c - packets and TCP options as tables. */
#include "binding.h"

#include <string.h>

/* ---- options -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint8_t kind;
} kinds[] = {{"end", LTCP_OPTION_END},
             {"nop", LTCP_OPTION_NOP},
             {"mss", LTCP_OPTION_MSS},
             {"window_scale", LTCP_OPTION_WINDOW_SCALE},
             {"sack_permitted", LTCP_OPTION_SACK_PERMITTED},
             {"sack", LTCP_OPTION_SACK},
             {"timestamps", LTCP_OPTION_TIMESTAMPS},
             {"md5", LTCP_OPTION_MD5},
             {"user_timeout", LTCP_OPTION_USER_TIMEOUT},
             {"ao", LTCP_OPTION_AO},
             {"fast_open", LTCP_OPTION_FAST_OPEN},
             {"accecn0", LTCP_OPTION_ACCECN0},
             {"accecn1", LTCP_OPTION_ACCECN1},
             {"experiment1", LTCP_OPTION_EXPERIMENT_1},
             {"experiment2", LTCP_OPTION_EXPERIMENT_2}};

const char *bind_option_name(unsigned kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind) return kinds[i].name;
    return NULL;
}

int bind_option_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0) return kinds[i].kind;
    return -1;
}

static void set_integer(lua_State *L, const char *name, uint32_t value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static void set_bytes(lua_State *L, const char *name, const uint8_t *bytes, size_t length)
{
    lua_pushlstring(L, (const char *)bytes, length);
    lua_setfield(L, -2, name);
}

static uint32_t big_endian(const uint8_t *p, int octets)
{
    uint32_t value = 0;
    for (int i = 0; i < octets; i++)
        value = value << 8 | p[i];
    return value;
}

static void push_block(lua_State *L, uint32_t left, uint32_t right)
{
    lua_createtable(L, 0, 2);
    set_integer(L, "left", left);
    set_integer(L, "right", right);
}

/* The values of one option, where its length is the right one, into the table on top. */
static void set_values(lua_State *L, const struct ltcp_raw_option *option)
{
    const uint8_t *p = option->data;
    unsigned length = option->data_length;
    switch (option->kind) {
    case LTCP_OPTION_MSS:
    case LTCP_OPTION_USER_TIMEOUT:
        if (length == 2) set_integer(L, "value", big_endian(p, 2));
        break;
    case LTCP_OPTION_WINDOW_SCALE:
        if (length == 1) set_integer(L, "value", p[0]);
        break;
    case LTCP_OPTION_TIMESTAMPS:
        if (length != 8) break;
        set_integer(L, "value", big_endian(p, 4));
        set_integer(L, "echo", big_endian(p + 4, 4));
        break;
    case LTCP_OPTION_SACK:
        if (length % 8 != 0) break;
        lua_createtable(L, (int)length / 8, 0);
        for (unsigned i = 0; i < length / 8; i++) {
            push_block(L, big_endian(p + 8 * i, 4), big_endian(p + 8 * i + 4, 4));
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_setfield(L, -2, "blocks");
        break;
    default: break;
    }
}

static void set_by_name(lua_State *L, const struct ltcp_options *o)
{
    if (o->present & LTCP_HAS_MSS) set_integer(L, "mss", o->mss);
    if (o->present & LTCP_HAS_WINDOW_SCALE) set_integer(L, "window_scale", o->window_scale);
    if (o->present & LTCP_HAS_SACK_PERMITTED) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, "sack_permitted");
    }
    if (o->present & LTCP_HAS_SACK) {
        lua_createtable(L, o->sack_count, 0);
        for (int i = 0; i < o->sack_count; i++) {
            push_block(L, o->sack[i].left.n, o->sack[i].right.n);
            lua_rawseti(L, -2, i + 1);
        }
        lua_setfield(L, -2, "sack");
    }
    if (o->present & LTCP_HAS_TIMESTAMPS) {
        lua_createtable(L, 0, 2);
        set_integer(L, "value", o->ts_value);
        set_integer(L, "echo", o->ts_echo);
        lua_setfield(L, -2, "timestamps");
    }
    if (o->present & LTCP_HAS_USER_TIMEOUT) set_integer(L, "user_timeout", o->user_timeout);
    if (o->present & LTCP_HAS_MD5) set_bytes(L, "md5", o->md5, 16);
    if (o->present & LTCP_HAS_AO) set_bytes(L, "ao", o->ao, o->ao_length);
    if (o->present & LTCP_HAS_FAST_OPEN)
        set_bytes(L, "fast_open", o->fast_open, o->fast_open_length);
    if ((o->present & LTCP_HAS_FAST_OPEN) && o->fast_open_experimental) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, "fast_open_experimental");
    }
    if (o->present & LTCP_HAS_ACCECN) {
        lua_createtable(L, o->accecn_count, 1);
        set_integer(L, "kind", o->accecn_kind);
        for (int i = 0; i < o->accecn_count; i++) {
            lua_pushinteger(L, o->accecn[i]);
            lua_rawseti(L, -2, i + 1);
        }
        lua_setfield(L, -2, "accecn");
    }
    if (o->present & LTCP_HAS_MALFORMED) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, "malformed");
    }
    if (o->present & LTCP_HAS_REPEATED) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, "repeated");
    }
}

void bind_push_options(lua_State *L, const uint8_t *bytes, size_t length)
{
    struct ltcp_options options = {.present = 0};
    struct ltcp_raw_option option;
    lua_newtable(L);
    lua_Integer n = 0;
    for (size_t cursor = 0; length > 0 && ltcp_options_next(bytes, length, &cursor, &option);) {
        const char *name = bind_option_name(option.kind);
        lua_createtable(L, 0, 4);
        set_integer(L, "kind", option.kind);
        if (name != NULL) {
            lua_pushstring(L, name);
            lua_setfield(L, -2, "name");
        }
        set_bytes(L, "data", option.data, option.data_length);
        set_values(L, &option);
        lua_rawseti(L, -2, ++n);
    }
    if (length == 0) return;
    ltcp_options_decode(bytes, length, &options);
    set_by_name(L, &options);
}

/* ---- packets -------------------------------------------------------------------------------- */

void bind_push_notes(lua_State *L, unsigned notes)
{
    static const char *const names[] = {"retransmission", "duplicate", "corrupted", "delayed",
                                        "forged",         "ce_marked", "probe"};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if ((notes >> i & 1) == 0) continue;
        lua_pushboolean(L, true);
        lua_setfield(L, -2, names[i]);
    }
}

/* Whether bytes [start, end) and what is in `sum` make a good checksum. */
static bool sums_up(const struct ltcp_packet *packet, size_t start, size_t end, uint32_t sum)
{
    size_t head = packet->head_length, stop = end < head ? end : head;
    if (start < stop) sum = ltcp_sum(sum, packet->head + start, stop - start);
    if (end > head) {
        size_t from = start > head ? start - head : 0;
        uint32_t rest = ltcp_sum(0, packet->payload + from, end - head - from);
        bool odd = start < stop && (stop - start) % 2 != 0;
        sum = ltcp_sum_add(sum, odd ? ltcp_sum_swap(rest) : rest);
    }
    return ltcp_sum_finish(sum) == 0;
}

static void set_checksums(lua_State *L, const struct bind_view *view)
{
    const struct ltcp_ip *ip = &view->ip;
    size_t header = ip->header_length, total = ip->total_length;
    if (ip->version == 4) {
        lua_pushboolean(L, sums_up(view->packet, 0, header, 0));
        lua_setfield(L, -2, "ip_checksum_ok");
    }
    if (view->parsed != BIND_TCP || total > ltcp_packet_length(view->packet)) return;
    const struct ltcp_address to = ltcp_ip_final_destination(ip);
    uint32_t sum = ltcp_pseudo_sum(&ip->source, &to, ip->protocol, total - header);
    lua_pushboolean(L, sums_up(view->packet, header, total, sum));
    lua_setfield(L, -2, "checksum_ok");
}

static enum ltcp_status set_icmp(lua_State *L, const struct bind_view *view)
{
    struct ltcp_icmp icmp;
    memset(&icmp, 0, sizeof icmp);
    enum ltcp_status status = ltcp_icmp_decode(view->packet, &view->ip, &icmp);
    if (status != LTCP_OK) return status;
    lua_createtable(L, 0, 6);
    lua_pushstring(L, ltcp_icmp_name(icmp.kind));
    lua_setfield(L, -2, "kind");
    set_integer(L, "type", icmp.type);
    set_integer(L, "code", icmp.code);
    if (icmp.kind == LTCP_ICMP_TOO_BIG) set_integer(L, "mtu", icmp.mtu);
    if (icmp.kind == LTCP_ICMP_PARAMETER_PROBLEM) set_integer(L, "pointer", icmp.pointer);
    if (icmp.kind == LTCP_ICMP_ECHO || icmp.kind == LTCP_ICMP_ECHO_REPLY) {
        set_integer(L, "echo_id", icmp.echo_id);
        set_integer(L, "echo_seq", icmp.echo_seq);
    }
    set_bytes(L, "quote", icmp.quote, icmp.quote_length);
    lua_setfield(L, -2, "icmp");
    return LTCP_OK;
}

void bind_push_packet(lua_State *L, struct bind_view *view, bool quoted)
{
    bind_parse(view);
    bind_push_fields(L, view);
    if (quoted || view->parsed < BIND_IP) return;
    set_checksums(L, view);
    if (view->parsed == BIND_ICMP) set_icmp(L, view);
}

/* What the host at the end of the packet's way would say to it. */
static enum ltcp_status judge(const struct bind_view *view, bool quoted)
{
    struct ltcp_ip ip;
    struct ltcp_segment tcp;
    struct ltcp_icmp icmp;
    const struct ltcp_packet *packet = view->packet;
    enum ltcp_status status =
        quoted ? ltcp_ip_decode_bytes(packet->head, packet->head_length, true, &ip)
               : ltcp_ip_decode(packet, &ip);
    if (status != LTCP_OK) return status;
    if (quoted)
        return ip.protocol == LTCP_PROTOCOL_TCP && view->parsed != BIND_TCP ? LTCP_ERR_TRUNCATED
                                                                            : LTCP_OK;
    ip.destination = ltcp_ip_final_destination(&ip);
    if (ip.protocol == LTCP_PROTOCOL_TCP) return ltcp_segment_decode(packet, &ip, &tcp);
    if (view->parsed == BIND_ICMP) return ltcp_icmp_decode(packet, &ip, &icmp);
    return LTCP_ERR_PROTOCOL;
}

int bind_decode(lua_State *L)
{
    static const char *const known[] = {"quoted", NULL};
    size_t length;
    const char *bytes = luaL_checklstring(L, 1, &length);
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    bool quoted = bind_option_flag(&o, "quoted", false);
    luaL_argcheck(L, length <= 65535, 1, "a packet has at most 65535 octets");

    struct ltcp_packet packet;
    struct bind_view view;
    memset(&view, 0, sizeof view);
    bind_borrow_packet(&packet, (const uint8_t *)bytes, length);
    view.packet = &packet;
    bind_push_packet(L, &view, quoted);
    enum ltcp_status status = judge(&view, quoted);
    if (status == LTCP_OK) return 1;
    lua_pushstring(L, ltcp_status_message(status));
    lua_pushstring(L, ltcp_status_name(status));
    return 3;
}
