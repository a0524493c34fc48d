/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * eve_command.h - the members of events that are about commands and their replies. */
#ifndef EVENT_EVE_COMMAND_H
#define EVENT_EVE_COMMAND_H

#include "core/jsonw.h"
#include "core/message.h"

/* Suricata's object of the protocol, with its names; nothing if it would be empty. */
void eve_command_write_smtp(struct jsonw *json, const struct spoken_command *command);
void eve_command_write_pop3(struct jsonw *json, const struct spoken_command *command);
void eve_command_write_ftp(struct jsonw *json, const struct spoken_command *command);

/* And what only we know, under `intercept`, named after the protocol. What Suricata has a place for
 * is not told again. */
void eve_command_write_extras(struct jsonw *json, const struct message *message);

#endif
