/* bindings/uv_tun.h
 *
 * A TUN device of Linux in the place of a UDP socket: what is written to it, the kernel takes in as
 * an IP packet; what the kernel routes to it is read. The counters are those of struct udp. Where
 * the kernel has it (IFF_VNET_HDR), a run of segments passes as one, in both ways, and who sums a
 * text that is only copied is nobody: udp->batch is UDP_BATCH_GSO then, else UDP_BATCH_PLAIN. */
#ifndef LUNATCP_UV_TUN_H
#define LUNATCP_UV_TUN_H

#include "uv_batch.h"

#define TUN_NAME 16 /* with the NUL at its end */

/* Opens the device `name`, or makes it ("tun%d": the kernel finds a number); it is gone when its
 * last user closes it, unless it was made to stay. `name` then is what it is called. 0 or an errno
 * value: EOPNOTSUPP (not Linux, or a batch that this kernel does not know; UDP_BATCH_MMSG: none
 * does), ENOENT (no /dev/net/tun), EPERM (it takes CAP_NET_ADMIN), EBUSY. */
int tun_open(struct udp *udp, char name[TUN_NAME], enum udp_batch batch);
/* As udp_send and udp_receive; each packet, or run of segments, is a call. */
size_t tun_send(struct udp *udp, const struct udp_datagram *packets, size_t count);
size_t tun_receive(struct udp *udp, struct udp_arrival *arrivals, size_t count);

#endif
