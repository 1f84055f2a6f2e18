/* bindings/uv_tunnel_ready.c - what waits in a tunnel's ring, made ready for the kernel: each
 * packet a datagram, a burst a train of them where the kernel takes one. */
#include "uv_tunnel_parts.h"

#include <string.h>

enum {
    SEND_AT_ONCE = 256, /* datagrams made ready together, */
    BURSTS_AT_ONCE = 4, /* and of bursts among them so many, */
    HEAD_SHORT = 64,    /* whose heads lie so far apart where they can, */
    HEAD_MOST = 160     /* or so far: what vxlan and an engine's burst write before a text */
};

/* `plain` leaves the IP header out; the socket's own header says what stood there. */
static void mark(struct udp_datagram *datagram, const uint8_t *ip)
{
    if (ip[0] >> 4 == 4) {
        datagram->tos = ip[1];
        datagram->ttl = ip[8];
    } else {
        datagram->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
        datagram->ttl = ip[7];
    }
}

static void make_ready(const struct ltcp_tunnel *t, struct waiting *w,
                       struct udp_datagram *datagram)
{
    struct ltcp_packet *p = w->packet;
    size_t skip = w->framed.skip, head = p->head_length - skip, lead = w->framed.lead_length;
    *datagram = (struct udp_datagram){.length = (uint32_t)(lead + head + p->payload_length)};
    if (lead > 0) datagram->part[datagram->parts++] = (struct iovec){w->framed.lead, lead};
    if (head > 0) datagram->part[datagram->parts++] = (struct iovec){p->head + skip, head};
    if (p->payload_length > 0)
        datagram->part[datagram->parts++] = (struct iovec){p->payload, p->payload_length};
    if (t->reach == REACH_SEVERAL) datagram->to = &t->peers.list[w->peer].outer;
    if (t->udp.marks) mark(datagram, p->head);
    datagram->sound = (p->notes & (LTCP_NOTE_CORRUPTED | LTCP_NOTE_FORGED)) == 0;
}

/* Datagrams made ready for the kernel, and whose they are. */
struct ready {
    struct udp_datagram datagrams[SEND_AT_ONCE];
    size_t count, bursts;
    struct iovec parts[BURSTS_AT_ONCE][2 * LTCP_BURST_MOST];
    uint8_t heads[BURSTS_AT_ONCE][LTCP_BURST_MOST * HEAD_MOST];
};

/* What of a burst has not left: as one train where the kernel takes it, else as datagrams. False:
 * there is no room for it. */
static bool make_burst_ready(const struct ltcp_tunnel *t, struct waiting *w, struct ready *ready)
{
    struct ltcp_packet *p = w->packet;
    const struct ltcp_burst *b = p->burst;
    const size_t skip = w->framed.skip, lead = w->framed.lead_length;
    const size_t head = lead + p->head_length - skip;
    const size_t stride = head <= HEAD_SHORT && lead == 0 ? HEAD_SHORT : HEAD_MOST;
    const uint32_t length = (uint32_t)head + b->text;
    const uint16_t count = (uint16_t)ltcp_tunnel_left(p);
    const bool train = count > 1 && udp_takes_train(&t->udp, length) &&
                       (t->reach == REACH_DEVICE || count * length <= UDP_TRAIN_SIZE);
    if (ready->bursts == BURSTS_AT_ONCE || ready->count + (train ? 1u : count) > SEND_AT_ONCE)
        return false;
    struct iovec *part = ready->parts[ready->bursts];
    uint8_t *heads = ready->heads[ready->bursts++];
    ltcp_burst_heads(p, skip, heads + lead, stride);
    for (unsigned i = 0; i < count; i++) {
        if (lead > 0) memcpy(heads + i * stride, w->framed.lead, lead);
        part[2 * i] = (struct iovec){heads + i * stride, head};
        part[2 * i + 1] = (struct iovec){b->texts[b->gone + i]->data, b->text};
    }
    struct udp_datagram model = {.parts = 2, .length = length, .sound = true};
    if (t->reach == REACH_SEVERAL) model.to = &t->peers.list[w->peer].outer;
    if (t->udp.marks) mark(&model, p->head);
    if (train) {
        model.train = part;
        model.count = count;
        ready->datagrams[ready->count++] = model;
        return true;
    }
    for (unsigned i = 0; i < count; i++, part += 2) {
        model.part[0] = part[0];
        model.part[1] = part[1];
        ready->datagrams[ready->count++] = model;
    }
    return true;
}

/* As many of those that wait as there is room for. */
static void make_all_ready(struct ltcp_tunnel *t, struct ready *ready)
{
    ready->count = ready->bursts = 0;
    for (size_t i = 0; i < t->count && ready->count < SEND_AT_ONCE; i++) {
        struct waiting *w = &t->ring[(t->head + i) % LTCP_TUNNEL_QUEUE];
        if (w->packet->burst == NULL)
            make_ready(t, w, &ready->datagrams[ready->count++]);
        else if (!make_burst_ready(t, w, ready))
            break;
    }
}

/* The first `done` of what was ready are done with. Returns how many packets that makes. */
static size_t take_off(struct ltcp_tunnel *t, const struct ready *ready, size_t done)
{
    size_t packets = 0;
    for (size_t i = 0; i < done; packets++) {
        struct ltcp_packet *p = t->ring[(t->head + packets) % LTCP_TUNNEL_QUEUE].packet;
        const size_t left = ltcp_tunnel_left(p), rest = done - i;
        const bool train = ready->datagrams[i].train != NULL;
        const size_t sent = train || left < rest ? left : rest;
        t->counters.packets_out += sent;
        if (sent < left) { /* the rest of this one waits */
            p->burst->gone = (uint16_t)(p->burst->gone + sent);
            t->segments -= sent;
            break;
        }
        i += train ? 1 : sent;
    }
    return packets;
}

size_t ltcp_tunnel_send(struct ltcp_tunnel *t)
{
    struct ready ready;
    while (t->count > 0 && !t->blocked) {
        make_all_ready(t, &ready);
        uint64_t too_big = t->udp.counters.too_big;
        const size_t n = ready.count;
        size_t done = t->reach == REACH_DEVICE ? tun_send(&t->udp, ready.datagrams, n)
                                               : udp_send(&t->udp, ready.datagrams, n);
        const struct udp_datagram *next = done < n ? &ready.datagrams[done] : NULL;
        t->blocked =
            next != NULL && (next->train == NULL || udp_takes_train(&t->udp, next->length));
        const size_t packets = take_off(t, &ready, done);
        if (t->udp.counters.too_big != too_big) ltcp_tunnel_narrowed(t, packets);
        ltcp_tunnel_drop(t, packets);
    }
    return t->count;
}

size_t ltcp_tunnel_retry(struct ltcp_tunnel *t)
{
    t->blocked = false;
    return ltcp_tunnel_send(t);
}
