/* core/host/icmp.c - ICMP that reaches a host: RFC 9293 section 3.9.2.2, RFC 5927, RFC 5461. */
#include <string.h>

#include "host/fast_open.h"
#include "host/paths.h"
#include "tcp/authentication.h"
#include "wire/digest.h"

static enum ltcp_status status_of(enum ltcp_icmp_kind kind)
{
    switch (kind) {
    case LTCP_ICMP_NET_UNREACHABLE: return LTCP_ERR_NET_UNREACHABLE;
    case LTCP_ICMP_PROTOCOL_UNREACHABLE: return LTCP_ERR_PROTOCOL_UNREACHABLE;
    case LTCP_ICMP_PORT_UNREACHABLE: return LTCP_ERR_REFUSED;
    default: return LTCP_ERR_HOST_UNREACHABLE;
    }
}

/* RFC9293:MUST-54, RFC4443:2.4-6: to the connection whose segment is quoted; RFC5927:4.1-1:
 * only if the quoted sequence number is one that is outstanding. RFC5925:7.8-3 */
static struct ltcp_connection *quoted_connection(struct ltcp_host *host,
                                                 const struct ltcp_packet *packet,
                                                 const struct ltcp_icmp *icmp, struct ltcp_ip *ip)
{
    struct ltcp_segment s;
    const enum ltcp_status read = ltcp_ip_decode_bytes(icmp->quote, icmp->quote_length, true, ip);
    /* A quoted fragment that begins with the TCP header says as much. */
    const bool first = read == LTCP_ERR_FRAGMENT && ip->fragment_offset == 0;
    if ((read != LTCP_OK && !first) || ip->protocol != LTCP_PROTOCOL_TCP) return NULL;
    if (ltcp_segment_decode_bytes(icmp->quote + ip->header_length,
                                  icmp->quote_length - ip->header_length, ip, true, &s) != LTCP_OK)
        return NULL;
    ip_give_zone(ip, packet);
    const struct ltcp_address to = ltcp_ip_final_destination(ip);
    struct ltcp_connection *c = flow_connection(
        demultiplexer_find(host, &ip->source, s.source_port, &to, s.destination_port));
    if (c == NULL || seq_lt(s.seq, c->snd_una) || seq_ge(s.seq, c->snd_nxt)) return NULL;
    return c;
}

/* RFC9293:MUST-47, MUST-56, SHLD-25: told, and remembered in case the connection dies of it. */
static void soft_error(struct ltcp_connection *c, enum ltcp_status why)
{
    c->soft_error = (uint8_t)why;
    if (settings_of(c)->report_soft_errors) connection_event(c, LTCP_EVENT_SOFT_ERROR);
}

/* RFC9293:SHLD-26: protocol and port unreachable are hard, but once a connection is synchronized a
 * stranger could forge them (RFC5927:5.2-1), so then they are soft. */
static void act_on_error(struct ltcp_connection *c, ltcp_time now, enum ltcp_icmp_kind kind)
{
    const bool hard = kind == LTCP_ICMP_PROTOCOL_UNREACHABLE || kind == LTCP_ICMP_PORT_UNREACHABLE;
    const bool opening = c->state == LTCP_SYN_SENT ||
                         (c->state == LTCP_SYN_RECEIVED && (c->listener != NULL || !c->passive));
    if (opening && (hard || settings_of(c)->icmp_aborts_opening))
        connection_die(c, now, status_of(kind));
    else
        soft_error(c, status_of(kind));
}

/* ---- errors that are sent -----------------------------------------------------------------------
 */

/* RFC4443:2.4-7, as a router's (core/network/router.c). */
#define ICMP_BURST    64
#define ICMP_INTERVAL LTCP_MILLISECOND

static bool is_within_rate(struct ltcp_host *host, ltcp_time now)
{
    struct ltcp_error_rate *r = &host->icmp_errors;
    const ltcp_time earned = (now - r->since) / ICMP_INTERVAL;
    const ltcp_time tokens = (r->started ? r->tokens : ICMP_BURST) + earned;
    r->since += earned * ICMP_INTERVAL;
    r->started = true;
    r->tokens = tokens > ICMP_BURST ? ICMP_BURST : tokens;
    if (r->tokens == 0) return false;
    r->tokens--;
    return true;
}

/* A full allowance is the same at any time. */
void icmp_digest(struct digest *d, const struct ltcp_host *host, ltcp_time now)
{
    const struct ltcp_error_rate *r = &host->icmp_errors;
    const ltcp_time tokens = r->tokens + (now - r->since) / ICMP_INTERVAL;
    if (!r->started || tokens >= ICMP_BURST) return;
    digest_word(d, (uint64_t)tokens);
    digest_time(d, now, r->since);
}

/* RFC4443:2.4-1, RFC1122:3.2.2-3: never about an ICMP error, whatever stands before it. (A
 * chain of headers that cannot be followed is not before one of ours, so that no loop can be.) */
static bool is_about_icmp_error(const struct ltcp_packet *packet)
{
    struct ltcp_ip ip;
    const size_t head = packet->head_length;
    const enum ltcp_status read = ltcp_ip_decode_bytes(packet->head, head, true, &ip);
    if (read != LTCP_OK && read != LTCP_ERR_FRAGMENT) return false;
    if (ip.protocol != LTCP_PROTOCOL_ICMP && ip.protocol != LTCP_PROTOCOL_ICMPV6) return false;
    if (ip.header_length >= ltcp_packet_length(packet)) return true;
    const uint8_t type = ip.header_length < head ? packet->head[ip.header_length]
                                                 : packet->payload[ip.header_length - head];
    return ip.version == 6 ? type < 128 : type != 8 && type != 0;
}

/* RFC4443:2.4-3, RFC4443:2.4-5: to one node that has sent it, of a packet for one node; but for
 * `group`, a complaint that is also made to a group's packet, from an address of ours. */
static bool address_back(const struct ltcp_host *host, const struct ltcp_ip *ip, bool group,
                         struct ltcp_ip *back)
{
    uint32_t interface;
    memset(back, 0, sizeof *back);
    back->source = ip->destination;
    back->destination = ip->source;
    if (!address_is_peer(host, &ip->source)) return false;
    if (address_is_local(host, &ip->destination)) return true;
    return group && address_choose(host, &ip->source, &back->source, &interface);
}

static void send_error(struct ltcp_host *host, ltcp_time now, const struct ltcp_packet *packet,
                       const struct ltcp_ip *ip, bool group, struct ltcp_icmp *icmp)
{
    uint8_t quote[1280];
    struct ltcp_ip back;
    if (host->engine.out_count >= 1024 || !address_back(host, ip, group, &back)) return;
    if (ip->fragment_offset != 0 && ip->version == 4) return;
    if (is_about_icmp_error(packet) || !is_within_rate(host, now)) return;
    back.ttl = (uint8_t)host->share->settings.ttl;
    back.identification = host->engine.next_identification++;
    icmp->quote = quote; /* as much as fits: RFC4443:2.4-2, RFC1122:3.2.2-2 */
    icmp->quote_length = ltcp_packet_bytes(packet, quote, sizeof quote);
    struct ltcp_packet *out = ltcp_icmp_encode(host->engine.pool, &back, icmp);
    if (out == NULL) return;
    out->interface = packet->interface;
    engine_enqueue(&host->engine, out);
}

/* RFC4443:3.4-1 */
static void send_problem(struct ltcp_host *host, ltcp_time now, const struct ltcp_packet *packet,
                         const struct ltcp_ip *ip, bool group, uint8_t code, uint32_t pointer)
{
    struct ltcp_icmp icmp;
    memset(&icmp, 0, sizeof icmp);
    icmp.kind = LTCP_ICMP_PARAMETER_PROBLEM;
    icmp.code = code;
    icmp.pointer = pointer;
    send_error(host, now, packet, ip, group, &icmp);
}

void icmp_complain(struct ltcp_host *host, ltcp_time now, const struct ltcp_packet *packet,
                   const struct ltcp_ip *ip, uint8_t code, uint32_t pointer)
{
    send_problem(host, now, packet, ip, false, code, pointer);
}

/* RFC8200:4.2-2: also about a packet to a group, where the option wants it. */
void icmp_complain_of_extension(struct ltcp_host *host, ltcp_time now,
                                const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                const struct ltcp_extensions *x)
{
    if (x->complaint == LTCP_COMPLAINT_NONE) return;
    send_problem(host, now, packet, ip, x->complaint == LTCP_COMPLAINT_ALWAYS, x->code, x->pointer);
}

void icmp_time_exceeded(struct ltcp_host *host, ltcp_time now, const struct ltcp_packet *packet,
                        const struct ltcp_ip *ip)
{
    struct ltcp_icmp icmp;
    memset(&icmp, 0, sizeof icmp);
    icmp.kind = LTCP_ICMP_TIME_EXCEEDED;
    icmp.code = 1; /* fragment reassembly time exceeded */
    send_error(host, now, packet, ip, false, &icmp);
}

/* RFC1122:3.2.2.1-1, RFC4443:3.1-1: no datagram service is here, so UDP finds no port and
 * anything else no protocol; IPv6 says the latter by a parameter problem at the octet that names it
 * (RFC8200:4-1). Behind "no next header" there is nothing to complain of (RFC8200:4.7-1). */
void icmp_refuse(struct ltcp_host *host, ltcp_time now, const struct ltcp_packet *packet,
                 const struct ltcp_ip *ip)
{
    struct ltcp_icmp icmp;
    memset(&icmp, 0, sizeof icmp);
    icmp.kind = ip->protocol == LTCP_PROTOCOL_UDP ? LTCP_ICMP_PORT_UNREACHABLE
                                                  : LTCP_ICMP_PROTOCOL_UNREACHABLE;
    if (ip->version == 6 && ip->protocol == LTCP_NEXT_NONE) return;
    if (ip->version == 6 && ip->protocol != LTCP_PROTOCOL_UDP) {
        struct ltcp_extensions x;
        ltcp_extensions_walk(packet->head, packet->head_length, ip->total_length, true, &x);
        icmp.kind = LTCP_ICMP_PARAMETER_PROBLEM;
        icmp.code = 1; /* unrecognized next header */
        icmp.pointer = x.protocol_at;
    }
    send_error(host, now, packet, ip, false, &icmp);
}

/* RFC4443:4.2-1, RFC1122:3.2.2.6-1 */
static void echo_reply(struct ltcp_host *host, const struct ltcp_packet *packet,
                       const struct ltcp_ip *ip, const struct ltcp_icmp *icmp)
{
    if (host->engine.out_count >= 1024 || !address_is_local(host, &ip->destination)) return;
    struct ltcp_icmp reply = *icmp;
    struct ltcp_ip back;
    memset(&back, 0, sizeof back);
    reply.kind = LTCP_ICMP_ECHO_REPLY;
    back.source = ip->destination;
    back.destination = ip->source;
    back.ttl = (uint8_t)host->share->settings.ttl;
    back.identification = host->engine.next_identification++;
    struct ltcp_packet *out = ltcp_icmp_encode(host->engine.pool, &back, &reply);
    if (out == NULL) return;
    out->interface = packet->interface;
    engine_enqueue(&host->engine, out);
}

enum ltcp_status icmp_arrives(struct ltcp_host *host, ltcp_time now,
                              const struct ltcp_packet *packet, const struct ltcp_ip *ip)
{
    struct ltcp_icmp icmp;
    struct ltcp_ip quoted;
    const enum ltcp_status read = ltcp_icmp_decode(packet, ip, &icmp);
    if (read != LTCP_OK) return read;
    if (icmp.kind == LTCP_ICMP_ECHO) {
        echo_reply(host, packet, ip, &icmp);
        return LTCP_OK;
    }
    /* RFC9293:MUST-55, RFC5927:6.2-1: a source quench is dropped silently. */
    /* What is not known is none of ours: RFC4443:2.4-8, RFC1122:3.2.2-1. */
    if (icmp.kind >= LTCP_ICMP_ECHO || icmp.kind == LTCP_ICMP_SOURCE_QUENCH) return LTCP_OK;
    struct ltcp_connection *c = quoted_connection(host, packet, &icmp, &quoted);
    if (c == NULL) {
        host->counters.icmp_ignored++;
        return LTCP_OK;
    }
    connection_trace(c, now, LTCP_TRACE_ICMP, icmp.kind);
    if (c->state == LTCP_SYN_SENT) fast_open_failed(c, now);
    if (c->authenticated && authentication_ignores_icmp(c, &icmp)) return LTCP_OK;
    if (icmp.kind == LTCP_ICMP_TOO_BIG)
        paths_too_big(host, c, now, icmp.mtu, quoted.total_length);
    else
        act_on_error(c, now, icmp.kind);
    return LTCP_OK;
}
