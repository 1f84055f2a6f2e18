/* core/tcp/states.c
 *
 * The state machine as tables that can be read beside RFC 9293 section 3.10. */
#include "tcp/connection.h"

/* State changes that a FIN causes, section 3.10.7.4, eighth step. FIN-WAIT-1 whose own FIN is
 * acknowledged by the same segment is FIN-WAIT-2 by then. */
const uint8_t ltcp_after_fin[LTCP_STATE_COUNT] = {
    [LTCP_CLOSED] = LTCP_CLOSED,          [LTCP_LISTEN] = LTCP_LISTEN,
    [LTCP_SYN_SENT] = LTCP_SYN_SENT,      [LTCP_SYN_RECEIVED] = LTCP_CLOSE_WAIT,
    [LTCP_ESTABLISHED] = LTCP_CLOSE_WAIT, [LTCP_FIN_WAIT_1] = LTCP_CLOSING,
    [LTCP_FIN_WAIT_2] = LTCP_TIME_WAIT,   [LTCP_CLOSE_WAIT] = LTCP_CLOSE_WAIT,
    [LTCP_CLOSING] = LTCP_CLOSING,        [LTCP_LAST_ACK] = LTCP_LAST_ACK,
    [LTCP_TIME_WAIT] = LTCP_TIME_WAIT,
};

/* State changes when our FIN is acknowledged, fifth step: RFC9293:3.10.7.4-13, RFC9293:3.10.7.4-14,
 * RFC9293:3.10.7.4-15. */
const uint8_t ltcp_after_fin_acked[LTCP_STATE_COUNT] = {
    [LTCP_CLOSED] = LTCP_CLOSED,           [LTCP_LISTEN] = LTCP_LISTEN,
    [LTCP_SYN_SENT] = LTCP_SYN_SENT,       [LTCP_SYN_RECEIVED] = LTCP_SYN_RECEIVED,
    [LTCP_ESTABLISHED] = LTCP_ESTABLISHED, [LTCP_FIN_WAIT_1] = LTCP_FIN_WAIT_2,
    [LTCP_FIN_WAIT_2] = LTCP_FIN_WAIT_2,   [LTCP_CLOSE_WAIT] = LTCP_CLOSE_WAIT,
    [LTCP_CLOSING] = LTCP_TIME_WAIT,       [LTCP_LAST_ACK] = LTCP_CLOSED,
    [LTCP_TIME_WAIT] = LTCP_TIME_WAIT,
};

#define TO(state) (1u << LTCP_##state)
/* Every change that the text of section 3.10 names; its figure 5 leaves some out. CLOSED can follow
 * anything: ABORT, RST, the timeouts. */
static const uint16_t changes[LTCP_STATE_COUNT] = {
    [LTCP_CLOSED] = TO(LISTEN) | TO(SYN_SENT),            /* 3.10.1 */
    [LTCP_LISTEN] = TO(SYN_RECEIVED) | TO(SYN_SENT),      /* 3.10.7.2; 3.10.1, 3.10.2 */
    [LTCP_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED), /* 3.10.7.3 */
    /* 3.10.7.4: fifth step; 3.10.4; eighth step; RST after a passive OPEN */
    [LTCP_SYN_RECEIVED] = TO(ESTABLISHED) | TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(LISTEN),
    [LTCP_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT), /* 3.10.4; eighth step */
    [LTCP_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT),
    [LTCP_FIN_WAIT_2] = TO(TIME_WAIT),
    [LTCP_CLOSE_WAIT] = TO(LAST_ACK), /* 3.10.4 */
    [LTCP_CLOSING] = TO(TIME_WAIT),
    [LTCP_LAST_ACK] = 0,
    [LTCP_TIME_WAIT] = 0,
};

bool state_change_is_legal(enum ltcp_state from, enum ltcp_state to)
{
    return to == LTCP_CLOSED || (changes[from] & (1u << to)) != 0;
}

bool ltcp_state_change_is_named(enum ltcp_state from, enum ltcp_state to)
{
    if ((unsigned)from >= LTCP_STATE_COUNT || (unsigned)to >= LTCP_STATE_COUNT) return false;
    return from != to && state_change_is_legal(from, to);
}

const char *ltcp_state_name(enum ltcp_state state)
{
    static const char *const names[LTCP_STATE_COUNT] = {
        [LTCP_CLOSED] = "CLOSED",           [LTCP_LISTEN] = "LISTEN",
        [LTCP_SYN_SENT] = "SYN-SENT",       [LTCP_SYN_RECEIVED] = "SYN-RECEIVED",
        [LTCP_ESTABLISHED] = "ESTABLISHED", [LTCP_FIN_WAIT_1] = "FIN-WAIT-1",
        [LTCP_FIN_WAIT_2] = "FIN-WAIT-2",   [LTCP_CLOSE_WAIT] = "CLOSE-WAIT",
        [LTCP_CLOSING] = "CLOSING",         [LTCP_LAST_ACK] = "LAST-ACK",
        [LTCP_TIME_WAIT] = "TIME-WAIT",
    };
    return (unsigned)state < LTCP_STATE_COUNT ? names[state] : "?";
}
