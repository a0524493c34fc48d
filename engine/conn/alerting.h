/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * alerting.h - what of a connection is worth an alert (event/alert.h). */
#ifndef CONN_ALERTING_H
#define CONN_ALERTING_H

#include "conn/conn.h"
#include "policy/outcome.h"

/* What is wrong with the origin, once both handshakes are over, or one of them was the end. */
void alerting_origin(struct conn *conn);

/* What a refusal of the device has led to. The finding is that of LEARNED_PINNED, which is an event
 * of its own, too, beside those of the connection that it was learned from. */
void alerting_learned(struct conn *conn, enum learned_news news,
                      const struct learned_finding *finding);

#endif
