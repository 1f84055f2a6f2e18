/* core/network/source_route.c - a router's part in the source routes of IPv4. */
#include "source_route.h"

#include <string.h>

enum { END = 0, NOP = 1, LOOSE = 131, STRICT = 137 };
enum { FIXED_HEADER = 20, CHECKSUM = 10, DESTINATION = 16 };
enum { LENGTH = 1, POINTER = 2, ADDRESSES = 3 }; /* of the option's octets */

/* The pointer counts from 1 and from the option's first octet. */
static void look(struct source_route *route, const uint8_t *option, uint8_t pointer)
{
    const uint8_t length = option[LENGTH];
    route->pointer = (uint8_t)(route->option + pointer - 1);
    if (pointer > length) {
        route->kind = SOURCE_ROUTE_OVER;
    } else if (pointer < ADDRESSES + 1 || pointer + 3 > length) {
        route->kind = SOURCE_ROUTE_BROKEN;
        route->pointer = (uint8_t)(route->option + POINTER);
    } else {
        const uint8_t *a = option + pointer - 1;
        route->kind = SOURCE_ROUTE_NEXT;
        route->next = ltcp_address_v4(a[0], a[1], a[2], a[3]);
    }
}

/* The options are well formed: ltcp_ip_decode has seen to it. */
struct source_route source_route_find(const struct ltcp_ip *ip)
{
    struct source_route route = {.kind = SOURCE_ROUTE_NONE};
    if (ip->version != 4) return route;
    for (size_t i = 0; i + ADDRESSES <= ip->options_length && ip->options[i] != END;) {
        const uint8_t *option = ip->options + i;
        if (option[0] == NOP) {
            i++;
            continue;
        }
        if (option[0] == LOOSE || option[0] == STRICT) {
            route.strict = option[0] == STRICT;
            route.option = (uint8_t)(FIXED_HEADER + i);
            if (option[LENGTH] < ADDRESSES) {
                route.kind = SOURCE_ROUTE_BROKEN;
                route.pointer = (uint8_t)(route.option + LENGTH);
            } else {
                look(&route, option, option[POINTER]);
            }
            return route;
        }
        i += option[LENGTH];
    }
    return route;
}

void source_route_skip(struct source_route *route, const struct ltcp_ip *ip)
{
    const uint8_t *option = ip->options + (route->option - FIXED_HEADER);
    look(route, option, (uint8_t)(route->pointer - route->option + 1 + 4));
}

void source_route_advance(struct ltcp_packet *packet, const struct source_route *route,
                          const struct ltcp_address *recorded)
{
    uint8_t *head = packet->head;
    memcpy(head + DESTINATION, route->next.bytes + 12, 4);
    memcpy(head + route->pointer, recorded->bytes + 12, 4);
    head[route->option + POINTER] = (uint8_t)(route->pointer - route->option + 1 + 4);
    memset(head + CHECKSUM, 0, 2);
    const uint16_t checksum = ltcp_sum_finish(ltcp_sum(0, head, (size_t)(head[0] & 15) * 4));
    memcpy(head + CHECKSUM, &checksum, 2);
}
