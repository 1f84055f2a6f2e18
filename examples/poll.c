/* examples/poll.c - the C library alone, on poll(2): no Lua, no libuv.
 *
 * You will see two hosts in one process say hello through two UDP sockets, in the framing rawip.
 * Build and run it: ./dev build && build/examples/poll
 * It plays RFC 9293 sections 3.5, 3.6 and 3.8. Each turn of the loop: packets in, timers, what
 * happened, packets out; then sleep until a socket is readable or the next timer is due. */
#include "lunatcp/host.h"
#include "lunatcp/settings.h"
#include "lunatcp/wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct end {
    const char *name;
    struct ltcp_host *host;
    int socket;
    ltcp_handle handle; /* the connection */
    bool done;
};

static void *resize(void *context, void *old, size_t old_size, size_t size)
{
    (void)context, (void)old_size;
    if (size > 0) return realloc(old, size);
    free(old);
    return NULL;
}

static ltcp_time now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ltcp_time)t.tv_sec * LTCP_SECOND + t.tv_nsec;
}

static void must(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "poll: %s\n", what);
    exit(1);
}

/* ---- packets ------------------------------------------------------------------------------------
 */

/* Datagrams to packets. The packet has its own bytes: the buffer is free again. */
static void take_in(struct end *end, struct ltcp_pool *pool)
{
    uint8_t bytes[65536];
    ssize_t length;
    while ((length = recv(end->socket, bytes, sizeof bytes, 0)) >= 0) {
        struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, (size_t)length);
        if (packet == NULL) return;
        packet->time = now();
        ltcp_host_receive(end->host, packet->time, packet); /* counts what is none of its own */
        ltcp_packet_unref(packet);
    }
}

static void send_out(struct end *end)
{
    struct ltcp_packet *packets[16];
    uint8_t bytes[65536];
    size_t count;
    while ((count = ltcp_host_transmit(end->host, now(), packets, 16)) > 0)
        for (size_t i = 0; i < count; i++) {
            /* A datagram that is lost here is lost on the wire: TCP sends it again. */
            send(end->socket, bytes, ltcp_packet_bytes(packets[i], bytes, sizeof bytes), 0);
            ltcp_packet_unref(packets[i]);
        }
}

/* ---- what happens -------------------------------------------------------------------------------
 */

static void say(struct end *end, const char *words)
{
    size_t taken;
    ltcp_write(end->host, now(), end->handle, words, strlen(words), 0, &taken);
}

static void hear(struct end *end)
{
    char words[100];
    size_t length;
    enum ltcp_status status;
    while ((status = ltcp_read(end->host, now(), end->handle, words, sizeof words, 0, &length)) ==
           LTCP_OK) {
        printf("%s hears: %.*s\n", end->name, (int)length, words);
        if (strcmp(end->name, "server") == 0) say(end, "hello, client");
        if (strcmp(end->name, "client") == 0) ltcp_close(end->host, now(), end->handle);
    }
    if (status == LTCP_END) ltcp_close(end->host, now(), end->handle);
}

static void happened(struct end *end, const struct ltcp_event *event)
{
    struct ltcp_info info;
    if (event->bits & LTCP_EVENT_ACCEPT) ltcp_accept(end->host, event->handle, &end->handle);
    if (event->bits & LTCP_EVENT_CONNECTED && strcmp(end->name, "client") == 0)
        say(end, "hello, server");
    if (event->bits & (LTCP_EVENT_READABLE | LTCP_EVENT_ACCEPT | LTCP_EVENT_PEER_CLOSED)) hear(end);
    if (event->bits & LTCP_EVENT_CLOSED) end->done = true;
    if (ltcp_info(end->host, end->handle, &info) != LTCP_OK) return;
    if (event->bits & LTCP_EVENT_STATE) printf("%s: %s\n", end->name, ltcp_state_name(info.state));
}

/* ---- two ends -----------------------------------------------------------------------------------
 */

static void open_end(struct end *end, const char *name, struct ltcp_pool *pool,
                     struct ltcp_address address)
{
    struct ltcp_settings settings = ltcp_profile_linux;
    settings.time_wait = 200 * LTCP_MILLISECOND; /* nobody wants to watch for minutes */
    struct ltcp_host_config config = {.pool = pool, .settings = &settings};
    must(getrandom(&config.secret, sizeof config.secret, 0) == sizeof config.secret,
         "no randomness");
    uint32_t interface;
    *end = (struct end){.name = name, .host = ltcp_host_create(&config)};
    must(end->host != NULL, "no memory");
    must(ltcp_host_add_interface(end->host, 1400, &interface) == LTCP_OK, "no interface");
    must(ltcp_host_add_address(end->host, interface, &address, 24) == LTCP_OK, "no address");
    end->socket = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(bind(end->socket, (struct sockaddr *)&here, sizeof here) == 0, "no socket");
    fcntl(end->socket, F_SETFL, O_NONBLOCK);
}

static void join(const struct end *a, const struct end *b)
{
    struct sockaddr_in there;
    socklen_t length = sizeof there;
    must(getsockname(b->socket, (struct sockaddr *)&there, &length) == 0 &&
             connect(a->socket, (struct sockaddr *)&there, length) == 0,
         "the sockets cannot be joined");
}

/* Milliseconds, rounded up, until one of the hosts wants its timers; -1: for ever. */
static int until_due(const struct end *ends)
{
    ltcp_time due = ltcp_host_next_deadline(ends[0].host), other;
    other = ltcp_host_next_deadline(ends[1].host);
    if (other < due) due = other;
    if (due == LTCP_NEVER) return -1;
    ltcp_time left = due - now();
    return left <= 0 ? 0 : (int)((left + LTCP_MILLISECOND - 1) / LTCP_MILLISECOND);
}

int main(void)
{
    struct ltcp_allocator allocator = {resize, NULL};
    struct ltcp_pool *pool = ltcp_pool_create(&allocator);
    must(pool != NULL, "no memory");
    struct end ends[2], *client = &ends[0], *server = &ends[1];
    open_end(client, "client", pool, ltcp_address_v4(10, 0, 0, 1));
    open_end(server, "server", pool, ltcp_address_v4(10, 0, 0, 2));
    join(client, server);
    join(server, client);

    struct ltcp_open to = {.remote = ltcp_address_v4(10, 0, 0, 2), .remote_port = 80};
    struct ltcp_open at = {.local_port = 80};
    ltcp_handle listener;
    must(ltcp_listen(server->host, now(), &at, &listener) == LTCP_OK, "no listener");
    must(ltcp_connect(client->host, now(), &to, &client->handle) == LTCP_OK, "no connection");

    for (;;) {
        for (int i = 0; i < 2; i++) {
            struct ltcp_event event;
            take_in(&ends[i], pool);
            ltcp_host_advance(ends[i].host, now());
            while (ltcp_host_next_event(ends[i].host, &event))
                happened(&ends[i], &event);
            send_out(&ends[i]);
        }
        if (client->done && server->done) break;
        struct pollfd fds[2] = {{client->socket, POLLIN, 0}, {server->socket, POLLIN, 0}};
        bool busy = ltcp_host_has_events(client->host) || ltcp_host_has_events(server->host);
        poll(fds, 2, busy ? 0 : until_due(ends));
    }
    for (int i = 0; i < 2; i++) {
        ltcp_host_destroy(ends[i].host);
        close(ends[i].socket);
    }
    ltcp_pool_destroy(pool);
    return 0;
}
