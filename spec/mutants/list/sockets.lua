-- Sockets as programs know them.
return {
  -- core/socket/signature_ao.c
  {
    name = "ao-key-under-a-connection-without",
    requirement = "RFC5925:7.1-1: a connection that began without keys gets none (EISCONN)",
    file = "socket/signature_ao.c",
    shown_by = "spec/authentication/sockets_ao_spec.lua",
    text = "return closed || o->s->signs ? 0 : -LTCP_EISCONN;",
    with = "return closed ? 0 : 0;",
  },
  {
    name = "ao-beside-md5",
    requirement = "RFC5925:2.2-1: TCP-AO and TCP MD5 are not used together",
    file = "socket/signature_ao.c",
    shown_by = "spec/authentication/sockets_ao_spec.lua",
    text = "    if (meets_md5(o, &key.scope)) return -LTCP_EKEYREJECTED;\n",
    with = "    (void)meets_md5;\n",
  },

  -- core/socket/ready.c
  {
    name = "one-end-shut-is-a-hang-up",
    requirement = "poll(2): POLLHUP when both directions are shut",
    file = "socket/ready.c",
    shown_by = "core/test/socket_ready_test.c",
    text = "if (s->shut == (SHUT_RECEIVE | SHUT_SEND) ||",
    with = "if ((s->shut & SHUT_RECEIVE) ||",
  },
  {
    name = "lowat-ignored-by-poll",
    requirement = "socket(7): SO_RCVLOWAT",
    file = "socket/ready.c",
    shown_by = "core/test/socket_ready_test.c",
    text = "const uint32_t target = (uint32_t)s->options.receive_low + apart;",
    with = "const uint32_t target = 1u + apart;",
  },

  -- core/socket/epoll.c
  {
    name = "edges-told-twice",
    requirement = "epoll(7): EPOLLET tells of changes only",
    file = "socket/epoll.c",
    shown_by = "core/test/socket_ready_test.c",
    text = "        else if (!(w->events & LTCP_EPOLLET))\n",
    with = "        else\n",
  },
  {
    name = "one-shot-stays-armed",
    requirement = "epoll(7): EPOLLONESHOT",
    file = "socket/epoll.c",
    shown_by = "core/test/socket_ready_test.c",
    text = "            w->disarmed = true;",
    with = "            (void)w;",
  },

  -- core/socket/closing.c
  {
    name = "linger-of-zero-closes-in-order",
    requirement = "socket(7): SO_LINGER with a time of 0 resets",
    file = "socket/closing.c",
    shown_by = "core/test/socket_calls_test.c",
    text = "if (s->options.linger_on && s->options.linger_seconds == 0)",
    with = "if (false)",
  },
  {
    name = "linger-waits-for-nothing",
    requirement = "socket(7): close waits until the data is acknowledged",
    file = "socket/closing.c",
    shown_by = "core/test/socket_calls_test.c",
    text = "if (call->progress.object == 0 || !still_closing(t, call->progress.object)) return 0;",
    with = "(void)still_closing;\n    if (call->progress.object >= 0) return 0;",
  },

  -- core/socket/transfer.c
  {
    name = "not-sent-low-ignored",
    requirement = "tcp(7): TCP_NOTSENT_LOWAT",
    file = "socket/options_tcp.c",
    shown_by = "core/test/socket_ready_test.c",
    text = "s->not_sent_low = s->settings.not_sent_low = low <= NOT_SENT_MOST ? low : 0;",
    with = "s->not_sent_low = low <= NOT_SENT_MOST ? low : 0;",
  },
  {
    name = "cork-ignored",
    requirement = "tcp(7): TCP_CORK",
    file = "socket/transfer.c",
    shown_by = "core/test/socket_calls_test.c",
    text = "if (x->s->options.cork) flags |= LTCP_WRITE_HOLD;",
    with = "",
  },

  -- core/socket/opening.c
  {
    name = "port-shared-with-a-listener",
    requirement = "socket(7): SO_REUSEADDR shares no port on which one listens",
    file = "socket/ports.c",
    shown_by = "core/test/socket_calls_test.c",
    text = "other->options.reuse_address &&\n           other->role != ROLE_LISTENING;",
    with = "other->options.reuse_address;",
  },

  -- core/socket/pipe.c
  {
    name = "small-writes-torn",
    requirement = "pipe(7): what fits into PIPE_BUF is written whole or not at all",
    file = "socket/pipe.c",
    shown_by = "core/test/socket_calls_test.c",
    text = "if (length > PIPE_ATOMIC || PIPE_ROOM - p->count >= length)",
    with = "if (true)",
  },
}
