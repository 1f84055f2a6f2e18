/* core/test/network_rules_test.c - rules said as data, and rules that ask. */
#include "network_samples.h"

static struct lab lab;
static uint32_t client, server, link;

static void begin(void)
{
    lab_open(&lab, 1);
    client = lab_peer(&lab);
    server = lab_peer(&lab);
    link = lab_link(&lab, client, server, 0, NULL);
}

static struct sample segment(uint16_t flags, uint32_t seq, uint32_t length)
{
    return (struct sample){.source = ltcp_address_v4(10, 0, 0, 1),
                           .destination = ltcp_address_v4(10, 0, 0, 2),
                           .source_port = 1000,
                           .destination_port = 80,
                           .flags = flags,
                           .seq = seq,
                           .length = length};
}

static uint32_t add(const struct ltcp_rule *rule)
{
    uint32_t id = 0;
    CHECK_STATUS(ltcp_network_add_rule(lab.network, link, rule, &id), LTCP_OK);
    return id;
}

/* Does the segment arrive at the other side? */
static bool passes_from(uint32_t node, const struct sample *sample)
{
    lab_send(&lab, node, sample_packet(lab.pool, sample));
    lab_run(&lab);
    struct ltcp_packet *packet =
        ltcp_network_peer_receive(lab.network, node == client ? server : client);
    ltcp_packet_unref(packet);
    return packet != NULL;
}

static bool passes(uint16_t flags, uint32_t seq, uint32_t length)
{
    struct sample sample = segment(flags, seq, length);
    return passes_from(client, &sample);
}

/* One rule that drops, and then it is gone. */
#define DROPPING(...) ((struct ltcp_rule){.direction = -1, .fate = {.drop = true}, __VA_ARGS__})
static void only(const struct ltcp_rule *rule, uint32_t *id)
{
    static uint32_t last;
    if (last != 0) CHECK_STATUS(ltcp_network_remove_rule(lab.network, link, last), LTCP_OK);
    last = 0;
    if (rule != NULL) last = add(rule);
    if (id != NULL) *id = last;
}

static void fields(void)
{
    begin();
    only(&DROPPING(.flags_set = LTCP_FIN | LTCP_ACK, .flags_clear = LTCP_RST), NULL);
    CHECK(passes(LTCP_ACK, 1, 0));
    CHECK(!passes(LTCP_FIN | LTCP_ACK | LTCP_PSH, 1, 0));
    CHECK(passes(LTCP_FIN | LTCP_ACK | LTCP_RST, 1, 0));
    only(&DROPPING(.flags_set = LTCP_AE), NULL);
    CHECK(passes(LTCP_FIN, 1, 0));
    CHECK(!passes(LTCP_AE, 1, 0));

    only(&DROPPING(.length_min = 10, .length_max = 20), NULL);
    CHECK(passes(LTCP_ACK, 1, 9));
    CHECK(!passes(LTCP_ACK, 1, 10));
    CHECK(!passes(LTCP_ACK, 1, 20));
    CHECK(passes(LTCP_ACK, 1, 21));
    only(&DROPPING(.length_min = 1), NULL);
    CHECK(passes(LTCP_ACK, 1, 0));
    CHECK(!passes(LTCP_ACK, 1, 1400));

    only(&DROPPING(.source_port = 1000, .destination_port = 81), NULL);
    CHECK(passes(LTCP_ACK, 1, 0));
    only(&DROPPING(.source_port = 1000, .destination_port = 80), NULL);
    CHECK(!passes(LTCP_ACK, 1, 0));

    /* The octet 100, across the end of the sequence space too; SYN and FIN are octets. */
    only(&DROPPING(.match_seq = true, .seq = {100}), NULL);
    CHECK(passes(LTCP_ACK, 90, 10));
    CHECK(!passes(LTCP_ACK, 90, 11));
    CHECK(!passes(LTCP_ACK, 100, 1));
    CHECK(passes(LTCP_ACK, 101, 10));
    CHECK(passes(LTCP_ACK, 100, 0));
    CHECK(!passes(LTCP_SYN, 100, 0));
    CHECK(!passes(LTCP_FIN, 90, 10));
    CHECK(!passes(LTCP_ACK, UINT32_MAX - 10, 200));

    struct sample sample = segment(LTCP_ACK, 1, 0);
    sample.ack = 777;
    only(&DROPPING(.match_ack = true, .ack = {777}), NULL);
    CHECK(!passes_from(client, &sample));
    sample.flags = LTCP_SYN;
    CHECK(passes_from(client, &sample));

    struct ltcp_rule backwards = DROPPING(.flags_set = LTCP_ACK);
    backwards.direction = 1;
    only(&backwards, NULL);
    CHECK(passes(LTCP_ACK, 1, 0));
    sample = segment(LTCP_ACK, 1, 0);
    CHECK(!passes_from(server, &sample));
    only(NULL, NULL);
    lab_close(&lab);
}

/* What is no TCP meets only rules that ask for nothing of TCP's. */
static void other_protocols(void)
{
    begin();
    struct ltcp_ip ip = {.source = ltcp_address_v4(10, 0, 0, 1),
                         .destination = ltcp_address_v4(10, 0, 0, 2),
                         .ttl = 64};
    struct ltcp_icmp icmp = {.kind = LTCP_ICMP_ECHO};
    for (int i = 0; i < 3; i++) {
        const struct ltcp_rule rules[] = {DROPPING(.tcp_only = true),
                                          DROPPING(.flags_clear = LTCP_SYN), DROPPING(.nth = 1)};
        only(&rules[i], NULL);
        lab_send(&lab, client, ltcp_icmp_encode(lab.pool, &ip, &icmp));
        lab_run(&lab);
        struct ltcp_packet *packet = ltcp_network_peer_receive(lab.network, server);
        CHECK((packet != NULL) == (i < 2));
        ltcp_packet_unref(packet);
    }
    /* Neither is a packet whose TCP header is not all there. */
    only(&DROPPING(.tcp_only = true), NULL);
    struct sample sample = segment(LTCP_ACK, 1, 0);
    struct ltcp_packet *packet = sample_packet(lab.pool, &sample);
    packet->head[32] = 0x40; /* data offset 4 */
    lab_send(&lab, client, packet);
    lab_run(&lab);
    packet = ltcp_network_peer_receive(lab.network, server);
    CHECK(packet != NULL);
    ltcp_packet_unref(packet);
    only(NULL, NULL);
    lab_close(&lab);
}

static void counting(void)
{
    begin();
    uint32_t id;
    uint64_t matched, answered;
    only(&DROPPING(.flags_set = LTCP_ACK, .nth = 3), &id);
    for (unsigned i = 1; i <= 6; i++) {
        CHECK(passes(LTCP_SYN, 1, 0)); /* does not match, does not count */
        CHECK_EQUAL(passes(LTCP_ACK, 1, 0), i != 3);
    }
    CHECK_STATUS(ltcp_network_rule_counts(lab.network, link, id, &matched, &answered), LTCP_OK);
    CHECK_EQUAL(matched, 6);
    CHECK_EQUAL(answered, 1);

    only(&DROPPING(.every = 3), NULL);
    for (unsigned i = 1; i <= 9; i++)
        CHECK_EQUAL(passes(LTCP_ACK, 1, 0), i % 3 != 0);

    only(&DROPPING(.times = 2), NULL);
    for (unsigned i = 1; i <= 5; i++)
        CHECK_EQUAL(passes(LTCP_ACK, 1, 0), i > 2);

    only(&DROPPING(.every = 2, .times = 2), NULL);
    for (unsigned i = 1; i <= 9; i++)
        CHECK_EQUAL(passes(LTCP_ACK, 1, 0), i != 2 && i != 4);

    only(&DROPPING(.chance = LTCP_CERTAIN / 4), NULL);
    unsigned dropped = 0;
    for (unsigned i = 0; i < 4000; i++)
        dropped += !passes(LTCP_ACK, 1, 0);
    CHECK(dropped > 890 && dropped < 1110); /* four standard deviations of 27 */
    only(&DROPPING(.chance = LTCP_CERTAIN), NULL);
    CHECK(!passes(LTCP_ACK, 1, 0));
    only(NULL, NULL);
    lab_close(&lab);
}

/* The first rule that answers wins; one that is removed is gone. */
static void order_of_rules(void)
{
    begin();
    struct ltcp_rule pass = {.direction = -1, .nth = 2};
    struct ltcp_rule drop = DROPPING(.flags_set = LTCP_ACK);
    uint32_t first = add(&pass), second = add(&drop);
    CHECK(!passes(LTCP_ACK, 1, 0));
    CHECK(passes(LTCP_ACK, 1, 0));
    CHECK(!passes(LTCP_ACK, 1, 0));
    CHECK_STATUS(ltcp_network_remove_rule(lab.network, link, second), LTCP_OK);
    CHECK_STATUS(ltcp_network_remove_rule(lab.network, link, second), LTCP_ERR_INVALID);
    CHECK(passes(LTCP_ACK, 1, 0));
    CHECK(add(&drop) != second);
    CHECK_STATUS(ltcp_network_remove_rule(lab.network, link, first), LTCP_OK);
    CHECK(!passes(LTCP_ACK, 1, 0));
    uint64_t matched, answered;
    CHECK_STATUS(ltcp_network_rule_counts(lab.network, link, first, &matched, &answered),
                 LTCP_ERR_INVALID);
    lab_close(&lab);
}

static void fates(void)
{
    begin();
    struct ltcp_rule rule = {.direction = 0,
                             .fate = {.delay = 500, .duplicates = 1, .duplicate_delay = 100}};
    only(&rule, NULL);
    struct sample sample = segment(LTCP_ACK, 1, 0);
    lab_send(&lab, client, sample_packet(lab.pool, &sample));
    lab_run(&lab);
    struct ltcp_packet *one = ltcp_network_peer_receive(lab.network, server);
    struct ltcp_packet *two = ltcp_network_peer_receive(lab.network, server);
    CHECK(one != NULL && two != NULL && one->id == two->id);
    CHECK_EQUAL(one->time, 500);
    CHECK_EQUAL(two->time, 600);
    CHECK_EQUAL(one->notes, LTCP_NOTE_DELAYED | LTCP_NOTE_FORGED);
    CHECK_EQUAL(two->notes, LTCP_NOTE_DELAYED | LTCP_NOTE_FORGED | LTCP_NOTE_DUPLICATE);
    ltcp_packet_unref(one);
    ltcp_packet_unref(two);

    rule.fate = (struct ltcp_fate){.corrupt_bits = 3};
    only(&rule, NULL);
    lab_send(&lab, client, sample_packet(lab.pool, &sample));
    lab_run(&lab);
    one = ltcp_network_peer_receive(lab.network, server);
    CHECK(one != NULL && (one->notes & LTCP_NOTE_CORRUPTED) != 0);
    ltcp_packet_unref(one);
    only(NULL, NULL);
    lab_close(&lab);
}

/* ---- first transmissions ----------------------------------------------------------------------
 */

static void first_transmissions(void)
{
    begin();
    only(&DROPPING(.first = LTCP_FIRST_ONLY, .length_min = 1), NULL);
    CHECK(!passes(LTCP_ACK, 1000, 100));
    CHECK(passes(LTCP_ACK, 1000, 100));  /* the same again */
    CHECK(passes(LTCP_ACK, 1050, 100));  /* some of it */
    CHECK(!passes(LTCP_ACK, 1150, 100)); /* none of it */
    CHECK(!passes(LTCP_ACK, 1350, 50));  /* a hole stays behind, */
    CHECK(!passes(LTCP_ACK, 1300, 50));  /* which is filled from its end */
    CHECK(passes(LTCP_ACK, 1299, 2));
    CHECK(!passes(LTCP_ACK, 1251, 8)); /* and in its middle */
    CHECK(!passes(LTCP_ACK, 1250, 1));
    CHECK(!passes(LTCP_ACK, 1270, 10));
    CHECK(passes(LTCP_ACK, 1258, 42)); /* 1299 was carried above */
    CHECK(passes(LTCP_ACK, 1250, 150));
    CHECK(!passes(LTCP_ACK, 1400, 1));

    only(&DROPPING(.first = LTCP_RETRANSMISSION_ONLY), NULL);
    CHECK(passes(LTCP_ACK, UINT32_MAX - 99, 200)); /* over the end of the sequence space */
    CHECK(passes(LTCP_ACK, 100, 10));
    CHECK(!passes(LTCP_ACK, UINT32_MAX, 1));
    CHECK(!passes(LTCP_ACK, 109, 10));
    CHECK(passes(LTCP_ACK, 5, 0)); /* no octets: nothing that could come again */
    only(NULL, NULL);
    lab_close(&lab);
}

/* Flows are told apart by sockets and direction; another SYN begins another connection. */
static void flows(void)
{
    begin();
    only(&DROPPING(.first = LTCP_RETRANSMISSION_ONLY), NULL);
    struct sample sample = segment(LTCP_SYN, 7, 0);
    CHECK(passes_from(client, &sample));
    CHECK(!passes_from(client, &sample));
    CHECK(passes_from(server, &sample));
    sample.source_port++;
    CHECK(passes_from(client, &sample));
    sample.destination = ltcp_address_v4(10, 0, 0, 3);
    CHECK(passes_from(client, &sample));
    CHECK(!passes_from(client, &sample));
    sample = segment(LTCP_ACK, 8, 100);
    CHECK(passes_from(client, &sample));
    sample = segment(LTCP_SYN, 3, 0);
    CHECK(passes_from(client, &sample)); /* another initial sequence number */
    sample = segment(LTCP_ACK, 4, 100);
    CHECK(passes_from(client, &sample));
    CHECK(!passes_from(client, &sample));

    /* The table is bounded: 100,000 flows, and the newest one is still known. */
    sample = segment(LTCP_ACK, 1, 1);
    for (uint32_t i = 0; i < 100000; i++) {
        sample.source_port = (uint16_t)(i % 50000 + 1);
        sample.destination_port = (uint16_t)(i / 50000 + 1000);
        if (!passes_from(client, &sample)) CHECK(false);
    }
    CHECK(!passes_from(client, &sample));
    CHECK(lab.memory.live < 2000000);
    only(NULL, NULL);
    lab_close(&lab);
}

/* ---- rules that ask ---------------------------------------------------------------------------
 */

static void verdicts(void)
{
    begin();
    struct ltcp_rule ask = {.direction = 0, .action = LTCP_RULE_ASK, .flags_set = LTCP_ACK};
    struct ltcp_rule delay = {.direction = 0, .fate = {.delay = 1000}};
    uint32_t asking = add(&ask);
    add(&delay);
    /* Four at once: they wait behind each other, and keep their order. */
    for (uint32_t i = 1; i <= 4; i++) {
        struct sample sample = segment(i == 3 ? LTCP_SYN : LTCP_ACK, i == 4 ? 1 : i, 1);
        lab_send(&lab, client, sample_packet(lab.pool, &sample));
    }
    CHECK_STATUS(ltcp_network_answer(lab.network, NULL), LTCP_ERR_INVALID);
    struct ltcp_step_detail detail;
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_VERDICT);
    CHECK_EQUAL(detail.link, link);
    CHECK_EQUAL(detail.direction, 0);
    CHECK_EQUAL(detail.id, asking);
    CHECK_EQUAL(detail.packet->id, 1);
    CHECK(detail.first);
    CHECK_EQUAL(ltcp_network_next_deadline(lab.network), 0);
    const struct ltcp_fate bad = {.delay = -1}, drop = {.drop = true}, held = {.delay = 10};
    CHECK_STATUS(ltcp_network_answer(lab.network, &bad), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_answer(lab.network, &held), LTCP_OK);

    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_VERDICT);
    CHECK_EQUAL(detail.packet->id, 2);
    CHECK_STATUS(ltcp_network_answer(lab.network, NULL), LTCP_OK); /* the next rule is asked */

    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_VERDICT);
    CHECK_EQUAL(detail.packet->id, 4);
    CHECK(!detail.first);
    CHECK_STATUS(ltcp_network_answer(lab.network, &drop), LTCP_OK);

    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
    CHECK_EQUAL(ltcp_network_now(lab.network), 10);
    lab_run(&lab);
    static const uint64_t ids[] = {1, 2, 3};
    static const ltcp_time times[] = {10, 1000, 1000};
    for (int i = 0; i < 3; i++) {
        struct ltcp_packet *packet = ltcp_network_peer_receive(lab.network, server);
        CHECK(packet != NULL && packet->id == ids[i] && packet->time == times[i]);
        ltcp_packet_unref(packet);
    }
    CHECK(ltcp_network_peer_receive(lab.network, server) == NULL);

    /* No answer at all is no answer; so is one of a rule that has gone meanwhile. */
    struct sample sample = segment(LTCP_ACK, 50, 1);
    for (int i = 0; i < 2; i++) {
        ltcp_time before = ltcp_network_now(lab.network);
        lab_send(&lab, client, sample_packet(lab.pool, &sample));
        CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_VERDICT);
        if (i == 1) CHECK_STATUS(ltcp_network_remove_rule(lab.network, link, asking), LTCP_OK);
        CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_PEER);
        CHECK_EQUAL(ltcp_network_now(lab.network) - before, 1000);
        ltcp_packet_unref(ltcp_network_peer_receive(lab.network, server));
    }
    lab_close(&lab);
}

/* Two that ask about the same packet, one after the other; the owner sends another meanwhile. */
static void two_that_ask(void)
{
    begin();
    struct ltcp_rule ask = {.direction = -1, .action = LTCP_RULE_ASK};
    uint32_t one = add(&ask), two = add(&ask);
    struct sample sample = segment(LTCP_ACK, 1, 1);
    struct ltcp_step_detail detail;
    lab_send(&lab, client, sample_packet(lab.pool, &sample));
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_VERDICT);
    CHECK_EQUAL(detail.id, one);
    for (int i = 0; i < 20; i++)
        lab_send(&lab, server, sample_packet(lab.pool, &sample));
    CHECK_STATUS(ltcp_network_answer(lab.network, NULL), LTCP_OK);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_VERDICT);
    CHECK_EQUAL(detail.id, two);
    CHECK_EQUAL(detail.packet->id, 1);
    const struct ltcp_fate pass = {0};
    CHECK_STATUS(ltcp_network_answer(lab.network, &pass), LTCP_OK);
    CHECK_EQUAL(lab_step(&lab, &detail), LTCP_STEP_VERDICT);
    CHECK_EQUAL(detail.id, one);
    CHECK_EQUAL(detail.packet->id, 2);
    CHECK_EQUAL(detail.direction, 1);
    lab_close(&lab); /* with a packet that still waits */
}

static void refusals(void)
{
    begin();
    const struct ltcp_rule bad[] = {
        {.direction = 2},
        {.direction = -2},
        {.chance = LTCP_CERTAIN + 1},
        {.length_min = 2, .length_max = 1},
        {.first = (enum ltcp_rule_first)7},
        {.action = (enum ltcp_rule_action)2},
        {.fate = {.delay = -1}},
        {.fate = {.delay = LTCP_NEVER}},
        {.fate = {.duplicate_delay = -1}},
        {.fate = {.duplicates = UINT32_MAX}},
    };
    uint32_t id;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_STATUS(ltcp_network_add_rule(lab.network, link, &bad[i], &id), LTCP_ERR_INVALID);
    const struct ltcp_rule good = {.direction = -1};
    CHECK_STATUS(ltcp_network_add_rule(lab.network, 9, &good, &id), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_remove_rule(lab.network, 9, 1), LTCP_ERR_INVALID);
    CHECK_STATUS(ltcp_network_remove_rule(lab.network, link, 1), LTCP_ERR_INVALID);
    lab_close(&lab);
}

int main(void)
{
    fields();
    other_protocols();
    counting();
    order_of_rules();
    fates();
    first_transmissions();
    flows();
    verdicts();
    two_that_ask();
    refusals();
    return check_finish();
}
