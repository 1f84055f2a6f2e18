-- The simulated network.
return {
  -- core/network/fragment.c
  {
    name = "fragment-cut-anew-ends",
    requirement = "RFC791:3.2-4: more follows after the last piece where more followed after it",
    file = "network/fragment.c",
    text = "!last || ip->more_fragments",
    with = "!last",
  },

  -- core/network/router.c
  {
    name = "link-local-source-passed-on",
    requirement = "RFC4007:9-3: a packet stays in the zone of its source",
    file = "network/router.c",
    text = "if (address_is_link_local(&t->ip.source) && out.link != t->link) {",
    with = "if (address_is_link_local(&t->ip.source) && out.link == LTCP_NOWHERE) {",
  },
  {
    name = "ttl-not-decremented",
    requirement = "RFC 1812 section 5.3.1: a router decrements the TTL",
    file = "network/router.c",
    text = "ltcp_ip_set_ttl(packet, (uint8_t)(t->ip.ttl - 1));",
    with = "",
  },

  -- core/network/queue.c
  {
    name = "queue-one-packet-longer",
    requirement = "core/include/lunatcp/network.h: queue_packets is the most that wait",
    file = "network/queue.c",
    text = "queue->departures.count >= config->queue_packets",
    with = "queue->departures.count > config->queue_packets",
  },
  {
    name = "rate-forgets-fractions",
    requirement = "core/include/lunatcp/network.h: the rate holds over any time, to the bit",
    file = "network/queue.c",
    text = "    queue->busy_fraction = parts % rate;",
    with = "    queue->busy_fraction = 0;",
  },

  -- core/network/path.c
  {
    name = "jitter-reorders-always",
    requirement = "core/include/lunatcp/network.h: jitter keeps the order unless it is told otherwise",
    file = "network/path.c",
    text = "if (release < path->last_release) release = path->last_release;",
    with = "",
  },

  -- core/network/rules.c
  {
    name = "rule-answers-one-late",
    requirement = "core/include/lunatcp/network.h: nth counts from 1",
    file = "network/rules.c",
    text = "if (rule->nth > 0 && entry->matched != rule->nth) return false;",
    with = "if (rule->nth > 0 && entry->matched != rule->nth + 1) return false;",
  },

  -- core/network/event_queue.c
  {
    name = "same-time-in-any-order",
    requirement = "core/network/event_queue.h: what is due at one time happens in the order in which it was "
      .. "set",
    file = "network/event_queue.c",
    text = "return a->time < b->time || (a->time == b->time && a->serial < b->serial);",
    with = "return a->time < b->time;",
  },

  -- core/network/neighbours.c
  {
    name = "advertisement-overrides-unasked",
    requirement = "RFC 4861 section 7.2.5: without the Override flag another address is not taken",
    file = "network/neighbours.c",
    text = "if (differs && !n->override) {",
    with = "if (false) {",
  },
  {
    name = "neighbour-asked-once-more",
    requirement = "RFC 4861 section 7.2.2: MAX_MULTICAST_SOLICIT solicitations",
    file = "network/neighbours.c",
    text = "} else if (e->asked < LTCP_NEIGHBOUR_SOLICIT) {",
    with = "} else if (e->asked <= LTCP_NEIGHBOUR_SOLICIT) {",
  },
}
