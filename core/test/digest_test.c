/* core/test/digest_test.c - the digest of a host changes with each thing that can matter, with time
 * only where time matters, and not with what merely counts. */
#include "check.h"
#include "host/host.h"
#include "pair.h"
#include "tcp/accecn.h"

static struct pair p;
static ltcp_handle conn[2];
static struct ltcp_connection *c;
static unsigned side;

static uint64_t digest(void)
{
    return ltcp_host_digest(p.host[side], p.now);
}

static void flip(void *field)
{
    *(uint8_t *)field ^= 1;
}

static void check_field(const char *name, void *field, bool matters)
{
    const uint64_t before = digest();
    flip(field);
    if (!check_that((digest() != before) == matters, __FILE__, __LINE__, name))
        printf("    %s %s\n", name, matters ? "is not in the digest" : "is in the digest");
    flip(field);
    CHECK(digest() == before);
}
#define MATTERS(field) check_field(#field, &(field), true)
#define COUNTS(field)  check_field(#field, &(field), false)
#define FLAG(field)                                                                                \
    do {                                                                                           \
        const uint64_t before = digest();                                                          \
        field = !field;                                                                            \
        CHECK(digest() != before);                                                                 \
        field = !field;                                                                            \
    } while (0)

/* Host 0 has written what does not fit: data in flight, SACKed and lost, and unsent. Host 1 holds
 * data that is not read and data ahead of a gap. */
static void open_pair_with_ecn(int64_t ecn)
{
    struct ltcp_settings settings = ltcp_profile_rfc;
    static uint8_t bytes[20000];
    size_t n;
    settings.keepalive = true;
    settings.nagle = false;
    settings.ecn = ecn;
    pair_open_with(&p, &settings, 1500);
    CHECK(pair_connect(&p, conn) == LTCP_OK);
    for (int i = 0; i < 2; i++) {
        CHECK(ltcp_write(p.host[0], p.now, conn[0], bytes, sizeof bytes, 0, &n) == LTCP_OK);
        pair_collect(&p, 0);
        pair_deliver_but(&p, 1, i - 1); /* all arrives, then a gap */
        pair_collect(&p, 1);
        pair_deliver(&p, 0);
    }
    pair_collect(&p, 0);
}

static void look_at(unsigned host)
{
    side = host;
    c = handle_connection(p.host[host], conn[host]);
    CHECK(c != NULL);
}

static void open_pair(void)
{
    open_pair_with_ecn(ltcp_profile_rfc.ecn);
}

static void every_variable_is_in_it(void)
{
    open_pair();
    look_at(0);
    MATTERS(c->state);
    MATTERS(c->recovery);
    MATTERS(c->loss_timer);
    MATTERS(c->soft_error);
    MATTERS(c->snd_wscale);
    MATTERS(c->rcv_wscale);
    MATTERS(c->backoff);
    MATTERS(c->iss);
    MATTERS(c->snd_una);
    MATTERS(c->snd_nxt);
    MATTERS(c->snd_up);
    MATTERS(c->snd_wl1);
    MATTERS(c->snd_wl2);
    MATTERS(c->snd_wnd);
    MATTERS(c->max_snd_wnd);
    MATTERS(c->snd_mss);
    MATTERS(c->peer_mss);
    MATTERS(c->rcv_mss);
    MATTERS(c->link_mtu);
    MATTERS(c->path_mtu);
    MATTERS(c->seen_mss);
    MATTERS(c->duplicate_acks);
    MATTERS(c->interface);
    MATTERS(c->received_dscp);
    MATTERS(c->recovery_point);
    MATTERS(c->irs);
    MATTERS(c->rcv_nxt);
    MATTERS(c->rcv_adv);
    MATTERS(c->rcv_up);
    MATTERS(c->rcv_fin);
    MATTERS(c->rcv_read);
    MATTERS(c->last_ack_sent);
    MATTERS(c->unacked_octets);
    MATTERS(c->quick_acks);
    MATTERS(c->ts_offset);
    MATTERS(c->ts_recent);
    MATTERS(c->ack_deadline);
    MATTERS(c->long_deadline);
    MATTERS(c->unanswered);
    MATTERS(c->last_heard);
    MATTERS(c->last_sent);
    MATTERS(c->srtt);
    MATTERS(c->rttvar);
    MATTERS(c->cc.cwnd);
    MATTERS(c->cc.ssthresh);
    MATTERS(c->cc.mss);
    MATTERS(c->cc.initial_window);
    MATTERS(c->cc.acked);
    MATTERS(c->cc.pacing_rate);
    MATTERS(c->events);
    MATTERS(c->flow.local_port);
    MATTERS(c->flow.remote);
    const uint64_t before = digest();
    c->ts_recent_time -= 25 * 86400; /* section 5.5 of RFC 7323: outdated after 24 days */
    CHECK(digest() != before);
    pair_close(&p);
}

static void every_flag_is_in_it(void)
{
    open_pair();
    look_at(0);
    FLAG(c->passive);
    FLAG(c->scaling);
    FLAG(c->stamping);
    FLAG(c->sacking);
    FLAG(c->released);
    FLAG(c->user_closed);
    FLAG(c->fin_wanted);
    FLAG(c->fin_queued);
    FLAG(c->fin_received);
    FLAG(c->fin_processed);
    FLAG(c->ack_now);
    FLAG(c->syn_acked);
    FLAG(c->cwnd_limited);
    FLAG(c->probe_due);
    FLAG(c->urgent_mark);
    FLAG(c->oob_taken);
    FLAG(c->advised);
    FLAG(c->ts_recent_valid);
    FLAG(c->keepalive_due);
    FLAG(c->force_retransmit);
    FLAG(c->write_blocked);
    FLAG(c->ecn);
    FLAG(c->ecn_echo);
    FLAG(c->ecn_reduced);
    FLAG(c->pushed);
    pair_close(&p);
}

static void queues_are_in_it(void)
{
    open_pair();
    look_at(0);
    struct ltcp_send_queue *q = c->out;
    CHECK(q != NULL && q->head != q->unsent && q->unsent != q->tail);
    struct ltcp_record *sent = record_at(q, q->head), *unsent = record_at(q, q->unsent);
    MATTERS(sent->seq);
    MATTERS(sent->flags);
    MATTERS(sent->marks);
    MATTERS(sent->last_sent);
    MATTERS(sent->block->data[sent->offset]);
    MATTERS(unsent->length);
    MATTERS(unsent->block->data[unsent->offset + unsent->length - 1]);
    MATTERS(q->loss_position);
    MATTERS(q->retransmit_position);
    MATTERS(q->sacked_above);
    MATTERS(q->segments_above);
    MATTERS(q->duplicate_point);
    MATTERS(q->duplicate_octets);
    MATTERS(q->waiting_since);
    MATTERS(q->rtt_mark);
    MATTERS(q->loss_deadline);
    CHECK(q->cached_count > 0);
    MATTERS(q->cached[0].left);

    look_at(1);
    CHECK(c->unread > 0 && c->ahead != NULL && c->ahead->recent_count > 0);
    MATTERS(c->in.first->data[0]);
    MATTERS(c->ahead->ranges[0].left);
    MATTERS(c->ahead->ranges[0].right);
    MATTERS(c->ahead->ranges[0].slices.first->data[0]);
    MATTERS(c->ahead->recent[0]);
    rare_of(c)->challenges = 3;
    rare_of(c)->challenge_since = p.now;
    MATTERS(c->rare->challenges);
    MATTERS(c->rare->challenge_since);
    MATTERS(c->rare->replaced);
    c->rare->ecn_reacted = true;
    MATTERS(c->rare->ecn_point);
    c->rare->oob_held = true;
    MATTERS(c->rare->oob_octet);
    c->rare->route_length = 4;
    MATTERS(c->rare->route[3]);
    MATTERS(c->rare->route_is_users);
    pair_close(&p);
}

static void what_accecn_knows_is_in_it(void)
{
    open_pair_with_ecn(3);
    look_at(0);
    CHECK(c->accecn);
    struct ltcp_accecn *x = accecn_of(c);
    MATTERS(x->r_cep);
    MATTERS(x->r_bytes[LTCP_ECN_CE]);
    MATTERS(x->changed);
    MATTERS(x->changed_now);
    MATTERS(x->changed_since);
    MATTERS(x->last_packet);
    MATTERS(x->last_data);
    MATTERS(x->ce_unreported);
    MATTERS(x->option_sent);
    MATTERS(x->bytes_unsaid);
    MATTERS(x->repetitions);
    MATTERS(x->acks_without);
    MATTERS(x->duplicates);
    MATTERS(x->data_since_duplicate);
    MATTERS(x->data_ack_had);
    MATTERS(x->options_blocked);
    MATTERS(x->first_data_sent);
    MATTERS(x->s_bytes[LTCP_ECN_ECT0]);
    MATTERS(x->ce_told);
    MATTERS(x->ce_owed);
    MATTERS(x->s_cep);
    MATTERS(x->cep_at_option);
    MATTERS(x->segments_at_option);
    MATTERS(x->stamp);
    MATTERS(x->acked_average);
    MATTERS(x->stamped);
    MATTERS(x->option_seen);
    MATTERS(x->options_zeroed);
    MATTERS(x->option_before);
    MATTERS(x->handshake_ecn);
    MATTERS(x->synacks_sent);
    MATTERS(x->earlier_timeouts);
    MATTERS(x->responder);
    MATTERS(x->syn_received);
    MATTERS(x->handshake_ack);
    MATTERS(x->synack_ce);
    MATTERS(x->syn_met_ce);
    MATTERS(x->tested);
    MATTERS(x->not_ect);
    MATTERS(x->deaf);
    MATTERS(x->acks_an_ack);
    pair_close(&p);
}

static void the_host_is_in_it(void)
{
    open_pair();
    look_at(1);
    struct ltcp_host *host = p.host[1];
    MATTERS(host->secret.k0);
    MATTERS(host->port_counter);
    MATTERS(host->interfaces[0].mtu);
    MATTERS(host->interfaces[0].least_mtu);
    MATTERS(host->addresses[0].address);
    MATTERS(host->routes[0].prefix);
    MATTERS(host->listeners->local_port);
    MATTERS(host->listeners->backlog);
    MATTERS(host->listeners->half_open);
    MATTERS(host->listeners->waiting);
    MATTERS(host->share->settings.rto_min);
    MATTERS(host->share->settings.delayed_ack);
    pair_close(&p);
}

static void counters_are_not(void)
{
    open_pair();
    look_at(0);
    COUNTS(c->segments_sent);
    COUNTS(c->segments_received);
    COUNTS(c->bytes_sent);
    COUNTS(c->bytes_received);
    COUNTS(c->acks_sent);
    COUNTS(c->latest_rtt);
    COUNTS(c->min_rtt);
    COUNTS(rare_of(c)->probes_sent);
    COUNTS(c->engine->next_identification);
    COUNTS(p.host[0]->counters.packets_received);
    pair_close(&p);
}

/* With fixed numbers and without timestamps nothing reads the clock: what is so far from now alike
 * is the same state. */
static void only_distances_in_time_count(void)
{
    uint64_t seen[2];
    for (int i = 0; i < 2; i++) {
        struct ltcp_settings settings = ltcp_profile_rfc;
        settings.isn = 1000;
        settings.timestamps = false;
        pair_open_with(&p, &settings, 1500);
        p.now += i * 7 * LTCP_SECOND;
        size_t n;
        CHECK(pair_connect(&p, conn) == LTCP_OK);
        CHECK(ltcp_write(p.host[0], p.now, conn[0], "hello", 5, 0, &n) == LTCP_OK);
        pair_collect(&p, 0);
        look_at(0);
        seen[i] = digest();
        p.now += LTCP_MILLISECOND; /* the retransmission timer has come nearer */
        CHECK(digest() != seen[i]);
        pair_close(&p);
    }
    CHECK(seen[0] == seen[1]);
}

int main(void)
{
    every_variable_is_in_it();
    every_flag_is_in_it();
    queues_are_in_it();
    what_accecn_knows_is_in_it();
    the_host_is_in_it();
    counters_are_not();
    only_distances_in_time_count();
    return check_finish();
}
