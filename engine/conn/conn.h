/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conn.h - one connection, from its arrival to its record.
 *
 *   HELLO     the device's first bytes are looked at where they lie, in the socket: a ClientHello,
 * other bytes, or silence. Now names are known, and the policy is asked again. SILENT    nothing
 * came for 300 ms, so perhaps the server speaks first: the origin is dialled, and whoever speaks
 * first decides. DIAL      TCP to the origin. UPSTREAM  TLS with the origin, with the device's name
 * and ALPN: now its certificate, its choices and its failings are known, and a certificate is
 * forged in its shape. DEVICE    TLS with the device, offering what the origin chose. RELAY both
 * directions through our hands, until both have ended.
 *
 *   PASS_DIAL, SPLICE   what is not ours to read goes on as it came, hello included.
 *   LINGER    a last word (an alert, a FIN) is given time to arrive.
 *
 * conn_enter() in conn.c is the only place where the state changes; each state is a few short
 * functions there. A connection belongs to one worker, and a fault in it ends it alone. */
#ifndef CONN_CONN_H
#define CONN_CONN_H

#include "conn/relay.h"
#include "conn/splice.h"
#include "core/arena.h"
#include "core/loop.h"
#include "event/record.h"
#include "policy/policy.h"
#include "tls/leaf.h"
#include "tls/verify.h"

struct worker;

enum conn_state {
    CONN_HELLO,
    CONN_SILENT,
    CONN_DIAL,
    CONN_UPSTREAM,
    CONN_DEVICE,
    CONN_RELAY,
    CONN_PASS_DIAL,
    CONN_SPLICE,
    CONN_LINGER,
};
#define CONN_STATES 9

struct conn_side {
    struct endpoint endpoint;
    struct watch watch;
};

struct conn {
    LIST_ENTRY(conn) link; /* in the worker's list */
    struct worker *worker;
    enum conn_state state;
    struct timer timer;
    struct conn_side device, origin;
    bool origin_connected;
    bool tls_told; /* the `tls` event is written */

    struct arena arena; /* of everything below that is a pointer to text */
    struct policy_view *view;
    struct flow flow;
    struct decision decision;

    uint16_t offered_version;        /* the highest that the device offers */
    bool ecdsa_for_12, ecdsa_for_13; /* it takes an ECDSA certificate in TLS 1.2, in 1.3 */
    const unsigned char *alpn;       /* its list, as it came */
    size_t alpn_length;
    struct verify verify;
    struct leaf *leaf;
    uint64_t handshake_start; /* ms */

    union {
        struct relay relay;   /* in RELAY */
        struct splice splice; /* in SPLICE */
    } through;
    struct record record;
};

LIST_HEAD(conn_list, conn);

/* A connection has arrived: takes over the socket. */
void conn_start(struct worker *worker, int fd, const struct address *device,
                const struct address *origin);

/* Ends it at once, as if both sides had gone. */
void conn_abort(struct conn *conn, enum ending ending);

#endif
