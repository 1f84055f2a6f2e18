/* core/tcp/flow_label.h - the IPv6 flow label of a connection's packets, RFC 6437. */
#ifndef LUNATCP_TCP_FLOW_LABEL_H
#define LUNATCP_TCP_FLOW_LABEL_H

#include "tcp/connection.h"

/* The label for packets with these addresses and ports, as the settings want it; 0 with IPv4.
 * `changes`: how often it was chosen anew. */
uint32_t flow_label_of(const struct ltcp_engine *e, const struct ltcp_settings *settings,
                       const struct ltcp_ip *ip, uint16_t source_port, uint16_t destination_port,
                       uint32_t changes);
/* A connection's present one. */
uint32_t flow_label(const struct ltcp_connection *c);
/* The retransmission timer fired: another path may be better. */
void flow_label_timeout(struct ltcp_connection *c);
/* The peer sent what is here already. */
void flow_label_duplicate_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a);

#endif
