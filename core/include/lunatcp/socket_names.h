/* core/include/lunatcp/socket_names.h
 *
 * The numbers and names of the socket interface, in Linux's numbering (the generic one, which
 * x86-64 and arm64 share). One list each: it makes the enumeration and the table of names. */
#ifndef LUNATCP_SOCKET_NAMES_H
#define LUNATCP_SOCKET_NAMES_H

/* name, number, what it says */
#define LTCP_ERRNO_LIST(X)                                                                         \
    X(EPERM, 1, "Operation not permitted")                                                         \
    X(ENOENT, 2, "No such file or directory")                                                      \
    X(EINTR, 4, "Interrupted system call")                                                         \
    X(EIO, 5, "Input/output error")                                                                \
    X(EBADF, 9, "Bad file descriptor")                                                             \
    X(EAGAIN, 11, "Resource temporarily unavailable")                                              \
    X(ENOMEM, 12, "Cannot allocate memory")                                                        \
    X(EACCES, 13, "Permission denied")                                                             \
    X(EFAULT, 14, "Bad address")                                                                   \
    X(EBUSY, 16, "Device or resource busy")                                                        \
    X(EEXIST, 17, "File exists")                                                                   \
    X(ENODEV, 19, "No such device")                                                                \
    X(EINVAL, 22, "Invalid argument")                                                              \
    X(ENFILE, 23, "Too many open files in system")                                                 \
    X(EMFILE, 24, "Too many open files")                                                           \
    X(ENOTTY, 25, "Inappropriate ioctl for device")                                                \
    X(ESPIPE, 29, "Illegal seek")                                                                  \
    X(EPIPE, 32, "Broken pipe")                                                                    \
    X(EDOM, 33, "Numerical argument out of domain")                                                \
    X(ERANGE, 34, "Numerical result out of range")                                                 \
    X(ENOSYS, 38, "Function not implemented")                                                      \
    X(ELOOP, 40, "Too many levels of symbolic links")                                              \
    X(ENONET, 64, "Machine is not on the network")                                                 \
    X(EPROTO, 71, "Protocol error")                                                                \
    X(EBADMSG, 74, "Bad message")                                                                  \
    X(EOVERFLOW, 75, "Value too large for defined data type")                                      \
    X(ENOTSOCK, 88, "Socket operation on non-socket")                                              \
    X(EDESTADDRREQ, 89, "Destination address required")                                            \
    X(EMSGSIZE, 90, "Message too long")                                                            \
    X(EPROTOTYPE, 91, "Protocol wrong type for socket")                                            \
    X(ENOPROTOOPT, 92, "Protocol not available")                                                   \
    X(EPROTONOSUPPORT, 93, "Protocol not supported")                                               \
    X(ESOCKTNOSUPPORT, 94, "Socket type not supported")                                            \
    X(EOPNOTSUPP, 95, "Operation not supported")                                                   \
    X(EPFNOSUPPORT, 96, "Protocol family not supported")                                           \
    X(EAFNOSUPPORT, 97, "Address family not supported by protocol")                                \
    X(EADDRINUSE, 98, "Address already in use")                                                    \
    X(EADDRNOTAVAIL, 99, "Cannot assign requested address")                                        \
    X(ENETDOWN, 100, "Network is down")                                                            \
    X(ENETUNREACH, 101, "Network is unreachable")                                                  \
    X(ENETRESET, 102, "Network dropped connection on reset")                                       \
    X(ECONNABORTED, 103, "Software caused connection abort")                                       \
    X(ECONNRESET, 104, "Connection reset by peer")                                                 \
    X(ENOBUFS, 105, "No buffer space available")                                                   \
    X(EISCONN, 106, "Transport endpoint is already connected")                                     \
    X(ENOTCONN, 107, "Transport endpoint is not connected")                                        \
    X(ESHUTDOWN, 108, "Cannot send after transport endpoint shutdown")                             \
    X(ETIMEDOUT, 110, "Connection timed out")                                                      \
    X(ECONNREFUSED, 111, "Connection refused")                                                     \
    X(EHOSTDOWN, 112, "Host is down")                                                              \
    X(EHOSTUNREACH, 113, "No route to host")                                                       \
    X(EALREADY, 114, "Operation already in progress")                                              \
    X(EINPROGRESS, 115, "Operation now in progress")                                               \
    X(ECANCELED, 125, "Operation canceled")                                                        \
    X(ENOKEY, 126, "Required key not available")                                                   \
    X(EKEYREJECTED, 129, "Key was rejected by service")

enum ltcp_errno {
#define LTCP_ERRNO_ENUM(name, number, text) LTCP_##name = number,
    LTCP_ERRNO_LIST(LTCP_ERRNO_ENUM)
#undef LTCP_ERRNO_ENUM
};

/* name, number */
/* clang-format off */
#define LTCP_CONSTANTS_LIST(X)                                                                     \
    /* families and types */                                                                       \
    X(AF_UNSPEC, 0) X(AF_UNIX, 1) X(AF_INET, 2) X(AF_INET6, 10) X(PF_UNSPEC, 0) X(PF_UNIX, 1)      \
    X(PF_INET, 2) X(PF_INET6, 10) X(SOCK_STREAM, 1) X(SOCK_DGRAM, 2) X(SOCK_RAW, 3)                \
    X(SOCK_NONBLOCK, 2048) X(SOCK_CLOEXEC, 524288) X(IPPROTO_IP, 0) X(IPPROTO_ICMP, 1)             \
    X(IPPROTO_TCP, 6) X(IPPROTO_UDP, 17) X(IPPROTO_IPV6, 41) X(IPPROTO_ICMPV6, 58)                 \
    X(INADDR_ANY, 0) X(SOMAXCONN, 4096)                                                            \
    /* levels of options */                                                                        \
    X(SOL_SOCKET, 1) X(SOL_IP, 0) X(SOL_TCP, 6) X(SOL_UDP, 17) X(SOL_IPV6, 41) X(SO_DEBUG, 1)      \
    X(SO_REUSEADDR, 2) X(SO_TYPE, 3) X(SO_ERROR, 4) X(SO_DONTROUTE, 5) X(SO_BROADCAST, 6)          \
    X(SO_SNDBUF, 7) X(SO_RCVBUF, 8) X(SO_KEEPALIVE, 9) X(SO_OOBINLINE, 10) X(SO_NO_CHECK, 11)      \
    X(SO_PRIORITY, 12) X(SO_LINGER, 13) X(SO_BSDCOMPAT, 14) X(SO_REUSEPORT, 15)                    \
    X(SO_PASSCRED, 16) X(SO_PEERCRED, 17) X(SO_RCVLOWAT, 18) X(SO_SNDLOWAT, 19)                    \
    X(SO_RCVTIMEO, 20) X(SO_SNDTIMEO, 21) X(SO_BINDTODEVICE, 25) X(SO_ATTACH_FILTER, 26)           \
    X(SO_DETACH_FILTER, 27) X(SO_PEERNAME, 28) X(SO_TIMESTAMP, 29) X(SO_ACCEPTCONN, 30)            \
    X(SO_PEERSEC, 31) X(SO_SNDBUFFORCE, 32) X(SO_RCVBUFFORCE, 33) X(SO_TIMESTAMPNS, 35)            \
    X(SO_MARK, 36) X(SO_TIMESTAMPING, 37) X(SO_PROTOCOL, 38) X(SO_DOMAIN, 39) X(SO_RXQ_OVFL, 40)   \
    X(SO_PEEK_OFF, 42) X(SO_BUSY_POLL, 46) X(SO_MAX_PACING_RATE, 47) X(SO_INCOMING_CPU, 49)        \
    X(SO_MEMINFO, 55) X(SO_INCOMING_NAPI_ID, 56) X(SO_COOKIE, 57) X(SO_ZEROCOPY, 60)               \
    X(SO_TXTIME, 61) X(IP_TOS, 1) X(IP_TTL, 2) X(IP_OPTIONS, 4) X(IP_MTU_DISCOVER, 10)             \
    X(IP_RECVERR, 11) X(IP_RECVTTL, 12) X(IP_RECVTOS, 13) X(IP_MTU, 14) X(IP_FREEBIND, 15)         \
    X(IP_TRANSPARENT, 19) X(IP_MINTTL, 21) X(IP_BIND_ADDRESS_NO_PORT, 24) X(IP_PMTUDISC_DONT, 0)   \
    X(IP_PMTUDISC_WANT, 1) X(IP_PMTUDISC_DO, 2) X(IP_PMTUDISC_PROBE, 3)                            \
    X(IP_PMTUDISC_INTERFACE, 4) X(IP_PMTUDISC_OMIT, 5) X(IPV6_UNICAST_HOPS, 16)                    \
    X(IPV6_MTU_DISCOVER, 23) X(IPV6_MTU, 24) X(IPV6_RECVERR, 25) X(IPV6_V6ONLY, 26)                \
    X(IPV6_RECVHOPLIMIT, 51) X(IPV6_HOPLIMIT, 52) X(IPV6_RECVTCLASS, 66) X(IPV6_TCLASS, 67)        \
    X(IPV6_AUTOFLOWLABEL, 70) X(IPV6_MINHOPCOUNT, 73) X(IPV6_FREEBIND, 78) X(TCP_NODELAY, 1)       \
    X(TCP_MAXSEG, 2) X(TCP_CORK, 3) X(TCP_KEEPIDLE, 4) X(TCP_KEEPINTVL, 5) X(TCP_KEEPCNT, 6)       \
    X(TCP_SYNCNT, 7) X(TCP_LINGER2, 8) X(TCP_DEFER_ACCEPT, 9) X(TCP_WINDOW_CLAMP, 10)              \
    X(TCP_INFO, 11) X(TCP_QUICKACK, 12) X(TCP_CONGESTION, 13) X(TCP_MD5SIG, 14)                    \
    X(TCP_COOKIE_TRANSACTIONS, 15) X(TCP_THIN_LINEAR_TIMEOUTS, 16) X(TCP_THIN_DUPACK, 17)          \
    X(TCP_USER_TIMEOUT, 18) X(TCP_REPAIR, 19) X(TCP_REPAIR_QUEUE, 20) X(TCP_QUEUE_SEQ, 21)         \
    X(TCP_REPAIR_OPTIONS, 22) X(TCP_FASTOPEN, 23) X(TCP_TIMESTAMP, 24) X(TCP_NOTSENT_LOWAT, 25)    \
    X(TCP_CC_INFO, 26) X(TCP_SAVE_SYN, 27) X(TCP_SAVED_SYN, 28) X(TCP_REPAIR_WINDOW, 29)           \
    X(TCP_FASTOPEN_CONNECT, 30) X(TCP_ULP, 31) X(TCP_MD5SIG_EXT, 32) X(TCP_FASTOPEN_KEY, 33)       \
    X(TCP_FASTOPEN_NO_COOKIE, 34) X(TCP_ZEROCOPY_RECEIVE, 35) X(TCP_INQ, 36) X(TCP_CM_INQ, 36)     \
    X(TCP_TX_DELAY, 37) X(TCP_AO_ADD_KEY, 38) X(TCP_AO_DEL_KEY, 39) X(TCP_AO_INFO, 40)             \
    X(TCP_AO_GET_KEYS, 41) X(TCP_AO_REPAIR, 42) X(TCP_IS_MPTCP, 43) X(TCP_RTO_MAX_MS, 44)          \
    X(TCP_RTO_MIN_US, 45) X(TCP_DELACK_MAX_US, 46)                                                 \
    /* what TCP_INFO and its kin say */                                                            \
    X(TCP_ESTABLISHED, 1) X(TCP_SYN_SENT, 2) X(TCP_SYN_RECV, 3) X(TCP_FIN_WAIT1, 4)                \
    X(TCP_FIN_WAIT2, 5) X(TCP_TIME_WAIT, 6) X(TCP_CLOSE, 7) X(TCP_CLOSE_WAIT, 8)                   \
    X(TCP_LAST_ACK, 9) X(TCP_LISTEN, 10) X(TCP_CLOSING, 11) X(TCP_NEW_SYN_RECV, 12)                \
    X(TCP_CA_Open, 0) X(TCP_CA_Disorder, 1) X(TCP_CA_CWR, 2) X(TCP_CA_Recovery, 3)                 \
    X(TCP_CA_Loss, 4) X(TCP_CA_OPEN, 0) X(TCP_CA_DISORDER, 1) X(TCP_CA_RECOVERY, 3)                \
    X(TCP_CA_LOSS, 4) X(TCPI_OPT_TIMESTAMPS, 1) X(TCPI_OPT_SACK, 2) X(TCPI_OPT_WSCALE, 4)          \
    X(TCPI_OPT_ECN, 8) X(TCPI_OPT_ECN_SEEN, 16) X(TCPI_OPT_SYN_DATA, 32) X(TCPI_OPT_USEC_TS, 64)   \
    X(TCPI_OPT_TFO_CHILD, 128) X(TCPI_ECN_MODE_DISABLED, 0) X(TCPI_ECN_MODE_RFC3168, 1)            \
    X(TCPI_ECN_MODE_ACCECN, 2) X(TCPI_ECN_MODE_PENDING, 3) X(TCP_ACCECN_OPT_NOT_SEEN, 0)           \
    X(TCP_ACCECN_OPT_EMPTY_SEEN, 1) X(TCP_ACCECN_OPT_COUNTER_SEEN, 2)                              \
    X(TCP_ACCECN_OPT_FAIL_SEEN, 3) X(TCP_ACCECN_ACE_FAIL_SEND, 1) X(TCP_ACCECN_ACE_FAIL_RECV, 2)   \
    X(TCP_ACCECN_OPT_FAIL_SEND, 4) X(TCP_ACCECN_OPT_FAIL_RECV, 8)                                  \
    X(TCP_INFINITE_SSTHRESH, 2147483647) X(SK_MEMINFO_RMEM_ALLOC, 0) X(SK_MEMINFO_RCVBUF, 1)       \
    X(SK_MEMINFO_WMEM_ALLOC, 2) X(SK_MEMINFO_SNDBUF, 3) X(SK_MEMINFO_FWD_ALLOC, 4)                 \
    X(SK_MEMINFO_WMEM_QUEUED, 5) X(SK_MEMINFO_OPTMEM, 6) X(SK_MEMINFO_BACKLOG, 7)                  \
    X(SK_MEMINFO_DROPS, 8) X(SK_MEMINFO_VARS, 9)                                                   \
    /* flags of calls */                                                                           \
    X(MSG_OOB, 1) X(MSG_PEEK, 2) X(MSG_DONTROUTE, 4) X(MSG_CTRUNC, 8) X(MSG_PROXY, 16)             \
    X(MSG_TRUNC, 32) X(MSG_DONTWAIT, 64) X(MSG_EOR, 128) X(MSG_WAITALL, 256) X(MSG_FIN, 512)       \
    X(MSG_SYN, 1024) X(MSG_CONFIRM, 2048) X(MSG_RST, 4096) X(MSG_ERRQUEUE, 8192)                   \
    X(MSG_NOSIGNAL, 16384) X(MSG_MORE, 32768) X(MSG_WAITFORONE, 65536) X(MSG_ZEROCOPY, 67108864)   \
    X(MSG_FASTOPEN, 536870912) X(MSG_CMSG_CLOEXEC, 1073741824) X(SHUT_RD, 0) X(SHUT_WR, 1)         \
    X(SHUT_RDWR, 2) X(SO_EE_ORIGIN_NONE, 0) X(SO_EE_ORIGIN_LOCAL, 1) X(SO_EE_ORIGIN_ICMP, 2)       \
    X(SO_EE_ORIGIN_ICMP6, 3) X(SO_EE_ORIGIN_TIMESTAMPING, 4) X(SO_EE_ORIGIN_ZEROCOPY, 5)           \
    X(SO_EE_CODE_ZEROCOPY_COPIED, 1) X(SCM_TIMESTAMPING, 37) X(SCM_TSTAMP_SND, 0)                  \
    X(SCM_TSTAMP_SCHED, 1) X(SCM_TSTAMP_ACK, 2) X(SCM_TIMESTAMPING_OPT_STATS, 54)                  \
    X(SOF_TIMESTAMPING_TX_HARDWARE, 1) X(SOF_TIMESTAMPING_TX_SOFTWARE, 2)                          \
    X(SOF_TIMESTAMPING_RX_HARDWARE, 4) X(SOF_TIMESTAMPING_RX_SOFTWARE, 8)                          \
    X(SOF_TIMESTAMPING_SOFTWARE, 16) X(SOF_TIMESTAMPING_SYS_HARDWARE, 32)                          \
    X(SOF_TIMESTAMPING_RAW_HARDWARE, 64) X(SOF_TIMESTAMPING_OPT_ID, 128)                           \
    X(SOF_TIMESTAMPING_TX_SCHED, 256) X(SOF_TIMESTAMPING_TX_ACK, 512)                              \
    X(SOF_TIMESTAMPING_OPT_CMSG, 1024) X(SOF_TIMESTAMPING_OPT_TSONLY, 2048)                        \
    X(SOF_TIMESTAMPING_OPT_STATS, 4096) X(SOF_TIMESTAMPING_OPT_ID_TCP, 65536) X(TCP_NLA_PAD, 0)    \
    X(TCP_NLA_BUSY, 1) X(TCP_NLA_RWND_LIMITED, 2) X(TCP_NLA_SNDBUF_LIMITED, 3)                     \
    X(TCP_NLA_DATA_SEGS_OUT, 4) X(TCP_NLA_TOTAL_RETRANS, 5) X(TCP_NLA_PACING_RATE, 6)              \
    X(TCP_NLA_DELIVERY_RATE, 7) X(TCP_NLA_SND_CWND, 8) X(TCP_NLA_REORDERING, 9)                    \
    X(TCP_NLA_MIN_RTT, 10) X(TCP_NLA_RECUR_RETRANS, 11) X(TCP_NLA_DELIVERY_RATE_APP_LMT, 12)       \
    X(TCP_NLA_SNDQ_SIZE, 13) X(TCP_NLA_CA_STATE, 14) X(TCP_NLA_SND_SSTHRESH, 15)                   \
    X(TCP_NLA_DELIVERED, 16) X(TCP_NLA_DELIVERED_CE, 17) X(TCP_NLA_BYTES_SENT, 18)                 \
    X(TCP_NLA_BYTES_RETRANS, 19) X(TCP_NLA_DSACK_DUPS, 20) X(TCP_NLA_REORD_SEEN, 21)               \
    X(TCP_NLA_SRTT, 22)                                                                            \
    /* descriptors */                                                                              \
    X(O_RDONLY, 0) X(O_WRONLY, 1) X(O_RDWR, 2) X(O_ACCMODE, 3) X(O_CREAT, 64) X(O_EXCL, 128)       \
    X(O_NOCTTY, 256) X(O_TRUNC, 512) X(O_APPEND, 1024) X(O_NONBLOCK, 2048) X(O_CLOEXEC, 524288)    \
    X(F_DUPFD, 0) X(F_GETFD, 1) X(F_SETFD, 2) X(F_GETFL, 3) X(F_SETFL, 4) X(F_GETLK, 5)            \
    X(F_SETLK, 6) X(F_SETLKW, 7) X(F_SETOWN, 8) X(F_GETOWN, 9) X(F_SETSIG, 10) X(F_GETSIG, 11)     \
    X(F_SETLEASE, 1024) X(F_GETLEASE, 1025) X(F_NOTIFY, 1026) X(F_DUPFD_CLOEXEC, 1030)             \
    X(FD_CLOEXEC, 1) X(FIONREAD, 0x541B) X(FIONBIO, 0x5421) X(TIOCOUTQ, 0x5411)                    \
    X(TIOCINQ, 0x541B) X(SIOCINQ, 0x541B) X(SIOCOUTQ, 0x5411) X(SIOCOUTQNSD, 0x894B)               \
    X(SIOCATMARK, 0x8905) X(POLLIN, 1) X(POLLPRI, 2) X(POLLOUT, 4) X(POLLERR, 8) X(POLLHUP, 16)    \
    X(POLLNVAL, 32) X(POLLRDNORM, 64) X(POLLRDBAND, 128) X(POLLWRNORM, 256) X(POLLWRBAND, 512)     \
    X(POLLMSG, 1024) X(POLLREMOVE, 4096) X(POLLRDHUP, 8192) X(EPOLLIN, 1) X(EPOLLPRI, 2)           \
    X(EPOLLOUT, 4) X(EPOLLERR, 8) X(EPOLLHUP, 16) X(EPOLLNVAL, 32) X(EPOLLRDNORM, 64)              \
    X(EPOLLRDBAND, 128) X(EPOLLWRNORM, 256) X(EPOLLWRBAND, 512) X(EPOLLMSG, 1024)                  \
    X(EPOLLRDHUP, 8192) X(EPOLLEXCLUSIVE, 268435456) X(EPOLLWAKEUP, 536870912)                     \
    X(EPOLLONESHOT, 1073741824) X(EPOLL_CTL_ADD, 1) X(EPOLL_CTL_DEL, 2) X(EPOLL_CTL_MOD, 3)        \
    X(EPOLL_CLOEXEC, 524288) X(SPLICE_F_MOVE, 1) X(SPLICE_F_NONBLOCK, 2) X(SPLICE_F_MORE, 4)       \
    X(SEEK_SET, 0) X(SEEK_CUR, 1) X(SEEK_END, 2)
/* clang-format on */
enum ltcp_constants {
#define LTCP_CONSTANTS_ENUM(name, number) LTCP_##name = number,
    LTCP_CONSTANTS_LIST(LTCP_CONSTANTS_ENUM)
#undef LTCP_CONSTANTS_ENUM
};
/* Does not fit an enumeration. */
#define LTCP_EPOLLET 0x80000000u

#endif
