/* core/tcp/user_timeout.h - the user timeout option, RFC 5482. */
#ifndef LUNATCP_TCP_USER_TIMEOUT_H
#define LUNATCP_TCP_USER_TIMEOUT_H

#include "tcp/connection.h"

/* The USER TIMEOUT that follows from what both ends advertise; 0: the settings alone count. */
ltcp_time user_timeout_adopted(const struct ltcp_connection *c);
/* How long nothing must be heard until the first keep-alive. */
ltcp_time user_timeout_keepalive_idle(const struct ltcp_connection *c);

/* The option of a SYN; and, where one is due and has room beside `payload` octets, of another
 * segment: true when it was put into `o`. */
void user_timeout_write_syn(const struct ltcp_connection *c, struct ltcp_options *o);
bool user_timeout_write(const struct ltcp_connection *c, uint32_t payload, struct ltcp_options *o);
static inline bool user_timeout_is_due(const struct ltcp_connection *c)
{
    return c->rare != NULL && c->rare->uto.due;
}
/* A segment left, with the option or without. */
void user_timeout_sent(struct ltcp_connection *c, const struct ltcp_segment *s);
/* The connection is established, or its settings changed: the next segment says it. */
void user_timeout_advertise(struct ltcp_connection *c);
void user_timeout_info(const struct ltcp_connection *c, struct ltcp_info *out);
void user_timeout_arrives(struct ltcp_connection *c, const struct ltcp_options *o);

#endif
