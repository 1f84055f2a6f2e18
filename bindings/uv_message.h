/* bindings/uv_message.h
 *
 * One message of sendmmsg and recvmmsg, also where there is neither, and room for the control
 * messages beside it. For uv_send.c and uv_receive.c. */
#ifndef LUNATCP_UV_MESSAGE_H
#define LUNATCP_UV_MESSAGE_H

#include "uv_batch.h"

#ifdef __linux__
typedef struct mmsghdr udp_message; /* needs _GNU_SOURCE */
#else
typedef struct {
    struct msghdr msg_hdr;
    unsigned msg_len;
} udp_message;
#endif

/* TOS, TTL and a piece size; on the way in perhaps one more that nobody asked for. */
union udp_control {
    struct cmsghdr alignment;
    unsigned char bytes[4 * CMSG_SPACE(sizeof(int))];
};

#endif
