/* bindings/packetdrill/preload.c - packetdrill asks for TCP_INFO, TCP_CC_INFO and SO_MEMINFO by the
 * system's own getsockopt. Preloaded (LD_PRELOAD), this object answers for its descriptors. */
#include "object.h"

#include <sys/syscall.h>
#include <unistd.h>

static bool is_ours(struct object *o, int fd)
{
    pthread_mutex_lock(&o->lock);
    const bool ours = !(ltcp_sockets_poll(o->sockets, o->now, fd) & LTCP_POLLNVAL);
    pthread_mutex_unlock(&o->lock);
    return ours;
}

__attribute__((visibility("default"))) int
getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict length)
{
    struct object *o = object_now();
    if (o == NULL || !is_ours(o, fd))
        return (int)syscall(SYS_getsockopt, fd, level, name, value, length);
    struct ltcp_call call = {.op = LTCP_CALL_GETSOCKOPT,
                             .fd = fd,
                             .arg = {level, name},
                             .value = value,
                             .length = length != NULL ? *length : 0};
    const int result = (int)call_run(o, &call);
    if (result == 0 && length != NULL) *length = (socklen_t)call.length;
    return result;
}
