-- Bytes and values, and what tunnels carry.
return {
  -- core/wire/extension.c
  {
    name = "unknown-option-always-skipped",
    requirement = "RFC8200:4.2-2: the two upper bits of an option's type",
    file = "wire/extension.c",
    shown_by = "spec/network/extension_headers_spec.lua",
    text = "    case 1: return complain(x, LTCP_COMPLAINT_NONE, CODE_OPTION, at);",
    with = "    case 1: return LTCP_OK;",
  },

  -- core/wire/ip.c
  {
    name = "zone-goes-onto-the-wire",
    requirement = "RFC4007:4-1: no zone goes onto the wire",
    file = "wire/ip.c",
    shown_by = "spec/tcp/scope_spec.lua",
    text = "const struct ltcp_address from = scope_cleared(ip->source), to = scope_cleared(ip->destination);",
    with = "const struct ltcp_address from = ip->source, to = scope_cleared(ip->destination);",
  },
  {
    name = "ip-header-checksum-not-verified",
    requirement = "RFC 1122 section 3.2.1.2: a datagram with a bad header checksum is discarded",
    file = "wire/ip.c",
    shown_by = "core/test/wire_ip_test.c",
    text = "return sum_finish(sum_fold(sum)) == 0 ? status : LTCP_ERR_IP_CHECKSUM;",
    with = "(void)sum;\n    return status;",
  },

  -- core/wire/segment.c
  {
    name = "tcp-checksum-not-verified",
    requirement = "RFC9293:MUST-3: the receiver checks the checksum",
    file = "wire/segment.c",
    shown_by = "core/test/wire_segment_test.c",
    text = "if (sum_finish(folded) != 0) return LTCP_ERR_CHECKSUM;",
    with = "",
  },
  {
    name = "data-offset-beyond-the-segment",
    requirement = "RFC9293:MUST-7, section 3.1: the data offset lies within the segment",
    file = "wire/segment.c",
    shown_by = "core/test/wire_segment_test.c",
    text = "    if (header < TCP_HEADER || header > length) return LTCP_ERR_DATA_OFFSET;\n"
      .. "    if (there - start != header) return decode_uncommon",
    with = "    if (header < TCP_HEADER) return LTCP_ERR_DATA_OFFSET;\n"
      .. "    if (there - start != header) return decode_uncommon",
  },
  {
    name = "reserved-bits-read-as-flags",
    requirement = "RFC 9293 section 3.1: the reserved bits are ignored",
    file = "wire/segment.c",
    shown_by = "core/test/wire_segment_test.c",
    text = "out->flags = (uint16_t)(word >> 16 & 0x1FF);",
    with = "out->flags = (uint16_t)(word >> 16 & 0xFFF);",
  },

  -- core/wire/options.c
  {
    name = "repeated-options-are-not-seen",
    requirement = "host.h: options that come more than once are counted",
    file = "wire/options.c",
    shown_by = "spec/tcp/illegal_options_spec.lua",
    text = "if (present & bit & ONCE) present |= LTCP_HAS_REPEATED;",
    with = "",
  },
  {
    name = "option-length-zero-accepted",
    requirement = "RFC9293:MUST-7: an illegal option length is handled without crashing",
    file = "wire/options.c",
    shown_by = "core/test/wire_options_test.c",
    text = "if (length - at < 2 || bytes[at + 1] < 2 || bytes[at + 1] > length - at) return false;",
    with = "if (length - at < 2 || bytes[at + 1] > length - at) return false;",
  },
  {
    name = "option-beyond-the-header",
    requirement = "RFC9293:MUST-7: an option that claims more than there is",
    file = "wire/options.c",
    shown_by = "core/test/wire_options_test.c",
    text = "if (length - at < 2 || bytes[at + 1] < 2 || bytes[at + 1] > length - at) return false;",
    with = "if (length - at < 2 || bytes[at + 1] < 2) return false;",
  },
  {
    name = "unknown-option-ends-the-list",
    requirement = "RFC9293:MUST-6: options that are not known are skipped",
    file = "wire/options.c",
    shown_by = "core/test/wire_options_test.c",
    text = "        if (raw.kind == LTCP_OPTION_END) break;",
    with = "        if (raw.kind == LTCP_OPTION_END || raw.kind > LTCP_OPTION_AO) break;",
  },
  {
    name = "options-padded-with-nops",
    requirement = "RFC9293:MUST-69: padding of zeros behind the last option",
    file = "wire/options.c",
    shown_by = "core/test/wire_options_test.c",
    text = "memset(out + w.length, LTCP_OPTION_END, padded - w.length); /* RFC9293:MUST-69 */",
    with = "memset(out + w.length, LTCP_OPTION_NOP, padded - w.length);",
  },

  -- core/wire/checksum.c
  {
    name = "odd-checksum-not-turned",
    requirement = "RFC 1071 section 2: a sum that begins at an odd octet is swapped",
    file = "wire/checksum.c",
    shown_by = "core/test/wire_checksum_test.c",
    text = "return sum << 8 | sum >> 24;",
    with = "return sum;",
  },

  -- core/wire/vxlan.c
  {
    name = "vxlan-takes-any-network",
    requirement = "RFC 7348 section 5: stations of different VNIs cannot communicate",
    file = "wire/vxlan.c",
    shown_by = "core/test/wire_framing_test.c",
    text = "if (vni != context->vni) return LTCP_ERR_FRAMING;",
    with = "if (false) return LTCP_ERR_FRAMING;",
  },

  -- core/wire/neighbour.c
  {
    name = "neighbours-from-beyond-routers",
    requirement = "RFC 4861 section 7.1.1: the hop limit is 255",
    file = "wire/neighbour.c",
    shown_by = "core/test/wire_framing_test.c",
    text = "if (ip->ttl != 255) return false;",
    with = "if (false) return false;",
  },

  -- core/wire/burst.c
  {
    name = "burst-pushes-at-its-end-alone",
    requirement = "RFC9293:MUST-61: each SEND's last segment pushes, in the middle of a burst too",
    file = "wire/burst.c",
    shown_by = "core/test/ways_test.c",
    text = "if (b->pushes >> i & 1) {",
    with = "if (b->pushes >> i & 1 && i + 1 == b->count) {",
  },
  {
    name = "burst-outlives-its-model",
    requirement = "RFC9293:3.10.7.4: each segment has the acknowledgment and the window of its moment",
    file = "wire/burst.c",
    shown_by = "core/test/wire_burst_test.c",
    text = "b->gone > 0 || b->model != t->models || b->text != text)",
    with = "b->gone > 0 || b->text != text)",
  },
  {
    name = "burst-heads-with-one-sum",
    requirement = "RFC9293:MUST-2: the sender generates the checksum, of each segment's own text",
    file = "wire/burst.c",
    shown_by = "core/test/ways_test.c",
    text = "b->tcp_sum) + b->texts[i]->sum;",
    with = "b->tcp_sum) + b->texts[0]->sum;",
  },
  {
    name = "burst-heads-with-one-identification",
    requirement = "RFC 791 section 3.2: each packet of a burst has an identification of its own",
    file = "wire/burst.c",
    shown_by = "core/test/ways_test.c",
    text = "store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + i));",
    with = "(void)i;",
  },

  -- core/wire/train.c
  {
    name = "train-skips-a-gap",
    requirement = "core/wire/train.c: one segment only of text that follows on text",
    file = "wire/train.c",
    shown_by = "core/test/wire_train_test.c",
    text = "load_be32(p + t->tcp + SEQ_AT) != load_be32(f + t->tcp + SEQ_AT) + t->text",
    with = "false",
  },
  {
    name = "train-takes-a-wrong-checksum",
    requirement = "RFC9293:MUST-3: the receiver checks the checksum",
    file = "wire/train.c",
    shown_by = "core/test/wire_train_test.c",
    text = "if (sum_finish(sum_fold(sum)) == 0) return true;",
    with = "return true;",
  },
  {
    name = "train-mixes-acknowledgments",
    requirement = "core/wire/train.c: headers that say the same of everything else",
    file = "wire/train.c",
    shown_by = "core/test/wire_train_test.c",
    text = "return flags && load_32(p) == load_32(first) &&\n"
      .. "           load_32(p + ACK_AT) == load_32(first + ACK_AT) &&",
    with = "return flags && load_32(p) == load_32(first) &&",
  },
  {
    name = "train-trusts-the-first",
    requirement = "RFC9293:MUST-3: the receiver checks the checksum, the first one's of a train too",
    file = "wire/train.c",
    shown_by = "core/test/wire_train_test.c",
    text = "if (sum_finish(sum_fold(sum)) != 0) return false;",
    with = "",
  },
  {
    name = "train-mixes-markings",
    requirement = "core/wire/train.c: IP headers that say the same of everything else",
    file = "wire/train.c",
    shown_by = "core/test/wire_train_test.c",
    text = "load_16(p) == load_16(first) && load_be16(p + 2) == length &&",
    with = "load_be16(p + 2) == length &&",
  },
  {
    name = "train-hides-congestion",
    requirement = "core/wire/train.c: what a router has marked is counted by the segment (RFC 3168)",
    file = "wire/train.c",
    shown_by = "core/test/wire_train_test.c",
    text = "(load_be16(p + 6) & 0xBFFF) != 0 || (p[1] & 3) == LTCP_ECN_CE",
    with = "(load_be16(p + 6) & 0xBFFF) != 0",
  },
  {
    name = "train-goes-beyond-its-block",
    requirement = "core/wire/train.c: text moves to where there is room for it",
    file = "wire/train.c",
    shown_by = "core/test/wire_train_test.c",
    text = "if (t->end + text > t->block->data + t->block->capacity) return false;",
    with = "",
  },

  -- core/wire/cut.c
  {
    name = "cut-repeats-cwr",
    requirement = "RFC 3168 section 6.1.2: CWR is said on the first segment",
    file = "wire/cut.c",
    shown_by = "core/test/wire_cut_test.c",
    text = "if (!first) flags &= (uint16_t)~LTCP_CWR;",
    with = "",
  },
  {
    name = "cut-repeats-the-urgent-pointer",
    requirement = "RFC9293:MUST-62: the urgent pointer counts from its own segment",
    file = "wire/cut.c",
    shown_by = "core/test/wire_cut_test.c",
    text = "up > at ? (uint16_t)(up - at) : 0",
    with = "up",
  },
  {
    name = "cut-ends-early",
    requirement = "core/wire/cut.c: the end comes at the end",
    file = "wire/cut.c",
    shown_by = "core/test/wire_cut_test.c",
    text = "return last ? flags : (uint16_t)(flags & ~(LTCP_FIN | LTCP_PSH));",
    with = "return flags;",
  },

  -- core/wire/icmp.c
  {
    name = "icmpv6-checksum-without-pseudo-header",
    requirement = "RFC 4443 section 2.3: the pseudo header is summed",
    file = "wire/icmp.c",
    shown_by = "core/test/wire_icmp_test.c",
    text = "if (ip->version == 4) return 0;",
    with = "if (ip->version != 0) return 0;",
  },
  {
    name = "icmp-quotes-without-bound",
    requirement = "RFC 4443 section 2.4 (c): an error does not exceed the least MTU",
    file = "wire/icmp.c",
    shown_by = "core/test/wire_icmp_test.c",
    text = "return (version == 4 ? ICMP_ERROR_MAX : ICMPV6_ERROR_MAX) - headers;",
    with = "(void)version;\n    return UINT16_MAX - headers;",
  },

  -- core/wire/authentication.c
  {
    name = "mac-without-the-extension",
    requirement = "RFC5925:5.1-1: the MAC covers the sequence number extension",
    file = "wire/authentication.c",
    shown_by = "spec/authentication/vectors_spec.lua",
    text = "{extension, sizeof extension},",
    with = "{extension, 0},",
  },
  {
    name = "md5-of-the-checksum-too",
    requirement = "RFC2385:2-2: the header has a checksum of zero",
    file = "wire/authentication.c",
    shown_by = "spec/authentication/vectors_spec.lua",
    text = "    out[16] = out[17] = 0;\n",
    with = "",
  },

  -- core/wire/framing.c
  {
    name = "checksum-never-looked-at",
    requirement = "RFC9293:MUST-3: where UDP has none, TCP checks its own",
    file = "wire/framing.c",
    shown_by = "core/test/wire_framing_test.c",
    text = "packet->checksum_good = context->checksum == LTCP_UDP_CHECKSUM;",
    with = "packet->checksum_good = true;",
  },
}
