/* core/network/capture.h - references to what links saw, until somebody takes them. */
#ifndef LUNATCP_NETWORK_CAPTURE_H
#define LUNATCP_NETWORK_CAPTURE_H

#include "memory.h"
#include "lunatcp/network.h"

struct capture {
    struct ring waiting; /* struct ltcp_captured */
    size_t limit;        /* 0: off */
    uint64_t missed;
};

/* `captured->packet` is the caller's reference; the capture takes one of its own. */
void capture_add(struct capture *capture, const struct ltcp_allocator *allocator,
                 const struct ltcp_captured *captured);
bool capture_next(struct capture *capture, struct ltcp_captured *out);
/* 0: lets go of all that waits. */
void capture_limit(struct capture *capture, const struct ltcp_allocator *allocator, size_t limit);

#endif
