/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plain.h - a state of a connection that is no TLS: its bytes pass as they are, and are read on
 * their way. A worker's thread. */
#ifndef CONN_PLAIN_H
#define CONN_PLAIN_H

#include "conn/conn.h"

/* True if the rules let it be read, and somebody wants to know. Otherwise its bytes need not come
 * to user space (passing.h). */
bool plain_is_read(struct conn *conn);

extern const struct conn_stage plain_relay;

#endif
