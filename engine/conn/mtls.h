/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mtls.h - who wants to see the device's own certificate: remembered, so that later connections
 * pass at once.
 *
 * By device, destination and name, for an hour; a bounded table, in which newer entries push out
 * older ones. One worker's; all-zero it is empty. */
#ifndef CONN_MTLS_H
#define CONN_MTLS_H

#include "core/flow.h"

#define MTLS_SETS 1024
#define MTLS_WAYS 4
#define MTLS_TIME ((uint64_t)3600 * 1000) /* ms */

struct mtls {
    struct mtls_entry {
        unsigned char digest[16]; /* of whom it is about */
        uint64_t until;           /* ms, on the clock of `now`; 0: free */
    } sets[MTLS_SETS][MTLS_WAYS];
};

void mtls_remember(struct mtls *mtls, const struct flow *flow, uint64_t now);
bool mtls_knows(const struct mtls *mtls, const struct flow *flow, uint64_t now) must_check;

#endif
