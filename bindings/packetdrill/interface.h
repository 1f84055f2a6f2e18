/* bindings/packetdrill/interface.h
 *
 * What packetdrill expects of a shared object that stands in for the system: a struct of functions,
 * whose members and order packetdrill fixes. Each gets `userdata` first and answers as the system
 * call of its name does (-1 and errno). */
#ifndef LUNATCP_PACKETDRILL_INTERFACE_H
#define LUNATCP_PACKETDRILL_INTERFACE_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

struct packetdrill_interface {
    void *userdata;
    void (*free)(void *userdata);
    int (*socket)(void *userdata, int domain, int type, int protocol);
    int (*bind)(void *userdata, int fd, const struct sockaddr *address, socklen_t length);
    int (*listen)(void *userdata, int fd, int backlog);
    int (*accept)(void *userdata, int fd, struct sockaddr *address, socklen_t *length);
    int (*connect)(void *userdata, int fd, const struct sockaddr *address, socklen_t length);
    ssize_t (*read)(void *userdata, int fd, void *bytes, size_t length);
    ssize_t (*readv)(void *userdata, int fd, const struct iovec *iov, int count);
    ssize_t (*recv)(void *userdata, int fd, void *bytes, size_t length, int flags);
    ssize_t (*recvfrom)(void *userdata, int fd, void *bytes, size_t length, int flags,
                        struct sockaddr *address, socklen_t *address_length);
    ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *message, int flags);
    ssize_t (*write)(void *userdata, int fd, const void *bytes, size_t length);
    ssize_t (*writev)(void *userdata, int fd, const struct iovec *iov, int count);
    ssize_t (*send)(void *userdata, int fd, const void *bytes, size_t length, int flags);
    ssize_t (*sendto)(void *userdata, int fd, const void *bytes, size_t length, int flags,
                      const struct sockaddr *address, socklen_t address_length);
    ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *message, int flags);
    int (*fcntl)(void *userdata, int fd, int command, ...);
    int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
    int (*close)(void *userdata, int fd);
    int (*shutdown)(void *userdata, int fd, int how);
    int (*getsockopt)(void *userdata, int fd, int level, int name, void *value, socklen_t *length);
    int (*setsockopt)(void *userdata, int fd, int level, int name, const void *value,
                      socklen_t length);
    int (*poll)(void *userdata, struct pollfd *list, nfds_t count, int timeout);
    /* One IP packet arrives. 0, or -1. */
    int (*netdev_send)(void *userdata, const void *bytes, size_t count);
    /* The next IP packet that leaves, and when, on gettimeofday's clock. *count: the room, then how
     * many octets. 0; or -1, upon which packetdrill asks again. */
    int (*netdev_receive)(void *userdata, void *bytes, size_t *count, long long *microseconds);
    int (*usleep)(void *userdata, useconds_t microseconds);
    int (*gettimeofday)(void *userdata, struct timeval *time, struct timezone *zone);
    int (*epoll_create)(void *userdata, int size);
    int (*epoll_ctl)(void *userdata, int epfd, int operation, int fd, struct epoll_event *event);
    int (*epoll_wait)(void *userdata, int epfd, struct epoll_event *events, int most, int timeout);
    int (*pipe)(void *userdata, int fds[2]);
    int (*splice)(void *userdata, int in, loff_t *in_offset, int out, loff_t *out_offset,
                  size_t length, unsigned flags);
};

/* The one symbol that packetdrill looks for. `flags` is its option --so_flags, or NULL. */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface);

#endif
