/* core/host/fast_open.h - what a listener does about TCP Fast Open, RFC 7413. */
#ifndef LUNATCP_HOST_FAST_OPEN_H
#define LUNATCP_HOST_FAST_OPEN_H

#include "host/host.h"
#include "tcp/fast_open.h"

/* A child whose SYN has been read: true when it is open already and stands in the queue of those to
 * be accepted; false when it goes on as any other. */
bool fast_open_arrives(struct ltcp_listener *l, struct ltcp_connection *c, struct ltcp_arrival *a);
/* Takes a connection that has left SYN-RECEIVED off its listener's account. */
void fast_open_settle(struct ltcp_host *host, struct ltcp_connection *c);
/* Counts options that are ignored for their form or place. */
void fast_open_look(struct ltcp_host *host, const struct ltcp_segment *s);
void fast_open_first_key(struct ltcp_host *host);

#endif
