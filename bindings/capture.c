/* bindings/capture.c - captures: what links carried, as pcapng into a file or into memory.
 *
 * The core queues references to packets; they are drained after every step of the core. Seen from
 * the senders, a packet is written once and its comment says what became of it, so it is held back
 * until that is known; seen from the receivers, it is written when it arrives or is lost. */
#include "binding.h"
#include "lunatcp/pcapng.h"
#include "uv_classes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_LIMIT 65536

/* A packet that entered a link. */
struct held {
    struct ltcp_captured captured;
    ltcp_time decided; /* when its fate became known; LTCP_NEVER: not yet */
    uint8_t notes, reason;
};

struct bind_capture {
    struct bind_network *net; /* NULL: closed */
    struct bind_capture *next;
    FILE *file;            /* NULL: memory */
    luaL_Stream *borrowed; /* the script's own file, or NULL */
    bool receivers;
    int error; /* errno of the first failure to write */
    uint64_t packets, missed_before, missed;
    size_t limit;
    struct held *held; /* a ring */
    size_t held_first, held_count, held_room;
    uint32_t *interfaces; /* link -> number in the file, plus 1; 0: none yet */
    uint32_t interface_room, interface_count;
    uint8_t *memory;
    size_t memory_length, memory_room, memory_most;
    struct bind_network *allocator; /* lives as long as this object */
    uint8_t block[LTCP_PCAPNG_PACKET_MOST];
};

/* ---- octets out ----------------------------------------------------------------------------- */

static void remember(struct bind_capture *capture, size_t length)
{
    size_t need = capture->memory_length + length, room = capture->memory_room;
    if (need > capture->memory_most) {
        capture->memory_most = 0; /* from here on nothing: a file without gaps */
        return;
    }
    if (need > room) {
        size_t more = room < 65536 ? 65536 : room * 2;
        while (more < need)
            more *= 2;
        void *grown = bind_resize(capture->allocator, capture->memory, room, more);
        if (grown == NULL) {
            capture->error = ENOMEM;
            return;
        }
        capture->memory = grown;
        capture->memory_room = more;
    }
    memcpy(capture->memory + capture->memory_length, capture->block, length);
    capture->memory_length += length;
}

/* The first `length` octets of the block. */
static void put_block(struct bind_capture *capture, size_t length)
{
    if (capture->error != 0) return;
    if (capture->borrowed != NULL && capture->borrowed->closef == NULL)
        capture->error = EBADF; /* the script closed its file */
    else if (capture->file == NULL)
        remember(capture, length);
    else if (fwrite(capture->block, 1, length, capture->file) != length)
        capture->error = errno != 0 ? errno : EIO;
}

/* ---- comments ------------------------------------------------------------------------------- */

static size_t add_word(char *out, size_t room, size_t at, const char *word)
{
    int n = snprintf(out + at, room - at, "%s%s", at > 0 ? ", " : "", word);
    return n > 0 && (size_t)n < room - at ? at + (size_t)n : at;
}

static void make_comment(const struct bind_capture *capture, unsigned notes, unsigned reason,
                         char out[200])
{
    static const char *const sender[] = {"retransmission",
                                         "duplicated on the way",
                                         "corrupted on the way",
                                         "delayed on the way",
                                         "forged",
                                         "marked CE on the way",
                                         "probe"};
    static const char *const receiver[] = {"retransmission", "duplicate", "corrupted", "delayed",
                                           "forged",         "marked CE", "probe"};
    const char *const *words = capture->receivers ? receiver : sender;
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < sizeof sender / sizeof *sender; i++)
        if ((notes >> i & 1) != 0) at = add_word(out, 200, at, words[i]);
    if (reason == LTCP_DROP_NONE) return;
    char dropped[40];
    snprintf(dropped, sizeof dropped, "dropped: %s", ltcp_drop_name((enum ltcp_drop)reason));
    add_word(out, 200, at, dropped);
}

/* Number of the link's interface in the file; its block is written when it is met first, with a
 * description (or NULL). */
static uint32_t interface_of(struct bind_capture *capture, uint32_t link, const char *description)
{
    if (link >= capture->interface_room) {
        uint32_t more = link < 8 ? 8 : link * 2;
        uint32_t *grown =
            bind_resize(capture->allocator, capture->interfaces,
                        capture->interface_room * sizeof *grown, more * sizeof *grown);
        if (grown == NULL) {
            capture->error = ENOMEM;
            return 0;
        }
        memset(grown + capture->interface_room, 0,
               (more - capture->interface_room) * sizeof *grown);
        capture->interfaces = grown;
        capture->interface_room = more;
    }
    if (capture->interfaces[link] == 0) {
        put_block(capture, ltcp_pcapng_interface(capture->block, capture->net->links[link].name,
                                                 description));
        capture->interfaces[link] = ++capture->interface_count;
    }
    return capture->interfaces[link] - 1;
}

static void write_packet(struct bind_capture *capture, const struct ltcp_captured *captured,
                         unsigned notes, unsigned reason)
{
    char comment[200];
    if (capture->error != 0) return;
    uint32_t number = interface_of(capture, captured->link, NULL);
    make_comment(capture, notes, reason, comment);
    put_block(capture, ltcp_pcapng_packet(capture->block, number, captured->time, captured->packet,
                                          captured->direction == 0 ? LTCP_PCAPNG_OUTBOUND
                                                                   : LTCP_PCAPNG_INBOUND,
                                          comment));
    capture->packets++;
}

/* ---- packets whose fate is not known yet ---------------------------------------------------- */

static struct held *held_at(const struct bind_capture *capture, size_t i)
{
    return &capture->held[(capture->held_first + i) & (capture->held_room - 1)];
}

/* Writes the oldest ones whose fate was known before `now` (or all): a copy that comes at the same
 * time as the original is still told of. */
static void write_held(struct bind_capture *capture, ltcp_time now, bool all)
{
    while (capture->held_count > 0) {
        struct held *first = held_at(capture, 0);
        if (!all && first->decided >= now && capture->held_count <= capture->limit) return;
        write_packet(capture, &first->captured, first->notes, first->reason);
        ltcp_packet_unref(first->captured.packet);
        capture->held_first++;
        capture->held_count--;
    }
}

static bool held_grow(struct bind_capture *capture)
{
    size_t room = capture->held_room, more = room == 0 ? 64 : room * 2;
    struct held *grown = bind_resize(capture->allocator, NULL, 0, more * sizeof *grown);
    if (grown == NULL) return false;
    for (size_t i = 0; i < capture->held_count; i++)
        grown[i] = *held_at(capture, i);
    bind_resize(capture->allocator, capture->held, room * sizeof *grown, 0);
    capture->held = grown;
    capture->held_first = 0;
    capture->held_room = more;
    return true;
}

static struct held *hold(struct bind_capture *capture, const struct ltcp_captured *captured)
{
    if (capture->held_count == capture->held_room && !held_grow(capture)) {
        capture->error = ENOMEM;
        return NULL;
    }
    struct held *place = held_at(capture, capture->held_count++);
    *place = (struct held){
        .captured = *captured, .decided = LTCP_NEVER, .notes = captured->packet->notes};
    ltcp_packet_ref(captured->packet);
    return place;
}

static bool same_passage(const struct held *held, const struct ltcp_captured *captured)
{
    return held->captured.packet->id == captured->packet->id &&
           held->captured.link == captured->link && held->captured.direction == captured->direction;
}

/* What was lost at once is the newest; what arrives is among the oldest. False: it is not held. */
static bool decide(struct bind_capture *capture, const struct ltcp_captured *captured)
{
    size_t count = capture->held_count;
    struct held *found = NULL;
    if (count > 0 && same_passage(held_at(capture, count - 1), captured))
        found = held_at(capture, count - 1);
    for (size_t i = 0; i < count && found == NULL; i++)
        if (same_passage(held_at(capture, i), captured)) found = held_at(capture, i);
    if (found == NULL) return false;
    found->notes |= captured->packet->notes;
    if (captured->kind == LTCP_TRACE_DROPPED) found->reason = captured->reason;
    if (found->decided == LTCP_NEVER) found->decided = captured->time;
    return true;
}

static void take_captured(struct bind_capture *capture, const struct ltcp_captured *captured)
{
    if (captured->link == LTCP_NOWHERE) return; /* it was on no link */
    const struct bind_link_record *link = &capture->net->links[captured->link];
    if (capture->receivers) {
        /* What leaves for a node of this network is seen once more, where it arrives. */
        bool again = captured->left && link->node[1 - captured->direction] != LTCP_NOWHERE;
        if (captured->kind != LTCP_TRACE_SENT && !again)
            write_packet(capture, captured, captured->packet->notes, captured->reason);
        return;
    }
    bool from_outside = link->node[captured->direction] == LTCP_NOWHERE;
    bool copy = (captured->packet->notes & LTCP_NOTE_DUPLICATE) != 0;
    if (captured->kind == LTCP_TRACE_SENT) {
        hold(capture, captured);
    } else if (!decide(capture, captured) && from_outside && !copy && !captured->left) {
        /* What a tunnel brought in, past the path, is seen first where it arrives. */
        struct held *held = hold(capture, captured);
        if (held != NULL) held->decided = captured->time;
    }
}

void bind_captures_drain(struct bind_network *net)
{
    if (net->captures == NULL) return;
    struct ltcp_captured captured;
    while (ltcp_network_next_captured(net->network, &captured)) {
        for (struct bind_capture *c = net->captures; c != NULL; c = c->next)
            take_captured(c, &captured);
        ltcp_packet_unref(captured.packet);
    }
    for (struct bind_capture *c = net->captures; c != NULL; c = c->next)
        write_held(c, ltcp_network_now(net->network), false);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void set_limit(struct bind_network *net)
{
    size_t limit = 0;
    for (const struct bind_capture *c = net->captures; c != NULL; c = c->next)
        if (c->limit > limit) limit = c->limit;
    ltcp_network_capture(net->network, limit);
}

static uint64_t missed(const struct bind_capture *capture)
{
    if (capture->net == NULL) return capture->missed;
    return ltcp_network_captures_missed(capture->net->network) - capture->missed_before;
}

/* Completes what is written and lets go of the network. */
static void finish(struct bind_capture *capture)
{
    struct bind_network *net = capture->net;
    bind_captures_drain(net);
    write_held(capture, LTCP_NEVER, true);
    capture->missed = missed(capture);
    for (struct bind_capture **at = &net->captures; *at != NULL; at = &(*at)->next) {
        if (*at != capture) continue;
        *at = capture->next;
        break;
    }
    capture->net = NULL;
    set_limit(net);
    bind_resize(net, capture->held, capture->held_room * sizeof *capture->held, 0);
    bind_resize(net, capture->interfaces, capture->interface_room * sizeof *capture->interfaces, 0);
    capture->held = NULL;
    capture->interfaces = NULL;
    if (capture->file == NULL) return;
    bool open = capture->borrowed == NULL || capture->borrowed->closef != NULL;
    int failed = 0;
    if (capture->borrowed == NULL)
        failed = fclose(capture->file);
    else if (open)
        failed = fflush(capture->file);
    if (failed != 0 && capture->error == 0) capture->error = errno;
    capture->file = NULL;
}

void bind_captures_detach(struct bind_network *net)
{
    while (net->captures != NULL)
        finish(net->captures);
}

/* ---- the class ------------------------------------------------------------------------------ */

static int outcome(lua_State *L, const struct bind_capture *capture)
{
    if (capture->error != 0) return bind_system_failure(L, "capture", capture->error);
    lua_pushboolean(L, true);
    return 1;
}

/* Where its octets go. Gives how many values to return when it fails, else 0. */
static int open_sink(lua_State *L, struct bind_capture *capture, const char *path, int file)
{
    if (path != NULL) {
        capture->file = fopen(path, "wb");
        return capture->file != NULL ? 0 : bind_system_failure(L, path, errno);
    }
    if (lua_isnil(L, file)) return 0;
    capture->borrowed = lua_touserdata(L, file);
    capture->file = capture->borrowed->f;
    lua_pushvalue(L, file);
    lua_setiuservalue(L, -2, 2);
    return 0;
}

int bind_capture(lua_State *L)
{
    static const char *const known[] = {"path", "file", "view", "limit", "most", NULL};
    struct bind_network *net = bind_check_network(L, 1);
    struct bind_options o;
    lua_settop(L, 2);
    bind_options_open(&o, L, 2, 2, "", known, 0);
    const char *path = bind_option_string(&o, "path", NULL);
    const char *view = bind_option_string(&o, "view", NULL);
    bind_option_push(&o, "file"); /* at 5 */
    const luaL_Stream *stream = luaL_testudata(L, 5, LUA_FILEHANDLE);
    if (!lua_isnil(L, 5) && (stream == NULL || stream->closef == NULL))
        return bind_option_error(&o, "file", "open file expected, got %s",
                                 luaL_tolstring(L, 5, NULL));
    if (view != NULL && strcmp(view, "sender") != 0 && strcmp(view, "receiver") != 0)
        return bind_option_error(&o, "view", "'sender' or 'receiver' expected, got '%s'", view);
    lua_Integer limit = bind_option_integer(&o, "limit", DEFAULT_LIMIT, 1, 1 << 24);
    lua_Integer most = bind_option_integer(&o, "most", LUA_MAXINTEGER, 0, LUA_MAXINTEGER);

    struct bind_capture *capture = lua_newuserdatauv(L, sizeof *capture, 2);
    memset(capture, 0, offsetof(struct bind_capture, block));
    capture->allocator = net;
    capture->limit = (size_t)limit;
    capture->memory_most = (lua_Unsigned)most < SIZE_MAX ? (size_t)most : SIZE_MAX;
    capture->receivers = view != NULL && strcmp(view, "receiver") == 0;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, BIND_CAPTURE);
    /* The network holds it: a capture that nobody refers to is still written. */
    lua_getiuservalue(L, 1, BIND_NETWORK_CAPTURES);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, true);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    int failed = open_sink(L, capture, path, 5);
    if (failed > 0) return failed;

    bind_captures_drain(net); /* what came before is not its business */
    capture->net = net;
    struct bind_capture **last = &net->captures; /* in the order they were made */
    while (*last != NULL)
        last = &(*last)->next;
    *last = capture;
    set_limit(net);
    capture->missed_before = ltcp_network_captures_missed(net->network);
    put_block(capture, ltcp_pcapng_section(capture->block));
    return 1;
}

static int capture_flush(lua_State *L)
{
    struct bind_capture *capture = luaL_checkudata(L, 1, BIND_CAPTURE);
    if (capture->net != NULL) {
        bind_captures_drain(capture->net);
        write_held(capture, LTCP_NEVER, false);
        bool open = capture->borrowed == NULL || capture->borrowed->closef != NULL;
        if (capture->file != NULL && open && fflush(capture->file) != 0 && capture->error == 0)
            capture->error = errno;
    }
    return outcome(L, capture);
}

static int capture_take(lua_State *L)
{
    struct bind_capture *capture = luaL_checkudata(L, 1, BIND_CAPTURE);
    if (capture->net != NULL) {
        bind_captures_drain(capture->net);
        write_held(capture, LTCP_NEVER, false);
    }
    lua_pushlstring(L, (const char *)capture->memory, capture->memory_length);
    capture->memory_length = 0;
    return 1;
}

static int capture_packets(lua_State *L)
{
    struct bind_capture *capture = luaL_checkudata(L, 1, BIND_CAPTURE);
    if (capture->net != NULL) bind_captures_drain(capture->net);
    lua_pushinteger(L, (lua_Integer)(capture->packets + capture->held_count));
    return 1;
}

static int capture_missed(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)missed(luaL_checkudata(L, 1, BIND_CAPTURE)));
    return 1;
}

static uint32_t check_link(lua_State *L, const struct bind_capture *capture)
{
    uint32_t link = bind_opt_link(L, 2, capture->net);
    luaL_argcheck(L, link != LTCP_NOWHERE, 2, "link expected");
    return link;
}

/* Before the link's first packet: what it does, for its interface in the file. */
static int capture_describe(lua_State *L)
{
    struct bind_capture *capture = luaL_checkudata(L, 1, BIND_CAPTURE);
    if (capture->net == NULL) return 0;
    interface_of(capture, check_link(L, capture), luaL_checkstring(L, 3));
    return outcome(L, capture);
}

/* What it has done by now. */
static int capture_statistics(lua_State *L)
{
    struct bind_capture *capture = luaL_checkudata(L, 1, BIND_CAPTURE);
    if (capture->net == NULL) return 0;
    uint32_t link = check_link(L, capture);
    const char *comment = luaL_checkstring(L, 3);
    bind_captures_drain(capture->net);
    write_held(capture, LTCP_NEVER, true);
    uint64_t packets = 0, dropped = 0;
    for (unsigned direction = 0; direction < 2; direction++) {
        struct ltcp_network *network = capture->net->network;
        const struct ltcp_path_counters *c =
            ltcp_path_counters(ltcp_network_path(network, link, direction));
        packets += c->packets;
        for (int i = LTCP_DROP_NONE + 1; i < LTCP_DROP_COUNT; i++)
            dropped += c->dropped[i];
    }
    uint32_t number = interface_of(capture, link, NULL);
    put_block(capture, ltcp_pcapng_statistics(capture->block, number,
                                              ltcp_network_now(capture->net->network), packets,
                                              dropped, comment));
    return outcome(L, capture);
}

static int capture_close(lua_State *L)
{
    struct bind_capture *capture = luaL_checkudata(L, 1, BIND_CAPTURE);
    if (capture->net != NULL) {
        finish(capture);
        lua_getiuservalue(L, 1, 1);
        lua_getiuservalue(L, -1, BIND_NETWORK_CAPTURES);
        lua_pushvalue(L, 1);
        lua_pushnil(L);
        lua_rawset(L, -3);
    }
    return outcome(L, capture);
}

static int capture_gc(lua_State *L)
{
    struct bind_capture *capture = luaL_checkudata(L, 1, BIND_CAPTURE);
    if (capture->net != NULL)
        finish(capture);
    else if (capture->file != NULL && capture->borrowed == NULL)
        fclose(capture->file);
    capture->file = NULL;
    bind_resize(capture->allocator, capture->memory, capture->memory_room, 0);
    capture->memory = NULL;
    capture->memory_length = capture->memory_room = 0;
    return 0;
}

static int capture_tostring(lua_State *L)
{
    const struct bind_capture *capture = luaL_checkudata(L, 1, BIND_CAPTURE);
    lua_pushfstring(L, "capture (%I packets%s)", (LUAI_UACINT)capture->packets,
                    capture->net == NULL ? ", closed" : "");
    return 1;
}

void bind_open_capture(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"flush", capture_flush},       {"take", capture_take},
        {"packets", capture_packets},   {"missed", capture_missed},
        {"describe", capture_describe}, {"statistics", capture_statistics},
        {"close", capture_close},       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", capture_gc},
                                    {"__close", capture_close},
                                    {"__tostring", capture_tostring},
                                    {NULL, NULL}};
    bind_class(L, BIND_CAPTURE, methods, meta);
}
