/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * eve.h - records as Suricata's EVE JSON, one object a line.
 *
 * Field names and forms are Suricata's; what only we know stands under the one key `intercept`. The
 * ClientHello's facts are the device's, the certificate's are the real origin's: what a sensor on
 * the LAN would have seen without us. The forged certificate appears under `intercept.forged` only.
 */
#ifndef EVENT_EVE_H
#define EVENT_EVE_H

#include "core/jsonw.h"
#include "event/record.h"
#include "event/recorder.h"

enum eve_type {
    EVE_INTERCEPT, /* a decision has fallen */
    EVE_TLS,       /* the handshakes are over, one way or the other */
    EVE_FLOW,      /* the connection has ended */
};

/* Opens an event that is about no connection: an object with its time and type. */
void eve_begin(struct jsonw *json, const char *type);

/* Writes one event to the feed. Its thread only. */
void eve_write(struct recorder_feed *feed, enum eve_type type, const struct record *record);

#endif
