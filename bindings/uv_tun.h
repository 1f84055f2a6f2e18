/* bindings/uv_tun.h
 *
 * A TUN device of Linux in the place of a UDP socket: what is written to it, the kernel takes in as
 * an IP packet; what the kernel routes to it is read. The counters are those of struct udp. */
#ifndef LUNATCP_UV_TUN_H
#define LUNATCP_UV_TUN_H

#include "uv_batch.h"

#define TUN_NAME 16 /* with the NUL at its end */

/* Opens the device `name`, or makes it ("tun%d": the kernel finds a number); it is gone when its
 * last user closes it, unless it was made to stay. `name` then is what it is called. 0 or an errno
 * value: EOPNOTSUPP (not Linux), ENOENT (no /dev/net/tun), EPERM (it takes CAP_NET_ADMIN), EBUSY.
 */
int tun_open(struct udp *udp, char name[TUN_NAME]);
/* As udp_send and udp_receive; each packet is a call. */
size_t tun_send(struct udp *udp, const struct udp_datagram *packets, size_t count);
size_t tun_receive(struct udp *udp, struct udp_arrival *arrivals, size_t count);

#endif
