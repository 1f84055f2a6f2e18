/* bindings/uv_drive.h
 *
 * The loop of the module: a private uv_loop_t, a clock and a timer in nanoseconds, and the tunnels
 * that it polls. Knows no Lua. Everything happens inside ltcp_loop_run; nothing is called back. */
#ifndef LUNATCP_UV_DRIVE_H
#define LUNATCP_UV_DRIVE_H

#include "uv_tunnel.h"
#include "uv_watch.h"

struct ltcp_loop;
/* A tunnel in a loop. */
struct ltcp_member;

/* 0 or an errno value. */
int ltcp_loop_create(struct ltcp_loop **out);
/* Removes what is still in it. NULL is allowed. */
void ltcp_loop_destroy(struct ltcp_loop *loop);

/* Nanoseconds since the loop was made: the time of the networks that it drives. */
ltcp_time ltcp_loop_now(const struct ltcp_loop *loop);
/* For a foreign loop to poll: readable when ltcp_loop_run has something to do. */
int ltcp_loop_fd(const struct ltcp_loop *loop);
/* Nanoseconds until ltcp_loop_run or a network is wanted without any I/O; LTCP_NEVER. 0 also when
 * the descriptor does not yet know of a change: ask before each sleep. */
ltcp_time ltcp_loop_timeout(const struct ltcp_loop *loop);

/* The tunnel becomes the loop's. 0 or an errno value (the tunnel is still the caller's). */
int ltcp_loop_add(struct ltcp_loop *loop, struct ltcp_tunnel *tunnel, struct ltcp_member **out);
/* Closes the tunnel too. The member is gone then. */
void ltcp_loop_remove(struct ltcp_member *member);
struct ltcp_tunnel *ltcp_member_tunnel(const struct ltcp_member *member);
/* The owner's. */
void ltcp_member_set_owner(struct ltcp_member *member, void *owner);
void *ltcp_member_owner(const struct ltcp_member *member);
struct ltcp_member *ltcp_loop_first(const struct ltcp_loop *loop); /* NULL: none */

/* What else it waits for (uv_watch.h): what is ready there ends a sleep, and is to be taken. */
struct uv_loop_s *ltcp_loop_uv(struct ltcp_loop *loop);
struct ltcp_watches *ltcp_loop_watches(struct ltcp_loop *loop);

/* Sends what the tunnels have gathered; sleeps until there is I/O, a network of a tunnel has
 * something due, or `timeout` (LTCP_NEVER: no bound) is over, but a quarter of a second at the
 * most, so that a signal gets its turn; hands in what has arrived. Returns how many packets.
 * Call ltcp_network_step up to ltcp_loop_now before and after: what has arrived stays in the
 * sockets while a network has something due before it. */
size_t ltcp_loop_run(struct ltcp_loop *loop, ltcp_time timeout);

#endif
