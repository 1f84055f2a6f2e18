/* core/tcp/authentication.c
 *
 * One connection under TCP-AO (RFC 5925) or TCP MD5 (RFC 2385): what it sends is signed between the
 * writing of its header and the way out, what arrives is verified before anything else looks at it.
 */
#include <string.h>

#include "tcp/authentication.h"
#include "wire/bytes.h"
#include "wire/scope.h"

enum { AO_DIGEST_AT = 4, MD5_DIGEST_AT = 2, TCP_HEADER = 20 };

/* ---- the state ----------------------------------------------------------------------------------
 */

struct ltcp_traffic *authentication_traffic(const struct ltcp_authentication *x, uint32_t serial)
{
    for (uint32_t i = 0; i < x->traffic_count; i++)
        if (x->traffic[i].serial == serial) return &x->traffic[i];
    return NULL;
}

static struct ltcp_traffic *traffic_by_recv_id(const struct ltcp_authentication *x, uint8_t id)
{
    for (uint32_t i = 0; i < x->traffic_count; i++)
        if (x->traffic[i].recv_id == id) return &x->traffic[i];
    return NULL;
}

static const struct ltcp_traffic *traffic_by_send_id(const struct ltcp_authentication *x,
                                                     uint8_t id)
{
    for (uint32_t i = 0; i < x->traffic_count; i++)
        if (x->traffic[i].send_id == id) return &x->traffic[i];
    return NULL;
}

/* RFC5925:7.1-2: the set may change under a connection; what it knows already stays as it is. */
bool authentication_collect(struct ltcp_engine *e, struct ltcp_authentication *x,
                            const struct ltcp_flow *flow)
{
    const struct ltcp_keys *keys = e->keys;
    uint32_t count = 0;
    for (uint32_t i = 0; i < keys->mkt_count; i++)
        count += scope_matches(&keys->mkts[i].scope, flow);
    struct ltcp_traffic *fresh = NULL;
    if (count > 0 && (fresh = engine_zeroed(e, count * sizeof *fresh)) == NULL) return false;
    struct ltcp_traffic *t = fresh;
    for (uint32_t i = 0; i < keys->mkt_count; i++) {
        const struct ltcp_mkt *mkt = &keys->mkts[i];
        if (!scope_matches(&mkt->scope, flow)) continue;
        const struct ltcp_traffic *old = authentication_traffic(x, mkt->serial);
        if (old != NULL) {
            *t++ = *old;
            continue;
        }
        t->serial = mkt->serial;
        t->send_id = mkt->send_id;
        t->recv_id = mkt->recv_id;
        t->algorithm = mkt->algorithm;
        t->exclude_options = mkt->exclude_options;
        t++;
    }
    engine_resize(e, x->traffic, x->traffic_count * sizeof *x->traffic, 0);
    x->traffic = fresh;
    x->traffic_count = count;
    x->generation = keys->generation;
    return true;
}

/* RFC5925:8-1, RFC5925:8-4: either; RFC5925:8-2: TCP-AO comes before TCP MD5 where both have keys;
 * RFC5925:8-3: never both. An MKT is looked for whatever the state to come (RFC5925:7.2-1). */
bool authentication_open(struct ltcp_connection *c)
{
    struct ltcp_engine *e = c->engine;
    const struct ltcp_mkt *mkt = keys_first_mkt(e->keys, &c->flow);
    const struct ltcp_md5_entry *entry = mkt == NULL ? keys_md5(e->keys, &c->flow) : NULL;
    if (mkt == NULL && entry == NULL) return true; /* RFC5925:3.3-4 */
    struct ltcp_rare *r = rare_of(c);
    struct ltcp_authentication *x = engine_zeroed(e, sizeof *x);
    if (x == NULL || r == e->nobody || (mkt != NULL && !authentication_collect(e, x, &c->flow))) {
        engine_resize(e, x, sizeof *x, 0);
        return false;
    }
    x->kind = mkt != NULL ? LTCP_AUTHENTICATED_AO : LTCP_AUTHENTICATED_MD5;
    x->generation = e->keys->generation;
    if (mkt != NULL) x->current_key = x->rnext_key = mkt->serial; /* RFC5925:4-1, RFC5925:4-2 */
    if (entry != NULL) x->md5 = (uint32_t)(entry - e->keys->md5);
    r->authentication = x;
    c->authenticated = true;
    return true;
}

void authentication_release(struct ltcp_connection *c)
{
    struct ltcp_authentication *x = authentication_of(c);
    engine_resize(c->engine, x->traffic, x->traffic_count * sizeof *x->traffic, 0);
    engine_resize(c->engine, x, sizeof *x, 0);
    c->rare->authentication = NULL;
    c->authenticated = false;
}

/* RFC5925:6.1-1: upon establishment both point to the MKT in use, and current_key goes at once
 * where the peer wants it. */
void authentication_syn_arrives(struct ltcp_connection *c, const struct ltcp_segment *s)
{
    struct ltcp_authentication *x = authentication_of(c);
    if (x->kind != LTCP_AUTHENTICATED_AO || !(s->options.present & LTCP_HAS_AO)) return;
    const struct ltcp_traffic *used = traffic_by_recv_id(x, s->options.ao[0]);
    const struct ltcp_traffic *wanted = traffic_by_send_id(x, s->options.ao[1]);
    if (used != NULL) x->current_key = x->rnext_key = used->serial;
    if (wanted != NULL) x->current_key = wanted->serial;
    x->received = true;
    x->received_key_id = s->options.ao[0];
    x->received_rnext_key_id = s->options.ao[1];
    x->good++;
}

/* The host's keys may have changed. */
void authentication_look_again(struct ltcp_engine *e, struct ltcp_authentication *x,
                               const struct ltcp_flow *flow)
{
    if (x->generation == e->keys->generation) return;
    if (x->kind == LTCP_AUTHENTICATED_AO) {
        authentication_collect(e, x, flow); /* without memory, once more next time */
        return;
    }
    x->generation = e->keys->generation;
    const struct ltcp_md5_entry *entry = keys_md5(e->keys, flow);
    if (entry != NULL)
        x->md5 = (uint32_t)(entry - e->keys->md5);
    else
        x->kind = LTCP_UNAUTHENTICATED; /* the user took the key away */
}

/* ---- traffic keys and sequence number extensions ------------------------------------------------
 */

static const struct ltcp_mkt *mkt_of(const struct ltcp_keys *keys, uint32_t serial)
{
    for (uint32_t i = 0; i < keys->mkt_count; i++)
        if (keys->mkts[i].serial == serial) return &keys->mkts[i];
    return NULL;
}

/* Of one direction, as RFC 5925's table in section 5.2 has it. RFC5925:5.2-1 */
static void derive(const struct ltcp_keys *keys, const struct ltcp_mkt *mkt,
                   const struct ltcp_flow *flow, bool sending, ltcp_seq source_isn,
                   ltcp_seq destination_isn, uint8_t out[LTCP_TRAFFIC_KEY_MOST])
{
    const struct ltcp_ao_context context = {
        .source = scope_cleared(sending ? flow->local : flow->remote),
        .destination = scope_cleared(sending ? flow->remote : flow->local),
        .source_port = sending ? flow->local_port : flow->remote_port,
        .destination_port = sending ? flow->remote_port : flow->local_port,
        .source_isn = source_isn,
        .destination_isn = destination_isn};
    ltcp_ao_traffic_key(keys->crypto, (enum ltcp_ao_algorithm)mkt->algorithm, mkt->key,
                        mkt->key_length, &context, out);
}

/* Send_other_traffic_key and Receive_other_traffic_key, once. */
static bool derive_others(const struct ltcp_keys *keys, const struct ltcp_authentication *x,
                          const struct ltcp_flow *flow, struct ltcp_traffic *t)
{
    if (t->derived) return true;
    const struct ltcp_mkt *mkt = mkt_of(keys, t->serial);
    if (mkt == NULL || !x->isns_known) return false;
    derive(keys, mkt, flow, true, x->iss, x->irs, t->send_other);
    derive(keys, mkt, flow, false, x->irs, x->iss, t->receive_other);
    t->derived = true;
    return true;
}

/* RFC5925:6.2-1: the upper half of that number of 64 bits that has `seq` as its lower half and lies
 * closest to one that is known: whatever is in flight is less than 2^31 away from it. */
uint32_t authentication_sne(uint64_t extended, ltcp_seq seq)
{
    const int64_t distance = (int32_t)(seq.n - (uint32_t)extended);
    const uint64_t number = extended + (uint64_t)distance;
    return (uint32_t)(number >> 32);
}

static void advance(uint64_t *extended, ltcp_seq seq)
{
    *extended += (uint64_t)(int64_t)(int32_t)(seq.n - (uint32_t)*extended);
}

/* Once both ISNs are known they stay what they are, and both SNEs begin with 0. RFC5925:4-3 */
static void follow(const struct ltcp_connection *c, struct ltcp_authentication *x)
{
    if (!x->isns_known && c->state > LTCP_SYN_SENT) {
        x->isns_known = true;
        x->iss = c->iss;
        x->irs = c->irs;
        x->snd_extended = c->iss.n;
        x->rcv_extended = c->irs.n;
    }
    if (!x->isns_known) return;
    advance(&x->snd_extended, c->snd_nxt);
    advance(&x->rcv_extended, c->rcv_nxt);
}

/* ---- verifying ----------------------------------------------------------------------------------
 */

/* Takes as long for any difference. */
static bool equal(const uint8_t *a, const uint8_t *b, size_t length)
{
    uint8_t difference = 0;
    for (size_t i = 0; i < length; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

static struct ltcp_covered covered_arrival(const struct ltcp_arrival *a)
{
    const struct ltcp_segment *s = a->segment;
    return (struct ltcp_covered){.source = scope_cleared(a->ip->source),
                                 .destination = scope_cleared(a->ip->destination),
                                 .header = s->options_bytes - TCP_HEADER,
                                 .header_length = s->header_length,
                                 .payload = s->payload,
                                 .length = s->length};
}

static enum ltcp_status refuse(uint64_t *host, uint64_t *connection)
{
    ++*host; /* RFC5925:7.3-4, RFC2385:2-6 */
    if (connection != NULL) ++*connection;
    return LTCP_ERR_AUTHENTICATION;
}

/* RFC2385:2-3 */
bool authentication_md5_is_right(const struct ltcp_keys *keys, const struct ltcp_md5_entry *entry,
                                 const struct ltcp_arrival *a, const uint8_t *option)
{
    const struct ltcp_covered segment = covered_arrival(a);
    uint8_t digest[LTCP_MD5_DIGEST];
    ltcp_md5_digest(keys->crypto, &segment, entry->key, entry->key_length, digest);
    return equal(digest, option + MD5_DIGEST_AT, sizeof digest);
}

static enum ltcp_status verify_md5(struct ltcp_engine *e, struct ltcp_authentication *x,
                                   const struct ltcp_arrival *a,
                                   const struct ltcp_signatures *found)
{
    const struct ltcp_keys *keys = e->keys;
    struct ltcp_authentication_counters *n = &e->authentication;
    if (found->ao != NULL) return refuse(&n->ao_unexpected, &x->unexpected);
    if (found->md5 == NULL) return refuse(&n->md5_missing, &x->missing); /* RFC2385:2-1 */
    if (!authentication_md5_is_right(keys, &keys->md5[x->md5], a, found->md5))
        return refuse(&n->md5_bad, &x->bad); /* RFC2385:2-4 */
    n->md5_good++;
    x->good++;
    return LTCP_OK;
}

static bool ao_is_right(const struct ltcp_keys *keys, const struct ltcp_arrival *a,
                        const struct ltcp_signatures *found, uint8_t algorithm,
                        bool exclude_options, const uint8_t *traffic_key, uint32_t sne)
{
    const struct ltcp_covered segment = covered_arrival(a);
    uint8_t mac[LTCP_AO_MAC];
    if (found->ao_length != LTCP_AO_OPTION) return false; /* RFC5925:7.5-3 */
    ltcp_ao_mac(keys->crypto, (enum ltcp_ao_algorithm)algorithm, &segment,
                (size_t)(found->ao - segment.header), traffic_key, sne, exclude_options, mac);
    return equal(mac, found->ao + AO_DIGEST_AT, sizeof mac);
}

/* RFC5925:7.5-1: every SYN, by the keys of the host, and whether they ask for one. */
enum ltcp_status authentication_verify_syn(struct ltcp_engine *e, const struct ltcp_flow *flow,
                                           const struct ltcp_arrival *a,
                                           const struct ltcp_signatures *found)
{
    struct ltcp_keys *keys = e->keys;
    struct ltcp_authentication_counters *n = &e->authentication;
    const struct ltcp_mkt *mkt =
        found->ao != NULL ? keys_mkt_by_recv_id(keys, flow, found->ao[2]) : NULL;
    uint8_t traffic_key[LTCP_TRAFFIC_KEY_MOST];
    if (mkt == NULL) /* some other key is for this pair of sockets: RFC5925:7.3-1 */
        return refuse(found->ao != NULL ? &n->ao_key_not_found : &n->ao_missing, NULL);
    /* RFC5925:5.2-2: the other ISN is not known. */
    derive(keys, mkt, flow, false, a->segment->seq, ltcp_seq_of(0), traffic_key);
    if (!ao_is_right(keys, a, found, mkt->algorithm, mkt->exclude_options, traffic_key, 0))
        return refuse(&n->ao_bad, NULL);
    n->ao_good++;
    return LTCP_OK;
}

/* RFC5925:6.1-2: rnext_key stays. RFC5925:7.5-6: where the peer is ready for another key, it is
 * used from now on. */
static void take_ids(struct ltcp_authentication *x, const uint8_t *option)
{
    const struct ltcp_traffic *current = authentication_traffic(x, x->current_key);
    x->received = true;
    x->received_key_id = option[2];
    x->received_rnext_key_id = option[3];
    if (current != NULL && current->send_id == option[3]) return;
    const struct ltcp_traffic *wanted = traffic_by_send_id(x, option[3]);
    if (wanted != NULL) x->current_key = wanted->serial;
}

/* RFC 5925 section 7.5, step 2. */
enum ltcp_status authentication_verify_with(struct ltcp_engine *e, struct ltcp_authentication *x,
                                            const struct ltcp_flow *flow,
                                            const struct ltcp_arrival *a,
                                            const struct ltcp_signatures *found)
{
    struct ltcp_keys *keys = e->keys;
    struct ltcp_authentication_counters *n = &e->authentication;
    if (found->md5 != NULL) return refuse(&n->md5_unexpected, &x->unexpected);
    if (found->ao == NULL) return refuse(&n->ao_missing, &x->missing);
    struct ltcp_traffic *t = traffic_by_recv_id(x, found->ao[2]); /* RFC5925:3.3-3 */
    if (t == NULL) return refuse(&n->ao_key_not_found, &x->key_not_found);
    uint8_t fresh[LTCP_TRAFFIC_KEY_MOST];
    const uint8_t *traffic_key = fresh;
    uint32_t sne = 0;
    const struct ltcp_mkt *mkt = mkt_of(keys, t->serial);
    if (x->isns_known) {
        if (!derive_others(keys, x, flow, t)) return refuse(&n->ao_bad, &x->bad);
        traffic_key = t->receive_other;
        sne = authentication_sne(x->rcv_extended, a->segment->seq);
    } else if (mkt != NULL && (a->flags & LTCP_SYN)) { /* the SYN-ACK brings the other ISN */
        derive(keys, mkt, flow, false, a->segment->seq, x->iss, fresh);
    } else {
        return refuse(&n->ao_bad, &x->bad); /* no key can be known: RFC5925:5.2-3 */
    }
    if (!ao_is_right(keys, a, found, t->algorithm, t->exclude_options, traffic_key, sne))
        return refuse(&n->ao_bad, &x->bad); /* RFC5925:7.3-2 */
    n->ao_good++;
    x->good++;
    take_ids(x, found->ao);
    return LTCP_OK;
}

enum ltcp_status authentication_verify(struct ltcp_connection *c, const struct ltcp_arrival *a,
                                       const struct ltcp_signatures *found)
{
    struct ltcp_engine *e = c->engine;
    struct ltcp_authentication *x = authentication_of(c);
    authentication_look_again(e, x, &c->flow);
    if (x->kind == LTCP_UNAUTHENTICATED) return LTCP_OK;
    if (x->kind == LTCP_AUTHENTICATED_MD5) return verify_md5(e, x, a, found);
    x->iss = c->iss;
    follow(c, x);
    if ((a->flags & (LTCP_SYN | LTCP_ACK)) != LTCP_SYN)
        return authentication_verify_with(e, x, &c->flow, a, found);
    const enum ltcp_status status = authentication_verify_syn(e, &c->flow, a, found);
    if (status == LTCP_OK && c->state == LTCP_SYN_SENT) take_ids(x, found->ao);
    return status;
}

/* ---- signing ------------------------------------------------------------------------------------
 */

uint8_t authentication_room(const struct ltcp_connection *c)
{
    if (!c->authenticated) return 0;
    const uint8_t kind = authentication_of(c)->kind;
    if (kind == LTCP_AUTHENTICATED_AO) return LTCP_AO_OPTION;
    return kind == LTCP_AUTHENTICATED_MD5 ? LTCP_MD5_OPTION_PADDED : 0;
}

/* RFC2385:4.3-2 */
bool authentication_forbids_timestamps(const struct ltcp_connection *c)
{
    return c->authenticated && authentication_of(c)->kind == LTCP_AUTHENTICATED_MD5 && c->sacking;
}

/* RFC5925:7.4-2: KeyID is current_key's SendID, RNextKeyID is rnext_key's RecvID. */
uint8_t authentication_reserve_for(const struct ltcp_authentication *x, uint8_t out[40])
{
    if (x == NULL || x->kind == LTCP_AUTHENTICATED_MD5) {
        memset(out, 0, LTCP_MD5_OPTION_PADDED); /* RFC2385:3-1 */
        out[0] = out[1] = LTCP_OPTION_NOP;
        out[2] = LTCP_OPTION_MD5;
        out[3] = 2 + LTCP_MD5_DIGEST;
        return LTCP_MD5_OPTION_PADDED;
    }
    const struct ltcp_traffic *current = authentication_traffic(x, x->current_key);
    const struct ltcp_traffic *next = authentication_traffic(x, x->rnext_key);
    memset(out, 0, LTCP_AO_OPTION);
    out[0] = LTCP_OPTION_AO;
    out[1] = LTCP_AO_OPTION;
    out[2] = current != NULL ? current->send_id : 0;
    out[3] = next != NULL ? next->recv_id : 0;
    return LTCP_AO_OPTION;
}

/* RFC2385:2-5: whatever the peer's segments carry. */
uint8_t authentication_reserve(struct ltcp_connection *c, uint8_t out[40])
{
    struct ltcp_authentication *x = authentication_of(c);
    authentication_look_again(c->engine, x, &c->flow);
    if (x->kind == LTCP_UNAUTHENTICATED) return 0;
    return authentication_reserve_for(x, out);
}

/* Puts a digest where another one, or none, was: what covers it is summed anew (RFC 1624). */
static void store_digest(uint8_t *tcp, uint8_t *to, const uint8_t *digest, size_t length)
{
    uint16_t sum = load_be16(tcp + 16);
    for (size_t i = 0; i < length; i += 2) {
        sum = ltcp_sum_update(sum, load_be16(to + i), load_be16(digest + i));
        memcpy(to + i, digest + i, 2);
    }
    store_be16(tcp + 16, sum);
}

/* RFC5925:7.4-1: after all other options, before the checksum is final. */
void authentication_sign_for(struct ltcp_engine *e, struct ltcp_authentication *x,
                             const struct ltcp_flow *flow, const struct ltcp_md5_entry *entry,
                             struct ltcp_packet *packet)
{
    const struct ltcp_keys *keys = e->keys;
    const size_t ip = packet->head[0] >> 4 == 4 ? (size_t)(packet->head[0] & 15) * 4 : 40;
    uint8_t *tcp = packet->head + ip, *option = tcp + TCP_HEADER;
    const struct ltcp_covered segment = {.source = scope_cleared(flow->local),
                                         .destination = scope_cleared(flow->remote),
                                         .header = tcp,
                                         .header_length = packet->head_length - ip,
                                         .payload = packet->payload,
                                         .length = packet->payload_length};
    if (x == NULL || x->kind == LTCP_AUTHENTICATED_MD5) {
        uint8_t digest[LTCP_MD5_DIGEST];
        if (x != NULL) entry = &keys->md5[x->md5];
        ltcp_md5_digest(keys->crypto, &segment, entry->key, entry->key_length, digest);
        store_digest(tcp, option + 4, digest, sizeof digest);
        return;
    }
    struct ltcp_traffic *t = authentication_traffic(x, x->current_key);
    uint8_t fresh[LTCP_TRAFFIC_KEY_MOST], mac[LTCP_AO_MAC];
    const uint8_t *traffic_key = fresh;
    const ltcp_seq seq = ltcp_seq_of(load_be32(tcp + 4));
    const bool first = (tcp[13] & (LTCP_SYN | LTCP_ACK)) == LTCP_SYN;
    uint32_t sne = 0;
    if (t == NULL) return;
    if (first) { /* RFC5925:5.2-2 */
        const struct ltcp_mkt *mkt = mkt_of(keys, t->serial);
        if (mkt == NULL) return;
        derive(keys, mkt, flow, true, seq, ltcp_seq_of(0), fresh);
    } else {
        if (!derive_others(keys, x, flow, t)) return;
        traffic_key = t->send_other;
        sne = authentication_sne(x->snd_extended, seq);
    }
    ltcp_ao_mac(keys->crypto, (enum ltcp_ao_algorithm)t->algorithm, &segment, TCP_HEADER,
                traffic_key, sne, t->exclude_options, mac);
    store_digest(tcp, option + AO_DIGEST_AT, mac, sizeof mac);
}

void authentication_sign(struct ltcp_connection *c, struct ltcp_packet *packet)
{
    struct ltcp_authentication *x = authentication_of(c);
    if (x->kind == LTCP_UNAUTHENTICATED) return;
    if (x->kind == LTCP_AUTHENTICATED_AO) follow(c, x);
    authentication_sign_for(c->engine, x, &c->flow, NULL, packet);
}

/* ---- ICMP ---------------------------------------------------------------------------------------
 */

/* RFC5925:7.8-1: by default, unless the connection's own setting says otherwise (RFC5925:7.8-2). */
bool authentication_ignores_icmp(struct ltcp_connection *c, const struct ltcp_icmp *icmp)
{
    struct ltcp_authentication *x = authentication_of(c);
    if (x->kind != LTCP_AUTHENTICATED_AO || !settings_of(c)->ao_ignore_icmp) return false;
    if (c->state < LTCP_ESTABLISHED) return false;
    const bool v4 = ltcp_address_is_v4(&c->flow.local);
    const bool named = v4 ? icmp->type == 3 && icmp->code >= 2 && icmp->code <= 4
                          : icmp->type == 1 && (icmp->code == 1 || icmp->code == 4);
    if (!named) return false;
    x->icmp_ignored++;
    c->engine->authentication.icmp_ignored++; /* RFC5925:7.8-4 */
    return true;
}

/* ---- STATUS -------------------------------------------------------------------------------------
 */

static void fill_ids(const struct ltcp_authentication *x, struct ltcp_authentication_info *out)
{
    const struct ltcp_traffic *current = authentication_traffic(x, x->current_key);
    const struct ltcp_traffic *next = authentication_traffic(x, x->rnext_key);
    out->keys = (uint8_t)(x->traffic_count > 255 ? 255 : x->traffic_count);
    if (current != NULL) {
        out->current_send_id = current->send_id;
        out->current_recv_id = current->recv_id;
    }
    if (next != NULL) {
        out->rnext_send_id = next->send_id;
        out->rnext_recv_id = next->recv_id;
    }
}

/* RFC5925:7.1-3, RFC5925:7.1-5 */
void authentication_info(const struct ltcp_connection *c, struct ltcp_authentication_info *out)
{
    struct ltcp_authentication *x = authentication_of(c);
    authentication_look_again(c->engine, x, &c->flow);
    *out = (struct ltcp_authentication_info){.kind = (enum ltcp_authentication_kind)x->kind,
                                             .received = x->received,
                                             .received_key_id = x->received_key_id,
                                             .received_rnext_key_id = x->received_rnext_key_id,
                                             .good = x->good,
                                             .bad = x->bad,
                                             .missing = x->missing,
                                             .key_not_found = x->key_not_found,
                                             .unexpected = x->unexpected,
                                             .icmp_ignored = x->icmp_ignored};
    if (x->kind == LTCP_AUTHENTICATED_AO) fill_ids(x, out);
    if (!x->isns_known) return;
    out->snd_sne = authentication_sne(x->snd_extended, c->snd_nxt);
    out->rcv_sne = authentication_sne(x->rcv_extended, c->rcv_nxt);
}
