/* core/tcp/source_route.c
 *
 * IPv4 loose source routes, RFC 9293 section 3.9.2.1, RFC 791 section 3.1: given with an active
 * OPEN (RFC9293:MUST-51), or learnt from what arrives and used the other way round (MUST-53). */
#include <string.h>

#include "tcp/connection.h"

enum { END = 0, NOP = 1, LOOSE = 131, STRICT = 137 };

static void store(struct ltcp_connection *c, const uint8_t *hops, uint8_t octets)
{
    struct ltcp_rare *r = rare_of(c);
    if (octets == 0 || octets + 4u > sizeof r->route) return;
    memcpy(r->route, hops, octets);
    memcpy(r->route + octets, c->flow.remote.bytes + 12, 4);
    r->route_length = (uint8_t)(octets + 4);
    connection_set_mss(c);
}

void source_route_set(struct ltcp_connection *c, const struct ltcp_address *hops, uint8_t count)
{
    uint8_t octets[4 * LTCP_SOURCE_ROUTE_MOST];
    if (count == 0 || count > LTCP_SOURCE_ROUTE_MOST) return;
    for (uint8_t i = 0; i < count; i++)
        memcpy(octets + 4 * i, hops[i].bytes + 12, 4);
    store(c, octets, (uint8_t)(4 * count));
    rare_of(c)->route_is_users = true;
}

/* The recorded route of a completed option, backwards. A later one replaces it (RFC9293:SHLD-24),
 * but never what the user gave (MUST-52). Any other option is ignored (MUST-50). */
void source_route_arrives(struct ltcp_connection *c, const struct ltcp_ip *ip)
{
    if (ip->version != 4 || (c->rare != NULL && c->rare->route_is_users)) return;
    for (size_t i = 0; i < ip->options_length && ip->options[i] != END;) {
        const uint8_t kind = ip->options[i];
        if (kind == NOP) {
            i++;
            continue;
        }
        const uint8_t *option = ip->options + i;
        if (i + 2 > ip->options_length || option[1] < 2 || i + option[1] > ip->options_length)
            return;
        const uint8_t octets = option[1] >= 3 ? (uint8_t)(option[1] - 3) : 0;
        if ((kind == LOOSE || kind == STRICT) && octets > 0 && octets % 4 == 0 &&
            octets <= 4 * LTCP_SOURCE_ROUTE_MOST && option[2] > option[1]) {
            uint8_t back[4 * LTCP_SOURCE_ROUTE_MOST];
            for (uint8_t k = 0; k < octets; k += 4)
                memcpy(back + k, option + 3 + octets - 4 - k, 4);
            store(c, back, octets);
            return;
        }
        i += option[1];
    }
}

/* The packet goes to the first hop; the option holds the hops behind it (RFC 791). */
void source_route_apply(const struct ltcp_connection *c, struct ltcp_ip *ip, uint8_t *room)
{
    const struct ltcp_rare *r = c->rare;
    const uint8_t rest = (uint8_t)(r->route_length - 4);
    memcpy(ip->destination.bytes + 12, r->route, 4);
    room[0] = LOOSE;
    room[1] = (uint8_t)(3 + rest);
    room[2] = 4; /* the pointer: the first address is next */
    memcpy(room + 3, r->route + 4, rest);
    room[3 + rest] = END;
    ip->options = room;
    ip->options_length = (uint16_t)(4 + rest);
}
