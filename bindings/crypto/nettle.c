/* bindings/crypto/nettle.c - by Nettle, whose contexts are plain structs: nothing is allocated, and
 * nothing is kept between two calls. */
#include "crypto.h"

#include <nettle/cmac.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>

static void md5_of(const struct ltcp_octets *pieces, size_t count, uint8_t out[16])
{
    struct md5_ctx context;
    md5_init(&context);
    for (size_t i = 0; i < count; i++)
        md5_update(&context, pieces[i].length, pieces[i].bytes);
    md5_digest(&context, 16, out);
}

static void hmac_sha1_of(const uint8_t *key, size_t key_length, const struct ltcp_octets *pieces,
                         size_t count, uint8_t out[20])
{
    struct hmac_sha1_ctx context;
    hmac_sha1_set_key(&context, key_length, key);
    for (size_t i = 0; i < count; i++)
        hmac_sha1_update(&context, pieces[i].length, pieces[i].bytes);
    hmac_sha1_digest(&context, 20, out);
}

static void aes_128_cmac_of(const uint8_t key[16], const struct ltcp_octets *pieces, size_t count,
                            uint8_t out[16])
{
    struct cmac_aes128_ctx context;
    cmac_aes128_set_key(&context, key);
    for (size_t i = 0; i < count; i++)
        cmac_aes128_update(&context, pieces[i].length, pieces[i].bytes);
    cmac_aes128_digest(&context, 16, out);
}

const struct ltcp_crypto *ltcp_crypto(void)
{
    static const struct ltcp_crypto nettle = {.name = "Nettle",
                                              .md5 = md5_of,
                                              .hmac_sha1 = hmac_sha1_of,
                                              .aes_128_cmac = aes_128_cmac_of};
    return &nettle;
}
