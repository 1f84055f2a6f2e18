/* core/tcp/receive_queue.c
 *
 * Received octets that wait for the user, as slices of the packets they came in. A small segment
 * does not pin a large block: it is copied next to its neighbour, so that memory stays in
 * proportion to the window whatever the peer sends. */
#include <string.h>

#include "tcp/connection.h"

#define SPARE_SLICES_MOST 4096
#define OWN_BLOCK         2048

static struct ltcp_slice *slice_create(struct ltcp_engine *e)
{
    struct ltcp_slice *s = e->spare_slices;
    if (s == NULL) return engine_resize(e, NULL, 0, sizeof *s);
    e->spare_slices = s->next;
    e->spare_slice_count--;
    return s;
}

static void slice_free(struct ltcp_engine *e, struct ltcp_slice *s)
{
    ltcp_block_unref(s->block);
    if (e->spare_slice_count < SPARE_SLICES_MOST) {
        s->next = e->spare_slices;
        e->spare_slices = s;
        e->spare_slice_count++;
    } else {
        engine_resize(e, s, sizeof *s, 0);
    }
}

static void link_last(struct ltcp_slices *to, struct ltcp_slice *s)
{
    s->next = NULL;
    if (to->first == NULL)
        to->first = s;
    else
        to->last->next = s;
    to->last = s;
}

static bool append_copied(struct ltcp_connection *c, struct ltcp_slices *to, const uint8_t *text,
                          uint32_t length)
{
    struct ltcp_slice *tail = to->last;
    if (tail == NULL || !tail->own || tail->block->capacity - tail->block->length < length) {
        tail = slice_create(c->engine);
        if (tail == NULL) return false;
        /* The first small piece of many starts small. */
        const uint32_t room = to->last != NULL && to->last->own ? OWN_BLOCK : 192;
        tail->block = ltcp_block_create(c->engine->pool, length > room ? length : room);
        if (tail->block == NULL) {
            engine_resize(c->engine, tail, sizeof *tail, 0);
            return false;
        }
        tail->data = tail->block->data;
        tail->length = 0;
        tail->own = true;
        link_last(to, tail);
    }
    memcpy(tail->block->data + tail->block->length, text, length);
    tail->block->length += length;
    tail->length += length;
    return true;
}

/* Takes a reference to the packet's block, or a copy where the block is mostly something else. */
bool receive_queue_append(struct ltcp_connection *c, struct ltcp_slices *to,
                          struct ltcp_packet *packet, const uint8_t *text, uint32_t length)
{
    const struct ltcp_block *block = packet->block;
    const bool inside =
        block != NULL && text >= block->data && text < block->data + block->capacity;
    if (!inside || length < block->capacity / 4) {
        while (length > 32768) { /* a piece that no own block holds */
            if (!append_copied(c, to, text, 32768)) return false;
            text += 32768;
            length -= 32768;
        }
        return append_copied(c, to, text, length);
    }
    struct ltcp_slice *s = slice_create(c->engine);
    if (s == NULL) return false;
    s->block = ltcp_block_ref(packet->block);
    s->data = packet->block->data + (text - packet->block->data);
    s->length = length;
    s->own = false;
    link_last(to, s);
    return true;
}

void receive_queue_free(struct ltcp_engine *e, struct ltcp_slices *slices)
{
    while (slices->first != NULL) {
        struct ltcp_slice *s = slices->first;
        slices->first = s->next;
        slice_free(e, s);
    }
    slices->last = NULL;
}

size_t receive_queue_read(struct ltcp_connection *c, uint8_t *out, size_t room, bool peek)
{
    size_t got = 0;
    struct ltcp_slice *s = c->in.first;
    while (s != NULL && got < room) {
        const uint32_t n = room - got < s->length ? (uint32_t)(room - got) : s->length;
        memcpy(out + got, s->data, n);
        got += n;
        if (peek) {
            s = s->next;
            continue;
        }
        s->data += n;
        s->length -= n;
        if (s->length > 0) break;
        c->in.first = s->next;
        if (c->in.first == NULL) c->in.last = NULL;
        slice_free(c->engine, s);
        s = c->in.first;
    }
    if (!peek) {
        c->unread -= (uint32_t)got;
        memory_give_back(c->engine, (uint32_t)got);
        memory_settle(c->engine);
        c->rcv_read = seq_add(c->rcv_read, (uint32_t)got);
    }
    return got;
}
