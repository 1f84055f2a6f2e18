/* bindings/info.c - every variable of a connection, as a table. */
#include "binding.h"

static void set_seq(lua_State *L, const char *name, ltcp_seq seq)
{
    lua_pushinteger(L, seq.n);
    lua_setfield(L, -2, name);
}

/* 0: not known yet. */
static void set_measured(lua_State *L, const char *name, ltcp_time value)
{
    if (value <= 0 || value == LTCP_NEVER) return;
    bind_push_time(L, value);
    lua_setfield(L, -2, name);
}

static void set_deadline(lua_State *L, const char *name, ltcp_time value)
{
    bind_push_deadline(L, value);
    lua_setfield(L, -2, name);
}

static const char *const fast_open_failures[] = {
    [LTCP_FAST_OPEN_NO_COOKIE] = "no cookie",
    [LTCP_FAST_OPEN_REFUSED] = "refused",
    [LTCP_FAST_OPEN_SYN_LOST] = "SYN lost",
};

static void set_names(lua_State *L, const struct ltcp_info *info)
{
    lua_pushstring(L, ltcp_state_name(info->state));
    lua_setfield(L, -2, "state");
    if (info->error != LTCP_OK) {
        lua_pushstring(L, ltcp_status_message(info->error));
        lua_setfield(L, -2, "error");
        lua_pushstring(L, ltcp_status_code(info->error));
        lua_setfield(L, -2, "code");
    }
    bind_push_address(L, &info->local);
    lua_setfield(L, -2, "local_address");
    bind_push_address(L, &info->remote);
    lua_setfield(L, -2, "remote_address");
    if (info->fast_open_failure != LTCP_FAST_OPEN_UNSPECIFIED) {
        lua_pushstring(L, fast_open_failures[info->fast_open_failure]);
        lua_setfield(L, -2, "fast_open_failure");
    }
    lua_pushstring(L, info->congestion != NULL ? info->congestion : "");
    lua_setfield(L, -2, "congestion");
}

/* clang-format off */
static void set_variables(lua_State *L, const struct ltcp_info *info)
{
#define SEQ(name)      set_seq(L, #name, info->name);
#define NUMBER(name)   bind_set_number(L, #name, info->name);
#define FLAG(name)     bind_set_flag(L, #name, info->name);
#define MEASURED(name) set_measured(L, #name, info->name);
#define DEADLINE(name) set_deadline(L, #name, info->name);
    NUMBER(local_port) NUMBER(remote_port) FLAG(passive)
    SEQ(iss) SEQ(snd_una) SEQ(snd_nxt) SEQ(snd_up) SEQ(snd_wl1) SEQ(snd_wl2)
    SEQ(irs) SEQ(rcv_nxt) SEQ(rcv_up)
    NUMBER(snd_wnd) NUMBER(rcv_wnd) NUMBER(max_snd_wnd) NUMBER(snd_mss) NUMBER(rcv_mss)
    NUMBER(seen_mss)
    NUMBER(path_mtu) FLAG(path_mtu_shared) FLAG(mtu_searching) NUMBER(mtu_search_low) NUMBER(mtu_search_high)
    NUMBER(mtu_probe) NUMBER(mtu_probes) NUMBER(mtu_probe_successes) NUMBER(mtu_probe_failures)
    NUMBER(mtu_black_holes) NUMBER(mtu_refuted)
    NUMBER(snd_wscale) NUMBER(rcv_wscale)
    FLAG(window_scaling) FLAG(timestamps) FLAG(sack) FLAG(ecn)
    NUMBER(cwnd) NUMBER(ssthresh) NUMBER(pipe) NUMBER(sacked) NUMBER(lost) NUMBER(retransmitted)
    FLAG(in_recovery) FLAG(in_loss) SEQ(recovery_point)
    MEASURED(srtt) MEASURED(rto) MEASURED(min_rtt) MEASURED(latest_rtt)
    DEADLINE(retransmission_deadline) DEADLINE(persist_deadline) DEADLINE(delayed_ack_deadline)
    DEADLINE(keepalive_deadline) DEADLINE(time_wait_deadline) DEADLINE(pacing_deadline)
    DEADLINE(reordering_deadline) DEADLINE(tail_probe_deadline)
    NUMBER(backoff) NUMBER(duplicate_acks) NUMBER(unsent) NUMBER(unacked) NUMBER(unread)
    NUMBER(out_of_order) NUMBER(send_buffer) NUMBER(send_memory) NUMBER(receive_buffer)
    MEASURED(receive_rtt) NUMBER(urgent_remaining) FLAG(pushed) FLAG(accept_deferred)
    FLAG(fin_sent) FLAG(fin_acked) FLAG(fin_received)
    MEASURED(user_timeout) MEASURED(uto_received) MEASURED(uto_sent) NUMBER(uto_ignored)
    NUMBER(flow_label) NUMBER(flow_label_changes) NUMBER(received_dscp) NUMBER(source_route_count)
    FLAG(fast_open_asked) FLAG(fast_open_used) FLAG(fast_opened) NUMBER(fast_open_octets)
    NUMBER(fast_open_acked)
    FLAG(rack) FLAG(reordering_seen) NUMBER(reordering) NUMBER(reorderings)
    MEASURED(reordering_window)
    NUMBER(frto_step) NUMBER(limited_transmits) FLAG(tail_probe_outstanding) FLAG(in_cwr)
    FLAG(prr) NUMBER(recover_fs) NUMBER(prr_delivered) NUMBER(prr_out)
    NUMBER(loss_probes) NUMBER(dsacks_received) NUMBER(undos) NUMBER(bytes_lost)
    NUMBER(data_segments_sent) NUMBER(data_segments_received) NUMBER(segments_delivered)
    NUMBER(segments_sent) NUMBER(segments_received) NUMBER(bytes_sent) NUMBER(bytes_received)
    NUMBER(bytes_acked) NUMBER(segments_retransmitted) NUMBER(bytes_retransmitted)
    NUMBER(timeouts) NUMBER(fast_recoveries) NUMBER(duplicate_acks_received) NUMBER(acks_sent)
    NUMBER(out_of_order_segments) NUMBER(duplicate_segments) NUMBER(challenge_acks)
    NUMBER(probes_sent) NUMBER(paws_rejected) NUMBER(options_ignored)
    NUMBER(ce_received) NUMBER(ece_received) NUMBER(ecn_reductions) FLAG(ecn_sending)
    FLAG(app_limited) FLAG(accecn) FLAG(accecn_option_seen) FLAG(accecn_zeroed) FLAG(accecn_blocked) FLAG(accecn_deaf)
    NUMBER(received_ce_bytes) NUMBER(received_ect0_bytes) NUMBER(received_ect1_bytes)
    NUMBER(delivered_ce) NUMBER(delivered_ce_bytes) NUMBER(delivered_ect0_bytes)
    NUMBER(delivered_ect1_bytes)
#undef SEQ
#undef NUMBER
#undef FLAG
#undef MEASURED
#undef DEADLINE
}
/* clang-format on */

/* Seconds, octets, bits a second, plain numbers and words. */
static void set_value(lua_State *L, const struct ltcp_congestion_value *value)
{
    switch (value->kind) {
    case LTCP_CC_TIME: bind_push_time(L, value->value); break;
    case LTCP_CC_RATE: lua_pushnumber(L, (lua_Number)value->value * 8); break;
    case LTCP_CC_RATIO: lua_pushnumber(L, (lua_Number)value->value / (1 << 20)); break;
    case LTCP_CC_TEXT: lua_pushstring(L, value->text); break;
    default: lua_pushinteger(L, value->value); break;
    }
    lua_setfield(L, -2, value->name);
}

static void set_congestion(lua_State *L, const struct ltcp_info *info)
{
    lua_createtable(L, 0, (int)info->congestion_values_count);
    for (size_t i = 0; i < info->congestion_values_count; i++)
        set_value(L, &info->congestion_values[i]);
    lua_setfield(L, -2, "congestion_state");
    if (info->delivery_rate > 0) {
        lua_pushnumber(L, (lua_Number)info->delivery_rate * 8);
        lua_setfield(L, -2, "delivery_rate");
    }
    if (info->pacing_rate == 0) return;
    lua_pushnumber(L, (lua_Number)info->pacing_rate * 8);
    lua_setfield(L, -2, "pacing_rate");
}

void bind_push_info(lua_State *L, const struct ltcp_info *info)
{
    lua_createtable(L, 0, 140);
    set_names(L, info);
    set_variables(L, info);
    set_congestion(L, info);
    bind_set_authentication(L, &info->authentication);
    if (info->srtt <= 0) return;
    /* A steady path brings the variance down to 0: known all the same. */
    bind_push_time(L, info->rttvar);
    lua_setfield(L, -2, "rttvar");
}
