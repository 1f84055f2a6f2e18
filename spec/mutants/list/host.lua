-- Many connections: listeners, cookies, TIME-WAIT, replies, ICMP, fragments.
return {
  -- core/host/listener_table.c
  {
    name = "any-of-ipv4-is-not-asked",
    requirement = "RFC 9293 section 3.9.1.1: an unspecified local address is any of the host's",
    file = "host/listener_table.c",
    shown_by = "spec/tcp/listen_spec.lua",
    text = "if (l == NULL && ltcp_address_is_v4(local)) l =",
    with = "if (l == NULL && !ltcp_address_is_v4(local)) l =",
  },
  {
    name = "growing-loses-listeners",
    requirement = "RFC 9293 section 3.10.7.2: a SYN finds its listener, however many there are",
    file = "host/listener_table.c",
    shown_by = "spec/tcp/listen_spec.lua",
    text = "    for (struct ltcp_listener *l = host->listeners; l != NULL; l = l->next)\n"
      .. "        put(host, l);\n",
    with = "",
  },

  -- core/host/authentication.c
  {
    name = "unsigned-segments-to-listeners",
    requirement = "RFC2385:2-3: the receiver validates",
    file = "host/authentication.c",
    shown_by = "spec/authentication/md5_spec.lua",
    text = "return counter == &n->md5_good ? LTCP_OK : LTCP_ERR_AUTHENTICATION;",
    with = "return LTCP_OK;",
  },

  -- core/host/fast_open.c
  {
    name = "any-cookie-is-valid",
    requirement = "RFC7413:4.2.2-6: a cookie that is not valid opens nothing",
    file = "host/fast_open.c",
    shown_by = "spec/tcp/fast_open_spec.lua",
    text = "if (differs == 0) return i + 1;",
    with = "return i + 1;",
  },
  {
    name = "pending-requests-never-end",
    requirement = "RFC7413:4.2.2-18: the ACK of the SYN ends the pending request",
    file = "host/fast_open.c",
    shown_by = "spec/tcp/fast_open_spec.lua",
    text = "l->fast_open_pending--;",
    with = "",
  },

  -- core/host/reassembly_ip.c
  {
    name = "overlap-is-kept",
    requirement = "RFC8200:4.5-12: fragments that overlap end their packet",
    file = "host/reassembly_ip.c",
    shown_by = "spec/network/fragments_spec.lua",
    text = "if (place == PLACE_OVERLAP || !fits_the_end(d, f)) return abandon(host, d);",
    with = "if (!fits_the_end(d, f)) return abandon(host, d);",
  },
  {
    name = "no-bound-for-one-source",
    requirement = "RFC 1122 section 3.3.2: reassembly is bounded; one source takes nobody else's room",
    file = "host/reassembly_ip.c",
    shown_by = "spec/network/fragments_spec.lua",
    text = "return much ? oldest : NULL;",
    with = "return much ? NULL : NULL;",
  },
  {
    name = "mark-lost-with-a-fragment",
    requirement = "RFC 3168 section 5.3: reassembly loses no mark",
    file = "host/reassembly_ip.c",
    shown_by = "spec/network/fragments_spec.lua",
    text = "    *ecn = LTCP_ECN_CE;\n    return LTCP_OK;",
    with = "    return LTCP_OK;",
  },

  -- core/host/listeners.c
  {
    name = "listener-takes-an-ack",
    requirement = "RFC 9293 section 3.10.7.2, second step: an ACK at LISTEN makes a reset",
    file = "host/listeners.c",
    shown_by = "spec/rfc9293/opening_spec.lua",
    text = "        a->reset = authentication_applies(l->host, a) || !syn_cookie_returns(l, a, &status);\n",
    with = "        (void)syn_cookie_returns(l, a, &status);\n",
  },
  {
    name = "listener-answers-a-reset",
    requirement = "RFC 9293 section 3.10.7.2, first step: an incoming RST is ignored",
    file = "host/listeners.c",
    shown_by = "spec/tcp/edges_spec.lua",
    text = "if (a->flags & LTCP_RST) return LTCP_OK; /* first: RFC9293:3.10.7.2-1 */",
    with = "",
  },
  {
    name = "backlog-one-more",
    requirement = "backlog of listen (docs): so many may wait",
    file = "host/listeners.c",
    shown_by = "spec/tcp/listen_spec.lua",
    text = "if (full || l->waiting >= l->backlog) {",
    with = "if (full || l->waiting > l->backlog) {",
  },
  {
    name = "half-open-one-more",
    requirement = "RFC 4987 section 3.2: half-open connections are bounded",
    file = "host/listeners.c",
    shown_by = "spec/tcp/defer_accept_spec.lua",
    text = "return half_open <= (own",
    with = "return half_open <= 1 + (own",
  },
  {
    name = "silent-peers-are-shown",
    requirement = "defer_accept (docs/settings.md): a connection is given once it has data",
    file = "host/listeners.c",
    shown_by = "spec/tcp/defer_accept_spec.lua",
    text = "if (c->unread > 0 || c->state",
    with = "if (c->unread == 0 || c->state",
  },
  {
    name = "silent-peers-beyond-the-queue",
    requirement = "RFC 4987 section 3.2: what waits is bounded, what a SYN cookie brings as well",
    file = "host/listeners.c",
    shown_by = "spec/tcp/defer_accept_spec.lua",
    text = " || queue_overflows(l)) return false;",
    with = ") return false;",
  },
  {
    name = "closed-listener-forgets-children",
    requirement = "RFC 9293 section 3.10.4 and 3.10.5: what nobody accepted is reset",
    file = "host/listeners.c",
    shown_by = "spec/tcp/listen_spec.lua",
    text = "    user_abort(c, now);\n    connection_changed(c);\n",
    with = "    (void)now;\n",
  },

  -- core/host/syn_cookies.c
  {
    name = "cookie-of-any-period",
    requirement = "RFC 4987 section 3.6: an old cookie cannot be played again",
    file = "host/syn_cookies.c",
    shown_by = "spec/tcp/syn_cookies_spec.lua",
    text = "    store_be32(text + 5, (uint32_t)period);\n",
    with = "    store_be32(text + 5, (uint32_t)period & 1);\n",
  },
  {
    name = "cookie-without-the-peers-number",
    requirement = "RFC 4987 section 3.6: the cookie is of the peer's initial sequence number too",
    file = "host/syn_cookies.c",
    shown_by = "spec/tcp/syn_cookies_spec.lua",
    text = "    store_be32(text + 36, irs.n);\n",
    with = "    store_be32(text + 36, irs.n & 0);\n",
  },
  {
    name = "cookie-clock-runs-back",
    requirement = "RFC 7323 section 4: the timestamp clock never runs back; the bits are below it",
    file = "host/syn_cookies.c",
    shown_by = "spec/tcp/syn_cookies_spec.lua",
    text = "return (int32_t)(stamp - clock) > 0 ? stamp - (1u << STAMP_BITS) : stamp;",
    with = "return stamp;",
  },
  {
    name = "cookie-keeps-the-scale-unasked",
    requirement = "RFC 4987 section 3.6: without a timestamp nothing remembers scale and SACK",
    file = "host/syn_cookies.c",
    shown_by = "spec/tcp/syn_cookies_spec.lua",
    text = "    c->scaling = c->sacking = false; /* nothing would remember them */\n",
    with = "",
  },

  -- core/host/replies.c
  {
    name = "reset-of-a-reset",
    requirement = "RFC 9293 section 3.10.7.1: an incoming RST is discarded",
    file = "host/replies.c",
    shown_by = "spec/tcp/open_spec.lua",
    text = "if (in->flags & LTCP_RST) return; /* RFC9293:3.10.7.1-1 */",
    with = "",
  },
  {
    name = "reset-acknowledges-too-little",
    requirement = "RFC 9293 section 3.10.7.1: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>",
    file = "host/replies.c",
    shown_by = "spec/tcp/open_spec.lua",
    text = "s.ack = seq_add(in->seq, ltcp_segment_length(in));",
    with = "s.ack = seq_add(in->seq, in->length);",
  },
  {
    name = "reset-with-a-wrong-number",
    requirement = "RFC 9293 section 3.10.7.1: <SEQ=SEG.ACK><CTL=RST>",
    file = "host/replies.c",
    shown_by = "spec/rfc9293/opening_spec.lua",
    text = "        s.seq = in->ack;",
    with = "        s.seq = in->seq;",
  },

  -- core/host/isn.c
  {
    name = "isn-without-its-clock",
    requirement = "RFC9293:MUST-8: a clock that ticks every 4 microseconds",
    file = "host/isn.c",
    shown_by = "spec/tcp/handshake_spec.lua",
    text = "return ltcp_seq_of((uint32_t)(m + prf(host, flow, 0)));",
    with = "(void)m;\n    return ltcp_seq_of((uint32_t)prf(host, flow, 0));",
  },
  {
    name = "isn-without-its-secret",
    requirement = "RFC9293:MUST-9, SHLD-1: ISN = M + F(...)",
    file = "host/isn.c",
    shown_by = "spec/rfc9293/sequence_spec.lua",
    text = "return ltcp_seq_of((uint32_t)(m + prf(host, flow, 0)));",
    with = "return ltcp_seq_of((uint32_t)m);",
  },

  -- core/host/time_wait.c
  {
    name = "time-wait-replaced-by-an-old-syn",
    requirement = "RFC9293:MAY-2: only by a SYN beyond the last sequence number",
    file = "host/time_wait.c",
    shown_by = "spec/tcp/time_wait_spec.lua",
    text = "return seq_gt(a->segment->seq, c->rcv_nxt);",
    with = "return true;",
  },
  {
    name = "time-wait-small-forgets-its-time",
    requirement = "RFC9293:MUST-13: a FIN that returns begins the 2 MSL again",
    file = "host/time_wait.c",
    shown_by = "spec/tcp/time_wait_records_spec.lua",
    text = "    if (u->c.long_deadline != until) deadlines_move_time_wait(e, w, u->c.long_deadline);\n",
    with = "    (void)until;\n",
  },
  {
    name = "time-wait-small-never-comes-back",
    requirement = "RFC9293:MAY-2: TIME-WAIT comes back if the SYN was an old duplicate",
    file = "host/time_wait.c",
    shown_by = "spec/tcp/time_wait_records_spec.lua",
    text = "const bool ends = c->state != LTCP_CLOSED;",
    with = "const bool ends = true;",
  },

  -- core/host/options.c
  {
    name = "misplaced-options-are-not-counted",
    requirement = "RFC7323:2.2-2: Window Scale without SYN is passed over; it is counted",
    file = "host/options.c",
    shown_by = "spec/tcp/illegal_options_spec.lua",
    text = "if (!(s->flags & LTCP_SYN) && (present & OF_SYNS)) n->misplaced++;",
    with = "",
  },

  -- core/host/host.c
  {
    name = "packets-for-strangers-taken",
    requirement = "RFC9293:MUST-57, MUST-63: no answer to segments for or from addresses that are nobody's",
    file = "host/host.c",
    shown_by = "spec/rfc9293/lower_spec.lua",
    text = "if (!address_is_local(host, &a->ip->destination) || !address_is_peer(host, &a->ip->source))",
    with = "if (!address_is_local(host, &a->ip->destination))",
  },

  -- core/host/icmp.c
  {
    name = "icmp-for-any-sequence-number",
    requirement = "RFC 5927 section 4: the quoted sequence number is one that is outstanding",
    file = "host/icmp.c",
    shown_by = "spec/tcp/mss_spec.lua",
    text = "if (c == NULL || seq_lt(s.seq, c->snd_una) || seq_ge(s.seq, c->snd_nxt)) return NULL;",
    with = "if (c == NULL) return NULL;",
  },
  {
    name = "icmp-at-snd-nxt-believed",
    requirement = "RFC 5927 section 4: SND.UNA =< SEG.SEQ < SND.NXT",
    file = "host/icmp.c",
    shown_by = "spec/tcp/edges_spec.lua",
    text = "seq_ge(s.seq, c->snd_nxt)) return NULL;",
    with = "seq_gt(s.seq, c->snd_nxt)) return NULL;",
  },
  {
    name = "port-unreachable-kills",
    requirement = "RFC 5927 section 5.2: once synchronized, hard errors are soft",
    file = "host/icmp.c",
    shown_by = "spec/tcp/icmp_spec.lua",
    text = "if (opening && (hard || settings_of(c)->icmp_aborts_opening))",
    with = "if (hard)",
  },
  {
    name = "source-quench-is-an-error",
    requirement = "RFC9293:MUST-55: source quench is silently discarded",
    file = "host/icmp.c",
    shown_by = "spec/tcp/icmp_spec.lua",
    text = "if (icmp.kind >= LTCP_ICMP_ECHO || icmp.kind == LTCP_ICMP_SOURCE_QUENCH) return LTCP_OK;",
    with = "if (icmp.kind >= LTCP_ICMP_ECHO) return LTCP_OK;",
  },

  -- core/host/handles.c
  {
    name = "handles-without-generation",
    requirement = "core/include/lunatcp/host.h: a stale handle is an error and never another connection",
    file = "host/handles.c",
    shown_by = "spec/rfc9293/sequence_spec.lua",
    text = "free_word((uint32_t)(handle >> 32) + 1, host->free_slot)",
    with = "free_word((uint32_t)(handle >> 32), host->free_slot)",
  },

  -- core/host/demultiplexer.c
  {
    name = "demultiplexer-ignores-the-remote-port",
    requirement = "RFC9293:MUST-41, MUST-42: a connection is known by both of its sockets",
    file = "host/demultiplexer.c",
    shown_by = "spec/tcp/orphan_spec.lua",
    text = "flow->local_port == local_port && flow->remote_port == remote_port &&",
    with = "flow->local_port == local_port &&",
  },

  -- core/host/calls.c
  {
    name = "duplicate-open-allowed",
    requirement = "RFC 9293 section 3.10.1: OPEN of a pair of sockets in use, \"error: connection already "
      .. "exists\"",
    file = "host/calls.c",
    shown_by = "spec/rfc9293/closing_spec.lua",
    text = "if (!make_room(host, &flow, now, &after, &replaced)) return LTCP_ERR_CONNECTED;",
    with = "(void)make_room(host, &flow, now, &after, &replaced);",
  },

  -- core/host/ports.c
  {
    name = "port-of-a-listener-taken",
    requirement = "RFC6056:3.2-1: not one that somebody listens on",
    file = "host/ports.c",
    shown_by = "spec/tcp/listen_spec.lua",
    text = "           listener_find(host, local, port) == NULL;",
    with = "           true;",
  },
  {
    name = "ports-one-after-the-other",
    requirement = "RFC6056:3.3.3-1: an offset by a secret for each destination",
    file = "host/ports.c",
    shown_by = "spec/tcp/listen_spec.lua",
    text = "return ltcp_siphash(&host->secret, key, sizeof key);",
    with = "(void)host;\n    return 0;",
  },

  -- core/host/keys.c
  {
    name = "mkts-overlap",
    requirement = "RFC5925:3.1-6: no two MKTs with an ID in common match one connection",
    file = "host/keys.c",
    shown_by = "spec/authentication/ao_spec.lua",
    text = "if ((keys->mkts[i].send_id == key->send_id || keys->mkts[i].recv_id == key->recv_id) &&",
    with = "if ((keys->mkts[i].send_id == key->send_id && keys->mkts[i].recv_id == key->recv_id) &&",
  },
  {
    name = "key-removed-while-in-use",
    requirement = "RFC5925:7.1-3: an MKT in use stays",
    file = "host/keys.c",
    shown_by = "spec/authentication/ao_spec.lua",
    text = "if (in_use(host, mkt->serial)) return LTCP_ERR_KEY_IN_USE;",
    with = "(void)in_use;",
  },

  -- core/host/extensions.c
  {
    name = "extension-headers-taken-for-payload",
    requirement = "RFC 8200 section 4: the chain of extension headers is gone through",
    file = "host/extensions.c",
    shown_by = "spec/network/extension_headers_spec.lua",
    text = "(from - IPV6_HEADER)));\n    memmove",
    with = "0));\n    memmove",
  },

  -- core/host/addressing.c
  {
    name = "shortest-route-wins",
    requirement = "RFC 1122 section 3.3.1: the most specific route",
    file = "host/addressing.c",
    shown_by = "core/test/network_host_test.c",
    text = "r->prefix_length > best->prefix_length",
    with = "r->prefix_length < best->prefix_length",
  },
  {
    name = "subnet-broadcast-is-a-peer",
    requirement = "RFC9293:MUST-57: no segment from or to a broadcast address is answered",
    file = "host/addressing.c",
    shown_by = "spec/rfc9293/lower_spec.lua",
    text = "        if (ltcp_address_equal(&directed, address)) return true;\n",
    with = "",
  },
  {
    name = "loopback-from-a-wire",
    requirement = "RFC 1122 section 3.2.1.3: never a source on a wire",
    file = "host/addressing.c",
    shown_by = "spec/rfc9293/lower_spec.lua",
    text = "if (is_nobody(address) && !address_is_local(host, address)) return false;",
    with = "(void)is_nobody;",
  },
  {
    name = "a-withdrawn-address-stays",
    requirement = "RFC 1122 section 3.3.4.1: an address belongs to an interface",
    file = "host/addressing.c",
    shown_by = "spec/udp/net_tunnel_spec.lua",
    text = "    host->address_count = kept;\n",
    with = "",
  },
  {
    name = "a-withdrawn-route-stays",
    requirement = "RFC 1122 section 3.3.1.1: a datagram leaves by an interface that reaches its destination",
    file = "host/addressing.c",
    shown_by = "spec/udp/net_tunnel_spec.lua",
    text = "    host->route_count = kept;\n",
    with = "",
  },

  -- core/host/syn_cookies.c
  {
    name = "a-cookie-is-played-twice",
    requirement = "RFC4987:3.6-5: a cookie cannot be played again",
    file = "host/syn_cookies.c",
    shown_by = "spec/tcp/syn_cookies_spec.lua",
    text = "|| is_spent(host, hash)) {",
    with = "|| hash == 0) { (void)is_spent;",
  },
  {
    name = "the-latest-spent-cookie-alone",
    requirement = "RFC4987:3.6-5: of each group the latest four are remembered",
    file = "host/syn_cookies.c",
    shown_by = "spec/tcp/syn_cookies_spec.lua",
    text = "    memmove(group + 1, group, (SPENT_IN_A_GROUP - 1) * sizeof *group);\n",
    with = "",
  },

  -- core/host/children.c
  {
    name = "a-listener-looks-at-all-connections",
    requirement = "the end of a listener costs what its own connections cost",
    file = "host/children.c",
    shown_by = "spec/tcp/listen_spec.lua",
    text = "    if (make_room(l))\n",
    with = "    if (make_room(l) && l == NULL)\n",
  },
  {
    name = "half-open-connections-outlive-their-listener",
    requirement = "RFC9293:3.10.5-2: ABORT in LISTEN resets what nobody has accepted",
    file = "host/children.c",
    shown_by = "spec/tcp/listen_spec.lua",
    text = "if (child_at(l, i) != NULL) list[kept++] = list[i];",
    with = "if (child_at(l, i) != NULL && i % 2 == 0) list[kept++] = list[i];",
  },
}
