/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * telling.h - what is spoken inside a connection, and what is told of it: a tap on the relay, and
 * an event for each message.
 *
 * The only place that knows both tap/ and event/. */
#ifndef CONN_TELLING_H
#define CONN_TELLING_H

#include <stdbool.h>

struct conn;

/* True if anybody wants to know, and the rules allow it. */
bool telling_is_wanted(const struct conn *conn);

/* If so, reads from now on what the relay moves. */
void telling_begin(struct conn *conn);

/* Tells what is unfinished, and notes what was spoken. Harmless if nothing is read. */
void telling_end(struct conn *conn);

#endif
