/* bindings/trace.c - records of the trace as tables. */
#include "binding.h"

#include <string.h>

static const char *const kinds[LTCP_TRACE_KINDS] = {
    [LTCP_TRACE_STATE] = "state",
    [LTCP_TRACE_TIMEOUT] = "timeout",
    [LTCP_TRACE_FAST_RETRANSMIT] = "fast_retransmit",
    [LTCP_TRACE_RECOVERED] = "recovered",
    [LTCP_TRACE_PROBE] = "probe",
    [LTCP_TRACE_CHALLENGE] = "challenge",
    [LTCP_TRACE_URGENT] = "urgent",
    [LTCP_TRACE_RTT] = "rtt",
    [LTCP_TRACE_REFUSED] = "refused",
    [LTCP_TRACE_ICMP] = "icmp",
    [LTCP_TRACE_REMARK] = "remark",
    [LTCP_TRACE_DETAIL] = "detail",
    [LTCP_TRACE_INVARIANT] = "invariant",
    [LTCP_TRACE_SENT] = "sent",
    [LTCP_TRACE_DELIVERED] = "delivered",
    [LTCP_TRACE_DROPPED] = "dropped",
};

/* ---- masks ---------------------------------------------------------------------------------- */

static uint32_t mask_of(const char *word)
{
    if (strcmp(word, "events") == 0) return LTCP_TRACE_EVENTS_MASK;
    if (strcmp(word, "packets") == 0) return LTCP_TRACE_PACKETS_MASK;
    for (int i = 0; i < LTCP_TRACE_KINDS; i++)
        if (strcmp(kinds[i], word) == 0) return 1u << i;
    return 0;
}

static void raise_unknown(lua_State *L, int arg, int index)
{
    luaL_Buffer b;
    const char *got = luaL_tolstring(L, index, NULL);
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "unknown kind of record '");
    luaL_addstring(&b, got);
    luaL_addstring(&b, "'; known: events, packets");
    for (int i = 0; i < LTCP_TRACE_KINDS; i++) {
        luaL_addstring(&b, ", ");
        luaL_addstring(&b, kinds[i]);
    }
    luaL_pushresult(&b);
    luaL_argerror(L, arg, lua_tostring(L, -1));
}

uint32_t bind_check_kinds(lua_State *L, int arg, uint32_t fallback)
{
    if (lua_isnoneornil(L, arg)) return fallback;
    luaL_checktype(L, arg, LUA_TTABLE);
    uint32_t mask = 0;
    lua_Integer n = luaL_len(L, arg);
    for (lua_Integer i = 1; i <= n; i++) {
        uint32_t bits = lua_geti(L, arg, i) == LUA_TSTRING ? mask_of(lua_tostring(L, -1)) : 0;
        if (bits == 0) raise_unknown(L, arg, -1);
        mask |= bits;
        lua_pop(L, 1);
    }
    return mask;
}

static int set_trace_kinds(lua_State *L)
{
    struct bind_network *net = bind_check_network(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    ltcp_trace_set_mask(net->trace, bind_check_kinds(L, 2, 0) | net->heard_kinds);
    return 0;
}

static int trace_kinds(lua_State *L)
{
    uint32_t mask = ltcp_trace_mask(bind_check_network(L, 1)->trace);
    lua_Integer n = 0;
    lua_newtable(L);
    for (int i = 0; i < LTCP_TRACE_KINDS; i++) {
        if ((mask >> i & 1) == 0) continue;
        lua_pushstring(L, kinds[i]);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* ---- records -------------------------------------------------------------------------------- */

static void set_text(lua_State *L, const char *name, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

static void set_status(lua_State *L, enum ltcp_status status)
{
    if (status == LTCP_OK) return;
    set_text(L, "status", ltcp_status_name(status));
    set_text(L, "message", ltcp_status_message(status));
    set_text(L, "code", ltcp_status_code(status));
}

static void set_value(lua_State *L, const struct ltcp_trace_event *event)
{
    switch (event->kind) {
    case LTCP_TRACE_TIMEOUT:
    case LTCP_TRACE_RTT:
        bind_push_time(L, event->value);
        lua_setfield(L, -2, "value");
        break;
    case LTCP_TRACE_FAST_RETRANSMIT: set_integer(L, "value", (uint32_t)event->value); break;
    case LTCP_TRACE_PROBE:
    case LTCP_TRACE_CHALLENGE:
    case LTCP_TRACE_URGENT: set_integer(L, "value", (uint64_t)event->value); break;
    case LTCP_TRACE_ICMP:
        set_text(L, "icmp", ltcp_icmp_name((enum ltcp_icmp_kind)event->value));
        break;
    default: break;
    }
}

/* In the units of Lua; what is not known is left out. */
static void set_remark_number(lua_State *L, const struct ltcp_remark_number *number, int64_t value)
{
    switch (number->unit) {
    case LTCP_UNIT_NONE: return;
    case LTCP_UNIT_TIME: bind_push_time(L, value); break;
    case LTCP_UNIT_RATE: lua_pushnumber(L, (lua_Number)value * 8); break;
    default: lua_pushinteger(L, value); break;
    }
    lua_setfield(L, -2, number->name);
}

static void set_remark(lua_State *L, const struct ltcp_trace_event *event)
{
    const struct ltcp_remark_kind *kind = ltcp_remark_kind(event->from);
    if (kind == NULL) return;
    set_text(L, "remark", kind->name);
    set_remark_number(L, &kind->value, event->value);
    set_remark_number(L, &kind->more, event->more);
}

void bind_push_trace_event(lua_State *L, const struct ltcp_trace_event *event)
{
    lua_createtable(L, 0, 12);
    set_integer(L, "serial", event->serial);
    bind_push_time(L, event->time);
    lua_setfield(L, -2, "time");
    set_text(L, "kind", event->kind < LTCP_TRACE_KINDS ? kinds[event->kind] : "unknown");
    set_integer(L, "host", event->host);
    set_integer(L, "subject", event->subject);
    if (event->kind == LTCP_TRACE_STATE) {
        set_text(L, "from", ltcp_state_name((enum ltcp_state)event->from));
        set_text(L, "to", ltcp_state_name((enum ltcp_state)event->to));
    }
    if (event->kind == LTCP_TRACE_REMARK || event->kind == LTCP_TRACE_DETAIL) set_remark(L, event);
    set_value(L, event);
    set_status(L, (enum ltcp_status)event->status);
    if (event->text != NULL) set_text(L, "text", event->text);
}

static void push_trace_packet(lua_State *L, const struct ltcp_trace_packet *record)
{
    lua_createtable(L, 0, 12);
    set_integer(L, "serial", record->serial);
    bind_push_time(L, record->time);
    lua_setfield(L, -2, "time");
    set_text(L, "kind", record->kind < LTCP_TRACE_KINDS ? kinds[record->kind] : "unknown");
    if (record->reason != LTCP_DROP_NONE)
        set_text(L, "reason", ltcp_drop_name((enum ltcp_drop)record->reason));
    set_integer(L, "link", record->link);
    set_integer(L, "direction", record->direction + 1u);
    set_integer(L, "packet", record->packet);
    set_integer(L, "length", record->length);
    bind_push_notes(L, record->notes);
    lua_setfield(L, -2, "notes");
    lua_pushlstring(L, (const char *)record->head, record->head_length);
    lua_setfield(L, -2, "head");

    struct ltcp_packet packet;
    struct bind_view view;
    memset(&view, 0, sizeof view);
    bind_borrow_packet(&packet, record->head, record->head_length);
    view.packet = &packet;
    bind_push_packet(L, &view, true);
    lua_setfield(L, -2, "segment");
}

/* ---- iterators: upvalues are the network and the next serial -------------------------------- */

static struct bind_network *iterated(lua_State *L, uint64_t *serial)
{
    struct bind_network *net = lua_touserdata(L, lua_upvalueindex(1));
    bind_check_open(L, net);
    *serial = (uint64_t)lua_tointeger(L, lua_upvalueindex(2));
    return net;
}

static void go_on(lua_State *L, uint64_t serial)
{
    lua_pushinteger(L, (lua_Integer)serial);
    lua_replace(L, lua_upvalueindex(2));
}

static int next_event(lua_State *L)
{
    uint64_t serial;
    const struct bind_network *net = iterated(L, &serial);
    const struct ltcp_trace_event *event = ltcp_trace_next_event(net->trace, &serial);
    if (event == NULL) return 0;
    bind_push_trace_event(L, event);
    go_on(L, serial);
    return 1;
}

static int next_packet(lua_State *L)
{
    uint64_t serial;
    const struct bind_network *net = iterated(L, &serial);
    const struct ltcp_trace_packet *packet = ltcp_trace_next_packet(net->trace, &serial);
    if (packet == NULL) return 0;
    push_trace_packet(L, packet);
    go_on(L, serial);
    return 1;
}

static int iterate(lua_State *L, lua_CFunction next)
{
    bind_check_network(L, 1);
    lua_Integer since = luaL_optinteger(L, 2, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, since < 1 ? 1 : since);
    lua_pushcclosure(L, next, 2);
    return 1;
}

static int trace_events(lua_State *L)
{
    return iterate(L, next_event);
}

static int trace_packets(lua_State *L)
{
    return iterate(L, next_packet);
}

static int trace_serial(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)ltcp_trace_serial(bind_check_network(L, 1)->trace));
    return 1;
}

static int clear_trace(lua_State *L)
{
    ltcp_trace_clear(bind_check_network(L, 1)->trace);
    return 0;
}

const luaL_Reg bind_trace_methods[] = {{"set_trace_kinds", set_trace_kinds},
                                       {"trace_kinds", trace_kinds},
                                       {"trace_events", trace_events},
                                       {"trace_packets", trace_packets},
                                       {"trace_serial", trace_serial},
                                       {"clear_trace", clear_trace},
                                       {NULL, NULL}};

/* ---- words ---------------------------------------------------------------------------------- */

void bind_open_trace(lua_State *L)
{
    lua_createtable(L, LTCP_TRACE_KINDS, 0);
    for (int i = 0; i < LTCP_TRACE_KINDS; i++) {
        lua_pushstring(L, kinds[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "TRACE_KINDS");
    lua_createtable(L, 0, LTCP_REMARK_COUNT);
    for (unsigned i = 0; i < LTCP_REMARK_COUNT; i++) {
        const struct ltcp_remark_kind *kind = ltcp_remark_kind(i);
        lua_pushstring(L, kinds[kind->detail ? LTCP_TRACE_DETAIL : LTCP_TRACE_REMARK]);
        lua_setfield(L, -2, kind->name);
    }
    lua_setfield(L, -2, "REMARKS");
    lua_createtable(L, LTCP_DROP_COUNT, 0);
    for (int i = LTCP_DROP_NONE + 1; i < LTCP_DROP_COUNT; i++) {
        lua_pushstring(L, ltcp_drop_name((enum ltcp_drop)i));
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, "DROP_REASONS");
}
