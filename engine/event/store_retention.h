/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * store_retention.h - the oldest events of a store go, in steps that take no long. */
#ifndef EVENT_STORE_RETENTION_H
#define EVENT_STORE_RETENTION_H

#include "core/macros.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct store_retention {
    uint32_t keep; /* for so many seconds an event is kept */
    uint64_t size; /* so many bytes all of them may take */
    time_t now;
    bool more; /* out: there may be work for another step */
};

/* Removes some events, or gives some room that they took back to the disk. False if the database
 * could not be written; it knows why. */
bool store_retention_step(sqlite3 *database, struct store_retention *retention) must_check;

#endif
