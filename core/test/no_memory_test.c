/* core/test/no_memory_test.c - an allocator that refuses: every n-th request, one request, or all
 * from one on. Nothing crashes, every invariant holds, what arrives is what was sent, and all is
 * given back; a connection goes on, or ends with an error. */
#include "check.h"
#include "lunatcp/host.h"

enum { TOTAL = 40000, ROUNDS = 3000, QUEUE = 256 };

static struct {
    size_t held;
    unsigned long requests, refused;
    unsigned long every, only, after; /* 0: not */
} memory;

static void *resize(void *context, void *old, size_t old_size, size_t size)
{
    (void)context;
    if (size == 0) {
        memory.held -= old_size;
        free(old);
        return NULL;
    }
    const unsigned long n = ++memory.requests;
    const bool refuse = (memory.every != 0 && n % memory.every == 0) || n == memory.only ||
                        (memory.after != 0 && n > memory.after);
    if (refuse) {
        memory.refused++;
        return NULL;
    }
    void *piece = realloc(old, size);
    if (piece != NULL) memory.held += size - old_size;
    return piece;
}

static struct {
    struct ltcp_pool *pool;
    struct ltcp_host *host[2];
    struct ltcp_address address[2];
    struct ltcp_packet *queue[QUEUE];
    ltcp_handle listener, conn[2];
    bool connected, accepted;
    ltcp_time now;
    size_t sent, got;
    uint8_t data[TOTAL];
} w;

static bool open_host(unsigned i, const struct ltcp_settings *settings)
{
    uint32_t number;
    w.host[i] = ltcp_host_create(&(struct ltcp_host_config){
        .pool = w.pool, .settings = settings, .secret = {1 + i, 2}, .id = i});
    if (w.host[i] == NULL) return false;
    w.address[i] = ltcp_address_v4(10, 0, 0, (uint8_t)(1 + i));
    return ltcp_host_add_interface(w.host[i], 1500, &number) == LTCP_OK &&
           ltcp_host_add_address(w.host[i], number, &w.address[i], 24) == LTCP_OK;
}

static bool open_world(const struct ltcp_settings *settings)
{
    memset(&w, 0, sizeof w);
    w.now = LTCP_SECOND;
    for (size_t i = 0; i < TOTAL; i++)
        w.data[i] = (uint8_t)(i * 7 + i / 251);
    w.pool = ltcp_pool_create(&(struct ltcp_allocator){resize, NULL});
    if (w.pool == NULL) return false;
    return open_host(0, settings) && open_host(1, settings) &&
           ltcp_listen(w.host[1], w.now, &(struct ltcp_open){.local_port = 80}, &w.listener) ==
               LTCP_OK;
}

static void close_world(void)
{
    for (unsigned i = 0; i < 2; i++)
        if (w.host[i] != NULL) ltcp_host_destroy(w.host[i]);
    if (w.pool != NULL) ltcp_pool_destroy(w.pool);
    CHECK_EQUAL(memory.held, 0);
}

/* The packets of host i cross, but for every `loss`-th one, two of which also change places. */
static bool cross(unsigned i, unsigned loss)
{
    static unsigned long crossed;
    const size_t n = ltcp_host_transmit(w.host[i], w.now, w.queue, QUEUE);
    if (n > 2) {
        struct ltcp_packet *first = w.queue[0];
        w.queue[0] = w.queue[1];
        w.queue[1] = first;
    }
    for (size_t k = 0; k < n; k++) {
        w.queue[k]->time = w.now;
        if (++crossed % loss != 0) ltcp_host_receive(w.host[!i], w.now, w.queue[k]);
        ltcp_packet_unref(w.queue[k]);
    }
    return n > 0;
}

static void use(void)
{
    uint8_t piece[3000];
    size_t n;
    if (w.connected && w.sent < TOTAL &&
        ltcp_write(w.host[0], w.now, w.conn[0], w.data + w.sent, TOTAL - w.sent, 0, &n) == LTCP_OK)
        w.sent += n;
    if (w.accepted && w.sent == TOTAL) ltcp_shutdown(w.host[0], w.now, w.conn[0]);
    if (!w.accepted) w.accepted = ltcp_accept(w.host[1], w.listener, &w.conn[1]) == LTCP_OK;
    if (!w.accepted) return;
    while (ltcp_read(w.host[1], w.now, w.conn[1], piece, sizeof piece, 0, &n) == LTCP_OK) {
        if (n > TOTAL - w.got || !CHECK(memcmp(piece, w.data + w.got, n) == 0)) return;
        w.got += n;
    }
}

static void run(const struct ltcp_settings *settings)
{
    memory.requests = memory.refused = 0;
    if (open_world(settings)) {
        struct ltcp_event event;
        w.connected = ltcp_connect(w.host[0], w.now,
                                   &(struct ltcp_open){.remote = w.address[1], .remote_port = 80},
                                   &w.conn[0]) == LTCP_OK;
        for (unsigned round = 0; round < ROUNDS && w.got < TOTAL; round++) {
            use();
            const bool sent = cross(0, 11);
            const bool answered = cross(1, 17);
            for (unsigned i = 0; i < 2; i++) {
                CHECK(ltcp_host_check(w.host[i]) == NULL);
                while (ltcp_host_next_event(w.host[i], &event))
                    continue;
            }
            const ltcp_time a = ltcp_host_next_deadline(w.host[0]),
                            b = ltcp_host_next_deadline(w.host[1]);
            if (!sent && !answered && a == LTCP_NEVER && b == LTCP_NEVER) break;
            w.now += LTCP_MILLISECOND;
            if (!sent && !answered && (a < b ? a : b) > w.now) w.now = a < b ? a : b;
            ltcp_host_advance(w.host[0], w.now);
            ltcp_host_advance(w.host[1], w.now);
        }
        /* Where nothing was refused all has arrived; else a connection may have ended. */
        if (memory.refused == 0) CHECK_EQUAL(w.got, TOTAL);
    }
    close_world();
}

int main(void)
{
    struct ltcp_settings all = ltcp_profile_linux, plain = ltcp_profile_rfc;
    all.ecn = 3;
    plain.sack = plain.timestamps = plain.window_scaling = false;
    const struct ltcp_settings *profiles[] = {&ltcp_profile_rfc, &all, &plain};
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        memory.every = memory.only = memory.after = 0;
        run(profiles[i]);
        const unsigned long most = memory.requests;
        CHECK(most > 10);
        for (memory.every = 1; memory.every <= 40; memory.every++)
            run(profiles[i]);
        memory.every = 0;
        for (memory.only = 1; memory.only <= most; memory.only++)
            run(profiles[i]);
        memory.only = 0;
        for (memory.after = 1; memory.after <= most; memory.after++)
            run(profiles[i]);
    }
    return check_finish();
}
