/* core/network/capture.c - a bounded queue of captured packets. */
#include "capture.h"

void capture_add(struct capture *capture, const struct ltcp_allocator *allocator,
                 const struct ltcp_captured *captured)
{
    struct ltcp_captured *place = NULL;
    if (capture->waiting.count < capture->limit)
        place = ring_push(&capture->waiting, allocator, sizeof *place);
    if (place == NULL) {
        capture->missed++;
        return;
    }
    *place = *captured;
    ltcp_packet_ref(place->packet);
}

bool capture_next(struct capture *capture, struct ltcp_captured *out)
{
    if (capture->waiting.count == 0) return false;
    const struct ltcp_captured *first = ring_at(&capture->waiting, 0, sizeof *first);
    *out = *first;
    ring_pop(&capture->waiting);
    return true;
}

void capture_limit(struct capture *capture, const struct ltcp_allocator *allocator, size_t limit)
{
    capture->limit = limit;
    if (limit > 0) return;
    for (struct ltcp_captured captured; capture_next(capture, &captured);)
        ltcp_packet_unref(captured.packet);
    ring_free(&capture->waiting, allocator, sizeof(struct ltcp_captured));
}
