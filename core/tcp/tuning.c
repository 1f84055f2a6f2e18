/* core/tcp/tuning.c
 *
 * Buffers that follow the path. The receive buffer is to hold what the reader takes in two round
 * trips, and twice that while it takes more and more, as in slow start: the receiver measures both,
 * the round trip (by timestamps, or by how long a whole window takes) and what was read in it. A
 * reader that does not read, or a path that is slow, so leaves it as it is. The send buffer holds
 * two congestion windows: one in flight, one that follows it. */
#include "tcp/connection.h"

#define INITIAL_SEGMENTS 10 /* what may come in the first round trip (RFC 6928) */
#define CUSHION_SEGMENTS 16
#define LEAST_LASTS      (10 * LTCP_SECOND)

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- sending ------------------------------------------------------------------------------------
 */

uint32_t tuning_send_buffer(const struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    const struct ltcp_memory *m = &c->engine->memory;
    uint32_t buffer = s->send_buffer;
    if (m->pressed) {
        const uint32_t least = s->send_buffer_least;
        return m->used >= m->most && least < buffer ? least : buffer;
    }
    if (!s->tune_send_buffer) return buffer;
    if (s->write_pieces) return pieces_buffer(c) > buffer ? pieces_buffer(c) : buffer;
    const uint32_t first = INITIAL_SEGMENTS * (uint32_t)c->snd_mss;
    const uint32_t window = c->cc.cwnd > first ? c->cc.cwnd : first;
    const uint32_t wanted = (uint32_t)least_of(2 * (uint64_t)window, s->send_buffer_most);
    return wanted > buffer ? wanted : buffer;
}

/* ---- receiving ----------------------------------------------------------------------------------
 */

/* Under pressure a window no longer follows what is read beyond its least: its edge stays where it
 * is (RFC9293:SHLD-14) until enough has come. */
uint32_t tuning_receive_buffer(const struct ltcp_connection *c)
{
    const struct ltcp_tuning *t = tuning_of(c);
    const uint32_t buffer = t != NULL ? t->buffer : settings_of(c)->receive_buffer;
    if (!c->engine->memory.pressed) return buffer;
    return (uint32_t)least_of(buffer, memory_least_to_receive(c));
}

/* Only what receives more than a first flight needs a measure. */
static struct ltcp_tuning *begin(struct ltcp_connection *c, ltcp_time now)
{
    const uint32_t buffer = settings_of(c)->receive_buffer;
    const uint32_t first =
        (uint32_t)least_of(INITIAL_SEGMENTS * (uint64_t)c->rcv_mss, buffer / 4 + 1);
    if (c->bytes_received < first) return NULL;
    struct ltcp_rare *rare = rare_of(c);
    if (rare == c->engine->nobody) return NULL;
    struct ltcp_tuning *t = engine_zeroed(c->engine, sizeof *t);
    if (t == NULL) return NULL;
    t->buffer = buffer;
    t->taken = first;
    t->read_from = c->rcv_read;
    t->read_since = t->window_since = t->least_since = now;
    t->window_end = c->rcv_adv;
    t->rtt = t->next_rtt = c->srtt; /* of the handshake, if any */
    rare->tuning = t;
    return t;
}

void tuning_release(struct ltcp_connection *c)
{
    if (c->rare == NULL || c->rare->tuning == NULL) return;
    engine_resize(c->engine, c->rare->tuning, sizeof *c->rare->tuning, 0);
    c->rare->tuning = NULL;
}

/* The least round trip of the last ten to twenty seconds: a queue that one's own window has filled
 * is no reason for a larger window. */
static void sample(struct ltcp_tuning *t, ltcp_time now, ltcp_time rtt)
{
    if (t->rtt == 0 || rtt < t->rtt) t->rtt = rtt;
    if (t->next_rtt == 0 || rtt < t->next_rtt) t->next_rtt = rtt;
    if (now - t->least_since < LEAST_LASTS) return;
    t->rtt = t->next_rtt;
    t->next_rtt = 0;
    t->least_since = now;
}

/* A full segment that echoes a timestamp for the first time left one trip after it, so the echo is
 * one round trip old. */
static void sample_by_timestamp(struct ltcp_connection *c, struct ltcp_tuning *t,
                                const struct ltcp_arrival *a)
{
    const uint32_t echo = a->segment->options.ts_echo;
    if (echo == 0 || echo == t->last_echo || a->length < c->seen_mss) return;
    const int32_t age = (int32_t)(timestamp_now(c, a->packet->time) - echo);
    t->last_echo = echo;
    if (age < 0) return;
    sample(t, a->now, age > 0 ? age * LTCP_MILLISECOND : LTCP_MILLISECOND);
}

/* What was offered at the start of a round has all come: at least one round trip has passed. */
static void sample_by_window(struct ltcp_connection *c, struct ltcp_tuning *t, ltcp_time now)
{
    if (seq_lt(c->rcv_nxt, t->window_end)) return;
    if (now > t->window_since && seq_gt(c->rcv_nxt, t->window_end))
        sample(t, now, now - t->window_since);
    t->window_since = now;
    t->window_end = seq_add(c->rcv_nxt, rcv_wnd(c));
}

void tuning_data_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    struct ltcp_tuning *t = tuning_of(c);
    if (t == NULL && (t = begin(c, a->now)) == NULL) return;
    if (c->stamping && (a->segment->options.present & LTCP_HAS_TIMESTAMPS))
        sample_by_timestamp(c, t, a);
    else
        sample_by_window(c, t, a->now);
}

/* How many full segments force an acknowledgment: the more, the more come in a round trip, but so
 * that sixteen acknowledgments are left in it for the sender's clock. */
#define ACKS_LEAST 16
uint32_t tuning_ack_every(const struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    const struct ltcp_tuning *t = tuning_of(c);
    const uint32_t every = (uint32_t)s->ack_every, most = (uint32_t)s->ack_thinning;
    if (most <= every || t == NULL || c->seen_mss == 0) return every;
    const uint32_t rate = t->taken / (ACKS_LEAST * (uint32_t)c->seen_mss);
    return rate <= every ? every : rate < most ? rate : most;
}

/* A steady reader of `taken` octets a round trip needs twice that, so that a loss can be repaired
 * without a pause; one that takes more in each needs as much again. */
static void grow(struct ltcp_connection *c, struct ltcp_tuning *t, uint32_t taken)
{
    const struct ltcp_settings *s = settings_of(c);
    uint64_t wanted = 2 * (uint64_t)taken + CUSHION_SEGMENTS * (uint64_t)c->rcv_mss;
    const uint64_t rise = 2 * wanted * (taken - t->taken) / t->taken;
    wanted += least_of(rise, 2 * (uint64_t)taken);
    wanted = least_of(wanted, s->receive_buffer_most);
    if (wanted <= t->buffer) return;
    if (c->engine->memory.pressed)
        c->engine->memory.windows_held++;
    else
        t->buffer = (uint32_t)wanted;
}

void tuning_read(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_tuning *t = tuning_of(c);
    if (t == NULL || t->rtt == 0 || now - t->read_since < t->rtt) return;
    const uint32_t taken = seq_diff(c->rcv_read, t->read_from);
    if (taken > t->taken) {
        grow(c, t, taken);
        t->taken = taken;
    }
    t->read_from = c->rcv_read;
    t->read_since = now;
}
