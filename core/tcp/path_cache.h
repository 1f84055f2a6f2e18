/* core/tcp/path_cache.h
 *
 * What the connections of a host know of the paths that they share: RFC 1191 section 6.2, RFC 8201
 * section 5.2, RFC 4821 section 5.2. Internal to the core. */
#ifndef LUNATCP_TCP_PATH_CACHE_H
#define LUNATCP_TCP_PATH_CACHE_H

#include "tcp/connection.h"

struct ltcp_path_entry {
    struct ltcp_address local, remote;
    ltcp_time expires;
    uint64_t last_use;  /* 0: the place is free */
    uint16_t mtu, high; /* a search need not go higher than `high` */
    bool told;          /* by a router, so that a probe does not raise it */
};

/* What is known of the way between two addresses, and not too old; NULL. */
const struct ltcp_path_entry *path_cache_find(struct ltcp_engine *e,
                                              const struct ltcp_address *local,
                                              const struct ltcp_address *remote, ltcp_time now);
/* The connection opens: it begins with what others have found out. */
void path_cache_open(struct ltcp_connection *c, ltcp_time now);
/* Its path MTU is lower than before: a router said so ... */
void path_cache_told(struct ltcp_connection *c, ltcp_time now, ltcp_time expires);
/* ... or it is what a search has found. */
void path_cache_found(struct ltcp_connection *c, ltcp_time now, ltcp_time expires, uint16_t high);
/* When what the connection began with is too old; 0 where it is not known any more. */
ltcp_time path_cache_expiry(const struct ltcp_connection *c);
void path_cache_forget(struct ltcp_engine *e);
/* The i-th place of the table; NULL past the last, and where there is no table. */
const struct ltcp_path_entry *path_cache_at(const struct ltcp_engine *e, size_t i);

#endif
