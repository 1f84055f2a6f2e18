/* bindings/uv_drive.c - the loop: libuv polls, a timerfd wakes to the nanosecond.
 *
 * The sockets are our own (uv_batch.h), since libuv refuses to poll the descriptor of a uv_udp_t
 * and drops the piece size of a train; libuv's callbacks only note what is ready. */
#include "uv_drive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#ifdef __linux__
#include <sys/timerfd.h>
#endif

enum {
    LONGEST_SLEEP = 250 * 1000 * 1000, /* ns: libuv sleeps on through signals */
    A_WHILE = 1000 * 1000,             /* ns: until the kernel is asked again for memory */
    WORTH_A_TIMER = 1000               /* ns: a shorter sleep takes longer to arrange */
};

struct ltcp_member {
    uv_poll_t poll;
    struct ltcp_member *next;
    struct ltcp_loop *loop;
    struct ltcp_tunnel *tunnel; /* NULL: removed */
    void *owner;
    int interest; /* in libuv's events; 0: not polled */
    bool readable, writable, failed;
    bool gone; /* its TUN device was removed: there will be nothing to read again */
    bool poll_closing, poll_closed;
};

struct ltcp_loop {
    uv_loop_t uv;
    struct ltcp_member *members;
    struct ltcp_watches watches;
    uint64_t start;
    bool dirty; /* libuv has not told the kernel yet */
#ifdef __linux__
    uv_poll_t timer;
    int timer_fd;
    ltcp_time timer_at; /* when it fires; LTCP_NEVER: it does not */
#else
    uv_timer_t timer;
#endif
};

/* ---- the timer
 * ------------------------------------------------------------------------------------ */

#ifdef __linux__
static void timer_fired(uv_poll_t *timer, int status, int events)
{
    struct ltcp_loop *loop = timer->data;
    uint64_t times;
    (void)status, (void)events;
    if (read(loop->timer_fd, &times, sizeof times) > 0) loop->timer_at = LTCP_NEVER;
}

static int timer_open(struct ltcp_loop *loop)
{
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->timer_fd < 0) return errno;
    int error = uv_poll_init(&loop->uv, &loop->timer, loop->timer_fd);
    if (error != 0) {
        close(loop->timer_fd);
        return -error;
    }
    loop->timer.data = loop;
    uv_poll_start(&loop->timer, UV_READABLE, timer_fired);
    return 0;
}

/* One that will fire earlier stays: an early end of a sleep costs less, and seldom, than to set the
 * timer anew before each sleep. */
static void timer_set(struct ltcp_loop *loop, ltcp_time ns)
{
    const ltcp_time when = ltcp_loop_now(loop) + ns;
    if (when >= loop->timer_at) return;
    loop->timer_at = when;
    const struct itimerspec in = {
        .it_value = {.tv_sec = (time_t)(ns / LTCP_SECOND), .tv_nsec = (long)(ns % LTCP_SECOND)}};
    timerfd_settime(loop->timer_fd, 0, &in, NULL);
}

static void timer_close(struct ltcp_loop *loop)
{
    uv_close((uv_handle_t *)&loop->timer, NULL);
    close(loop->timer_fd);
}
#else
static void timer_fired(uv_timer_t *timer)
{
    (void)timer;
}

static int timer_open(struct ltcp_loop *loop)
{
    return -uv_timer_init(&loop->uv, &loop->timer);
}

static void timer_set(struct ltcp_loop *loop, ltcp_time ns)
{
    uv_timer_stop(&loop->timer);
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->timer, timer_fired,
                   (uint64_t)((ns + LTCP_MILLISECOND - 1) / LTCP_MILLISECOND), 0);
}

static void timer_close(struct ltcp_loop *loop)
{
    uv_close((uv_handle_t *)&loop->timer, NULL);
}
#endif

/* ---- life
 * ------------------------------------------------------------------------------------------ */

/* Standard streams that are closed would be the next descriptors: what somebody prints would go to
 * a socket, and libuv aborts when it closes one. In their places reading and writing still fail. */
static void fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
        if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) return;
    }
}

int ltcp_loop_create(struct ltcp_loop **out)
{
    fill_standard_streams();
    struct ltcp_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) return ENOMEM;
    int error = -uv_loop_init(&loop->uv);
    if (error == 0) {
        error = timer_open(loop);
        if (error != 0) uv_loop_close(&loop->uv);
    }
    if (error != 0) {
        free(loop);
        return error;
    }
    loop->start = uv_hrtime();
#ifdef __linux__
    loop->timer_at = LTCP_NEVER;
#endif
    loop->dirty = true;
    *out = loop;
    return 0;
}

void ltcp_loop_destroy(struct ltcp_loop *loop)
{
    if (loop == NULL) return;
    while (loop->members != NULL)
        ltcp_loop_remove(loop->members);
    while (loop->watches.first != NULL)
        ltcp_watch_close(loop->watches.first);
    timer_close(loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT); /* the closing handles */
    uv_loop_close(&loop->uv);
    free(loop);
}

ltcp_time ltcp_loop_now(const struct ltcp_loop *loop)
{
    return (ltcp_time)(uv_hrtime() - loop->start);
}

int ltcp_loop_fd(const struct ltcp_loop *loop)
{
    return uv_backend_fd(&loop->uv);
}

struct uv_loop_s *ltcp_loop_uv(struct ltcp_loop *loop)
{
    return &loop->uv;
}

struct ltcp_watches *ltcp_loop_watches(struct ltcp_loop *loop)
{
    return &loop->watches;
}

struct ltcp_member *ltcp_loop_first(const struct ltcp_loop *loop)
{
    return loop->members;
}

/* ---- members
 * ----------------------------------------------------------------------------------------- */

static void free_when_done(struct ltcp_member *member)
{
    if (member->poll_closed && member->tunnel == NULL) free(member);
}

static void poll_closed(uv_handle_t *handle)
{
    struct ltcp_member *member = handle->data;
    member->poll_closed = true;
    free_when_done(member);
}

static void close_poll(void *context)
{
    struct ltcp_member *member = context;
    if (member->poll_closing) return;
    member->poll_closing = true;
    uv_close((uv_handle_t *)&member->poll, poll_closed);
}

int ltcp_loop_add(struct ltcp_loop *loop, struct ltcp_tunnel *tunnel, struct ltcp_member **out)
{
    struct ltcp_member *member = calloc(1, sizeof *member);
    if (member == NULL) return ENOMEM;
    int error = uv_poll_init(&loop->uv, &member->poll, ltcp_tunnel_fd(tunnel));
    if (error != 0) {
        free(member);
        return -error;
    }
    member->poll.data = member;
    member->loop = loop;
    member->tunnel = tunnel;
    member->next = loop->members;
    loop->members = member;
    loop->dirty = true;
    ltcp_tunnel_on_detach(tunnel, close_poll, member);
    *out = member;
    return 0;
}

void ltcp_loop_remove(struct ltcp_member *member)
{
    struct ltcp_member **place = &member->loop->members;
    while (*place != member)
        place = &(*place)->next;
    *place = member->next;
    close_poll(member); /* before the descriptor is closed */
    ltcp_tunnel_close(member->tunnel);
    member->tunnel = NULL;
    free_when_done(member);
}

struct ltcp_tunnel *ltcp_member_tunnel(const struct ltcp_member *member)
{
    return member->tunnel;
}

void ltcp_member_set_owner(struct ltcp_member *member, void *owner)
{
    member->owner = owner;
}

void *ltcp_member_owner(const struct ltcp_member *member)
{
    return member->owner;
}

/* ---- a turn
 * ------------------------------------------------------------------------------------------- */

static void became_ready(uv_poll_t *poll, int status, int events)
{
    struct ltcp_member *member = poll->data;
    if (status < 0) { /* libuv has stopped polling it */
        member->failed = true;
        member->interest = 0;
        /* An error is taken off a socket; that of a device which is no more stays for ever. */
        member->gone = ltcp_tunnel_name(member->tunnel) != NULL;
        return;
    }
    if (events & UV_READABLE) member->readable = true;
    if (events & UV_WRITABLE) member->writable = true;
}

/* Sends what waits, and asks libuv for what is of interest from then on. */
static void prepare(struct ltcp_member *member)
{
    if (member->poll_closing) return;
    ltcp_tunnel_send(member->tunnel);
    if (member->gone) return;
    int interest = UV_READABLE;
    if (ltcp_tunnel_waits_for(member->tunnel) == LTCP_TUNNEL_WRITABLE) interest |= UV_WRITABLE;
    if (interest == member->interest) return;
    if (uv_poll_start(&member->poll, interest, became_ready) == 0) member->interest = interest;
    member->loop->dirty = true;
}

static ltcp_time earlier(ltcp_time a, ltcp_time b)
{
    return a < b ? a : b;
}

/* Until something is due that no descriptor will tell. */
static ltcp_time until_due(const struct ltcp_loop *loop)
{
    ltcp_time wait = LTCP_NEVER;
    for (const struct ltcp_member *m = loop->members; m != NULL; m = m->next) {
        struct ltcp_network *network = ltcp_tunnel_network(m->tunnel);
        if (network == NULL) continue;
        ltcp_time deadline = ltcp_network_next_deadline(network);
        ltcp_time now = ltcp_loop_now(loop);
        deadline = earlier(deadline, ltcp_tunnel_deadline(m->tunnel));
        if (deadline != LTCP_NEVER) wait = earlier(wait, deadline > now ? deadline - now : 0);
        enum ltcp_tunnel_wait waits = ltcp_tunnel_waits_for(m->tunnel);
        if (waits == LTCP_TUNNEL_A_WHILE) wait = earlier(wait, A_WHILE);
        if (waits == LTCP_TUNNEL_GATHERED) wait = 0;
    }
    return wait;
}

ltcp_time ltcp_loop_timeout(const struct ltcp_loop *loop)
{
    if (loop->dirty || loop->watches.changed || loop->watches.ready > 0) return 0;
    return until_due(loop);
}

static size_t serve(struct ltcp_member *member, ltcp_time now)
{
    bool readable = member->readable;
    if (member->poll_closing) return 0;
    if (member->failed) ltcp_tunnel_clear_error(member->tunnel);
    if (member->writable || ltcp_tunnel_waits_for(member->tunnel) == LTCP_TUNNEL_A_WHILE)
        ltcp_tunnel_retry(member->tunnel);
    member->readable = member->writable = member->failed = false;
    ltcp_tunnel_advance(member->tunnel, now);
    return readable ? ltcp_tunnel_receive(member->tunnel, now) : 0;
}

size_t ltcp_loop_run(struct ltcp_loop *loop, ltcp_time timeout)
{
    ltcp_time wait = earlier(timeout, LONGEST_SLEEP);
    if (loop->members == NULL && loop->watches.wanted == 0 && timeout == LTCP_NEVER)
        wait = 0; /* for nothing, for ever */
    if (loop->watches.ready > 0) wait = 0;
    for (struct ltcp_member *m = loop->members; m != NULL; m = m->next)
        prepare(m);
    wait = earlier(wait, until_due(loop));
    loop->dirty = loop->watches.changed = false;
    if (wait < WORTH_A_TIMER) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    } else {
        timer_set(loop, wait);
        uv_run(&loop->uv, UV_RUN_ONCE);
    }
    ltcp_time now = ltcp_loop_now(loop);
    size_t taken = 0;
    for (struct ltcp_member *m = loop->members; m != NULL; m = m->next)
        taken += serve(m, now);
    return taken;
}
