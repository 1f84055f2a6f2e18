/* core/tcp/digest.h - digests of a connection and of settings. Internal to the core. */
#ifndef LUNATCP_TCP_DIGEST_H
#define LUNATCP_TCP_DIGEST_H

#include "lunatcp/settings.h"
#include "wire/digest.h"

struct ltcp_connection;

void settings_digest(struct digest *d, const struct ltcp_settings *settings);
void connection_digest(struct digest *d, const struct ltcp_connection *c, ltcp_time now);

#endif
