/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tally.h - what the connections of one worker have come to, in numbers that only grow.
 *
 * Written by the worker's thread, read by any. Nothing in it is by name, address or device: there
 * is no end of those. */
#ifndef CONN_TALLY_H
#define CONN_TALLY_H

#include "core/ending.h"
#include "core/histogram.h"
#include "policy/policy.h"

struct conn;

enum tally_side { TALLY_DEVICE, TALLY_ORIGIN };
#define TALLY_SIDES 2

/* Of TLS alerts, by number (RFC 8446, section 6); and of handshakes that failed without one. */
#define TALLY_NO_ALERT 256
#define TALLY_ALERTS 257

struct tally {
    struct counter intercepted[REASONS], passed[REASONS]; /* connections that have ended */
    struct counter undecided; /* likewise, before it was known what would become of them */
    struct counter ended[ENDING_COUNT];
    struct counter failed[TALLY_SIDES][TALLY_ALERTS]; /* handshakes, by the alert that came in */
    struct counter bytes_to_server, bytes_to_client;  /* payload on the devices' side */
    struct histogram handshakes[TALLY_SIDES];         /* that succeeded */
    struct histogram forging;                         /* from the question to the signer's answer */
};

/* Counts a connection that has ended: its record is complete. */
void tally_end(struct tally *tally, const struct conn *conn);

#endif
