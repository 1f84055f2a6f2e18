-- Congestion control.
return {
  -- core/congestion/newreno.c
  {
    name = "initial-window-one-segment-more",
    requirement = "RFC 5681 section 3.1: IW = 3 * SMSS for 1095 < SMSS =< 2190",
    file = "congestion/newreno.c",
    shown_by = "spec/congestion/lua_spec.lua",
    text = "if (mss > 1095) return 3 * mss;",
    with = "if (mss > 1095) return 4 * mss;",
  },
  {
    name = "timeout-keeps-cwnd",
    requirement = "RFC 5681 section 3.1: upon a timeout cwnd is at most the loss window, one segment",
    file = "congestion/newreno.c",
    shown_by = "spec/tcp/newreno_spec.lua",
    text = "cc->cwnd = cc->mss; /* the loss window */",
    with = "cc->cwnd = cc->ssthresh;",
  },
  {
    name = "idle-keeps-cwnd",
    requirement = "RFC 5681 section 4.1: RW = min(IW, cwnd) after an idle RTO",
    file = "congestion/newreno.c",
    shown_by = "spec/tcp/congestion_spec.lua",
    text = "if (cc->cwnd > cc->initial_window) cc->cwnd = cc->initial_window;",
    with = "(void)cc;",
  },
  {
    name = "ecn-echo-opens-the-window",
    requirement = "RFC3168:6.1.2-2: cwnd does not grow for an ACK with ECN-Echo",
    file = "congestion/newreno.c",
    shown_by = "spec/tcp/recovery_rules_spec.lua",
    text = "if (ack->ece) return;",
    with = "",
  },

  -- core/congestion/window.h
  {
    name = "slow-start-without-its-bound",
    requirement = "RFC 5681 section 3.1, equation (2): cwnd += min(N, SMSS)",
    file = "congestion/window.h",
    shown_by = "spec/tcp/congestion_spec.lua",
    text = "return acked < cc->mss ? acked : cc->mss;",
    with = "return acked;",
  },
  {
    name = "avoidance-adds-for-each-ack",
    requirement = "RFC 5681 section 3.1: one SMSS a round trip",
    file = "congestion/window.h",
    shown_by = "spec/rfc9293/retransmission_spec.lua",
    text = "if (cc->acked < cc->cwnd) return;",
    with = "",
  },
  {
    name = "ssthresh-of-one-segment",
    requirement = "RFC 5681 section 3.1, equation (4): max(FlightSize / 2, 2*SMSS)",
    file = "congestion/window.h",
    shown_by = "spec/tcp/newreno_spec.lua",
    text = "return octets > 2 * cc->mss ? octets : 2 * cc->mss;",
    with = "return octets > cc->mss ? octets : cc->mss;",
  },

  -- core/congestion/cubic.c
  {
    name = "cubic-halves",
    requirement = "RFC9438:4.6-3: beta_cubic is 0.7",
    file = "congestion/cubic.c",
    shown_by = "core/test/congestion_cubic_test.c",
    text = "#define BETA_LOSS 70",
    with = "#define BETA_LOSS 50",
  },
  {
    name = "cubic-counts-idle-time",
    requirement = "RFC9438:4.2-1: time in which the application held back is no part of t",
    file = "congestion/cubic.c",
    shown_by = "spec/congestion/cubic_spec.lua",
    text = "if (s->now.t_epoch != NO_EPOCH) s->now.t_epoch += now - s->limited_since;",
    with = "(void)now;",
  },
  {
    name = "cubic-never-reno-friendly",
    requirement = "RFC9438:4.3-1: at least as fast as Reno",
    file = "congestion/cubic.c",
    shown_by = "spec/congestion/cubic_spec.lua",
    text = "if (w_cubic(e, cubic_ticks(t), cc->mss) < w_est) {",
    with = "if (false) {",
  },
  {
    name = "cubic-converges-slowly",
    requirement = "RFC9438:4.7-1: fast convergence lowers W_max further",
    file = "congestion/cubic.c",
    shown_by = "core/test/congestion_cubic_test.c",
    text = "e->w_max = converge ? scale(cc->cwnd, (100 + beta) / 2) : cc->cwnd;",
    with = "(void)converge;\n    e->w_max = cc->cwnd;",
  },
  {
    name = "cubic-grows-with-ecn-echo",
    requirement = "RFC3168:6.1.2-2: cwnd does not grow for an ACK with ECN-Echo",
    file = "congestion/cubic.c",
    shown_by = "spec/tcp/recovery_rules_spec.lua",
    text = "if (ack->ece) return;           /* RFC3168:6.1.2-2 */",
    with = "",
  },
  {
    name = "cubic-target-without-bound",
    requirement = "RFC9438:4.2-3: the target is at most 1.5 cwnd",
    file = "congestion/cubic.c",
    shown_by = "core/test/congestion_cubic_test.c",
    text = "if (target > most) target = most;",
    with = "(void)most;",
  },

  -- core/congestion/hystart.c
  {
    name = "hystart-leaves-after-one-round",
    requirement = "RFC9406:4.3-1: CSS_ROUNDS is 5",
    file = "congestion/hystart.c",
    shown_by = "core/test/congestion_cubic_test.c",
    text = "#define CSS_ROUNDS         5",
    with = "#define CSS_ROUNDS         1",
  },
  {
    name = "hystart-never-goes-back",
    requirement = "RFC9406:4.2-6: slow start goes on where the RTT falls again",
    file = "congestion/hystart.c",
    shown_by = "core/test/congestion_cubic_test.c",
    text = "    h->css_baseline_min_rtt = 0;\n    h->css_rounds = 0;\n",
    with = "    h->css_baseline_min_rtt = 0;\n",
  },
  {
    name = "hystart-classic-hears-no-trains",
    requirement = "hystart_classic (docs/settings.md)",
    file = "congestion/hystart.c",
    shown_by = "spec/packetdrill/corpus_spec.lua",
    text = "if (!delay_has_grown(h, ack) && !train) return false;",
    with = "if (!delay_has_grown(h, ack) && (!train || train)) return false;",
  },

  -- core/congestion/cubic_segments.c
  {
    name = "cubic-segments-looks-at-each-ack",
    requirement = "cubic_segments (docs/settings.md): 32 times a second",
    file = "congestion/cubic_segments.c",
    shown_by = "spec/packetdrill/corpus_spec.lua",
    text = "if (!first && s->seen == window && t - s->looked <= LOOK_EVERY) return;",
    with = "",
  },
  {
    name = "cubic-segments-loses-what-slow-start-left",
    requirement = "cubic_segments (docs/settings.md): what ends slow start counts on",
    file = "congestion/cubic.c",
    shown_by = "spec/packetdrill/corpus_spec.lua",
    text = "left = cc->cwnd >= cc->ssthresh && grown < left ? left - grown : 0;",
    with = "left = 0;",
  },

  -- core/congestion/validation.c
  {
    name = "unused-window-kept",
    requirement = "RFC7661:4.4.3-1: after five minutes cwnd is halved",
    file = "congestion/validation.c",
    shown_by = "core/test/congestion_cubic_test.c",
    text = "        cc->cwnd /= 2;",
    with = "        (void)cc;",
  },

  -- core/congestion/marking.h
  {
    name = "alpha-follows-too-fast",
    requirement = "RFC8257:3.3-1: a gain of 1/16",
    file = "congestion/marking.h",
    shown_by = "core/test/congestion_marking_test.c",
    text = "m->alpha = m->alpha - (m->alpha + 15) / 16 + fraction / 16;",
    with = "m->alpha = m->alpha - (m->alpha + 7) / 8 + fraction / 8;",
  },
  {
    name = "marks-answered-one-by-one",
    requirement = "RFC8257:3.3-9: once for each window of data",
    file = "congestion/marking.h",
    shown_by = "core/test/congestion_marking_test.c",
    text = "(m->reduced && seq_lt(ack->una, m->reduced_to))) return false;",
    with = "false) return false;",
  },

  -- core/congestion/dctcp.c
  {
    name = "dctcp-grows-by-marked-octets",
    requirement = "RFC8257:3.4-1: marked octets ask for no growth",
    file = "congestion/dctcp.c",
    shown_by = "core/test/congestion_marking_test.c",
    text = "const uint32_t acked = ack->bytes_acked - ack->ce_bytes;",
    with = "const uint32_t acked = ack->bytes_acked;",
  },

  -- core/congestion/prague.c
  {
    name = "prague-depends-on-the-rtt",
    requirement = "RFC 9331 section 4.3: less dependence on the RTT where that is short",
    file = "congestion/prague.c",
    shown_by = "core/test/congestion_marking_test.c",
    text = "(cc->switches & LTCP_CC_RTT_INDEPENDENCE) && s->rounds >= D;",
    with = "(cc->switches & LTCP_CC_RTT_INDEPENDENCE) && false;\n    (void)s;",
  },

  -- core/congestion/bbr.c
  {
    name = "bbr-probes-without-end",
    requirement = "draft-ietf-ccwg-bbr section 5.3.4.3: ProbeRTT lasts 200 ms",
    file = "congestion/bbr.c",
    shown_by = "core/test/congestion_bbr_test.c",
    text = "if (b->probe_rtt_done_stamp == 0 || now <= b->probe_rtt_done_stamp) return;",
    with = "if (b->probe_rtt_done_stamp == 0 || now <= b->probe_rtt_done_stamp + LTCP_SECOND) return;",
  },
  {
    name = "bbr-leaves-no-headroom",
    requirement = "draft-ietf-ccwg-bbr section 5.6.4.7: headroom while it cruises",
    file = "congestion/bbr.c",
    shown_by = "core/test/congestion_bbr_test.c",
    text = "        cap = inflight_with_headroom(b, cc);\n",
    with = "        cap = b->inflight_longterm;\n",
  },
  {
    name = "bbr-goes-on-in-spite-of-loss",
    requirement = "draft-ietf-ccwg-bbr section 5.3.1.3: many losses end Startup",
    file = "congestion/bbr.c",
    shown_by = "core/test/congestion_bbr_test.c",
    text = "b->lost_ranges >= STARTUP_FULL_LOSS_CNT &&",
    with = "false &&",
  },
  {
    name = "bbr-drain-leads-to-cruise",
    requirement = "draft-ietf-ccwg-bbr section 5.3.2: Drain leads to ProbeBW_DOWN",
    file = "congestion/bbr.c",
    shown_by = "core/test/congestion_bbr_test.c",
    text = "DRAIN_ROUNDS)\n        start_probe_bw_down(b, rs->now);",
    with = "DRAIN_ROUNDS)\n        start_probe_bw_down(b, rs->now), b->state = BBR_PROBE_BW_CRUISE;",
  },

  -- core/congestion/bbr1.c
  {
    name = "bbr1-conserves-no-packets",
    requirement = "draft-cardwell-iccrg-bbr-congestion-control-00 section 4.2.3.4: packet conservation",
    file = "congestion/bbr1.c",
    shown_by = "core/test/congestion_bbr1_test.c",
    text = "        b->packet_conservation = true;\n",
    with = "",
  },
}
