/* spec/udp/faulty.c - calls of the system that fail as they may, for faults_spec.lua: preloaded, it
 * stands before sendmsg, sendmmsg, recvmsg, recvmmsg and clock_gettime.
 *   FAULT         what goes wrong: EAGAIN, ENOBUFS, ENOMEM, EPERM, EINTR (sending), EIO, EINVAL
 *                 (sending a train: UDP_SEGMENT), fewer (sendmmsg takes one), cut (a datagram
 * arrives without its second half), truncated (and the kernel says so), gro0, gro7, gro65000 (the
 * size of pieces that it says), ahead, back (the clock) FAULT_EVERY   at each such call
 *   FAULT_REPORT  a file that is told, at the end, how often */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static const char *fault;
static long every = 1, calls, faults;

__attribute__((constructor)) static void begin(void)
{
    fault = getenv("FAULT");
    if (fault == NULL) fault = "";
    if (getenv("FAULT_EVERY") != NULL) every = atol(getenv("FAULT_EVERY"));
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAULT_REPORT");
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    if (file == NULL) return;
    fprintf(file, "%ld\n", faults);
    fclose(file);
}

static int is(const char *name)
{
    return strcmp(fault, name) == 0;
}

static int is_due(void)
{
    if (++calls % every != 0) return 0;
    faults++;
    return 1;
}

static int error_of(void)
{
    if (is("EAGAIN")) return EAGAIN;
    if (is("ENOBUFS")) return ENOBUFS;
    if (is("ENOMEM")) return ENOMEM;
    if (is("EPERM")) return EPERM;
    if (is("EINTR")) return EINTR;
    return 0;
}

/* The same for a message that is a train. */
static int error_of_train(const struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL;
         c = CMSG_NXTHDR((struct msghdr *)message, c)) {
        if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_SEGMENT) continue;
        if (is("EIO")) return EIO;
        if (is("EINVAL")) return EINVAL;
    }
    return 0;
}

static int fails(const struct msghdr *message)
{
    int error = error_of();
    if (error == 0) error = error_of_train(message);
    if (error == 0 || !is_due()) return 0;
    errno = error;
    return 1;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*real)(int, const struct msghdr *, int);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "sendmsg");
    return fails(message) ? -1 : real(fd, message, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    static int (*real)(int, struct mmsghdr *, unsigned, int);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "sendmmsg");
    if (fails(&messages[0].msg_hdr)) return -1;
    if (is("fewer") && count > 1 && is_due()) count = 1;
    return real(fd, messages, count, flags);
}

/* The length of what came, after the fault. */
static size_t spoil(struct msghdr *header, size_t length)
{
    if (is("cut") && length > 1 && is_due()) return length / 2;
    if (is("truncated") && length > 1 && is_due()) {
        header->msg_flags |= MSG_TRUNC;
        return length / 2;
    }
    if (strncmp(fault, "gro", 3) != 0) return length;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        int size = atoi(fault + 3);
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO && is_due())
            memcpy(CMSG_DATA(c), &size, sizeof size);
    }
    return length;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    static ssize_t (*real)(int, struct msghdr *, int);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "recvmsg");
    ssize_t got = real(fd, message, flags);
    return got > 0 ? (ssize_t)spoil(message, (size_t)got) : got;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *wait)
{
    static int (*real)(int, struct mmsghdr *, unsigned, int, struct timespec *);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "recvmmsg");
    int got = real(fd, messages, count, flags, wait);
    for (int i = 0; i < got; i++)
        messages[i].msg_len = (unsigned)spoil(&messages[i].msg_hdr, messages[i].msg_len);
    return got;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    static long long jumped;
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock != CLOCK_MONOTONIC) return result;
    if (is("ahead") && faults < 3 && is_due()) jumped += 100 * 1000000000LL;
    if (is("back") && faults < 3 && is_due()) jumped -= 100 * 1000000LL;
    long long ns = now->tv_sec * 1000000000LL + now->tv_nsec + jumped;
    now->tv_sec = (time_t)(ns / 1000000000LL);
    now->tv_nsec = (long)(ns % 1000000000LL);
    return result;
}
