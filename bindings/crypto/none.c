/* bindings/crypto/none.c - for a build without a library. */
#include "crypto.h"

const struct ltcp_crypto *ltcp_crypto(void)
{
    return NULL;
}
