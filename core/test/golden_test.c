/* core/test/golden_test.c - one run through a bad network, whose packets are the same from every
 * compiler, at every level of optimisation, with every word size.
 *
 * After a change that is meant to change what is sent, `LUNATCP_GOLDEN=update ./dev test` writes
 * the new digests (spec/golden/) of this test and of spec/tcp/golden_spec.lua. */
#include "network_samples.h"

#define DIGEST "spec/golden/core_transfer.digest"

enum { TOTAL = 300000, ENDS = 2 };

static struct lab lab;
static uint64_t digest;

struct end {
    struct ltcp_host *host;
    uint32_t node;
    ltcp_handle listener, conn;
    uint64_t sent_state, got_state; /* generators of what is written, and of what must be read */
    size_t sent, got;
    bool closed;
};
static struct end ends[ENDS];

static void digest_octet(uint8_t octet) /* FNV-1a */
{
    digest = (digest ^ octet) * UINT64_C(0x100000001b3);
}

static void digest_number(uint64_t n)
{
    for (unsigned i = 0; i < 64; i += 8)
        digest_octet((uint8_t)(n >> i));
}

static void digest_captured(void)
{
    struct ltcp_captured captured;
    while (ltcp_network_next_captured(lab.network, &captured)) {
        uint8_t bytes[2048];
        const size_t n = ltcp_packet_bytes(captured.packet, bytes, sizeof bytes);
        digest_number((uint64_t)captured.time);
        digest_number(captured.kind);
        digest_number((uint64_t)captured.direction << 8 | captured.reason);
        for (size_t i = 0; i < n; i++)
            digest_octet(bytes[i]);
        ltcp_packet_unref(captured.packet);
    }
}

static uint8_t next_octet(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1;
    return (uint8_t)(*state >> 56);
}

static void write_some(struct end *e, ltcp_time now)
{
    while (e->sent < TOTAL) {
        uint8_t piece[1000];
        uint64_t state = e->sent_state;
        size_t n = sizeof piece, taken;
        if (n > TOTAL - e->sent) n = TOTAL - e->sent;
        for (size_t i = 0; i < n; i++)
            piece[i] = next_octet(&state);
        if (ltcp_write(e->host, now, e->conn, piece, n, 0, &taken) != LTCP_OK) return;
        e->sent += taken;
        while (taken-- > 0)
            next_octet(&e->sent_state);
    }
    if (!e->closed) e->closed = ltcp_shutdown(e->host, now, e->conn) == LTCP_OK;
}

static void read_all(struct end *e, ltcp_time now)
{
    uint8_t piece[3000];
    size_t n;
    while (ltcp_read(e->host, now, e->conn, piece, sizeof piece, 0, &n) == LTCP_OK) {
        bool same = true;
        for (size_t i = 0; i < n; i++)
            same = same && piece[i] == next_octet(&e->got_state);
        CHECK(same);
        e->got += n;
    }
}

static void serve(struct end *e, ltcp_time now)
{
    struct ltcp_event event;
    while (ltcp_host_next_event(e->host, &event)) {
        if (event.bits & LTCP_EVENT_ACCEPT)
            CHECK_STATUS(ltcp_accept(e->host, e->listener, &e->conn), LTCP_OK);
        if (event.handle != e->conn && !(event.bits & LTCP_EVENT_ACCEPT)) continue;
        read_all(e, now);
        write_some(e, now);
    }
    ltcp_network_touch(lab.network, e->node);
}

static void open_both(const struct ltcp_settings *settings)
{
    const struct ltcp_path_config path = {.delay = 20 * LTCP_MILLISECOND,
                                          .jitter = 5 * LTCP_MILLISECOND,
                                          .jitter_reorders = true,
                                          .rate = 20000000,
                                          .queue_packets = 40,
                                          .loss_model = LTCP_LOSS_BERNOULLI,
                                          .loss = LTCP_CERTAIN / 20,
                                          .duplicate = LTCP_CERTAIN / 50,
                                          .corrupt = LTCP_CERTAIN / 100,
                                          .corrupt_bits = 15};
    for (unsigned i = 0; i < ENDS; i++) {
        ends[i] = (struct end){.sent_state = i, .got_state = !i};
        ends[i].host = ltcp_host_create(&(struct ltcp_host_config){
            .pool = lab.pool, .settings = settings, .secret = {1 + i, 2}, .id = i});
        CHECK_STATUS(ltcp_network_add_host(lab.network, ends[i].host, &ends[i].node), LTCP_OK);
    }
    lab_link(&lab, ends[0].node, ends[1].node, 0, &path);
    CHECK_STATUS(ltcp_network_capture(lab.network, 65536), LTCP_OK);
    CHECK_STATUS(
        ltcp_listen(ends[1].host, 0, &(struct ltcp_open){.local_port = 80}, &ends[1].listener),
        LTCP_OK);
    CHECK_STATUS(
        ltcp_connect(ends[0].host, 0,
                     &(struct ltcp_open){.remote = ltcp_address_v4(10, 0, 0, 2), .remote_port = 80},
                     &ends[0].conn),
        LTCP_OK);
    ltcp_network_touch(lab.network, ends[0].node);
}

static void transfer(const struct ltcp_settings *settings)
{
    lab_open(&lab, 42);
    open_both(settings);
    for (;;) {
        struct ltcp_step_detail detail;
        const enum ltcp_step step = ltcp_network_step(lab.network, LTCP_NEVER, 0, &detail);
        digest_captured();
        if (step != LTCP_STEP_EVENTS) break;
        serve(detail.node == ends[0].node ? &ends[0] : &ends[1], ltcp_network_now(lab.network));
    }
    for (unsigned i = 0; i < ENDS; i++) {
        struct ltcp_info info;
        CHECK_EQUAL(ends[i].got, TOTAL);
        CHECK_STATUS(ltcp_info(ends[i].host, ends[i].conn, &info), LTCP_OK);
        CHECK_EQUAL(info.state, LTCP_CLOSED);
        CHECK(info.segments_retransmitted > 0);
        CHECK(ltcp_host_check(ends[i].host) == NULL);
    }
    CHECK_EQUAL(ltcp_network_captures_missed(lab.network), 0);
    for (unsigned i = 0; i < ENDS; i++)
        ltcp_host_destroy(ends[i].host);
    lab_close(&lab);
}

static void compare(void)
{
    char want[17] = "", got[17];
    snprintf(got, sizeof got, "%016" PRIx64, digest);
    const char *wish = getenv("LUNATCP_GOLDEN");
    const bool update = wish != NULL && strcmp(wish, "update") == 0;
    FILE *file = fopen(DIGEST, update ? "w" : "r");
    if (!CHECK(file != NULL)) return;
    if (update) {
        CHECK(fprintf(file, "%s\n", got) == 17);
        memcpy(want, got, sizeof want);
    } else {
        CHECK(fscanf(file, "%16s", want) == 1);
    }
    fclose(file);
    CHECK_TEXT(got, want);
}

int main(void)
{
    digest = UINT64_C(0xcbf29ce484222325);
    transfer(&ltcp_profile_rfc);
    transfer(&ltcp_profile_linux);
    struct ltcp_settings plain = ltcp_profile_rfc;
    plain.sack = plain.timestamps = plain.window_scaling = false;
    transfer(&plain);
    compare();
    return check_finish();
}
