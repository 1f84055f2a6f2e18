/* core/tcp/orphan.c
 *
 * What the user has closed goes on by itself until both FINs are acknowledged; a peer that vanishes
 * or never closes would keep it for long. So retransmissions have a bound of their own (the setting
 * orphan_r2_count, in timers.c), FIN-WAIT-2 has one by time (fin_wait_2_timeout), and a host has
 * one for how many there are (orphans_most): the next one is reset, as by ABORT. */
#include "tcp/connection.h"

static bool is_over(uint8_t state)
{
    return state == LTCP_CLOSED || state == LTCP_TIME_WAIT;
}

bool orphan_begins(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_engine *e = c->engine;
    const int64_t most = settings_of(c)->orphans_most;
    if (is_over(c->state) || c->orphan) return false;
    c->orphan = true;
    e->orphans++;
    if (most == 0 || e->orphans <= most) return false;
    e->orphans_cut++;
    output_reset(c, now);
    connection_die(c, now, LTCP_ERR_ABORTED);
    return true;
}

void orphan_changes(struct ltcp_connection *c, enum ltcp_state state)
{
    if (!c->orphan || !is_over((uint8_t)state)) return;
    c->orphan = false;
    c->engine->orphans--;
}
