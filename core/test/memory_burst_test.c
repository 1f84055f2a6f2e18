/* core/test/memory_burst_test.c - what a host keeps of a burst once it is over: buffers are given
 * back when they are empty, and what the pool keeps for the next one is bounded. */
#include "check.h"
#include "lunatcp/settings.h"
#include "pair.h"

enum { BURST = 24 << 20, KEPT = 6 << 20 };

static struct pair p;
static ltcp_handle handle[2];
static uint8_t piece[65536];

static void open_connection(void)
{
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.receive_buffer = settings.send_buffer = 1 << 25;
    settings.window_scale = 14;
    settings.initial_window = 20;
    pair_open_with(&p, &settings, 1500);
    ltcp_handle listener;
    const struct ltcp_open listen = {.local_port = 80};
    CHECK_EQUAL(ltcp_listen(p.host[1], p.now, &listen, &listener), LTCP_OK);
    const struct ltcp_open open = {.remote = p.address[1], .remote_port = 80};
    CHECK_EQUAL(ltcp_connect(p.host[0], p.now, &open, &handle[0]), LTCP_OK);
    pair_settle(&p);
    CHECK_EQUAL(ltcp_accept(p.host[1], listener, &handle[1]), LTCP_OK);
}

/* Writes the whole and lets it cross; nothing is read. */
static void send_all(void)
{
    size_t sent = 0, taken;
    while (sent < BURST) {
        const enum ltcp_status status =
            ltcp_write(p.host[0], p.now, handle[0], piece, sizeof piece, 0, &taken);
        sent += taken;
        if (status != LTCP_OK && status != LTCP_AGAIN) break;
        pair_settle(&p);
        if (taken == 0 && !pair_wait(&p)) break;
    }
    CHECK_EQUAL(sent, BURST);
    for (int i = 0; i < 100; i++) {
        pair_settle(&p);
        if (!pair_wait(&p)) break;
    }
}

static void read_all(void)
{
    size_t read = 0, got;
    while (ltcp_read(p.host[1], p.now, handle[1], piece, sizeof piece, 0, &got) == LTCP_OK)
        read += got;
    CHECK_EQUAL(read, BURST);
    pair_settle(&p);
}

static void a_burst_is_given_back(void)
{
    open_connection();
    const size_t idle = p.held;
    for (int i = 0; i < 2; i++) {
        send_all();
        CHECK(p.held > BURST);
        read_all();
        CHECK(p.held < idle + KEPT);
        CHECK_EQUAL(ltcp_host_counters(p.host[0])->memory, 0);
        CHECK_EQUAL(ltcp_host_counters(p.host[1])->memory, 0);
    }
    pair_close(&p);
    CHECK_EQUAL(p.held, 0);
}

/* Not read, but dropped with its connection. */
static void so_is_one_that_was_aborted(void)
{
    open_connection();
    const size_t idle = p.held;
    send_all();
    CHECK_EQUAL(ltcp_abort(p.host[1], p.now, handle[1]), LTCP_OK);
    pair_settle(&p);
    CHECK(p.held < idle + KEPT);
    pair_close(&p);
}

int main(void)
{
    a_burst_is_given_back();
    so_is_one_that_was_aborted();
    return check_finish();
}
