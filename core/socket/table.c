/* core/socket/table.c - the table of descriptors, and connections that outlive theirs. */
#include "socket/table.h"

#include <string.h>

#define FIRST_DEFAULT 3
#define MOST_DEFAULT  1024

void *table_resize(struct ltcp_sockets *t, void *old, size_t old_size, size_t size)
{
    return t->allocator.resize(t->allocator.context, old, old_size, size);
}

void *table_zeroed(struct ltcp_sockets *t, size_t size)
{
    void *piece = table_resize(t, NULL, 0, size);
    if (piece != NULL) memset(piece, 0, size);
    return piece;
}

struct ltcp_sockets *ltcp_sockets_create(const struct ltcp_sockets_config *config)
{
    const struct ltcp_allocator *a = ltcp_pool_allocator(config->pool);
    struct ltcp_sockets *t = a->resize(a->context, NULL, 0, sizeof *t);
    if (t == NULL) return NULL;
    memset(t, 0, sizeof *t);
    t->host = config->host;
    t->allocator = *a;
    t->first = config->first > 0 ? config->first : FIRST_DEFAULT;
    t->lowest = t->first;
    t->most = config->most > 0 ? config->most : MOST_DEFAULT;
    t->next_port = 32768;
    t->not_sent_low = config->not_sent_low;
    return t;
}

void ltcp_sockets_destroy(struct ltcp_sockets *t, ltcp_time now)
{
    if (t == NULL) return;
    for (int fd = 0; fd < t->capacity; fd++)
        if (t->files[fd].kind != FILE_NONE) file_close(t, now, fd);
    orphans_release(t);
    table_resize(t, t->files, (size_t)t->capacity * sizeof *t->files, 0);
    struct ltcp_allocator a = t->allocator;
    a.resize(a.context, t, sizeof *t, 0);
}

void ltcp_sockets_set_not_sent_low(struct ltcp_sockets *t, uint32_t octets)
{
    t->not_sent_low = octets;
}

/* ---- descriptors ------------------------------------------------------------------------------
 */

struct file *table_file(const struct ltcp_sockets *t, int fd)
{
    if (fd < 0 || fd >= t->capacity || t->files[fd].kind == FILE_NONE) return NULL;
    return &t->files[fd];
}

struct socket *table_socket(const struct ltcp_sockets *t, int fd, int *error)
{
    const struct file *f = table_file(t, fd);
    *error = f == NULL ? -LTCP_EBADF : -LTCP_ENOTSOCK;
    return f != NULL && f->kind == FILE_SOCKET ? f->object : NULL;
}

static int make_room(struct ltcp_sockets *t, int fd)
{
    if (fd >= t->most) return -LTCP_EMFILE;
    if (fd < t->capacity) return 0;
    int capacity = t->capacity < 16 ? 16 : t->capacity;
    while (capacity <= fd)
        capacity *= 2;
    struct file *files = table_resize(t, t->files, (size_t)t->capacity * sizeof *files,
                                      (size_t)capacity * sizeof *files);
    if (files == NULL) return -LTCP_ENOMEM;
    memset(files + t->capacity, 0, (size_t)(capacity - t->capacity) * sizeof *files);
    t->files = files;
    t->capacity = capacity;
    return 0;
}

int table_open(struct ltcp_sockets *t, enum file_kind kind, void *object, uint32_t status,
               bool close_on_exec)
{
    int fd = t->lowest;
    while (fd < t->capacity && t->files[fd].kind != FILE_NONE)
        fd++;
    const int room = make_room(t, fd);
    if (room < 0) return room;
    t->files[fd] = (struct file){.object = object,
                                 .serial = ++t->serial,
                                 .status = status,
                                 .kind = (uint8_t)kind,
                                 .close_on_exec = close_on_exec};
    t->lowest = fd + 1;
    return fd;
}

void table_free(struct ltcp_sockets *t, int fd)
{
    epoll_forget(t, fd, t->files[fd].serial);
    t->files[fd] = (struct file){.kind = FILE_NONE};
    if (fd < t->lowest && fd >= t->first) t->lowest = fd;
}

int ltcp_sockets_renumber(struct ltcp_sockets *t, int from, int to)
{
    if (table_file(t, from) == NULL || to < 0) return -LTCP_EBADF;
    if (from == to) return 0;
    if (table_file(t, to) != NULL) return -LTCP_EBUSY;
    const int room = make_room(t, to);
    if (room < 0) return room;
    const struct file moved = t->files[from];
    table_free(t, from);
    t->files[to] = moved;
    return 0;
}

ltcp_handle ltcp_sockets_handle(const struct ltcp_sockets *t, int fd)
{
    int error;
    const struct socket *s = table_socket(t, fd, &error);
    return s != NULL ? s->handle : 0;
}

int ltcp_sockets_at(const struct ltcp_sockets *t, size_t i)
{
    for (int fd = 0; fd < t->capacity; fd++)
        if (t->files[fd].kind != FILE_NONE && i-- == 0) return fd;
    return -1;
}

void ltcp_sockets_advance(struct ltcp_sockets *t, ltcp_time now)
{
    struct ltcp_info info;
    for (struct socket *s = t->sockets; s != NULL; s = s->next)
        socket_look(t, now, s, &info);
    table_sweep(t);
}
