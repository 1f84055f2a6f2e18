/* core/trace/remark.c - the remarks, and what their numbers are. */
#include "lunatcp/remark.h"

#define CWND                                                                                       \
    {                                                                                              \
        "cwnd", LTCP_UNIT_BYTES                                                                    \
    }
#define SSTHRESH                                                                                   \
    {                                                                                              \
        "ssthresh", LTCP_UNIT_BYTES                                                                \
    }
#define NOTHING                                                                                    \
    {                                                                                              \
        NULL, LTCP_UNIT_NONE                                                                       \
    }

static const struct ltcp_remark_kind kinds[LTCP_REMARK_COUNT] = {
    [LTCP_REMARK_RESPONSE] = {"response", false, CWND, SSTHRESH},
    [LTCP_REMARK_UNDO] = {"undo", false, CWND, SSTHRESH},
    [LTCP_REMARK_FRTO] = {"frto",
                          false,
                          {"snd_una", LTCP_UNIT_SEQ},
                          {"recovery_point", LTCP_UNIT_SEQ}},
    [LTCP_REMARK_TAIL_PROBE] = {"tail_probe", false, {"probe_end", LTCP_UNIT_SEQ}, NOTHING},
    [LTCP_REMARK_REORDERING] = {"reordering",
                                false,
                                {"reordering_window", LTCP_UNIT_TIME},
                                {"reordering", LTCP_UNIT_COUNT}},
    [LTCP_REMARK_LIMITED_TRANSMIT] = {"limited_transmit",
                                      false,
                                      {"duplicate_acks", LTCP_UNIT_COUNT},
                                      NOTHING},
    [LTCP_REMARK_RENEGED] = {"reneged", false, {"sacked", LTCP_UNIT_BYTES}, NOTHING},
    [LTCP_REMARK_CONGESTION] = {"congestion", false, CWND, {"pacing_rate", LTCP_UNIT_RATE}},
    [LTCP_REMARK_VALIDATION] = {"validation", false, CWND, {"pipe_ack", LTCP_UNIT_BYTES}},
    [LTCP_REMARK_ECN] = {"ecn", false, NOTHING, NOTHING},
    [LTCP_REMARK_FAST_OPEN] = {"fast_open", false, {"octets", LTCP_UNIT_BYTES}, NOTHING},
    [LTCP_REMARK_PATH_MTU] = {"path_mtu",
                              false,
                              {"size", LTCP_UNIT_BYTES},
                              {"path_mtu", LTCP_UNIT_BYTES}},
    [LTCP_REMARK_PACING] = {"pacing",
                            true,
                            {"until_", LTCP_UNIT_TIME},
                            {"pacing_rate", LTCP_UNIT_RATE}},
    [LTCP_REMARK_APP_LIMITED] = {"app_limited", true, {"pipe", LTCP_UNIT_BYTES}, CWND},
    [LTCP_REMARK_RATE] = {"rate",
                          true,
                          {"delivery_rate", LTCP_UNIT_RATE},
                          {"interval", LTCP_UNIT_TIME}},
    [LTCP_REMARK_PRR] = {"prr", true, {"allowed", LTCP_UNIT_BYTES}, CWND},
};

const struct ltcp_remark_kind *ltcp_remark_kind(unsigned remark)
{
    return remark < LTCP_REMARK_COUNT ? &kinds[remark] : NULL;
}
