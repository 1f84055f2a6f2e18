/* core/include/lunatcp/wire.h
 *
 * Bytes to values and back: the Internet checksum, IPv4 and IPv6 headers, the TCP segment with all
 * its options, ICMP; and, of framing.h, what tunnels carry. Pure functions: no state, no allocation
 * (but for packets made by ltcp_segment_encode's callers). Decoding copies no payload: values point
 * into the packet and live as long as it does. */
#ifndef LUNATCP_WIRE_H
#define LUNATCP_WIRE_H

#include "lunatcp/framing.h"
#include "lunatcp/packet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- checksum, RFC 1071 ---------------------------------------------------------------------
 * A running sum is 32 bits, unfolded, over 16-bit words as the machine loads them; so sums of
 * pieces that begin at an even offset simply add (ltcp_sum_add), and ltcp_sum_finish gives the
 * 16 bits to store with memcpy. A piece that begins at an odd offset is turned by ltcp_sum_swap. */
uint32_t ltcp_sum(uint32_t sum, const void *bytes, size_t length);
/* Copies and sums in one pass. */
uint32_t ltcp_sum_copy(uint32_t sum, void *restrict to, const void *restrict from, size_t length);
/* The same where `to` lies in front of `from`: they may overlap. */
uint32_t ltcp_sum_move(uint32_t sum, void *to, const void *from, size_t length);
uint32_t ltcp_sum_add(uint32_t a, uint32_t b);
uint32_t ltcp_sum_swap(uint32_t sum);
uint16_t ltcp_sum_finish(uint32_t sum); /* folded and complemented */
/* RFC 1624: the checksum field after one 16-bit field of the summed bytes has changed. All three
 * values as stored in memory. */
uint16_t ltcp_sum_update(uint16_t checksum, uint16_t old_field, uint16_t new_field);

/* ---- IP -------------------------------------------------------------------------------------- */
enum {
    LTCP_PROTOCOL_ICMP = 1,
    LTCP_PROTOCOL_TCP = 6,
    LTCP_PROTOCOL_UDP = 17,
    LTCP_PROTOCOL_ICMPV6 = 58
};
enum { LTCP_ECN_NOT_ECT = 0, LTCP_ECN_ECT1 = 1, LTCP_ECN_ECT0 = 2, LTCP_ECN_CE = 3 };

struct ltcp_ip {
    struct ltcp_address source, destination;
    const uint8_t *options; /* IPv4 options, or IPv6 extension headers; inside the packet */
    uint32_t flow_label;    /* IPv6, 20 bits */
    uint16_t header_length; /* everything before the transport header */
    uint16_t total_length;
    uint16_t options_length;
    uint16_t identification;  /* IPv4 */
    uint16_t fragment_offset; /* bytes */
    uint8_t version;          /* 4 or 6 */
    uint8_t extension;        /* IPv6 with options_length > 0: kind of the first of them */
    uint8_t protocol;         /* of the transport header */
    uint8_t dscp;             /* 6 bits */
    uint8_t ecn;              /* 2 bits */
    uint8_t ttl;              /* hop limit */
    bool dont_fragment, more_fragments;
};

/* Reads the IP header at the packet's start. IPv6 hop-by-hop, routing and destination options are
 * skipped. LTCP_ERR_TRUNCATED, _VERSION, _IP_HEADER, _IP_CHECKSUM (IPv4), _IP_OPTION, _ADDRESS
 * (a mapped address inside IPv6), or LTCP_ERR_FRAGMENT with `out` filled in. */
enum ltcp_status ltcp_ip_decode(const struct ltcp_packet *packet, struct ltcp_ip *out);
/* Decodes from contiguous bytes; for captures, quotes inside ICMP, Lua. `length` may be shorter
 * than total_length when `quoted`. */
enum ltcp_status ltcp_ip_decode_bytes(const void *bytes, size_t length, bool quoted,
                                      struct ltcp_ip *out);
/* Writes the header (and ip->options, padded) into `out`; returns its length. `total_length` comes
 * from the argument `payload_length`; version from the addresses; the checksum is filled in. */
size_t ltcp_ip_encode(const struct ltcp_ip *ip, size_t payload_length, uint8_t *out);
/* The destination that the pseudo header means: the last address of a loose or strict source route
 * that is not used up yet (RFC 9293 section 3.9.2.1), else ip->destination. */
struct ltcp_address ltcp_ip_final_destination(const struct ltcp_ip *ip);
/* The pseudo header's running sum (RFC 9293 section 3.1; RFC 8200 section 8.1). */
uint32_t ltcp_pseudo_sum(const struct ltcp_address *source, const struct ltcp_address *destination,
                         uint8_t protocol, size_t length);
/* In place, with incremental update of the IPv4 checksum (RFC 1624). For routers and marking
 * queues; the packet's head must not be shared. */
void ltcp_ip_set_ttl(struct ltcp_packet *packet, uint8_t ttl);
void ltcp_ip_set_ecn(struct ltcp_packet *packet, uint8_t ecn);

/* ---- TCP options ------------------------------------------------------------------------------
 */
enum ltcp_option_kind {
    LTCP_OPTION_END = 0,
    LTCP_OPTION_NOP = 1,
    LTCP_OPTION_MSS = 2,
    LTCP_OPTION_WINDOW_SCALE = 3,   /* RFC 7323 */
    LTCP_OPTION_SACK_PERMITTED = 4, /* RFC 2018 */
    LTCP_OPTION_SACK = 5,
    LTCP_OPTION_TIMESTAMPS = 8,
    LTCP_OPTION_MD5 = 19,          /* RFC 2385 */
    LTCP_OPTION_USER_TIMEOUT = 28, /* RFC 5482 */
    LTCP_OPTION_AO = 29,           /* RFC 5925 */
    LTCP_OPTION_FAST_OPEN = 34,    /* RFC 7413 */
    LTCP_OPTION_ACCECN0 = 172,     /* RFC 9768 */
    LTCP_OPTION_ACCECN1 = 174,
    LTCP_OPTION_EXPERIMENT_1 = 253, /* RFC 6994: a 16-bit identifier follows */
    LTCP_OPTION_EXPERIMENT_2 = 254
};
#define LTCP_FAST_OPEN_EXPERIMENT 0xF989

/* Which fields of struct ltcp_options are set. */
enum {
    LTCP_HAS_MSS = 1 << 0,
    LTCP_HAS_WINDOW_SCALE = 1 << 1,
    LTCP_HAS_SACK_PERMITTED = 1 << 2,
    LTCP_HAS_SACK = 1 << 3,
    LTCP_HAS_TIMESTAMPS = 1 << 4,
    LTCP_HAS_MD5 = 1 << 5,
    LTCP_HAS_USER_TIMEOUT = 1 << 6,
    LTCP_HAS_AO = 1 << 7,
    LTCP_HAS_FAST_OPEN = 1 << 8,
    LTCP_HAS_ACCECN = 1 << 9,
    LTCP_HAS_UNKNOWN = 1 << 10,       /* one or more of another kind: see the raw bytes */
    LTCP_HAS_MALFORMED = 1 << 11,     /* a known kind with a length that is not its own: skipped */
    LTCP_HAS_BAD_FAST_OPEN = 1 << 12, /* beside it: that one was Fast Open */
    LTCP_HAS_REPEATED = 1 << 13       /* a known kind more than once: the last one was read */
};

struct ltcp_sack_block {
    ltcp_seq left, right; /* [left, right) */
};

struct ltcp_options {
    uint16_t present; /* LTCP_HAS_...; a field whose bit is clear holds nothing */
    uint16_t mss;
    uint8_t window_scale; /* as on the wire, also above 14 */
    uint8_t sack_count;   /* 1..4 */
    struct ltcp_sack_block sack[4];
    uint32_t ts_value, ts_echo;
    uint16_t user_timeout; /* as on the wire: bit 15 is the granularity, minutes when set */
    const uint8_t *md5;    /* 16 bytes */
    const uint8_t *ao;     /* the option's data: KeyID, RNextKeyID, MAC */
    uint8_t ao_length;
    const uint8_t *fast_open; /* cookie */
    uint8_t fast_open_length; /* 0: a request */
    bool fast_open_experimental;
    uint8_t accecn_kind;  /* LTCP_OPTION_ACCECN0 or 1: which counter comes first */
    uint8_t accecn_count; /* how many counters, 0..3 */
    uint32_t accecn[3];   /* 24 bits each, in wire order */
};

/* Reads options from `bytes` (all that lies between the fixed header and the data offset). At any
 * alignment (RFC9293:MUST-64); unknown kinds are skipped by their length (MUST-6); what follows
 * End of Option List is not looked at. LTCP_ERR_OPTION_LENGTH for a length of 0 or 1 or past the
 * end (MUST-7): what came before it is kept in `out`. */
enum ltcp_status ltcp_options_decode(const uint8_t *bytes, size_t length, struct ltcp_options *out);

/* Calls nothing: walks. Start with *cursor = 0; gives one option at a time, NOP and END included;
 * false at the end or at a malformed one (*cursor then says where it stopped). */
struct ltcp_raw_option {
    uint8_t kind;
    uint8_t data_length; /* without kind and length bytes */
    const uint8_t *data;
};
bool ltcp_options_next(const uint8_t *bytes, size_t length, size_t *cursor,
                       struct ltcp_raw_option *out);

/* Writes the present options in the order of `kinds` (LTCP_OPTION_..., count of them). NOPs are put
 * in front of an option so that it, or a short one together with its successor, ends on a 32-bit
 * boundary: this gives Linux's mss,sackOK,TS,nop,wscale and mss,nop,nop,sackOK,nop,wscale and
 * nop,nop,TS,nop,nop,SACK.
 * An option that no longer fits 40 bytes is left out, SACK shortened to as many blocks as fit.
 * Padded with END to a multiple of four, zero after it (RFC9293:MUST-69). Returns the length. */
size_t ltcp_options_encode(const struct ltcp_options *options, const uint8_t *kinds, size_t count,
                           uint8_t out[40]);

/* ---- TCP segment ------------------------------------------------------------------------------
 */
enum ltcp_flag {
    LTCP_FIN = 1 << 0,
    LTCP_SYN = 1 << 1,
    LTCP_RST = 1 << 2,
    LTCP_PSH = 1 << 3,
    LTCP_ACK = 1 << 4,
    LTCP_URG = 1 << 5,
    LTCP_ECE = 1 << 6,
    LTCP_CWR = 1 << 7,
    LTCP_AE = 1 << 8 /* RFC 9768 */
};

struct ltcp_segment {
    uint16_t source_port, destination_port;
    ltcp_seq seq, ack;
    uint16_t flags;  /* enum ltcp_flag */
    uint16_t window; /* the raw field */
    uint16_t urgent_pointer;
    uint16_t checksum; /* as stored */
    uint8_t reserved;  /* the 3 bits beside AE */
    uint8_t header_length;
    uint8_t options_length;
    const uint8_t *options_bytes; /* raw */
    const uint8_t *payload;
    uint32_t length; /* of the payload, without SYN and FIN */
    struct ltcp_options options;
};
/* SEG.LEN of RFC 9293 section 3.4: the payload, SYN and FIN each counting for one. */
static inline uint32_t ltcp_segment_length(const struct ltcp_segment *s)
{
    return s->length + ((s->flags & LTCP_SYN) != 0) + ((s->flags & LTCP_FIN) != 0);
}

/* Reads and verifies the segment behind `ip`'s header: LTCP_ERR_TRUNCATED, _DATA_OFFSET,
 * _CHECKSUM (RFC9293:MUST-3; not looked at where packet->checksum_good), _OPTION_LENGTH (with `out`
 * filled in, so that the caller can answer). Options are decoded. */
enum ltcp_status ltcp_segment_decode(const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                     struct ltcp_segment *out);
/* The same from contiguous bytes that begin at the TCP header. `quoted`: only the first 8 bytes
 * need be there (a quote inside ICMP), no checksum is verified and no options are read. */
enum ltcp_status ltcp_segment_decode_bytes(const void *bytes, size_t length,
                                           const struct ltcp_ip *ip, bool quoted,
                                           struct ltcp_segment *out);

/* Fills packet->head with the IP and TCP headers of `segment` (options from options_bytes, whose
 * options_length is a multiple of 4), in front of the payload that the packet already has, and the
 * checksum (RFC9293:MUST-2), using packet->payload_sum where it is valid. */
void ltcp_segment_encode(struct ltcp_packet *packet, const struct ltcp_ip *ip,
                         const struct ltcp_segment *segment);

/* Sets PSH in a TCP packet that is already made, or in the last segment of a burst, and updates its
 * checksum (RFC 1624). */
void ltcp_segment_push(struct ltcp_packet *packet);

/* One of the segments of at most `size` octets of text that a TCP packet is cut into: the one whose
 * text begins `at` octets (a multiple of `size`) behind the packet's. Lengths, numbers, flags and
 * checksums are its own, whatever checksum the packet has; the text is shared. NULL: it is not TCP,
 * has no text there, or there is no memory. */
struct ltcp_packet *ltcp_segment_cut(const struct ltcp_packet *whole, uint32_t at, uint32_t size);

/* ltcp_segment_encode for many segments of one flow: what stays is written and summed once. Not for
 * packets with IP options. `ip` and the ports as for ltcp_segment_encode; identification and ECN
 * are given anew for each packet. */
struct ltcp_template {
    uint64_t ip_sum, tcp_sum; /* of the constant fields; tcp_sum with pseudo header and ports */
    /* Of the last packet's headers, but for its identification, its sequence number and its text;
     * and of the model's. */
    uint64_t last_ip_sum, last_tcp_sum, model_ip_sum, model_tcp_sum;
    uint8_t ip[40];
    uint8_t ip_length;
    uint8_t traffic_class; /* DSCP, ECN clear */
    uint8_t model_length;  /* of its head; 0: there is none */
    uint32_t ports;
    uint32_t models; /* so many were kept */
    uint8_t model[96];
};
void ltcp_template_make(struct ltcp_template *t, const struct ltcp_ip *ip, uint16_t source_port,
                        uint16_t destination_port);
void ltcp_template_encode(struct ltcp_template *t, struct ltcp_packet *packet,
                          uint16_t identification, uint8_t ecn, const struct ltcp_segment *segment);
/* Keeps the head of `packet`, which ltcp_template_encode has written last, as a model ... */
void ltcp_template_keep(struct ltcp_template *t, const struct ltcp_packet *packet);
/* ... for packets with other text, as long and summed, and another sequence number. */
void ltcp_template_again(const struct ltcp_template *t, struct ltcp_packet *packet,
                         uint16_t identification, ltcp_seq seq);
/* The same for as many as follow: an empty burst whose first segment has that sequence number (NULL
 * when there is no memory), for segments to which `overhead` octets are added beside the TCP
 * header; whether a segment with that number and a text of that length would join it; it does. */
struct ltcp_packet *ltcp_burst_create(struct ltcp_pool *pool, const struct ltcp_template *t,
                                      uint16_t identification, ltcp_seq seq, uint32_t text,
                                      uint32_t overhead);
bool ltcp_burst_takes(const struct ltcp_packet *packet, const struct ltcp_template *t,
                      uint16_t identification, ltcp_seq seq, uint32_t text);
void ltcp_burst_add(struct ltcp_packet *packet, struct ltcp_block *text);

/* ---- ICMP ---------------------------------------------------------------------------------------
 */
enum ltcp_icmp_kind { /* RFC 792 and RFC 4443 brought to one set of names */
                      LTCP_ICMP_NET_UNREACHABLE,
                      LTCP_ICMP_HOST_UNREACHABLE,
                      LTCP_ICMP_PROTOCOL_UNREACHABLE,
                      LTCP_ICMP_PORT_UNREACHABLE,
                      LTCP_ICMP_TOO_BIG, /* fragmentation needed; `mtu` says how big, 0 when not
                                            said */
                      LTCP_ICMP_SOURCE_ROUTE_FAILED,
                      LTCP_ICMP_ADMIN_PROHIBITED,
                      LTCP_ICMP_SOURCE_QUENCH,
                      LTCP_ICMP_TIME_EXCEEDED,
                      LTCP_ICMP_PARAMETER_PROBLEM,
                      LTCP_ICMP_ECHO,
                      LTCP_ICMP_ECHO_REPLY,
                      LTCP_ICMP_OTHER
};
const char *ltcp_icmp_name(enum ltcp_icmp_kind kind); /* "too big" */

struct ltcp_icmp {
    enum ltcp_icmp_kind kind;
    uint8_t type, code; /* as on the wire; encode takes them from `kind` unless it is OTHER */
    uint32_t mtu;       /* TOO_BIG */
    uint32_t pointer;   /* PARAMETER_PROBLEM */
    uint16_t echo_id, echo_seq;
    const uint8_t *quote; /* the offending packet's first bytes, or an echo's data */
    size_t quote_length;
};
/* Verifies the ICMP checksum. The packet's payload may be where the quote lies. */
enum ltcp_status ltcp_icmp_decode(const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                  struct ltcp_icmp *out);
/* A new ICMP packet from ip->source to ip->destination; NULL when there is no memory. The quote is
 * cut to what RFC 1812 (576 bytes in all) or RFC 4443 (1280) allows. */
struct ltcp_packet *ltcp_icmp_encode(struct ltcp_pool *pool, const struct ltcp_ip *ip,
                                     const struct ltcp_icmp *icmp);

#ifdef __cplusplus
}
#endif
#endif
