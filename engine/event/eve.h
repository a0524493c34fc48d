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

#include "core/arena.h"
#include "core/jsonw.h"
#include "event/record.h"
#include "event/recorder.h"

enum eve_type {
    EVE_INTERCEPT, /* a decision has fallen */
    EVE_TLS,       /* the handshakes are over, one way or the other */
    EVE_FLOW,      /* the connection has ended */
    EVE_ALERT,     /* the record's alert */
};

/* "2026-11-23T12:00:00.123456+0000": EVE's form, with no colon in the offset. */
void eve_write_time(struct jsonw *json, const char *key, const struct timeval *time);

/* Opens an event that is about no connection: an object with its time and type. */
void eve_begin(struct jsonw *json, const char *type);

/* Writes one event to the feed. Its thread only. */
void eve_write(struct recorder_feed *feed, enum eve_type type, const struct record *record);

/* The same into memory of the caller's, for whoever looks at it. */
void eve_compose(struct jsonw *json, enum eve_type type, const struct record *record);

/* That part of a connection's events that is the same in all of them, made once (record->head)
 * where there will be many. Not there if there is no memory. */
struct text eve_make_head(const struct record *record, struct arena *arena) must_check;

/* What all events have, of this time: in front, with the object left open; and under `intercept`,
 * whose object is left open, who the device is. For writers of further kinds: eve_message.c. */
void eve_write_header(struct jsonw *json, const struct timeval *now, const char *type,
                      const char *app_proto, const struct record *record);
void eve_open_intercept(struct jsonw *json, const struct record *record);

/* Hands over what was written, with a newline behind, for which there is room. False if it did not
 * fit. */
bool eve_put(struct recorder_feed *feed, struct jsonw *json) must_check;

#endif
