/* core/tcp/flow_label.c
 *
 * RFC 6437: all packets of a connection carry one label, which says nothing to those who do not
 * know the secret. Routers that balance load by it keep the connection on one path; so with the
 * setting flow_label_rehash a retransmission timeout, or the peer's, makes it another one, which
 * may lead around what is broken. Nothing is stored: the label follows from the pair of sockets
 * and from how often it was changed. */
#include "tcp/flow_label.h"

#include <string.h>

/* RFC6437:3-1, RFC6437:3-2, RFC6437:3-3, RFC6437:6-1: of all labels but 0, each as likely. */
static uint32_t hashed(const struct ltcp_engine *e, const struct ltcp_ip *ip, uint16_t source_port,
                       uint16_t destination_port, uint32_t changes)
{
    uint8_t text[41];
    memcpy(text, ip->source.bytes, 16);
    memcpy(text + 16, ip->destination.bytes, 16);
    text[32] = (uint8_t)(source_port >> 8);
    text[33] = (uint8_t)source_port;
    text[34] = (uint8_t)(destination_port >> 8);
    text[35] = (uint8_t)destination_port;
    for (int i = 0; i < 4; i++)
        text[36 + i] = (uint8_t)(changes >> 8 * i);
    text[40] = 'l'; /* no other use of the secret hashes so long a text */
    return 1 + (uint32_t)(ltcp_siphash(e->secret, text, sizeof text) % 0xFFFFF);
}

uint32_t flow_label_of(const struct ltcp_engine *e, const struct ltcp_settings *settings,
                       const struct ltcp_ip *ip, uint16_t source_port, uint16_t destination_port,
                       uint32_t changes)
{
    if (ltcp_address_is_v4(&ip->source)) return 0;
    if (settings->flow_label >= 0) return (uint32_t)settings->flow_label; /* RFC6437:3-4 */
    return hashed(e, ip, source_port, destination_port, changes);
}

uint32_t flow_label(const struct ltcp_connection *c)
{
    const struct ltcp_ip ip = {.source = c->flow.local, .destination = c->flow.remote};
    const uint32_t changes = c->rare != NULL ? c->rare->flow_label_changes : 0;
    return flow_label_of(c->engine, settings_of(c), &ip, c->flow.local_port, c->flow.remote_port,
                         changes);
}

static bool may_change(const struct ltcp_connection *c)
{
    return settings_of(c)->flow_label_rehash && settings_of(c)->flow_label < 0 &&
           !ltcp_address_is_v4(&c->flow.local);
}

static void change(struct ltcp_connection *c)
{
    rare_of(c)->flow_label_changes++;
    if (c->engine->template_of == c) c->engine->template_of = NULL;
}

void flow_label_timeout(struct ltcp_connection *c)
{
    if (may_change(c)) change(c);
}

/* A duplicate by a new label: the peer's timer fired, since our acknowledgments do not get through.
 * Not while our own timer says the same. */
void flow_label_duplicate_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    if (!may_change(c) || a->ip->flow_label == 0) return;
    struct ltcp_rare *rare = rare_of(c);
    const uint32_t seen = rare->flow_label_seen;
    rare->flow_label_seen = a->ip->flow_label;
    if (seen != 0 && seen != a->ip->flow_label && c->recovery != LTCP_RECOVERY_TIMEOUT) change(c);
}
