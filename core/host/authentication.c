/* core/host/authentication.c
 *
 * What arrives is verified (RFC 5925 section 7.5, RFC 2385 section 2) before it is given to a
 * connection or a listener, and a reset that no connection sends is signed where that can be. */
#include <string.h>

#include "host/host.h"
#include "tcp/authentication.h"

static struct ltcp_flow flow_of(const struct ltcp_arrival *a)
{
    return (struct ltcp_flow){.local_port = a->segment->destination_port,
                              .remote_port = a->segment->source_port,
                              .local = a->ip->destination,
                              .remote = a->ip->source};
}

static bool same_flow(const struct ltcp_flow *a, const struct ltcp_flow *b)
{
    return a->local_port == b->local_port && a->remote_port == b->remote_port &&
           ltcp_address_equal(&a->local, &b->local) && ltcp_address_equal(&a->remote, &b->remote);
}

static struct ltcp_lost *find_lost(const struct ltcp_host *host, const struct ltcp_flow *flow)
{
    struct ltcp_lost *lost = host->engine.keys->lost;
    while (lost != NULL && !same_flow(&lost->flow, flow))
        lost = lost->next;
    return lost;
}

/* ---- arriving -----------------------------------------------------------------------------------
 */

/* RFC5925:7.3-3: a signature that no key is for is passed over, or not, as the host is set. */
static enum ltcp_status no_key(struct ltcp_host *host, const struct ltcp_connection *c,
                               const struct ltcp_signatures *found)
{
    struct ltcp_authentication_counters *n = &host->engine.authentication;
    if (found->ao == NULL && found->md5 == NULL) return LTCP_OK;
    const struct ltcp_settings *s = c != NULL ? settings_of(c) : &host->share->settings;
    if (s->accept_unmatched_authentication) {
        n->accepted++;
        return LTCP_OK;
    }
    if (found->ao != NULL)
        n->ao_unexpected++;
    else
        n->md5_unexpected++;
    return LTCP_ERR_AUTHENTICATION;
}

static enum ltcp_status stranger_md5(struct ltcp_host *host, const struct ltcp_md5_entry *entry,
                                     const struct ltcp_arrival *a,
                                     const struct ltcp_signatures *found)
{
    struct ltcp_authentication_counters *n = &host->engine.authentication;
    uint64_t *counter = &n->md5_good;
    if (found->ao != NULL)
        counter = &n->ao_unexpected;
    else if (found->md5 == NULL)
        counter = &n->md5_missing;
    else if (!authentication_md5_is_right(host->engine.keys, entry, a, found->md5))
        counter = &n->md5_bad;
    ++*counter;
    return counter == &n->md5_good ? LTCP_OK : LTCP_ERR_AUTHENTICATION;
}

/* No connection takes it, or it may become another one: the keys of the host decide. Of a segment
 * that is no SYN the ISNs are not known: what is said in answer is not believed (RFC5925:5.2-3),
 * unless the connection is one that was lost and remembered (RFC5925:7.7-3). */
static enum ltcp_status stranger(struct ltcp_host *host, const struct ltcp_arrival *a,
                                 const struct ltcp_signatures *found)
{
    struct ltcp_engine *e = &host->engine;
    const struct ltcp_flow flow = flow_of(a);
    if (e->keys == NULL) return no_key(host, NULL, found);
    if (keys_first_mkt(e->keys, &flow) != NULL) {
        if ((a->flags & (LTCP_SYN | LTCP_ACK)) == LTCP_SYN)
            return authentication_verify_syn(e, &flow, a, found);
        struct ltcp_lost *lost = find_lost(host, &flow);
        if (lost == NULL) return LTCP_OK;
        authentication_look_again(e, &lost->authentication, &flow);
        return authentication_verify_with(e, &lost->authentication, &flow, a, found);
    }
    const struct ltcp_md5_entry *entry = keys_md5(e->keys, &flow);
    return entry != NULL ? stranger_md5(host, entry, a, found) : no_key(host, NULL, found);
}

enum ltcp_status authentication_admit(struct ltcp_host *host, const struct ltcp_arrival *a)
{
    struct ltcp_connection *c = a->connection;
    struct ltcp_signatures found;
    signatures_find(a->segment, &found); /* RFC5925:7.5-2: before any other option */
    if (found.malformed) {
        host->engine.authentication.malformed++;
        return LTCP_ERR_AUTHENTICATION;
    }
    if (c != NULL && c->authenticated) return authentication_verify(c, a, &found);
    const bool syn = (a->flags & (LTCP_SYN | LTCP_ACK)) == LTCP_SYN;
    return c == NULL || syn ? stranger(host, a, &found) : no_key(host, c, &found);
}

bool authentication_applies(const struct ltcp_host *host, const struct ltcp_arrival *a)
{
    const struct ltcp_keys *keys = host->engine.keys;
    if (keys == NULL) return false;
    const struct ltcp_flow flow = flow_of(a);
    return keys_first_mkt(keys, &flow) != NULL || keys_md5(keys, &flow) != NULL;
}

bool authentication_lacks_ao(const struct ltcp_host *host, const struct ltcp_settings *s,
                             const struct ltcp_flow *flow)
{
    const struct ltcp_keys *keys = host->engine.keys;
    return s->ao_required && (keys == NULL || keys_first_mkt(keys, flow) == NULL);
}

bool authentication_required_is_missing(struct ltcp_host *host, const struct ltcp_settings *s,
                                        const struct ltcp_arrival *a)
{
    const struct ltcp_flow flow = flow_of(a);
    if (!authentication_lacks_ao(host, s, &flow)) return false;
    host->engine.authentication.ao_missing++;
    return true;
}

/* ---- resets -------------------------------------------------------------------------------------
 */

/* RFC2385:4.1-1. Who signs: a connection's or a lost one's state; or an MD5 key. False: nobody can.
 */
static bool find_signer(struct ltcp_host *host, const struct ltcp_arrival *a,
                        struct ltcp_authentication **x, const struct ltcp_md5_entry **entry)
{
    const struct ltcp_keys *keys = host->engine.keys;
    const struct ltcp_connection *c = a->connection;
    *x = NULL;
    *entry = NULL;
    if (keys == NULL) return false;
    if (c != NULL && c->authenticated) {
        *x = authentication_of(c);
        return (*x)->kind == LTCP_AUTHENTICATED_MD5 ||
               ((*x)->kind == LTCP_AUTHENTICATED_AO && (*x)->isns_known);
    }
    const struct ltcp_flow flow = flow_of(a);
    if (keys_first_mkt(keys, &flow) != NULL) {
        struct ltcp_lost *lost = find_lost(host, &flow);
        if (lost != NULL) *x = &lost->authentication;
        return lost != NULL;
    }
    *entry = keys_md5(keys, &flow);
    return *entry != NULL;
}

uint8_t authentication_reply_options(struct ltcp_host *host, const struct ltcp_arrival *a,
                                     uint8_t out[40])
{
    struct ltcp_authentication *x;
    const struct ltcp_md5_entry *entry;
    return find_signer(host, a, &x, &entry) ? authentication_reserve_for(x, out) : 0;
}

void authentication_reply_sign(struct ltcp_host *host, const struct ltcp_arrival *a,
                               struct ltcp_packet *packet)
{
    struct ltcp_authentication *x;
    const struct ltcp_md5_entry *entry;
    const struct ltcp_flow flow = flow_of(a);
    if (find_signer(host, a, &x, &entry))
        authentication_sign_for(&host->engine, x, &flow, entry, packet);
}
