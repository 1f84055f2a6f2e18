/* bindings/binding.h
 *
 * What the files of the Lua half share. Each file is one class or one idea; the module's table is
 * put together in module.c.
 *
 * Who owns what: a network's userdata owns the pool, the trace, the hosts and the network of the
 * core. All other objects point at it and keep it alive by their user values; they know that it is
 * closed because `network` is NULL then. The core never calls back, so no Lua error can cross one
 * of its frames; what is made by it is put where __gc finds it before Lua may raise again. */
#ifndef LUNATCP_BINDING_H
#define LUNATCP_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include "lunatcp/network.h"
#include "uv_tunnel.h"

/* ---- classes -------------------------------------------------------------------------------- */
#define BIND_NETWORK    "lunatcp.Network"
#define BIND_HOST       "lunatcp.Host"
#define BIND_ROUTER     "lunatcp.Router"
#define BIND_PEER       "lunatcp.Peer"
#define BIND_LINK       "lunatcp.Link"
#define BIND_CONNECTION "lunatcp.Connection"
#define BIND_INFO       "lunatcp.Info"
#define BIND_LISTENER   "lunatcp.Listener"
#define BIND_CAPTURE    "lunatcp.Capture"
#define BIND_SEGMENT    "lunatcp.Segment"
#define BIND_FLAGS      "lunatcp.Flags"
#define BIND_RANDOM     "lunatcp.Random"

/* Makes a class: `methods` behind __index (which may be NULL: `meta` has its own), `meta` in the
 * metatable. */
void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta);

void bind_open_network(lua_State *L); /* each sets its functions in the table on top */
void bind_open_nodes(lua_State *L);
void bind_open_connection(lua_State *L);
void bind_open_link(lua_State *L);
void bind_open_segment(lua_State *L);
void bind_open_flags(lua_State *L);
void bind_open_trace(lua_State *L);
void bind_open_capture(lua_State *L);
void bind_open_settings(lua_State *L);
void bind_open_sockets(lua_State *L);
void bind_open_utilities(lua_State *L);
void bind_open_authentication(lua_State *L);
void bind_open_loop(lua_State *L); /* the libuv half, in uv_loop.c */

/* ---- answers -------------------------------------------------------------------------------- */
/* nil, message, CODE. */
int bind_failure(lua_State *L, enum ltcp_status status);
/* true, or the same. */
int bind_result(lua_State *L, enum ltcp_status status);
void bind_push_time(lua_State *L, ltcp_time time);     /* seconds */
void bind_push_deadline(lua_State *L, ltcp_time time); /* seconds; LTCP_NEVER: nil */
void bind_push_address(lua_State *L, const struct ltcp_address *address);
/* A field of the table on top. */
void bind_set_number(lua_State *L, const char *name, uint64_t value);
void bind_set_flag(lua_State *L, const char *name, bool value);

/* ---- arguments, and option tables (options.c) ----------------------------------------------- */
/* Seconds become nanoseconds, rounded once, half away from zero. Raises for NaN and what does not
 * fit between `least` and `most`. */
ltcp_time bind_check_time(lua_State *L, int arg, ltcp_time least, ltcp_time most);
/* False: not a number, NaN, or out of the range of int64. */
bool bind_to_time(lua_State *L, int index, ltcp_time *out);
unsigned bind_check_direction(lua_State *L, int arg); /* 1 or 2 in Lua, 0 or 1 here */
void bind_check_address(lua_State *L, int arg, struct ltcp_address *out);
/* "10.0.0.1/24"; without a slash the whole address. */
void bind_check_prefix(lua_State *L, int arg, struct ltcp_address *out, uint8_t *length);

/* A table of options that is being read. Every error names `where` and the key. */
struct bind_options {
    lua_State *L;
    int table;         /* absolute index */
    int arg;           /* of the function, for messages; 0: raise without */
    const char *where; /* "": the argument itself; else such as "path" or "end 1" */
    uint64_t given[2]; /* a bit for each of the first 128 known keys: it is there */
};
/* Raises unless there is a table that has no other keys than `known` (ends with NULL) and the
 * integers 1..array. nil and none count as an empty table (o->table is 0 then). */
void bind_options_open(struct bind_options *o, lua_State *L, int index, int arg, const char *where,
                       const char *const *known, lua_Integer array);
/* Whether the table has the i-th known key, for those that go through a long list. */
bool bind_option_given(const struct bind_options *o, size_t i);
/* Pushes the value, nil when absent; its type. */
int bind_option_push(const struct bind_options *o, const char *key);
int bind_option_push_index(const struct bind_options *o, lua_Integer index);
int bind_option_error(const struct bind_options *o, const char *key, const char *format, ...);
bool bind_option_present(const struct bind_options *o, const char *key);
bool bind_option_flag(const struct bind_options *o, const char *key, bool otherwise);
lua_Integer bind_option_integer(const struct bind_options *o, const char *key,
                                lua_Integer otherwise, lua_Integer least, lua_Integer most);
/* A number that need not be whole: rounded. */
lua_Integer bind_option_rounded(const struct bind_options *o, const char *key,
                                lua_Integer otherwise, lua_Integer least, lua_Integer most);
ltcp_time bind_option_time(const struct bind_options *o, const char *key, ltcp_time otherwise,
                           ltcp_time least, ltcp_time most);
uint64_t bind_option_chance(const struct bind_options *o, const char *key, uint64_t otherwise);
/* The string stays on the stack. NULL when absent. */
const char *bind_option_string(const struct bind_options *o, const char *key, size_t *length);
bool bind_option_address(const struct bind_options *o, const char *key, struct ltcp_address *out);
/* The value on top of the stack, called `key` in messages; not popped. */
ltcp_time bind_value_time(const struct bind_options *o, const char *key, ltcp_time least,
                          ltcp_time most);
uint64_t bind_value_chance(const struct bind_options *o, const char *key);
void bind_value_prefix(const struct bind_options *o, const char *key, struct ltcp_address *out,
                       uint8_t *length);
lua_Integer bind_value_integer(const struct bind_options *o, const char *key, lua_Integer least,
                               lua_Integer most);

/* ---- settings (settings.c) ------------------------------------------------------------------ */
/* Puts the table at `index` (or nothing) on top of `settings`; raises for what is wrong in it. */
void bind_read_settings(lua_State *L, int index, int arg, const char *where,
                        struct ltcp_settings *settings);
void bind_push_settings(lua_State *L, const struct ltcp_settings *settings);

/* ---- congestion control in Lua (congestion.c) ------------------------------------------------ */
struct bind_congestions; /* of a Lua state */
struct bind_network;
void bind_open_congestion(lua_State *L);
/* The core's, or one that a script has defined; NULL: none has that name. */
const struct ltcp_congestion_ops *bind_congestion_find(lua_State *L, const char *name);
int bind_congestion_names(lua_State *L); /* pushes an array */
void bind_congestion_attach(lua_State *L, struct bind_network *net);
bool bind_congestion_exists(const struct bind_network *net);
/* Raises while a function of a congestion control runs. */
void bind_congestion_guard(lua_State *L, const struct bind_network *net);
/* One has failed: the core is to return soon. */
bool bind_congestion_stops(const struct bind_network *net);
/* Once the core has returned: true, and the error on top of the stack; or raises it. */
bool bind_congestion_failed(lua_State *L, const struct bind_network *net);
void bind_congestion_raise(lua_State *L, const struct bind_network *net);

/* ---- the network ---------------------------------------------------------------------------- */
enum bind_node_kind { BIND_NODE_HOST, BIND_NODE_ROUTER, BIND_NODE_PEER };
struct bind_node_record {
    enum bind_node_kind kind;
    struct ltcp_host *host; /* or NULL */
};
struct bind_link_record {
    uint32_t node[2];
    bool tunnel;
    char name[32]; /* in captures */
};
/* A connection that nobody refers to any more. */
struct bind_forgotten {
    uint32_t node;
    ltcp_handle handle;
    bool abort; /* it was still open */
};
struct bind_capture;

enum {                         /* user values of the network */
       BIND_NETWORK_NODES = 1, /* node number -> object */
       BIND_NETWORK_LINKS,     /* link number -> object */
       BIND_NETWORK_RULES,     /* link << 32 | rule -> function */
       BIND_NETWORK_HOOK,      /* of on_trace */
       BIND_NETWORK_VIEW,      /* the segment view */
       BIND_NETWORK_CAPTURES,  /* set of captures that are open */
       BIND_NETWORK_VALUES = BIND_NETWORK_CAPTURES
};
struct bind_view;
struct bind_explorer;
struct bind_network {
    struct ltcp_network *network; /* NULL: closed */
    struct ltcp_pool *pool;
    struct ltcp_trace *trace;
    struct ltcp_tunnels tunnels;
    struct ltcp_relay *relays; /* uv_relay.h */
    lua_Alloc allocate;        /* the Lua state's; used without its accounts */
    void *allocate_context;
    uint64_t seed;
    struct bind_node_record *nodes;
    struct bind_link_record *links;
    uint32_t node_count, node_room, link_count, link_room;
    /* Room for every connection that could be forgotten, so that __gc never allocates. */
    struct bind_forgotten *forgotten;
    size_t forgotten_count, forgotten_room, owned;
    uint8_t *scratch; /* BIND_SCRATCH octets, or NULL: what is read passes through it */
    struct bind_view *view;
    struct bind_capture *captures;
    struct bind_sockets_record *sockets; /* tables of descriptors, of any host (socket.h) */
    struct bind_congestions *congestions;
    struct bind_explorer *explorer; /* that leads the run, or NULL (explore.h) */
    uint64_t heard;                 /* serial of the first trace event that the hook has not seen */
    uint32_t heard_kinds;           /* 0: no hook */
    uint32_t last_events;           /* node that said it had events */
    bool stepping;
};
#define BIND_SCRATCH 65536

/* Raises when it is none, or closed. */
struct bind_network *bind_check_network(lua_State *L, int index);
void bind_check_open(lua_State *L, const struct bind_network *net);
/* Memory by the network's allocator. NULL: there is none; `old` is as it was. */
void *bind_resize(struct bind_network *net, void *old, size_t old_size, size_t size);
/* Makes room for one more record in an array; false: no memory. */
bool bind_reserve(struct bind_network *net, void **array, uint32_t count, uint32_t *room,
                  size_t record);

/* ---- nodes: three classes, one struct. User values: the network; handle -> object, weak ------ */
enum { BIND_NODE_NETWORK = 1, BIND_NODE_OBJECTS, BIND_NODE_VALUES = BIND_NODE_OBJECTS };
struct bind_node {
    struct bind_network *net;
    uint32_t id;
    enum bind_node_kind kind;
};
struct bind_node *bind_check_node(lua_State *L, int index); /* of any class; the network is open */
struct bind_node *bind_check_host(lua_State *L, int index);
struct bind_node *bind_to_node(lua_State *L, int index); /* NULL: something else */
/* Pushes the node's object, made where there is none; `network` is the index of the network. */
void bind_push_node(lua_State *L, int network, uint32_t id);
static inline struct ltcp_host *bind_host_of(const struct bind_node *node)
{
    return node->net->nodes[node->id].host;
}
int bind_node_route(lua_State *L, const struct bind_node *node, int destination, int link);
/* Next event of the host at `host`, pushed as next_event gives it; 0: none. */
int bind_next_event(lua_State *L, int host);

/* ---- connections and listeners. User value: the host ---------------------------------------- */
struct bind_connection {
    struct bind_network *net;
    ltcp_handle handle; /* 0: none yet */
    uint32_t node;
    bool owned;  /* the script asked for it (connect, accept, listen): it is the script's to end */
    bool closed; /* close or abort was called */
    bool released;
    bool listener;
};
/* Pushes the object of a handle of the host at `host`; NULL, and nothing, when there is none. */
struct bind_connection *bind_find_connection(lua_State *L, int host, ltcp_handle handle);
/* The same, made where there is none. */
struct bind_connection *bind_push_connection(lua_State *L, int host, ltcp_handle handle,
                                             bool listener);
int bind_connect(lua_State *L); /* methods of the host, in connection.c */
int bind_listen(lua_State *L);
int bind_fast_open_keys(lua_State *L); /* ... and in fast_open.c */
int bind_fast_open_rotate(lua_State *L);
int bind_fast_open_flush(lua_State *L);
int bind_fast_open_known(lua_State *L);
/* paths.c */
int bind_path_mtu(lua_State *L);
int bind_path_mtu_flush(lua_State *L);
int bind_sockets(lua_State *L); /* in socket.c */
void bind_sockets_detach(struct bind_network *net);
void bind_push_info(lua_State *L, const struct ltcp_info *info);

/* ---- links. User value: the network --------------------------------------------------------- */
struct bind_link {
    struct bind_network *net;
    uint32_t id;
};
struct bind_link *bind_check_link(lua_State *L, int index);
/* The link's number, or LTCP_NOWHERE for nil; raises for one of another network. */
uint32_t bind_opt_link(lua_State *L, int arg, const struct bind_network *net);
void bind_push_link(lua_State *L, int network, uint32_t id);
int bind_add_link(lua_State *L); /* network:link */
void bind_read_path(lua_State *L, int index, int arg, const char *where,
                    struct ltcp_path_config *path);
void bind_push_path(lua_State *L, const struct ltcp_path_config *path);
/* bindings/queue.c: the option `queue` of a path's table, nil: as it was; and what is told of it.
 */
void bind_read_queue(const struct bind_options *o, struct ltcp_path_config *path);
void bind_push_queue(lua_State *L, const struct ltcp_path_config *path);
void bind_push_queue_counters(lua_State *L, const struct ltcp_path *path, ltcp_time now);
int bind_link_rule(lua_State *L); /* rule.c */
int bind_link_remove_rule(lua_State *L);
int bind_link_rule_counts(lua_State *L);
/* What a hook answered, on top of the stack: false when it did not answer. Raises for nonsense. */
bool bind_read_verdict(lua_State *L, int index, struct ltcp_fate *fate);

/* ---- authentication.c: methods of host and connection, and what is told ---------------------- */
int bind_md5_key(lua_State *L);
int bind_remove_md5_key(lua_State *L);
int bind_ao_key(lua_State *L);
int bind_remove_ao_key(lua_State *L);
int bind_keys(lua_State *L);
int bind_ao_restore(lua_State *L);
int bind_connection_ao_keys(lua_State *L);
int bind_connection_ao_save(lua_State *L);
void bind_set_authentication(lua_State *L, const struct ltcp_authentication_info *info);
void bind_set_authentication_counters(lua_State *L, const struct ltcp_host *host);

/* ---- segments ------------------------------------------------------------------------------- */
struct bind_view {
    const struct ltcp_packet *packet; /* NULL: over */
    struct ltcp_ip ip;
    struct ltcp_segment tcp;
    ltcp_time time;
    uint32_t link;
    uint8_t direction;
    uint8_t parsed; /* enum bind_parsed */
    bool first;
};
enum bind_parsed { BIND_UNPARSED, BIND_NOTHING, BIND_IP, BIND_TCP, BIND_ICMP };
struct bind_view *bind_new_view(lua_State *L);
/* Reads headers as far as they can be believed; checks no checksum. */
void bind_parse(struct bind_view *view);
/* Pushes the table of a packet. `quoted`: its end may be missing. */
void bind_push_packet(lua_State *L, struct bind_view *view, bool quoted);
void bind_push_fields(lua_State *L, struct bind_view *view); /* the headers alone */
/* Sets time, first, notes, link, direction in the table on top. */
void bind_set_passage(lua_State *L, const struct bind_view *view);
/* A packet on the stack that borrows `bytes`, split behind its headers. */
void bind_borrow_packet(struct ltcp_packet *packet, const uint8_t *bytes, size_t length);
void bind_push_options(lua_State *L, const uint8_t *bytes, size_t length);
const char *bind_option_name(unsigned kind); /* NULL: unknown */
int bind_option_kind(const char *name);      /* -1: unknown */
int bind_decode(lua_State *L);
int bind_encode(lua_State *L);
void bind_push_notes(lua_State *L, unsigned notes);

void bind_push_flags(lua_State *L, unsigned flags);
size_t bind_flag_letters(unsigned flags, char out[10]);
/* Letters, a table of names, bits or a flags object. -1: none of these. `unset` (or NULL) gets what
 * a table says to be false. */
int bind_to_flags(lua_State *L, int index, unsigned *unset);

/* ---- trace, capture, steps ------------------------------------------------------------------ */
void bind_push_trace_event(lua_State *L, const struct ltcp_trace_event *event);
/* The mask of an array of kinds; raises. `fallback` for nil. */
uint32_t bind_check_kinds(lua_State *L, int arg, uint32_t fallback);
extern const luaL_Reg bind_trace_methods[]; /* of the network, in trace.c and step.c */
extern const luaL_Reg bind_step_methods[];
int bind_capture(lua_State *L);                      /* network:capture */
void bind_captures_drain(struct bind_network *net);  /* writes what waits; never raises */
void bind_captures_detach(struct bind_network *net); /* the network closes */
int bind_new_random(lua_State *L, uint64_t seed, const char *name);

#endif
