/* core/tcp/engine.h
 *
 * What connections of one host share, and all that they know of it: memory, the trace, the heap of
 * deadlines, and the queues in which the host finds what they want. Internal to the core. */
#ifndef LUNATCP_TCP_ENGINE_H
#define LUNATCP_TCP_ENGINE_H

#include "lunatcp/authentication.h"
#include "lunatcp/host.h"
#include "lunatcp/packet.h"
#include "lunatcp/settings.h"
#include "lunatcp/trace.h"
#include "lunatcp/wire.h"

struct ltcp_connection;
struct ltcp_keys;
struct ltcp_rare;
struct ltcp_fast_open_cache;
struct ltcp_path_cache;

struct ltcp_time_wait;

/* `who`: a connection, or a TIME-WAIT record and 1 */
struct ltcp_deadline {
    ltcp_time when;
    uintptr_t who;
};

/* What all connections hold in their queues, in octets of data, and its limits (memory.c). */
struct ltcp_memory {
    uint64_t used;
    uint64_t low, pressure, most; /* UINT64_MAX: no limit */
    bool pressed;                 /* `pressure` was passed, and `low` is not reached again */
    uint64_t pressures;           /* how often */
    uint64_t windows_held, pruned, dropped, orphans_ended;
};

/* Options of illegal forms, that were ignored (core/host/options.c): by length, place, number and
 * value. */
struct ltcp_option_counters {
    uint64_t malformed, misplaced, repeated, invalid;
};

/* What the headers of a burst's segments say of the connection when it leaves (burst.c). */
struct ltcp_model {
    ltcp_seq ack;
    uint32_t window; /* the field */
    uint32_t ts_value, ts_echo;
};

struct ltcp_engine {
    struct ltcp_pool *pool;
    struct ltcp_trace *trace;
    uint32_t id;                           /* of the host, in trace records */
    const struct ltcp_siphash_key *secret; /* the host's */

    /* 4-ary heap; an entry may be earlier than its connection's deadline, never later */
    struct ltcp_deadline *heap;
    uint32_t heap_count, heap_capacity;

    struct ltcp_connection *pending_first, *pending_last; /* have something to send */
    struct ltcp_connection *event_first, *event_last;     /* have something to tell the user */
    struct ltcp_connection *changed;                      /* opened, died or can be forgotten */
    struct ltcp_packet *out_first, *out_last;             /* made, not yet taken */
    uint32_t out_count;                                   /* segments */
    bool device_full;                                     /* what leaves is dropped (device.c) */
    uint64_t device_dropped;
    uint32_t out_room; /* as many are taken next: a connection may stop there ... */
    bool out_cut;      /* ... and then goes on first */
    uint32_t gathers;  /* interfaces (bit i: interface i) that take bursts as one packet, ... */
    uint32_t gather_overhead; /* ... and add so many octets to each segment */

    struct ltcp_memory memory;
    struct ltcp_send_queue *spare_queues;
    struct ltcp_slice *spare_slices;
    uint32_t spare_queue_count, spare_slice_count;
    uint32_t time_waits;
    uint64_t time_waits_cut;            /* for want of room */
    uint32_t orphans;                   /* orphan.c */
    uint64_t orphans_cut;               /* reset, since there were too many */
    ltcp_time challenge_second;         /* challenge.c */
    uint64_t challenges;                /* in it */
    uint16_t changes[LTCP_STATE_COUNT]; /* of state, so far: from each, bits of those to which */
    char illegal[96]; /* checked builds: a change that section 3.10 does not name */
    const struct ltcp_connection
        *template_of; /* whose headers the template holds; NULL: nobody's */
    struct ltcp_template template;
    struct ltcp_model model;  /* where the template keeps one */
    struct ltcp_rare *nobody; /* stands in for a record that there was no memory for */
    struct ltcp_fast_open_cache *fast_open; /* what clients remember; NULL: nothing yet */
    struct ltcp_path_cache *paths;          /* their MTUs; NULL: nothing was learned yet */
    uint64_t paths_shared;                  /* connections that began with what it says */
    struct ltcp_option_counters options;
    struct ltcp_authentication_counters authentication;
    const struct ltcp_crypto *crypto; /* NULL: none was handed in */
    struct ltcp_keys *keys;           /* NULL: no key was ever added (authentication.h) */
    uint16_t next_identification;
#if defined(LTCP_CHECK) && LTCP_CHECK
    bool short_ways; /* tests compare both; by itself a checked build takes the long ones */
#endif
};

/* Whether what is ordinary is told from the rest (prediction.c, burst.c). */
static inline bool takes_short_ways(const struct ltcp_engine *e)
{
#if defined(LTCP_CHECK) && LTCP_CHECK
    return e->short_ways;
#else
    (void)e;
    return true;
#endif
}

/* Settings are shared by all connections that did not change any. */
struct ltcp_share {
    uint32_t refs;
    struct ltcp_settings settings;
};

/* engine.c */
void *engine_resize(struct ltcp_engine *e, void *old, size_t old_size, size_t size);
void *engine_zeroed(struct ltcp_engine *e, size_t size);
/* False: the device had no room, and the packet is gone. */
bool engine_enqueue(struct ltcp_engine *e, struct ltcp_packet *packet);
void engine_close(struct ltcp_engine *e);
struct ltcp_share *share_create(struct ltcp_engine *e, const struct ltcp_settings *settings);
struct ltcp_share *share_ref(struct ltcp_share *share);
void share_unref(struct ltcp_engine *e, struct ltcp_share *share);

/* device.c */
void device_set(struct ltcp_engine *e, const struct ltcp_settings *settings);
bool device_takes(struct ltcp_engine *e, struct ltcp_packet *packet);

/* memory.c */
void memory_set_limits(struct ltcp_engine *e, const struct ltcp_settings *settings);
void memory_press(struct ltcp_engine *e);
/* A queue became empty: where all are, the pool keeps no more than a share for the next burst. */
void memory_rest(struct ltcp_engine *e);
static inline void memory_settle(struct ltcp_engine *e)
{
    if (e->memory.used == 0) memory_rest(e);
}
static inline void memory_charge(struct ltcp_engine *e, uint32_t octets)
{
    e->memory.used += octets;
    if (e->memory.used > e->memory.pressure) memory_press(e);
}
static inline void memory_give_back(struct ltcp_engine *e, uint32_t octets)
{
    e->memory.used -= octets;
    if (e->memory.pressed && e->memory.used <= e->memory.low) e->memory.pressed = false;
}

/* deadlines.c */
/* Room for one more connection, so that arming a timer cannot fail later; false: no memory. */
bool deadlines_reserve(struct ltcp_engine *e, uint32_t connections);
void deadlines_lower(struct ltcp_connection *c, ltcp_time when);
void deadlines_remove(struct ltcp_connection *c);
/* The same of TIME-WAIT records, whose entry is their deadline itself. */
void deadlines_add_time_wait(struct ltcp_engine *e, struct ltcp_time_wait *w, ltcp_time when);
void deadlines_move_time_wait(struct ltcp_engine *e, struct ltcp_time_wait *w, ltcp_time when);
void deadlines_remove_time_wait(struct ltcp_engine *e, struct ltcp_time_wait *w);
/* Whose entry is due at `now`, taken out of the heap: one of the two; false: none. */
bool deadlines_pop(struct ltcp_engine *e, ltcp_time now, struct ltcp_connection **connection,
                   struct ltcp_time_wait **time_wait);

#endif
