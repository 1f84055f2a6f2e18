/* core/socket/info.c - TCP_INFO: each field by its documented meaning, from what the engine knows.
 * A field that the engine does not measure is 0. */
#include <string.h>

#include "socket/table.h"

#define UNKNOWN_RTTVAR 250000u /* microseconds: what Linux says before there is a sample */

/* The order of two halves of an octet in a bit-field is the machine's. */
static bool low_half_first(void)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 1;
}

uint8_t ltcp_tcp_info_snd_wscale(const struct ltcp_tcp_info *info)
{
    return low_half_first() ? info->wscales & 15 : info->wscales >> 4;
}

uint8_t ltcp_tcp_info_rcv_wscale(const struct ltcp_tcp_info *info)
{
    return low_half_first() ? info->wscales >> 4 : info->wscales & 15;
}

static uint8_t state_number(enum ltcp_state state)
{
    static const uint8_t numbers[LTCP_STATE_COUNT] = {
        [LTCP_CLOSED] = LTCP_TCP_CLOSE,
        [LTCP_LISTEN] = LTCP_TCP_LISTEN,
        [LTCP_SYN_SENT] = LTCP_TCP_SYN_SENT,
        [LTCP_SYN_RECEIVED] = LTCP_TCP_SYN_RECV,
        [LTCP_ESTABLISHED] = LTCP_TCP_ESTABLISHED,
        [LTCP_FIN_WAIT_1] = LTCP_TCP_FIN_WAIT1,
        [LTCP_FIN_WAIT_2] = LTCP_TCP_FIN_WAIT2,
        [LTCP_CLOSE_WAIT] = LTCP_TCP_CLOSE_WAIT,
        [LTCP_CLOSING] = LTCP_TCP_CLOSING,
        [LTCP_LAST_ACK] = LTCP_TCP_LAST_ACK,
        [LTCP_TIME_WAIT] = LTCP_TCP_TIME_WAIT,
    };
    return numbers[state];
}

static uint32_t microseconds(ltcp_time time)
{
    if (time <= 0) return 0;
    const ltcp_time us = time / LTCP_MICROSECOND;
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static uint32_t milliseconds_ago(ltcp_time now, ltcp_time when)
{
    if (when <= 0 || when > now) return 0;
    const ltcp_time ms = (now - when) / LTCP_MILLISECOND;
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/* Windows of congestion control are counted in segments. */
static uint32_t segments(uint32_t octets, uint32_t mss)
{
    if (octets >= LTCP_TCP_INFINITE_SSTHRESH) return LTCP_TCP_INFINITE_SSTHRESH;
    return mss != 0 ? octets / mss : 0;
}

static uint32_t clip(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static uint8_t congestion_state(const struct ltcp_info *info, const struct ltcp_outstanding *sent)
{
    if (info->in_loss) return LTCP_TCP_CA_Loss;
    if (info->in_recovery) return LTCP_TCP_CA_Recovery;
    if (info->in_cwr) return LTCP_TCP_CA_CWR;
    if (sent->sacked > 0 || info->duplicate_acks > 0) return LTCP_TCP_CA_Disorder;
    return LTCP_TCP_CA_Open;
}

/* ecn_mode, accecn_opt_seen, accecn_fail_mode. */
static uint32_t ecn_word(const struct ltcp_info *info)
{
    if (!info->accecn) return info->ecn ? LTCP_TCPI_ECN_MODE_RFC3168 : LTCP_TCPI_ECN_MODE_DISABLED;
    uint32_t seen = LTCP_TCP_ACCECN_OPT_NOT_SEEN, fails = 0;
    if (info->accecn_option_seen) seen = LTCP_TCP_ACCECN_OPT_COUNTER_SEEN;
    if (info->accecn_zeroed) seen = LTCP_TCP_ACCECN_OPT_FAIL_SEEN;
    if (info->accecn_deaf) fails |= LTCP_TCP_ACCECN_ACE_FAIL_RECV;
    if (info->accecn_zeroed) fails |= LTCP_TCP_ACCECN_OPT_FAIL_RECV;
    if (info->accecn_blocked) fails |= LTCP_TCP_ACCECN_OPT_FAIL_SEND;
    return LTCP_TCPI_ECN_MODE_ACCECN | seen << 2 | fails << 4;
}

/* fastopen_client_fail, beside delivery_rate_app_limited. */
static uint8_t fail_bits(const struct ltcp_info *info)
{
    const unsigned failure = (unsigned)info->fast_open_failure, limited = info->app_limited;
    return (uint8_t)(low_half_first() ? failure << 1 | limited : failure << 5 | limited << 7);
}

static void fill_state(const struct ltcp_info *info, const struct ltcp_outstanding *sent,
                       struct ltcp_tcp_info *out)
{
    const unsigned snd = info->window_scaling ? info->snd_wscale : 0;
    const unsigned rcv = info->window_scaling ? info->rcv_wscale : 0;
    const bool persists = info->persist_deadline != LTCP_NEVER && info->persist_deadline != 0;
    /* What ended it may have been probing. */
    const bool probing =
        persists || (info->state == LTCP_CLOSED && seq_eq(info->snd_una, info->snd_nxt));
    out->state = state_number(info->state);
    out->ca_state = congestion_state(info, sent);
    const uint8_t unanswered = sent->unanswered > 255 ? 255 : (uint8_t)sent->unanswered;
    out->retransmits = probing ? 0 : unanswered;
    out->probes = probing ? unanswered : 0;
    out->backoff = (uint8_t)(info->backoff > 255 ? 255 : info->backoff);
    if (info->timestamps) out->options |= LTCP_TCPI_OPT_TIMESTAMPS;
    if (info->sack) out->options |= LTCP_TCPI_OPT_SACK;
    if (info->window_scaling) out->options |= LTCP_TCPI_OPT_WSCALE;
    if (info->fast_open_octets > 0 && info->fast_open_acked == info->fast_open_octets)
        out->options |= LTCP_TCPI_OPT_SYN_DATA;
    out->bits |= fail_bits(info);
    if (info->ecn) out->options |= LTCP_TCPI_OPT_ECN;
    if (info->ecn && info->ce_received > 0) out->options |= LTCP_TCPI_OPT_ECN_SEEN;
    out->accecn = ecn_word(info);
    out->wscales = (uint8_t)(low_half_first() ? snd | rcv << 4 : snd << 4 | rcv);
}

static void fill_sizes(const struct socket *s, const struct ltcp_info *info,
                       struct ltcp_tcp_info *out)
{
    out->snd_mss = info->snd_mss;
    out->rcv_mss = info->seen_mss != 0 ? info->seen_mss : info->rcv_mss;
    out->advmss = info->rcv_mss;
    out->pmtu = info->path_mtu;
    out->rcv_ssthresh = info->rcv_wnd;
    out->rcv_space = s->settings.receive_buffer;
    out->snd_ssthresh = segments(info->ssthresh, info->snd_mss);
    out->snd_cwnd = segments(info->cwnd, info->snd_mss);
    const uint64_t threshold = (uint64_t)s->settings.duplicate_ack_threshold;
    out->reordering = clip(info->reordering > threshold ? info->reordering : threshold);
    out->reord_seen = info->reorderings;
    out->snd_wnd = info->snd_wnd;
    out->rcv_wnd = info->rcv_wnd;
    out->notsent_bytes = info->unsent;
}

static void fill_times(const struct socket *s, ltcp_time now, const struct ltcp_info *info,
                       const struct ltcp_outstanding *sent, struct ltcp_tcp_info *out)
{
    out->rto = microseconds(info->rto);
    out->ato = microseconds(s->settings.delayed_ack_timeout);
    out->rtt = microseconds(info->srtt);
    out->rttvar = info->srtt > 0 ? microseconds(info->rttvar) : UNKNOWN_RTTVAR;
    out->min_rtt =
        info->min_rtt > 0 && info->min_rtt != LTCP_NEVER ? microseconds(info->min_rtt) : UINT32_MAX;
    out->last_data_sent = milliseconds_ago(now, sent->last_data_sent);
    out->last_data_recv = milliseconds_ago(now, sent->last_heard);
    out->last_ack_recv = milliseconds_ago(now, sent->last_heard);
    out->busy_time = (uint64_t)(sent->busy / LTCP_MICROSECOND);
    out->rwnd_limited = (uint64_t)(sent->window_limited / LTCP_MICROSECOND);
    out->sndbuf_limited = (uint64_t)(sent->buffer_limited / LTCP_MICROSECOND);
}

static void fill_counts(const struct socket *s, const struct ltcp_info *info,
                        const struct ltcp_outstanding *sent, struct ltcp_tcp_info *out)
{
    out->unacked = sent->segments;
    out->sacked = sent->sacked;
    out->lost = sent->lost;
    out->retrans = sent->retransmitted;
    out->total_retrans = clip(info->segments_retransmitted);
    out->pacing_rate = info->pacing_rate != 0 ? info->pacing_rate : UINT64_MAX;
    out->delivery_rate = info->delivery_rate;
    out->max_pacing_rate = s->options.max_pacing;
    out->bytes_acked = info->bytes_acked;
    out->bytes_received = info->bytes_received;
    out->bytes_sent = info->bytes_sent + info->bytes_retransmitted;
    out->bytes_retrans = info->bytes_retransmitted;
    out->segs_out = clip(info->segments_sent);
    out->segs_in = clip(info->segments_received);
    out->data_segs_out = info->data_segments_sent;
    out->data_segs_in = info->data_segments_received;
    out->delivered = info->segments_delivered;
    out->rcv_ooopack = clip(info->out_of_order_segments);
    out->dsack_dups = clip(info->dsacks_received);
    out->received_ce = clip(info->ce_received);
    out->delivered_ce = clip(info->delivered_ce);
    out->delivered_ce_bytes = clip(info->delivered_ce_bytes);
    out->delivered_e0_bytes = clip(info->delivered_ect0_bytes);
    out->delivered_e1_bytes = clip(info->delivered_ect1_bytes);
    out->received_ce_bytes = clip(info->received_ce_bytes);
    out->received_e0_bytes = clip(info->received_ect0_bytes);
    out->received_e1_bytes = clip(info->received_ect1_bytes);
    out->total_rto = (uint16_t)(info->timeouts > UINT16_MAX ? UINT16_MAX : info->timeouts);
}

void tcp_info_fill(const struct ltcp_sockets *t, const struct socket *s, ltcp_time now,
                   const struct ltcp_info *info, struct ltcp_tcp_info *out)
{
    struct ltcp_outstanding sent = {0};
    memset(out, 0, sizeof *out);
    if (s->handle != 0 && s->role != ROLE_LISTENING)
        ltcp_outstanding(t->host, now, s->handle, &sent);
    fill_state(info, &sent, out);
    fill_sizes(s, info, out);
    fill_times(s, now, info, &sent, out);
    fill_counts(s, info, &sent, out);
    if (s->role != ROLE_LISTENING) return;
    out->state = LTCP_TCP_LISTEN;
    out->unacked = info->unread; /* that wait for accept */
    out->sacked = s->backlog;    /* and how many may */
}

int ltcp_sockets_tcp_info(struct ltcp_sockets *t, ltcp_time now, int fd, struct ltcp_tcp_info *out)
{
    int error;
    struct ltcp_info info;
    struct socket *s = table_socket(t, fd, &error);
    if (s == NULL) return error;
    socket_look(t, now, s, &info);
    tcp_info_fill(t, s, now, &info, out);
    return 0;
}
