/* core/test/socket_random_test.c - calls without sense: whatever a program asks, in whatever order,
 * the answer is a result or an errno, and nothing is lost. */
#include "sockets.h"

static struct processes p;

static uint8_t octets[4096];
static struct ltcp_iovec pieces[4];
static struct ltcp_pollfd polls[4];
static struct ltcp_epoll_event events[4];

/* Small numbers mostly, some of them constants that mean something. */
static int64_t any_number(uint32_t *seed)
{
    switch (check_random(seed) % 8) {
    case 0: return -1;
    case 1: return INT32_MAX;
    case 2: return INT32_MIN;
    case 3: return ltcp_constant_at(check_random(seed) % 300)->value;
    default: return check_random(seed) % 48;
    }
}

static int any_descriptor(uint32_t *seed)
{
    return check_random(seed) % 16 == 0 ? (int)any_number(seed) : (int)(check_random(seed) % 14);
}

static void fill_pieces(uint32_t *seed, struct ltcp_call *call)
{
    call->iov = pieces;
    call->iov_count = check_random(seed) % 4;
    for (size_t i = 0; i < call->iov_count; i++)
        pieces[i] = (struct ltcp_iovec){check_random(seed) % 16 == 0 ? NULL : octets,
                                        check_random(seed) % sizeof octets};
}

static struct ltcp_call any_call(uint32_t *seed)
{
    struct ltcp_call call = {.op = (enum ltcp_call_op)(check_random(seed) % LTCP_CALL_COUNT),
                             .fd = any_descriptor(seed),
                             .flags = (uint32_t)any_number(seed) & ~(uint32_t)LTCP_MSG_WAITALL,
                             .control_room = check_random(seed) % 100,
                             .count = check_random(seed) % 5,
                             .timeout = (int)(check_random(seed) % 3) - 1};
    for (int i = 0; i < 3; i++)
        call.arg[i] = any_number(seed);
    if (call.op == LTCP_CALL_SOCKET && check_random(seed) % 4 != 0) {
        call.arg[0] = check_random(seed) % 4 == 0 ? LTCP_AF_INET6 : LTCP_AF_INET;
        call.arg[1] = LTCP_SOCK_STREAM | (check_random(seed) % 2 ? LTCP_SOCK_NONBLOCK : 0);
        call.arg[2] = 0;
    }
    if (call.op == LTCP_CALL_EPOLL_CTL) call.arg[1] = any_descriptor(seed);
    if (call.op == LTCP_CALL_SPLICE) call.arg[0] = any_descriptor(seed);
    call.address = address_of(&p, check_random(seed) % 2, (uint16_t)(80 + check_random(seed) % 3));
    if (check_random(seed) % 8 == 0) call.address.family = (uint16_t)any_number(seed);
    if (check_random(seed) % 8 == 0) call.address.length = check_random(seed) % 30;
    call.value = check_random(seed) % 16 == 0 ? NULL : octets;
    call.length = check_random(seed) % 300;
    if (check_random(seed) % 2) call.length = sizeof(int);
    call.polls = polls;
    call.events = check_random(seed) % 16 == 0 ? NULL : events;
    if (call.count > 4) call.count = 4;
    for (size_t i = 0; i < 4; i++) {
        polls[i] = (struct ltcp_pollfd){any_descriptor(seed), (uint16_t)check_random(seed), 0};
        events[i] = (struct ltcp_epoll_event){check_random(seed) << 8 | check_random(seed), i};
    }
    fill_pieces(seed, &call);
    return call;
}

static void calls_without_sense(uint32_t seed)
{
    struct ltcp_call waiting[2][4];
    unsigned count[2] = {0, 0};
    processes_open(&p, seed % 2 ? &ltcp_profile_linux : NULL);
    for (int i = 0; i < 1500; i++) {
        const unsigned who = check_random(&seed) % 2;
        struct ltcp_call call = any_call(&seed);
        memset(octets, (int)(check_random(&seed) % 3), 64);
        if (!ltcp_call_step(p.at[who], p.pair.now, &call)) {
            /* what it points at changes under it: as bad as it gets */
            if (count[who] < 4) waiting[who][count[who]++] = call;
        } else {
            CHECK(call.result >= 0 || ltcp_errno_name((int)-call.result) != NULL);
        }
        for (unsigned k = 0; k < count[who];) {
            if (ltcp_call_step(p.at[who], p.pair.now, &waiting[who][k]))
                waiting[who][k] = waiting[who][--count[who]];
            else
                k++;
        }
        if (check_random(&seed) % 4 == 0) settle(&p);
        if (check_random(&seed) % 16 == 0) pair_wait(&p.pair);
        struct ltcp_tcp_info info;
        const int error =
            ltcp_sockets_tcp_info(p.at[who], p.pair.now, any_descriptor(&seed), &info);
        CHECK(error <= 0);
        CHECK(ltcp_host_check(p.pair.host[who]) == NULL);
    }
    processes_close(&p);
}

int main(void)
{
    for (uint32_t seed = 1; seed <= 60; seed++)
        calls_without_sense(seed);
    return check_finish();
}
