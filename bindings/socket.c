/* bindings/socket.c - the socket layer of the core (lunatcp/socket.h) as a class.
 *
 *   sockets = host:sockets{ first = 3, most = 1024 }   -- host: a core host; the table is optional
 *   call = sockets:call(name, ...)                     -- starts the call and steps it once
 *   call:done()      -> boolean
 *   call:step()      -> boolean: goes on with a call that would block; true once it is done
 *   call:deadline()  -> seconds, nil: the call ends by itself then, so step it (SO_RCVTIMEO, poll)
 *   call:result()    -> integer, code, text, outputs: what the call returned (-1 when it failed,
 *                       then code = "EAGAIN" and text = "Resource temporarily unavailable"; both
 *                       nil otherwise) and a table of what it filled in. nil while it is not done.
 *
 * Integers among the arguments may be names of constants, joined by "|": "O_RDWR|O_NONBLOCK".
 * An address is { family = "AF_INET", address = "10.0.0.1", port = 80 } (family is taken from the
 * text when it is left out; `length` overrides sizeof), or nil for a NULL pointer. Data to be sent
 * is a string, or an integer n for n zero octets. By name:
 *
 *   socket(domain, type, protocol)            bind(fd, address)       listen(fd, backlog)
 *   accept(fd) accept4(fd, flags)             outputs.address
 *   connect(fd, address)                      getsockname(fd) getpeername(fd)   outputs.address
 *   read(fd, n) readv(fd, {n, ...}) recv(fd, n, flags)                outputs.data
 *   recvfrom(fd, n, flags)                    outputs.data, .address (nil: none)
 *   recvmsg(fd, {n, ...}, flags [, room])     outputs.data, .flags, .controls =
 *                                             { { level =, type =, value = }, ... }
 *   write(fd, data) writev(fd, {data, ...}) send(fd, data, flags)
 *   sendto(fd, data, flags, address)          sendmsg(fd, {data, ...}, flags [, address])
 *   fcntl(fd, command [, argument])           ioctl(fd, request [, value])      outputs.value
 *   close(fd)                                 shutdown(fd, how)
 *   getsockopt(fd, level, name [, length])    outputs.data, .length, .value (an integer, where it
 *                                             has 1, 4 or 8 octets), .linger, .time, .info
 *   setsockopt(fd, level, name, value [, length])   value: integer, string of octets,
 *                                             { onoff =, linger = } or { sec =, usec = }
 *   poll({ { fd =, events = }, ... }, timeout_ms)   outputs.polls[i].revents
 *   epoll_create(size)  epoll_ctl(epfd, operation, fd, { events =, data = })
 *   epoll_wait(epfd, maxevents, timeout_ms)   outputs.events = { { events =, data = }, ... }
 *   pipe()                                    outputs.fds = { read end, write end }
 *   splice(fd_in, fd_out, length, flags)
 *
 *   sockets:poll(fd)       -> bits that are true now (POLLIN ...), without a call
 *   sockets:tcp_info(fd)   -> table of TCP_INFO's fields by their names without "tcpi_" (wscales
 *                             split into snd_wscale and rcv_wscale, `bits` into
 *                             delivery_rate_app_limited, `accecn` into ecn_mode, accecn_opt_seen,
 *                             accecn_fail_mode, options2); nil, text, code
 *   sockets:info(fd)       -> as connection:info of the engine's connection behind it, or nil
 *   sockets:descriptors()  -> array of open descriptors
 *   sockets:renumber(from, to) -> true; nil, text, code
 *   sockets:next_deadline() -> seconds, nil; sockets:advance() when it is due (a net:alarm)
 *   sockets:drain()        -> boolean: takes all events of the host, so that net:step goes on
 *                             (it says "events" until somebody took them); true if there were any
 *   sockets:close()        -> closes every descriptor, as the end of a process does
 *   core.socket_constants  -> table: name -> number, errno names not among them
 *   core.socket_errno      -> table: name -> number
 *   core.socket_errno_text -> table: name -> what strerror says
 *
 * After anything but "drain", run net:step (the host may have packets to send); step calls that are
 * not done whenever net:step has returned "events" or the deadline has come. */
#include "binding.h"
