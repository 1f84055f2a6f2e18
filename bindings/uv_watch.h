/* bindings/uv_watch.h
 *
 * What a loop waits for beside its tunnels: descriptors of terminals, pipes, files and sockets, and
 * signals. libuv says what is ready; nothing is called back: the loop's owner takes what woke it.
 * Knows no Lua. */
#ifndef LUNATCP_UV_WATCH_H
#define LUNATCP_UV_WATCH_H

#include <stdbool.h>

struct uv_loop_s;
struct ltcp_watch;

enum { LTCP_WATCH_READ = 1, LTCP_WATCH_WRITE = 2, LTCP_WATCH_SIGNAL = 4 };

/* Those of one loop; zeroed is empty. */
struct ltcp_watches {
    struct ltcp_watch *first;
    unsigned wanted; /* how many descriptors are waited for: the loop may sleep for them */
    unsigned ready;  /* how many have not been taken yet */
    bool changed;    /* libuv has not told the kernel yet */
};

/* A descriptor, which stays its owner's. One that always is ready (a regular file, /dev/null) is
 * allowed. 0 or an errno value: EBADF, EEXIST (this loop watches it already). */
int ltcp_watch_descriptor(struct uv_loop_s *uv, struct ltcp_watches *watches, int fd,
                          struct ltcp_watch **out);
/* A signal, from now on reported here and nowhere else. EINVAL. */
int ltcp_watch_signal(struct uv_loop_s *uv, struct ltcp_watches *watches, int number,
                      struct ltcp_watch **out);
/* NULL is allowed. */
void ltcp_watch_close(struct ltcp_watch *watch);

/* What is waited for, once: what becomes ready is no more waited for. 0: nothing. */
int ltcp_watch_want(struct ltcp_watch *watch, unsigned bits);
/* From now on `call(owner)` is called whenever the descriptor is readable, from within the loop;
 * nothing is to be taken. It may close watches. 0 or an errno value. */
int ltcp_watch_call(struct ltcp_watch *watch, void (*call)(void *owner));
/* True: it was given such a call. */
bool ltcp_watch_is_called(const struct ltcp_watch *watch);
/* One that is ready, and what of it; NULL: none. */
struct ltcp_watch *ltcp_watches_take(struct ltcp_watches *watches, unsigned *bits);

/* The owner's. */
void ltcp_watch_set_owner(struct ltcp_watch *watch, void *owner);
void *ltcp_watch_owner(const struct ltcp_watch *watch);

#endif
