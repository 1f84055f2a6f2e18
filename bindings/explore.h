/* bindings/explore.h - what the other bindings tell of a run that an explorer leads: everything
 * that the script learns of it. Nothing happens where there is none. */
#ifndef LUNATCP_BIND_EXPLORE_H
#define LUNATCP_BIND_EXPLORE_H

#include "binding.h"

#define BIND_EXPLORER "lunatcp.Explorer"

enum bind_saw {
    BIND_SAW_OTHER,
    BIND_SAW_BYTES,
    BIND_SAW_STATUS,
    BIND_SAW_COUNT,
    BIND_SAW_STATE,
    BIND_SAW_INFO,
    BIND_SAW_PACKET,
    BIND_SAW_EVENT
};

void bind_open_explore(lua_State *L);
/* The packet that waits for a choice gets one. False: the state was met before, and the run ends.
 */
bool bind_explore_choose(struct bind_network *net);
/* The network closes. */
void bind_explore_detach(struct bind_network *net);

/* `what`: enum bind_saw, and a handle or the like above its 8 bits. */
void bind_explore_saw(struct bind_network *net, uint64_t what, const void *bytes, size_t length);
void bind_explore_saw_info(struct bind_network *net, const struct ltcp_info *info, bool counters);
void bind_explore_wrote(struct bind_network *net, uint32_t node, ltcp_handle handle,
                        const void *bytes, size_t length, bool urgent);
/* FLUSH took back the last `length` octets. */
void bind_explore_dropped(struct bind_network *net, uint32_t node, ltcp_handle handle,
                          size_t length);
void bind_explore_read(struct bind_network *net, uint32_t node, ltcp_handle handle,
                       const void *bytes, size_t length);

#endif
