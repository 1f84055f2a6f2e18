/* core/tcp/remarks.c - what the algorithms of a connection have to say, for whoever traces it. */
#include <string.h>

#include "tcp/connection.h"

void connection_remark(const struct ltcp_connection *c, ltcp_time now, enum ltcp_remark remark,
                       const char *text, int64_t value, int64_t more)
{
    const enum ltcp_trace_kind kind =
        ltcp_remark_kind(remark)->detail ? LTCP_TRACE_DETAIL : LTCP_TRACE_REMARK;
    if (!is_traced(c) || (ltcp_trace_mask(c->engine->trace) >> kind & 1) == 0) return;
    ltcp_trace_event(c->engine->trace, &(struct ltcp_trace_event){.time = now,
                                                                  .subject = c->handle,
                                                                  .value = value,
                                                                  .more = more,
                                                                  .text = text,
                                                                  .host = c->engine->id,
                                                                  .kind = (uint8_t)kind,
                                                                  .from = (uint8_t)remark});
}

void remark_response(const struct ltcp_connection *c, ltcp_time now, const char *to)
{
    connection_remark(c, now, LTCP_REMARK_RESPONSE, to, c->cc.cwnd, c->cc.ssthresh);
}

/* The algorithm's first word, or the number that it calls so. */
static struct ltcp_congestion_value value_of(const struct ltcp_connection *c, const char *name)
{
    const struct ltcp_congestion_ops *ops = c->cc.ops;
    struct ltcp_congestion_value v;
    for (size_t i = 0; ops->info != NULL && ops->info(&c->cc, i, &v); i++)
        if (name == NULL ? v.kind == LTCP_CC_TEXT : strcmp(v.name, name) == 0) return v;
    return (struct ltcp_congestion_value){"", LTCP_CC_TEXT, 0, ""};
}

void congestion_tells(struct ltcp_connection *c, ltcp_time now)
{
    const uint8_t tells = c->cc.tells;
    c->cc.tells = 0;
    if (tells & LTCP_CC_HOLDS_BACK) rate_hold_back(c, now);
    if (!is_traced(c)) return;
    if (tells & LTCP_CC_REDUCED) remark_response(c, now, "marks");
    if (tells & LTCP_CC_TURNED)
        connection_remark(c, now, LTCP_REMARK_CONGESTION, value_of(c, NULL).text, c->cc.cwnd,
                          (int64_t)pacing_rate(c));
    if (tells & LTCP_CC_JUDGED)
        connection_remark(c, now, LTCP_REMARK_VALIDATION,
                          value_of(c, "validated").value != 0 ? "validated" : "not validated",
                          c->cc.cwnd, value_of(c, "pipe_ack").value);
}
