/* bindings/segment_view.c - a packet as a hook sees it: fields are read when they are asked for. */
#include "binding.h"

#include <string.h>

/* ---- reading headers ------------------------------------------------------------------------ */

void bind_borrow_packet(struct ltcp_packet *packet, const uint8_t *bytes, size_t length)
{
    struct ltcp_ip ip = {.version = 0};
    enum ltcp_status status = ltcp_ip_decode_bytes(bytes, length, true, &ip);
    if (ip.version != 0 && ip.total_length >= ip.header_length && ip.total_length < length)
        length = ip.total_length;
    size_t head = LTCP_HEAD_ROOM;
    if (status == LTCP_OK && ip.protocol == LTCP_PROTOCOL_TCP &&
        length >= (size_t)ip.header_length + 20)
        head = (size_t)ip.header_length + (size_t)(bytes[ip.header_length + 12] >> 4) * 4;
    else if (status == LTCP_OK && ip.protocol != LTCP_PROTOCOL_TCP)
        head = (size_t)ip.header_length + 8;
    if (ip.protocol == LTCP_PROTOCOL_TCP && head < (size_t)ip.header_length + 20)
        head = (size_t)ip.header_length + 20; /* where the data offset is found to be wrong */
    if (head > LTCP_HEAD_ROOM) head = LTCP_HEAD_ROOM;
    if (head > length) head = length;
    memset(packet, 0, sizeof *packet);
    packet->refs = 1;
    packet->head_length = (uint16_t)head;
    memcpy(packet->head, bytes, head);
    packet->payload = (uint8_t *)bytes + head; /* nobody writes to it */
    packet->payload_length = (uint32_t)(length - head);
}

void bind_parse(struct bind_view *view)
{
    const struct ltcp_packet *packet = view->packet;
    view->parsed = BIND_NOTHING;
    view->ip.version = 0;
    memset(&view->tcp, 0, sizeof view->tcp);
    enum ltcp_status status =
        ltcp_ip_decode_bytes(packet->head, packet->head_length, true, &view->ip);
    if (view->ip.version == 0) return;
    view->parsed = BIND_IP;
    size_t start = view->ip.header_length;
    if (status != LTCP_OK || packet->head_length < start) return;
    uint8_t protocol = view->ip.protocol;
    if (protocol == (view->ip.version == 4 ? LTCP_PROTOCOL_ICMP : LTCP_PROTOCOL_ICMPV6))
        view->parsed = BIND_ICMP;
    if (protocol != LTCP_PROTOCOL_TCP) return;
    const uint8_t *p = packet->head + start;
    size_t there = packet->head_length - start;
    if (ltcp_segment_decode_bytes(p, there, &view->ip, true, &view->tcp) != LTCP_OK) return;
    view->parsed = BIND_TCP;
    size_t header = view->tcp.header_length;
    if (header <= 20 || there <= 20) return;
    view->tcp.options_bytes = p + 20;
    view->tcp.options_length = (uint8_t)((header < there ? header : there) - 20);
}

/* Pushes bytes [start, end) of the packet, as far as they are there. */
static void push_range(lua_State *L, const struct ltcp_packet *packet, size_t start, size_t end)
{
    size_t head = packet->head_length, all = ltcp_packet_length(packet);
    if (end > all) end = all;
    if (start > end) start = end;
    if (start >= head || end <= head) {
        const uint8_t *from =
            start >= head && end > head ? packet->payload + (start - head) : packet->head + start;
        lua_pushlstring(L, (const char *)from, end - start);
        return;
    }
    luaL_Buffer b;
    luaL_buffinitsize(L, &b, end - start);
    luaL_addlstring(&b, (const char *)packet->head + start, head - start);
    luaL_addlstring(&b, (const char *)packet->payload, end - head);
    luaL_pushresult(&b);
}

static uint16_t field_16(const struct bind_view *view, size_t at)
{
    const uint8_t *p = view->packet->head + at;
    return at + 2 <= view->packet->head_length ? (uint16_t)((unsigned)p[0] << 8 | p[1]) : 0;
}

/* ---- fields --------------------------------------------------------------------------------- */

/* Those of IP, of TCP, and those that only a passage over a link has. */
#define IP_FIELDS(X)                                                                               \
    X(version)                                                                                     \
    X(source)                                                                                      \
    X(destination)                                                                                 \
    X(final_destination)                                                                           \
    X(ttl)                                                                                         \
    X(dscp)                                                                                        \
    X(ecn)                                                                                         \
    X(ip_id)                                                                                       \
    X(flow_label)                                                                                  \
    X(dont_fragment)                                                                               \
    X(more_fragments)                                                                              \
    X(fragment_offset)                                                                             \
    X(ip_header_length)                                                                            \
    X(total_length)                                                                                \
    X(ip_options)                                                                                  \
    X(protocol)                                                                                    \
    X(ip_checksum)
#define TCP_FIELDS(X)                                                                              \
    X(source_port)                                                                                 \
    X(destination_port)                                                                            \
    X(seq)                                                                                         \
    X(ack)                                                                                         \
    X(flags)                                                                                       \
    X(flag_letters)                                                                                \
    X(window)                                                                                      \
    X(urgent)                                                                                      \
    X(reserved)                                                                                    \
    X(header_length)                                                                               \
    X(checksum)                                                                                    \
    X(options)                                                                                     \
    X(payload)                                                                                     \
    X(length)                                                                                      \
    X(segment_length)
#define PASSAGE_FIELDS(X)                                                                          \
    X(time)                                                                                        \
    X(first)                                                                                       \
    X(notes)                                                                                       \
    X(link)                                                                                        \
    X(direction)                                                                                   \
    X(packet_id)

enum field {
    FIELD_NONE,
#define ENUM(name) FIELD_##name,
    IP_FIELDS(ENUM) FIELD_IP_END,
    TCP_FIELDS(ENUM) FIELD_TCP_END,
    PASSAGE_FIELDS(ENUM) FIELD_PASSAGE_END,
#undef ENUM
    FIELD_copy,
    FIELD_bytes
};
static const char *const field_names[] = {
#define NAME(name) [FIELD_##name] = #name,
    IP_FIELDS(NAME) TCP_FIELDS(NAME) PASSAGE_FIELDS(NAME) NAME(copy) NAME(bytes)
#undef NAME
};

static void push_protocol(lua_State *L, const struct ltcp_ip *ip)
{
    switch (ip->protocol) {
    case LTCP_PROTOCOL_TCP: lua_pushliteral(L, "tcp"); break;
    case LTCP_PROTOCOL_ICMP: lua_pushliteral(L, "icmp"); break;
    case LTCP_PROTOCOL_ICMPV6: lua_pushliteral(L, "icmpv6"); break;
    default: lua_pushinteger(L, ip->protocol); break;
    }
}

/* nil unless a source route leads on from the destination. */
static void push_final_destination(lua_State *L, const struct ltcp_ip *ip)
{
    const struct ltcp_address to = ltcp_ip_final_destination(ip);
    if (ltcp_address_equal(&to, &ip->destination))
        lua_pushnil(L);
    else
        bind_push_address(L, &to);
}

static void push_ip_field(lua_State *L, const struct bind_view *view, enum field field)
{
    const struct ltcp_ip *ip = &view->ip;
    bool v4 = ip->version == 4;
    switch (field) {
    case FIELD_version: lua_pushinteger(L, ip->version); break;
    case FIELD_source: bind_push_address(L, &ip->source); break;
    case FIELD_destination: bind_push_address(L, &ip->destination); break;
    case FIELD_final_destination: push_final_destination(L, ip); break;
    case FIELD_ttl: lua_pushinteger(L, ip->ttl); break;
    case FIELD_dscp: lua_pushinteger(L, ip->dscp); break;
    case FIELD_ecn: lua_pushinteger(L, ip->ecn); break;
    case FIELD_ip_id:
        if (v4)
            lua_pushinteger(L, ip->identification);
        else
            lua_pushnil(L);
        break;
    case FIELD_flow_label:
        if (v4)
            lua_pushnil(L);
        else
            lua_pushinteger(L, ip->flow_label);
        break;
    case FIELD_dont_fragment: lua_pushboolean(L, ip->dont_fragment); break;
    case FIELD_more_fragments: lua_pushboolean(L, ip->more_fragments); break;
    case FIELD_fragment_offset: lua_pushinteger(L, ip->fragment_offset); break;
    case FIELD_ip_header_length: lua_pushinteger(L, ip->header_length); break;
    case FIELD_total_length: lua_pushinteger(L, ip->total_length); break;
    case FIELD_ip_options: lua_pushlstring(L, (const char *)ip->options, ip->options_length); break;
    case FIELD_protocol: push_protocol(L, ip); break;
    case FIELD_ip_checksum:
        if (v4)
            lua_pushinteger(L, field_16(view, 10));
        else
            lua_pushnil(L);
        break;
    default: lua_pushnil(L); break;
    }
}

static void push_tcp_field(lua_State *L, const struct bind_view *view, enum field field)
{
    const struct ltcp_segment *tcp = &view->tcp;
    char letters[10];
    size_t data = (size_t)view->ip.header_length + tcp->header_length;
    switch (field) {
    case FIELD_source_port: lua_pushinteger(L, tcp->source_port); break;
    case FIELD_destination_port: lua_pushinteger(L, tcp->destination_port); break;
    case FIELD_seq: lua_pushinteger(L, tcp->seq.n); break;
    case FIELD_ack: lua_pushinteger(L, tcp->ack.n); break;
    case FIELD_flags: bind_push_flags(L, tcp->flags); break;
    case FIELD_flag_letters:
        lua_pushlstring(L, letters, bind_flag_letters(tcp->flags, letters));
        break;
    case FIELD_window: lua_pushinteger(L, tcp->window); break;
    case FIELD_urgent: lua_pushinteger(L, tcp->urgent_pointer); break;
    case FIELD_reserved: lua_pushinteger(L, tcp->reserved); break;
    case FIELD_header_length: lua_pushinteger(L, tcp->header_length); break;
    case FIELD_checksum: lua_pushinteger(L, field_16(view, view->ip.header_length + 16u)); break;
    case FIELD_options: bind_push_options(L, tcp->options_bytes, tcp->options_length); break;
    case FIELD_payload: push_range(L, view->packet, data, data + tcp->length); break;
    case FIELD_length: lua_pushinteger(L, tcp->length); break;
    case FIELD_segment_length: lua_pushinteger(L, ltcp_segment_length(tcp)); break;
    default: lua_pushnil(L); break;
    }
}

static void push_passage_field(lua_State *L, const struct bind_view *view, enum field field)
{
    switch (field) {
    case FIELD_time: bind_push_time(L, view->time); break;
    case FIELD_first: lua_pushboolean(L, view->first); break;
    case FIELD_notes: bind_push_notes(L, view->packet->notes); break;
    case FIELD_link: lua_pushinteger(L, view->link); break;
    case FIELD_direction: lua_pushinteger(L, view->direction + 1); break;
    case FIELD_packet_id: lua_pushinteger(L, (lua_Integer)view->packet->id); break;
    default: lua_pushnil(L); break;
    }
}

static void push_field(lua_State *L, struct bind_view *view, enum field field)
{
    if (view->parsed == BIND_UNPARSED) bind_parse(view);
    if (field > FIELD_TCP_END)
        push_passage_field(L, view, field);
    else if (field < FIELD_IP_END && view->parsed >= BIND_IP)
        push_ip_field(L, view, field);
    else if (field > FIELD_IP_END && view->parsed == BIND_TCP)
        push_tcp_field(L, view, field);
    else
        lua_pushnil(L);
}

void bind_push_fields(lua_State *L, struct bind_view *view)
{
    lua_createtable(L, 0, 36);
    for (enum field f = FIELD_NONE + 1; f < FIELD_TCP_END; f++) {
        if (f == FIELD_IP_END) continue;
        push_field(L, view, f);
        lua_setfield(L, -2, field_names[f]);
    }
}

void bind_set_passage(lua_State *L, const struct bind_view *view)
{
    for (enum field f = FIELD_TCP_END + 1; f < FIELD_PASSAGE_END; f++) {
        push_passage_field(L, view, f);
        lua_setfield(L, -2, field_names[f]);
    }
}

/* ---- the class ------------------------------------------------------------------------------ */

struct bind_view *bind_new_view(lua_State *L)
{
    struct bind_view *view = lua_newuserdatauv(L, sizeof *view, 0);
    memset(view, 0, sizeof *view);
    luaL_setmetatable(L, BIND_SEGMENT);
    return view;
}

static struct bind_view *check_alive(lua_State *L, struct bind_view *view)
{
    if (view->packet == NULL)
        luaL_error(L, "segment view used after its hook returned (segment:copy() keeps it)");
    return view;
}

static struct bind_view *check_view(lua_State *L, int index)
{
    return check_alive(L, luaL_checkudata(L, index, BIND_SEGMENT));
}

static int view_copy(lua_State *L)
{
    struct bind_view *view = check_view(L, 1);
    bind_push_packet(L, view, false);
    bind_set_passage(L, view);
    return 1;
}

static int view_bytes(lua_State *L)
{
    const struct bind_view *view = check_view(L, 1);
    push_range(L, view->packet, 0, ltcp_packet_length(view->packet));
    return 1;
}

/* Upvalues: name -> number of the field, the metatable, copy, bytes. */
static int view_index(lua_State *L)
{
    struct bind_view *view = lua_touserdata(L, 1);
    if (view == NULL || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, lua_upvalueindex(2)))
        return luaL_typeerror(L, 1, BIND_SEGMENT);
    check_alive(L, view);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    enum field field = (enum field)lua_tointeger(L, -1);
    switch (field) {
    case FIELD_NONE:
        return luaL_error(L, "a segment has no field '%s'", luaL_tolstring(L, 2, NULL));
    case FIELD_copy: lua_pushvalue(L, lua_upvalueindex(3)); break;
    case FIELD_bytes: lua_pushvalue(L, lua_upvalueindex(4)); break;
    default: push_field(L, view, field); break;
    }
    return 1;
}

static int view_tostring(lua_State *L)
{
    struct bind_view *view = luaL_checkudata(L, 1, BIND_SEGMENT);
    if (view->packet == NULL) {
        lua_pushliteral(L, "segment (its hook has returned)");
        return 1;
    }
    if (view->parsed == BIND_UNPARSED) bind_parse(view);
    if (view->parsed != BIND_TCP) {
        lua_pushfstring(L, "packet of %d octets", (int)ltcp_packet_length(view->packet));
        return 1;
    }
    char source[LTCP_ADDRESS_TEXT], destination[LTCP_ADDRESS_TEXT], letters[10];
    const struct ltcp_segment *tcp = &view->tcp;
    ltcp_address_format(&view->ip.source, source);
    ltcp_address_format(&view->ip.destination, destination);
    bind_flag_letters(tcp->flags, letters);
    lua_pushfstring(L, "%s %d > %s %d %s seq %I ack %I length %d", source, (int)tcp->source_port,
                    destination, (int)tcp->destination_port, letters, (LUAI_UACINT)tcp->seq.n,
                    (LUAI_UACINT)tcp->ack.n, (int)tcp->length);
    return 1;
}

void bind_open_segment(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__tostring", view_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"decode", bind_decode}, {"encode", bind_encode}, {NULL, NULL}};
    bind_class(L, BIND_SEGMENT, NULL, meta);
    luaL_getmetatable(L, BIND_SEGMENT);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof field_names / sizeof *field_names; i++) {
        if (field_names[i] == NULL) continue;
        lua_pushinteger(L, (lua_Integer)i);
        lua_setfield(L, -2, field_names[i]);
    }
    lua_pushvalue(L, -2);
    lua_pushcfunction(L, view_copy);
    lua_pushcfunction(L, view_bytes);
    lua_pushcclosure(L, view_index, 4);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
