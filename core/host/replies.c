/* core/host/replies.c - what is sent where no connection is: RFC 9293 section 3.10.7.1. */
#include <string.h>

#include "host/host.h"
#include "tcp/flow_label.h"

/* Answers to strangers wait in one queue with a bound, so that a flood costs no memory. */
#define REPLIES_MOST 1024

/* RFC9293:3.10.7.1-3 with an ACK, RFC9293:3.10.7.1-2 without. */
void reply_reset(struct ltcp_host *host, const struct ltcp_arrival *a)
{
    const struct ltcp_segment *in = a->segment;
    if (in->flags & LTCP_RST) return; /* RFC9293:3.10.7.1-1 */
    if (host->engine.out_count >= REPLIES_MOST) return;
    struct ltcp_packet *packet = ltcp_packet_create(host->engine.pool);
    if (packet == NULL) return;
    struct ltcp_segment s;
    memset(&s, 0, sizeof s);
    s.source_port = in->destination_port;
    s.destination_port = in->source_port;
    s.flags = LTCP_RST;
    if (in->flags & LTCP_ACK) {
        s.seq = in->ack;
    } else {
        s.ack = seq_add(in->seq, ltcp_segment_length(in));
        s.flags |= LTCP_ACK;
    }
    struct ltcp_ip ip;
    memset(&ip, 0, sizeof ip);
    ip.source = a->ip->destination;
    ip.destination = a->ip->source;
    ip.identification = host->engine.next_identification++;
    ip.protocol = LTCP_PROTOCOL_TCP;
    ip.ttl = (uint8_t)host->share->settings.ttl;
    ip.dscp = (uint8_t)host->share->settings.dscp;
    ip.dont_fragment = true;
    ip.flow_label = flow_label_of(&host->engine, &host->share->settings, &ip, s.source_port,
                                  s.destination_port, 0);
    uint8_t options[40];
    s.options_bytes = options;
    s.options_length = authentication_reply_options(host, a, options);
    const struct ltcp_route *route = route_find(host, &ip.destination);
    packet->interface = route != NULL ? route->interface : a->packet->interface;
    packet->time = a->now;
    ltcp_segment_encode(packet, &ip, &s);
    if (s.options_length > 0) authentication_reply_sign(host, a, packet);
    engine_enqueue(&host->engine, packet);
    host->counters.resets_sent++;
}
