/* core/network/queue.c - drop-tail before a constant rate or a Mahimahi trace. */
#include "queue.h"

struct departure {
    ltcp_time time;
    uint32_t length;
};

/* Past this a queue is as good as endless: times stay far from the end of their type. */
#define GREATEST_BUSY (LTCP_NEVER / 4)

void queue_advance(struct queue *queue, ltcp_time now)
{
    while (queue->departures.count > 0) {
        const struct departure *first = ring_at(&queue->departures, 0, sizeof *first);
        if (first->time > now) return;
        queue->bytes -= first->length;
        ring_pop(&queue->departures);
    }
}

void queue_restart(struct queue *queue)
{
    queue->busy_fraction = 0;
    queue->begun = false;
}

void queue_free(struct queue *queue, const struct ltcp_allocator *allocator)
{
    ring_free(&queue->departures, allocator, sizeof(struct departure));
}

/* ---- constant rate ----------------------------------------------------------------------------
 */

static ltcp_time serialise(struct queue *queue, uint64_t rate, ltcp_time now, uint32_t length)
{
    if (now > queue->busy_until) {
        queue->busy_until = now;
        queue->busy_fraction = 0;
    }
    /* At most 8 * 65,727 * 10^9 + rate: far below 2^64 for any rate under 1.7 * 10^19. */
    uint64_t parts = (uint64_t)length * 8 * (uint64_t)LTCP_SECOND + queue->busy_fraction;
    queue->busy_until += (ltcp_time)(parts / rate);
    queue->busy_fraction = parts % rate;
    return queue->busy_until;
}

/* ---- opportunities ----------------------------------------------------------------------------
 */

static ltcp_time opportunity_time(const struct queue *queue, const struct ltcp_path_config *config)
{
    uint64_t period = config->opportunities[config->opportunity_count - 1];
    uint64_t milliseconds = queue->cycle * period + config->opportunities[queue->at];
    return queue->origin + (ltcp_time)milliseconds * LTCP_MILLISECOND;
}

/* The first opportunity at or after `time`. */
static void seek(struct queue *queue, const struct ltcp_path_config *config, ltcp_time time)
{
    ltcp_time since = time > queue->origin ? time - queue->origin : 0;
    uint64_t milliseconds = ((uint64_t)since + LTCP_MILLISECOND - 1) / LTCP_MILLISECOND;
    uint64_t period = config->opportunities[config->opportunity_count - 1];
    queue->cycle = milliseconds / period;
    uint64_t rest = milliseconds % period;
    if (rest == 0 && queue->cycle > 0) {
        /* A cycle's last entries stand where the next one begins, and come first. */
        queue->cycle--;
        rest = period;
    }
    size_t low = 0, high = config->opportunity_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (config->opportunities[middle] < rest)
            low = middle + 1;
        else
            high = middle;
    }
    queue->at = low;
    queue->left = OPPORTUNITY_OCTETS;
    queue->begun = true;
}

static ltcp_time use_opportunities(struct queue *queue, const struct ltcp_path_config *config,
                                   ltcp_time now, uint32_t length)
{
    if (queue->origin == LTCP_NEVER) queue->origin = now;
    ltcp_time start = now > queue->busy_until ? now : queue->busy_until;
    /* What is left of an opportunity is lost as soon as nobody waits. */
    if (!queue->begun || opportunity_time(queue, config) < start) seek(queue, config, start);

    uint32_t need = length + OPPORTUNITY_HEADER;
    while (need > queue->left) {
        need -= queue->left;
        queue->left = OPPORTUNITY_OCTETS;
        if (++queue->at == config->opportunity_count) {
            queue->at = 0;
            queue->cycle++;
        }
    }
    queue->left -= need;
    queue->busy_until = opportunity_time(queue, config);
    return queue->busy_until;
}

ltcp_time queue_depart(struct queue *queue, const struct ltcp_path_config *config, ltcp_time now,
                       uint32_t length)
{
    if (!queue_has_rate(config)) return now > queue->busy_until ? now : queue->busy_until;
    return config->opportunity_count > 0 ? use_opportunities(queue, config, now, length)
                                         : serialise(queue, config->rate, now, length);
}

enum ltcp_drop queue_enter(struct queue *queue, const struct ltcp_allocator *allocator,
                           const struct ltcp_path_config *config, ltcp_time now, uint32_t length,
                           ltcp_time *departure)
{
    if (!queue_has_rate(config)) {
        *departure = now > queue->busy_until ? now : queue->busy_until;
        return LTCP_DROP_NONE;
    }
    queue_advance(queue, now);
    if (config->queue_packets > 0 && queue->departures.count >= config->queue_packets)
        return LTCP_DROP_QUEUE;
    if (config->queue_bytes > 0 && length > config->queue_bytes - queue->bytes)
        return LTCP_DROP_QUEUE;
    if (queue->busy_until > GREATEST_BUSY) return LTCP_DROP_QUEUE;

    struct departure *last = ring_push(&queue->departures, allocator, sizeof *last);
    if (last == NULL) return LTCP_DROP_MEMORY;
    *departure = queue_depart(queue, config, now, length);
    *last = (struct departure){*departure, length};
    queue->bytes += length;
    return LTCP_DROP_NONE;
}

void queue_digest(const struct queue *queue, struct digest *d, ltcp_time now)
{
    for (uint32_t i = 0; i < queue->departures.count; i++) {
        const struct departure *departure = ring_at(&queue->departures, i, sizeof *departure);
        if (departure->time <= now) continue; /* has left */
        digest_time(d, now, departure->time);
        digest_word(d, departure->length);
    }
    const bool busy = queue->busy_until >= now;
    digest_time(d, now, busy ? queue->busy_until : INT64_MIN);
    digest_word(d, busy ? queue->busy_fraction : 0);
    if (!queue->begun) return;
    digest_time(d, now, queue->origin);
    digest_word(d, queue->cycle);
    digest_word(d, (uint64_t)queue->at << 32 | queue->left);
}
