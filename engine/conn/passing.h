/* SPDX-License-Identifier: GPL-3.0-or-later *
 * passing.h - what is not ours to read goes on as it came: PASS_DIAL and SPLICE. */
#ifndef CONN_PASSING_H
#define CONN_PASSING_H

#include "conn/conn.h"

extern const struct conn_stage passing_dial, passing_splice;

/* It was decided that this connection passes. May end it. */
void passing_begin(struct conn *conn, const struct decision *decision);

/* The same, for a reason that lies in the connection itself and is no pattern's. */
void passing_as(struct conn *conn, enum reason reason);

#endif
