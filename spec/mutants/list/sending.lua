-- What is sent and when: output, timers, loss recovery, the path's MTU.
return {
  -- core/tcp/acknowledgment.c
  {
    name = "window-taken-from-an-old-segment",
    requirement = "RFC 9293 section 3.10.7.4: SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< "
      .. "SEG.ACK)",
    file = "tcp/acknowledgment.c",
    shown_by = "spec/rfc9293/states_spec.lua",
    text = "    if (seq_gt(c->snd_wl1, s->seq) || (seq_eq(c->snd_wl1, s->seq) && seq_gt(c->snd_wl2, "
      .. "s->ack)))\n"
      .. "        return false;\n",
    with = "",
  },
  {
    name = "window-update-ignored",
    requirement = "RFC 9293 section 3.10.7.4: the send window is updated also where SEG.ACK = SND.WL2",
    file = "tcp/acknowledgment.c",
    shown_by = "spec/tcp/acknowledgment_spec.lua",
    text = "(seq_eq(c->snd_wl1, s->seq) && seq_gt(c->snd_wl2, s->ack))",
    with = "(seq_eq(c->snd_wl1, s->seq) && seq_ge(c->snd_wl2, s->ack))",
  },
  {
    name = "karn-ignored",
    requirement = "RFC 6298 section 3: no sample from what was sent more than once",
    file = "tcp/acknowledgment.c",
    shown_by = "spec/tcp/retransmission_spec.lua",
    text = "    if (sent_again < 0 || !c->stamping || !(o->present & LTCP_HAS_TIMESTAMPS)) return -1;\n"
      .. "    if (o->ts_echo == 0 || (int32_t)(o->ts_echo - timestamp_now(c, sent_again)) < 0) return -1;\n",
    with = "    (void)o;\n    if (sent_again < 0) return -1;\n",
  },
  {
    name = "duplicates-without-news",
    requirement = "RFC 6675 section 2: with SACK a duplicate ACK tells of octets newly SACKed",
    file = "tcp/acknowledgment.c",
    shown_by = "spec/attacks/acknowledgments_spec.lua",
    text = "c->sacking ? newly > acked : duplicate",
    with = "duplicate",
  },

  -- core/tcp/output.c
  {
    name = "pushed-segment-keeps-its-mac",
    requirement = "RFC5925:7.4-1: the MAC is made of the segment that leaves",
    file = "tcp/output.c",
    shown_by = "spec/authentication/ao_spec.lua",
    text = "if (c->authenticated) authentication_sign(c, c->engine->out_last);",
    with = "",
  },
  {
    name = "syn-data-sent-again",
    requirement = "RFC7413:4.2.2-5: a SYN is repeated without data",
    file = "tcp/output.c",
    shown_by = "spec/tcp/fast_open_spec.lua",
    text = "const bool text = r->length > 0 && !((r->flags & LTCP_SYN) && r->transmissions > 0);",
    with = "const bool text = r->length > 0;",
  },
  {
    name = "usable-window-one-too-many",
    requirement = "RFC9293:MUST-38, section 3.8.6.2.1: U = SND.UNA + SND.WND - SND.NXT",
    file = "tcp/output.c",
    shown_by = "spec/rfc9293/window_spec.lua",
    text = "return seq_add(c->snd_una, c->snd_wnd + !c->syn_acked);",
    with = "return seq_add(c->snd_una, c->snd_wnd + 1);",
  },
  {
    name = "nagle-always-off",
    requirement = "RFC9293:SHLD-7: small segments wait while anything is outstanding",
    file = "tcp/output.c",
    shown_by = "spec/tcp/acknowledgment_spec.lua",
    text = "const bool idle = !nagle_holds(c);",
    with = "(void)nagle_holds;\n    const bool idle = true;",
  },
  {
    name = "last-segment-not-pushed",
    requirement = "RFC9293:MUST-61: PSH in the last buffered segment",
    file = "tcp/output.c",
    shown_by = "spec/rfc9293/interface_spec.lua",
    text = "if (r->length > 0 && last && !(flags & LTCP_SYN)) flags |= LTCP_PSH;",
    with = "(void)last;",
  },
  {
    name = "last-ack-entered-with-data-unsent",
    requirement = "RFC 9293 section 3.10.4, CLOSE-WAIT: LAST-ACK once the FIN was sent",
    file = "tcp/output.c",
    shown_by = "spec/tcp/edges_spec.lua",
    text = "if (c->fin_queued && !has_unsent(c) && c->state == LTCP_CLOSE_WAIT)",
    with = "if (c->fin_queued && c->state == LTCP_CLOSE_WAIT)",
  },
  {
    name = "last-ack-entered-behind-the-data",
    requirement = "RFC 9293 section 3.10.4, CLOSE-WAIT: then send a FIN segment, enter LAST-ACK",
    file = "tcp/output.c",
    shown_by = "spec/tcp/orphan_spec.lua",
    text = "connection_set_state(c, now, LTCP_LAST_ACK);",
    with = "connection_set_state(c, now, LTCP_CLOSING);",
  },
  {
    name = "urgent-pointer-at-the-last-urgent-octet",
    requirement = "RFC9293:MUST-62: the pointer names the octet following the urgent data",
    file = "tcp/output.c",
    shown_by = "spec/rfc9293/urgent_spec.lua",
    text = "const uint32_t distance = seq_diff(c->snd_up, s->seq);",
    with = "const uint32_t distance = seq_diff(c->snd_up, s->seq) - 1;",
  },

  -- core/tcp/send_queue.c
  {
    name = "send-buffer-overrun",
    requirement = "send_buffer (docs/settings.md), RFC 9293 section 3.10.2: SEND finds insufficient "
      .. "resources",
    file = "tcp/send_queue.c",
    shown_by = "spec/tcp/give_up_spec.lua",
    text = "const uint32_t left = limit > held ? limit - held : 0;",
    with = "const uint32_t left = UINT32_MAX - 0 * (limit + held);",
  },
  {
    name = "piece-costs-nothing",
    requirement = "piece_overhead (docs/settings.md)",
    file = "tcp/pieces.c",
    shown_by = "spec/tcp/pieces_spec.lua",
    text = "return q->octets + (q->pieces_ended + open) * settings_of(c)->piece_overhead;",
    with = "return q->octets + 0 * open;",
  },
  {
    name = "retransmitted-burst-not-pushed",
    requirement = "write_pieces (docs/design.md): PSH ends a burst that is sent again",
    file = "tcp/output.c",
    shown_by = "spec/tcp/pieces_spec.lua",
    text = "if (run->count > 1) push_last(c);",
    with = "(void)c;",
  },
  {
    name = "rack-rtt-always-by-time",
    requirement = "rack_by_number (docs/settings.md)",
    file = "tcp/rack.c",
    shown_by = "spec/packetdrill/corpus_spec.lua",
    text = "if (r->last_sent >= times->sent || settings_of(c)->rack_by_number) {",
    with = "if (r->last_sent >= times->sent) {",
  },
  {
    name = "split-loses-its-fin",
    requirement = "RFC 9293 section 3.4: a FIN occupies the sequence number behind the data",
    file = "tcp/send_queue.c",
    shown_by = "spec/tcp/zero_window_spec.lua",
    text = "    second->flags &= (uint8_t)~LTCP_SYN;",
    with = "    second->flags &= (uint8_t)~(LTCP_SYN | LTCP_FIN);",
  },
  {
    name = "partial-ack-keeps-the-record",
    requirement = "RFC 9293 section 3.10.7.4: octets below SND.UNA are not sent again",
    file = "tcp/send_queue.c",
    shown_by = "spec/tcp/retransmission_spec.lua",
    text = "            r->offset += n;\n",
    with = "",
  },

  -- core/tcp/timers.c
  {
    name = "deferral-never-ends",
    requirement = "defer_accept (docs/settings.md): it is given as it is when the time is over",
    file = "tcp/timers.c",
    shown_by = "spec/tcp/defer_accept_spec.lua",
    text = "        connection_changed(c); /* it is shown as it is */\n",
    with = "        {}\n",
  },
  {
    name = "time-wait-of-one-msl",
    requirement = "RFC9293:MUST-13: TIME-WAIT lasts 2 MSL",
    file = "tcp/timers.c",
    shown_by = "spec/tcp/time_wait_spec.lua",
    text = "s->time_wait >= 0 ? s->time_wait : 2 * s->msl",
    with = "s->time_wait >= 0 ? s->time_wait : s->msl",
  },
  {
    name = "keepalive-before-the-idle-time",
    requirement = "RFC9293:MUST-26: keep-alives only when nothing was received for an interval",
    file = "tcp/timers.c",
    shown_by = "spec/tcp/edges_spec.lua",
    text = "if (c->out != NULL || now - c->last_heard < idle) {",
    with = "if (c->out != NULL) {",
  },
  {
    name = "keepalive-gives-up-one-early",
    requirement = "keepalive_count (docs/settings.md): so many unanswered probes, RFC9293:MUST-29",
    file = "tcp/timers.c",
    shown_by = "spec/tcp/keepalive_spec.lua",
    text = "if (c->unanswered >= s->keepalive_count) {",
    with = "if (c->unanswered + 1 >= s->keepalive_count) {",
  },
  {
    name = "keepalive-interval-is-the-idle-time",
    requirement = "keepalive_interval (docs/settings.md): between unanswered probes",
    file = "tcp/timers.c",
    shown_by = "spec/tcp/keepalive_spec.lua",
    text = "timers_set_long(c, after(now, s->keepalive_interval));",
    with = "timers_set_long(c, after(now, s->keepalive_idle));",
  },
  {
    name = "persist-does-not-back-off",
    requirement = "RFC9293:SHLD-30: the interval between probes grows exponentially",
    file = "tcp/timers.c",
    shown_by = "spec/tcp/zero_window_spec.lua",
    text = "    c->probe_due = true;\n    if (c->backoff < UINT8_MAX) c->backoff++;\n",
    with = "    c->probe_due = true;\n",
  },
  {
    name = "time-wait-without-bound",
    requirement = "settings.md: time_wait_most",
    file = "tcp/timers.c",
    shown_by = "spec/tcp/time_wait_records_spec.lua",
    text = "        length = 0;\n",
    with = "",
  },

  -- core/tcp/deadlines.c
  {
    name = "heap-entry-not-lowered",
    requirement = "RFC 9293 section 3.8: a timer that was set goes off",
    file = "tcp/deadlines.c",
    shown_by = "spec/tcp/edges_spec.lua",
    text = "        if (e->heap[parent].when <= entry.when) break;",
    with = "        break;",
  },

  -- core/tcp/rtt.c
  {
    name = "srtt-gain-is-a-quarter",
    requirement = "RFC 6298 section 2.3: alpha = 1/8",
    file = "tcp/rtt.c",
    shown_by = "spec/tcp/retransmission_spec.lua",
    text = "c->srtt += (sample - c->srtt) / 8;",
    with = "c->srtt += (sample - c->srtt) / 4;",
  },
  {
    name = "first-rttvar-is-the-sample",
    requirement = "RFC 6298 section 2.2: RTTVAR = R/2",
    file = "tcp/rtt.c",
    shown_by = "spec/tcp/retransmission_spec.lua",
    text = "c->rttvar = sample / 2;",
    with = "c->rttvar = sample;",
  },

  -- core/tcp/recovery.c
  {
    name = "lost-retransmission-raises-the-window",
    requirement = "RFC 5681 section 4.3: a lost retransmission lowers the window again",
    file = "tcp/recovery.c",
    shown_by = "spec/tcp/recovery_rules_spec.lua",
    text = "c->cc.ops->on_loss(&c->cc, now, flight_within_window(c, flight_size(c)));",
    with = "c->cc.ops->on_loss(&c->cc, now, flight_size(c));",
  },
  {
    name = "duplicates-of-what-cannot-have-come",
    requirement = "RFC5681:3.2-11: duplicate ACKs speak of what can have arrived",
    file = "tcp/recovery.c",
    shown_by = "spec/attacks/acknowledgments_spec.lua",
    text = "r->last_sent + c->min_rtt <= now)",
    with = "r->last_sent <= now)",
  },

  -- core/tcp/undo.c
  {
    name = "frto-within-recovery",
    requirement = "RFC 5682 section 2.1: not while an earlier fast recovery is under way",
    file = "tcp/undo.c",
    shown_by = "spec/tcp/recovery_rules_spec.lua",
    text = "c->recovery == LTCP_RECOVERY_FAST && c->sacking;",
    with = "false;",
  },
  {
    name = "undo-in-spite-of-ecn-echo",
    requirement = "RFC 4015 section 3.4: no reversal where the ACK carries ECN-Echo",
    file = "tcp/undo.c",
    shown_by = "spec/tcp/recovery_rules_spec.lua",
    text = "if (times->congestion) {",
    with = "if (false) {",
  },

  {
    name = "timeout-adapts-to-what-was-late",
    requirement = "RFC4015:3.1-5: the first RTT of data that was not sent when the timeout fired",
    file = "tcp/undo.c",
    shown_by = "spec/tcp/undo_spec.lua",
    text = "if (seq_le(ack, r->timer_from)) return;",
    with = "",
  },

  -- core/tcp/path_cache.c
  {
    name = "paths-never-age",
    requirement = "RFC8201:5.3-1: what is known of a path is forgotten",
    file = "tcp/path_cache.c",
    shown_by = "spec/tcp/path_cache_spec.lua",
    text = "    if (now >= known->expires) {\n",
    with = "    if (now < 0) {\n",
  },
  {
    name = "connections-begin-without-the-path",
    requirement = "RFC1191:6.2-1: what is learned belongs to the path",
    file = "tcp/path_cache.c",
    shown_by = "spec/tcp/path_cache_spec.lua",
    text = "if (known->mtu < c->path_mtu) c->path_mtu = known->mtu;",
    with = "",
  },

  -- core/host/paths.c
  {
    name = "others-are-not-told",
    requirement = "RFC1191:6.2-2: connections that are using the path are told",
    file = "host/paths.c",
    shown_by = "spec/tcp/path_cache_spec.lua",
    text = "            path_mtu_heed(c, now);\n",
    with = "            {}\n",
  },

  -- core/tcp/path_mtu.c
  {
    name = "path-mtu-grows-by-icmp",
    requirement = "RFC 1191 section 3, RFC 8201: a message never raises the estimate",
    file = "tcp/path_mtu.c",
    shown_by = "spec/tcp/mss_spec.lua",
    text = "if (mtu >= c->path_mtu) return false;",
    with = "",
  },
  {
    name = "path-mtu-below-the-least",
    requirement = "RFC 8201 section 4: never below 1280; RFC 1191 section 3: 68",
    file = "tcp/path_mtu.c",
    shown_by = "spec/tcp/mss_spec.lua",
    text = "if (mtu < least) mtu = least;",
    with = "",
  },

  -- core/tcp/mtu_search.c
  {
    name = "probe-loss-leaves-the-range",
    requirement = "RFC4821:7.6.2-2: a failed probe sets search_high to its size less one",
    file = "tcp/mtu_search.c",
    shown_by = "spec/tcp/path_mtu_spec.lua",
    text = "if (m->high >= m->probe) m->high = (uint16_t)(m->probe - 1);",
    with = "",
  },
  {
    name = "search-never-begins-anew",
    requirement = "RFC4821:7.3-3: a search that has ended begins anew after ten minutes",
    file = "tcp/mtu_search.c",
    shown_by = "spec/tcp/path_mtu_spec.lua",
    text = "m->high = (uint16_t)top_of(c);\n    }",
    with = "}",
  },

  -- core/tcp/rack.c
  {
    name = "rack-forgets-the-reordering-window",
    requirement = "RFC8985:6.2-5: lost is what is later than RACK.rtt and the reordering window",
    file = "tcp/rack.c",
    shown_by = "spec/tcp/rack_spec.lua",
    text = "return r->last_sent + k->rtt + window;",
    with = "(void)window;\n    return r->last_sent + k->rtt;",
  },
  {
    name = "rack-trusts-any-retransmission",
    requirement = "RFC8985:6.2-2: an RTT below the least is that of the original",
    file = "tcp/rack.c",
    shown_by = "spec/tcp/rack_spec.lua",
    text = "if (rtt < c->min_rtt) return;",
    with = "",
  },
  {
    name = "rack-never-widens",
    requirement = "RFC8985:6.2-4: the window is wider with each round trip with a DSACK",
    file = "tcp/rack.c",
    shown_by = "spec/tcp/rack_spec.lua",
    text = "if (r->reo_wnd_mult < UINT8_MAX) r->reo_wnd_mult++;",
    with = "",
  },
  {
    name = "rack-stays-wide",
    requirement = "RFC8985:6.2-4: for 16 recoveries without a DSACK",
    file = "tcp/rack.c",
    shown_by = "spec/tcp/rack_spec.lua",
    text = "        c->rare->reo_wnd_mult = 1;\n",
    with = "",
  },
  {
    name = "rack-misses-lost-retransmissions",
    requirement = "RFC8985:6.2-5: retransmissions are judged as originals are",
    file = "tcp/rack.c",
    shown_by = "spec/tcp/rack_spec.lua",
    text = "losses.retransmission = detect_resent(c, now, window);",
    with = "(void)detect_resent;",
  },

  -- core/tcp/loss_probe.c
  {
    name = "probe-forgets-the-delayed-ack",
    requirement = "RFC8985:7.2-2: with one segment in flight the receiver may delay its ACK",
    file = "tcp/loss_probe.c",
    shown_by = "spec/tcp/loss_probe_spec.lua",
    text = "if (c->srtt > 0 && q->unsent - q->head == 1) timeout += settings_of(c)->tlp_max_ack_delay;",
    with = "",
  },
  {
    name = "probe-repairs-in-silence",
    requirement = "RFC8985:7.4-1: a loss that the probe has repaired is a sign of congestion",
    file = "tcp/loss_probe.c",
    shown_by = "spec/tcp/loss_probe_spec.lua",
    text = "        respond(c, now);\n",
    with = "        (void)respond;\n",
  },

  -- core/tcp/prr.c
  {
    name = "prr-grows-without-progress",
    requirement = "RFC9937:6-4: slow start only where an ACK makes safe progress",
    file = "tcp/prr.c",
    shown_by = "spec/tcp/prr_spec.lua",
    text = "if (safe) count += c->cc.mss;",
    with = "(void)safe;\n        count += c->cc.mss;",
  },
  {
    name = "prr-counts-what-came-before",
    requirement = "RFC9937:6-2: what was SACKed before the recovery is not delivered in it",
    file = "tcp/prr.c",
    shown_by = "spec/tcp/prr_spec.lua",
    text = "(uint64_t)flight_size(c) - sacked_before + newly_acked;",
    with = "(uint64_t)flight_size(c) + newly_acked;\n    (void)sacked_before;",
  },

  -- core/tcp/scoreboard.c
  {
    name = "sacks-beyond-snd-nxt-believed",
    requirement = "RFC 2018 section 5: only what was sent can be SACKed",
    file = "tcp/scoreboard.c",
    shown_by = "spec/tcp/sack_recovery_spec.lua",
    text = "seq_gt(b.right, c->snd_nxt) ||",
    with = "",
  },
  {
    name = "lost-one-segment-early",
    requirement = "RFC6675:4-3: DupThresh segments SACKed above it",
    file = "tcp/scoreboard.c",
    shown_by = "spec/tcp/sack_recovery_spec.lua",
    text = "(q->segments_above >= threshold ||",
    with = "(q->segments_above + 1 >= threshold ||",
  },
  {
    name = "taken-back-and-not-sent-again",
    requirement = "RFC 2018 section 8: what the receiver has thrown away has to go again",
    file = "tcp/scoreboard.c",
    shown_by = "spec/attacks/sack_spec.lua",
    text = "        scoreboard_lose(c, i);\n",
    with = "",
  },

  -- core/tcp/rate.c
  {
    name = "rate-over-less-than-a-round-trip",
    requirement = "draft-ietf-ccwg-bbr section 4.1.2.3: no sample over less than the least RTT",
    file = "tcp/rate.c",
    shown_by = "spec/tcp/rate_spec.lua",
    text = "if (s->interval < c->min_rtt) s->interval = 0;",
    with = "",
  },
  {
    name = "application-limited-for-ever",
    requirement = "draft-ietf-ccwg-bbr section 4.1.2.3: until what left then is delivered",
    file = "tcp/rate.c",
    shown_by = "spec/tcp/rate_spec.lua",
    text = "delivered(c) > q->app_limited) {",
    with = "false) {",
  },
  {
    name = "idle-time-saved-up",
    requirement = "RFC7661:4.4.2-1: pacing leaves no burst after a pause",
    file = "tcp/rate.c",
    shown_by = "spec/tcp/pacing_spec.lua",
    text = "if (q->pace_time < now) q->pace_time = now;",
    with = "",
  },
}
