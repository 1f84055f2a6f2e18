/* bindings/packetdrill/values.c - the system's structs, as the socket layer has them, and back. */
#include "object.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

void sockaddr_read(const struct sockaddr *from, socklen_t length, struct ltcp_sockaddr *to)
{
    memset(to, 0, sizeof *to);
    if (from == NULL || length < sizeof from->sa_family) {
        to->length = from != NULL ? length : 0;
        return;
    }
    to->length = length;
    to->family = from->sa_family;
    if (from->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        const uint8_t *b = (const uint8_t *)&in.sin_addr;
        to->address = ltcp_address_v4(b[0], b[1], b[2], b[3]);
        to->port = ntohs(in.sin_port);
    } else if (from->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof in6);
        memcpy(to->address.bytes, &in6.sin6_addr, sizeof to->address.bytes);
        to->port = ntohs(in6.sin6_port);
    }
}

void sockaddr_write(const struct ltcp_sockaddr *from, struct sockaddr *to, socklen_t *length)
{
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } made;
    socklen_t size = 0;
    if (to == NULL || length == NULL) return;
    memset(&made, 0, sizeof made);
    if (from->family == LTCP_AF_INET) {
        made.in.sin_family = AF_INET;
        made.in.sin_port = htons(from->port);
        memcpy(&made.in.sin_addr, from->address.bytes + 12, 4);
        size = sizeof made.in;
    } else if (from->family == LTCP_AF_INET6) {
        made.in6.sin6_family = AF_INET6;
        made.in6.sin6_port = htons(from->port);
        memcpy(&made.in6.sin6_addr, from->address.bytes, sizeof from->address.bytes);
        size = sizeof made.in6;
    }
    memcpy(to, &made, size < *length ? size : *length);
    *length = size;
}

void controls_write(const struct ltcp_call *call, struct msghdr *message)
{
    size_t used = 0;
    for (size_t i = 0; i < call->control_count; i++) {
        const int value = (int)call->controls[i].value;
        if (used + CMSG_SPACE(sizeof value) > message->msg_controllen) break;
        struct cmsghdr *header = (struct cmsghdr *)(void *)((char *)message->msg_control + used);
        header->cmsg_level = call->controls[i].level;
        header->cmsg_type = call->controls[i].type;
        header->cmsg_len = CMSG_LEN(sizeof value);
        memcpy(CMSG_DATA(header), &value, sizeof value);
        used += CMSG_SPACE(sizeof value);
    }
    message->msg_controllen = used;
}
