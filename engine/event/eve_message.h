/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * eve_message.h - what taps tell (core/message.h), as events of their connection.
 *
 * `http`, `websocket`, `mqtt`, `dns`, `smtp`, `pop3` and `ftp` events are Suricata's. `sse`, `imap`
 * and `unknown` events are ours:
 * all that is in them stands under `intercept`. A tap's last word is an `anomaly`, as Suricata
 * tells of parsers that fail. */
#ifndef EVENT_EVE_MESSAGE_H
#define EVENT_EVE_MESSAGE_H

#include "core/message.h"
#include "event/eve.h"

/* Writes one event to the feed. One that is too long is written without headers and bodies. Its
 * thread only. */
void eve_message_write(struct recorder_feed *feed, const struct record *record,
                       const struct message *message);

#endif
