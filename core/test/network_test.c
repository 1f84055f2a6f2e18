/* core/test/network_test.c - the step loop: links, peers, tunnels, alarms, captures, determinism.
 */
#include "network_samples.h"
#include "lunatcp/random.h"

static struct lab lab;
static uint32_t left, right, link;

static void begin(const struct ltcp_path_config *path)
{
    lab_open(&lab, 1);
    left = lab_peer(&lab);
    right = lab_peer(&lab);
    link = lab_link(&lab, left, right, 0, path);
}

static struct ltcp_packet *packet_of(uint32_t length)
{
    return sample_of_length(lab.pool, length);
}

/* The packet that waits at a peer: its id, 0 for none. */
static uint64_t take(uint32_t node, ltcp_time *time)
{
    struct ltcp_packet *packet = ltcp_network_peer_receive(lab.network, node);
    if (packet == NULL) return 0;
    uint64_t id = packet->id;
    if (time != NULL) *time = packet->time;
    ltcp_packet_unref(packet);
    return id;
}

/* ---- going on ---------------------------------------------------------------------------------
 */

static void across_a_link(void)
{
    const struct ltcp_path_config path = {.delay = 10 * LTCP_MILLISECOND, .rate = 12000000};
    begin(&path);
    struct ltcp_step_detail detail;
    CHECK_EQUAL(ltcp_network_next_deadline(lab.network), LTCP_NEVER);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_IDLE);
    CHECK_EQUAL(ltcp_network_now(lab.network), 0);

    struct ltcp_packet *packet = packet_of(1500);
    CHECK_STATUS(ltcp_network_send(lab.network, left, LTCP_NOWHERE, packet), LTCP_OK);
    CHECK_STATUS(ltcp_network_send(lab.network, left, link, packet), LTCP_OK);
    CHECK_EQUAL(ltcp_network_next_deadline(lab.network), 0);
    /* 1 ms of 12 Mbit/s, then 10 ms. */
    CHECK_EQUAL(ltcp_network_step(lab.network, 5 * LTCP_MILLISECOND, 0, &detail), LTCP_STEP_LIMIT);
    CHECK_EQUAL(ltcp_network_now(lab.network), 5 * LTCP_MILLISECOND);
    CHECK_EQUAL(ltcp_network_next_deadline(lab.network), 11 * LTCP_MILLISECOND);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    CHECK_EQUAL(detail.node, right);
    CHECK_EQUAL(ltcp_network_now(lab.network), 11 * LTCP_MILLISECOND);
    struct ltcp_packet *arrived = ltcp_network_peer_receive(lab.network, right);
    CHECK(arrived != NULL && arrived != packet);
    CHECK_EQUAL(arrived->id, 1);
    CHECK_EQUAL(arrived->time, 11 * LTCP_MILLISECOND);
    CHECK_EQUAL(arrived->interface, ltcp_network_interface(lab.network, right, link));
    CHECK_EQUAL(arrived->notes, LTCP_NOTE_FORGED);
    CHECK(arrived->block == packet->block); /* shared, not copied */
    ltcp_packet_unref(arrived);
    CHECK(ltcp_network_peer_receive(lab.network, right) == NULL);
    /* What was sent stays the sender's. */
    CHECK(packet->id == 0 && packet->time == 0 && packet->notes == 0 && packet->refs == 1);
    ltcp_packet_unref(packet);

    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    ltcp_time time = 0;
    CHECK_EQUAL(take(right, &time), 2);
    CHECK_EQUAL(time, 12 * LTCP_MILLISECOND);
    CHECK_EQUAL(ltcp_network_step(lab.network, LTCP_SECOND, 0, &detail), LTCP_STEP_IDLE);
    CHECK_EQUAL(ltcp_network_now(lab.network), LTCP_SECOND);
    /* Time does not go back. */
    CHECK_EQUAL(ltcp_network_step(lab.network, 0, 0, &detail), LTCP_STEP_IDLE);
    CHECK_EQUAL(ltcp_network_now(lab.network), LTCP_SECOND);
    lab_close(&lab);
}

/* What arrives at one instant is one batch, told once; the inbox is bounded. */
static void inboxes(void)
{
    begin(NULL);
    struct ltcp_step_detail detail;
    for (int i = 0; i < 3; i++)
        lab_send(&lab, left, packet_of(40));
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_IDLE);
    for (uint64_t i = 1; i <= 4; i++)
        CHECK_EQUAL(take(right, NULL), i % 4);

    struct ltcp_packet *packet = packet_of(40);
    for (int i = 0; i < 5000; i++)
        CHECK_STATUS(ltcp_network_send(lab.network, left, LTCP_NOWHERE, packet), LTCP_OK);
    ltcp_packet_unref(packet);
    lab_run(&lab);
    unsigned count = 0;
    uint64_t last = 0;
    for (uint64_t id; (id = take(right, NULL)) != 0; count++)
        last = id;
    CHECK_EQUAL(count, 4096);
    CHECK_EQUAL(last, 3 + 4096); /* the oldest are kept */
    uint64_t serial = 0, drops = 0;
    for (const struct ltcp_trace_packet *r;
         (r = ltcp_trace_next_packet(lab.trace, &serial)) != NULL;)
        drops += r->kind == LTCP_TRACE_DROPPED && r->reason == LTCP_DROP_QUEUE;
    CHECK_EQUAL(drops, 5000 - 4096);

    packet = packet_of(40);
    for (int i = 0; i < 65536; i++)
        if (ltcp_network_send(lab.network, left, LTCP_NOWHERE, packet) != LTCP_OK) CHECK(false);
    CHECK_STATUS(ltcp_network_send(lab.network, left, LTCP_NOWHERE, packet), LTCP_ERR_NO_BUFFERS);
    CHECK_EQUAL(packet->refs, 65537);
    ltcp_packet_unref(packet);
    lab_close(&lab);
}

static void bounded_steps(void)
{
    const struct ltcp_path_config path = {.rate = 320000}; /* 1 ms each */
    begin(&path);
    struct ltcp_step_detail detail;
    for (int i = 0; i < 3; i++)
        lab_send(&lab, left, packet_of(40));
    CHECK_EQUAL(ltcp_network_step(lab.network, LTCP_NEVER, 1, &detail), LTCP_STEP_PEER);
    CHECK_EQUAL(ltcp_network_now(lab.network), LTCP_MILLISECOND);
    /* Through a router: two deliveries before anybody is told. */
    lab_run(&lab);
    uint32_t router = lab_router(&lab);
    uint32_t other = lab_link(&lab, left, router, 1, NULL);
    lab_link(&lab, router, right, 2, NULL);
    struct sample sample = {.source = ltcp_address_v4(10, 0, 1, 1),
                            .destination = ltcp_address_v4(10, 0, 2, 2)};
    struct ltcp_packet *packet = sample_packet(lab.pool, &sample);
    CHECK_STATUS(ltcp_network_send(lab.network, left, other, packet), LTCP_OK);
    ltcp_packet_unref(packet);
    CHECK_EQUAL(ltcp_network_step(lab.network, LTCP_NEVER, 1, &detail), LTCP_STEP_EVENTS_LIMIT);
    CHECK_EQUAL(ltcp_network_step(lab.network, LTCP_NEVER, 1, &detail), LTCP_STEP_PEER);
    lab_close(&lab);
}

/* Packets that arrive at one time come in the order in which they were sent, over whatever link. */
static void simultaneous_arrivals(void)
{
    const struct ltcp_path_config slow = {.delay = 1000}, fast = {.delay = 400};
    begin(&slow);
    uint32_t other = lab_link(&lab, left, right, 1, &fast);
    struct ltcp_step_detail detail;
    struct ltcp_packet *packet = packet_of(40);
    ltcp_network_send(lab.network, left, link, packet); /* 1: arrives at 1,000 */
    ltcp_network_step(lab.network, 600, 0, &detail);
    ltcp_network_send(lab.network, left, other, packet); /* 2: at 1,000 */
    const struct ltcp_path_config faster = {.delay = 400};
    ltcp_path_configure(ltcp_network_path(lab.network, link, 0), &faster);
    ltcp_network_send(lab.network, left, link, packet);  /* 3 */
    ltcp_network_send(lab.network, left, other, packet); /* 4 */
    ltcp_packet_unref(packet);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    for (uint64_t i = 1; i <= 4; i++) {
        ltcp_time time = 0;
        CHECK_EQUAL(take(right, &time), i);
        CHECK_EQUAL(time, 1000);
    }
    lab_close(&lab);
}

/* ---- alarms -----------------------------------------------------------------------------------
 */

static void alarms(void)
{
    begin(NULL);
    struct ltcp_step_detail detail;
    struct ltcp_network *n = lab.network;
    ltcp_network_set_alarm(n, 300, 3);
    ltcp_network_set_alarm(n, 100, UINT64_MAX);
    ltcp_network_set_alarm(n, 100, 1); /* the same time: in the order of setting */
    ltcp_network_set_alarm(n, 200, 2);
    ltcp_network_set_alarm(n, 250, 4);
    ltcp_network_cancel_alarm(n, 4);
    ltcp_network_cancel_alarm(n, 4);
    ltcp_network_cancel_alarm(n, 99);
    ltcp_network_set_alarm(n, 150, 3); /* moved */
    ltcp_network_set_alarm(n, 120, 5);
    ltcp_network_set_alarm(n, LTCP_NEVER, 5);
    ltcp_network_set_alarm(n, LTCP_NEVER, 6);
    static const uint64_t ids[] = {UINT64_MAX, 1, 3, 2};
    static const ltcp_time times[] = {100, 100, 150, 200};
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(ltcp_network_next_deadline(n), times[i]);
        CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_ALARM);
        CHECK(detail.id == ids[i]);
        CHECK_EQUAL(ltcp_network_now(n), times[i]);
    }
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_IDLE);
    ltcp_network_set_alarm(n, 50, 7); /* in the past: now */
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_ALARM);
    CHECK_EQUAL(ltcp_network_now(n), 200);

    /* Thousands, in an order of their own. */
    uint32_t random = 1;
    for (uint64_t id = 0; id < 5000; id++)
        ltcp_network_set_alarm(n, 1000 + check_random(&random) % 100000, id);
    for (uint64_t id = 0; id < 5000; id += 3)
        ltcp_network_cancel_alarm(n, id);
    static bool seen[5000];
    ltcp_time last = 0;
    unsigned count = 0;
    while (lab_step(&lab, &detail) == LTCP_STEP_ALARM) {
        CHECK(detail.id < 5000 && detail.id % 3 != 0 && !seen[detail.id]);
        seen[detail.id] = true;
        CHECK(ltcp_network_now(n) >= last);
        last = ltcp_network_now(n);
        count++;
    }
    CHECK_EQUAL(count, 5000 - 1667);

    /* Places are used again. */
    size_t live = lab.memory.live;
    for (uint64_t id = 0; id < 100000; id++) {
        ltcp_network_set_alarm(n, LTCP_SECOND, id);
        ltcp_network_cancel_alarm(n, id);
    }
    CHECK_EQUAL(lab.memory.live, live);
    lab_close(&lab);
}

/* Alarms and packets share one order. */
static void alarms_among_packets(void)
{
    const struct ltcp_path_config path = {.delay = 100};
    begin(&path);
    struct ltcp_step_detail detail;
    ltcp_network_set_alarm(lab.network, 100, 1);
    lab_send(&lab, left, packet_of(40));
    ltcp_network_step(lab.network, 0, 0, &detail);
    ltcp_network_set_alarm(lab.network, 100, 2);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_ALARM);
    CHECK_EQUAL(detail.id, 1);
    CHECK_EQUAL(take(right, NULL), 0);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_ALARM);
    CHECK_EQUAL(detail.id, 2);
    lab_close(&lab);
}

/* ---- links ------------------------------------------------------------------------------------
 */

static void down_and_up(void)
{
    const struct ltcp_path_config path = {.delay = 100};
    begin(&path);
    lab_send(&lab, left, packet_of(40));
    struct ltcp_step_detail detail;
    ltcp_network_step(lab.network, 50, 0, &detail);
    ltcp_path_set_up(ltcp_network_path(lab.network, link, 0), false);
    lab_send(&lab, left, packet_of(40));
    lab_send(&lab, right, packet_of(40)); /* the other direction is not concerned */
    lab_run(&lab);
    CHECK_EQUAL(take(right, NULL), 1);
    CHECK_EQUAL(take(right, NULL), 0);
    CHECK_EQUAL(take(left, NULL), 3);
    ltcp_path_set_up(ltcp_network_path(lab.network, link, 0), true);
    lab_send(&lab, left, packet_of(40));
    lab_run(&lab);
    CHECK_EQUAL(take(right, NULL), 4);
    CHECK(ltcp_network_path(lab.network, link, 2) == NULL);
    CHECK(ltcp_network_path(lab.network, 9, 0) == NULL);
    lab_close(&lab);
}

static void injection(void)
{
    begin(NULL);
    struct ltcp_packet *packet = packet_of(40);
    CHECK_STATUS(ltcp_network_inject(lab.network, link, 1, packet), LTCP_OK);
    CHECK_STATUS(ltcp_network_inject(lab.network, link, 2, packet), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_inject(lab.network, 5, 0, packet), LTCP_ERR_INVALID);
    ltcp_packet_unref(packet);
    lab_run(&lab);
    struct ltcp_packet *forged = ltcp_network_peer_receive(lab.network, left);
    CHECK(forged != NULL && forged->notes == LTCP_NOTE_FORGED);
    ltcp_packet_unref(forged);
    lab_close(&lab);
}

static void refusals(void)
{
    begin(NULL);
    uint32_t id;
    struct ltcp_link_config bad = lab_link_config(left, left, 1, NULL);
    CHECK_STATUS(ltcp_network_add_link(lab.network, &bad, &id), LTCP_ERR_INVALID);
    bad = lab_link_config(left, 17, 1, NULL);
    CHECK_STATUS(ltcp_network_add_link(lab.network, &bad, &id), LTCP_ERR_INVALID);
    bad = lab_link_config(left, LTCP_NOWHERE, 1, NULL); /* outside, but no tunnel */
    CHECK_STATUS(ltcp_network_add_link(lab.network, &bad, &id), LTCP_ERR_INVALID);
    bad = lab_link_config(left, right, 1, NULL);
    bad.mtu = 67;
    CHECK_STATUS(ltcp_network_add_link(lab.network, &bad, &id), LTCP_ERR_INVALID);
    bad.mtu = 65536;
    CHECK_STATUS(ltcp_network_add_link(lab.network, &bad, &id), LTCP_ERR_INVALID);
    bad.mtu = 0;
    bad.end[1].prefix_lengths[0] = 33;
    CHECK_STATUS(ltcp_network_add_link(lab.network, &bad, &id), LTCP_ERR_INVALID);
    bad.end[1].prefix_lengths[0] = 24;
    bad.end[1].address_count = 3;
    CHECK_STATUS(ltcp_network_add_link(lab.network, &bad, &id), LTCP_ERR_INVALID);
    bad.end[1].address_count = 0;
    bad.end[1].path.delay = -1;
    CHECK_STATUS(ltcp_network_add_link(lab.network, &bad, &id), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_set_mtu(lab.network, 9, 1500), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_set_mtu(lab.network, link, 0), LTCP_ERR_INVALID);
    CHECK_EQUAL(ltcp_network_interface(lab.network, left, 9), LTCP_NOWHERE);
    CHECK_EQUAL(ltcp_network_interface(lab.network, 9, link), LTCP_NOWHERE);

    struct ltcp_packet *packet = packet_of(40);
    CHECK_STATUS(ltcp_network_send(lab.network, 9, LTCP_NOWHERE, packet), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_send(lab.network, left, 9, packet), LTCP_ERR_INVALID);
    uint32_t router = lab_router(&lab), other = lab_link(&lab, router, right, 1, NULL);
    CHECK_STATUS(ltcp_network_send(lab.network, left, other, packet), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_send(lab.network, router, LTCP_NOWHERE, packet), LTCP_ERR_NO_ROUTE);
    CHECK_STATUS(ltcp_network_enter(lab.network, link, 0, packet, false), LTCP_ERR_INVALID);
    CHECK(ltcp_network_exit(lab.network, link, 0) == NULL);
    CHECK(ltcp_network_exit(lab.network, 9, 0) == NULL);
    CHECK(ltcp_network_peer_receive(lab.network, 9) == NULL);
    ltcp_packet_unref(packet);
    ltcp_network_touch(lab.network, left); /* no host */
    ltcp_network_touch(lab.network, 99);
    lab_run(&lab);
    ltcp_network_destroy(NULL);
    lab_close(&lab);
}

/* ---- tunnels ----------------------------------------------------------------------------------
 */

static void tunnel_to_the_outside(void)
{
    lab_open(&lab, 1);
    left = lab_peer(&lab);
    const struct ltcp_path_config path = {.delay = 100};
    struct ltcp_link_config config = lab_link_config(left, LTCP_NOWHERE, 0, &path);
    config.tunnel = true;
    CHECK_STATUS(ltcp_network_add_link(lab.network, &config, &link), LTCP_OK);

    struct ltcp_step_detail detail;
    for (int i = 0; i < 3; i++)
        lab_send(&lab, left, packet_of(40));
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_EXIT); /* once for the batch */
    CHECK_EQUAL(detail.link, link);
    CHECK_EQUAL(detail.direction, 0);
    CHECK_EQUAL(ltcp_network_now(lab.network), 100);
    for (uint64_t i = 1; i <= 3; i++) {
        struct ltcp_packet *packet = ltcp_network_exit(lab.network, link, 0);
        CHECK(packet != NULL && packet->id == i);
        ltcp_packet_unref(packet);
    }
    CHECK(ltcp_network_exit(lab.network, link, 0) == NULL);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_IDLE);

    /* In: at once, with the time that the socket said, or by way of the path. */
    struct ltcp_packet *packet = packet_of(40);
    packet->time = 60;
    CHECK_STATUS(ltcp_network_enter(lab.network, link, 1, packet, false), LTCP_OK);
    packet->time = 5000; /* later than now: not believed */
    ltcp_packet_unref(packet);
    packet = packet_of(40);
    CHECK_STATUS(ltcp_network_enter(lab.network, link, 1, packet, true), LTCP_OK);
    CHECK_STATUS(ltcp_network_enter(lab.network, link, 0, packet, true), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_enter(lab.network, link, 0, packet, false), LTCP_ERR_INVALID);
    ltcp_packet_unref(packet);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    packet = ltcp_network_peer_receive(lab.network, left);
    CHECK(packet != NULL && packet->notes == 0 && packet->id == 4);
    CHECK_EQUAL(packet->time, 100);
    ltcp_packet_unref(packet);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    ltcp_time time = 0;
    CHECK_EQUAL(take(left, &time), 5);
    CHECK_EQUAL(time, 200);

    packet = packet_of(40);
    packet->time = 150;
    CHECK_STATUS(ltcp_network_enter(lab.network, link, 1, packet, false), LTCP_OK);
    ltcp_packet_unref(packet);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    CHECK_EQUAL(take(left, &time), 6);
    CHECK_EQUAL(time, 150);

    /* Exits that nobody empties are bounded. */
    packet = packet_of(40);
    for (int i = 0; i < 5000; i++)
        CHECK_STATUS(ltcp_network_send(lab.network, left, link, packet), LTCP_OK);
    ltcp_packet_unref(packet);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_EXIT);
    unsigned count = 0;
    for (; (packet = ltcp_network_exit(lab.network, link, 0)) != NULL; count++)
        ltcp_packet_unref(packet);
    CHECK_EQUAL(count, 4096);
    lab_close(&lab);
}

/* Both ends here: what leaves by one side's path comes in again at the other. */
static void tunnel_between_two(void)
{
    lab_open(&lab, 1);
    left = lab_peer(&lab);
    right = lab_peer(&lab);
    const struct ltcp_path_config path = {.delay = 100};
    struct ltcp_link_config config = lab_link_config(left, right, 0, &path);
    config.tunnel = true;
    CHECK_STATUS(ltcp_network_add_link(lab.network, &config, &link), LTCP_OK);
    struct ltcp_step_detail detail;
    lab_send(&lab, right, packet_of(40));
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_EXIT);
    CHECK_EQUAL(detail.direction, 1);
    struct ltcp_packet *packet = ltcp_network_exit(lab.network, link, 1);
    CHECK_STATUS(ltcp_network_enter(lab.network, link, 1, packet, false), LTCP_OK);
    ltcp_packet_unref(packet);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    CHECK_EQUAL(detail.node, left);
    lab_close(&lab);
}

/* ---- trace and captures -----------------------------------------------------------------------
 */

static void captures(void)
{
    const uint64_t second[] = {2};
    const struct ltcp_path_config path = {.delay = 100,
                                          .duplicate = LTCP_CERTAIN,
                                          .loss_model = LTCP_LOSS_LIST,
                                          .loss_list = second,
                                          .loss_count = 1};
    begin(&path);
    struct ltcp_captured c;
    CHECK(!ltcp_network_next_captured(lab.network, &c));
    CHECK_STATUS(ltcp_network_capture(lab.network, 5), LTCP_OK);
    lab_send(&lab, left, packet_of(40));
    lab_send(&lab, left, packet_of(40));
    lab_run(&lab);
    static const struct {
        uint8_t kind, reason, notes;
        uint64_t id;
        ltcp_time time;
    } expected[] = {
        {LTCP_TRACE_SENT, LTCP_DROP_NONE, LTCP_NOTE_FORGED, 1, 0},
        {LTCP_TRACE_SENT, LTCP_DROP_NONE, LTCP_NOTE_FORGED, 2, 0},
        {LTCP_TRACE_DROPPED, LTCP_DROP_LOSS, LTCP_NOTE_FORGED, 2, 0},
        {LTCP_TRACE_DELIVERED, LTCP_DROP_NONE, LTCP_NOTE_FORGED, 1, 100},
        {LTCP_TRACE_DELIVERED, LTCP_DROP_NONE, LTCP_NOTE_FORGED | LTCP_NOTE_DUPLICATE, 1, 100},
    };
    uint64_t serial = 0;
    for (int i = 0; i < 5; i++) {
        CHECK(ltcp_network_next_captured(lab.network, &c));
        const struct ltcp_trace_packet *r = ltcp_trace_next_packet(lab.trace, &serial);
        CHECK_EQUAL(c.kind, expected[i].kind);
        CHECK_EQUAL(c.reason, expected[i].reason);
        CHECK_EQUAL(c.packet->notes, expected[i].notes);
        CHECK_EQUAL(c.packet->id, expected[i].id);
        CHECK_EQUAL(c.time, expected[i].time);
        CHECK_EQUAL(c.packet->time, expected[i].time); /* as it was, whoever changed it later */
        CHECK(c.link == link && c.direction == 0);
        CHECK(r != NULL && r->kind == c.kind && r->reason == c.reason && r->packet == c.packet->id);
        CHECK(r->time == c.time && r->notes == c.packet->notes && r->link == link);
        ltcp_packet_unref(c.packet);
    }
    CHECK(!ltcp_network_next_captured(lab.network, &c));
    CHECK_EQUAL(ltcp_network_captures_missed(lab.network), 0);

    for (int i = 0; i < 3; i++)
        lab_send(&lab, left, packet_of(40));
    lab_run(&lab);
    CHECK_EQUAL(ltcp_network_captures_missed(lab.network), 4); /* 3 and 6 of which 5 were kept */
    CHECK_STATUS(ltcp_network_capture(lab.network, 0), LTCP_OK);
    CHECK(!ltcp_network_next_captured(lab.network, &c));
    lab_send(&lab, left, packet_of(40));
    lab_run(&lab);
    CHECK(!ltcp_network_next_captured(lab.network, &c));
    lab_close(&lab);
}

static void listening(void)
{
    const struct ltcp_path_config path = {.delay = 100};
    begin(&path);
    struct ltcp_step_detail detail;
    ltcp_network_listen(lab.network, 1u << LTCP_TRACE_DELIVERED);
    lab_send(&lab, left, packet_of(40));
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_TRACE);
    uint64_t serial = detail.id;
    const struct ltcp_trace_packet *record = ltcp_trace_next_packet(lab.trace, &serial);
    CHECK(record != NULL && record->serial == detail.id && record->kind == LTCP_TRACE_DELIVERED);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_IDLE);
    /* Records that others write count too. */
    ltcp_network_listen(lab.network, 1u << LTCP_TRACE_STATE | 1u << LTCP_TRACE_DELIVERED);
    struct ltcp_trace_event event = {.kind = LTCP_TRACE_TIMEOUT};
    ltcp_trace_event(lab.trace, &event);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_IDLE);
    event.kind = LTCP_TRACE_STATE;
    ltcp_trace_event(lab.trace, &event);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_TRACE);
    ltcp_network_listen(lab.network, 0);
    lab_send(&lab, left, packet_of(40));
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    lab_close(&lab);
}

/* ---- determinism ------------------------------------------------------------------------------
 */

static uint64_t digest_of_trace(uint64_t digest, const struct ltcp_trace *trace, uint64_t *serial)
{
    const struct ltcp_trace_packet *r;
    while ((r = ltcp_trace_next_packet(trace, serial)) != NULL) {
        const uint64_t values[] = {r->serial, (uint64_t)r->time, r->packet, r->link, r->length,
                                   r->kind,   r->direction,      r->reason, r->notes};
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
            digest = (digest ^ values[i]) * UINT64_C(0x100000001B3);
        for (size_t i = 0; i < r->head_length; i++)
            digest = (digest ^ r->head[i]) * UINT64_C(0x100000001B3);
    }
    return digest;
}

/* Four peers around a router, all impairments; each peer sends, and sends again what it gets. */
static uint64_t run_of_seed(uint64_t seed, bool one_more_link)
{
    lab_open(&lab, seed);
    struct ltcp_path_config path = {.delay = 5 * LTCP_MILLISECOND,
                                    .jitter = 3 * LTCP_MILLISECOND,
                                    .rate = 1234567,
                                    .queue_packets = 6,
                                    .loss_model = LTCP_LOSS_GILBERT,
                                    .gilbert_bad = LTCP_CERTAIN / 20,
                                    .gilbert_good = LTCP_CERTAIN / 3,
                                    .gilbert_loss_bad = LTCP_CERTAIN / 2,
                                    .duplicate = LTCP_CERTAIN / 8,
                                    .corrupt = LTCP_CERTAIN / 30,
                                    .corrupt_bits = 9,
                                    .reorder = LTCP_CERTAIN / 8,
                                    .reorder_delay = 7 * LTCP_MILLISECOND};
    uint32_t router = lab_router(&lab), peers[4];
    for (uint8_t i = 0; i < 4; i++) {
        peers[i] = lab_peer(&lab);
        path.jitter_reorders = i % 2 == 0;
        lab_link(&lab, peers[i], router, i, &path);
    }
    if (one_more_link) lab_link(&lab, lab_peer(&lab), router, 9, &path);
    const struct ltcp_rule rule = {
        .direction = -1, .chance = LTCP_CERTAIN / 10, .fate = {.delay = 777}};
    uint32_t id;
    for (uint32_t i = 0; i < 4; i++)
        ltcp_network_add_rule(lab.network, i, &rule, &id);

    for (uint32_t i = 0; i < 40; i++) {
        struct sample sample = {.source = ltcp_address_v4(10, 0, (uint8_t)(i % 4), 1),
                                .destination = ltcp_address_v4(10, 0, (uint8_t)((i + 1) % 4), 1),
                                .source_port = (uint16_t)i,
                                .seq = i * 1000,
                                .flags = LTCP_ACK,
                                .length = i * 37 % 1400,
                                .ttl = 200};
        lab_send(&lab, peers[i % 4], sample_packet(lab.pool, &sample));
    }
    uint64_t digest = UINT64_C(0xCBF29CE484222325), serial = 0;
    struct ltcp_step_detail detail;
    /* A few hundred records at most between two looks at a ring of 4,096: nothing is missed. */
    for (unsigned steps = 0; steps < 20000; steps++) {
        enum ltcp_step step = ltcp_network_step(lab.network, 3 * LTCP_SECOND, 64, &detail);
        digest = digest_of_trace(digest, lab.trace, &serial);
        if (step == LTCP_STEP_IDLE || step == LTCP_STEP_LIMIT) break;
        if (step != LTCP_STEP_PEER) continue;
        for (struct ltcp_packet *p;
             (p = ltcp_network_peer_receive(lab.network, detail.node)) != NULL;) {
            ltcp_network_send(lab.network, detail.node, LTCP_NOWHERE, p);
            ltcp_packet_unref(p);
        }
    }
    CHECK(serial > 2000);
    lab_close(&lab);
    return digest;
}

static void same_seed_same_bytes(void)
{
    uint64_t digest = run_of_seed(42, false);
    CHECK(run_of_seed(42, false) == digest);
    CHECK(run_of_seed(43, false) != digest);
    /* A link that nobody uses changes nothing. */
    CHECK(run_of_seed(42, true) == digest);
    /* The same from every compiler, on every machine. */
    if (!CHECK(digest == UINT64_C(0xD6A214344A02200B)))
        printf("    got 0x%016" PRIX64 "\n", digest);
}

/* ---- memory -----------------------------------------------------------------------------------
 */

/* Whichever request for memory is refused: nothing breaks, nothing is lost. */
static void memory_runs_out(void)
{
    for (long granted = 0; granted < 200; granted++) {
        lab_open(&lab, 1);
        struct ltcp_packet *packet = packet_of(1500);
        const struct ltcp_path_config path = {.rate = 1000000,
                                              .duplicate = LTCP_CERTAIN / 2,
                                              .reorder = LTCP_CERTAIN / 2,
                                              .reorder_delay = 10};
        const struct ltcp_rule rule = {.direction = -1, .first = LTCP_FIRST_ONLY};
        struct ltcp_step_detail detail;
        uint32_t a, b, r, l, id;
        lab.memory.remaining = granted;
        if (ltcp_network_add_peer(lab.network, &a) == LTCP_OK &&
            ltcp_network_add_peer(lab.network, &b) == LTCP_OK &&
            ltcp_network_add_router(lab.network, &r) == LTCP_OK) {
            struct ltcp_link_config one = lab_link_config(a, r, 0, &path);
            struct ltcp_link_config two = lab_link_config(r, b, 1, &path);
            ltcp_network_capture(lab.network, 100);
            if (ltcp_network_add_link(lab.network, &one, &l) == LTCP_OK &&
                ltcp_network_add_link(lab.network, &two, &l) == LTCP_OK) {
                ltcp_network_add_rule(lab.network, l, &rule, &id);
                for (uint64_t i = 0; i < 12; i++) {
                    ltcp_network_set_alarm(lab.network, (ltcp_time)i, i);
                    ltcp_network_send(lab.network, a, 0, packet);
                }
                for (int i = 0; i < 200; i++)
                    if (ltcp_network_step(lab.network, LTCP_NEVER, 0, &detail) == LTCP_STEP_IDLE)
                        break;
            }
        }
        lab.memory.remaining = -1;
        ltcp_packet_unref(packet);
        lab_close(&lab);
    }
}

int main(void)
{
    across_a_link();
    inboxes();
    bounded_steps();
    simultaneous_arrivals();
    alarms();
    alarms_among_packets();
    down_and_up();
    injection();
    refusals();
    tunnel_to_the_outside();
    tunnel_between_two();
    captures();
    listening();
    same_seed_same_bytes();
    memory_runs_out();
    return check_finish();
}
