/* core/socket/epoll.c - epoll: watches, and a list of those that may have something to tell.
 *
 * As in the kernel a watch gets on the list when its descriptor wakes those who wait for one of its
 * events (here: when its counts of wakes differ from those seen before), and what it tells is what
 * is true when it is asked. One that tells something stays on the list, at its end, unless it is
 * edge-triggered or wants to tell once. */
#include "socket/table.h"

#define ALWAYS ((uint32_t)(LTCP_EPOLLERR | LTCP_EPOLLHUP))
#define PRIVATE                                                                                    \
    (LTCP_EPOLLET | (uint32_t)(LTCP_EPOLLONESHOT | LTCP_EPOLLEXCLUSIVE | LTCP_EPOLLWAKEUP))

static void add_ready(struct epoll *e, struct watch *w)
{
    if (w->ready) return;
    w->ready = true;
    w->next_ready = NULL;
    if (e->ready_first == NULL)
        e->ready_first = w;
    else
        e->ready_last->next_ready = w;
    e->ready_last = w;
}

static struct watch *first_ready(struct epoll *e)
{
    struct watch *w = e->ready_first;
    if (w == NULL) return NULL;
    e->ready_first = w->next_ready;
    if (e->ready_first == NULL) e->ready_last = NULL;
    w->ready = false;
    return w;
}

static void drop_ready(struct epoll *e, struct watch *w)
{
    struct watch *kept_last = NULL;
    for (struct watch **at = &e->ready_first; *at != NULL;) {
        if (*at == w) {
            *at = w->next_ready;
            continue;
        }
        kept_last = *at;
        at = &(*at)->next_ready;
    }
    e->ready_last = kept_last;
    w->ready = false;
}

static const struct file *watched(const struct ltcp_sockets *t, const struct watch *w)
{
    const struct file *f = table_file(t, w->fd);
    return f != NULL && f->serial == w->serial ? f : NULL;
}

/* True now, among what the watch wants to hear. */
static uint32_t told(struct ltcp_sockets *t, ltcp_time now, const struct watch *w)
{
    const struct file *f = watched(t, w);
    if (f == NULL || w->disarmed) return 0;
    return file_poll(t, now, f) & (w->events | ALWAYS) & ~PRIVATE;
}

static bool woken(const struct watch *w, const struct wakes *now)
{
    const uint32_t in = LTCP_EPOLLIN | LTCP_EPOLLRDNORM | LTCP_EPOLLPRI | LTCP_EPOLLRDHUP;
    const uint32_t out = LTCP_EPOLLOUT | LTCP_EPOLLWRNORM;
    if (now->all != w->seen.all) return true;
    if (now->in != w->seen.in && (w->events & in)) return true;
    return now->out != w->seen.out && (w->events & out) != 0;
}

/* Puts on the list what has woken since. */
static void look(struct ltcp_sockets *t, ltcp_time now, struct epoll *e)
{
    for (struct watch *w = e->first; w != NULL; w = w->next) {
        const struct file *f = watched(t, w);
        if (f == NULL) continue;
        if (f->kind == FILE_SOCKET) {
            struct ltcp_info info;
            socket_look(t, now, f->object, &info);
        }
        const struct wakes *wakes = file_wakes(f);
        if (!w->disarmed && woken(w, wakes)) add_ready(e, w);
        w->seen = *wakes;
    }
}

bool epoll_has_ready(struct ltcp_sockets *t, ltcp_time now, struct epoll *e)
{
    look(t, now, e);
    for (const struct watch *w = e->ready_first; w != NULL; w = w->next_ready)
        if (told(t, now, w) != 0) return true;
    return false;
}

/* ---- making and unmaking ----------------------------------------------------------------------
 */

int64_t call_epoll_create(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    (void)now;
    if (call->arg[0] <= 0) return -LTCP_EINVAL;
    struct epoll *e = table_zeroed(t, sizeof *e);
    if (e == NULL) return -LTCP_ENOMEM;
    const int fd = table_open(t, FILE_EPOLL, e, LTCP_O_RDWR, false);
    if (fd < 0) table_resize(t, e, sizeof *e, 0);
    return fd;
}

static void remove_watch(struct ltcp_sockets *t, struct epoll *e, struct watch *w)
{
    struct watch **at = &e->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    drop_ready(e, w);
    table_resize(t, w, sizeof *w, 0);
}

void epoll_destroy(struct ltcp_sockets *t, struct epoll *e)
{
    while (e->first != NULL)
        remove_watch(t, e, e->first);
    table_resize(t, e, sizeof *e, 0);
}

static struct watch *find(const struct epoll *e, int fd, uint64_t serial)
{
    for (struct watch *w = e->first; w != NULL; w = w->next)
        if (w->fd == fd && w->serial == serial) return w;
    return NULL;
}

void epoll_forget(struct ltcp_sockets *t, int fd, uint64_t serial)
{
    for (int i = 0; i < t->capacity; i++) {
        if (t->files[i].kind != FILE_EPOLL) continue;
        struct epoll *e = t->files[i].object;
        struct watch *w = find(e, fd, serial);
        if (w != NULL) remove_watch(t, e, w);
    }
}

/* ---- epoll_ctl --------------------------------------------------------------------------------
 */

/* Begins to watch, from now: what is true already is told as if it had just happened. */
static void arm(struct ltcp_sockets *t, ltcp_time now, struct epoll *e, struct watch *w,
                const struct ltcp_epoll_event *event)
{
    w->events = event->events;
    w->data = event->data;
    w->disarmed = false;
    if (told(t, now, w) != 0) add_ready(e, w);
    w->seen = *file_wakes(watched(t, w));
}

static int64_t add_watch(struct ltcp_sockets *t, ltcp_time now, struct epoll *e, int fd,
                         uint64_t serial, const struct ltcp_epoll_event *event)
{
    struct watch *w = table_zeroed(t, sizeof *w), **at = &e->first;
    if (w == NULL) return -LTCP_ENOMEM;
    while (*at != NULL)
        at = &(*at)->next;
    *at = w;
    w->fd = fd;
    w->serial = serial;
    arm(t, now, e, w, event);
    return 0;
}

int64_t call_epoll_ctl(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    const int64_t operation = call->arg[0];
    const int fd = (int)call->arg[1];
    const bool wants_event = operation != LTCP_EPOLL_CTL_DEL;
    const struct ltcp_epoll_event *event = call->events;
    if (wants_event && event == NULL) return -LTCP_EFAULT;
    const struct file *epfd = table_file(t, call->fd), *target = table_file(t, fd);
    if (epfd == NULL || target == NULL) return -LTCP_EBADF;
    if (fd == call->fd || epfd->kind != FILE_EPOLL) return -LTCP_EINVAL;
    if (target->kind == FILE_EPOLL) return -LTCP_ELOOP; /* one epoll in another is not done */
    struct epoll *e = epfd->object;
    struct watch *w = find(e, fd, target->serial);
    switch (operation) {
    case LTCP_EPOLL_CTL_ADD:
        if (w != NULL) return -LTCP_EEXIST;
        return add_watch(t, now, e, fd, target->serial, event);
    case LTCP_EPOLL_CTL_MOD:
        if (w == NULL) return -LTCP_ENOENT;
        if ((w->events | event->events) & LTCP_EPOLLEXCLUSIVE) return -LTCP_EINVAL;
        arm(t, now, e, w, event);
        return 0;
    case LTCP_EPOLL_CTL_DEL:
        if (w == NULL) return -LTCP_ENOENT;
        remove_watch(t, e, w);
        return 0;
    default: return -LTCP_EINVAL;
    }
}

/* ---- epoll_wait -------------------------------------------------------------------------------
 */

/* Goes once over the list as it stands. */
static int64_t collect(struct ltcp_sockets *t, ltcp_time now, struct epoll *e,
                       struct ltcp_call *call)
{
    size_t found = 0, length = 0;
    for (const struct watch *w = e->ready_first; w != NULL; w = w->next_ready)
        length++;
    for (; length > 0 && found < call->count; length--) {
        struct watch *w = first_ready(e);
        const uint32_t events = told(t, now, w);
        if (events == 0) continue;
        call->events[found++] = (struct ltcp_epoll_event){.events = events, .data = w->data};
        if (w->events & LTCP_EPOLLONESHOT)
            w->disarmed = true;
        else if (!(w->events & LTCP_EPOLLET))
            add_ready(e, w);
    }
    return (int64_t)found;
}

int64_t call_epoll_wait(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    const struct file *f = table_file(t, call->fd);
    if (call->count == 0 || call->count > INT32_MAX / sizeof *call->events) return -LTCP_EINVAL;
    if (call->events == NULL) return -LTCP_EFAULT;
    if (f == NULL) return -LTCP_EBADF;
    if (f->kind != FILE_EPOLL) return -LTCP_EINVAL;
    look(t, now, f->object);
    const int64_t found = collect(t, now, f->object, call);
    if (found > 0 || call->timeout == 0) return found;
    const ltcp_time timeout = call->timeout < 0 ? LTCP_NEVER : call->timeout * LTCP_MILLISECOND;
    return call_wait(call, now, timeout) ? CALL_WAITS : 0;
}
