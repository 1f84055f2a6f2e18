-- The rest of a connection: opening, user calls, windows, queues, and what options agree on.
return {
  -- core/tcp/memory.c
  {
    name = "a-burst-is-kept-for-ever",
    requirement = "docs/design.md: buffers are given back when empty, but for a bounded share",
    file = "tcp/memory.c",
    shown_by = "core/test/memory_burst_test.c",
    text = "ltcp_pool_rest(e->pool, POOL_KEEPS);",
    with = "(void)e;",
  },

  -- core/tcp/handshake.c
  {
    name = "peer-mss-ignored",
    requirement = "RFC9293:MUST-14, MUST-16: Eff.snd.MSS = min(SendMSS + 20, MMS_S) - ...",
    file = "tcp/handshake.c",
    shown_by = "spec/tcp/handshake_spec.lua",
    text = "return c->peer_mss < room ? c->peer_mss : room;",
    with = "return room;",
  },
  {
    name = "default-mss-of-ipv6-for-both",
    requirement = "RFC9293:MUST-15: without an MSS option 536 for IPv4",
    file = "tcp/handshake.c",
    shown_by = "spec/tcp/mss_spec.lua",
    text = "c->peer_mss = ltcp_address_is_v4(&c->flow.local) ? 536 : 1220;",
    with = "c->peer_mss = 1220;",
  },
  {
    name = "options-not-taken-from-the-mss",
    requirement = "RFC9293:MUST-16: minus the size of the TCP options",
    file = "tcp/handshake.c",
    shown_by = "core/test/network_host_test.c",
    text = "const uint32_t options = (c->stamping ? 12 : 0) + route + authentication_room(c);",
    with = "const uint32_t options = route;",
  },
  {
    name = "scale-beyond-fourteen",
    requirement = "RFC 7323 section 2.3: a shift above 14 counts as 14",
    file = "tcp/handshake.c",
    shown_by = "spec/tcp/handshake_spec.lua",
    text = "c->snd_wscale = o->window_scale > 14 ? 14 : o->window_scale;",
    with = "c->snd_wscale = o->window_scale & 31;",
  },
  {
    name = "scaling-without-the-peer",
    requirement = "RFC 7323 section 2.2: scaling needs the option in both SYNs",
    file = "tcp/handshake.c",
    shown_by = "spec/tcp/handshake_spec.lua",
    text = "c->scaling = c->scaling && (o->present & LTCP_HAS_WINDOW_SCALE);",
    with = "c->scaling = c->scaling && true;",
  },
  {
    name = "sack-without-the-peer",
    requirement = "RFC 2018 section 2: SACK needs SACK-permitted in the peer's SYN",
    file = "tcp/handshake.c",
    shown_by = "spec/tcp/handshake_spec.lua",
    text = "c->sacking = c->sacking && (o->present & LTCP_HAS_SACK_PERMITTED);",
    with = "",
  },

  -- core/tcp/connection.c
  {
    name = "death-leaves-the-deadline",
    requirement = "RFC 9293 section 3.10.7.4: \"flush the segment queues, enter the CLOSED state, delete the "
      .. "TCB\"",
    file = "tcp/connection.c",
    shown_by = "core/test/network_host_test.c",
    text = "    c->ack_deadline = c->long_deadline = LTCP_NEVER;\n"
      .. "    connection_set_state(c, now, LTCP_CLOSED);\n"
      .. "    deadlines_remove(c);",
    with = "    connection_set_state(c, now, LTCP_CLOSED);",
  },

  -- core/tcp/user_calls.c
  {
    name = "what-a-reset-took-was-all",
    requirement = "RFC 9293 section 3.10.7.4: a reset flushes what was not read, and the user hears of it",
    file = "tcp/user_calls.c",
    shown_by = "spec/tcp/reset_spec.lua",
    text = "if (c->fin_processed && seq_eq(c->rcv_read, c->rcv_fin)) return LTCP_END;",
    with = "if (c->fin_processed) return LTCP_END;",
  },
  {
    name = "window-never-reopens-by-itself",
    requirement = "RFC 9293 section 3.8.6.2.2: the user's reading makes a window update",
    file = "tcp/user_calls.c",
    shown_by = "spec/tcp/retransmission_spec.lua",
    text = "        if (state_may_receive_text(c->state) && window_update_wanted(c)) {\n"
      .. "            c->ack_now = true;",
    with = "        if (state_may_receive_text(c->state) && window_update_wanted(c)) {",
  },
  {
    name = "write-after-close",
    requirement = "RFC 9293 section 3.10.2: SEND after CLOSE, \"error: connection closing\"",
    file = "tcp/user_calls.c",
    shown_by = "spec/tcp/close_spec.lua",
    text = "if (c->fin_wanted || c->user_closed) return LTCP_ERR_PIPE; /* RFC9293:3.10.2-4 */",
    with = "",
  },
  {
    name = "close-in-established-keeps-the-state",
    requirement = "RFC 9293 section 3.10.4, ESTABLISHED: enter FIN-WAIT-1",
    file = "tcp/user_calls.c",
    shown_by = "spec/tcp/time_wait_spec.lua",
    text = "case LTCP_ESTABLISHED: connection_set_state(c, now, LTCP_FIN_WAIT_1); break;",
    with = "case LTCP_ESTABLISHED: break;",
  },
  {
    name = "close-with-unread-data-is-silent",
    requirement = "RFC9293:SHLD-3: CLOSE with data unread sends a RST",
    file = "tcp/user_calls.c",
    shown_by = "spec/tcp/reset_spec.lua",
    text = "const bool lost_data = c->unread > 0 || (c->ahead != NULL && c->ahead->octets > 0);",
    with = "const bool lost_data = false;",
  },
  {
    name = "close-forgets-data-ahead",
    requirement = "RFC9293:SHLD-3: data received but not delivered, also such as came out of order",
    file = "tcp/user_calls.c",
    shown_by = "spec/rfc9293/closing_spec.lua",
    text = "const bool lost_data = c->unread > 0 || (c->ahead != NULL && c->ahead->octets > 0);",
    with = "const bool lost_data = c->unread > 0;",
  },
  {
    name = "abort-in-close-wait-is-silent",
    requirement = "RFC 9293 section 3.10.5: ABORT sends a reset, CLOSE-WAIT too",
    file = "tcp/user_calls.c",
    shown_by = "spec/tcp/reset_spec.lua",
    text = "        s == LTCP_FIN_WAIT_2 || s == LTCP_CLOSE_WAIT)",
    with = "        s == LTCP_FIN_WAIT_2)",
  },
  {
    name = "read-runs-over-the-urgent-mark",
    requirement = "RFC9293:MUST-31, MUST-32: the user can learn where the urgent data ends",
    file = "tcp/user_calls.c",
    shown_by = "spec/rfc9293/urgent_spec.lua",
    text = "return distance < room ? distance : room;",
    with = "(void)distance;\n    return room;",
  },
  {
    name = "flush-drops-a-queued-fin",
    requirement = "RFC9293:MAY-14, section 3.9.1.2: flush clears unsent data; CLOSE still holds",
    file = "tcp/user_calls.c",
    shown_by = "spec/rfc9293/interface_spec.lua",
    text = "        c->fin_queued = false; /* made anew when output runs */\n",
    with = "",
  },

  -- core/tcp/window.c
  {
    name = "window-rounded-beyond-the-buffer",
    requirement = "window_round_up (docs/settings.md): where the buffer can hold it",
    file = "tcp/window.c",
    shown_by = "spec/packetdrill/corpus_spec.lua",
    text = "if (window > 0 && up <= left_of(c, buffer_of(c)))",
    with = "if (window > 0)",
  },
  {
    name = "window-begins-wide",
    requirement = "window_start (docs/settings.md)",
    file = "tcp/window.c",
    shown_by = "spec/packetdrill/corpus_spec.lua",
    text = "return left < most ? left : most;",
    with = "return left < most || most > 0 ? left : most;",
  },
  {
    name = "window-scaled-away",
    requirement = "RFC 7323 section 2.3: a unit of the scale is offered where the buffer is shorter",
    file = "tcp/window.c",
    shown_by = "spec/tcp/window_spec.lua",
    text = "if (scaled_away(c)) c->rcv_adv = seq_add(c->rcv_nxt, UINT32_C(1) << c->rcv_wscale);",
    with = "",
  },
  {
    name = "silly-window-advertised",
    requirement = "RFC9293:MUST-39, section 3.8.6.2.2: the edge moves by min(Fr*RCV.BUFF, Eff.snd.MSS) or "
      .. "not at "
      .. "all",
    file = "tcp/window.c",
    shown_by = "spec/tcp/window_spec.lua",
    text = "return seq_diff(edge, c->rcv_adv) >= step ? edge : seq_max(c->rcv_adv, c->rcv_nxt);",
    with = "(void)step;\n    return edge;",
  },
  {
    name = "window-forgets-what-is-unread",
    requirement = "RFC 9293 section 3.8.6.2.2: RCV.USER, received and not yet consumed, is no room",
    file = "tcp/window.c",
    shown_by = "spec/tcp/window_spec.lua",
    text = "return buffer > c->unread ? buffer - c->unread : 0;",
    with = "return buffer;",
  },
  {
    name = "window-field-rounded-up",
    requirement = "RFC 7323 section 2.3: SEG.WND = RCV.WND >> Rcv.Wind.Shift",
    file = "tcp/window.c",
    shown_by = "spec/tcp/window_spec.lua",
    text = "const uint32_t field = seq_diff(c->rcv_adv, c->rcv_nxt) >> c->rcv_wscale;",
    with = "const uint32_t field = (seq_diff(c->rcv_adv, c->rcv_nxt) >> c->rcv_wscale) + 1;",
  },

  -- core/tcp/tuning.c
  {
    name = "window-does-not-follow-the-reader",
    requirement = "the receive buffer holds what is read in two round trips",
    file = "tcp/tuning.c",
    shown_by = "spec/tcp/autotuning_spec.lua",
    text = "uint64_t wanted = 2 * (uint64_t)taken",
    with = "uint64_t wanted = 0 * (uint64_t)taken",
  },
  {
    name = "acks-never-thinned",
    requirement = "ack_thinning (docs/settings.md): so that sixteen ACKs are left in a round trip",
    file = "tcp/tuning.c",
    shown_by = "spec/tcp/time_to_send_spec.lua",
    text = "return rate <= every ? every : rate < most ? rate : most;",
    with = "(void)rate;\n    return every;",
  },
  {
    name = "acks-thinned-without-bound",
    requirement = "ack_thinning (docs/settings.md): at most so many segments an ACK",
    file = "tcp/tuning.c",
    shown_by = "spec/tcp/time_to_send_spec.lua",
    text = "return rate <= every ? every : rate < most ? rate : most;",
    with = "return rate <= every ? every : rate;",
  },

  -- core/tcp/memory.c
  {
    name = "ahead-kept-over-the-limit",
    requirement = "memory_most: what comes out of order gives way first",
    file = "tcp/memory.c",
    shown_by = "spec/tcp/memory_spec.lua",
    text = "if (m->used + octets <= m->most || is_within_least(c, octets)) return true;\n    m->dropped",
    with = "if (true) return true;\n    m->dropped",
  },

  -- core/tcp/receive_queue.c
  {
    name = "small-pieces-overwrite",
    requirement = "RFC 9293 section 3.10.7.4: octets are delivered as they were sent",
    file = "tcp/receive_queue.c",
    shown_by = "spec/tcp/timestamps_spec.lua",
    text = "    memcpy(tail->block->data + tail->block->length, text, length);",
    with = "    memcpy(tail->data, text, length);",
  },

  -- core/tcp/reassembly.c
  {
    name = "reassembly-never-joins-the-right",
    requirement = "RFC 2018 section 4: contiguous data is one block",
    file = "tcp/reassembly.c",
    shown_by = "spec/rfc9293/events_spec.lua",
    text = "if (*at + 1 < a->count && seq_eq(a->ranges[*at].right, a->ranges[*at + 1].left)) {",
    with = "if (false) {",
  },
  {
    name = "reassembly-keeps-an-overlap",
    requirement = "RFC 9293 section 3.10.7.4: each octet is delivered once",
    file = "tcp/reassembly.c",
    shown_by = "spec/rfc9293/events_spec.lua",
    text = "uint32_t skip = seq_diff(seq_min(c->rcv_nxt, r->right), r->left);",
    with = "uint32_t skip = 0;",
  },
  {
    name = "reassembly-unbounded",
    requirement = "RFC 9293 section 7: a peer cannot make a host hold any number of pieces",
    file = "tcp/reassembly.c",
    shown_by = "spec/tcp/reassembly_spec.lua",
    text = "if (a->count >= LTCP_RANGES_MOST) return false;",
    with = "",
  },
  {
    name = "first-sack-block-is-the-oldest",
    requirement = "RFC 2018 section 4: the first block holds the segment that came last",
    file = "tcp/reassembly.c",
    shown_by = "spec/tcp/congestion_spec.lua",
    text = "    kept[n++] = left;\n"
      .. "    for (uint8_t i = 0; i < a->recent_count && n < 4; i++)\n"
      .. "        if (seq_lt(a->recent[i], left) || seq_ge(a->recent[i], right)) kept[n++] = "
      .. "a->recent[i];\n",
    with = "    for (uint8_t i = 0; i < a->recent_count && n < 3; i++)\n"
      .. "        if (seq_lt(a->recent[i], left) || seq_ge(a->recent[i], right)) kept[n++] = "
      .. "a->recent[i];\n"
      .. "    kept[n++] = left;\n",
  },

  -- core/tcp/ecn_reduction.c
  {
    name = "mark-reduces-as-if-safe",
    requirement = "RFC 6937: the conservative bound; an ACK with a mark is not safe",
    file = "tcp/ecn_reduction.c",
    shown_by = "spec/packetdrill/corpus_spec.lua",
    text = "prr_on_ack(c, now, newly, false);",
    with = "prr_on_ack(c, now, newly, true);",
  },
  {
    name = "mark-reduces-for-ever",
    requirement = "ecn_by_prr (docs/settings.md): for a round trip",
    file = "tcp/ecn_reduction.c",
    shown_by = "spec/packetdrill/corpus_spec.lua",
    text = "c->cc.cwnd = c->cc.ssthresh;",
    with = "c->cc.cwnd = c->cc.mss;",
  },

  -- core/tcp/ecn.c
  {
    name = "ecn-agreed-with-any-syn",
    requirement = "RFC 3168 section 6.1.1: an ECN-setup SYN has ECE and CWR",
    file = "tcp/ecn.c",
    shown_by = "spec/tcp/time_wait_spec.lua",
    text = "settings_of(c)->ecn != ECN_OFF && both == (LTCP_ECE | LTCP_CWR)",
    with = "settings_of(c)->ecn != ECN_OFF && (both == both)",
  },
  {
    name = "ecn-echo-never-ends",
    requirement = "RFC 3168 section 6.1.3: ECE until a segment with CWR",
    file = "tcp/ecn.c",
    shown_by = "spec/rfc9293/retransmission_spec.lua",
    text = "if (a->flags & LTCP_CWR) c->ecn_echo = false;",
    with = "",
  },
  {
    name = "ecn-reduces-at-each-echo",
    requirement = "RFC 3168 section 6.1.2: once for each window of data",
    file = "tcp/ecn.c",
    shown_by = "spec/rfc9293/retransmission_spec.lua",
    text = "    rare_of(c)->ecn_reductions++;\n    ecn_reaction(c);\n    c->ecn_reduced = true;\n",
    with = "    rare_of(c)->ecn_reductions++;\n    c->ecn_reduced = true;\n",
  },

  -- core/tcp/source_route.c
  {
    name = "source-route-not-reversed",
    requirement = "RFC9293:MUST-53: the return route is the reverse of the recorded one",
    file = "tcp/source_route.c",
    shown_by = "spec/lua/source_route_spec.lua",
    text = "memcpy(back + k, option + 3 + octets - 4 - k, 4);",
    with = "memcpy(back + k, option + 3 + k, 4);",
  },

  -- core/tcp/authentication.c
  {
    name = "wrong-mac-is-taken",
    requirement = "RFC5925:7.3-2: segments whose TCP-AO does not validate are silently discarded",
    file = "tcp/authentication.c",
    shown_by = "spec/authentication/ao_spec.lua",
    text = "return refuse(&n->ao_bad, &x->bad); /* RFC5925:7.3-2 */",
    with = "{}",
  },
  {
    name = "extension-never-grows",
    requirement = "RFC5925:6.2-1: sequence number extensions",
    file = "tcp/authentication.c",
    shown_by = "spec/authentication/ao_spec.lua",
    text = "return (uint32_t)(number >> 32);",
    with = "return (uint32_t)(number >> 63);",
  },

  -- core/tcp/fast_open.c
  {
    name = "cookie-option-sent-again",
    requirement = "RFC7413:4.2.2-5, RFC7413:4.2.2-13: SYN and SYN-ACK are repeated without the option",
    file = "tcp/fast_open.c",
    shown_by = "spec/tcp/fast_open_spec.lua",
    text = "if (record_at(c->out, c->out->head)->transmissions > 0) return;",
    with = "",
  },

  -- core/tcp/user_timeout.c
  {
    name = "user-timeout-not-limited",
    requirement = "RFC5482:3.1-3: limits are imposed on user timeouts",
    file = "tcp/user_timeout.c",
    shown_by = "spec/tcp/user_timeout_spec.lua",
    text = "return adopted < s->uto_most ? adopted : s->uto_most;",
    with = "return adopted;",
  },
  {
    name = "user-timeout-overrides-the-user",
    requirement = "RFC5482:3-2: an application's own user timeout is not changed",
    file = "tcp/user_timeout.c",
    shown_by = "spec/tcp/user_timeout_spec.lua",
    text = "s->uto_changeable != 0 : s->user_timeout == 0;",
    with = "s->uto_changeable != 0 : true;",
  },
  {
    name = "minutes-taken-for-seconds",
    requirement = "RFC5482:3.3-1: the granularity bit",
    file = "tcp/user_timeout.c",
    shown_by = "spec/tcp/user_timeout_spec.lua",
    text = "(field & MINUTES ? MINUTE : LTCP_SECOND)",
    with = "LTCP_SECOND",
  },

  -- core/tcp/flow_label.c
  {
    name = "flow-label-without-ports",
    requirement = "RFC6437:3-1: each connection is a flow of its own",
    file = "tcp/flow_label.c",
    shown_by = "spec/tcp/flow_label_spec.lua",
    text = "memcpy(text + 16, ip->destination.bytes, 16);",
    with = "source_port = destination_port = 0;",
  },

  -- core/tcp/orphan.c
  {
    name = "orphans-without-bound",
    requirement = "orphans_most (docs/settings.md)",
    file = "tcp/orphan.c",
    shown_by = "spec/tcp/orphan_spec.lua",
    text = "if (most == 0 || e->orphans <= most) return false;",
    with = "if (most >= 0) return false;",
  },
  {
    name = "orphans-never-fewer",
    requirement = "orphans_most (docs/settings.md): those that live",
    file = "tcp/orphan.c",
    shown_by = "spec/tcp/orphan_spec.lua",
    text = "    c->engine->orphans--;\n",
    with = "",
  },

  -- core/tcp/accecn.c
  {
    name = "ce-packets-not-counted",
    requirement = "RFC9768:3.2-1: r.cep counts packets with CE",
    file = "tcp/accecn.c",
    shown_by = "spec/tcp/accecn_feedback_spec.lua",
    text = "        rare_of(c)->ce_received++;\n        x->r_cep++;\n",
    with = "        rare_of(c)->ce_received++;\n",
  },
  {
    name = "accecn-asked-for-in-every-syn",
    requirement = "RFC9768:3.1.4.1-1: a SYN that is lost again asks for no ECN",
    file = "tcp/accecn.c",
    shown_by = "spec/tcp/accecn_spec.lua",
    text = "return record_at(c->out, c->out->head)->transmissions <= 1 ? ECN_FLAGS : 0;",
    with = "(void)c;\n    return ECN_FLAGS;",
  },
  {
    name = "handshake-ace-is-the-counter",
    requirement = "RFC9768:3.2.2.1-1: the ACK of a SYN-ACK says how that arrived",
    file = "tcp/accecn.c",
    shown_by = "spec/tcp/accecn_spec.lua",
    text = "return flags_of_ace(handshake ? handshake_encoding",
    with = "return flags_of_ace(false ? handshake_encoding",
  },
  {
    name = "every-third-ce-acknowledged",
    requirement = "RFC9768:3.2.2.5.1-2: an ACK for every second CE mark where data waits for one",
    file = "tcp/accecn.c",
    shown_by = "spec/tcp/accecn_feedback_spec.lua",
    text = "x->ce_unreported < (unacknowledged ? 2 : 3)",
    with = "x->ce_unreported < 3",
  },

  -- core/tcp/accecn_feedback.c
  {
    name = "ace-never-wraps",
    requirement = "RFC9768:3.2.2.5.2-1: the counter may have wrapped where many segments are acknowledged",
    file = "tcp/accecn_feedback.c",
    shown_by = "spec/tcp/accecn_feedback_spec.lua",
    text = "return x->acked_average < 4 * 16 ? safer : least;",
    with = "return least;",
  },
  {
    name = "counters-may-disagree",
    requirement = "RFC9768:3.2.3.2.5-1: bytes with CE and no packet with CE",
    file = "tcp/accecn_feedback.c",
    shown_by = "spec/attacks/ecn_spec.lua",
    text = "x->s_cep == x->cep_at_option && certain) x->not_ect = true;",
    with = "x->s_cep == x->cep_at_option && certain) {}",
  },

  -- core/tcp/accecn_option.c
  {
    name = "byte-counters-never-wrap",
    requirement = "RFC9768:3.2.3.1-2: the counters are modulo 2^24",
    file = "tcp/accecn_option.c",
    shown_by = "spec/tcp/accecn_option_spec.lua",
    text = "news.growth[codepoint] = (o->accecn[i] - known) & ACCECN_COUNTER_MASK;",
    with = "news.growth[codepoint] = o->accecn[i] - known;",
  },
  {
    name = "zeroed-option-believed",
    requirement = "RFC9768:3.2.3.2.4-1: an option that is zeroed on the way is ignored",
    file = "tcp/accecn_option.c",
    shown_by = "spec/tcp/accecn_option_spec.lua",
    text = "if (x->options_zeroed) return news;",
    with = "",
  },

  -- core/tcp/fast_open_cache.c
  {
    name = "cookie-of-another-server",
    requirement = "RFC7413:4.1.3-1: a cookie belongs to a pair of addresses",
    file = "tcp/fast_open_cache.c",
    shown_by = "spec/tcp/fast_open_spec.lua",
    text = "           ltcp_address_equal(&entry->remote, remote);",
    with = "           (remote != NULL);",
  },
  {
    name = "newest-cookie-gives-way",
    requirement = "core/tcp/fast_open_cache.c: the entry that was used least recently gives way",
    file = "tcp/fast_open_cache.c",
    shown_by = "spec/tcp/fast_open_spec.lua",
    text = "if (set[i].last_use < oldest->last_use) oldest",
    with = "if (set[i].last_use > oldest->last_use) oldest",
  },

  -- core/tcp/keys.c
  {
    name = "widest-md5-key-wins",
    requirement = "the longest prefix counts (core/include/lunatcp/authentication.h)",
    file = "tcp/keys.c",
    shown_by = "spec/authentication/md5_spec.lua",
    text = "weight(&entry->scope) > weight(&best->scope)",
    with = "weight(&entry->scope) < weight(&best->scope)",
  },

  -- core/tcp/chronograph.c
  {
    name = "waiting-for-the-window-counts-as-busy",
    requirement = "chronographs (docs/settings.md): the time in which only the window has no room",
    file = "tcp/chronograph.c",
    shown_by = "core/test/socket_options_test.c",
    text = "if (waits_for_window(c)) return LTCP_CHRONOGRAPH_WINDOW;",
    with = "(void)waits_for_window;",
  },
}
