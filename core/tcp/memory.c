/* core/tcp/memory.c
 *
 * What the connections of a host hold in their queues, counted in octets of data, and who gives
 * first when it is too much (docs/design.md): windows and send buffers above their least, then what
 * came out of order, then what comes in order, new connections, and orphans. Every connection may
 * hold its least whatever the others hold, so that none waits for ever. */
#include "tcp/connection.h"

void memory_set_limits(struct ltcp_engine *e, const struct ltcp_settings *s)
{
    struct ltcp_memory *m = &e->memory;
    m->most = s->memory_most > 0 ? (uint64_t)s->memory_most : UINT64_MAX;
    m->pressure = s->memory_pressure > 0 ? (uint64_t)s->memory_pressure : m->most;
    if (m->pressure > m->most) m->pressure = m->most;
    m->low = s->memory_low > 0 ? (uint64_t)s->memory_low : m->pressure;
    if (m->low > m->pressure) m->low = m->pressure;
    m->pressed = false;
    if (m->used > m->pressure) memory_press(e);
}

void memory_press(struct ltcp_engine *e)
{
    if (e->memory.pressed) return;
    e->memory.pressed = true;
    e->memory.pressures++;
}

/* Enough for the windows of a few connections, so that these cost no allocator; what a burst has
 * taken beyond it goes back once nothing of the host waits any more. */
#define POOL_KEEPS ((size_t)4 << 20)

void memory_rest(struct ltcp_engine *e)
{
    ltcp_pool_rest(e->pool, POOL_KEEPS);
}

/* What a receiver keeps under pressure: four segments, so that its peer need not wait for delayed
 * acknowledgments. */
uint32_t memory_least_to_receive(const struct ltcp_connection *c)
{
    const uint32_t least = settings_of(c)->receive_buffer_least;
    const uint32_t four = 4u * c->rcv_mss;
    return least > four ? least : four;
}

static bool is_within_least(const struct ltcp_connection *c, uint32_t octets)
{
    const uint32_t ahead = c->ahead != NULL ? c->ahead->octets : 0;
    return c->unread + ahead + octets <= memory_least_to_receive(c);
}

/* The next data in order: what came ahead of it gives way (a receiver may take back what it has
 * SACKed, RFC 2018 section 8). */
bool memory_makes_room(struct ltcp_connection *c, uint32_t octets)
{
    struct ltcp_memory *m = &c->engine->memory;
    if (is_within_least(c, octets)) return true;
    if (c->ahead != NULL) {
        m->pruned += c->ahead->octets;
        reassembly_free(c);
        if (m->used + octets <= m->most || is_within_least(c, octets)) return true;
    }
    m->dropped += octets;
    return false;
}

/* Data ahead of its time. */
bool memory_keeps_ahead(struct ltcp_connection *c, uint32_t octets)
{
    struct ltcp_memory *m = &c->engine->memory;
    if (m->used + octets <= m->most || is_within_least(c, octets)) return true;
    m->dropped += octets;
    return false;
}

/* Nobody waits for what an orphan still has to say. */
bool memory_ends_orphan(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_memory *m = &c->engine->memory;
    if (!c->user_closed || m->used < m->most || c->out == NULL || c->out->octets == 0) return false;
    m->orphans_ended++;
    output_reset(c, now);
    connection_die(c, now, LTCP_ERR_NO_BUFFERS);
    return true;
}
