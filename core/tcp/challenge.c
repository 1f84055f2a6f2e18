/* core/tcp/challenge.c - challenge ACKs, RFC 5961, and how many there may be (section 7).
 *
 * Each connection has a limit of its own, which says nothing of any other: one counter for all
 * would tell an outsider that a connection exists, and more (CVE-2016-5696). Where an administrator
 * wants a bound for the host as well, it is another one in every second, by a secret, so that
 * counting what is left of it says little. */
#include "tcp/connection.h"

/* RFC5961:7-1, RFC5961:7-2, RFC5961:7-3: a time and a counter; both are settings. */
static bool connection_allows(struct ltcp_rare *r, const struct ltcp_settings *s, ltcp_time now)
{
    if (r->challenges == 0 || now - r->challenge_since >= s->challenge_ack_interval) {
        r->challenge_since = now;
        r->challenges = 0;
    }
    return s->challenge_ack_limit == 0 || r->challenges < s->challenge_ack_limit;
}

/* From half of the limit to one and a half of it. */
static uint64_t drawn(const struct ltcp_engine *e, uint64_t limit, ltcp_time second)
{
    uint8_t text[9] = {'c'};
    for (unsigned i = 0; i < 8; i++)
        text[1 + i] = (uint8_t)((uint64_t)second >> 8 * i);
    return (limit + 1) / 2 + ltcp_siphash(e->secret, text, sizeof text) % limit;
}

static bool host_allows(struct ltcp_engine *e, const struct ltcp_settings *s, ltcp_time now)
{
    const ltcp_time second = now / LTCP_SECOND;
    if (s->challenge_ack_host_limit == 0) return true;
    if (e->challenges == 0 || e->challenge_second != second) {
        e->challenge_second = second;
        e->challenges = 0;
    }
    return e->challenges < drawn(e, (uint64_t)s->challenge_ack_host_limit, second);
}

void challenge_ack(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_settings *s = settings_of(c);
    struct ltcp_rare *r = rare_of(c);
    const bool allowed = connection_allows(r, s, now) && host_allows(c->engine, s, now);
    connection_trace(c, now, LTCP_TRACE_CHALLENGE, !allowed);
    if (!allowed) return;
    r->challenges++;
    r->challenge_acks++;
    c->engine->challenges++;
    acknowledge_now(c);
}
