/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * record.h - what is known of one connection, to be written down.
 *
 * Filled bit by bit by whoever finds things out; all text is borrowed from the owner, NULL or 0
 * where nothing is known. */
#ifndef EVENT_RECORD_H
#define EVENT_RECORD_H

#include "core/ending.h"
#include "core/flow.h"
#include "core/text.h"
#include "event/alert.h"

#include <sys/time.h>

/* No alert has this number. */
#define RECORD_NO_ALERT (-1)

/* The TLS session with one side. */
struct record_session {
    const char *version; /* "TLS 1.3", as Suricata writes it */
    const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
    const char *group;   /* "X25519" */
    const char *alpn;
    const char *ja4, *ja3; /* of our own ClientHello, upstream; */
    const char *ja3s;      /* and of the origin's ServerHello */
    bool resumed;
    uint32_t handshake_ms;
    int alert_in, alert_out; /* TLS alerts received and sent */
    const char *alert_in_name, *alert_out_name;
};

/* What was found wrong with the origin's chain. */
struct record_fault {
    int code;  /* X509_V_ERR_… */
    int depth; /* 0 is the origin's own certificate */
    const char *text;
};

/* Facts of the origin's certificate; see tls/certificate.h. */
struct record_certificate {
    const char *subject, *issuer, *serial, *not_before, *not_after, *fingerprint;
    const char *const *names;
    size_t name_count;
};

struct record {
    uint64_t flow_id;
    const struct flow *flow;
    const char *community_id;          /* NULL: it is computed with each event */
    const char *upstream_community_id; /* of our connection to the origin; NULL: unknown */
    struct timeval start, end;         /* a start of 0: unknown */

    const char *action; /* "intercept", "passthrough", "bypass", "refuse" (of QUIC) */
    const char *reason;
    const char *rule;         /* the pattern that decided */
    const char *rule_place;   /* "file:line" */
    uint64_t learned;         /* the number of the finding that decided, or was made; 0: none */
    const char *evidence;     /* what it rests on */
    uint64_t policy_revision; /* 0: unknown */
    enum ending ending;
    const char *phase; /* how far it was by then: the state's name, "after_handshake", "data" */

    const char *app_proto; /* "tls", "http", "quic", …; "failed" if unknown */
    bool starttls;         /* TLS began in mid-connection, when that protocol had asked for it */
    bool ech;              /* the ClientHello has an encrypted one in it, or pretends to (GREASE) */
    const char *sni, *ja4, *ja3;
    const char *const *client_alpns;
    size_t client_alpn_count;
    struct record_session client, upstream;
    struct record_certificate certificate;
    bool verified;      /* the two below are set */
    const char *verify; /* "ok", or what is wrong with the origin's certificate */
    int verify_code;    /* X509_V_ERR_… */
    const struct record_fault *faults;
    size_t fault_count;
    const char *origin_sha256; /* of the origin's certificate */
    const char *forged_fingerprint, *forged_sha256;
    bool forged_cached;
    bool forged_override; /* it is none: the operator's own certificate was shown */

    struct text head;      /* what all its events begin with, if eve.h has made it */
    const char *protocol;  /* that was spoken inside TLS, by Suricata's name: "failed" if nobody
                              knows  it; NULL if nothing was read */
    uint64_t transactions; /* of it that were seen */
    uint64_t untold;       /* of them that are in no record, for lack of memory */

    enum alert alert; /* of an `alert` event: */
    bool blocked;     /* and that was the end */
    bool alerted;     /* there was one */

    const char *state; /* of the flow, in Suricata's words; NULL: "closed" */
    bool uncounted;    /* of the next four nothing is known */
    uint64_t packets_to_server, packets_to_client;
    uint64_t bytes_to_server, bytes_to_client; /* of payload, on the device's side; of a connection
                                                  that passed in the kernel, of IP packets */
};

/* A flow_id: 51 random bits, never 0. No two connections share one, also over restarts. */
uint64_t record_new_flow_id(void);

/* The flow_id of a connection that several threads tell of, and none carries: the same for the same
 * addresses, ports and protocol as long as this process runs, and not to be guessed. Any thread. */
uint64_t record_flow_id(const struct flow *flow);

#endif
