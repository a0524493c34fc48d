/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * audit.h - what was changed, by whom, and what it was before: for the records and for the log.
 *
 * In the records it is an event of type `intercept` with action `change`; what is long comes in
 * several events. The control thread's. */
#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

#include "control/peer.h"
#include "event/recorder.h"

#include <jansson.h>
#include <stdint.h>

struct audit {
    const char *reason;              /* "operator", "expiry", "reload", "start" */
    const struct control_peer *peer; /* who wanted it; NULL: nobody did */
    uint64_t revision;               /* of the policy, once it is in force */
    /* What becomes of what: {"what": "ignore", "device": "cam", "old": "^a", "new": "^b"}; without
     * "old" where there was nothing, without "new" where there is nothing any more. */
    const json_t *items;
};

void audit_record(struct recorder_feed *feed, const struct audit *audit);

/* Both, for what an operator has done by hand. Takes over the items. */
void audit_operator(struct recorder_feed *feed, const struct control_peer *peer, uint64_t revision,
                    json_t *items);

/* A line an item. */
void audit_log(const struct audit *audit);

#endif
