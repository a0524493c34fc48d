/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conn.h - one connection, from its arrival to its record.
 *
 *   HELLO     the device's first bytes are looked at where they lie, in the socket: a ClientHello,
 *             other bytes, or silence. Now names are known, and the policy is asked again.
 *   SILENT    nothing came for 300 ms, so perhaps the server speaks first: the origin is dialled,
 *             and whoever speaks first decides. (opening.c)
 *   STARTTLS  a plaintext dialogue that may lead to TLS is followed, a line at a time; when both
 *             sides have agreed on TLS, HELLO once more. (upgrading.c)
 *
 *   DIAL      TCP to the origin.
 *   UPSTREAM  TLS with the origin, with the device's name and ALPN: now its certificate, its
 *             choices and its failings are known. If it wants to see a certificate of the device's,
 *             PASS_DIAL may follow. (intercepting.c)
 *   VERDICT   the origin has asked for a certificate, and in TLS 1.3 it refuses those who have none
 *             only after the handshake. (intercepting.c)
 *   FORGE     a certificate in the shape of the origin's is made. (forging.c)
 *   DEVICE    TLS with the device, offering what the origin chose.
 *   RELAY     both directions through our hands, until both have ended. (intercepting.c)
 *
 *   PASS_DIAL what is not ours to read: TCP to the origin,
 *   SPLICE    and the bytes as they came, hello included. (passing.c)
 *
 *   LINGER    a last word (an alert, a FIN) is given time to arrive. (conn.c)
 *
 * A connection is in one state, and conn_enter() is the only way into another; arrival.c has the
 * table of them. It belongs to one worker, and a fault in it ends it alone.
 *
 * A function that may end a connection frees it: it is the last thing that its caller does. */
#ifndef CONN_CONN_H
#define CONN_CONN_H

#include "conn/pool.h"
#include "conn/relay.h"
#include "conn/splice.h"
#include "conn/upgrading.h"
#include "core/arena.h"
#include "event/record.h"
#include "tls/leaf.h"
#include "tls/offer.h"
#include "tls/verify.h"

enum conn_state {
    CONN_HELLO,
    CONN_SILENT,
    CONN_STARTTLS,
    CONN_DIAL,
    CONN_UPSTREAM,
    CONN_VERDICT,
    CONN_FORGE,
    CONN_DEVICE,
    CONN_RELAY,
    CONN_PASS_DIAL,
    CONN_SPLICE,
    CONN_PLAIN,
    CONN_LINGER,
};
#define CONN_STATES 13

/* What a state does. `events` are epoll's; 0 after loop_again(). A state that never wants anything
 * of a side, starts no timer, or has nothing to give back, leaves the function out. */
struct conn_stage {
    const char *name;
    void (*enter)(struct conn *conn);
    void (*leave)(struct conn *conn); /* for another state, or for the end */
    void (*device_ready)(struct conn *conn, uint32_t events);
    void (*origin_ready)(struct conn *conn, uint32_t events);
    void (*expired)(struct conn *conn);
};
extern const struct conn_stage conn_linger;

struct conn_side {
    struct endpoint endpoint;
    struct watch watch;
};

struct conn {
    LIST_ENTRY(conn) link; /* in the pool's list */
    struct pool *pool;
    const struct conn_stage *const *stages; /* by state */
    enum conn_state state;
    struct timer timer;
    struct conn_side device, origin;
    bool origin_connected;
    bool hello_begun; /* the start of a ClientHello has been seen */
    bool followed;    /* a dialogue that might have led to TLS, up to here */
    bool tls_told;    /* the `tls` event is written */
    bool by_our_ca;   /* the certificate that the device is shown is signed by our CA */
    bool accepted;    /* the device has sent data in TLS, and the policy knows */

    struct arena arena; /* of everything below that is a pointer to text */
    struct pool_policy *policy;
    struct flow flow;
    struct decision decision;
    struct tls_rules rules; /* since the ClientHello, or in PLAIN */

    uint16_t offered_version;        /* the highest that the device offers */
    struct offer offer;              /* to the origin */
    bool ecdsa_for_12, ecdsa_for_13; /* it takes an ECDSA certificate in TLS 1.2, in 1.3 */
    const unsigned char *alpn;       /* its list, as it came */
    size_t alpn_length;
    struct verify verify;
    struct session_place session_place; /* of the session with the origin */
    struct leaf *leaf;
    struct leaf_cache_key leaf_key;
    LIST_ENTRY(conn) forging_link; /* in the pool's list, in FORGE */
    uint32_t forging_number;       /* of a request that this one made; 0: none */
    uint64_t handshake_start;      /* ms */
    uint64_t forge_start;          /* ms: when the signer was asked, in FORGE */

    union {
        struct upgrade upgrade; /* in STARTTLS */
        struct relay relay;     /* in RELAY, PLAIN */
        struct splice splice;   /* in SPLICE */
    } through;
    struct tap *tap;             /* in RELAY, PLAIN; NULL: nothing is read */
    struct capturing *capturing; /* in RELAY, PLAIN; NULL: nobody wants packets of it */
    struct record record;
};

/* The only way into a state. May end the connection. */
void conn_enter(struct conn *conn, enum conn_state state);

/* Tells the loop of the device's socket, wanting nothing of it yet; of the origin's, which is being
 * connected. False with errno. */
bool conn_watch_device(struct conn *conn) must_check;
bool conn_watch_origin(struct conn *conn) must_check;

/* What is wanted from either side from now on: EPOLLIN, EPOLLOUT, EPOLLRDHUP; 0: only to hear that
 * it is gone. */
void conn_want(struct conn *conn, uint32_t device, uint32_t origin);

/* A side of which nothing was wanted is gone, by RST or by the network: nothing will be read or
 * written that would tell it, and it is told but once. */
bool conn_lost(const struct conn_side *side, uint32_t events);

/* The state's `expired` is called when this time is over. Entering a state stops the timer. */
void conn_timeout(struct conn *conn, struct timeout_class *class);

/* Writes the `tls` event, if the device spoke TLS and it is not written yet, and what is alarming
 * about the origin. */
void conn_tell_tls(struct conn *conn);

/* Ends the connection and frees it. With `reset` both sides see RST, otherwise FIN. */
void conn_end(struct conn *conn, enum ending ending, bool reset);

/* Gives up what there is with the origin: it may be dialled again. */
void conn_drop_origin(struct conn *conn);

/* Ends with a last word to the device: a TLS alert, or, with NO_ALERT, just FIN. */
void conn_refuse(struct conn *conn, enum ending ending, int alert);

#endif
