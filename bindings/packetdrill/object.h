/* bindings/packetdrill/object.h
 *
 * The shared object by which an unmodified packetdrill tests this engine: one host, one table of
 * descriptors (lunatcp/socket.h), one clock that only goes on when packetdrill lets it. Files:
 * object.c (life, flags), clock.c (time and packets), threads.c (when the other thread rests),
 * calls.c (calls, also those that block), values.c (structs of the system to and from those of the
 * socket layer), settings.c (what the system's settings and --so_flags mean), preload.c (getsockopt
 * for TCP_INFO), commands.c (what a script's commands say of the interface).
 *
 * packetdrill has two threads: the main one, and one for calls that block. A mutex guards all of
 * this. A call that blocks sleeps on a condition; when something makes it go on, the main thread,
 * which holds the time, stands still until the other one has read the clock: otherwise time would
 * run away between the end of the call and the moment it is noted. */
#ifndef LUNATCP_PACKETDRILL_OBJECT_H
#define LUNATCP_PACKETDRILL_OBJECT_H

#include <pthread.h>

#include "interface.h"
#include "lunatcp/socket.h"

/* A call that sleeps on its thread. */
struct waiter {
    struct waiter *next;
    struct ltcp_call *call;
    bool woken;
};

struct object {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t main_thread;

    struct ltcp_pool *pool;
    struct ltcp_host *host;
    struct ltcp_sockets *sockets;
    struct ltcp_settings settings;
    char flags[1024];  /* --so_flags */
    bool read_sysctls; /* asked for, and not done yet */
    bool sysctls_read; /* they stand above the profile from then on */
    uint32_t interface_number, mtu;

    ltcp_time now; /* nanoseconds; begins at BEGINNING */
    struct ltcp_packet *out_first, *out_last;
    struct waiter *waiters;
    pthread_t stamping; /* the thread whose call has ended and that has not read the clock yet */
    bool stamps;
};
#define BEGINNING (1000000 * LTCP_SECOND)

/* The only one: what packetdrill loads is also what is preloaded. NULL: not begun, or freed. */
struct object *object_now(void);

/* clock.c; the lock is held */
void clock_pump(struct object *o);
/* Lets everything happen that is due until `when`, each at its time. */
void clock_run(struct object *o, ltcp_time when);
/* To the next thing that happens by itself; false: nothing will. */
bool clock_next(struct object *o);
int member_netdev_send(void *userdata, const void *bytes, size_t count);
int member_netdev_receive(void *userdata, void *bytes, size_t *count, long long *microseconds);
int member_usleep(void *userdata, useconds_t microseconds);
int member_gettimeofday(void *userdata, struct timeval *time, struct timezone *zone);

/* threads.c: returns once all other threads sleep; the lock is not held */
void threads_settle(const struct object *o);

/* calls.c */
void calls_install(struct packetdrill_interface *interface);
/* Runs the call to its end; its result, with errno set, and -1 for an error. The lock is not held.
 */
ssize_t call_run(struct object *o, struct ltcp_call *call);

/* values.c */
void sockaddr_read(const struct sockaddr *from, socklen_t length, struct ltcp_sockaddr *to);
/* Writes as much as *length has room for; *length is then how long it is. */
void sockaddr_write(const struct ltcp_sockaddr *from, struct sockaddr *to, socklen_t *length);
void controls_write(const struct ltcp_call *call, struct msghdr *message);

/* object.c */
/* Obeys --so_flags; once more after the sysctls were read, so that what is said goes before them.
 */
void object_read_flags(struct object *o);
/* The address is one of ours from now on. */
void object_adopt(struct object *o, const struct ltcp_address *address);

/* settings.c */
/* NAME=VALUE of --so_flags; false: not understood. */
bool settings_flag(struct object *o, const char *name, const char *value);
/* What /proc/sys/net/ipv4 says in this network namespace. */
void settings_read_sysctls(struct object *o);

#endif
