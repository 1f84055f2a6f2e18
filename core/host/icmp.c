/* core/host/icmp.c - ICMP that reaches a host: RFC 9293 section 3.9.2.2, RFC 5927, RFC 5461. */
#include <string.h>

#include "host/fast_open.h"

static enum ltcp_status status_of(enum ltcp_icmp_kind kind)
{
    switch (kind) {
    case LTCP_ICMP_NET_UNREACHABLE: return LTCP_ERR_NET_UNREACHABLE;
    case LTCP_ICMP_PROTOCOL_UNREACHABLE: return LTCP_ERR_PROTOCOL_UNREACHABLE;
    case LTCP_ICMP_PORT_UNREACHABLE: return LTCP_ERR_REFUSED;
    default: return LTCP_ERR_HOST_UNREACHABLE;
    }
}

/* RFC9293:MUST-54: to the connection whose segment is quoted; RFC 5927 section 4: only if the
 * quoted sequence number is one that is outstanding. */
static struct ltcp_connection *quoted_connection(struct ltcp_host *host,
                                                 const struct ltcp_icmp *icmp, struct ltcp_ip *ip)
{
    struct ltcp_segment s;
    const enum ltcp_status read = ltcp_ip_decode_bytes(icmp->quote, icmp->quote_length, true, ip);
    if (read != LTCP_OK || ip->protocol != LTCP_PROTOCOL_TCP) return NULL;
    if (ltcp_segment_decode_bytes(icmp->quote + ip->header_length,
                                  icmp->quote_length - ip->header_length, ip, true, &s) != LTCP_OK)
        return NULL;
    const struct ltcp_address to = ltcp_ip_final_destination(ip);
    struct ltcp_connection *c =
        demultiplexer_find(host, &ip->source, s.source_port, &to, s.destination_port);
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
 * stranger could forge them (RFC 5927 section 5.2), so then they are soft. */
static void act_on_error(struct ltcp_connection *c, ltcp_time now, enum ltcp_icmp_kind kind)
{
    const bool hard = kind == LTCP_ICMP_PROTOCOL_UNREACHABLE || kind == LTCP_ICMP_PORT_UNREACHABLE;
    if (hard && (c->state == LTCP_SYN_SENT || c->state == LTCP_SYN_RECEIVED))
        connection_die(c, now, status_of(kind));
    else
        soft_error(c, status_of(kind));
}

/* RFC 1122 section 3.2.2.1: no datagram service is here, so UDP finds no port and anything else no
 * protocol; IPv6 says the latter by a parameter problem at the next-header field (RFC 4443, 3.4).
 */
void icmp_refuse(struct ltcp_host *host, const struct ltcp_packet *packet, const struct ltcp_ip *ip)
{
    uint8_t quote[1280];
    if (host->engine.out_count >= 1024 || !address_is_peer(host, &ip->source)) return;
    struct ltcp_ip back;
    memset(&back, 0, sizeof back);
    back.source = ip->destination;
    back.destination = ip->source;
    back.ttl = (uint8_t)host->share->settings.ttl;
    back.identification = host->engine.next_identification++;
    struct ltcp_icmp icmp;
    memset(&icmp, 0, sizeof icmp);
    icmp.kind = ip->protocol == LTCP_PROTOCOL_UDP ? LTCP_ICMP_PORT_UNREACHABLE
                                                  : LTCP_ICMP_PROTOCOL_UNREACHABLE;
    if (ip->version == 6 && ip->protocol != LTCP_PROTOCOL_UDP) {
        icmp.kind = LTCP_ICMP_PARAMETER_PROBLEM;
        icmp.code = 1; /* unrecognized next header */
        icmp.pointer = 6;
    }
    icmp.quote = quote;
    icmp.quote_length = ltcp_packet_bytes(packet, quote, sizeof quote);
    struct ltcp_packet *out = ltcp_icmp_encode(host->engine.pool, &back, &icmp);
    if (out == NULL) return;
    out->interface = packet->interface;
    engine_enqueue(&host->engine, out);
}

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
    /* RFC9293:MUST-55: a source quench is dropped silently. */
    if (icmp.kind >= LTCP_ICMP_ECHO || icmp.kind == LTCP_ICMP_SOURCE_QUENCH) return LTCP_OK;
    struct ltcp_connection *c = quoted_connection(host, &icmp, &quoted);
    if (c == NULL) {
        host->counters.icmp_ignored++;
        return LTCP_OK;
    }
    connection_trace(c, now, LTCP_TRACE_ICMP, icmp.kind);
    if (c->state == LTCP_SYN_SENT) fast_open_failed(c, now);
    if (icmp.kind == LTCP_ICMP_TOO_BIG)
        path_mtu_lower(c, icmp.mtu, quoted.total_length);
    else
        act_on_error(c, now, icmp.kind);
    return LTCP_OK;
}
