/* core/include/lunatcp/authentication.h
 *
 * Segments that prove who sent them: TCP-AO (RFC 5925, algorithms of RFC 5926) and the option that
 * it replaces, TCP MD5 (RFC 2385). The core has no cryptography: three functions of a library are
 * handed to a host. Keys belong to a host and name the connections that they are for; a connection
 * that a key is for when it opens signs all that it sends, and takes only what is signed. */
#ifndef LUNATCP_AUTHENTICATION_H
#define LUNATCP_AUTHENTICATION_H

#include "lunatcp/host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- cryptography, as the core wants it ---------------------------------------------------- */

struct ltcp_octets {
    const void *bytes;
    size_t length;
};

/* Functions of the pieces put one after the other; they keep nothing and cannot fail. */
struct ltcp_crypto {
    const char *name; /* of the library, for people */
    void (*md5)(const struct ltcp_octets *pieces, size_t count, uint8_t out[16]);
    void (*hmac_sha1)(const uint8_t *key, size_t key_length, const struct ltcp_octets *pieces,
                      size_t count, uint8_t out[20]);
    void (*aes_128_cmac)(const uint8_t key[16], const struct ltcp_octets *pieces, size_t count,
                         uint8_t out[16]);
};

/* What the host signs and verifies with; outlives it. Without, or with NULL, keys are refused. */
void ltcp_host_set_crypto(struct ltcp_host *host, const struct ltcp_crypto *crypto);

bool ltcp_host_has_crypto(const struct ltcp_host *host);

/* ---- keys ---------------------------------------------------------------------------------- */

/* RFC5926:2.2-1, RFC5926:2.2-2, RFC5925:2.2-6, RFC5926:3-1: each MAC has the key derivation
 * function of section 3.1.1 that goes with it. */
enum ltcp_ao_algorithm {
    LTCP_AO_HMAC_SHA_1_96,   /* with KDF_HMAC_SHA1 */
    LTCP_AO_AES_128_CMAC_96, /* with KDF_AES_128_CMAC */
    LTCP_AO_ALGORITHM_COUNT
};
/* "HMAC-SHA-1-96", and what section 3.1.1.3 has user interfaces call its KDF: "SHA1". */
const char *ltcp_ao_algorithm_name(enum ltcp_ao_algorithm algorithm);
const char *ltcp_ao_kdf_name(enum ltcp_ao_algorithm algorithm);

#define LTCP_KEY_MOST          255 /* octets of a key */
#define LTCP_TRAFFIC_KEY_MOST  20
#define LTCP_AO_MAC            12 /* octets of either MAC */
#define LTCP_AO_OPTION         16 /* octets of the option */
#define LTCP_MD5_DIGEST        16
#define LTCP_MD5_OPTION_PADDED 20

/* The connections that a key is for: the TCP connection identifier of RFC 5925 section 3.1. */
struct ltcp_key_scope {
    struct ltcp_address remote;
    uint8_t prefix_length;            /* of `remote`, in its own family: 0..32 or 0..128 */
    uint16_t remote_port, local_port; /* 0: any */
    struct ltcp_address local;        /* unspecified: any */
};
struct ltcp_md5_key {
    struct ltcp_key_scope scope;
    const void *key; /* 1 to LTCP_KEY_MOST octets, copied */
    size_t key_length;
};
/* A Master Key Tuple, RFC 5925 section 3.1. Any octets may be a key (RFC5926:3.1-1, RFC5926:3.1-2,
 * RFC5926:3.1-3, RFC2385:4.5-1), any numbers IDs (RFC5925:3.1-3), the same both ways too
 * (RFC5925:2.2-5). */
struct ltcp_ao_key {
    struct ltcp_key_scope scope;
    uint8_t send_id, recv_id;
    enum ltcp_ao_algorithm algorithm;
    bool exclude_options; /* the TCP option flag: options other than TCP-AO are not covered */
    const void *key;      /* 1 to LTCP_KEY_MOST octets, copied */
    size_t key_length;
};

/* All of these give LTCP_ERR_NOT_SUPPORTED without cryptography, LTCP_ERR_INVALID for a key without
 * octets, with too many, or a prefix that its family does not have.
 *
 * An MD5 key takes the place of one with the same scope, also for connections that are open (RFC
 * 2385 section 1). One that is removed leaves its connections unsigned. Where several fit, the
 * longest prefix counts. RFC2385:1-1 */
enum ltcp_status ltcp_host_add_md5_key(struct ltcp_host *host, const struct ltcp_md5_key *key);
enum ltcp_status ltcp_host_remove_md5_key(struct ltcp_host *host,
                                          const struct ltcp_key_scope *scope);
/* LTCP_ERR_KEY_EXISTS where a key whose scope overlaps has the same SendID or RecvID (RFC 5925
 * section 3.1). Connections that are open may use it from now on; none begins to by itself
 * (RFC5925:7.1-1, RFC5925:3.1-5).
 */
enum ltcp_status ltcp_host_add_ao_key(struct ltcp_host *host, const struct ltcp_ao_key *key);
/* LTCP_ERR_NO_KEY; LTCP_ERR_KEY_IN_USE while it is current_key or rnext_key of a connection. */
enum ltcp_status ltcp_host_remove_ao_key(struct ltcp_host *host, const struct ltcp_key_scope *scope,
                                         uint8_t send_id, uint8_t recv_id);
/* The i-th of each, for confirmation (section 7.1); false past the last. `key` points into the host
 * until a key is added or removed. */
bool ltcp_host_md5_key(const struct ltcp_host *host, size_t i, struct ltcp_md5_key *out);
bool ltcp_host_ao_key(const struct ltcp_host *host, size_t i, struct ltcp_ao_key *out);

/* What became of arriving segments, over all of a host's connections and listeners. */
struct ltcp_authentication_counters {
    uint64_t md5_good, md5_bad, md5_missing, md5_unexpected;
    uint64_t ao_good, ao_bad, ao_missing, ao_unexpected;
    uint64_t ao_key_not_found; /* a key is for the connection, but none has that KeyID */
    uint64_t malformed;        /* both options, one of them twice, or of an illegal length */
    uint64_t accepted;         /* signed, and taken unverified since no key is for them */
    uint64_t icmp_ignored;     /* RFC 5925 section 7.8 */
};
const struct ltcp_authentication_counters *
ltcp_host_authentication_counters(const struct ltcp_host *host);

/* ---- one connection ------------------------------------------------------------------------ */

/* RFC 5925 section 7.1: current_key by SendID, rnext_key by RecvID; -1 leaves one as it is.
 * LTCP_ERR_NO_KEY, LTCP_ERR_NOT_SUPPORTED where TCP-AO is not in use. */
enum ltcp_status ltcp_set_ao_keys(struct ltcp_host *host, ltcp_handle handle, int current_send_id,
                                  int rnext_recv_id);

/* What a connection needs to be reset after its host has forgotten it (RFC 5925 section 7.7): kept
 * by the user where it outlives the host. */
struct ltcp_ao_state {
    struct ltcp_address local, remote;
    uint16_t local_port, remote_port;
    ltcp_seq iss, irs;
    uint32_t snd_sne, rcv_sne;
    ltcp_seq snd_nxt, rcv_nxt;
    uint8_t current_send_id, rnext_recv_id;
};
enum ltcp_status ltcp_ao_save(const struct ltcp_host *host, ltcp_handle handle,
                              struct ltcp_ao_state *out);
/* From now on segments of that lost connection are verified, and answered by a reset that is
 * signed. LTCP_ERR_NO_KEY where no key of the host matches; LTCP_ERR_CONNECTED where there is such
 * a connection. */
enum ltcp_status ltcp_ao_restore(struct ltcp_host *host, const struct ltcp_ao_state *state);

/* ---- the functions themselves, for those who forge ------------------------------------------ */

/* A segment, apart from its options: what both digests begin with. */
struct ltcp_covered {
    struct ltcp_address source, destination;
    const uint8_t *header; /* TCP, with options */
    size_t header_length;  /* 20..60 */
    const uint8_t *payload;
    size_t length;
};
/* RFC 2385 section 2. */
void ltcp_md5_digest(const struct ltcp_crypto *crypto, const struct ltcp_covered *segment,
                     const void *key, size_t key_length, uint8_t out[LTCP_MD5_DIGEST]);
/* RFC 5925 section 5.1. `option` is where the segment's TCP-AO begins, counted from its header. */
void ltcp_ao_mac(const struct ltcp_crypto *crypto, enum ltcp_ao_algorithm algorithm,
                 const struct ltcp_covered *segment, size_t option, const uint8_t *traffic_key,
                 uint32_t sne, bool exclude_options, uint8_t out[LTCP_AO_MAC]);
/* RFC 5925 section 5.2: the context of a key of one direction. For SYNs the destination's ISN is 0.
 */
struct ltcp_ao_context {
    struct ltcp_address source, destination;
    uint16_t source_port, destination_port;
    ltcp_seq source_isn, destination_isn;
};
/* RFC 5926 section 3.1.1. Returns the octets of the key: 20 or 16. */
size_t ltcp_ao_traffic_key(const struct ltcp_crypto *crypto, enum ltcp_ao_algorithm algorithm,
                           const void *master_key, size_t length,
                           const struct ltcp_ao_context *context,
                           uint8_t out[LTCP_TRAFFIC_KEY_MOST]);

#ifdef __cplusplus
}
#endif
#endif
