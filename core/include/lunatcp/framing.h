/* core/include/lunatcp/framing.h
 *
 * What a UDP datagram of a tunnel carries, and what an Ethernet inside it needs: pure functions.
 *
 *   plain     the TCP header and data; the IP header is left away here and made again there
 *   rawip     an IP packet; its first four bits say which
 *   vxlan     RFC 7348: the VXLAN header, an Ethernet frame, an IP packet
 *   cheshire  draft-cheshire-tcp-over-udp-00: a TCP header in which the UDP header stands for the
 *             ports and the checksum, and without an urgent pointer
 */
#ifndef LUNATCP_FRAMING_H
#define LUNATCP_FRAMING_H

#include "lunatcp/packet.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ltcp_framing {
    LTCP_FRAMING_PLAIN,
    LTCP_FRAMING_RAWIP,
    LTCP_FRAMING_VXLAN,
    LTCP_FRAMING_CHESHIRE,
    LTCP_FRAMING_COUNT
};
enum ltcp_inner_checksum { LTCP_INNER_CHECKSUM, LTCP_UDP_CHECKSUM };

/* ---- Ethernet, RFC 894 and RFC 2464 ------------------------------------------------------------
 */
struct ltcp_mac {
    uint8_t bytes[6];
};
enum { LTCP_ETHERNET_HEADER = 14 };
enum { LTCP_ETHERTYPE_IPV4 = 0x0800, LTCP_ETHERTYPE_ARP = 0x0806, LTCP_ETHERTYPE_IPV6 = 0x86DD };

struct ltcp_ethernet {
    struct ltcp_mac destination, source;
    uint16_t type; /* 0x8100 and the like: a VLAN tag follows, which nothing here looks into */
};
/* LTCP_ERR_TRUNCATED. */
enum ltcp_status ltcp_ethernet_decode(const uint8_t *bytes, size_t length,
                                      struct ltcp_ethernet *out);
void ltcp_ethernet_encode(const struct ltcp_ethernet *ethernet, uint8_t out[LTCP_ETHERNET_HEADER]);
bool ltcp_mac_equal(const struct ltcp_mac *a, const struct ltcp_mac *b);
bool ltcp_mac_is_group(const struct ltcp_mac *mac); /* multicast, or broadcast */
struct ltcp_mac ltcp_mac_broadcast(void);
/* Of a group of IPv4 (RFC 1112 section 6.4) or IPv6 (RFC 2464 section 7); of 255.255.255.255 the
 * broadcast's. */
struct ltcp_mac ltcp_mac_of_group(const struct ltcp_address *group);
/* A locally administered address made of an IP address: for who has none. */
struct ltcp_mac ltcp_mac_of_address(const struct ltcp_address *address);
/* "02:00:0a:00:00:01"; LTCP_ERR_INVALID for anything else, and for a group. */
enum ltcp_status ltcp_mac_parse(const char *text, struct ltcp_mac *out);
#define LTCP_MAC_TEXT 18
void ltcp_mac_format(const struct ltcp_mac *mac, char out[LTCP_MAC_TEXT]);

/* ---- VXLAN, RFC 7348 section 5 ------------------------------------------------------------------
 */
enum { LTCP_VXLAN_HEADER = 8, LTCP_VXLAN_PORT = 4789, LTCP_VXLAN_VNI_MAX = 0xFFFFFF };
void ltcp_vxlan_encode(uint32_t vni, uint8_t out[LTCP_VXLAN_HEADER]);
/* LTCP_ERR_TRUNCATED; LTCP_ERR_FRAMING where the I flag is not set. Reserved bits are not looked
 * at. */
enum ltcp_status ltcp_vxlan_decode(const uint8_t *bytes, size_t length, uint32_t *vni);

/* ---- ARP, RFC 826, of IPv4 over Ethernet --------------------------------------------------------
 */
enum { LTCP_ARP_LENGTH = 28 };
enum { LTCP_ARP_REQUEST = 1, LTCP_ARP_REPLY = 2 };
struct ltcp_arp {
    uint16_t operation; /* as on the wire */
    struct ltcp_mac sender_mac, target_mac;
    struct ltcp_address sender, target;
};
/* What follows the Ethernet header. LTCP_ERR_TRUNCATED; LTCP_ERR_NOT_SUPPORTED where it is not of
 * IPv4 over Ethernet. */
enum ltcp_status ltcp_arp_decode(const uint8_t *bytes, size_t length, struct ltcp_arp *out);
void ltcp_arp_encode(const struct ltcp_arp *arp, uint8_t out[LTCP_ARP_LENGTH]);

/* ---- neighbour discovery, RFC 4861 sections 4.3, 4.4, 7.1 ---------------------------------------
 */
enum { LTCP_NEIGHBOUR_LENGTH = 72 }; /* IPv6, ICMPv6, one link-layer address option */
struct ltcp_neighbour {
    struct ltcp_address source, destination, target;
    struct ltcp_mac mac; /* the source's in a solicitation, the target's in the other */
    bool advertisement;  /* or solicitation */
    bool has_mac;        /* the option is there */
    bool router, solicited, override; /* of an advertisement */
};
/* Is the IPv6 packet one of the two? Only then is it worth decoding. */
bool ltcp_neighbour_is(const uint8_t *packet, size_t length);
/* From a contiguous IPv6 packet. LTCP_ERR_TRUNCATED, _CHECKSUM, LTCP_ERR_PROTOCOL where it is
 * another message, LTCP_ERR_FRAMING where it fails one of the other checks of section 7.1. */
enum ltcp_status ltcp_neighbour_decode(const uint8_t *packet, size_t length,
                                       struct ltcp_neighbour *out);
/* An IPv6 packet; returns its length: without the option it is shorter by 8. */
size_t ltcp_neighbour_encode(const struct ltcp_neighbour *neighbour,
                             uint8_t out[LTCP_NEIGHBOUR_LENGTH]);
/* ff02::1:ff00:0/104 and the address's last 24 bits: RFC 4291 section 2.7.1. */
struct ltcp_address ltcp_solicited_node(const struct ltcp_address *address);

/* ---- framings -----------------------------------------------------------------------------------
 */
/* What the datagram does not carry inside, and the tunnel therefore knows. */
struct ltcp_framing_context {
    enum ltcp_framing framing;
    enum ltcp_inner_checksum checksum;     /* plain only */
    struct ltcp_address local, remote;     /* inner addresses (plain, cheshire) */
    uint16_t local_port, remote_port;      /* cheshire: UDP's, which are TCP's too */
    uint8_t dscp, ecn, ttl;                /* in: from the socket's control messages */
    uint32_t vni;                          /* vxlan */
    struct ltcp_mac local_mac, remote_mac; /* vxlan */
};
/* How many octets more than the IP packet's a datagram's payload has, below 0 fewer, where the IP
 * header of `version` 4 or 6 has no options. */
int ltcp_framing_overhead(enum ltcp_framing framing, unsigned version);

enum { LTCP_FRAMING_LEAD = LTCP_VXLAN_HEADER + LTCP_ETHERNET_HEADER };
/* A datagram's payload: lead[0..lead_length), then the packet without its first `skip` octets, all
 * of which lie in its head. */
struct ltcp_framed {
    size_t skip;
    uint8_t lead_length;
    uint8_t lead[LTCP_FRAMING_LEAD];
};
/* Out: which bytes form the datagram's payload; no copy. With LTCP_UDP_CHECKSUM the inner checksum
 * field is set to zero in the head. LTCP_ERR_NOT_SUPPORTED for a packet that the framing cannot
 * carry: not TCP in `plain` and `cheshire`; and in `cheshire`, of other ports than UDP's, or with
 * URG. The IP version and remote_mac make vxlan's Ethernet header. */
enum ltcp_status ltcp_framing_strip(const struct ltcp_framing_context *context,
                                    struct ltcp_packet *packet, struct ltcp_framed *out);
/* In: a datagram's payload, in `block` at `offset`, becomes an IP packet; the IP header is made
 * where there is none. LTCP_ERR_FRAMING (for vxlan also a frame of another VNI, not addressed to
 * local_mac or a group, or with a VLAN tag: RFC 7348 section 6.1), _TRUNCATED, _NO_MEMORY;
 * LTCP_ERR_PROTOCOL: a frame of vxlan that holds no IP packet. */
enum ltcp_status ltcp_framing_unstrip(const struct ltcp_framing_context *context,
                                      struct ltcp_block *block, size_t offset, size_t length,
                                      struct ltcp_packet **out);
/* vxlan: the frame in a datagram, checked as above; the frame's payload begins
 * LTCP_FRAMING_LEAD octets after the datagram's. */
enum ltcp_status ltcp_vxlan_frame(const struct ltcp_framing_context *context, const uint8_t *bytes,
                                  size_t length, struct ltcp_ethernet *out);

/* ---- trains -------------------------------------------------------------------------------------
 *
 * Datagrams with one sender and one marking, that came one after the other, become one packet where
 * they carry a run of text that one segment could carry, as a network card would put them together
 * (generic receive offload): ACKs with text and perhaps PSH, whose headers, IP and Ethernet ones
 * included, say the same of everything but sequence number, length and identification, whose sums
 * are right, and which no router has marked. All texts but the last are of one length. Members are
 * for train.c alone. */
struct ltcp_train {
    const struct ltcp_framing_context *context;
    struct ltcp_block *block;
    struct ltcp_packet *packet; /* NULL: it is still one datagram */
    uint8_t *first, *end;       /* the first datagram; where the text that is together ends */
    uint64_t pseudo;            /* sum of the pseudo header without the length */
    uint32_t text;              /* octets that are together */
    uint16_t gathered_of;       /* octets of each text but the last */
    uint16_t count;             /* datagrams */
    uint8_t ip, tcp, header;    /* where these headers begin, and the last of them ends */
    uint8_t push;
    bool last; /* one was shorter */
};
/* The datagram p[0..length), in `block`, is the first. False: it has to go by itself. Whatever
 * `context` is must stay as it is until the end. */
bool ltcp_train_begin(struct ltcp_train *train, const struct ltcp_framing_context *context,
                      struct ltcp_block *block, uint8_t *p, size_t length);
/* The next one, behind it in the same block, or in another one: its text moves to where the text
 * before it ends. False: it does not go with them, its sum is wrong, or there is no room or memory;
 * nothing was changed. */
bool ltcp_train_add(struct ltcp_train *train, uint8_t *p, size_t length);
/* The packet (one reference), which says that its checksum is good; NULL: nothing was added. In any
 * case the train is over. */
struct ltcp_packet *ltcp_train_end(struct ltcp_train *train);

/* The same for who sends, and moves nothing (`block` NULL, only the headers at `p`): would that
 * datagram go with them, apart from its sum; it does; the headers from the IP header on that all of
 * them together have, of `rawip` and `vxlan`: how many octets. The TCP checksum in them is the sum
 * of the pseudo header alone, as a device wants it that sums the rest. */
bool ltcp_train_follows(const struct ltcp_train *train, const uint8_t *p, size_t length);
void ltcp_train_count(struct ltcp_train *train, size_t text);
size_t ltcp_train_head(const struct ltcp_train *train, uint8_t *out);

#ifdef __cplusplus
}
#endif
#endif
