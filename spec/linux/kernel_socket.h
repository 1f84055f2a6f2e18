/* spec/linux/kernel_socket.h
 *
 * What kernel_peer.c and kernel_dialogue.c share: settings of a socket by words, and its opening.
 *
 *   cc=NAME (TCP_CONGESTION)  md5=ADDRESS,KEY (TCP_MD5SIG)  keepalive=SECONDS
 *   rcvbuf=N  sndbuf=N  oobinline  mss=N  nodelay  user_timeout=MS  notsent=OCTETS
 *   clamp=OCTETS (TCP_WINDOW_CLAMP)  cork  quickack  fastopen=N (of a listener)  fastopen_connect
 *
 * Without =N a word means 1. An error is a line such as "cc=bic: ENOENT". */
#ifndef LUNATCP_SPEC_LINUX_KERNEL_SOCKET_H
#define LUNATCP_SPEC_LINUX_KERNEL_SOCKET_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void complain(const char *what)
{
    printf("%s: %s\n", what, strerrorname_np(errno));
}

/* What stands behind "key="; NULL: the word is another. */
static inline const char *value_of(const char *word, const char *key)
{
    size_t length = strlen(key);
    return strncmp(word, key, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

static inline void set(int fd, int level, int name, int value, const char *what)
{
    if (setsockopt(fd, level, name, &value, sizeof value) != 0) complain(what);
}

/* False: it is neither. */
static inline bool parse_address(const char *text, uint16_t port, struct sockaddr_in6 *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET6, text, &out->sin6_addr) == 1) {
        out->sin6_family = AF_INET6;
        out->sin6_port = htons(port);
        return true;
    }
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    return inet_pton(AF_INET, text, &four->sin_addr) == 1;
}

/* "10.99.0.1,secret" */
static inline void set_md5(int fd, const char *text)
{
    char address[64] = {0};
    struct tcp_md5sig key = {0};
    const char *comma = strchr(text, ',');
    if (comma == NULL || (size_t)(comma - text) >= sizeof address) exit(2);
    memcpy(address, text, (size_t)(comma - text));
    if (!parse_address(address, 0, (struct sockaddr_in6 *)&key.tcpm_addr)) exit(2);
    key.tcpm_keylen = (uint16_t)strlen(comma + 1);
    memcpy(key.tcpm_key, comma + 1, key.tcpm_keylen);
    if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key) != 0) complain("md5");
}

/* True: the word was about the socket. */
static inline bool prepare(int fd, const char *word)
{
    static const struct {
        const char *key;
        int level, name;
    } options[] = {
        {"rcvbuf", SOL_SOCKET, SO_RCVBUF},
        {"sndbuf", SOL_SOCKET, SO_SNDBUF},
        {"oobinline", SOL_SOCKET, SO_OOBINLINE},
        {"mss", IPPROTO_TCP, TCP_MAXSEG},
        {"nodelay", IPPROTO_TCP, TCP_NODELAY},
        {"user_timeout", IPPROTO_TCP, TCP_USER_TIMEOUT},
        {"notsent", IPPROTO_TCP, TCP_NOTSENT_LOWAT},
        {"clamp", IPPROTO_TCP, TCP_WINDOW_CLAMP},
        {"cork", IPPROTO_TCP, TCP_CORK},
        {"quickack", IPPROTO_TCP, TCP_QUICKACK},
        {"fastopen", IPPROTO_TCP, TCP_FASTOPEN},
        {"fastopen_connect", IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
    };
    const char *value;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        value = strcmp(word, options[i].key) == 0 ? "1" : value_of(word, options[i].key);
        if (value == NULL) continue;
        set(fd, options[i].level, options[i].name, atoi(value), word);
        return true;
    }
    if ((value = value_of(word, "cc")) != NULL) {
        if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, value, (socklen_t)strlen(value)) != 0)
            complain(word);
    } else if ((value = value_of(word, "keepalive")) != NULL) {
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1, word);
        set(fd, IPPROTO_TCP, TCP_KEEPIDLE, atoi(value), word);
        set(fd, IPPROTO_TCP, TCP_KEEPINTVL, atoi(value), word);
    } else if ((value = value_of(word, "md5")) != NULL) {
        set_md5(fd, value);
    } else {
        return false;
    }
    return true;
}

/* Connects, or listens, says "ready", and accepts one; -1: why not was said. */
static inline int open_connection(bool listens, const struct sockaddr_in6 *address, int count,
                                  char *const *words)
{
    int fd = socket(address->sin6_family, SOCK_STREAM, 0);
    socklen_t length =
        address->sin6_family == AF_INET6 ? sizeof *address : sizeof(struct sockaddr_in);
    const struct sockaddr *name = (const struct sockaddr *)address;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1, "reuse");
    for (int i = 0; i < count; i++)
        prepare(fd, words[i]);
    if (!listens) {
        if (connect(fd, name, length) == 0) return fd;
        complain("connect");
        return -1;
    }
    if (bind(fd, name, length) != 0 || listen(fd, 16) != 0) {
        complain("listen");
        return -1;
    }
    printf("ready\n");
    fflush(stdout);
    int connection = accept(fd, NULL, NULL);
    if (connection < 0) complain("accept");
    close(fd);
    return connection;
}

#endif
