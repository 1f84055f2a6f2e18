/* bindings/uv_watch.c - descriptors and signals that a loop waits for. */
#include "uv_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

enum kind {
    POLLED, /* a descriptor that libuv polls */
    ALWAYS, /* a descriptor that never waits: the kernel refuses to poll it */
    SIGNAL
};

struct ltcp_watch {
    union {
        uv_handle_t any;
        uv_poll_t poll;
        uv_signal_t signal;
    } handle;
    enum kind kind;
    unsigned wanted, ready;
    struct ltcp_watch *next;
    struct ltcp_watches *watches;
    void *owner;
    void (*call)(void *owner); /* or NULL: readiness is noted */
};

static void note_ready(struct ltcp_watch *watch, unsigned bits)
{
    if (bits == 0) return;
    if (watch->ready == 0) watch->watches->ready++;
    watch->ready |= bits;
}

static void set_wanted(struct ltcp_watch *watch, unsigned bits)
{
    struct ltcp_watches *all = watch->watches;
    all->wanted = all->wanted - (watch->wanted != 0) + (bits != 0);
    watch->wanted = bits;
}

/* An error is found by whoever reads or writes then. */
static void became_ready(uv_poll_t *poll, int status, int events)
{
    struct ltcp_watch *watch = poll->data;
    if (watch->call != NULL) {
        /* libuv stops polling where there was an error, which the call reads off. */
        if (status < 0) uv_poll_start(poll, UV_READABLE, became_ready);
        watch->call(watch->owner);
        return;
    }
    unsigned bits = status < 0 ? watch->wanted : 0;
    if (events & (UV_READABLE | UV_DISCONNECT)) bits |= LTCP_WATCH_READ;
    if (events & (UV_WRITABLE | UV_DISCONNECT)) bits |= LTCP_WATCH_WRITE;
    uv_poll_stop(poll);
    note_ready(watch, bits & watch->wanted);
    set_wanted(watch, 0);
}

static void signalled(uv_signal_t *signal, int number)
{
    (void)number;
    note_ready(signal->data, LTCP_WATCH_SIGNAL);
}

static struct ltcp_watch *create(struct ltcp_watches *watches, enum kind kind)
{
    struct ltcp_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) return NULL;
    watch->kind = kind;
    watch->watches = watches;
    return watch;
}

static void add(struct ltcp_watch *watch, struct ltcp_watch **out)
{
    watch->handle.any.data = watch;
    watch->next = watch->watches->first;
    watch->watches->first = watch;
    *out = watch;
}

int ltcp_watch_descriptor(struct uv_loop_s *uv, struct ltcp_watches *watches, int fd,
                          struct ltcp_watch **out)
{
    struct ltcp_watch *watch = create(watches, POLLED);
    if (watch == NULL) return ENOMEM;
    int flags = fcntl(fd, F_GETFL);
    int error = -uv_poll_init(uv, &watch->handle.poll, fd);
    if (flags != -1) fcntl(fd, F_SETFL, flags); /* others may have it too: it stays as it was */
    if (error == EPERM) {                       /* what epoll says of a regular file */
        watch->kind = ALWAYS;
    } else if (error != 0) {
        free(watch);
        return error;
    }
    add(watch, out);
    return 0;
}

int ltcp_watch_signal(struct uv_loop_s *uv, struct ltcp_watches *watches, int number,
                      struct ltcp_watch **out)
{
    struct ltcp_watch *watch = create(watches, SIGNAL);
    if (watch == NULL) return ENOMEM;
    int error = -uv_signal_init(uv, &watch->handle.signal);
    if (error != 0) {
        free(watch);
        return error;
    }
    add(watch, out);
    error = -uv_signal_start(&watch->handle.signal, signalled, number);
    if (error != 0) ltcp_watch_close(watch);
    return error;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void ltcp_watch_close(struct ltcp_watch *watch)
{
    if (watch == NULL) return;
    struct ltcp_watches *all = watch->watches;
    struct ltcp_watch **place = &all->first;
    while (*place != watch)
        place = &(*place)->next;
    *place = watch->next;
    set_wanted(watch, 0);
    if (watch->ready != 0) all->ready--;
    if (watch->kind == ALWAYS)
        free(watch);
    else
        uv_close(&watch->handle.any, closed);
}

int ltcp_watch_want(struct ltcp_watch *watch, unsigned bits)
{
    if (watch->kind == SIGNAL) return EINVAL;
    if (watch->kind == ALWAYS) {
        note_ready(watch, bits);
        return 0;
    }
    if (bits == watch->wanted) return 0;
    int events = 0, error = 0;
    if (bits & LTCP_WATCH_READ) events |= UV_READABLE;
    if (bits & LTCP_WATCH_WRITE) events |= UV_WRITABLE;
    if (events != 0)
        error = -uv_poll_start(&watch->handle.poll, events, became_ready);
    else
        uv_poll_stop(&watch->handle.poll);
    watch->watches->changed = true;
    set_wanted(watch, error == 0 ? bits : 0);
    return error;
}

int ltcp_watch_call(struct ltcp_watch *watch, void (*call)(void *owner))
{
    watch->call = call;
    return ltcp_watch_want(watch, LTCP_WATCH_READ);
}

bool ltcp_watch_is_called(const struct ltcp_watch *watch)
{
    return watch->call != NULL;
}

struct ltcp_watch *ltcp_watches_take(struct ltcp_watches *watches, unsigned *bits)
{
    if (watches->ready == 0) return NULL;
    struct ltcp_watch *watch = watches->first;
    while (watch->ready == 0)
        watch = watch->next;
    *bits = watch->ready;
    watch->ready = 0;
    watches->ready--;
    return watch;
}

void ltcp_watch_set_owner(struct ltcp_watch *watch, void *owner)
{
    watch->owner = owner;
}

void *ltcp_watch_owner(const struct ltcp_watch *watch)
{
    return watch->owner;
}
