/* core/tcp/chronograph.c - for how long a connection had something to send or to be acknowledged,
 * and for how much of that it waited for the peer's window, or for its own user. Kept only where
 * the setting `chronographs` asks for it; one of the three runs at a time. */
#include "tcp/connection.h"

/* The next segment is ready, and only the peer's window has no room for it. */
static bool waits_for_window(const struct ltcp_connection *c)
{
    if (!has_unsent(c)) return false;
    const struct ltcp_record *r = record_at(c->out, c->out->unsent);
    const uint32_t span = record_span(r) < c->snd_mss ? record_span(r) : c->snd_mss;
    const ltcp_seq edge = seq_add(c->snd_una, c->snd_wnd);
    const uint32_t usable = seq_gt(edge, c->snd_nxt) ? seq_diff(edge, c->snd_nxt) : 0;
    return usable < span && pipe_size(c) + span <= c->cc.cwnd;
}

static enum ltcp_chronograph which_runs(const struct ltcp_connection *c)
{
    if (c->out == NULL || c->out->head == c->out->tail || !state_may_send(c->state))
        return LTCP_CHRONOGRAPH_NONE;
    if (waits_for_window(c)) return LTCP_CHRONOGRAPH_WINDOW;
    if (c->write_blocked && !has_unsent(c)) return LTCP_CHRONOGRAPH_BUFFER;
    return LTCP_CHRONOGRAPH_BUSY;
}

void chronograph_look(struct ltcp_connection *c, ltcp_time now)
{
    if (!settings_of(c)->chronographs) return;
    const enum ltcp_chronograph runs = which_runs(c);
    if (runs == LTCP_CHRONOGRAPH_NONE && c->rare == NULL) return;
    struct ltcp_rare *rare = rare_of(c);
    if (runs == rare->chronograph) return;
    rare->chronographs[rare->chronograph] += now - rare->chronograph_since;
    rare->chronograph = (uint8_t)runs;
    rare->chronograph_since = now;
}

ltcp_time chronograph_read(const struct ltcp_connection *c, ltcp_time now,
                           enum ltcp_chronograph which)
{
    if (c->rare == NULL) return 0;
    ltcp_time time = c->rare->chronographs[which];
    if (c->rare->chronograph == which && c->out != NULL) time += now - c->rare->chronograph_since;
    return time;
}
