/* bindings/uv_relay.c - UDP through a link, between sockets that know nothing of it. */
#include "uv_relay.h"

#include "lunatcp/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 65535,     /* no datagram and no train is longer */
    ARRIVALS = 8,      /* blocks that wait for datagrams or trains */
    RECEIVE_CALLS = 8, /* a turn, so that other sockets and timers get theirs */
    SEND_AT_ONCE = 256,
    BUCKETS = 1024, /* a power of two */
    UDP_HEADER = 8,
    NOBODY = -1
};

/* A socket of the relay: the one that clients know, or that of one client towards the server. */
struct outlet {
    struct ltcp_relay *relay;
    struct ltcp_watch *watch;
    struct udp udp;
    int number; /* of the client; NOBODY: the clients' socket */
};

struct client {
    struct outlet outlet;
    bool used;
    struct udp_address address;
    struct ltcp_address source; /* the same, as in the IP header */
    ltcp_time last;             /* when something came or went */
    int next;                   /* in its bucket */
};

struct ltcp_relay {
    struct ltcp_relay *next; /* of the same network */
    struct ltcp_relay_config config;
    bool open;
    struct outlet near;
    struct ltcp_address server; /* as in the IP header */
    uint16_t server_port;
    struct client *clients;
    uint32_t client_count;
    int buckets[BUCKETS];
    struct ltcp_block *blocks[ARRIVALS];
    struct ltcp_relay_counters counters;
};

/* ---- addresses --------------------------------------------------------------------------------
 */

static struct ltcp_address inner_of(const struct udp_address *a)
{
    struct ltcp_address out;
    if (a->socket.any.sa_family == AF_INET) {
        uint8_t p[4];
        memcpy(p, &a->socket.v4.sin_addr, 4);
        return ltcp_address_v4(p[0], p[1], p[2], p[3]);
    }
    memcpy(out.bytes, &a->socket.v6.sin6_addr, sizeof out.bytes);
    return out;
}

static unsigned bucket_of(const struct udp_address *a)
{
    struct ltcp_address inner = inner_of(a);
    uint32_t hash = 2166136261u ^ udp_address_port(a);
    for (unsigned i = 0; i < sizeof inner.bytes; i++)
        hash = (hash ^ inner.bytes[i]) * 16777619u;
    return (hash ^ hash >> 15) & (BUCKETS - 1);
}

/* ---- clients ----------------------------------------------------------------------------------
 */

static int find_client(const struct ltcp_relay *r, const struct udp_address *from)
{
    int i = r->buckets[bucket_of(from)];
    while (i != NOBODY && !udp_address_equal(&r->clients[i].address, from))
        i = r->clients[i].next;
    return i;
}

static void add_counters(struct udp_counters *to, const struct udp_counters *from)
{
    to->calls_out += from->calls_out;
    to->datagrams_out += from->datagrams_out;
    to->bytes_out += from->bytes_out;
    to->calls_in += from->calls_in;
    to->datagrams_in += from->datagrams_in;
    to->bytes_in += from->bytes_in;
    to->blocked += from->blocked;
    to->refused += from->refused;
    to->too_big += from->too_big;
    to->not_permitted += from->not_permitted;
    to->failed += from->failed;
    to->truncated += from->truncated;
    to->odd_pieces += from->odd_pieces;
}

static void forget_client(struct ltcp_relay *r, int number)
{
    struct client *client = &r->clients[number];
    int *place = &r->buckets[bucket_of(&client->address)];
    while (*place != number)
        place = &r->clients[*place].next;
    *place = client->next;
    add_counters(&r->counters.far, &client->outlet.udp.counters);
    ltcp_watch_close(client->outlet.watch);
    udp_close(&client->outlet.udp);
    client->used = false;
    r->client_count--;
}

/* A place for a new client, taken from the one that was silent longest where none is free. */
static int find_place(struct ltcp_relay *r, ltcp_time now)
{
    int oldest = 0;
    for (int i = 0; i < (int)r->config.clients_most; i++) {
        if (!r->clients[i].used) return i;
        if (r->clients[i].last < r->clients[oldest].last) oldest = i;
    }
    if (now - r->clients[oldest].last < r->config.idle) return NOBODY;
    forget_client(r, oldest);
    r->counters.forgotten++;
    return oldest;
}

static void became_readable(void *context);

static int open_outlet(struct ltcp_relay *r, struct outlet *outlet, const struct udp_address *bind,
                       const struct udp_address *peer)
{
    int error = udp_open(&outlet->udp, bind, peer, r->config.batch, true);
    if (error != 0) return error;
    struct ltcp_loop *loop = r->config.loop;
    udp_dont_fragment(&outlet->udp, false); /* as the datagram came */
    error = ltcp_watch_descriptor(ltcp_loop_uv(loop), ltcp_loop_watches(loop), outlet->udp.fd,
                                  &outlet->watch);
    if (error == 0) {
        outlet->relay = r;
        ltcp_watch_set_owner(outlet->watch, outlet);
        error = ltcp_watch_call(outlet->watch, became_readable);
        if (error != 0) ltcp_watch_close(outlet->watch);
    }
    if (error != 0) udp_close(&outlet->udp);
    return error;
}

/* The number of the client with a socket of its own; NOBODY: there was no place for it. */
static int meet_client(struct ltcp_relay *r, const struct udp_address *from, ltcp_time now)
{
    struct udp_address any = {.length = r->config.server.length};
    any.socket.any.sa_family = r->config.server.socket.any.sa_family;
    int number = find_place(r, now);
    if (number == NOBODY) return NOBODY;
    struct client *client = &r->clients[number];
    *client = (struct client){.address = *from, .source = inner_of(from)};
    client->outlet.number = number;
    if (open_outlet(r, &client->outlet, &any, &r->config.server) != 0) return NOBODY;
    unsigned bucket = bucket_of(from);
    client->used = true;
    client->next = r->buckets[bucket];
    r->buckets[bucket] = number;
    r->client_count++;
    r->counters.clients++;
    return number;
}

/* ---- in ---------------------------------------------------------------------------------------
 */

/* The server as the client's packets name it; what the proxy is bound to where the families
 * differ. */
static struct ltcp_address far_address(const struct ltcp_relay *r, const struct client *client)
{
    if (ltcp_address_is_v4(&client->source) == ltcp_address_is_v4(&r->server)) return r->server;
    return inner_of(&r->config.bind);
}

/* The number of the client goes with the packet where a sender may write what it likes: in the
 * identification of IPv4 (RFC 6864 section 4.1), or the flow label. */
static struct ltcp_ip header_of(const struct ltcp_relay *r, int number, unsigned direction,
                                const struct udp_arrival *arrival)
{
    const struct client *client = &r->clients[number];
    struct ltcp_address far = far_address(r, client);
    return (struct ltcp_ip){.source = direction == 0 ? client->source : far,
                            .destination = direction == 0 ? far : client->source,
                            .protocol = LTCP_PROTOCOL_UDP,
                            .ttl = arrival->ttl != 0 ? arrival->ttl : 64,
                            .dscp = arrival->tos >> 2,
                            .ecn = arrival->tos & 3,
                            .dont_fragment = true,
                            .identification = (uint16_t)number,
                            .flow_label = (uint32_t)number};
}

static void put_16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static unsigned get_16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* One datagram as a packet. NULL: there is no memory. */
static struct ltcp_packet *make_packet(struct ltcp_relay *r, int number, unsigned direction,
                                       const struct udp_arrival *arrival, struct ltcp_block *block,
                                       size_t at, size_t length)
{
    struct ltcp_packet *packet = ltcp_packet_create(r->config.pool);
    if (packet == NULL) return NULL;
    struct ltcp_ip ip = header_of(r, number, direction, arrival);
    size_t start = ltcp_ip_encode(&ip, UDP_HEADER + length, packet->head);
    uint8_t *udp = packet->head + start;
    unsigned port = udp_address_port(&r->clients[number].address);
    put_16(udp, direction == 0 ? port : r->server_port);
    put_16(udp + 2, direction == 0 ? r->server_port : port);
    put_16(udp + 4, (unsigned)(UDP_HEADER + length));
    memset(udp + 6, 0, 2);
    uint32_t sum =
        ltcp_pseudo_sum(&ip.source, &ip.destination, LTCP_PROTOCOL_UDP, UDP_HEADER + length);
    sum = ltcp_sum(ltcp_sum(sum, udp, UDP_HEADER), block->data + at, length);
    uint16_t checksum = ltcp_sum_finish(sum);
    if (checksum == 0) checksum = 0xffff; /* RFC 768: 0 says that there is none */
    memcpy(udp + 6, &checksum, 2);
    packet->head_length = (uint16_t)(start + UDP_HEADER);
    if (length > 0) {
        packet->block = ltcp_block_ref(block);
        packet->payload = block->data + at;
        packet->payload_length = (uint32_t)length;
    }
    if (2 * arrival->length >= block->capacity || length == 0) return packet;
    struct ltcp_packet *copy = ltcp_packet_copy(packet); /* else it would pin the block */
    ltcp_packet_unref(packet);
    return copy;
}

static void take_in(struct ltcp_relay *r, const struct outlet *outlet,
                    const struct udp_arrival *arrival, struct ltcp_block *block, ltcp_time now)
{
    unsigned direction = outlet == &r->near ? 0 : 1;
    int number = outlet->number;
    if (direction == 0) {
        number = find_client(r, &arrival->from);
        if (number == NOBODY) number = meet_client(r, &arrival->from, now);
        if (number == NOBODY) {
            r->counters.refused++;
            return;
        }
    }
    r->clients[number].last = now;
    block->length = (uint32_t)arrival->length;
    size_t at = 0;
    do {
        size_t rest = arrival->length - at;
        size_t length = rest < arrival->piece ? rest : arrival->piece;
        struct ltcp_packet *packet = make_packet(r, number, direction, arrival, block, at, length);
        at += arrival->piece;
        if (packet == NULL) {
            r->counters.no_memory++;
            continue;
        }
        packet->time = now;
        ltcp_network_enter(r->config.network, r->config.link, direction, packet, true);
        ltcp_packet_unref(packet);
    } while (at < arrival->length);
}

static size_t lay_out(struct ltcp_relay *r, struct udp_arrival *arrivals)
{
    size_t n = 0;
    for (; n < ARRIVALS; n++) {
        if (r->blocks[n] == NULL) r->blocks[n] = ltcp_block_create(r->config.pool, BLOCK);
        if (r->blocks[n] == NULL) break;
        arrivals[n].buffer = r->blocks[n]->data;
        arrivals[n].room = r->blocks[n]->capacity;
    }
    if (n == 0) r->counters.no_memory++;
    return n;
}

static void became_readable(void *context)
{
    struct outlet *outlet = context;
    struct ltcp_relay *r = outlet->relay;
    struct udp_arrival arrivals[ARRIVALS];
    ltcp_time now = ltcp_loop_now(r->config.loop);
    ltcp_network_catch_up(r->config.network, now);
    for (unsigned calls = 0; calls < RECEIVE_CALLS; calls++) {
        size_t room = lay_out(r, arrivals);
        size_t got = room > 0 ? udp_receive(&outlet->udp, arrivals, room) : 0;
        for (size_t i = 0; i < got; i++) {
            if (arrivals[i].valid) take_in(r, outlet, &arrivals[i], r->blocks[i], now);
            if (r->blocks[i]->refs == 1) continue;
            ltcp_block_unref(r->blocks[i]);
            r->blocks[i] = NULL;
        }
        if (got < room || room == 0) break;
    }
}

/* ---- out --------------------------------------------------------------------------------------
 */

/* Whose packet it is; NOBODY: corruption has made it nobody's, or the client was forgotten. */
static int client_of(const struct ltcp_relay *r, const struct ltcp_packet *packet,
                     unsigned direction)
{
    const uint8_t *p = packet->head;
    bool four = p[0] >> 4 == 4;
    size_t udp = four ? 20 : 40;
    if ((!four && p[0] >> 4 != 6) || packet->head_length < udp + UDP_HEADER) return NOBODY;
    unsigned number = four ? get_16(p + 4) : get_16(p + 2);
    if (number >= r->config.clients_most || !r->clients[number].used) return NOBODY;
    const struct client *client = &r->clients[number];
    const uint8_t *address = four ? p + 12 + 4 * direction : p + 8 + 16 * direction;
    size_t octets = four ? 4 : 16;
    if (memcmp(address, client->source.bytes + 16 - octets, octets) != 0) return NOBODY;
    if (get_16(p + udp + 2 * direction) != udp_address_port(&client->address)) return NOBODY;
    return (int)number;
}

static void make_ready(const struct ltcp_relay *r, const struct ltcp_packet *packet, int number,
                       unsigned direction, struct udp_datagram *datagram)
{
    const uint8_t *p = packet->head;
    bool four = p[0] >> 4 == 4;
    size_t skip = (four ? 20 : 40) + UDP_HEADER, head = packet->head_length - skip;
    *datagram = (struct udp_datagram){
        .length = (uint32_t)(head + packet->payload_length),
        .tos = (uint8_t)(four ? p[1] : p[0] << 4 | p[1] >> 4),
        .ttl = four ? p[8] : p[7],
        .to = direction == 1 ? &r->clients[number].address : NULL,
    };
    if (head > 0)
        datagram->part[datagram->parts++] = (struct iovec){(void *)(uintptr_t)(p + skip), head};
    if (packet->payload_length > 0)
        datagram->part[datagram->parts++] = (struct iovec){packet->payload, packet->payload_length};
}

/* Packets that leave by one socket. */
struct batch {
    struct udp *udp;
    size_t count;
    struct ltcp_packet *packets[SEND_AT_ONCE];
    struct udp_datagram datagrams[SEND_AT_ONCE];
};

static void send_batch(struct ltcp_relay *r, struct batch *batch)
{
    if (batch->count == 0) return;
    /* A link does not wait: what the kernel does not take is gone. */
    r->counters.crowded += batch->count - udp_send(batch->udp, batch->datagrams, batch->count);
    for (size_t i = 0; i < batch->count; i++)
        ltcp_packet_unref(batch->packets[i]);
    batch->count = 0;
}

static void flush(struct ltcp_relay *r, unsigned direction)
{
    struct batch batch;
    struct ltcp_packet *packet;
    batch.count = 0;
    batch.udp = NULL;
    while ((packet = ltcp_network_exit(r->config.network, r->config.link, direction)) != NULL) {
        int number = client_of(r, packet, direction);
        if (number == NOBODY) {
            r->counters.misled++;
            ltcp_packet_unref(packet);
            continue;
        }
        struct client *client = &r->clients[number];
        struct udp *udp = direction == 0 ? &client->outlet.udp : &r->near.udp;
        if (udp != batch.udp || batch.count == SEND_AT_ONCE) send_batch(r, &batch);
        batch.udp = udp;
        client->last = ltcp_network_now(r->config.network);
        make_ready(r, packet, number, direction, &batch.datagrams[batch.count]);
        batch.packets[batch.count++] = packet;
    }
    send_batch(r, &batch);
}

bool ltcp_relays_flush(struct ltcp_relay *first, uint32_t link, unsigned direction)
{
    for (struct ltcp_relay *r = first; r != NULL; r = r->next) {
        if (r->config.link != link) continue;
        flush(r, direction);
        return true;
    }
    return false;
}

/* ---- life -------------------------------------------------------------------------------------
 */

int ltcp_relay_open(const struct ltcp_relay_config *config, struct ltcp_relay **out)
{
    const struct udp_address nobody = {.length = 0};
    for (struct ltcp_relay *other = *config->relays; other != NULL; other = other->next)
        if (other->config.link == config->link) return EEXIST;
    struct ltcp_relay *r = calloc(1, sizeof *r);
    if (r == NULL) return ENOMEM;
    r->config = *config;
    r->server = inner_of(&config->server);
    r->server_port = udp_address_port(&config->server);
    r->near.number = NOBODY;
    for (unsigned i = 0; i < BUCKETS; i++)
        r->buckets[i] = NOBODY;
    r->clients = calloc(config->clients_most, sizeof *r->clients);
    int error = r->clients == NULL ? ENOMEM : open_outlet(r, &r->near, &config->bind, &nobody);
    if (error != 0) {
        free(r->clients);
        free(r);
        return error;
    }
    r->open = true;
    r->next = *config->relays;
    *config->relays = r;
    *out = r;
    return 0;
}

void ltcp_relay_detach(struct ltcp_relay *r)
{
    if (!r->open) return;
    r->open = false;
    struct ltcp_relay **place = r->config.relays;
    while (*place != r)
        place = &(*place)->next;
    *place = r->next;
    for (int i = 0; i < (int)r->config.clients_most; i++)
        if (r->clients[i].used) forget_client(r, i);
    ltcp_watch_close(r->near.watch);
    udp_close(&r->near.udp);
    for (unsigned i = 0; i < ARRIVALS; i++)
        ltcp_block_unref(r->blocks[i]);
    memset(r->blocks, 0, sizeof r->blocks);
}

bool ltcp_relay_is_open(const struct ltcp_relay *r)
{
    return r->open;
}

void ltcp_relay_close(struct ltcp_relay *r)
{
    if (r == NULL) return;
    ltcp_relay_detach(r);
    free(r->clients);
    free(r);
}

struct ltcp_relay *ltcp_relay_of_watch(const struct ltcp_watch *watch)
{
    const struct outlet *outlet = ltcp_watch_owner(watch);
    return outlet->relay;
}

void ltcp_relays_detach(struct ltcp_relay **relays)
{
    while (*relays != NULL)
        ltcp_relay_detach(*relays);
}

int ltcp_relay_address(const struct ltcp_relay *r, struct udp_address *out)
{
    return udp_bound_address(&r->near.udp, out);
}

uint32_t ltcp_relay_clients(const struct ltcp_relay *r)
{
    return r->client_count;
}

void ltcp_relay_counters(const struct ltcp_relay *r, struct ltcp_relay_counters *out)
{
    *out = r->counters;
    out->near = r->near.udp.counters;
    for (uint32_t i = 0; i < r->config.clients_most; i++)
        if (r->clients[i].used) add_counters(&out->far, &r->clients[i].outlet.udp.counters);
}
