/* core/tcp/authentication.h
 *
 * The keys of a host, and what one connection makes of them. Keys are looked for when a connection
 * opens and when the set of keys changes; traffic keys are derived once; a segment then costs its
 * digest. Internal to the core. */
#ifndef LUNATCP_TCP_AUTHENTICATION_H
#define LUNATCP_TCP_AUTHENTICATION_H

#include "lunatcp/authentication.h"
#include "tcp/connection.h"

struct ltcp_md5_entry {
    struct ltcp_key_scope scope;
    uint8_t key_length;
    uint8_t key[LTCP_KEY_MOST];
};
/* RFC 5925 section 3.1. Its components never change (RFC5925:3.1-4). */
struct ltcp_mkt {
    struct ltcp_key_scope scope;
    uint32_t serial; /* never used twice */
    uint8_t send_id, recv_id;
    uint8_t algorithm; /* enum ltcp_ao_algorithm */
    bool exclude_options;
    uint8_t key_length;
    uint8_t key[LTCP_KEY_MOST];
};

/* The keys that a connection knows: an MKT's parameters, and its traffic keys. */
struct ltcp_traffic {
    uint32_t serial;
    uint8_t send_id, recv_id, algorithm;
    bool exclude_options;
    bool derived; /* the two keys below are there */
    uint8_t send_other[LTCP_TRAFFIC_KEY_MOST], receive_other[LTCP_TRAFFIC_KEY_MOST];
};
struct ltcp_authentication {
    uint32_t generation; /* of the host's keys, when they were looked at */
    uint8_t kind;        /* enum ltcp_authentication_kind */
    bool isns_known;
    bool received;
    uint8_t received_key_id, received_rnext_key_id;
    uint32_t md5; /* which of the host's entries */
    /* RFC 5925 section 4 */
    uint32_t current_key, rnext_key; /* serials */
    struct ltcp_traffic *traffic;
    uint32_t traffic_count;
    ltcp_seq iss, irs;
    uint64_t snd_extended, rcv_extended; /* SNE and sequence number of something recent */
    uint64_t good, bad, missing, key_not_found, unexpected, icmp_ignored;
};

/* A connection that was lost with its host's memory (RFC 5925 section 7.7). */
struct ltcp_lost {
    struct ltcp_lost *next;
    struct ltcp_flow flow;
    struct ltcp_authentication authentication;
};

struct ltcp_keys {
    const struct ltcp_crypto *crypto;
    struct ltcp_md5_entry *md5;
    struct ltcp_mkt *mkts;
    struct ltcp_lost *lost;
    uint32_t md5_count, mkt_count;
    uint32_t generation, serials;
};

/* keys.c */
/* The host's keys, made where there are none; NULL: no memory. */
struct ltcp_keys *authentication_keys(struct ltcp_engine *e);
void keys_free(struct ltcp_engine *e);
bool scope_matches(const struct ltcp_key_scope *scope, const struct ltcp_flow *flow);
/* The best entry for a connection; NULL: none. */
const struct ltcp_md5_entry *keys_md5(const struct ltcp_keys *keys, const struct ltcp_flow *flow);
/* The MKT that a connection begins with. */
const struct ltcp_mkt *keys_first_mkt(const struct ltcp_keys *keys, const struct ltcp_flow *flow);
/* The one MKT for a socket pair and a KeyID (RFC5925:3.3-3). */
const struct ltcp_mkt *keys_mkt_by_recv_id(const struct ltcp_keys *keys,
                                           const struct ltcp_flow *flow, uint8_t recv_id);

/* authentication_options.c: the options of one segment, looked at apart */
struct ltcp_signatures {
    const uint8_t *md5, *ao; /* where their kind octet is; NULL: none */
    uint8_t ao_length;       /* of the whole option */
    bool malformed;          /* twice, both, or a length that is not theirs */
};
void signatures_find(const struct ltcp_segment *s, struct ltcp_signatures *out);

/* authentication.c, for connections whose `authenticated` is set */
static inline struct ltcp_authentication *authentication_of(const struct ltcp_connection *c)
{
    return c->rare->authentication;
}
/* Keys are looked for; false: no memory, and the connection must not open. */
bool authentication_open(struct ltcp_connection *c);
void authentication_release(struct ltcp_connection *c);
/* A verified SYN made this connection: its keys are the first ones. */
void authentication_syn_arrives(struct ltcp_connection *c, const struct ltcp_segment *s);
/* The set of keys may have changed since. */
void authentication_look_again(struct ltcp_engine *e, struct ltcp_authentication *x,
                               const struct ltcp_flow *flow);
void authentication_info(const struct ltcp_connection *c, struct ltcp_authentication_info *out);
/* An arriving segment of a connection: LTCP_OK, or LTCP_ERR_AUTHENTICATION. */
enum ltcp_status authentication_verify(struct ltcp_connection *c, const struct ltcp_arrival *a,
                                       const struct ltcp_signatures *found);
/* The same by a state that hangs on no connection. */
enum ltcp_status authentication_verify_with(struct ltcp_engine *e, struct ltcp_authentication *x,
                                            const struct ltcp_flow *flow,
                                            const struct ltcp_arrival *a,
                                            const struct ltcp_signatures *found);
/* A SYN, by the keys of its host. */
enum ltcp_status authentication_verify_syn(struct ltcp_engine *e, const struct ltcp_flow *flow,
                                           const struct ltcp_arrival *a,
                                           const struct ltcp_signatures *found);
bool authentication_md5_is_right(const struct ltcp_keys *keys, const struct ltcp_md5_entry *entry,
                                 const struct ltcp_arrival *a, const uint8_t *option);
/* Octets of options that every segment has for it. */
uint8_t authentication_room(const struct ltcp_connection *c);
/* No timestamps in the SYN: beside them and a digest no SACK block has room. */
bool authentication_forbids_timestamps(const struct ltcp_connection *c);
/* The option without its digest, before all others; how many octets. */
uint8_t authentication_reserve(struct ltcp_connection *c, uint8_t out[40]);
/* The digest of a packet that is made otherwise; again after its header was changed. */
void authentication_sign(struct ltcp_connection *c, struct ltcp_packet *packet);
/* RFC 5925 section 7.8. */
bool authentication_ignores_icmp(struct ltcp_connection *c, const struct ltcp_icmp *icmp);

/* The same two for segments that no connection sends. `x`: AO; NULL: `entry`, of MD5. */
uint8_t authentication_reserve_for(const struct ltcp_authentication *x, uint8_t out[40]);
void authentication_sign_for(struct ltcp_engine *e, struct ltcp_authentication *x,
                             const struct ltcp_flow *flow, const struct ltcp_md5_entry *entry,
                             struct ltcp_packet *packet);
struct ltcp_traffic *authentication_traffic(const struct ltcp_authentication *x, uint32_t serial);
/* Takes all matching MKTs into the state; false: no memory, and nothing changed. */
bool authentication_collect(struct ltcp_engine *e, struct ltcp_authentication *x,
                            const struct ltcp_flow *flow);
/* What can matter of them from now on (digest.h). */
struct digest;
void authentication_digest(struct digest *d, const struct ltcp_authentication *x);
void keys_digest(struct digest *d, const struct ltcp_keys *keys);
uint32_t authentication_sne(uint64_t extended, ltcp_seq seq);

#endif
