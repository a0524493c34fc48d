/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * relaying.h - both directions of a connection, byte by byte, and read on their way: of TLS that is
 * intercepted (RELAY), and of what is no TLS (PLAIN). A worker's thread. */
#ifndef CONN_RELAYING_H
#define CONN_RELAYING_H

#include "conn/conn.h"

/* Of a connection that is no TLS: true if the rules let it be read, and somebody wants to know.
 * Otherwise its bytes need not come to user space (passing.h). */
bool relaying_is_for_plain(struct conn *conn);

extern const struct conn_stage relaying_tls, relaying_plain;

#endif
