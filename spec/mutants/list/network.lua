-- The simulated network.
return {
  -- core/network/fragment.c
  {
    name = "fragment-cut-anew-ends",
    requirement = "RFC791:3.2-4: more follows after the last piece where more followed after it",
    file = "network/fragment.c",
    shown_by = "spec/network/router_fragments_spec.lua",
    text = "!last || ip->more_fragments",
    with = "!last",
  },

  -- core/network/router.c
  {
    name = "link-local-source-passed-on",
    requirement = "RFC4007:9-3: a packet stays in the zone of its source",
    file = "network/router.c",
    shown_by = "spec/tcp/scope_spec.lua",
    text = "if (address_is_link_local(&t->ip.source) && out.link != t->link) {",
    with = "if (address_is_link_local(&t->ip.source) && out.link == LTCP_NOWHERE) {",
  },
  {
    name = "ttl-not-decremented",
    requirement = "RFC 1812 section 5.3.1: a router decrements the TTL",
    file = "network/router.c",
    shown_by = "core/test/network_router_test.c",
    text = "ltcp_ip_set_ttl(packet, (uint8_t)(t->ip.ttl - 1));",
    with = "",
  },

  -- core/network/traffic.c
  {
    name = "proxy-leads-nowhere",
    requirement = "core/include/lunatcp/network.h: what enters a link with both ends outside leaves it",
    file = "network/traffic.c",
    shown_by = "spec/udp/proxy_spec.lua",
    text = "link->side[1 - direction].node == LTCP_NOWHERE;",
    with = "false;",
  },
  {
    name = "capture-doubles-what-sockets-carry",
    requirement = "core/include/lunatcp/network.h: what left by a tunnel has not arrived yet",
    file = "network/traffic.c",
    shown_by = "spec/udp/capture_spec.lua",
    text = ".left = left,",
    with = ".left = false,",
  },

  -- core/network/queue.c
  {
    name = "queue-one-packet-longer",
    requirement = "core/include/lunatcp/network.h: queue_packets is the most that wait",
    file = "network/queue.c",
    shown_by = "core/test/network_test.c",
    text = "queue->departures.count >= config->queue_packets",
    with = "queue->departures.count > config->queue_packets",
  },
  {
    name = "rate-forgets-fractions",
    requirement = "core/include/lunatcp/network.h: the rate holds over any time, to the bit",
    file = "network/queue.c",
    shown_by = "core/test/network_test.c",
    text = "    queue->busy_fraction = parts % rate;",
    with = "    queue->busy_fraction = 0;",
  },

  {
    name = "bursts-for-who-did-not-ask",
    requirement = "core/include/lunatcp/network.h: only who has asked for bursts gets them",
    file = "network/traffic.c",
    shown_by = "core/test/network_burst_test.c",
    text = "if ((*first)->burst == NULL || d->gathers) return take_first(&d->exits);",
    with = "return take_first(&d->exits);",
  },

  -- core/network/path.c
  {
    name = "jitter-reorders-always",
    requirement = "core/include/lunatcp/network.h: jitter keeps the order unless it is told otherwise",
    file = "network/path.c",
    shown_by = "core/test/network_test.c",
    text = "if (release < path->last_release) release = path->last_release;",
    with = "",
  },

  -- core/network/rules.c
  {
    name = "rule-answers-one-late",
    requirement = "core/include/lunatcp/network.h: nth counts from 1",
    file = "network/rules.c",
    shown_by = "core/test/network_rules_test.c",
    text = "if (rule->nth > 0 && entry->matched != rule->nth) return false;",
    with = "if (rule->nth > 0 && entry->matched != rule->nth + 1) return false;",
  },

  -- core/network/event_queue.c
  {
    name = "same-time-in-any-order",
    requirement = "core/network/event_queue.h: what is due at one time happens in the order in which it was "
      .. "set",
    file = "network/event_queue.c",
    shown_by = "core/test/network_test.c",
    text = "return a->time < b->time || (a->time == b->time && a->serial < b->serial);",
    with = "return a->time < b->time;",
  },

  -- core/network/neighbours.c
  {
    name = "advertisement-overrides-unasked",
    requirement = "RFC 4861 section 7.2.5: without the Override flag another address is not taken",
    file = "network/neighbours.c",
    shown_by = "core/test/neighbours_test.c",
    text = "if (differs && !n->override) {",
    with = "if (false) {",
  },
  {
    name = "neighbour-asked-once-more",
    requirement = "RFC 4861 section 7.2.2: MAX_MULTICAST_SOLICIT solicitations",
    file = "network/neighbours.c",
    shown_by = "core/test/neighbours_test.c",
    text = "} else if (e->asked < LTCP_NEIGHBOUR_SOLICIT) {",
    with = "} else if (e->asked <= LTCP_NEIGHBOUR_SOLICIT) {",
  },

  -- core/network/impairment.c
  {
    name = "corruption-of-the-ip-header",
    requirement = "core/include/lunatcp/network.h: bits are flipped behind the IP header",
    file = "network/impairment.c",
    shown_by = "core/test/path_test.c",
    text = "understood ? (uint64_t)ip.header_length * 8 : 0;",
    with = "understood ? 0 : 0;",
  },

  -- core/network/routes.c
  {
    name = "shortest-prefix-wins",
    requirement = "RFC 1812 section 5.2.4.3: the longest match",
    file = "network/routes.c",
    shown_by = "core/test/network_router_test.c",
    text = "bits_in_16(&routes->list[place - 1]) < bits_in_16(&added)",
    with = "bits_in_16(&routes->list[place - 1]) > bits_in_16(&added)",
  },

  -- core/network/queue/codel.c
  {
    name = "codel-begins-anew-each-time",
    requirement = "RFC 8289 section 5.5: close to the last time it begins at the rate of then",
    file = "network/queue/codel.c",
    shown_by = "core/test/queue_codel_test.c",
    text = "codel->count = delta > 1 && close ? delta : 1;",
    with = "(void)close;\n    codel->count = 1;\n    (void)delta;",
  },
  {
    name = "codel-drops-the-last-packet",
    requirement = "RFC 8289 section 5.6: never with less than an MTU in the queue",
    file = "network/queue/codel.c",
    shown_by = "core/test/queue_codel_test.c",
    text = "const bool is_small = aqm->backlog.bytes <= aqm->config.packet_size;",
    with = "const bool is_small = false;",
  },

  -- core/network/queue/pie.c
  {
    name = "pie-without-burst-allowance",
    requirement = "RFC 8033 section 4.4: bursts pass",
    file = "network/queue/pie.c",
    shown_by = "core/test/queue_pie_test.c",
    text = "if (pie->burst_allowance == 0 && drop_early",
    with = "if (drop_early",
  },
  {
    name = "pie-rises-without-cap",
    requirement = "RFC 8033 section 5.5: at most 2 % in one step",
    file = "network/queue/pie.c",
    shown_by = "core/test/queue_pie_test.c",
    text = "if (pie->drop_prob >= PERCENT(10) && p > PERCENT(2)) p = PERCENT(2);",
    with = "",
  },

  -- core/network/queue/fq_codel.c
  {
    name = "new-flows-starve-the-old",
    requirement = "RFC 8290 section 4.2: a new flow that is empty goes through the old ones",
    file = "network/queue/fq_codel.c",
    shown_by = "core/test/queue_fq_codel_test.c",
    text = "if (is_new) append(fq, &fq->old_flows, emptied, FLOW_OLD);",
    with = "(void)emptied;",
  },

  -- core/network/queue/red.c
  {
    name = "red-spreads-no-marks",
    requirement = "Floyd and Jacobson 1993: p_a = p_b / (1 - count * p_b)",
    file = "network/queue/red.c",
    shown_by = "core/test/queue_red_test.c",
    text = "if (p > 0 && aqm_draw(aqm, waiting, spread(p, red->count), 32)) {",
    with = "(void)spread;\n        if (p > 0 && aqm_draw(aqm, waiting, p, 32)) {",
  },

  -- core/network/queue/dualpi2.c
  {
    name = "classic-probability-not-squared",
    requirement = "RFC 9332 appendix A.1: p_C is the square of p'",
    file = "network/queue/dualpi2.c",
    shown_by = "core/test/queue_dualpi2_test.c",
    text = "return (int64_t)(base * base >> 22);",
    with = "return (int64_t)(base << 9);",
  },
  {
    name = "overload-marked-not-dropped",
    requirement = "RFC 9332 appendix A.2: under overload classic packets are dropped, ECT or not",
    file = "network/queue/dualpi2.c",
    shown_by = "core/test/queue_dualpi2_test.c",
    text = "if (!is_overload && aqm_mark(aqm, out, false)) return true;",
    with = "(void)is_overload;\n    if (aqm_mark(aqm, out, false)) return true;",
  },

  -- core/network/queue/step.c
  {
    name = "step-marks-one-late",
    requirement = "core/include/lunatcp/network.h: more than the threshold in the queue",
    file = "network/queue/step.c",
    shown_by = "core/test/queue_step_test.c",
    text = "aqm->backlog.packets > config->step_packets)",
    with = "aqm->backlog.packets > config->step_packets + 1)",
  },

  -- core/network/queue/aqm.c
  {
    name = "not-ect-marked",
    requirement = "RFC 3168 section 5: only what is ECN-capable is marked",
    file = "network/queue/aqm.c",
    shown_by = "core/test/queue_codel_test.c",
    text = "|| waiting->ecn == LTCP_ECN_NOT_ECT) return false;",
    with = ") return false;",
  },
  {
    name = "marked-in-the-senders-hand",
    requirement = "core/network/queue/aqm.c: a packet that others hold is copied before it changes",
    file = "network/queue/aqm.c",
    shown_by = "core/test/queue_path_test.c",
    text = "    if ((*packet)->refs > 1) {\n",
    with = "    if (false) {\n",
  },

  -- core/network/delay_line.c
  {
    name = "shorter-delay-waits",
    requirement = "core/network/delay_line.c: what is due earlier comes out earlier",
    file = "network/delay_line.c",
    shown_by = "core/test/path_test.c",
    text = "held = delayed->release < last->release;",
    with = "held = false;",
  },
}
