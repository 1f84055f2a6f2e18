/* core/tcp/fast_open.c
 *
 * TCP Fast Open, RFC 7413, as one connection sees it: a client's SYN with a cookie and data, and
 * what becomes of them. What a listener decides about such a SYN is in core/host/fast_open.c. */
#include "tcp/authentication.h"
#include "tcp/fast_open.h"
#include "tcp/authentication.h"
#include "wire/options.h"

#include <string.h>

#define OPTIONS_MOST 40u
#define TYPICAL_MSS  1460u /* section 4.1.3; 1440 over IPv6 */

struct ltcp_fast_open *fast_open_make(struct ltcp_connection *c)
{
    struct ltcp_rare *rare = rare_of(c);
    if (rare == c->engine->nobody) return NULL;
    if (rare->fast_open == NULL)
        rare->fast_open = engine_zeroed(c->engine, sizeof *rare->fast_open);
    return rare->fast_open;
}

void fast_open_release(struct ltcp_connection *c)
{
    struct ltcp_fast_open *f = fast_open_of(c);
    if (f == NULL) return;
    engine_resize(c->engine, f, sizeof *f, 0);
    c->rare->fast_open = NULL;
}

/* ---- the SYN ------------------------------------------------------------------------------------
 */

/* Section 4.1.3: as much as the server announced before, at most what is typical; without such
 * knowledge the default. The options' room is left free, for a path that adds some.
 * RFC7413:4.1.3-3, RFC7413:4.1.3-4, RFC7413:4.1.3-5, RFC7413:4.2.2-3 */
static uint32_t room_for_data(const struct ltcp_connection *c,
                              const struct ltcp_fast_open_entry *known)
{
    const bool v4 = ltcp_address_is_v4(&c->flow.local);
    const uint32_t header = v4 ? 40 : 60, typical = v4 ? TYPICAL_MSS : TYPICAL_MSS - 20;
    const struct ltcp_settings *s = settings_of(c);
    /* Section 7.3: where no cookie is wanted, both ends are of one kind. */
    const bool alike = (s->fast_open_mode & FAST_OPEN_SEND_ALWAYS) != 0;
    const uint32_t unknown = alike ? c->rcv_mss : v4 ? 536 : 1220;
    uint32_t mss = known != NULL && known->mss != 0 ? known->mss : unknown;
    if (mss > typical) mss = typical;
    if (s->mss_both_ways && s->mss != 0 && s->mss < mss) mss = s->mss;
    if (c->path_mtu < header + mss) mss = c->path_mtu > header ? c->path_mtu - header : 0;
    return mss > OPTIONS_MOST ? mss - OPTIONS_MOST : 0;
}

/* Whether the SYN's options have room for this one (section 4.2.2, 1a). */
static bool option_fits(const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_settings *s = settings_of(c);
    struct ltcp_options o, read;
    uint8_t bytes[OPTIONS_MOST];
    handshake_write_options(c, now, &o);
    const size_t length = options_encode_within(&o, s->syn_options, s->syn_options_count, bytes,
                                                OPTIONS_MOST - authentication_room(c));
    return length + authentication_room(c) <= OPTIONS_MOST &&
           ltcp_options_decode(bytes, length, &read) == LTCP_OK &&
           (read.present & LTCP_HAS_FAST_OPEN) != 0;
}

static bool is_refused(const struct ltcp_fast_open_entry *known, uint16_t port, ltcp_time now)
{
    for (int i = 0; known != NULL && i < FAST_OPEN_PORTS; i++)
        if (known->refused[i].port == port && now < known->refused[i].until) return true;
    return false;
}

static void remark(const struct ltcp_connection *c, ltcp_time now, const char *what,
                   uint32_t octets)
{
    connection_remark(c, now, LTCP_REMARK_FAST_OPEN, what, octets, 0);
}

void fast_open_start(struct ltcp_connection *c, ltcp_time now, const struct ltcp_open *open)
{
    const int64_t mode = settings_of(c)->fast_open_mode;
    const struct ltcp_fast_open_entry *known =
        fast_open_find(c->engine, &c->flow.local, &c->flow.remote);
    struct ltcp_fast_open *f = fast_open_make(c);
    if (f == NULL) return;
    f->awaited = open->fast_open_waiting > 0;
    const bool always = (mode & FAST_OPEN_SEND_ALWAYS) != 0;
    f->failure = always ? LTCP_FAST_OPEN_UNSPECIFIED : LTCP_FAST_OPEN_NO_COOKIE;
    /* RFC7413:4.1.3.1-2, RFC7413:4.1.3.1-3 */
    if (is_refused(known, c->flow.remote_port, now)) {
        remark(c, now, "not tried: it was refused before", 0);
        return;
    }
    if (!always) {
        /* RFC7413:4.2.1-1, RFC7413:4.2.1-2: without a cookie, a request; RFC7413:9-1 */
        f->option = true;
        if (known != NULL) f->cookie = known->cookie;
        if (f->cookie.length == 0)
            f->cookie.experimental = known != NULL && known->try_kind == TRY_EXPERIMENT &&
                                     settings_of(c)->fast_open_experiment;
        if (!option_fits(c, now)) { /* RFC7413:4.2.2-2 */
            f->option = false;
            return;
        }
        if (f->cookie.length == 0) { /* RFC7413:4.2.2-1 */
            remark(c, now, "a cookie is asked for", 0);
            return;
        }
        f->failure = LTCP_FAST_OPEN_UNSPECIFIED;
    }
    const uint32_t room = room_for_data(c, known);
    const size_t length = open->fast_open_length;
    f->octets = send_queue_syn_data(c, open->fast_open, length < room ? (uint32_t)length : room);
    f->awaited = open->fast_open_waiting > f->octets;
    remark(c, now, always ? "data goes with the SYN" : "data goes with the SYN and its cookie",
           f->octets);
}

/* Neither repeated by a SYN nor by a SYN-ACK. RFC7413:4.2.1-5, RFC7413:4.2.2-5, RFC7413:4.2.2-13 */
void fast_open_write(const struct ltcp_connection *c, struct ltcp_options *o)
{
    const struct ltcp_fast_open *f = fast_open_of(c);
    if (f == NULL || !f->option || c->out == NULL) return;
    if (record_at(c->out, c->out->head)->transmissions > 0) return;
    o->present |= LTCP_HAS_FAST_OPEN;
    o->fast_open = f->cookie.bytes;
    o->fast_open_length = f->cookie.length;
    o->fast_open_experimental = f->cookie.experimental;
}

/* ---- the SYN-ACK --------------------------------------------------------------------------------
 */

/* Section 4.1.3.1: the one that was refused first is forgotten first. */
static void remember_refusal(struct ltcp_connection *c, struct ltcp_fast_open_entry *known,
                             ltcp_time now)
{
    const ltcp_time retry = settings_of(c)->fast_open_retry;
    int at = 0;
    if (retry == 0) return;
    for (int i = 0; i < FAST_OPEN_PORTS; i++) {
        if (known->refused[i].port == c->flow.remote_port) {
            at = i;
            break;
        }
        if (known->refused[i].until < known->refused[at].until) at = i;
    }
    known->refused[at].port = c->flow.remote_port;
    known->refused[at].until = retry < LTCP_NEVER - now ? now + retry : LTCP_NEVER;
}

static void forget_refusal(struct ltcp_fast_open_entry *known, uint16_t port)
{
    for (int i = 0; i < FAST_OPEN_PORTS; i++)
        if (known->refused[i].port == port) known->refused[i].until = 0;
}

void fast_open_failed(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_fast_open *f = fast_open_of(c);
    if (f == NULL || c->passive || (!f->option && f->octets == 0)) return;
    struct ltcp_fast_open_entry *known =
        fast_open_remember(c->engine, &c->flow.local, &c->flow.remote);
    if (known != NULL) remember_refusal(c, known, now); /* RFC7413:4.1.3.1-1 */
}

/* RFC7413:4.2.2-14, RFC7413:4.2.1-4. A cookie that nobody asked for is not kept. */
static bool keep_cookie(struct ltcp_fast_open_entry *known, const struct ltcp_fast_open *f,
                        const struct ltcp_options *o)
{
    if (!f->option || !(o->present & LTCP_HAS_FAST_OPEN) || o->fast_open_length == 0) return false;
    known->cookie.length = o->fast_open_length;
    known->cookie.experimental = o->fast_open_experimental;
    memcpy(known->cookie.bytes, o->fast_open, o->fast_open_length);
    return true;
}

/* What was asked in the experimental option first goes back to the standard one for good. */
static void try_next(struct ltcp_fast_open_entry *known, const struct ltcp_fast_open *f)
{
    const uint8_t next = f->cookie.experimental ? TRY_NO_MORE_EXPERIMENTS : TRY_EXPERIMENT;
    if (known->cookie.length == 0 && next > known->try_kind) known->try_kind = next;
}

void fast_open_synack_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    struct ltcp_fast_open *f = fast_open_of(c);
    const struct ltcp_options *o = &a->segment->options;
    if (f == NULL || c->passive || c->out == NULL) return;
    const bool again = record_at(c->out, c->out->head)->transmissions > 1;
    const uint32_t acked = seq_diff(a->segment->ack, c->iss) - 1;
    f->acked = acked < f->octets ? acked : f->octets;
    if (f->acked < f->octets) f->failure = again ? LTCP_FAST_OPEN_SYN_LOST : LTCP_FAST_OPEN_REFUSED;
    if (f->octets > 0)
        remark(c, a->now,
               f->acked < f->octets ? "the SYN's data was refused" : "the SYN's data was taken",
               f->acked);
    struct ltcp_fast_open_entry *known =
        fast_open_remember(c->engine, &c->flow.local, &c->flow.remote);
    if (known == NULL) return;
    if (o->present & LTCP_HAS_MSS) known->mss = o->mss;
    const bool given = keep_cookie(known, f, o);
    if (given) remark(c, a->now, "a cookie came", known->cookie.length);
    if (given || (f->octets > 0 && f->acked > 0)) {
        forget_refusal(known, c->flow.remote_port);
        return;
    }
    /* RFC7413:4.1.3.1-1, RFC7413:4.2.1-6, RFC7413:4.2.2-16: no cookie, and no data taken; after a
     * timeout the path may be why. */
    if (f->octets > 0 || (f->option && f->cookie.length == 0)) remember_refusal(c, known, a->now);
    if (f->option && f->octets == 0 && !again) try_next(known, f);
}

/* RFC7413:4.2.2-15: what is left of the SYN's data leaves with the ACK of the SYN-ACK. */
void fast_open_resume(struct ltcp_connection *c)
{
    const struct ltcp_fast_open *f = fast_open_of(c);
    if (f == NULL || f->acked == f->octets || flight_size(c) == 0) return;
    scoreboard_lose(c, c->out->head);
    connection_want_output(c);
}

/* No answer at all, or an error of the network: RFC7413:4.1.3.1-1. */
void fast_open_ends(struct ltcp_connection *c, ltcp_time now, enum ltcp_status why)
{
    struct ltcp_fast_open *f = fast_open_of(c);
    if (f == NULL) return;
    if (c->state == LTCP_SYN_SENT && why != LTCP_ERR_REFUSED && why != LTCP_ERR_ABORTED)
        fast_open_failed(c, now);
    if (c->state != LTCP_SYN_RECEIVED || !f->pending) return;
    f->reset = why == LTCP_ERR_RESET;
    f->ended = now;
}
