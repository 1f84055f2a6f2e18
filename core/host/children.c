/* core/host/children.c
 *
 * Which connections a listener has brought forth that cannot be accepted yet, so that its end costs
 * no look at all the others. Their handles are noted as they come; those of connections that have
 * gone, or are in the accept queue by now, are thrown out when there is no room, all at once. So a
 * connection needs no place of its own for it, and each costs a bounded number of looks. */
#include <string.h>

#include "host/host.h"

#define KEPT_MOST 256 /* handles: what grew beyond is given back when nobody is half open */

static ltcp_handle *list_of(struct ltcp_children *all)
{
    return all->list != NULL ? all->list : all->few;
}

static uint32_t room_of(const struct ltcp_children *all)
{
    return all->list != NULL ? all->room : LTCP_CHILDREN_FEW;
}

static struct ltcp_connection *child_at(struct ltcp_listener *l, uint32_t i)
{
    struct ltcp_connection *c = handle_any(l->host, list_of(&l->children)[i]);
    return c != NULL && c->listener == l && !c->in_accept_queue ? c : NULL;
}

static void tidy(struct ltcp_listener *l)
{
    struct ltcp_children *all = &l->children;
    ltcp_handle *list = list_of(all);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all->count; i++)
        if (child_at(l, i) != NULL) list[kept++] = list[i];
    all->count = kept;
}

void children_free(struct ltcp_listener *l)
{
    struct ltcp_children *all = &l->children;
    if (all->list == NULL) return;
    engine_resize(&l->host->engine, all->list, all->room * sizeof *all->list, 0);
    all->list = NULL;
}

/* At least half of it is free afterwards, or as much as there is memory for. */
static bool make_room(struct ltcp_listener *l)
{
    struct ltcp_children *all = &l->children;
    const uint32_t room = room_of(all);
    if (all->count < room) return true;
    tidy(l);
    if (all->count <= room / 2) return true;
    ltcp_handle *list = engine_resize(&l->host->engine, NULL, 0, 2 * (size_t)room * sizeof *list);
    if (list == NULL) return all->count < room;
    memcpy(list, list_of(all), all->count * sizeof *list);
    children_free(l);
    all->list = list;
    all->room = 2 * room;
    return true;
}

void children_add(struct ltcp_listener *l, const struct ltcp_connection *c)
{
    struct ltcp_children *all = &l->children;
    if (make_room(l))
        list_of(all)[all->count++] = c->handle;
    else
        all->incomplete = true; /* then all connections are looked at in the end */
}

void children_none(struct ltcp_listener *l)
{
    struct ltcp_children *all = &l->children;
    all->count = 0;
    all->incomplete = false;
    if (all->list != NULL && all->room > KEPT_MOST) children_free(l);
}

void children_drop(struct ltcp_listener *l, ltcp_time now,
                   void (*drop)(struct ltcp_connection *, ltcp_time))
{
    struct ltcp_host *host = l->host;
    const struct ltcp_children *all = &l->children;
    for (uint32_t i = 0; all->incomplete && i < host->slot_capacity; i++) {
        struct ltcp_connection *c = slot_connection(host, i);
        if (c != NULL && c->listener == l && !c->in_accept_queue) drop(c, now);
    }
    for (uint32_t i = 0; i < all->count; i++) {
        struct ltcp_connection *c = child_at(l, i);
        if (c != NULL) drop(c, now);
    }
    while (l->accept_first != NULL) {
        struct ltcp_connection *c = l->accept_first;
        l->accept_first = c->next_accept;
        drop(c, now);
    }
    children_free(l);
}
