/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * lan.h - the devices' interfaces: as the operator names them, or all without a default route, as
 * they come and go; in the ruleset, in the log, and for whoever asks.
 *
 * The gate's thread, but for the last two functions. */
#ifndef GATE_LAN_H
#define GATE_LAN_H

#include "gate/interfaces.h"

#include <pthread.h>

struct lan {
    const char *const *named; /* the operator's names, borrowed; none: found */
    size_t named_count;
    struct interfaces now;
    pthread_mutex_t lock; /* of `now` */
};

void lan_init(struct lan *lan, const char *const *named, size_t named_count);
void lan_fini(struct lan *lan);

/* Finds them for the first time, and tells. False after the reason was logged. */
bool lan_find(struct lan *lan) must_check;

/* Looks again, where they are found and not named. True if they are others now. */
bool lan_find_again(struct lan *lan) must_check;

/* Any thread. */
void lan_copy(struct lan *lan, struct interfaces *copy);

/* Their names, separated by blanks. Any thread. */
void lan_text(struct lan *lan, char *text, size_t size);

#endif
