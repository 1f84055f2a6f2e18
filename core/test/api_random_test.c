/* core/test/api_random_test.c - any call of host.h in any order, with live, stale and invented
 * handles, settings of the whole table, lengths of 0, and an allocator that refuses now and then.
 * Nothing crashes (a build with sanitizers says so), every invariant holds, and all memory comes
 * back. */
#include "check.h"
#include "lunatcp/authentication.h"
#include "lunatcp/host.h"

enum { HOSTS = 2, SEEDS = 150, STEPS = 1500, KNOWN = 24, QUEUE = 64 };

static struct {
    size_t held;
    uint32_t random, refuse; /* of 2^16: chance that a request is refused */
} memory;

static uint32_t draw(uint32_t bound)
{
    return check_random(&memory.random) % bound;
}

static void *resize(void *context, void *old, size_t old_size, size_t size)
{
    (void)context;
    if (size == 0) {
        memory.held -= old_size;
        free(old);
        return NULL;
    }
    if (draw(1 << 16) < memory.refuse) return NULL;
    void *piece = realloc(old, size);
    if (piece != NULL) memory.held += size - old_size;
    return piece;
}

static struct {
    struct ltcp_pool *pool;
    struct ltcp_host *host[HOSTS];
    struct ltcp_address address[HOSTS];
    ltcp_handle known[HOSTS][KNOWN]; /* also after they are released */
    ltcp_time now;
} w;

/* ---- arguments ---------------------------------------------------------------------------------
 */

static ltcp_handle any_handle(unsigned i)
{
    const uint32_t which = draw(20);
    if (which == 0) return 0;
    if (which == 1) {
        const uint32_t shift = draw(33);
        return (ltcp_handle)check_random(&memory.random) << shift;
    }
    return w.known[which == 2 ? !i : i][draw(KNOWN)];
}

static void know(unsigned i, ltcp_handle handle)
{
    w.known[i][draw(KNOWN)] = handle;
}

static int64_t any_value(const struct ltcp_setting *s)
{
    switch (draw(4)) {
    case 0: return s->least;
    case 1: return s->most;
    case 2: return s->least + (int64_t)(check_random(&memory.random) % 2000);
    default: break;
    }
    const uint64_t range = (uint64_t)(s->most - s->least) + 1;
    uint64_t bits = (uint64_t)check_random(&memory.random) << 32;
    bits |= check_random(&memory.random);
    return s->least + (int64_t)(bits % range >> draw(40));
}

static const char *const algorithms[] = {"newreno", "cubic", "dctcp", "prague", "bbr", "bbr1"};

static void change(struct ltcp_settings *s)
{
    for (uint32_t n = draw(6); n > 0; n--) {
        const struct ltcp_setting *one = ltcp_setting_at(draw(200));
        if (one != NULL) ltcp_setting_set(s, one, any_value(one));
    }
    const struct ltcp_congestion_ops *ops = ltcp_congestion_find(algorithms[draw(6)]);
    if (ops != NULL && draw(3) == 0) s->congestion = ops;
}

static struct ltcp_settings any_settings(void)
{
    struct ltcp_settings s = draw(2) ? ltcp_profile_linux : ltcp_profile_rfc;
    change(&s);
    return s;
}

static uint8_t octets[70000];
static const size_t lengths[] = {0, 1, 100, 1460, 5000, 70000};

static size_t any_length(void)
{
    return lengths[draw(6)];
}

/* ---- calls -------------------------------------------------------------------------------------
 */

static void call_open(unsigned i)
{
    const struct ltcp_settings s = any_settings();
    ltcp_handle handle;
    struct ltcp_open open = {.local_port = (uint16_t)(draw(3) ? 0 : 80 + draw(3)),
                             .remote_port = (uint16_t)(80 + draw(3)),
                             .backlog = draw(4),
                             .settings = draw(2) ? &s : NULL};
    open.remote = w.address[draw(8) ? !i : i];
    if (draw(6) == 0) open.local = w.address[draw(2)];
    if (draw(3) == 0) {
        open.fast_open = octets;
        open.fast_open_length = any_length();
        open.fast_open_waiting = any_length();
    }
    if (draw(10) == 0) {
        open.source_route = w.address;
        open.source_route_count = (uint8_t)draw(3);
    }
    const enum ltcp_status status = draw(2) ? ltcp_connect(w.host[i], w.now, &open, &handle)
                                            : ltcp_listen(w.host[i], w.now, &open, &handle);
    if (status == LTCP_OK) know(i, handle);
}

static void call_transfer(unsigned i)
{
    static uint8_t room[70000];
    const ltcp_handle handle = any_handle(i);
    const size_t length = any_length();
    const unsigned flags =
        draw(16); /* one draw a statement: compilers differ in the order of arguments */
    size_t n;
    switch (draw(6)) {
    case 0:
    case 1: ltcp_write(w.host[i], w.now, handle, octets, length, flags, &n); break;
    case 2:
    case 3: ltcp_read(w.host[i], w.now, handle, room, length, flags & 3, &n); break;
    case 4: ltcp_push(w.host[i], w.now, handle); break;
    default: ltcp_flush(w.host[i], handle, &n); break;
    }
}

static void call_end(unsigned i)
{
    const ltcp_handle handle = any_handle(i);
    switch (draw(4)) {
    case 0: ltcp_shutdown(w.host[i], w.now, handle); break;
    case 1: ltcp_close(w.host[i], w.now, handle); break;
    case 2: ltcp_abort(w.host[i], w.now, handle); break;
    default: ltcp_release(w.host[i], handle); break;
    }
}

static void call_look(unsigned i)
{
    const ltcp_handle handle = any_handle(i);
    struct ltcp_info info;
    struct ltcp_outstanding outstanding;
    struct ltcp_settings settings;
    struct ltcp_path_memory path;
    struct ltcp_fast_open_memory cookie;
    uint8_t keys[32];
    ltcp_info(w.host[i], handle, &info);
    ltcp_outstanding(w.host[i], w.now, handle, &outstanding);
    ltcp_path_known(w.host[i], w.now, &w.address[i], &w.address[!i], &path);
    ltcp_fast_open_known(w.host[i], &w.address[i], &w.address[!i], &cookie);
    ltcp_fast_open_keys(w.host[i], handle, keys);
    ltcp_host_counters(w.host[i]);
    if (ltcp_settings_of(w.host[i], handle, &settings) != LTCP_OK) return;
    change(&settings);
    ltcp_set_settings(w.host[i], w.now, handle, &settings);
}

static void call_host(unsigned i)
{
    struct ltcp_settings s = any_settings();
    const ltcp_handle handle = any_handle(i);
    ltcp_handle accepted;
    switch (draw(8)) {
    case 0:
        s.ao_required = false;
        ltcp_host_set_settings(w.host[i], &s);
        break;
    case 1: ltcp_fast_open_flush(w.host[i]); break;
    case 2: ltcp_path_flush(w.host[i]); break;
    case 3: ltcp_fast_open_rotate(w.host[i], handle, octets); break;
    case 4: ltcp_fast_open_set_keys(w.host[i], handle, octets, 16 * draw(4)); break;
    case 5: ltcp_host_set_mtu(w.host[i], 0, 60 + draw(2000)); break;
    default:
        if (ltcp_accept(w.host[i], handle, &accepted) == LTCP_OK) know(i, accepted);
        break;
    }
}

/* What host i has to send arrives, is lost, comes twice, or has a wrong bit. */
static void cross(unsigned i)
{
    struct ltcp_packet *queue[QUEUE];
    const size_t n = ltcp_host_transmit(w.host[i], w.now, queue, 1 + draw(QUEUE));
    for (size_t k = 0; k < n; k++) {
        queue[k]->time = w.now;
        if (draw(12) != 0) ltcp_host_receive(w.host[!i], w.now, queue[k]);
        if (draw(12) == 0) ltcp_host_receive(w.host[!i], w.now, queue[k]);
        ltcp_packet_unref(queue[k]);
    }
}

static void pass_time(void)
{
    if (draw(3) == 0) {
        const unsigned i = draw(HOSTS);
        const ltcp_time due = ltcp_host_next_deadline(w.host[i]);
        if (due != LTCP_NEVER && due > w.now) w.now = due;
    } else {
        w.now += draw(50) * LTCP_MILLISECOND;
    }
    for (unsigned i = 0; i < HOSTS; i++)
        ltcp_host_advance(w.host[i], w.now);
}

static void step(void)
{
    static void (*const calls[])(unsigned i) = {
        call_open, call_transfer, call_transfer, call_transfer, call_end, call_look,
        call_host, call_host,     cross,         cross,         cross,    cross,
    };
    const unsigned i = draw(HOSTS);
    struct ltcp_event event;
    calls[draw(sizeof calls / sizeof *calls)](i);
    if (draw(3) == 0) pass_time();
    if (draw(2) == 0)
        while (ltcp_host_next_event(w.host[i], &event))
            if (draw(3) == 0) know(i, event.handle);
    for (unsigned k = 0; k < HOSTS; k++) {
        const char *broken = ltcp_host_check(w.host[k]);
        if (broken != NULL) CHECK_TEXT(broken, "no invariant broken");
    }
}

/* ---- a seed ------------------------------------------------------------------------------------
 */

static bool open_host(unsigned i)
{
    const struct ltcp_settings s = any_settings();
    uint32_t number;
    w.host[i] = ltcp_host_create(
        &(struct ltcp_host_config){.pool = w.pool, .settings = &s, .secret = {1 + i, 2}, .id = i});
    if (w.host[i] == NULL) return false;
    w.address[i] = ltcp_address_v4(10, 0, 0, (uint8_t)(1 + i));
    return ltcp_host_add_interface(w.host[i], 1500, &number) == LTCP_OK &&
           ltcp_host_add_address(w.host[i], number, &w.address[i], 24) == LTCP_OK;
}

static void run(uint32_t seed)
{
    memset(&w, 0, sizeof w);
    memory.random = seed * 2654435761u + 1;
    memory.refuse = 0;
    w.now = LTCP_SECOND;
    w.pool = ltcp_pool_create(&(struct ltcp_allocator){resize, NULL});
    if (open_host(0) && open_host(1)) {
        memory.refuse = draw(3) == 0 ? UINT32_C(1) << draw(13) : 0;
        for (unsigned n = 0; n < STEPS; n++)
            step();
    }
    for (unsigned i = 0; i < HOSTS; i++)
        if (w.host[i] != NULL) ltcp_host_destroy(w.host[i]);
    ltcp_pool_destroy(w.pool);
    if (!CHECK_EQUAL(memory.held, 0)) printf("    seed %u\n", (unsigned)seed);
}

int main(int count, char **words)
{
    const unsigned first = count > 1 ? (unsigned)strtoul(words[1], NULL, 10) : 1;
    const unsigned seeds = count > 2 ? (unsigned)strtoul(words[2], NULL, 10) : SEEDS;
    for (unsigned seed = first; seed < first + seeds; seed++) {
        if (count > 1) fprintf(stderr, "seed %u\n", seed);
        run(seed);
    }
    if (count <= 1) run(569); /* no memory for a FIN */
    return check_finish();
}
