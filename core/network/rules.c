/* core/network/rules.c - rules said as data. */
#include "rules.h"
#include "lunatcp/random.h"
#include "lunatcp/wire.h"
#include "../wire/bytes.h"

#define MOST_RULES 65536

/* ---- the set ----------------------------------------------------------------------------------
 */

bool fate_is_valid(const struct ltcp_fate *fate)
{
    const ltcp_time greatest = LTCP_NEVER / 16;
    return fate->delay >= 0 && fate->delay <= greatest && fate->duplicate_delay >= 0 &&
           fate->duplicate_delay <= greatest && fate->duplicates <= 1000;
}

static bool asks_for_tcp(const struct ltcp_rule *rule)
{
    return rule->tcp_only || rule->flags_set != 0 || rule->flags_clear != 0 ||
           rule->length_min > 0 || rule->length_max > 0 || rule->empty || rule->source_port != 0 ||
           rule->destination_port != 0 || rule->match_seq || rule->match_ack ||
           rule->first != LTCP_ANY;
}

/* ASK rules report it (ltcp_step_detail.first). */
static bool watches_flows(const struct ltcp_rule *rule)
{
    return rule->first != LTCP_ANY || rule->action == LTCP_RULE_ASK;
}

static bool rule_is_valid(const struct ltcp_rule *rule)
{
    return rule->direction >= -1 && rule->direction <= 1 &&
           (unsigned)rule->first <= LTCP_RETRANSMISSION_ONLY &&
           (unsigned)rule->action <= LTCP_RULE_ASK && rule->chance <= LTCP_CERTAIN &&
           (rule->length_max == 0 || rule->length_min <= rule->length_max) &&
           (rule->action == LTCP_RULE_ASK || fate_is_valid(&rule->fate));
}

enum ltcp_status rules_add(struct rules *rules, const struct ltcp_allocator *allocator,
                           const struct ltcp_rule *rule, uint32_t *id)
{
    if (!rule_is_valid(rule)) return LTCP_ERR_INVALID;
    if (rules->count == MOST_RULES || rules->last_id == UINT32_MAX) return LTCP_ERR_NO_BUFFERS;
    void *list =
        memory_grow(allocator, rules->list, &rules->room, rules->count + 1, sizeof *rules->list);
    if (list == NULL) return LTCP_ERR_NO_MEMORY;
    rules->list = list;
    struct rule_entry *entry = &rules->list[rules->count++];
    *entry = (struct rule_entry){.rule = *rule, .id = ++rules->last_id};
    entry->rule.tcp_only = asks_for_tcp(rule);
    if (watches_flows(rule)) rules->flow_watchers++;
    *id = entry->id;
    return LTCP_OK;
}

static uint32_t index_behind(const struct rules *rules, uint32_t id)
{
    uint32_t low = 0, high = rules->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rules->list[middle].id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct rule_entry *rules_get(const struct rules *rules, uint32_t id)
{
    uint32_t behind = index_behind(rules, id);
    if (behind == 0 || rules->list[behind - 1].id != id) return NULL;
    return &rules->list[behind - 1];
}

static void forget_flows(struct rules *rules, const struct ltcp_allocator *allocator)
{
    flows_free(&rules->flows[0], allocator);
    flows_free(&rules->flows[1], allocator);
}

enum ltcp_status rules_remove(struct rules *rules, const struct ltcp_allocator *allocator,
                              uint32_t id)
{
    uint32_t behind = index_behind(rules, id);
    if (behind == 0 || rules->list[behind - 1].id != id) return LTCP_ERR_INVALID;
    bool watched = watches_flows(&rules->list[behind - 1].rule);
    for (uint32_t i = behind; i < rules->count; i++)
        rules->list[i - 1] = rules->list[i];
    rules->count--;
    if (watched && --rules->flow_watchers == 0) forget_flows(rules, allocator);
    return LTCP_OK;
}

void rules_free(struct rules *rules, const struct ltcp_allocator *allocator)
{
    forget_flows(rules, allocator);
    memory_give(allocator, rules->list, (size_t)rules->room * sizeof *rules->list);
    rules->list = NULL;
    rules->count = rules->room = 0;
}

/* ---- the packet -------------------------------------------------------------------------------
 */

/* Reads what can be read of a TCP header: checksums are not looked at, since rules see packets as
 * they enter the link, also forged ones. */
static bool read_tcp(const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                     struct rule_view *view)
{
    if (ip->protocol != LTCP_PROTOCOL_TCP || ip->fragment_offset > 0) return false;
    if (packet->head_length < ip->header_length + 20) return false;
    const uint8_t *tcp = packet->head + ip->header_length;
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    size_t length = ltcp_packet_length(packet);
    size_t all = ip->total_length < length ? ip->total_length : length;
    if (header < 20 || all < ip->header_length + header) return false;
    view->source_port = load_be16(tcp);
    view->destination_port = load_be16(tcp + 2);
    view->seq = ltcp_seq_of(load_be32(tcp + 4));
    view->ack = ltcp_seq_of(load_be32(tcp + 8));
    view->flags = (uint16_t)((tcp[12] & 1) << 8 | tcp[13]);
    view->payload_length = (uint32_t)(all - ip->header_length - header);
    view->segment_length =
        view->payload_length + ((view->flags & LTCP_SYN) != 0) + ((view->flags & LTCP_FIN) != 0);
    return true;
}

void rules_view(struct rules *rules, const struct ltcp_allocator *allocator,
                const struct ltcp_packet *packet, int direction, struct rule_view *view)
{
    *view = (struct rule_view){.direction = direction, .first = true};
    struct ltcp_ip ip;
    enum ltcp_status status = ltcp_ip_decode(packet, &ip);
    if (status != LTCP_OK && status != LTCP_ERR_FRAGMENT) return;
    view->tcp = read_tcp(packet, &ip, view);
    if (!view->tcp || rules->flow_watchers == 0) return;
    struct flow_key key = {ip.source, ip.destination, view->source_port, view->destination_port};
    view->first = flows_note(&rules->flows[direction], allocator, &key, view->seq,
                             view->segment_length, (view->flags & LTCP_SYN) != 0);
}

/* ---- the match --------------------------------------------------------------------------------
 */

static bool fields_match(const struct ltcp_rule *rule, const struct rule_view *view)
{
    if (rule->direction >= 0 && rule->direction != view->direction) return false;
    if (!rule->tcp_only) return true;
    if (!view->tcp) return false;
    if ((view->flags & rule->flags_set) != rule->flags_set) return false;
    if ((view->flags & rule->flags_clear) != 0) return false;
    if (view->payload_length < rule->length_min) return false;
    if (rule->length_max > 0 && view->payload_length > rule->length_max) return false;
    if (rule->empty && view->payload_length > 0) return false;
    if (rule->source_port != 0 && view->source_port != rule->source_port) return false;
    if (rule->destination_port != 0 && view->destination_port != rule->destination_port)
        return false;
    if (rule->match_seq && seq_diff(rule->seq, view->seq) >= view->segment_length) return false;
    if (rule->match_ack && ((view->flags & LTCP_ACK) == 0 || !seq_eq(rule->ack, view->ack)))
        return false;
    if (rule->first == LTCP_ANY) return true;
    return view->first == (rule->first == LTCP_FIRST_ONLY);
}

/* Of those that match: which does the rule answer for? */
static bool answers(const struct rules *rules, const struct rule_entry *entry)
{
    const struct ltcp_rule *rule = &entry->rule;
    if (rule->nth > 0 && entry->matched != rule->nth) return false;
    if (rule->every > 0 && entry->matched % rule->every != 0) return false;
    if (rule->times > 0 && entry->answered >= rule->times) return false;
    if (rule->chance == 0) return true;
    uint64_t stream = rules->stream ^ ltcp_random_stream("rule") ^ (uint64_t)entry->id << 32;
    return ltcp_random_at(rules->seed, stream, entry->matched) >> 32 < rule->chance;
}

const struct rule_entry *rules_match(struct rules *rules, const struct rule_view *view,
                                     uint32_t after)
{
    for (uint32_t i = after == 0 ? 0 : index_behind(rules, after); i < rules->count; i++) {
        struct rule_entry *entry = &rules->list[i];
        if (!fields_match(&entry->rule, view)) continue;
        entry->matched++;
        if (!answers(rules, entry)) continue;
        entry->answered++;
        return entry;
    }
    return NULL;
}

/* ---- digest -----------------------------------------------------------------------------------
 */

/* Rules that answer all they match have nothing to remember. */
static bool remembers(const struct ltcp_rule *rule)
{
    return rule->nth > 0 || rule->every > 0 || rule->times > 0 || rule->chance > 0;
}

void rules_digest(struct digest *d, const struct rules *rules)
{
    for (uint32_t i = 0; i < rules->count; i++) {
        const struct rule_entry *entry = &rules->list[i];
        digest_word(d, entry->id);
        if (!remembers(&entry->rule)) continue;
        digest_word(d, entry->matched);
        digest_word(d, entry->answered);
    }
    digest_word(d, rules->count);
    if (rules->flow_watchers == 0) return;
    flows_digest(d, &rules->flows[0]);
    flows_digest(d, &rules->flows[1]);
}
