/* core/test/invariants_test.c - a checked build names the invariant that is broken, and whose it
 * is; other builds look at nothing. */
#include "check.h"
#include "host/host.h"
#include "network_samples.h"
#include "pair.h"
#include "tcp/accecn.h"

static struct pair p;
static ltcp_handle conn[2];
static struct ltcp_connection *c;

/* Host 0 has data in flight and unsent; host 1 has some that was not read, and some ahead of a gap.
 */
static void open_pair_with_ecn(unsigned host, int64_t ecn)
{
    static uint8_t bytes[20000];
    size_t n;
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.ecn = ecn;
    pair_open_with(&p, &settings, 1500);
    CHECK(pair_connect(&p, conn) == LTCP_OK);
    for (int i = 0; i < 2; i++) {
        CHECK(ltcp_write(p.host[0], p.now, conn[0], bytes, sizeof bytes, 0, &n) == LTCP_OK);
        pair_collect(&p, 0);
        pair_deliver_but(&p, 1, i - 1);
        pair_collect(&p, 1);
        pair_deliver(&p, 0);
    }
    pair_collect(&p, 0);
    c = handle_connection(p.host[host], conn[host]);
    CHECK(c != NULL);
}

static void open_pair(unsigned host)
{
    open_pair_with_ecn(host, ltcp_profile_rfc.ecn);
}

static void check_all_is_well(void)
{
    ltcp_handle which;
    for (unsigned i = 0; i < 2; i++) {
        CHECK(ltcp_host_check(p.host[i]) == NULL);
        CHECK(ltcp_host_check_next(p.host[i], &which) == NULL);
    }
}

#if defined(LTCP_CHECK) && LTCP_CHECK

/* The sentence begins so, and names the connection. */
static void expect(unsigned host, const char *begin)
{
    ltcp_handle which = 0;
    const char *broken = ltcp_host_check_next(p.host[host], &which);
    if (!check_that(broken != NULL && strncmp(broken, begin, strlen(begin)) == 0, __FILE__,
                    __LINE__, begin))
        printf("    got %s\n", broken == NULL ? "nothing" : broken);
    CHECK(which == conn[host]);
}

#define BREAKS(host, change, begin)                                                                \
    do {                                                                                           \
        const struct ltcp_connection whole = *c;                                                   \
        change;                                                                                    \
        expect(host, begin);                                                                       \
        *c = whole;                                                                                \
    } while (0)

static void the_send_side(void)
{
    open_pair(0);
    check_all_is_well();
    const ltcp_time deadline = c->out->loss_deadline;
    BREAKS(0, c->snd_una = seq_add(c->snd_nxt, 1), "SND.UNA =< SND.NXT");
    BREAKS(0, c->snd_wnd = c->max_snd_wnd + 1, "SND.WND =< Max(SND.WND)");
    BREAKS(0, c->scaling = false, "no shift without both ends' consent");
    BREAKS(0, c->snd_wl2 = seq_add(c->snd_una, 1), "SND.WL2 =< SND.UNA");
    BREAKS(0, c->cc.cwnd = 0, "the congestion window is never zero");
    BREAKS(0, c->snd_up = seq_add(c->snd_up, 100000), "SND.UP is not past");
    BREAKS(0, c->snd_nxt = seq_add(c->snd_nxt, 1), "send queue: ");
    BREAKS(0, c->loss_timer = LTCP_TIMER_NONE, "RTO and persist have a deadline");
    BREAKS(0, c->loss_timer = LTCP_TIMER_PERSIST, "the persist timer is for a window");
    BREAKS(
        0,
        {
            c->loss_timer = LTCP_TIMER_NONE;
            c->out->loss_deadline = LTCP_NEVER;
        },
        "exactly one of RTO and persist runs");
    BREAKS(0, c->out->loss_deadline = c->armed - 1, "no deadline is earlier");
    c->out->loss_deadline = deadline;
    BREAKS(0, c->state = LTCP_CLOSE_WAIT, "CLOSE-WAIT, CLOSING, LAST-ACK and TIME-WAIT follow");
    BREAKS(0, c->state = LTCP_FIN_WAIT_1, "one's own FIN follows a CLOSE");
    BREAKS(0, c->state = LTCP_FIN_WAIT_2, "FIN-WAIT-2 and TIME-WAIT follow the ACK");
    struct ltcp_send_queue *q = c->out;
    BREAKS(0, q->octets++, "send queue: octets are counted");
    q->octets--;
    BREAKS(0, q->sacked++, "scoreboard: SACKed octets are counted");
    q->sacked--;
    struct ltcp_record *r = record_at(q, q->head);
    const uint8_t marks = r->marks;
    BREAKS(0, r->marks = LTCP_MARK_SACKED | LTCP_MARK_LOST, "scoreboard: what was SACKed is not");
    BREAKS(0, r->marks = LTCP_MARK_RETRANSMITTED, "scoreboard: only what was lost is sent again");
    r->marks = marks;
    check_all_is_well();
    BREAKS(0, c->shadow.snd_una = seq_add(c->snd_una, 1), "SND.UNA never goes back");
    pair_close(&p);
}

static void the_receive_side(void)
{
    open_pair(1);
    check_all_is_well();
    BREAKS(1, c->unread++, "receive queue: unread octets are counted");
    BREAKS(1, c->rcv_adv = seq_sub(c->rcv_nxt, 1), "RCV.NXT lies within what was offered");
    BREAKS(1, c->last_ack_sent = seq_add(c->rcv_nxt, 1), "Last.ACK.sent =< RCV.NXT");
    BREAKS(1, c->rcv_read = seq_add(c->rcv_nxt, 1), "what was read was received");
    BREAKS(1, c->fin_processed = true, "CLOSE-WAIT, CLOSING, LAST-ACK and TIME-WAIT follow");
    BREAKS(1, c->ack_now = true, "an ACK that is owed at once");
    struct ltcp_range *range = &c->ahead->ranges[0];
    const ltcp_seq left = range->left;
    BREAKS(1, range->left = c->rcv_nxt, "out-of-order queue: sorted and disjoint");
    BREAKS(1, range->left = seq_add(left, 1), "out-of-order queue: a range holds all");
    range->left = left;
    BREAKS(1, c->ahead->octets++, "out-of-order queue: octets are counted");
    c->ahead->octets--;
    check_all_is_well();
    BREAKS(1, c->shadow.rcv_nxt = seq_add(c->rcv_nxt, 1), "RCV.NXT never goes back");
    BREAKS(1, c->shadow.rcv_adv = seq_add(c->rcv_adv, 1), "the right edge of the offered window");
    BREAKS(1, c->shadow.ts_recent = c->ts_recent + 1, "TS.Recent never goes back");
    pair_close(&p);
}

static void accurate_ecn(void)
{
    open_pair_with_ecn(1, 3);
    check_all_is_well();
    struct ltcp_accecn *x = accecn_of(c);
    BREAKS(1, c->ecn = false, "AccECN mode has its counters");
    BREAKS(1, x->s_cep = 4, "r.cep and s.cep begin at 5");
    x->s_cep = 5;
    BREAKS(1, x->r_cep = 6, "r.cep counts no more than met CE");
    x->r_cep = 5;
    BREAKS(1, c->ecn_echo = true, "neither ECE nor CWR is RFC 3168's");
    check_all_is_well();
    pair_close(&p);
}

/* It is remembered, although the connection may be gone when somebody asks. */
static void a_change_that_is_not_named(void)
{
    ltcp_handle which = 1;
    open_pair(0);
    connection_set_state(c, p.now, LTCP_SYN_SENT);
    const char *broken = ltcp_host_check_next(p.host[0], &which);
    CHECK(broken != NULL);
    if (broken != NULL)
        CHECK_TEXT(broken, "RFC 9293 section 3.10 names no change from ESTABLISHED to SYN-SENT");
    CHECK(which == 0);
    pair_close(&p);
}

/* A network stops at the call that breaks one. */
static void a_network_stops(void)
{
    struct check_memory memory;
    const struct ltcp_allocator allocator = check_allocator(&memory);
    struct ltcp_pool *pool = ltcp_pool_create(&allocator);
    struct ltcp_network *network =
        ltcp_network_create(&(struct ltcp_network_config){.pool = pool, .start = LTCP_SECOND});
    struct ltcp_host *host = ltcp_host_create(&(struct ltcp_host_config){.pool = pool});
    struct ltcp_step_detail detail;
    uint32_t node, interface;
    ltcp_handle handle;
    const struct ltcp_address own = ltcp_address_v4(10, 0, 0, 1);
    ltcp_host_add_interface(host, 1500, &interface);
    ltcp_host_add_address(host, interface, &own, 24);
    CHECK(ltcp_network_add_host(network, host, &node) == LTCP_OK);
    const struct ltcp_open open = {.remote = ltcp_address_v4(10, 0, 0, 2), .remote_port = 80};
    CHECK(ltcp_connect(host, LTCP_SECOND, &open, &handle) == LTCP_OK);
    ltcp_network_touch(network, node);
    CHECK(ltcp_network_step(network, LTCP_SECOND, 0, &detail) != LTCP_STEP_BROKEN);

    handle_connection(host, handle)->snd_wscale = 15;
    ltcp_network_touch(network, node);
    for (int i = 0; i < 2; i++) { /* and does not go on */
        CHECK(ltcp_network_step(network, LTCP_NEVER, 0, &detail) == LTCP_STEP_BROKEN);
        CHECK(detail.node == node && detail.id == handle && detail.time == LTCP_SECOND);
        CHECK(strstr(detail.broken, "RFC 7323") != NULL);
    }
    ltcp_network_destroy(network);
    ltcp_host_destroy(host);
    ltcp_pool_destroy(pool);
}

int main(void)
{
    the_send_side();
    the_receive_side();
    accurate_ecn();
    a_change_that_is_not_named();
    a_network_stops();
    return check_finish();
}

#else

int main(void)
{
    open_pair(0);
    check_all_is_well();
    const ltcp_seq una = c->snd_una;
    c->snd_una = seq_add(c->snd_nxt, 1);
    check_all_is_well();
    c->snd_una = una;
    pair_close(&p);
    return check_finish();
}

#endif
