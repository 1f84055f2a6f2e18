/* bindings/crypto/crypto.h
 *
 * The cryptography that this build has. core/ gets it as a pointer (lunatcp/authentication.h) and
 * knows no library. */
#ifndef LUNATCP_CRYPTO_H
#define LUNATCP_CRYPTO_H

#include "lunatcp/authentication.h"

/* NULL in a build without a library: authentication is then refused. */
const struct ltcp_crypto *ltcp_crypto(void);

#endif
