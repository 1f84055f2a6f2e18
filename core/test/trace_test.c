/* core/test/trace_test.c - the two rings of the trace. */
#include "network_samples.h"
#include "lunatcp/trace.h"

static struct check_memory memory;
static struct ltcp_allocator allocator;
static struct ltcp_pool *pool;

static void write_event(struct ltcp_trace *trace, enum ltcp_trace_kind kind, int64_t value)
{
    struct ltcp_trace_event event = {.time = value * 10, .kind = (uint8_t)kind, .value = value};
    ltcp_trace_event(trace, &event);
}

static void write_packet(struct ltcp_trace *trace, enum ltcp_trace_kind kind, uint64_t id)
{
    struct ltcp_packet *packet = sample_of_length(pool, 100);
    packet->id = id;
    packet->notes = LTCP_NOTE_FORGED;
    ltcp_trace_packet(trace, kind, 77, 3, 1, LTCP_DROP_RULE, packet);
    ltcp_packet_unref(packet);
}

static void one_count_over_both_rings(void)
{
    struct ltcp_trace *trace = ltcp_trace_create(&allocator, 8, 8);
    CHECK_EQUAL(ltcp_trace_serial(trace), 0);
    write_event(trace, LTCP_TRACE_STATE, 1);
    write_packet(trace, LTCP_TRACE_SENT, 5);
    write_event(trace, LTCP_TRACE_TIMEOUT, 2);
    write_packet(trace, LTCP_TRACE_DROPPED, 6);
    CHECK_EQUAL(ltcp_trace_serial(trace), 4);

    uint64_t serial = 0;
    const struct ltcp_trace_event *event = ltcp_trace_next_event(trace, &serial);
    CHECK(event != NULL && event->serial == 1 && event->value == 1 && event->time == 10);
    CHECK_EQUAL(serial, 2);
    event = ltcp_trace_next_event(trace, &serial);
    CHECK(event != NULL && event->serial == 3 && event->kind == LTCP_TRACE_TIMEOUT);
    CHECK(ltcp_trace_next_event(trace, &serial) == NULL);
    CHECK_EQUAL(serial, 4);
    write_event(trace, LTCP_TRACE_RECOVERED, 3);
    event = ltcp_trace_next_event(trace, &serial);
    CHECK(event != NULL && event->serial == 5);

    serial = 3;
    const struct ltcp_trace_packet *packet = ltcp_trace_next_packet(trace, &serial);
    CHECK(packet != NULL && packet->serial == 4 && packet->packet == 6);
    CHECK_EQUAL(packet->time, 77);
    CHECK_EQUAL(packet->link, 3);
    CHECK_EQUAL(packet->direction, 1);
    CHECK_EQUAL(packet->kind, LTCP_TRACE_DROPPED);
    CHECK_EQUAL(packet->reason, LTCP_DROP_RULE);
    CHECK_EQUAL(packet->notes, LTCP_NOTE_FORGED);
    CHECK_EQUAL(packet->length, 100);
    CHECK_EQUAL(packet->head_length, 40);
    struct ltcp_ip ip;
    CHECK_STATUS(ltcp_ip_decode_bytes(packet->head, packet->head_length, true, &ip), LTCP_OK);
    CHECK_EQUAL(ip.total_length, 100);
    ltcp_trace_destroy(trace);
}

static void full_rings_forget_the_oldest(void)
{
    struct ltcp_trace *trace = ltcp_trace_create(&allocator, 5, 3); /* room for 8 and 4 */
    for (int64_t i = 1; i <= 100; i++) {
        write_event(trace, LTCP_TRACE_STATE, i);
        write_packet(trace, LTCP_TRACE_SENT, (uint64_t)i);
        uint64_t serial = 0;
        int64_t oldest = i > 8 ? i - 7 : 1;
        for (int64_t j = oldest; j <= i; j++) {
            const struct ltcp_trace_event *event = ltcp_trace_next_event(trace, &serial);
            CHECK(event != NULL && event->value == j && event->serial == (uint64_t)(2 * j - 1));
        }
        CHECK(ltcp_trace_next_event(trace, &serial) == NULL);
        serial = 0;
        for (int64_t j = i > 4 ? i - 3 : 1; j <= i; j++) {
            const struct ltcp_trace_packet *packet = ltcp_trace_next_packet(trace, &serial);
            CHECK(packet != NULL && packet->packet == (uint64_t)j);
        }
        CHECK(ltcp_trace_next_packet(trace, &serial) == NULL);
    }
    ltcp_trace_clear(trace);
    uint64_t serial = 0;
    CHECK(ltcp_trace_next_event(trace, &serial) == NULL);
    CHECK(ltcp_trace_next_packet(trace, &serial) == NULL);
    CHECK_EQUAL(ltcp_trace_serial(trace), 200);
    write_event(trace, LTCP_TRACE_STATE, 7);
    const struct ltcp_trace_event *event = ltcp_trace_next_event(trace, &serial);
    CHECK(event != NULL && event->value == 7 && event->serial == 201);
    ltcp_trace_destroy(trace);
}

static void masks(void)
{
    struct ltcp_trace *trace = ltcp_trace_create(&allocator, 8, 8);
    write_event(trace, LTCP_TRACE_RTT, 1); /* off at first */
    CHECK_EQUAL(ltcp_trace_serial(trace), 0);
    write_event(trace, LTCP_TRACE_DETAIL, 1);
    CHECK_EQUAL(ltcp_trace_serial(trace), 0);
    for (unsigned kind = 0; kind < LTCP_TRACE_KINDS; kind++)
        if (LTCP_TRACE_EVENTS_MASK >> kind & 1) write_event(trace, (enum ltcp_trace_kind)kind, 1);
    CHECK_EQUAL(ltcp_trace_serial(trace), LTCP_TRACE_KINDS - 3 - 2);
    ltcp_trace_set_mask(trace, 1u << LTCP_TRACE_RTT | 1u << LTCP_TRACE_DROPPED);
    CHECK_EQUAL(ltcp_trace_mask(trace), 1u << LTCP_TRACE_RTT | 1u << LTCP_TRACE_DROPPED);
    uint64_t before = ltcp_trace_serial(trace);
    write_packet(trace, LTCP_TRACE_SENT, 1);
    write_event(trace, LTCP_TRACE_STATE, 1);
    CHECK_EQUAL(ltcp_trace_serial(trace), before);
    write_packet(trace, LTCP_TRACE_DROPPED, 1);
    write_event(trace, LTCP_TRACE_RTT, 1);
    CHECK_EQUAL(ltcp_trace_serial(trace), before + 2);
    ltcp_trace_destroy(trace);
}

static void edges(void)
{
    /* No trace, no rings, heads that are longer than a record, no memory. */
    write_event(NULL, LTCP_TRACE_STATE, 1);
    write_packet(NULL, LTCP_TRACE_SENT, 1);
    struct ltcp_trace *trace = ltcp_trace_create(&allocator, 0, 0);
    uint64_t serial = 0;
    write_event(trace, LTCP_TRACE_STATE, 1);
    write_packet(trace, LTCP_TRACE_SENT, 1);
    CHECK_EQUAL(ltcp_trace_serial(trace), 2);
    CHECK(ltcp_trace_next_event(trace, &serial) == NULL);
    CHECK(ltcp_trace_next_packet(trace, &serial) == NULL);
    ltcp_trace_destroy(trace);
    ltcp_trace_destroy(NULL);

    trace = ltcp_trace_create(&allocator, 0, 1);
    struct ltcp_packet *packet = sample_of_length(pool, 40);
    memset(packet->head, 0x5A, LTCP_HEAD_ROOM);
    packet->head_length = LTCP_HEAD_ROOM;
    ltcp_trace_packet(trace, LTCP_TRACE_SENT, 0, 0, 0, LTCP_DROP_NONE, packet);
    const struct ltcp_trace_packet *record = ltcp_trace_next_packet(trace, &serial);
    CHECK(record != NULL && record->head_length == LTCP_TRACE_HEAD);
    CHECK_EQUAL(record->length, LTCP_HEAD_ROOM);
    ltcp_packet_unref(packet);
    ltcp_trace_destroy(trace);

    for (long granted = 0; granted < 3; granted++) {
        memory.remaining = granted;
        CHECK(ltcp_trace_create(&allocator, 8, 8) == NULL);
    }
    memory.remaining = -1;
    CHECK(ltcp_trace_create(&allocator, UINT32_MAX, 0) == NULL);

    CHECK_TEXT(ltcp_drop_name(LTCP_DROP_LOSS), "loss");
    CHECK_TEXT(ltcp_drop_name(LTCP_DROP_MEMORY), "memory");
    CHECK_TEXT(ltcp_drop_name(LTCP_DROP_COUNT), "unknown");
}

int main(void)
{
    allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    one_count_over_both_rings();
    full_rings_forget_the_oldest();
    masks();
    edges();
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
    return check_finish();
}
