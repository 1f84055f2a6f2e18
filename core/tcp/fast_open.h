/* core/tcp/fast_open.h
 *
 * TCP Fast Open, RFC 7413: what a connection that asks for it or took it keeps, what a host
 * remembers of the servers it has talked to, and the cookies that it makes itself. Internal to the
 * core. */
#ifndef LUNATCP_TCP_FAST_OPEN_H
#define LUNATCP_TCP_FAST_OPEN_H

#include "tcp/connection.h"

/* Bits of the setting fast_open_mode, as Linux's net.ipv4.tcp_fastopen has them. */
enum {
    FAST_OPEN_CLIENT = 0x1,
    FAST_OPEN_SERVER = 0x2,
    FAST_OPEN_SEND_ALWAYS = 0x4,      /* data in a SYN without a cookie */
    FAST_OPEN_ACCEPT_ALWAYS = 0x200,  /* a SYN's data without a cookie */
    FAST_OPEN_EVERY_LISTENER = 0x400, /* a listener need not ask for it */
    FAST_OPEN_COOKIE_MOST = 16        /* RFC 7413 section 4.1.1 */
};

struct ltcp_cookie {
    uint8_t bytes[FAST_OPEN_COOKIE_MOST];
    uint8_t length;    /* 0: none */
    bool experimental; /* it came in the experimental option (RFC 6994, RFC 7413 section 9) */
};

/* Hangs on struct ltcp_rare. */
struct ltcp_fast_open {
    struct ltcp_cookie cookie; /* the one that the SYN or the SYN-ACK carries */
    bool option;               /* it carries the option: with a cookie, or as a request */
    bool awaited;              /* a client's user has more to write as soon as he may */
    bool opened;               /* the server's FastOpened flag, section 4.2 */
    bool pending;              /* counts among the listener's PendingFastOpenRequests */
    bool reset;                /* ... and goes on to, although a RST ended it (section 5.1) */
    uint8_t failure;           /* enum ltcp_fast_open_failure */
    uint32_t octets; /* of data that the SYN carried: sent by a client, taken by a server */
    uint32_t acked;  /* of them, acknowledged by the SYN-ACK */
    ltcp_time ended; /* when it died while it was pending */
    ltcp_handle listener;
};

static inline struct ltcp_fast_open *fast_open_of(const struct ltcp_connection *c)
{
    return c->rare != NULL ? c->rare->fast_open : NULL;
}
/* The ACK of the SYN-ACK may wait for data to ride on. */
static inline bool fast_open_is_awaited(const struct ltcp_connection *c)
{
    return c->rare != NULL && c->rare->fast_open != NULL && c->rare->fast_open->awaited;
}
/* Data was exchanged, or may be, before the handshake has ended. */
static inline bool fast_opened(const struct ltcp_connection *c)
{
    return c->rare != NULL && c->rare->fast_open != NULL && c->rare->fast_open->opened;
}

/* fast_open.c: one connection */
/* Made when there is none yet; NULL: no memory. */
struct ltcp_fast_open *fast_open_make(struct ltcp_connection *c);
/* Client, section 4.2.2: the SYN that waits to be sent asks for a cookie, or carries one and as
 * many of the octets as fit. */
void fast_open_start(struct ltcp_connection *c, ltcp_time now, const struct ltcp_open *open);
/* The SYN-ACK: its cookie and MSS are kept; what it says of the SYN's data is judged. */
void fast_open_synack_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a);
/* What the SYN-ACK left of the SYN's data goes again. */
void fast_open_resume(struct ltcp_connection *c);
/* The path or the server refuses it: section 4.1.3.1. */
void fast_open_failed(struct ltcp_connection *c, ltcp_time now);
/* The connection dies. */
void fast_open_ends(struct ltcp_connection *c, ltcp_time now, enum ltcp_status why);
/* The option of a SYN or SYN-ACK that is written for the first time. */
void fast_open_write(const struct ltcp_connection *c, struct ltcp_options *o);
void fast_open_release(struct ltcp_connection *c);

/* fast_open_cache.c: what a client remembers of servers, in bounded memory */
#define FAST_OPEN_PORTS 4
struct ltcp_fast_open_entry {
    struct ltcp_address local, remote;
    struct ltcp_cookie cookie;
    uint16_t mss;      /* that the server announced; 0: none known */
    uint8_t try_kind;  /* enum fast_open_try: how the next request is made */
    uint64_t last_use; /* counts up with each use of the cache; 0: the entry is free */
    /* Section 4.1.3.1: ports where it failed, and until when it is not tried there. */
    struct {
        uint16_t port; /* 0: none */
        ltcp_time until;
    } refused[FAST_OPEN_PORTS];
};
enum fast_open_try { TRY_STANDARD, TRY_EXPERIMENT, TRY_NO_MORE_EXPERIMENTS };
/* NULL: nothing is known. */
struct ltcp_fast_open_entry *fast_open_find(struct ltcp_engine *e, const struct ltcp_address *local,
                                            const struct ltcp_address *remote);
/* A fresh one in place of the one that was used least recently, where there is none; NULL: no
 * memory. */
struct ltcp_fast_open_entry *fast_open_remember(struct ltcp_engine *e,
                                                const struct ltcp_address *local,
                                                const struct ltcp_address *remote);
void fast_open_forget(struct ltcp_engine *e); /* all of them, and the memory */
/* The i-th entry, in no particular order; NULL past the last. */
const struct ltcp_fast_open_entry *fast_open_at(const struct ltcp_engine *e, size_t i);

#endif
