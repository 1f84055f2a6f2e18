/* core/wire/authentication.c
 *
 * What digests of TCP MD5 (RFC 2385) and TCP-AO (RFC 5925, RFC 5926) are made of. The functions
 * themselves come from a library. */
#include "lunatcp/authentication.h"
#include "ip.h"

enum { PSEUDO_MOST = 40, PIECES_MOST = 6, LABEL = 6 };

static const struct {
    const char *name, *kdf;
} words[LTCP_AO_ALGORITHM_COUNT] = {
    [LTCP_AO_HMAC_SHA_1_96] = {"HMAC-SHA-1-96", "SHA1"},       /* RFC5926:3.1.1.3-1 */
    [LTCP_AO_AES_128_CMAC_96] = {"AES-128-CMAC-96", "AES128"}, /* RFC5926:3.1.1.3-2 */
};

const char *ltcp_ao_algorithm_name(enum ltcp_ao_algorithm algorithm)
{
    return (unsigned)algorithm < LTCP_AO_ALGORITHM_COUNT ? words[algorithm].name : "?";
}

const char *ltcp_ao_kdf_name(enum ltcp_ao_algorithm algorithm)
{
    return (unsigned)algorithm < LTCP_AO_ALGORITHM_COUNT ? words[algorithm].kdf : "?";
}

/* Both addresses, as long as the family has them; how many octets. */
static size_t write_addresses(uint8_t *out, const struct ltcp_address *source,
                              const struct ltcp_address *destination)
{
    const size_t skip = address_is_v4(source) && address_is_v4(destination) ? 12 : 0;
    memcpy(out, source->bytes + skip, 16 - skip);
    memcpy(out + 16 - skip, destination->bytes + skip, 16 - skip);
    return 2 * (16 - skip);
}

/* As the checksum has it: zero, protocol and 16 bits of length (RFC 9293 section 3.1); length and
 * next header in 32 bits each (RFC 8200 section 8.1). */
static size_t write_pseudo(uint8_t *out, const struct ltcp_covered *s)
{
    const size_t at = write_addresses(out, &s->source, &s->destination);
    const size_t length = s->header_length + s->length;
    if (at == 8) {
        out[8] = 0;
        out[9] = LTCP_PROTOCOL_TCP;
        store_be16(out + 10, (uint16_t)length);
        return 12;
    }
    store_be32(out + at, (uint32_t)length);
    store_be32(out + at + 4, LTCP_PROTOCOL_TCP);
    return at + 8;
}

/* The fixed header with a checksum of zero. */
static void write_fixed(uint8_t out[TCP_HEADER], const struct ltcp_covered *s)
{
    memcpy(out, s->header, TCP_HEADER);
    out[16] = out[17] = 0;
}

/* RFC2385:2-2: pseudo header, header without options and with a checksum of zero, data, key. */
void ltcp_md5_digest(const struct ltcp_crypto *crypto, const struct ltcp_covered *s,
                     const void *key, size_t key_length, uint8_t out[LTCP_MD5_DIGEST])
{
    uint8_t pseudo[PSEUDO_MOST], fixed[TCP_HEADER];
    const size_t pseudo_length = write_pseudo(pseudo, s);
    write_fixed(fixed, s);
    crypto->md5((const struct ltcp_octets[]){{pseudo, pseudo_length},
                                             {fixed, sizeof fixed},
                                             {s->payload, s->length},
                                             {key, key_length}},
                4, out);
}

/* RFC5925:5.1-1: SNE, pseudo header, header with a checksum and a MAC of zero, data. RFC5925:3.1-1:
 * of the options all, or TCP-AO alone. */
void ltcp_ao_mac(const struct ltcp_crypto *crypto, enum ltcp_ao_algorithm algorithm,
                 const struct ltcp_covered *s, size_t option, const uint8_t *traffic_key,
                 uint32_t sne, bool exclude_options, uint8_t out[LTCP_AO_MAC])
{
    uint8_t extension[4], pseudo[PSEUDO_MOST], fixed[TCP_HEADER], options[40], whole[20];
    const size_t octets = s->header_length - TCP_HEADER, at = option - TCP_HEADER;
    store_be32(extension, sne);
    const size_t pseudo_length = write_pseudo(pseudo, s);
    write_fixed(fixed, s);
    memcpy(options, s->header + TCP_HEADER, octets);
    memset(options + at + 4, 0, options[at + 1] - 4u);
    const struct ltcp_octets pieces[] = {
        {extension, sizeof extension},
        {pseudo, pseudo_length},
        {fixed, sizeof fixed},
        {exclude_options ? options + at : options, exclude_options ? options[at + 1] : octets},
        {s->payload, s->length}};
    if (algorithm == LTCP_AO_HMAC_SHA_1_96) /* RFC5926:3.2.1-1 */
        crypto->hmac_sha1(traffic_key, 20, pieces, 5, whole);
    else /* RFC5926:3.2.2-1 */
        crypto->aes_128_cmac(traffic_key, pieces, 5, whole);
    memcpy(out, whole, LTCP_AO_MAC); /* RFC5926:3.2-1 */
}

/* RFC5926:3.1.1-1: i, label, context and output length; one turn of the function is enough for
 * either of them. */
size_t ltcp_ao_traffic_key(const struct ltcp_crypto *crypto, enum ltcp_ao_algorithm algorithm,
                           const void *master_key, size_t length, const struct ltcp_ao_context *c,
                           uint8_t out[LTCP_TRAFFIC_KEY_MOST])
{
    static const uint8_t zero[16];
    const bool sha1 = algorithm == LTCP_AO_HMAC_SHA_1_96;
    uint8_t input[1 + LABEL + 32 + 12 + 2] = "\1TCP-AO", key[16];
    size_t at = 1 + LABEL;
    at += write_addresses(input + at, &c->source, &c->destination);
    store_be16(input + at, c->source_port);
    store_be16(input + at + 2, c->destination_port);
    store_be32(input + at + 4, c->source_isn.n);
    store_be32(input + at + 8, c->destination_isn.n);
    store_be16(input + at + 12, sha1 ? 160 : 128);
    const struct ltcp_octets piece = {input, at + 14};
    if (sha1) { /* RFC5926:3.1.1.1-1 */
        crypto->hmac_sha1(master_key, length, &piece, 1, out);
        return 20;
    }
    /* RFC5926:3.1.1.2-1: a master key of another length than the cipher's is extracted first. */
    if (length != sizeof key)
        crypto->aes_128_cmac(zero, &(struct ltcp_octets){master_key, length}, 1, key);
    else
        memcpy(key, master_key, sizeof key);
    crypto->aes_128_cmac(key, &piece, 1, out);
    return 16;
}
