/* core/network/neighbours.c - the neighbour cache of RFC 4861 section 5.1, for IPv4 too.
 *
 * ARP knows no states; a reply is taken for a solicited advertisement that overrides, a request for
 * a solicitation that tells its sender's address. An entry lies in one of the WAYS slots of its
 * address's set: who fills the cache from outside can push out others, but not make it grow. */
#include "lunatcp/neighbours.h"

#include <string.h>

enum { WAYS = 8, SETS = LTCP_NEIGHBOURS / WAYS };

enum state { FREE, INCOMPLETE, REACHABLE, STALE, DELAY, PROBE, STATIC };

struct entry {
    struct ltcp_address address, source; /* the latter is whom to ask as */
    struct ltcp_mac mac;
    uint8_t state, asked;
    uint32_t peer;
    ltcp_time until; /* INCOMPLETE, DELAY, PROBE: what follows then; REACHABLE: is STALE then */
    ltcp_time used;
    struct ltcp_packet *waiting; /* INCOMPLETE; also while it is being handed out */
    bool done, failed;           /* `waiting` is for ltcp_neighbours_next_packet */
    bool owed;                   /* it asked for `target`, and did not say where it is */
    struct ltcp_address target;
};

struct ltcp_neighbours {
    struct ltcp_allocator allocator;
    struct ltcp_mac mac;
    struct ltcp_address locals[LTCP_NEIGHBOUR_LOCALS];
    unsigned local_count;
    unsigned awaited; /* entries for which something is due */
    unsigned done;    /* entries whose packet is to be taken */
    ltcp_time due;    /* not later than the first of them */
    unsigned frame_head, frame_count;
    struct ltcp_neighbours_counters counters;
    struct ltcp_neighbour_frame frames[LTCP_NEIGHBOUR_FRAMES];
    struct entry entries[LTCP_NEIGHBOURS];
};

/* ---- life ---------------------------------------------------------------------------------------
 */

struct ltcp_neighbours *ltcp_neighbours_create(const struct ltcp_allocator *allocator,
                                               const struct ltcp_mac *mac)
{
    struct ltcp_neighbours *t = allocator->resize(allocator->context, NULL, 0, sizeof *t);
    if (t == NULL) return NULL;
    memset(t, 0, sizeof *t);
    t->allocator = *allocator;
    t->mac = *mac;
    t->due = LTCP_NEVER;
    return t;
}

void ltcp_neighbours_destroy(struct ltcp_neighbours *t)
{
    if (t == NULL) return;
    for (unsigned i = 0; i < LTCP_NEIGHBOURS; i++)
        ltcp_packet_unref(t->entries[i].waiting);
    struct ltcp_allocator allocator = t->allocator;
    allocator.resize(allocator.context, t, sizeof *t, 0);
}

static bool is_local(const struct ltcp_neighbours *t, const struct ltcp_address *address)
{
    for (unsigned i = 0; i < t->local_count; i++)
        if (ltcp_address_equal(&t->locals[i], address)) return true;
    return false;
}

enum ltcp_status ltcp_neighbours_add_local(struct ltcp_neighbours *t,
                                           const struct ltcp_address *address)
{
    if (is_local(t, address)) return LTCP_OK;
    if (t->local_count == LTCP_NEIGHBOUR_LOCALS) return LTCP_ERR_NO_BUFFERS;
    t->locals[t->local_count++] = *address;
    return LTCP_OK;
}

struct ltcp_neighbours_counters ltcp_neighbours_counters(const struct ltcp_neighbours *t)
{
    return t->counters;
}

/* ---- entries ------------------------------------------------------------------------------------
 */

static struct entry *set_of(struct ltcp_neighbours *t, const struct ltcp_address *address)
{
    uint32_t hash = 2166136261u; /* FNV-1a: whom an enemy puts into one set is bounded by WAYS */
    for (unsigned i = 0; i < 16; i++)
        hash = (hash ^ address->bytes[i]) * 16777619u;
    return &t->entries[(hash >> 16 & (SETS - 1)) * WAYS];
}

static struct entry *find(struct ltcp_neighbours *t, const struct ltcp_address *address)
{
    struct entry *set = set_of(t, address);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].state != FREE && ltcp_address_equal(&set[i].address, address)) return &set[i];
    return NULL;
}

static bool is_awaited(const struct entry *e)
{
    return e->state == INCOMPLETE || e->state == DELAY || e->state == PROBE;
}

static void set_state(struct ltcp_neighbours *t, struct entry *e, enum state state, ltcp_time until)
{
    t->awaited -= is_awaited(e);
    e->state = (uint8_t)state;
    e->until = until;
    if (t->awaited == 0) t->due = LTCP_NEVER;
    t->awaited += is_awaited(e);
    if (is_awaited(e) && until < t->due) t->due = until;
}

/* Its packet is to be taken by the owner; one that was to be taken already goes. */
static void hand_out(struct ltcp_neighbours *t, struct entry *e, bool failed)
{
    if (e->waiting == NULL || e->done) return;
    e->done = true;
    e->failed = failed;
    t->done++;
}

static void release(struct ltcp_neighbours *t, struct entry *e)
{
    if (e->waiting == NULL) return;
    ltcp_packet_unref(e->waiting);
    t->done -= e->done;
    t->counters.dropped++;
    e->waiting = NULL;
    e->done = e->failed = false;
}

static void forget(struct ltcp_neighbours *t, struct entry *e)
{
    set_state(t, e, FREE, 0);
    release(t, e);
    t->counters.entries--;
}

/* A free slot, or that of whom was not needed for longest. NULL: all are static. */
static struct entry *add(struct ltcp_neighbours *t, const struct ltcp_address *address,
                         ltcp_time now)
{
    struct entry *set = set_of(t, address), *best = NULL;
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].state == STATIC) continue;
        if (set[i].state == FREE && !set[i].done) {
            best = &set[i];
            break;
        }
        if (best == NULL || set[i].used < best->used) best = &set[i];
    }
    if (best == NULL) return NULL;
    if (best->state != FREE) {
        t->counters.forgotten++;
        forget(t, best);
    }
    release(t, best);
    *best = (struct entry){.address = *address, .used = now};
    t->counters.entries++;
    return best;
}

enum ltcp_status ltcp_neighbours_add_static(struct ltcp_neighbours *t,
                                            const struct ltcp_address *address,
                                            const struct ltcp_mac *mac, uint32_t peer)
{
    struct entry *e = find(t, address);
    if (e == NULL) e = add(t, address, 0);
    if (e == NULL) return LTCP_ERR_NO_BUFFERS;
    e->mac = *mac;
    e->peer = peer;
    set_state(t, e, STATIC, 0);
    return LTCP_OK;
}

/* ---- frames -------------------------------------------------------------------------------------
 */

/* Room for a frame with that header; NULL: there is none. */
static struct ltcp_neighbour_frame *new_frame(struct ltcp_neighbours *t, const struct ltcp_mac *to,
                                              uint16_t type, uint32_t peer)
{
    if (t->frame_count == LTCP_NEIGHBOUR_FRAMES) {
        t->counters.dropped++;
        return NULL;
    }
    unsigned at = (t->frame_head + t->frame_count++) % LTCP_NEIGHBOUR_FRAMES;
    struct ltcp_neighbour_frame *frame = &t->frames[at];
    const struct ltcp_ethernet ethernet = {*to, t->mac, type};
    ltcp_ethernet_encode(&ethernet, frame->bytes);
    frame->peer = peer;
    return frame;
}

bool ltcp_neighbours_next_frame(struct ltcp_neighbours *t, struct ltcp_neighbour_frame *out)
{
    if (t->frame_count == 0) return false;
    *out = t->frames[t->frame_head];
    t->frame_head = (t->frame_head + 1) % LTCP_NEIGHBOUR_FRAMES;
    t->frame_count--;
    return true;
}

static void send_arp(struct ltcp_neighbours *t, const struct ltcp_arp *arp,
                     const struct ltcp_mac *to, uint32_t peer)
{
    struct ltcp_neighbour_frame *frame = new_frame(t, to, LTCP_ETHERTYPE_ARP, peer);
    if (frame == NULL) return;
    ltcp_arp_encode(arp, frame->bytes + LTCP_ETHERNET_HEADER);
    frame->length = LTCP_ETHERNET_HEADER + LTCP_ARP_LENGTH;
}

static void send_neighbour(struct ltcp_neighbours *t, const struct ltcp_neighbour *n,
                           const struct ltcp_mac *to, uint32_t peer)
{
    struct ltcp_neighbour_frame *frame = new_frame(t, to, LTCP_ETHERTYPE_IPV6, peer);
    if (frame == NULL) return;
    size_t length = ltcp_neighbour_encode(n, frame->bytes + LTCP_ETHERNET_HEADER);
    frame->length = (uint8_t)(LTCP_ETHERNET_HEADER + length);
}

/* Asks everybody (RFC4861:7.2.2-1), or, to see whether it is still there, whom we know
 * (RFC4861:7.3.3-2). */
static void ask(struct ltcp_neighbours *t, struct entry *e, ltcp_time now)
{
    bool probe = e->state == PROBE, six = !ltcp_address_is_v4(&e->address);
    uint32_t peer = probe ? e->peer : LTCP_EVERY_PEER;
    struct ltcp_address group = ltcp_solicited_node(&e->address);
    struct ltcp_mac to = probe ? e->mac : six ? ltcp_mac_of_group(&group) : ltcp_mac_broadcast();
    if (six) {
        const struct ltcp_neighbour n = {.source = e->source,
                                         .destination = probe ? e->address : group,
                                         .target = e->address,
                                         .mac = t->mac,
                                         .has_mac = true}; /* RFC4861:7.2.2-4 */
        send_neighbour(t, &n, &to, peer);
    } else {
        /* RFC826:5-1 */
        const struct ltcp_arp arp = {.operation = LTCP_ARP_REQUEST,
                                     .sender_mac = t->mac,
                                     .sender = e->source,
                                     .target = e->address};
        send_arp(t, &arp, &to, peer);
    }
    e->asked++;
    t->counters.asked++;
    /* RFC4861:7.2.2-5, RFC4861:7.2.2-6 */
    set_state(t, e, (enum state)e->state, now + LTCP_NEIGHBOUR_RETRANS);
}

/* RFC 4861 section 7.2.4; `asker` unspecified: nobody in particular. */
static void advertise(struct ltcp_neighbours *t, const struct ltcp_address *target,
                      const struct ltcp_address *asker, const struct ltcp_mac *to, uint32_t peer)
{
    static const struct ltcp_address all_nodes = {{0xFF, 2, [15] = 1}};
    bool nobody = ltcp_address_is_unspecified(asker);
    const struct ltcp_mac all = ltcp_mac_of_group(&all_nodes);
    const struct ltcp_neighbour n = {.source = *target,
                                     .destination = nobody ? all_nodes : *asker,
                                     .target = *target,
                                     .mac = t->mac,
                                     .advertisement = true,
                                     .has_mac = true,      /* RFC4861:7.2.4-1 */
                                     .solicited = !nobody, /* RFC4861:7.2.4-4, RFC4861:7.2.4-5 */
                                     .override =
                                         true}; /* RFC4861:7.2.4-3; no router: RFC4861:7.2.4-2 */
    send_neighbour(t, &n, nobody ? &all : to, nobody ? LTCP_EVERY_PEER : peer);
    t->counters.answered++;
}

/* ---- sending to somebody ------------------------------------------------------------------------
 */

bool ltcp_neighbours_find(struct ltcp_neighbours *t, ltcp_time now,
                          const struct ltcp_address *source, const struct ltcp_address *destination,
                          struct ltcp_packet *packet, struct ltcp_mac *mac, uint32_t *peer)
{
    /* RFC4861:7.2-2 */
    if (ltcp_address_is_multicast(destination) || ltcp_address_is_broadcast(destination)) {
        *mac = ltcp_mac_of_group(destination);
        *peer = LTCP_EVERY_PEER;
        return true;
    }
    struct entry *e = find(t, destination);
    if (e == NULL) {
        e = add(t, destination, now);
        if (e == NULL) return false;
        e->source = *source; /* RFC4861:7.2.2-3 */
        set_state(t, e, INCOMPLETE, now + LTCP_NEIGHBOUR_RETRANS);
        ask(t, e, now);
    }
    e->used = now;
    if (e->state == INCOMPLETE) { /* RFC4861:7.2.2-2: the latest one is kept */
        if (packet == NULL) return false;
        release(t, e);
        e->waiting = ltcp_packet_ref(packet);
        return false;
    }
    if (e->state == REACHABLE && now >= e->until) set_state(t, e, STALE, 0);
    if (e->state == STALE) { /* RFC4861:7.3.3-1 */
        e->source = *source;
        set_state(t, e, DELAY, now + LTCP_NEIGHBOUR_DELAY);
    }
    *mac = e->mac;
    *peer = e->peer;
    return true;
}

struct ltcp_packet *ltcp_neighbours_next_packet(struct ltcp_neighbours *t, struct ltcp_mac *mac,
                                                uint32_t *peer, bool *failed)
{
    for (unsigned i = 0; t->done > 0 && i < LTCP_NEIGHBOURS; i++) {
        struct entry *e = &t->entries[i];
        if (!e->done) continue;
        struct ltcp_packet *packet = e->waiting;
        *mac = e->mac;
        *peer = e->peer;
        *failed = e->failed;
        e->waiting = NULL;
        e->done = e->failed = false;
        t->done--;
        return packet;
    }
    return NULL;
}

/* ---- time ---------------------------------------------------------------------------------------
 */

ltcp_time ltcp_neighbours_deadline(const struct ltcp_neighbours *t)
{
    return t->awaited > 0 ? t->due : LTCP_NEVER;
}

static void came_due(struct ltcp_neighbours *t, struct entry *e, ltcp_time now)
{
    if (e->state == DELAY) {
        e->asked = 0;
        set_state(t, e, PROBE, now + LTCP_NEIGHBOUR_RETRANS);
        ask(t, e, now);
    } else if (e->asked < LTCP_NEIGHBOUR_SOLICIT) {
        ask(t, e, now);
    } else { /* RFC4861:7.2.2-7, RFC4861:7.3.3-3: the next packet begins anew */
        t->counters.failed++;
        hand_out(t, e, true);
        set_state(t, e, FREE, 0);
        t->counters.entries--;
    }
}

void ltcp_neighbours_advance(struct ltcp_neighbours *t, ltcp_time now)
{
    if (t->awaited == 0 || now < t->due) return;
    t->due = LTCP_NEVER;
    for (unsigned i = 0; i < LTCP_NEIGHBOURS; i++) {
        struct entry *e = &t->entries[i];
        if (!is_awaited(e)) continue;
        if (e->until <= now) came_due(t, e, now);
        if (is_awaited(e) && e->until < t->due) t->due = e->until;
    }
}

/* ---- hearing ------------------------------------------------------------------------------------
 */

/* It is known now where the neighbour is. */
static void located(struct ltcp_neighbours *t, struct entry *e, const struct ltcp_mac *mac,
                    uint32_t peer)
{
    e->mac = *mac;
    e->peer = peer;
    t->counters.learned++;
    hand_out(t, e, false);
    if (e->owed) advertise(t, &e->target, &e->address, mac, peer);
    e->owed = false;
}

/* Somebody said unasked where they are: RFC4861:7.2.3-3, RFC826:6-5. */
static void note(struct ltcp_neighbours *t, ltcp_time now, const struct ltcp_address *address,
                 const struct ltcp_mac *mac, uint32_t peer, bool create)
{
    struct entry *e = find(t, address);
    if (e == NULL && create) e = add(t, address, now);
    if (e == NULL || e->state == STATIC) return;
    bool same = e->state != FREE && e->state != INCOMPLETE && ltcp_mac_equal(&e->mac, mac) &&
                e->peer == peer;
    if (same) return;
    located(t, e, mac, peer);
    set_state(t, e, STALE, 0);
}

/* An advertisement about an entry: RFC 4861 section 7.2.5. */
static void advertised(struct ltcp_neighbours *t, ltcp_time now, struct entry *e,
                       const struct ltcp_neighbour *n, uint32_t peer)
{
    if (e->state == STATIC) return;
    if (e->state == INCOMPLETE) {
        if (!n->has_mac) return; /* RFC4861:7.2.5-2; O does not matter: RFC4861:7.2.5-3 */
        located(t, e, &n->mac, peer);
        set_state(t, e, n->solicited ? REACHABLE : STALE, now + LTCP_NEIGHBOUR_REACHABLE);
        return;
    }
    bool differs = n->has_mac && (!ltcp_mac_equal(&e->mac, &n->mac) || e->peer != peer);
    if (differs && !n->override) { /* RFC4861:7.2.5-4 */
        if (e->state == REACHABLE) set_state(t, e, STALE, 0);
        return;
    }
    if (differs) located(t, e, &n->mac, peer); /* RFC4861:7.2.5-5 */
    if (n->solicited)                          /* RFC4861:7.2.5-6 */
        set_state(t, e, REACHABLE, now + LTCP_NEIGHBOUR_REACHABLE);
    else if (differs)
        set_state(t, e, STALE, 0);
}

/* The algorithm of RFC 826, "Packet Reception". */
enum ltcp_status ltcp_neighbours_hear_arp(struct ltcp_neighbours *t, ltcp_time now,
                                          const uint8_t *bytes, size_t length, uint32_t peer)
{
    struct ltcp_arp arp;
    enum ltcp_status status = ltcp_arp_decode(bytes, length, &arp);
    if (status != LTCP_OK) return status;
    if (ltcp_mac_is_group(&arp.sender_mac)) return LTCP_ERR_FRAMING;
    if (is_local(t, &arp.sender)) return LTCP_ERR_ADDRESS;
    bool known = !ltcp_address_is_unspecified(&arp.sender), ours = is_local(t, &arp.target);
    /* 0.0.0.0 asks whether an address is free: RFC 5227 section 2.1.1. It is nobody's. */
    known = known && memcmp(arp.sender.bytes + 12, "\0\0\0\0", 4) != 0 &&
            !ltcp_address_is_multicast(&arp.sender) && !ltcp_address_is_broadcast(&arp.sender);
    if (known && arp.operation == LTCP_ARP_REPLY) {
        struct entry *e = find(t, &arp.sender);
        const struct ltcp_neighbour n = {
            .mac = arp.sender_mac, .has_mac = true, .solicited = ours, .override = true};
        if (e != NULL) advertised(t, now, e, &n, peer); /* RFC826:6-4 */
        return LTCP_OK;
    }
    if (known) note(t, now, &arp.sender, &arp.sender_mac, peer, ours); /* RFC826:6-3 */
    if (!ours || arp.operation != LTCP_ARP_REQUEST) return LTCP_OK;    /* RFC826:6-6 */
    const struct ltcp_arp reply = {.operation = LTCP_ARP_REPLY,
                                   .sender_mac = t->mac,
                                   .sender = arp.target,
                                   .target_mac = arp.sender_mac,
                                   .target = arp.sender};
    send_arp(t, &reply, &arp.sender_mac, peer); /* RFC826:6-7 */
    t->counters.answered++;
    return LTCP_OK;
}

enum ltcp_status ltcp_neighbours_hear(struct ltcp_neighbours *t, ltcp_time now,
                                      const uint8_t *packet, size_t length, uint32_t peer)
{
    struct ltcp_neighbour n;
    enum ltcp_status status = ltcp_neighbour_decode(packet, length, &n);
    if (status != LTCP_OK) return status;
    if (is_local(t, &n.source)) return LTCP_ERR_ADDRESS;
    if (n.advertisement) {
        if (is_local(t, &n.target)) return LTCP_ERR_ADDRESS;
        struct entry *e = find(t, &n.target);
        if (e != NULL) advertised(t, now, e, &n, peer); /* RFC4861:7.2.5-1 */
        return LTCP_OK;
    }
    if (!is_local(t, &n.target)) return LTCP_OK; /* RFC4861:7.2.3-1 */
    /* RFC4861:7.2.3-2: of nobody there is nothing to note */
    bool nobody = ltcp_address_is_unspecified(&n.source);
    if (!nobody && n.has_mac) note(t, now, &n.source, &n.mac, peer, true);
    struct ltcp_mac to = n.mac;
    if (nobody || n.has_mac ||
        ltcp_neighbours_find(t, now, &n.target, &n.source, NULL, &to, &peer)) {
        advertise(t, &n.target, &n.source, &to, peer);
        return LTCP_OK;
    }
    /* RFC4861:7.2-1 */
    struct entry *e = find(t, &n.source); /* RFC4861:7.2.4-7: it is being asked for */
    if (e != NULL) {
        e->owed = true;
        e->target = n.target;
    }
    return LTCP_OK;
}
